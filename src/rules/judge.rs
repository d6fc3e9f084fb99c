//! Deciding about a code: the record, the journal and an answer -> what is found, and the journal that says so.
//!
//! Takes what only a held lock gives, and gives a `Ruling`: its verdict is a secret until its next journal is on disk
//! (`store` settles it), so that nothing observable differs before the write.
#![forbid(unsafe_code)]

use super::audit::{Event, Method};
use super::code::{Digits, RecoveryCode};
use super::journal::{Failed, Journal, Source};
use super::notice::{self, Notice};
use super::record::{Authenticator, Record, Rescue, StoredCode};
use super::recovery::{self, OutOfMemory};
use super::throttle::{Gate, Lane, Throttle};
use super::totp::{self, Floor, Match};

/// What a login brings along beside the code.
pub struct Attempt {
    /// The clock, read under the lock.
    pub now: i64,
    pub lane: Lane,
    pub from: Source,
    /// Steps to either side of now: 0 or 1.
    pub window: u8,
    /// Notices can be shown at a success.
    pub shows_notices: bool,
}

/// A code, typed.
pub enum Guess {
    Digits(Digits),
    Recovery(RecoveryCode),
}

/// What is found, sealed until the journal is written.
#[must_use]
pub struct Ruling {
    verdict: Verdict,
    next: Option<Next>,
}

/// The journal to be written before the answer.
pub struct Next {
    pub journal: Journal,
    /// Rule 8, *both*: to both slots.
    pub both: bool,
}

impl Ruling {
    /// For the store, which gives the verdict out only when the journal is on disk.
    pub(crate) fn unsealed(self) -> (Option<Next>, Verdict) {
        (self.next, self.verdict)
    }
}

/// What was found, and the counters of the lane after it.
#[must_use]
pub struct Verdict {
    pub finding: Finding,
    pub streak: u16,
    pub budget_left: u16,
}

impl Verdict {
    /// As the log has it.
    pub fn event(&self) -> Event<'_> {
        let (streak, budget_left) = (self.streak, self.budget_left);
        let refused = |reason, method| Event::Refused { reason, method: Some(method), streak, budget_left };
        match &self.finding {
            Finding::Accepted(Accepted { method, authenticator, codes_left, .. }) => {
                Event::Accepted { method: *method, authenticator: authenticator.as_deref(), streak, codes_left: *codes_left }
            }
            Finding::Wrong(method) => refused("wrong", *method),
            Finding::Replay(method) => refused("replay", *method),
            Finding::ClockBehind => refused("clock_behind", Method::Totp),
            Finding::Waiting { until } => Event::Waiting { reason: "waiting", until: *until },
            Finding::Spent { until } => Event::Waiting { reason: "budget", until: *until },
            Finding::Stopped { since } => Event::Stopped { since: *since },
        }
    }
}

pub enum Finding {
    Accepted(Accepted),
    Wrong(Method),
    /// The code was right and is used.
    Replay(Method),
    /// Not evaluated: too many failures in a row, until then.
    Waiting {
        until: i64,
    },
    /// Not evaluated: the budget of the lane is spent, until then.
    Spent {
        until: i64,
    },
    /// Not evaluated: stopped.
    Stopped {
        since: i64,
    },
    /// Not evaluated: the floor is ahead of the clock, no code can be right.
    ClockBehind,
}

/// The code was right. Made in this file alone.
pub struct Accepted {
    /// Private, so that no other file makes this value.
    method: Method,
    /// The label of the authenticator.
    pub authenticator: Option<String>,
    pub codes_left: usize,
    pub notices: Vec<Notice>,
}

impl Accepted {
    pub fn method(&self) -> Method {
        self.method
    }
}

/// How far the floor may lie ahead before the clock is called behind.
const AHEAD: i64 = 120;
/// A wrong recovery code is written at most this often: the log has them all.
const RECOVERY_FAILURE_EVERY: i64 = 60;

pub fn judge(record: &Record, journal: &Journal, guess: &Guess, attempt: &Attempt) -> Result<Ruling, OutOfMemory> {
    let case = Case { record, journal, attempt };
    match guess {
        Guess::Digits(digits) => Ok(case.digits(digits)),
        Guess::Recovery(code) => case.recovery_code(code),
    }
}

