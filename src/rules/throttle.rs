//! How often a guess is evaluated: per uid, in three lanes, over all services together.
//!
//! - From the 5th consecutive failure of a lane a wait: 60 s, doubling, at most 1 h (the 10th waits 32 min; PCI DSS
//!   8.3.4 asks for 30).
//! - At 40 consecutive failures (lane self: 20), 100 over all lanes, codes of the app are stopped (NIST SP 800-63B-4
//!   3.2.2) until root unlocks, or the user comes in by a recovery code and replaces the authenticator.
//! - A bucket of 60 failures a lane, of which one drains every 6 h; a success does not refill it.
//! - Recovery codes stand outside all of this: 70 random bits need no lane, and a wait would hand whoever has the
//!   password the key to both doors.
#![forbid(unsafe_code)]

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// PAM_RHOST is set and not empty.
    Remote,
    /// All else, and root's tool.
    Local,
    /// What the service judges for callers who are not root.
    Own,
}

impl Lane {
    pub const ALL: [Self; 3] = [Self::Remote, Self::Local, Self::Own];

    /// Its name in the log and in the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Local => "local",
            Self::Own => "self",
        }
    }

    /// Consecutive failures at which codes are stopped.
    fn stop(self) -> u16 {
        match self {
            Self::Remote | Self::Local => 40,
            Self::Own => 20,
        }
    }
}

/// What the journal keeps of one lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Consecutive failures.
    pub streak: u16,
    /// When the last failure was, unix seconds.
    pub last_failure: i64,
    /// Failures in the bucket.
    pub bucket: u16,
    /// When the bucket last drained by one, or began to fill.
    pub drained_at: i64,
}

/// What the journal keeps of all lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Throttle {
    pub remote: Count,
    pub local: Count,
    pub own: Count,
}

/// Whether a code of the app is evaluated now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    Open,
    /// Too many failures in a row: until then.
    Waiting {
        until: i64,
    },
    /// The bucket is full: until one has drained.
    Spent {
        until: i64,
    },
    Stopped {
        since: i64,
    },
}

const FREE_FAILURES: u16 = 5;
const FIRST_WAIT: i64 = 60;
const LONGEST_WAIT: i64 = 3600;
const STOP_OVER_ALL: u16 = 100;
const BUCKET: u16 = 60;
const DRAIN: i64 = 6 * 3600;

impl Throttle {
    pub fn of(&self, lane: Lane) -> &Count {
        match lane {
            Lane::Remote => &self.remote,
            Lane::Local => &self.local,
            Lane::Own => &self.own,
        }
    }

    fn of_mut(&mut self, lane: Lane) -> &mut Count {
        match lane {
            Lane::Remote => &mut self.remote,
            Lane::Local => &mut self.local,
            Lane::Own => &mut self.own,
        }
    }

    pub fn gate(&self, lane: Lane, now: i64) -> Gate {
        let count = self.of(lane);
        let over_all = Lane::ALL.into_iter().fold(0_u16, |sum, lane| sum.saturating_add(self.of(lane).streak));
        if count.streak >= lane.stop() || over_all >= STOP_OVER_ALL {
            return Gate::Stopped { since: count.last_failure };
        }
        // A failure in the future is one of a clock that was ahead: it counts as one of now.
        let last_failure = count.last_failure.min(now);
        let until = last_failure.saturating_add(wait(count.streak));
        if until > now {
            return Gate::Waiting { until };
        }
        let (bucket, drained_at) = count.drained(now);
        if bucket >= BUCKET {
            return Gate::Spent { until: drained_at.saturating_add(DRAIN) };
        }
        Gate::Open
    }

    /// The state with a failure of the future brought to now, if there is one: so that a clock once ahead makes nobody
    /// wait longer than one full wait. The only write while waiting.
    pub fn brought_back(&self, lane: Lane, now: i64) -> Option<Self> {
        let count = self.of(lane);
        if count.last_failure <= now && count.drained_at <= now {
            return None;
        }
        let mut next = *self;
        *next.of_mut(lane) = Count { last_failure: count.last_failure.min(now), drained_at: count.drained_at.min(now), ..*count };
        Some(next)
    }

