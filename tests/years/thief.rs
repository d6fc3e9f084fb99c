//! The thief's best response: it knows counters, clock and every visit in advance, and chooses how many guesses it makes
//! between two visits.
//!
//! **Why this is all of them.** A guess made earlier is never worse: its wait ends earlier, and the bucket begins to drain
//! earlier. So between two visits only the number counts. **Which states are dropped**: one that another beats in streak,
//! end of the wait, and guesses, where a guess already made is worth one that there is still room for (whoever has made
//! it can leave out the next of any plan and has then the same bucket, or an emptier one, and no longer streak). The lanes
//! touch each other in one place, at a hundred consecutive failures, and only to close: so what is best in each lane is
//! best in all. `random` assumes none of this.
#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::HashMap;

use countersign::rules::throttle::{Gate, Lane, Throttle};

use crate::habits::{HOUR, Habit, START};

/// When the lane next opens, not before `now` and not after `latest`.
pub fn opening(throttle: &Throttle, lane: Lane, now: i64, latest: i64) -> Option<i64> {
    let mut time = now;
    while time <= latest {
        match throttle.gate(lane, time) {
            Gate::Open => return Some(time),
            Gate::Waiting { until } | Gate::Spent { until } => time = until.max(time + 1),
            Gate::Stopped { .. } => return None,
        }
    }
    None
}

/// How many guesses before each visit, and after the last.
pub type Plan = Vec<u8>;

#[derive(Clone, Copy)]
struct State {
    throttle: Throttle,
    guesses: u32,
    /// The way here: the place of its last stretch in the trail.
    trail: u32,
    /// Of the stretch that leads here.
    made: u8,
}

/// As far as it matters from a moment on.
struct Standing {
    streak: u16,
    opens: i64,
    /// The bucket in seconds of draining.
    level: i64,
    guesses: i64,
}

const DRAIN: i64 = 6 * HOUR;

impl State {
    fn at(&self, lane: Lane, now: i64) -> Standing {
        let count = self.throttle.of(lane);
        let opens = if let Gate::Waiting { until } = self.throttle.gate(lane, now) { until } else { now };
        let level = (i64::from(count.bucket) * DRAIN - (now - count.drained_at)).max(0);
        Standing { streak: count.streak, opens, level, guesses: self.guesses.into() }
    }
}

impl Standing {
    fn beats(&self, other: &Self) -> bool {
        let more = self.guesses - other.guesses;
        self.streak <= other.streak && self.opens <= other.opens && more >= 0 && more * DRAIN >= self.level - other.level
    }
}

/// The plan that gets most guesses looked at until `end`.
pub fn best(habit: &Habit, lane: Lane, end: i64) -> Plan {
    let mut trail: Vec<(u32, u8)> = vec![(0, 0)];
    let mut front = vec![State { throttle: Throttle::default(), guesses: 0, trail: 0, made: 0 }];
    let visits = habit.visits(lane, end);
    let mut from = START;
    for visit in visits.iter().copied().map(Some).chain([None]) {
        let to = visit.unwrap_or(end);
        let mut next: Vec<(State, Standing)> = Vec::new();
        for state in &front {
            for reached in stretch(*state, lane, from, to) {
                let throttle = if visit.is_some() { habit.visit(reached.throttle, lane, to) } else { reached.throttle };
                let reached = State { throttle, ..reached };
                let standing = reached.at(lane, to);
                if !next.iter().any(|(_, other)| other.beats(&standing)) {
                    next.retain(|(_, other)| !standing.beats(other));
                    next.push((reached, standing));
                }
            }
        }
        next.sort_by_key(|(state, _)| Reverse(state.guesses)); // who has guessed more comes first, and stays where two are alike
        front = next.into_iter().map(|(state, _)| noted(state, &mut trail)).collect();
        from = to;
    }
    let best = front.into_iter().max_by_key(|state| state.guesses).unwrap();
    read_back(&trail, best.trail, visits.len() + 1)
}

/// None, one, two ... guesses, each as soon as the lane opens.
fn stretch(state: State, lane: Lane, from: i64, to: i64) -> impl Iterator<Item = State> {
    let first = (State { made: 0, ..state }, from);
    std::iter::successors(Some(first), move |(state, now)| {
        let now = opening(&state.throttle, lane, *now, to)?;
        let throttle = state.throttle.failed(lane, now);
        Some((State { throttle, guesses: state.guesses + 1, made: state.made + 1, ..*state }, now))
    })
    .map(|(state, _)| state)
}