/// The floor of a record and a journal (rule 5, *floor*).
pub fn floor(record: &Record, journal: &Journal) -> Floor {
    Floor { not_before: record.not_before, last: journal.last }
}

/// No code can be right before the clock has passed the floor.
pub fn is_clock_behind(floor: Floor, now: i64) -> bool {
    floor.not_before.max(floor.last) > now.saturating_add(AHEAD)
}

/// A rescue code's end, which no clock set back moves: the newest time that the journal knows counts too.
pub fn has_ended(rescue: &Rescue, journal: &Journal, now: i64) -> bool {
    now.max(newest(journal)) > rescue.not_after
}

/// The newest time of a code that the journal knows, accepted or wrong.
pub fn newest(journal: &Journal) -> i64 {
    Lane::ALL.map(|lane| journal.throttle.of(lane).last_failure).into_iter().fold(journal.last, i64::max)
}

/// Until when every code is refused because the floor lies ahead of the clock; `None` where it does not.
pub fn refused_until(floor: Floor, now: i64) -> Option<i64> {
    is_clock_behind(floor, now).then(|| floor.not_before.max(floor.last))
}

/// The start of the newest step that the window holds now: used up where a journal is made anew.
pub fn used_until(record: Option<&Record>, now: i64) -> i64 {
    let longest = record.map_or(60, |record| record.authenticators.iter().map(|device| device.parameters.period).fold(30, u8::max));
    totp::step_start(now, longest).map_or(0, |start| start.saturating_add(i64::from(longest)))
}

/// The journal's floor where it lies ahead of a clock that is right: no further than what the window holds now.
pub fn last_brought_down(last: i64, record: Option<&Record>, now: i64) -> i64 {
    last.min(used_until(record, now))
}

struct Case<'a> {
    record: &'a Record,
    journal: &'a Journal,
    attempt: &'a Attempt,
}

