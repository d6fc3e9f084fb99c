//! What a person is told at a success: what happened to the second factor since, and by whom.
//!
//! Failures are told at three successes; a new authenticator and a used recovery code for seven days, and at three
//! successes in any case: else a thief's own three logins use the notices up.
#![forbid(unsafe_code)]

use super::journal::{Journal, Source};
use super::record::Record;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    Authenticator { label: String, replaced: bool, at: i64, by: String },
    Failures { count: u32, since: i64, last_from: Source },
    RecoveryUsed { at: i64, left: usize },
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
