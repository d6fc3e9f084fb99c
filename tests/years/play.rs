//! Years at a machine: the thief's guesses and the person's visits in order of time, by the shipped verdicts.
#![forbid(unsafe_code)]

use countersign::rules::judge::Finding;
use countersign::rules::throttle::{Gate, Lane, Throttle};

use crate::bounds;
use crate::habits::{By, DAY, HOUR, Habit, MINUTE, START};
use crate::machine::Machine;
use crate::thief::{Dice, Plan, opening};

/// How the thief guesses.
#[derive(Clone, Copy)]
pub enum Policy<'a> {
    /// By a plan for each lane.
    Plans(&'a [Plan]),
    /// As fast as it goes while the next visit still finds the lane open.
    Careful,
    /// As fast as it goes, with a wrong recovery code before each visit.
    Reckless,
}

/// How it sets the clock, once a month by an hour.
#[derive(Clone, Copy, Debug)]
pub enum Setting {
    Never,
    Forward,
    /// Right after a visit: the step just used then lies ahead.
    Back,
    InTurn,
    Whim(u64),
}

#[derive(Default)]
pub struct Played {
    /// When guesses were looked at, by lane.
    pub times: Vec<Vec<i64>>,
    pub visits: usize,
    /// Visits at which the app's code was refused.
    pub refused: usize,
    /// Visits at which the recovery code was refused too.
    pub locked_out: usize,
    /// Seconds on the machine's clock that the thief had: those it set it forward too.
    pub elapsed: i64,
    pub violations: Vec<String>,
}

impl Played {
    pub fn guesses(&self) -> usize {
        self.times.iter().map(Vec::len).sum()
    }
}

pub fn play(habit: &Habit, lanes: &[Lane], policy: Policy<'_>, setting: Setting, end: i64) -> Played {
    let fronts = lanes.iter().enumerate().map(|(place, lane)| {
        let mut left: Vec<u8> = if let Policy::Plans(plans) = policy { plans[place].clone() } else { Vec::new() };
        left.reverse();
        let visits = habit.visits(*lane, end).into_iter();
        let mut front = Front { lane: *lane, visits, visit: None, plan: left, left: 0, not_before: START, failures: 0 };
        front.turn();
        front
    });
    let played = Played { times: vec![Vec::new(); lanes.len()], ..Played::default() };
    let clock = Clock { setting, dice: Dice(if let Setting::Whim(seed) = setting { seed } else { 1 }), ahead: 0, forward: 0, next: START };
    let mut game =
        Game { habit, policy, end, clock, fronts: fronts.collect(), machine: Machine::new(), throttle: Throttle::default(), played };
    while game.goes_on() {}
    Played { elapsed: end - START + game.clock.forward, ..game.played }
}

/// The thief at one lane, and its visits.
struct Front {
    lane: Lane,
    visits: std::vec::IntoIter<i64>,
    visit: Option<i64>,
    /// Backwards.
    plan: Plan,
    left: u8,
    not_before: i64,
    /// The person's too.
    failures: usize,
}

impl Front {
    fn turn(&mut self) {
        self.visit = self.visits.next();
        self.left = self.plan.pop().unwrap_or(0);
    }
}

/// What the machine's clock is ahead of the time that passes.
struct Clock {
    setting: Setting,
    dice: Dice,
    ahead: i64,
    /// All that it was set forward.
    forward: i64,
    next: i64,
}

impl Clock {
    /// After each event.
    fn perhaps_set(&mut self, time: i64, after_visit: bool) {
        if time < self.next {
            return;
        }
        let month = (time - START) / (30 * DAY);
        let by = match self.setting {
            Setting::Never => 0,
            Setting::Forward => HOUR,
            Setting::Back if after_visit => -HOUR,
            Setting::InTurn if month % 2 == 0 => HOUR,
            Setting::InTurn if after_visit => -HOUR,
            Setting::Whim(_) if self.dice.below(30) == 0 => HOUR * (2 * self.dice.below(2) - 1),
            Setting::Back | Setting::InTurn | Setting::Whim(_) => 0,
        };
        if by != 0 {
            self.next = START + (month + 1) * 30 * DAY;
            self.ahead += by;
            self.forward += by.max(0);
        }
    }
}

struct Game<'a> {
    habit: &'a Habit,
    policy: Policy<'a>,
    end: i64,
    clock: Clock,
    fronts: Vec<Front>,
    machine: Machine,
    /// As the journal has it now.
    throttle: Throttle,
    played: Played,
}

