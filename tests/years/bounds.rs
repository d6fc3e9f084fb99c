//! What is promised, in figures of its own: none is taken from the rules.
#![forbid(unsafe_code)]

use countersign::rules::throttle::Lane;

use crate::habits::{DAY, YEAR};

/// Three steps are open to a guess of six digits; summed up over the guesses, whatever they depend on.
const RIGHT: f64 = 3e-6;

/// How many guesses are looked at in that lane, at most, so long after the start by the clock.
pub fn admitted(lane: Lane, clears: bool, elapsed: i64) -> usize {
    if clears {
        return 60 + usize::try_from(elapsed * 4 / DAY).unwrap();
    }
    if lane == Lane::Own { 20 } else { 40 }
}

/// Consecutive failures of all lanes.
pub const CONSECUTIVE: u16 = 100;

pub fn probability(guesses: usize) -> f64 {
    f64::from(u32::try_from(guesses).unwrap()) * RIGHT
}

/// The largest probability in that many lanes: away over all time, else in a year.
pub fn largest(clears: bool, lanes: usize) -> f64 {
    match (clears, lanes) {
        (true, _) => 0.005,
        (false, 1) => 1.2e-4,
        (false, _) => 3e-4,
    }
}

/// The most guesses of a year, of these in order of time.
pub fn worst_year(times: &[i64]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, time) in times.iter().enumerate() {
        while times[first] <= time - YEAR {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

/// The shortest time that so many failures in a row take: what is waited before each.
pub fn shortest(failures: usize) -> i64 {
    let waits = [0, 0, 0, 0, 0, 60, 120, 240, 480, 960, 1920];
    (0..failures).map(|failure| waits.get(failure).copied().unwrap_or(3600)).sum()
}
