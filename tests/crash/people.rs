//! Who comes to the store: logins, flows, root's commands, as the shipped code makes them. Each is one call chain from
//! its first look at the disk to its answer.
#![forbid(unsafe_code)]

use countersign::rules::code::{Digits, Typed};
use countersign::rules::journal::Source;
use countersign::rules::judge::Finding;
use countersign::rules::throttle::Lane;
use countersign::store::{Ahead, Anew, Began, Locked, NotCommitted, Store, Trouble, Unlocked};
use countersign::verify::{Checked, Question, verify};

use crate::disk::Sim;
use crate::records::{UID, changed, code_of, fresh_record, recovery_code};

/// What one process does. Numbers tell apart what is random outside: ids, secrets, sets, sequences.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Program {
    /// A login by the code of that secret's step.
    Login {
        secret: u8,
        step: u8,
    },
    /// A login by the recovery code of that set.
    Recovery {
        set: u8,
    },
    /// A login by a code that no secret has.
    Wrong,
    /// `enroll --add`: another authenticator, the same set.
    Add(u8),
    /// `recovery`: a new set.
    Renew(u8),
    /// `enroll --replace`: another secret, the same set, streaks ended.
    Replace(u8),
    /// `enroll`: secret 0, a set of its own; steps before `from` are refused. With one, a floor ahead is brought down
    /// too (none is: this clock only goes forward).
    Enroll {
        who: u8,
        from: u8,
    },
    /// Number 1 also brings a floor ahead down.
    Reset(u8),
    Unlock(u8),
    /// The look at the record before a prompt, without the lock.
    Look,
}

impl Program {
    pub fn is_login(self) -> bool {
        matches!(self, Self::Login { .. } | Self::Recovery { .. } | Self::Wrong)
    }

    pub fn is_flow(self) -> bool {
        matches!(self, Self::Add(_) | Self::Renew(_) | Self::Replace(_) | Self::Enroll { .. })
    }

    /// The secret that this flow brings in.
    pub fn new_secret(self) -> u8 {
        match self {
            Self::Replace(who) => 10 + who,
            _ => 0,
        }
    }

    /// The set that this flow brings in.
    pub fn new_set(self) -> u8 {
        match self {
            Self::Renew(who) => 10 + who,
            Self::Enroll { who, .. } => 20 + who,
            _ => 0,
        }
    }
}

/// How a caller of the store keeps its own part of the rules; all but `Right` leave one out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Habit {
    Right,
    /// A commit by what stands at its time, not by what stood when the flow began.
    ForgetsBegin,
    /// A journal made anew at a sequence that came before.
    SameSequence,
    /// `unlock` with the clock from before the lock.
    EarlyClock,
}

/// How it ended, as far as somebody was told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    Accepted,
    Wrong,
    Replay,
    /// Waiting, stopped, clock behind.
    NotEvaluated,
    /// A flow, a reset, an unlock: done.
    Done,
    /// `unlock` that made the journal anew.
    Anew,
    /// `unlock` where neither record nor journal stands.
    NothingThere,
    Enrolled(bool),
    /// The commit's record is in place, what should follow failed.
    Maybe,
    Refused(Kind),
}

/// A refusal's kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    BadFile,
    CantRead,
    Damaged,
    NoJournal,
    Lost,
    NotEnrolled,
    Enrolled,
    Busy,
    NotWritten(i32),
    Changed,
    Other,
}

impl From<Trouble> for Outcome {
    fn from(trouble: Trouble) -> Self {
        Self::Refused(match trouble {
            Trouble::BadFile { .. } => Kind::BadFile,
            Trouble::CantRead { .. } => Kind::CantRead,
            Trouble::Damaged { .. } => Kind::Damaged,
            Trouble::NoJournal { .. } => Kind::NoJournal,
            Trouble::Lost { .. } => Kind::Lost,
            Trouble::NotEnrolled => Kind::NotEnrolled,
            Trouble::Enrolled => Kind::Enrolled,
            Trouble::Busy { .. } => Kind::Busy,
            Trouble::NotWritten { errno, .. } => Kind::NotWritten(errno),
            Trouble::Changed => Kind::Changed,
            _ => Kind::Other,
        })
    }
}

impl From<NotCommitted> for Outcome {
    fn from(not: NotCommitted) -> Self {
        match not {
            NotCommitted::Nothing(trouble) => trouble.into(),
            NotCommitted::Maybe(_) => Self::Maybe,
        }
    }
}

