//! What came of it: a line for each habit and lane, what was not as promised, and how much was tried.
#![forbid(unsafe_code)]

use std::fmt::Write;

use countersign::rules::throttle::Lane;

use crate::bounds;
use crate::habits::{DAY, Habit, START, YEAR};
use crate::play::Played;

pub struct Table {
    text: String,
    violations: Vec<String>,
    cases: usize,
}

impl Table {
    pub fn new(title: &str) -> Self {
        let mut text = format!("\n{title}\n");
        let _ = writeln!(
            text,
            "  {:27} {:7}{:>6}{:>9}{:>9}{:>8}{:>13}   {:>7}{:>9}{:>9}{:>9}{:>8}",
            "habit", "lane", "years", "guesses", "bound", "margin", "probability", "played", "guesses", "visits", "refused", "locked",
        );
        Self { text, violations: Vec::new(), cases: 0 }
    }

    pub fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.cases += 1;
        if !holds {
            self.violations.push(otherwise());
        }
    }

    /// Every guess of a thief on the counters alone, at its time.
    pub fn within(&mut self, habit: &Habit, lane: Lane, times: &[i64]) {
        let over = (1..).zip(times).find(|(guess, time)| *guess > bounds::admitted(lane, habit.clears(), *time - START));
        self.check(over.is_none(), || format!("{}, {}: guess {over:?} over the bound", habit.name, lane.name()));
        if !habit.clears() {
            let early = (1..).zip(times).find(|(guess, time)| *time - START < bounds::shortest(*guess));
            self.check(early.is_none(), || format!("{}, {}: guess {early:?} before its wait was over", habit.name, lane.name()));
        }
    }

    /// The guesses of `elapsed` seconds, and what was played.
    pub fn row(&mut self, habit: &Habit, lanes: &[Lane], elapsed: i64, times: &[Vec<i64>], played: &Played) {
        let name = if let [lane] = lanes { lane.name() } else { "all" };
        let guesses: usize = times.iter().map(Vec::len).sum();
        let bound: usize = lanes.iter().map(|lane| bounds::admitted(*lane, habit.clears(), elapsed)).sum();
        self.check(guesses <= bound, || format!("{}, {name}: {guesses} guesses, at most {bound}", habit.name));
        let probability = self.probable(habit, name, times);
        let margin = i64::try_from(bound).unwrap() - i64::try_from(guesses).unwrap();
        let _ = writeln!(
            self.text,
            "  {:27} {name:7}{:>6.1}{guesses:>9}{bound:>9}{margin:>8}{probability:>13}   {:>6}d{:>9}{:>9}{:>9}{:>8}",
            habit.name,
            years(elapsed),
            played.elapsed / DAY,
            played.guesses(),
            played.visits,
            played.refused,
            played.locked_out,
        );
        self.cases += played.guesses() + played.visits;
        self.violations.extend(played.violations.iter().map(|violation| format!("{}, {name}: {violation}", habit.name)));
    }

    /// Away: over all lanes and all time. Else of the worst year, and of the worst lane.
    fn probable(&mut self, habit: &Habit, name: &str, times: &[Vec<i64>]) -> String {
        let of = |guesses: usize| bounds::probability(guesses);
        let (probability, words) = if habit.clears() {
            let worst = of(times.iter().map(|times| bounds::worst_year(times)).max().unwrap());
            (worst, format!("{:.3} %/yr", worst * 100.0))
        } else {
            let whole = of(times.iter().map(Vec::len).sum());
            (whole, format!("{whole:.1e}"))
        };
        let largest = bounds::largest(habit.clears(), times.len());
        self.check(probability <= largest + 1e-12, || format!("{}, {name}: probability {probability}, at most {largest}", habit.name));
        words
    }

    pub fn is_broken(&self) -> bool {
        !self.violations.is_empty()
    }

    pub fn end(self) {
        println!("{}  cases {}", self.text, self.cases);
        for violation in self.violations.iter().take(20) {
            println!("  {violation}");
        }
        println!("VIOLATIONS {}", self.violations.len());
        assert!(self.cases > 0, "nothing was tried");
        assert!(self.violations.is_empty());
    }
}

fn years(seconds: i64) -> f64 {
    f64::from(u32::try_from(seconds / DAY).unwrap()) / f64::from(u32::try_from(YEAR / DAY).unwrap())
}