fn noted(state: State, trail: &mut Vec<(u32, u8)>) -> State {
    let place = u32::try_from(trail.len()).unwrap();
    trail.push((state.trail, state.made));
    State { trail: place, ..state }
}

fn read_back(trail: &[(u32, u8)], last: u32, stretches: usize) -> Plan {
    let mut plan = vec![0; stretches];
    let mut place = last;
    for made in plan.iter_mut().rev() {
        (place, *made) = trail[usize::try_from(place).unwrap()];
    }
    plan
}

/// The times of the guesses of a plan, each of which must be looked at.
pub fn times(plan: &Plan, habit: &Habit, lane: Lane, end: i64) -> Vec<i64> {
    let (mut throttle, mut now, mut times) = (Throttle::default(), START, Vec::new());
    let visits = habit.visits(lane, end);
    for (made, visit) in plan.iter().zip(visits.iter().copied().map(Some).chain([None])) {
        for _ in 0..*made {
            now = opening(&throttle, lane, now, visit.unwrap_or(end)).unwrap();
            throttle = throttle.failed(lane, now);
            times.push(now);
        }
        if let Some(visit) = visit {
            throttle = habit.visit(throttle, lane, visit);
            now = visit;
        }
    }
    times
}

/// The times of the guesses of a thief that acts on a whim: it holds back, rushes, waits, by a mood that changes between
/// visits.
pub fn random(seed: u64, habit: &Habit, lane: Lane, end: i64) -> Vec<i64> {
    let (mut dice, mut throttle, mut now, mut times) = (Dice(seed), Throttle::default(), START, Vec::new());
    let visits = habit.visits(lane, end);
    for visit in visits.iter().copied().map(Some).chain([None]) {
        let to = visit.unwrap_or(end);
        let mood = usize::try_from(dice.below(4)).unwrap();
        let (most, patience) = (dice.below([1, 5, 12, 64][mood]), dice.below(3));
        let careful = habit.clears() && (seed.is_multiple_of(2) || dice.below(4) > 0);
        for _ in 0..most {
            let rest = if patience == 0 { dice.below(2 * HOUR) } else { 0 };
            let Some(time) = opening(&throttle, lane, now + rest, to) else { break };
            let next = throttle.failed(lane, time);
            if careful && visit.is_some() && habit.visit(next, lane, to).of(lane).streak > 0 {
                break;
            }
            (throttle, now) = (next, time);
            times.push(time);
        }
        if visit.is_some() {
            throttle = habit.visit(throttle, lane, to);
        }
        now = to;
    }
    times
}

/// The most guesses of all thieves who act at the full hours alone: none, one or more at each, every state kept.
pub fn hourly(habit: &Habit, lane: Lane, end: i64) -> usize {
    let mut front = HashMap::from([(key(&Throttle::default(), lane), (Throttle::default(), 0))]);
    let mut visits = habit.visits(lane, end).into_iter().peekable();
    for hour in (START..=end).step_by(3600) {
        let mut next: HashMap<Key, (Throttle, usize)> = HashMap::new();
        let due: Vec<i64> = std::iter::from_fn(|| visits.next_if(|visit| *visit < hour)).collect();
        for (throttle, guesses) in front.into_values() {
            let before = due.iter().fold(throttle, |throttle, visit| habit.visit(throttle, lane, *visit));
            let guessed = std::iter::successors(Some((before, guesses)), |(throttle, guesses)| {
                let is_open = throttle.gate(lane, hour) == Gate::Open;
                is_open.then(|| (throttle.failed(lane, hour), guesses + 1))
            });
            for (throttle, guesses) in guessed {
                let most = next.entry(key(&throttle, lane)).or_insert((throttle, guesses));
                most.1 = most.1.max(guesses);
            }
        }
        front = next;
    }
    front.into_values().map(|(_, guesses)| guesses).max().unwrap()
}

type Key = (u16, i64, u16, i64);

fn key(throttle: &Throttle, lane: Lane) -> Key {
    let count = throttle.of(lane);
    (count.streak, count.last_failure, count.bucket, count.drained_at)
}

/// The same numbers for the same seed (xorshift64*).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        i64::try_from((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % u64::try_from(limit).unwrap()).unwrap()
    }
}