    /// The state after one more failure.
    #[must_use]
    pub fn failed(&self, lane: Lane, now: i64) -> Self {
        let mut next = *self;
        let count = next.of_mut(lane);
        let (bucket, drained_at) = count.drained(now);
        *count = Count {
            streak: count.streak.saturating_add(1).min(999),
            last_failure: now,
            bucket: bucket.saturating_add(1).min(BUCKET),
            drained_at: if bucket == 0 { now } else { drained_at },
        };
        next
    }

    /// The state after a code of the app was right: the streak of its own lane ends, the budget does not refill.
    #[must_use]
    pub fn succeeded(&self, lane: Lane) -> Self {
        let mut next = *self;
        next.of_mut(lane).streak = 0;
        next
    }

    /// The state with all streaks and stops gone, budgets as they were: after `enroll --replace`.
    #[must_use]
    pub fn streaks_ended(&self) -> Self {
        Lane::ALL.into_iter().fold(*self, |next, lane| next.succeeded(lane))
    }

    pub fn budget_left(&self, lane: Lane, now: i64) -> u16 {
        BUCKET.saturating_sub(self.of(lane).drained(now).0)
    }
}

impl Count {
    /// The bucket as it stands at `now`, and since when the next one drains.
    fn drained(&self, now: i64) -> (u16, i64) {
        let since = self.drained_at.min(now);
        let whole = now.saturating_sub(since).checked_div(DRAIN).unwrap_or(0);
        let bucket = i64::from(self.bucket).saturating_sub(whole).max(0);
        (u16::try_from(bucket).unwrap_or(BUCKET), since.saturating_add(whole.saturating_mul(DRAIN)))
    }
}