impl Case<'_> {
    fn digits(&self, typed: &Digits) -> Ruling {
        let (throttle, now, lane) = (&self.journal.throttle, self.attempt.now, self.attempt.lane);
        if is_clock_behind(floor(self.record, self.journal), now) {
            return self.ruling(Finding::ClockBehind, None, false);
        }
        let unevaluated = match throttle.gate(lane, now) {
            Gate::Open => return self.evaluate(typed),
            Gate::Waiting { until } => Finding::Waiting { until },
            Gate::Spent { until } => Finding::Spent { until },
            Gate::Stopped { since } => Finding::Stopped { since },
        };
        let next = throttle.brought_back(lane, now).map(|throttle| Journal { throttle, ..self.written() });
        self.ruling(unevaluated, next, false)
    }

    /// A guess that is looked at. Right, wrong and used codes all write one slot: the calls must not differ.
    fn evaluate(&self, typed: &Digits) -> Ruling {
        let mut right: Option<(i64, &Authenticator)> = None;
        let mut used = false;
        for device in &self.record.authenticators {
            let floor = floor(self.record, self.journal);
            match totp::find(&device.secret, device.parameters, typed, self.attempt.now, self.attempt.window, floor) {
                Match::Fresh(start) if right.is_none_or(|(lowest, _)| start < lowest) => right = Some((start, device)),
                Match::Fresh(_) | Match::None => {}
                Match::Used => used = true,
            }
        }
        match right {
            Some((start, device)) => self.accept_step(start, device),
            None if used => self.ruling(Finding::Replay(Method::Totp), Some(self.written()), false),
            None => {
                let throttle = self.journal.throttle.failed(self.attempt.lane, self.attempt.now);
                let next = Journal { throttle, failed: self.one_more_failure(), ..self.written() };
                self.ruling(Finding::Wrong(Method::Totp), Some(next), false)
            }
        }
    }

    fn accept_step(&self, start: i64, device: &Authenticator) -> Ruling {
        let mut next = Journal {
            last: start,
            last_period: device.parameters.period,
            throttle: self.journal.throttle.succeeded(self.attempt.lane),
            ..self.written()
        };
        if let Some(used) = next.used.get_mut(usize::from(device.number).saturating_sub(1)) {
            *used = self.attempt.now;
        }
        self.accept(Method::Totp, Some(device.label.clone()), next, false)
    }

    /// Every attempt costs one hash, whatever the number of codes and whether there is one in the slot.
    fn recovery_code(&self, typed: &RecoveryCode) -> Result<Ruling, OutOfMemory> {
        let stored = self.record.recovery.codes.iter().find(|stored| stored.slot == typed.slot());
        let right = match stored {
            Some(stored) => stored.hashed.opens(typed)?.then_some(stored),
            None => {
                recovery::same_work(typed)?;
                None
            }
        };
        Ok(match right.filter(|stored| self.is_in_force(stored)) {
            Some(stored) if self.journal.is_spent(self.record.recovery.id, stored.slot) => {
                self.ruling(Finding::Replay(method(stored)), None, false)
            }
            Some(stored) => self.accept_recovery(stored),
            None => self.ruling(Finding::Wrong(Method::Recovery), self.recovery_failure(), false),
        })
    }

    /// A rescue code has an end that no clock set back moves, and a beginning.
    fn is_in_force(&self, stored: &StoredCode) -> bool {
        let now = self.attempt.now;
        stored.rescue.as_ref().is_none_or(|rescue| now >= rescue.created_at && !has_ended(rescue, self.journal, now))
    }

    fn accept_recovery(&self, stored: &StoredCode) -> Ruling {
        let written = self.written();
        let recovered = if stored.rescue.is_some() { written.recovered } else { self.attempt.now };
        let next = Journal { spent: written.spent | stored.slot.mark(), recovered, ..written };
        self.accept(method(stored), None, next, true)
    }

    /// A wrong recovery code is a failure to report, in no streak and no budget, written at most once a minute.
    fn recovery_failure(&self) -> Option<Journal> {
        let since = self.attempt.now.saturating_sub(self.journal.failed.last);
        let due = !(0..RECOVERY_FAILURE_EVERY).contains(&since);
        due.then(|| Journal { failed: self.one_more_failure(), ..self.written() })
    }

    /// The failures to report with this one; those told three times are counted anew.
    fn one_more_failure(&self) -> Failed {
        let (failed, now) = (&self.journal.failed, self.attempt.now);
        let anew = failed.count == 0 || !notice::is_untold(failed.last, self.journal, now);
        Failed {
            count: if anew { 1 } else { failed.count.saturating_add(1) },
            first: if anew { now } else { failed.first },
            last: now,
            from: self.attempt.from.clone(),
        }
    }

    /// The journal as every write at a login begins: it names the record's set, and that a record stands.
    fn written(&self) -> Journal {
        let set = self.record.recovery.id;
        Journal { set, spent: self.journal.spent_of(set), record: true, ..self.journal.clone() }
    }

    fn accept(&self, method: Method, authenticator: Option<String>, next: Journal, both: bool) -> Ruling {
        let notices = notice::due(self.record, &next, self.attempt.now);
        let codes_left = self.record.codes_left(next.spent);
        let told = if self.attempt.shows_notices { notice::told_now(&next, self.attempt.now) } else { next.told };
        let next = Journal { told, ..next };
        self.ruling(Finding::Accepted(Accepted { method, authenticator, codes_left, notices }), Some(next), both)
    }

    fn ruling(&self, finding: Finding, next: Option<Journal>, both: bool) -> Ruling {
        let next = next.map(|journal| Journal { sequence: self.journal.sequence.saturating_add(1), ..journal });
        let throttle: &Throttle = next.as_ref().map_or(&self.journal.throttle, |next| &next.throttle);
        let verdict = Verdict {
            finding,
            streak: throttle.of(self.attempt.lane).streak,
            budget_left: throttle.budget_left(self.attempt.lane, self.attempt.now),
        };
        Ruling { verdict, next: next.map(|journal| Next { journal, both }) }
    }
}

