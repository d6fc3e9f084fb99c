//! Who is enrolled before a change, what they have in hand, and the store's files about them.

use countersign::rules::code::{RecoveryCode, Slot};
use countersign::rules::journal::{Journal, SetId};
use countersign::rules::record::{Authenticator, Record, RecordId, RecoverySet, StoredCode};
use countersign::rules::recovery::Hashed;
use countersign::rules::throttle::{Count, Throttle};
use countersign::rules::totp::{Parameters, Secret};
use countersign::store::MARKER;
use countersign::sys;

use super::place::Files;

pub const ALICE: u32 = 1000;
pub const PHONE: [u8; 20] = *b"the phone of alice..";
pub const TABLET: [u8; 20] = *b"the tablet of alice.";
const DAY: i64 = 86_400;

/// A recovery code of alice's, as she has it on paper.
pub fn paper(slot: u8) -> RecoveryCode {
    RecoveryCode::made(Slot::new(slot).unwrap(), &[slot + 3; 14])
}

/// A store in which another user is enrolled.
pub fn nobody() -> Files {
    files(vec![(MARKER.to_owned(), Vec::new())], 1001, Some(&record(1001, "rob", 1)), Some(&journal()))
}

pub fn alice() -> Files {
    with_alice(&record(ALICE, "alice", 1), Some(&journal()))
}

pub fn alice_with_a_tablet() -> Files {
    with_alice(&record(ALICE, "alice", 2), Some(&journal()))
}

/// Forty wrong codes over the network.
pub fn alice_stopped() -> Files {
    let remote = Count { streak: 40, last_failure: sys::now() - DAY, bucket: 40, drained_at: sys::now() - DAY };
    with_alice(&record(ALICE, "alice", 1), Some(&Journal { throttle: Throttle { remote, ..Throttle::default() }, ..journal() }))
}

pub fn alice_without_a_journal() -> Files {
    with_alice(&record(ALICE, "alice", 1), None)
}

/// Enrolled, and logged in, while the clock was ten years ahead.
pub fn alice_of_a_clock_ahead() -> Files {
    let ahead = (sys::now() + 3650 * DAY) / 30 * 30;
    let record = Record { not_before: ahead - DAY, ..record(ALICE, "alice", 1) };
    with_alice(&record, Some(&Journal { last: ahead, last_period: 30, ..journal() }))
}

/// A reset leaves the journal.
pub fn alice_after_a_reset() -> Files {
    files(nobody(), ALICE, None, Some(&Journal { record: false, ..journal() }))
}

fn with_alice(record: &Record, journal: Option<&Journal>) -> Files {
    files(nobody(), ALICE, Some(record), journal)
}

fn files(mut files: Files, uid: u32, record: Option<&Record>, journal: Option<&Journal>) -> Files {
    files.push((format!("{uid}.lock"), Vec::new()));
    files.extend(record.map(|record| (format!("{uid}.toml"), record.to_text().as_bytes().to_vec())));
    files.extend(journal.map(|journal| (format!("{uid}.state"), journal.file(uid))));
    files.sort();
    files
}

fn journal() -> Journal {
    Journal { sequence: 7, set: SetId(9), record: true, ..Journal::default() }
}

/// Made a month ago.
fn record(uid: u32, name: &str, authenticators: u8) -> Record {
    let made = sys::now() - 30 * DAY;
    let device = |number: u8| Authenticator {
        number,
        label: if number == 1 { "phone" } else { "tablet" }.to_owned(),
        secret: Secret::new(if number == 1 { &PHONE } else { &TABLET }).unwrap(),
        parameters: Parameters::default(),
        created_at: made,
        created_by: "root".to_owned(),
        replaced: false,
    };
    let stored = |slot: u8| StoredCode { slot: paper(slot).slot(), hashed: Hashed::new(&paper(slot), [slot; 16]).unwrap(), rescue: None };
    Record {
        id: RecordId(u128::from(uid)),
        uid,
        name: name.to_owned(),
        created_at: made,
        changed_at: made,
        changed_by: "root".to_owned(),
        not_before: made,
        authenticators: (1..=authenticators).map(device).collect(),
        recovery: RecoverySet { id: SetId(9), created_at: made, codes: (1..=10).map(stored).collect() },
    }
}