/// How long a lane waits after that many failures in a row.
fn wait(streak: u16) -> i64 {
    match streak.checked_sub(FREE_FAILURES) {
        None => 0,
        Some(more) => FIRST_WAIT.checked_shl(u32::from(more).min(16)).map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT)),
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    fn after(failures: u16, lane: Lane, now: i64) -> Throttle {
        (0..failures).fold(Throttle::default(), |throttle, _| throttle.failed(lane, now))
    }

    #[test]
    fn b_02_the_waits_double_from_a_minute_to_an_hour() {
        for (failures, wait) in [(4, 0), (5, 60), (6, 120), (7, 240), (8, 480), (9, 960), (10, 1920), (11, 3600), (12, 3600), (39, 3600)] {
            let throttle = after(failures, Lane::Remote, 1000);
            for later in [0, wait / 2, wait.max(1) - 1, wait, wait + 1] {
                let expected = if later < wait { Gate::Waiting { until: 1000 + wait } } else { Gate::Open };
                assert_eq!(throttle.gate(Lane::Remote, 1000 + later), expected, "{failures} {later}");
            }
            assert_eq!(throttle.gate(Lane::Local, 1000), Gate::Open);
        }
    }

    #[test]
    fn b_08_each_lane_stops_by_itself() {
        for (lane, stop) in [(Lane::Remote, 40), (Lane::Local, 40), (Lane::Own, 20)] {
            assert!(!matches!(after(stop - 1, lane, 5).gate(lane, 1_000_000), Gate::Stopped { .. }));
            let stopped = after(stop, lane, 5);
            assert_eq!(stopped.gate(lane, 1_000_000_000), Gate::Stopped { since: 5 });
            for other in Lane::ALL.into_iter().filter(|other| *other != lane) {
                assert_eq!(stopped.gate(other, 5), Gate::Open);
            }
            assert_eq!(stopped.streaks_ended().gate(lane, 1_000_000), Gate::Open);
        }
    }

    #[test]
    fn b_11_a_success_ends_the_streak_and_leaves_the_budget() {
        let throttle = after(30, Lane::Local, 1000).succeeded(Lane::Local);
        assert_eq!(throttle.gate(Lane::Local, 1000), Gate::Open);
        assert_eq!(throttle.budget_left(Lane::Local, 1000), 30);
        assert_eq!(throttle.budget_left(Lane::Local, 1000 + 6 * 3600 - 1), 30);
        assert_eq!(throttle.budget_left(Lane::Local, 1000 + 6 * 3600), 31);
    }

    #[test]
    fn a_full_bucket_opens_one_guess_every_six_hours() {
        let mut throttle = Throttle::default();
        for _ in 0..60 {
            throttle = throttle.failed(Lane::Remote, 1000).succeeded(Lane::Remote);
        }
        assert_eq!(throttle.gate(Lane::Remote, 1000), Gate::Spent { until: 1000 + DRAIN });
        assert_eq!(throttle.gate(Lane::Remote, 1000 + DRAIN), Gate::Open);
        let throttle = throttle.failed(Lane::Remote, 1000 + DRAIN + 5).succeeded(Lane::Remote);
        assert_eq!(throttle.gate(Lane::Remote, 1000 + DRAIN + 5), Gate::Spent { until: 1000 + 2 * DRAIN });
    }

    #[test]
    fn g_02_a_clock_once_ahead_makes_nobody_wait_longer_than_one_wait() {
        let year = 365 * 24 * 3600;
        let throttle = after(6, Lane::Local, 10 * year);
        assert_eq!(throttle.gate(Lane::Local, 1000), Gate::Waiting { until: 1120 });
        let back = throttle.brought_back(Lane::Local, 1000).unwrap();
        assert_eq!(back.brought_back(Lane::Local, 1000), None);
        assert_eq!(back.gate(Lane::Local, 1119), Gate::Waiting { until: 1120 });
        assert_eq!(back.gate(Lane::Local, 1120), Gate::Open);
    }

    #[test]
    fn g_06_a_clock_set_back_never_shortens_a_wait_nor_a_stop() {
        let throttle = after(5, Lane::Local, 100_000);
        for now in [i64::MIN, 0, 50_000, 100_000] {
            assert!(matches!(throttle.gate(Lane::Local, now), Gate::Waiting { until } if until == now.saturating_add(60)), "{now}");
        }
        assert!(matches!(after(40, Lane::Local, 100_000).gate(Lane::Local, 0), Gate::Stopped { .. }));
    }

    #[test]
    fn g_03_no_time_overflows() {
        for failures in [0, 5, 40, 60] {
            for at in [i64::MIN, -1, 0, 1 << 40, i64::MAX] {
                for now in [i64::MIN, -1, 0, 1 << 40, i64::MAX] {
                    let throttle = after(failures, Lane::Remote, at);
                    let _ = (
                        throttle.gate(Lane::Remote, now),
                        throttle.brought_back(Lane::Remote, now),
                        throttle.failed(Lane::Remote, now),
                        throttle.budget_left(Lane::Remote, now),
                    );
                }
            }
        }
    }

    #[test]
    fn b_01_the_fastest_guesser_stays_within_the_bound() {
        // Ten years at full speed, without and with the user's own logins ending the streak every eight hours.
        for (lane, stop) in [(Lane::Remote, 40), (Lane::Local, 40), (Lane::Own, 20)] {
            let (mut throttle, mut admitted) = (Throttle::default(), 0);
            for hour in 0..10 * 365 * 24 {
                for minute in 0..60 {
                    let now = hour * 3600 + minute * 60;
                    while throttle.gate(lane, now) == Gate::Open {
                        throttle = throttle.failed(lane, now);
                        admitted += 1;
                    }
                }
            }
            assert!(admitted <= stop, "{admitted}");
            let (mut throttle, mut admitted) = (Throttle::default(), 0);
            for hour in 0..10 * 365 * 24 {
                if hour % 8 == 0 && matches!(throttle.gate(lane, hour * 3600), Gate::Open) {
                    throttle = throttle.succeeded(lane);
                }
                for minute in 0..60 {
                    let now = hour * 3600 + minute * 60;
                    while throttle.gate(lane, now) == Gate::Open {
                        throttle = throttle.failed(lane, now);
                        admitted += 1;
                    }
                }
                assert!(admitted <= 60 + 4 * (hour / 24 + 1), "{admitted} after {hour} h");
            }
        }
    }
}
