//! What a person is told at a success: what happened to the second factor since, and by whom.
//!
//! Failures are told at three successes; a new authenticator, a used recovery code and an issued rescue code for seven
//! days, and at three successes in any case: else a thief's own three logins use the notices up.
#![forbid(unsafe_code)]

use super::journal::{Journal, Source};
use super::record::Record;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    Authenticator {
        label: String,
        replaced: bool,
        at: i64,
        by: String,
    },
    Failures {
        count: u32,
        since: i64,
        last_from: Source,
    },
    RecoveryUsed {
        at: i64,
        left: usize,
    },
    /// Whoever issued it: an administrator, or somebody who talked one into it.
    Rescue {
        at: i64,
        by: String,
        used: bool,
    },
}

const FOR: i64 = 7 * 24 * 3600;

/// The notices that are due at a success now.
pub fn due(record: &Record, journal: &Journal, now: i64) -> Vec<Notice> {
    let lasting = |at: i64| is_untold(at, journal, now) || now.saturating_sub(at) < FOR;
    let mut notices: Vec<Notice> = record
        .authenticators
        .iter()
        .filter(|device| lasting(device.created_at))
        .map(|device| Notice::Authenticator {
            label: device.label.clone(),
            replaced: device.replaced,
            at: device.created_at,
            by: device.created_by.clone(),
        })
        .collect();
    notices.extend(failures(journal, now));
    let of_this_set = journal.recovered >= record.recovery.created_at.max(1) && journal.set == record.recovery.id;
    if of_this_set && lasting(journal.recovered) {
        notices.push(Notice::RecoveryUsed { at: journal.recovered, left: record.codes_left(journal.spent) });
    }
    let rescue_codes = record.recovery.codes.iter().filter_map(|code| Some((code.slot, code.rescue.as_ref()?)));
    notices.extend(rescue_codes.filter(|(_, rescue)| lasting(rescue.created_at)).map(|(slot, rescue)| Notice::Rescue {
        at: rescue.created_at,
        by: rescue.created_by.clone(),
        used: journal.is_spent(record.recovery.id, slot),
    }));
    notices
}

/// The failures that have not been told three times.
pub fn failures(journal: &Journal, now: i64) -> Option<Notice> {
    let failed = &journal.failed;
    (failed.count > 0 && is_untold(failed.last, journal, now)).then(|| Notice::Failures {
        count: failed.count,
        since: failed.first,
        last_from: failed.from.clone(),
    })
}

/// Whether fewer than three successes that could show notices came after `at`.
pub fn is_untold(at: i64, journal: &Journal, now: i64) -> bool {
    at > counted(journal, now)[0]
}

/// The three times with a success now among them.
pub fn told_now(journal: &Journal, now: i64) -> [i64; 3] {
    let [_, second, third] = counted(journal, now);
    [second, third, now]
}

/// The three times, oldest first; one in the future counts as none.
fn counted(journal: &Journal, now: i64) -> [i64; 3] {
    let mut times = journal.told.map(|time| if time > now { 0 } else { time });
    times.sort_unstable();
    times
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::super::code::{RecoveryCode, Slot};
    use super::super::journal::SetId;
    use super::super::record::{RecordId, RecoverySet, Rescue, StoredCode};
    use super::super::recovery::Hashed;
    use super::*;

    const NOW: i64 = 1_795_512_000;
    const SET: SetId = SetId(7);

    fn issued(at: i64) -> Record {
        let slot = Slot::new(24).unwrap();
        let hashed = Hashed::new(&RecoveryCode::made(slot, &[3; 14]), [9; 16]).unwrap();
        let rescue = Rescue { not_after: at + 1800, created_at: at, created_by: "root (bob)".to_owned() };
        Record {
            id: RecordId(1),
            uid: 1000,
            name: "alice".to_owned(),
            created_at: 1,
            changed_at: at,
            changed_by: "root (bob)".to_owned(),
            not_before: 0,
            authenticators: Vec::new(),
            recovery: RecoverySet { id: SET, created_at: 1, codes: vec![StoredCode { slot, hashed, rescue: Some(rescue) }] },
        }
    }

    fn journal(set: SetId, spent: u32, told: [i64; 3]) -> Journal {
        Journal { set, spent, told, ..Journal::default() }
    }

    #[test]
    fn k_05_who_issued_a_rescue_code_is_told_and_whether_it_is_used() {
        let told = |set, spent| due(&issued(NOW), &journal(set, spent, [0; 3]), NOW);
        let notice = |used| vec![Notice::Rescue { at: NOW, by: "root (bob)".to_owned(), used }];
        assert_eq!(told(SET, 0), notice(false));
        assert_eq!(told(SET, Slot::new(24).unwrap().mark()), notice(true));
        assert_eq!(told(SET, Slot::new(23).unwrap().mark()), notice(false));
        // Marks of another set say nothing of this one.
        assert_eq!(told(SetId(8), u32::MAX), notice(false));
    }

    #[test]
    fn l_03_a_rescue_code_is_told_for_seven_days_and_at_three_successes_in_any_case() {
        let is_due = |told: [i64; 3], age: i64| !due(&issued(NOW), &journal(SET, 0, told), NOW + age).is_empty();
        let thrice = [NOW + 1, NOW + 2, NOW + 3];
        assert!(is_due(thrice, 60) && is_due(thrice, FOR - 1));
        assert!(!is_due(thrice, FOR));
        assert!(is_due([NOW - 5, NOW + 1, NOW + 2], FOR) && is_due([0; 3], 100 * FOR));
        // A time in the future counts as none.
        assert!(is_due([NOW + 1, NOW + 2, NOW + 3 * FOR], 2 * FOR));
    }
}
