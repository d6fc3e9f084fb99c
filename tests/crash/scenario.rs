//! What is tried: who comes, what may befall them, and which rule is left out.
#![forbid(unsafe_code)]

use crate::people::{Habit, Program};
use crate::state::Budget;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    Enrolled,
    /// No file at all.
    New,
    /// Reset: a journal and no record.
    Gone,
    /// A record, and no journal.
    Lost,
    /// A record, and a journal of two bad slots.
    Bad,
    /// The record's floor lies just past the step whose code confirmed the enrollment: the next one.
    Confirmed,
    /// A clock once ahead has left a floor far away: in the journal, in the record, in both, in the record beside a
    /// journal of two bad slots.
    LastAhead,
    NotBeforeAhead,
    BothAhead,
    BadAndAhead,
}

/// A rule that the checker's disk breaks. The first eight are the numbered rules of `src/store/mod.rs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// The lock is had by everybody.
    Lock,
    /// A write to the journal stays in the page cache.
    Sync,
    /// The line goes to the newest slot.
    Older,
    /// The write after a failed one is dropped.
    Rollback,
    /// A login finds `last` at 0 in a journal that names another set.
    Floor,
    /// A login finds its record's set named beside another set's marks.
    Set,
    /// The folder's sync at a login does nothing.
    Folder,
    /// A login's second slot is dropped.
    Both,
    /// The lock's name is always said to lead to the locked file.
    Check,
    /// A new journal's sync does nothing.
    NewSync,
    /// The folder's sync before a commit's record does nothing.
    CommitFolder,
    /// The folder's sync after a commit's or a reset's record does nothing.
    Answer,
    /// The folder's sync of an unlock that finds a good journal does nothing.
    Again,
    /// A reset's slot is dropped where no record stood.
    Slot,
    /// A stale new file is not removed.
    Unlink,
    /// Enroll's last slot is dropped.
    Column,
    /// The column is set as soon as the record is renamed.
    Late,
    /// A login leaves the column as it was.
    Login,
    /// Enroll's beginning sees no record.
    NoRecord,
    /// The folder's sync before a journal is made does nothing.
    First,
    /// A journal made anew beside no record has the column cleared.
    Anew,
    /// Enroll's beginning finds the column cleared.
    Lost,
    /// The slot of a change that sets the column is dropped.
    Flow,
    /// An unlock's journal forgets `last` instead of keeping what the window holds used.
    Window,
    /// An unlock's record keeps the floor of the one before.
    NotBefore,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    pub processes: Vec<Program>,
    pub start: Start,
    pub budget: Budget,
    /// The clock's first and last step.
    pub steps: (u8, u8),
    pub habit: Habit,
    pub without: Option<Rule>,
    /// Only recovery codes are checked: what a flipped bit and the gap leave of the promises.
    pub only_recovery: bool,
    /// A kill may part a failed write and its rollback.
    pub gap: bool,
    /// Hands do their damage while processes are under way.
    pub anytime: bool,
    /// Only "accepted twice" is checked.
    pub only_twice: bool,
    /// Reads may fail too.
    pub reads_fail: bool,
    /// Every system call is a step of its own, where else calls that nobody can tell apart are one.
    pub fine: bool,
    /// The key of an accepted code holds its record's set: the same secret in another record is another.
    pub by_record: bool,
    /// Bits flip only when no code of the last login can be right any more: ninety seconds later.
    pub flips_later: bool,
    pub expected: Expected,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    NoViolation,
    Violation,
}

impl Scenario {
    pub fn new(name: &str, processes: &[Program]) -> Self {
        Self {
            name: name.to_owned(),
            processes: processes.to_vec(),
            start: Start::Enrolled,
            budget: Budget { kills: 1, cuts: 1, ..Budget::default() },
            steps: (6, 6),
            habit: Habit::Right,
            without: None,
            only_recovery: false,
            gap: false,
            anytime: false,
            only_twice: false,
            reads_fail: false,
            fine: false,
            by_record: false,
            flips_later: false,
            expected: Expected::NoViolation,
        }
    }

    /// From another moment; codes are told apart by their records.
    pub fn from(self, start: Start) -> Self {
        Self { start, by_record: true, ..self }
    }

    pub fn steps(self, first: u8, last: u8) -> Self {
        Self { steps: (first, last), ..self }
    }

    /// That many kills, power cuts and failed writes.
    pub fn faults(self, kills: u8, cuts: u8, errors: u8) -> Self {
        Self { budget: Budget { kills, cuts, errors, ..self.budget }, ..self }
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn without(rule: Rule, processes: &[Program]) -> Self {
        let name = format!("without rule: {}", format!("{rule:?}").to_lowercase());
        Self { without: Some(rule), expected: Expected::Violation, ..Self::new(&name, processes) }
    }

    pub fn habit(habit: Habit, name: &str, processes: &[Program]) -> Self {
        Self { habit, expected: Expected::Violation, ..Self::new(&format!("without rule: {name}"), processes) }
    }

    /// A bit for each code, and where codes are told apart by records, for each record's set (the first is 1, an enrollment's 20 and more).
    pub fn key(&self, program: Program, set: u8) -> u128 {
        let place = self.processes.iter().position(|other| *other == program).unwrap_or(0);
        let set = if self.by_record && matches!(program, Program::Login { .. }) { usize::from(set.saturating_sub(18)) } else { 0 };
        1 << (place * 10 + set)
    }
}
