//! How people log in: what the thief has to reckon with, and may wait for.
#![forbid(unsafe_code)]

use countersign::rules::throttle::{Gate, Lane, Throttle};

pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
pub const YEAR: i64 = 365 * DAY;

/// When the thief begins: midnight, nothing counted yet.
pub const START: i64 = 20_833 * DAY;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// A code of the app; where that is refused, a recovery code.
    App,
    /// The same, and whoever is stopped replaces the authenticator.
    AppOrReplacing,
    /// Recovery codes alone.
    Recovery,
}

#[derive(Clone, Copy)]
pub struct Habit {
    pub name: &'static str,
    by: By,
    /// Seconds between two visits; 0 is never.
    pub every: i64,
    /// Each visit in another lane; else one in each.
    in_turn: bool,
    /// A wrong code before the right one.
    pub slips: bool,
    /// Once a month the thief sets the clock by an hour, when it likes.
    pub clock: bool,
}

const DAILY: Habit = Habit { name: "daily at nine", by: By::App, every: DAY, in_turn: false, slips: false, clock: false };

pub const HABITS: [Habit; 11] = [
    Habit { name: "away", every: 0, ..DAILY },
    DAILY,
    Habit { name: "ten times a day", every: DAY / 10, ..DAILY },
    Habit { name: "every five minutes", every: 5 * MINUTE, ..DAILY },
    Habit { name: "weekly", every: 7 * DAY, ..DAILY },
    Habit { name: "recovery codes alone", by: By::Recovery, ..DAILY },
    Habit { name: "daily, a wrong code first", slips: true, ..DAILY },
    Habit { name: "daily, lanes in turn", in_turn: true, ..DAILY },
    Habit { name: "daily, replacing if stopped", by: By::AppOrReplacing, ..DAILY },
    Habit { name: "daily, clock set", clock: true, ..DAILY },
    Habit { name: "hourly, clock set", every: HOUR, clock: true, ..DAILY },
];

impl Habit {
    /// The visits in that lane, all before `end`: a minute lies between two lanes, so that each has a step of its own.
    pub fn visits(&self, lane: Lane, end: i64) -> Vec<i64> {
        if self.every == 0 {
            return Vec::new();
        }
        let place = match lane {
            Lane::Remote => 0,
            Lane::Local => 1,
            Lane::Own => 2,
        };
        let first = START + 9 * HOUR + place * if self.in_turn { self.every } else { MINUTE };
        let every = if self.in_turn { 3 * self.every } else { self.every };
        (0..).map(|visit| first + visit * every).take_while(|time| *time < end).collect()
    }

    pub fn by(&self) -> By {
        self.by
    }

    /// Whether visits end a streak.
    pub fn clears(&self) -> bool {
        self.every > 0 && self.by != By::Recovery
    }

    /// A visit, as far as the counters are concerned.
    pub fn visit(&self, throttle: Throttle, lane: Lane, now: i64) -> Throttle {
        let is_open = |throttle: &Throttle| throttle.gate(lane, now) == Gate::Open;
        if self.by == By::Recovery {
            return throttle;
        }
        let throttle = if self.slips && is_open(&throttle) { throttle.failed(lane, now) } else { throttle };
        match throttle.gate(lane, now) {
            Gate::Open => throttle.succeeded(lane),
            Gate::Stopped { .. } if self.by == By::AppOrReplacing => throttle.streaks_ended(),
            Gate::Stopped { .. } | Gate::Waiting { .. } | Gate::Spent { .. } => throttle,
        }
    }
}