fn method(stored: &StoredCode) -> Method {
    if stored.rescue.is_some() { Method::Rescue } else { Method::Recovery }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use crate::rules::code::Slot;
    use crate::rules::journal::SetId;
    use crate::rules::record::{RecordId, RecoverySet};
    use crate::rules::recovery::Hashed;
    use crate::rules::totp::{Parameters, Secret};

    const NOW: i64 = 1_795_499_550;

    fn recovery_code(slot: u8) -> RecoveryCode {
        RecoveryCode::made(Slot::new(slot).unwrap(), &[slot; 14])
    }

    fn stored(slot: u8, rescue: Option<Rescue>) -> StoredCode {
        StoredCode { slot: Slot::new(slot).unwrap(), hashed: Hashed::new(&recovery_code(slot), [slot; 16]).unwrap(), rescue }
    }

    fn record() -> Record {
        let device = |number, period| Authenticator {
            number,
            label: format!("device {number}"),
            secret: Secret::new(&[number; 20]).unwrap(),
            parameters: Parameters { period, ..Parameters::default() },
            created_at: 5,
            created_by: "alice".to_owned(),
            replaced: false,
        };
        let rescue = Rescue { not_after: NOW + 100, created_at: NOW - 100, created_by: "root".to_owned() };
        Record {
            id: RecordId(1),
            uid: 1000,
            name: "alice".to_owned(),
            created_at: 5,
            changed_at: 5,
            changed_by: "alice".to_owned(),
            not_before: 6,
            authenticators: vec![device(1, 30), device(3, 60)],
            recovery: RecoverySet { id: SetId(9), created_at: 5, codes: vec![stored(1, None), stored(2, None), stored(24, Some(rescue))] },
        }
    }

    fn told() -> Journal {
        Journal { sequence: 3, set: SetId(9), record: true, told: [NOW - 30, NOW - 20, NOW - 10], ..Journal::default() }
    }

    fn attempt(now: i64) -> Attempt {
        Attempt { now, lane: Lane::Remote, from: Source::new(b"192.0.2.7"), window: 1, shows_notices: true }
    }

    fn app(number: u8, start: i64) -> Guess {
        let period = if number == 1 { 30 } else { 60 };
        let parameters = Parameters { period, ..Parameters::default() };
        Guess::Digits(totp::code(&Secret::new(&[number; 20]).unwrap(), parameters, start - start % i64::from(period)).unwrap())
    }

    /// A code that no authenticator shows near now.
    fn wrong() -> Guess {
        app(1, NOW - 86_400)
    }

    fn judged(journal: &Journal, guess: &Guess, attempt: &Attempt) -> (Finding, Option<Next>) {
        let (next, verdict) = judge(&record(), journal, guess, attempt).unwrap().unsealed();
        (verdict.finding, next)
    }

    #[test]
    fn a_right_code_is_accepted_and_its_step_is_used_for_every_authenticator() {
        let before = Journal { throttle: Throttle::default().failed(Lane::Remote, NOW - 500).failed(Lane::Local, NOW - 500), ..told() };
        let (finding, next) = judged(&before, &app(1, NOW), &attempt(NOW));
        let Finding::Accepted(accepted) = finding else { panic!() };
        assert_eq!((accepted.method(), accepted.authenticator.as_deref(), accepted.codes_left), (Method::Totp, Some("device 1"), 2));
        let next = next.unwrap();
        assert!(!next.both);
        let start = NOW - NOW % 30;
        assert_eq!((next.journal.sequence, next.journal.last, next.journal.last_period, next.journal.used), (4, start, 30, [NOW, 0, 0, 0]));
        assert_eq!((next.journal.throttle.remote.streak, next.journal.throttle.local.streak), (0, 1));
        assert_eq!(next.journal.told, [NOW - 20, NOW - 10, NOW]);
        // The other authenticator's step started no later: used too.
        assert!(matches!(judged(&next.journal, &app(3, NOW), &attempt(NOW)).0, Finding::Replay(Method::Totp)));
    }

    #[test]
    fn a_07_a_replay_writes_a_slot_and_changes_no_counter() {
        let before = Journal { last: NOW - NOW % 30, last_period: 30, ..told() };
        let (finding, next) = judged(&before, &app(1, NOW), &attempt(NOW));
        assert!(matches!(finding, Finding::Replay(Method::Totp)));
        assert_eq!(next.unwrap().journal, Journal { sequence: 4, ..before });
    }

    #[test]
    fn a_wrong_code_counts_in_its_lane_and_is_reported() {
        let (finding, next) = judged(&told(), &wrong(), &attempt(NOW));
        assert!(matches!(finding, Finding::Wrong(Method::Totp)));
        let next = next.unwrap().journal;
        assert_eq!((next.throttle.remote.streak, next.throttle.remote.bucket, next.throttle.local.streak), (1, 1, 0));
        assert_eq!((next.failed.count, next.failed.first, next.failed.from.as_str()), (1, NOW, "192.0.2.7"));
        let again = judged(&next, &wrong(), &attempt(NOW + 9)).1.unwrap().journal;
        assert_eq!((again.failed.count, again.failed.first, again.failed.last), (2, NOW, NOW + 9));
        let told_thrice = Journal { told: [NOW + 10, NOW + 11, NOW + 12], ..again };
        let anew = judged(&told_thrice, &wrong(), &attempt(NOW + 20)).1.unwrap().journal;
        assert_eq!((anew.failed.count, anew.failed.first), (1, NOW + 20));
    }

    #[test]
    fn b_03_while_waiting_or_stopped_right_and_wrong_are_the_same_and_nothing_is_written() {
        for failures in [5, 40] {
            let throttle = (0..failures).fold(Throttle::default(), |throttle, _| throttle.failed(Lane::Remote, NOW));
            let before = Journal { throttle, ..told() };
            for guess in [app(1, NOW), wrong()] {
                let (finding, next) = judged(&before, &guess, &attempt(NOW));
                match (failures, finding) {
                    (5, Finding::Waiting { until }) => assert_eq!(until, NOW + 60),
                    (40, Finding::Stopped { since }) => assert_eq!(since, NOW),
                    _ => panic!(),
                }
                assert!(next.is_none());
            }
            assert!(matches!(judged(&before, &app(1, NOW), &Attempt { lane: Lane::Local, ..attempt(NOW) }).0, Finding::Accepted(_)));
        }
    }

    #[test]
    fn g_02_a_failure_of_the_future_is_written_as_now_once() {
        let throttle = (0..5).fold(Throttle::default(), |throttle, _| throttle.failed(Lane::Remote, NOW + 1_000_000));
        let (finding, next) = judged(&Journal { throttle, ..told() }, &app(1, NOW), &attempt(NOW));
        assert!(matches!(finding, Finding::Waiting { until } if until == NOW + 60));
        let next = next.unwrap().journal;
        assert_eq!(next.throttle.remote.last_failure, NOW);
        assert!(judged(&next, &app(1, NOW), &attempt(NOW + 5)).1.is_none());
    }

    #[test]
    fn g_01_with_the_floor_ahead_nothing_of_the_app_is_evaluated_and_a_recovery_code_works() {
        let ahead = Journal { last: NOW + 3600, last_period: 30, ..told() };
        for guess in [app(1, NOW), wrong()] {
            let (finding, next) = judged(&ahead, &guess, &attempt(NOW));
            assert!(matches!(finding, Finding::ClockBehind) && next.is_none());
        }
        assert!(matches!(judged(&ahead, &Guess::Recovery(recovery_code(1)), &attempt(NOW)).0, Finding::Accepted(_)));
    }

    #[test]
    fn g_02_the_later_floor_says_until_when_codes_are_refused() {
        let until = |not_before, last| refused_until(Floor { not_before, last }, NOW);
        assert_eq!(until(NOW + 500, NOW + 300), Some(NOW + 500));
        assert_eq!(until(NOW - 500, NOW + 300), Some(NOW + 300));
        assert_eq!((until(NOW + AHEAD + 1, 0), until(NOW + AHEAD, NOW + AHEAD)), (Some(NOW + AHEAD + 1), None));
    }

    #[test]
    fn b_10_a_recovery_code_opens_once_whatever_the_lanes_say() {
        let throttle = (0..60).fold(Throttle::default(), |throttle, _| throttle.failed(Lane::Remote, NOW));
        let before = Journal { throttle, ..told() };
        let (finding, next) = judged(&before, &Guess::Recovery(recovery_code(1)), &attempt(NOW));
        let Finding::Accepted(accepted) = finding else { panic!() };
        assert_eq!((accepted.method(), accepted.codes_left), (Method::Recovery, 1));
        assert!(accepted.notices.contains(&Notice::RecoveryUsed { at: NOW, left: 1 }));
        let next = next.unwrap();
        assert!(next.both);
        assert_eq!((next.journal.spent, next.journal.throttle), (0b10, throttle));
        let (finding, written) = judged(&next.journal, &Guess::Recovery(recovery_code(1)), &attempt(NOW + 1));
        assert!(matches!(finding, Finding::Replay(Method::Recovery)) && written.is_none());
        // Marks of another set do not count.
        let other = Journal { set: SetId(8), ..next.journal };
        assert!(matches!(judged(&other, &Guess::Recovery(recovery_code(1)), &attempt(NOW)).0, Finding::Accepted(_)));
    }

    #[test]
    fn b_10_a_wrong_recovery_code_is_written_once_a_minute_in_no_streak_and_no_budget() {
        let unknown = Guess::Recovery(recovery_code(7));
        let (finding, next) = judged(&told(), &unknown, &attempt(NOW));
        assert!(matches!(finding, Finding::Wrong(Method::Recovery)));
        let next = next.unwrap().journal;
        assert_eq!((next.failed.count, next.throttle), (1, Throttle::default()));
        assert!(judged(&next, &unknown, &attempt(NOW + 59)).1.is_none());
        assert!(judged(&next, &unknown, &attempt(NOW + 60)).1.is_some());
    }

    #[test]
    fn k_05_a_rescue_code_has_a_beginning_and_an_end_that_no_clock_moves() {
        let rescue = Guess::Recovery(recovery_code(24));
        assert!(matches!(
            judged(&told(), &rescue, &attempt(NOW)).0,
            Finding::Accepted(Accepted { method: Method::Rescue, codes_left: 2, .. })
        ));
        for (now, last) in [(NOW + 101, 0), (NOW - 101, 0), (NOW, NOW + 101)] {
            let journal = Journal { last, ..told() };
            assert!(matches!(judged(&journal, &rescue, &attempt(now)).0, Finding::Wrong(_)), "{now} {last}");
        }
    }

    #[test]
    fn l_03_notices_come_for_seven_days_and_at_three_successes_in_any_case() {
        let failed = Failed { count: 4, first: NOW - 900, last: NOW - 15, from: Source::new(b"192.0.2.9") };
        let journal = Journal { failed, ..told() };
        let record = without_rescue_code;
        let due = |journal: &Journal| notice::due(&record(), journal, NOW);
        let failures = Notice::Failures { count: 4, since: NOW - 900, last_from: Source::new(b"192.0.2.9") };
        assert_eq!(due(&journal), std::slice::from_ref(&failures));
        assert_eq!(due(&Journal { told: [NOW - 15, NOW - 5, NOW - 1], ..journal.clone() }), []);
        // A time in the future counts as none.
        assert_eq!(
            due(&Journal { told: [NOW - 14, NOW - 5, NOW + 60], ..journal }),
            [
                Notice::Authenticator { label: "device 1".into(), replaced: false, at: 5, by: "alice".into() },
                Notice::Authenticator { label: "device 3".into(), replaced: false, at: 5, by: "alice".into() },
                failures
            ]
        );
        let young = Record {
            authenticators: record()
                .authenticators
                .into_iter()
                .map(|device| Authenticator { created_at: NOW - FEW_DAYS, ..device })
                .collect(),
            ..record()
        };
        assert_eq!(notice::due(&young, &told(), NOW).len(), 2);
    }

    /// Its notice is held in `notice`.
    fn without_rescue_code() -> Record {
        let mut record = record();
        record.recovery.codes.retain(|code| code.rescue.is_none());
        record
    }

    const FEW_DAYS: i64 = 6 * 86_400;

    #[test]
    fn silent_successes_are_not_counted_as_told() {
        let (_, next) = judged(&told(), &app(1, NOW), &Attempt { shows_notices: false, ..attempt(NOW) });
        assert_eq!(next.unwrap().journal.told, told().told);
    }
}