impl Game<'_> {
    /// The next guess or visit; a guess comes before a visit of the same second.
    fn goes_on(&mut self) -> bool {
        if self.played.violations.len() >= 100 {
            return false;
        }
        let guesses = (0..self.fronts.len()).filter_map(|place| Some((self.next_guess(&self.fronts[place])?, false, place)));
        let visits = (0..self.fronts.len()).filter_map(|place| Some((self.fronts[place].visit?, true, place)));
        let Some((time, is_visit, place)) = guesses.chain(visits).min() else { return false };
        if is_visit {
            self.visit(place, time)
        } else {
            self.guess(place, time)
        }
        self.clock.perhaps_set(time, is_visit);
        self.throttle = self.machine.throttle();
        let consecutive: u16 = Lane::ALL.iter().map(|lane| self.throttle.of(*lane).streak).sum();
        if consecutive > bounds::CONSECUTIVE {
            self.played.violations.push(format!("{consecutive} failures in a row at {time}"));
        }
        true
    }

    fn next_guess(&self, front: &Front) -> Option<i64> {
        let to = front.visit.unwrap_or(self.end);
        let (ahead, throttle) = (self.clock.ahead, &self.throttle);
        if matches!(self.policy, Policy::Plans(_)) && front.left == 0 {
            return None;
        }
        let now = opening(throttle, front.lane, front.not_before + ahead, to + ahead)?;
        if matches!(self.policy, Policy::Careful) && front.visit.is_some() {
            opening(&throttle.failed(front.lane, now), front.lane, to + ahead, to + ahead)?;
        }
        Some(now - ahead)
    }

    fn guess(&mut self, place: usize, time: i64) {
        let front = &mut self.fronts[place];
        front.not_before = time;
        match self.machine.guess(front.lane, time + self.clock.ahead) {
            Finding::Wrong(_) => {
                front.left = front.left.saturating_sub(1);
                self.played.times[place].push(time);
                self.failed(place, time);
            }
            Finding::ClockBehind => front.not_before = time + MINUTE,
            finding => self.played.violations.push(format!("a guess at {time}: {}", name(&finding))),
        }
    }

    fn failed(&mut self, place: usize, time: i64) {
        let front = &mut self.fronts[place];
        front.failures += 1;
        let bound = bounds::admitted(front.lane, self.habit.clears(), time - START + self.clock.forward);
        if front.failures > bound {
            self.played.violations.push(format!("{:?}: failure {} at {time}, at most {bound}", front.lane, front.failures));
        }
    }

    fn visit(&mut self, place: usize, time: i64) {
        let (lane, now) = (self.fronts[place].lane, time + self.clock.ahead);
        self.fronts[place].not_before = time;
        self.fronts[place].turn();
        self.played.visits += 1;
        if matches!(self.policy, Policy::Reckless) && !matches!(self.machine.wrong_recovery(lane, now), Finding::Wrong(_)) {
            self.played.violations.push(format!("a wrong recovery code at {time}"));
        }
        if self.habit.slips && matches!(self.machine.guess(lane, now), Finding::Wrong(_)) {
            self.failed(place, time);
        }
        if self.habit.by() == By::Recovery {
            return self.recovers(lane, now);
        }
        let found = self.machine.app(lane, now);
        if matches!(found, Finding::Accepted(_)) {
            return;
        }
        self.played.refused += 1;
        self.recovers(lane, now);
        if self.habit.by() == By::AppOrReplacing && matches!(found, Finding::Stopped { .. }) {
            self.recovers(lane, now);
            self.machine.replace();
            if matches!(self.machine.throttle().gate(lane, now), Gate::Stopped { .. }) {
                self.played.violations.push(format!("stopped after replacing at {time}"));
            }
        }
    }

    /// The first recovery code opens, whatever the thief has done.
    fn recovers(&mut self, lane: Lane, now: i64) {
        let found = self.machine.recovery(lane, now);
        if !matches!(found, Finding::Accepted(_)) {
            self.played.locked_out += 1;
            self.played.violations.push(format!("locked out at {now}: {}", name(&found)));
        }
    }
}

fn name(finding: &Finding) -> &'static str {
    match finding {
        Finding::Accepted(_) => "accepted",
        Finding::Wrong(_) => "wrong",
        Finding::Replay(_) => "replay",
        Finding::Waiting { .. } => "waiting",
        Finding::Spent { .. } => "spent",
        Finding::Stopped { .. } => "stopped",
        Finding::ClockBehind => "clock behind",
    }
}