/// Runs one process from its start to its end.
pub fn run(program: Program, habit: Habit, store: &Store<Sim>) -> Outcome {
    let ended = match program {
        Program::Login { secret, step } => login(store, code_of(secret, step)),
        Program::Recovery { set } => login(store, Typed::Recovery(recovery_code(set))),
        Program::Wrong => login(store, Typed::Digits(Digits::new(b"00000000").unwrap())),
        Program::Add(_) | Program::Renew(_) | Program::Replace(_) => change(program, habit, store),
        Program::Enroll { who, from } => enroll(who, from, habit, store),
        Program::Reset(who) => reset(who, habit, store),
        Program::Unlock(who) => unlock(who, habit, store),
        Program::Look => store.is_enrolled(UID).map(Outcome::Enrolled).map_err(Outcome::from),
    };
    ended.unwrap_or_else(|refused| refused)
}

fn login(store: &Store<Sim>, typed: Typed) -> Result<Outcome, Outcome> {
    let question = Question { uid: UID, names: &["alice"], lane: Lane::Local, from: Source::default(), window: 1, shows_notices: false };
    match verify(store, &question, typed, || store.disk().clock())? {
        Checked::Settled { verdict, .. } => Ok(match verdict.finding {
            Finding::Accepted(_) => Outcome::Accepted,
            Finding::Wrong(_) => Outcome::Wrong,
            Finding::Replay(_) => Outcome::Replay,
            _ => Outcome::NotEvaluated,
        }),
        Checked::Typo | Checked::Malformed => unreachable!("the checker types whole codes"),
    }
}

/// A flow that changes a record: looks, lets the person take their time, commits.
fn change(program: Program, habit: Habit, store: &Store<Sim>) -> Result<Outcome, Outcome> {
    let record = {
        let locked = store.lock(UID)?;
        let record = locked.record()?.ok_or(Trouble::NotEnrolled)?;
        store.disk().begun();
        record
    };
    let locked = store.lock(UID)?;
    let began = if habit == Habit::ForgetsBegin { as_it_stands(&locked)? } else { Began::With(record.id) };
    let next = changed(record, program);
    match program {
        Program::Replace(_) => locked.commit_and_end_streaks(began, &next)?,
        _ => locked.commit(began, &next)?,
    }
    Ok(Outcome::Done)
}

fn enroll(who: u8, from: u8, habit: Habit, store: &Store<Sim>) -> Result<Outcome, Outcome> {
    let began = {
        let locked = store.lock(UID)?;
        let began = locked.begin_enrollment(sequence(who, 1, habit))?;
        store.disk().begun();
        began
    };
    let locked = store.lock(UID)?;
    let began = if habit == Habit::ForgetsBegin { as_it_stands(&locked)? } else { began };
    let record = fresh_record(20 + u128::from(who), 20 + who, from);
    match from {
        0 => locked.commit(began, &record)?,
        _ => locked.commit_and_lower_floor(began, &record, store.disk().clock())?,
    }
    Ok(Outcome::Done)
}

fn as_it_stands(locked: &Locked<'_, Sim>) -> Result<Began, Trouble> {
    Ok(match locked.record()? {
        Some(record) => Began::With(record.id),
        None => Began::None { sequence: locked.journal()?.map_or(0, |journal| journal.sequence) },
    })
}

fn reset(who: u8, habit: Habit, store: &Store<Sim>) -> Result<Outcome, Outcome> {
    let locked = store.lock(UID)?;
    let anew = Anew { sequence: sequence(who, 2, habit), now: store.disk().clock() };
    let ahead = if who == 1 { Ahead::BringDown } else { Ahead::Keep };
    let _removed = locked.reset(anew, ahead)?;
    Ok(Outcome::Done)
}

fn unlock(who: u8, habit: Habit, store: &Store<Sim>) -> Result<Outcome, Outcome> {
    let early = (habit == Habit::EarlyClock).then(|| store.disk().clock());
    let locked = store.lock(UID)?;
    let anew = Anew { sequence: sequence(who, 3, habit), now: early.unwrap_or_else(|| store.disk().clock()) };
    match locked.unlock(anew)? {
        Unlocked::NothingThere => Ok(Outcome::NothingThere),
        Unlocked::Cleared => Ok(Outcome::Done),
        Unlocked::Anew => Ok(Outcome::Anew),
    }
}

/// The "random" sequence of a journal made anew.
fn sequence(who: u8, kind: u64, habit: Habit) -> u64 {
    if habit == Habit::SameSequence { 1 } else { (1 + u64::from(who)) * 100_000 + kind * 1000 }
}
