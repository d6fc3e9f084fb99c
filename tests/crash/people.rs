//! Who comes to the store: logins, flows, root's commands, as the shipped code makes them. Each is one call chain from
//! its first look at the disk to its answer.
#![forbid(unsafe_code)]

use countersign::rules::code::{Digits, Slot, Typed};
use countersign::rules::journal::Source;
use countersign::rules::judge::Finding;
use countersign::rules::record::{Record, RecordId};
use countersign::rules::throttle::Lane;
use countersign::store::{Ahead, Anew, Began, Locked, NotCommitted, Rewritten, Store, Trouble, Unlocked};
use countersign::verify::{Checked, Question, verify};

use crate::disk::Sim;
use crate::records::{RESCUE_SLOTS, UID, changed, code_of, fresh_record, recovery_code, rescue_code, with_rescue_code};

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
    /// `rescue`: one more code of the set, at the first symbol that is free.
    Rescue(u8),
    /// A login by the rescue code that `Rescue(who)` gave out, if it did so at that symbol.
    Rescued {
        who: u8,
        slot: u8,
    },
    /// `remove`: of two authenticators the first goes.
    Remove(u8),
    /// `adopt`: another name.
    Adopt(u8),
    Disable(u8),
    /// Number 1 also brings a floor ahead down.
    Reset(u8),
    Unlock(u8),
    /// `unlock` where root says that the clock is right: a floor ahead comes down.
    BringDown(u8),
    /// The look at the record before a prompt, without the lock.
    Look,
}

impl Program {
    pub fn is_login(self) -> bool {
        self.is_recovery() || matches!(self, Self::Login { .. } | Self::Wrong)
    }

    /// A login by a recovery code, or a rescue code.
    pub fn is_recovery(self) -> bool {
        matches!(self, Self::Recovery { .. } | Self::Rescued { .. })
    }

    pub fn is_flow(self) -> bool {
        self.is_change() || matches!(self, Self::Enroll { .. } | Self::Disable(_))
    }

    /// A flow that puts another record in the place of one.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Add(_) | Self::Renew(_) | Self::Replace(_) | Self::Rescue(_) | Self::Remove(_) | Self::Adopt(_))
    }

    pub fn is_unlock(self) -> bool {
        matches!(self, Self::Unlock(_) | Self::BringDown(_))
    }

    /// What takes the record away.
    pub fn is_removal(self) -> bool {
        matches!(self, Self::Reset(_) | Self::Disable(_))
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
    /// A rescue code at the symbol of the one that it replaces.
    SameSymbol,
    /// A rescue code is committed as any other change.
    ForgetsMarks,
    /// A rescue code at a symbol that is spent.
    ReusesSymbol,
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
    /// No symbol is free for a rescue code.
    Full,
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
        Program::Rescued { who, slot } => login(store, Typed::Recovery(rescue_code(who, slot))),
        Program::Wrong => login(store, Typed::Digits(Digits::new(b"00000000").unwrap())),
        Program::Add(_) | Program::Renew(_) | Program::Replace(_) => change(program, habit, store),
        Program::Rescue(_) | Program::Remove(_) | Program::Adopt(_) => change(program, habit, store),
        Program::Enroll { who, from } => enroll(who, from, habit, store),
        Program::Reset(who) => reset(who, habit, store),
        Program::Disable(_) => disable(habit, store),
        Program::Unlock(who) => unlock(who, Ahead::Keep, habit, store),
        Program::BringDown(who) => unlock(who, Ahead::BringDown, habit, store),
        Program::Look => store.is_enrolled(UID).map(Outcome::Enrolled).map_err(Outcome::from),
    };
    ended.unwrap_or_else(|refused| refused)
}

fn login(store: &Store<Sim>, typed: Typed) -> Result<Outcome, Outcome> {
    let question =
        Question { uid: UID, names: &["alice", "alicia"], lane: Lane::Local, from: Source::default(), window: 1, shows_notices: false };
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
    let (record, slot) = {
        let locked = store.lock(UID)?;
        let record = locked.record()?.ok_or(Trouble::NotEnrolled)?;
        let slot = match program {
            Program::Rescue(_) => Some(free_symbol(&locked, &record, habit)?),
            _ => None,
        };
        store.disk().begun();
        (record, slot)
    };
    let id = record.id;
    let next = match (program, slot) {
        (Program::Rescue(who), Some(slot)) => with_rescue_code(record, who, slot),
        _ => changed(record, program).ok_or(Outcome::Refused(Kind::Other))?,
    };
    let locked = store.lock(UID)?;
    let began = if habit == Habit::ForgetsBegin { as_it_stands(&locked)? } else { Began::With(id) };
    match (program, slot) {
        (Program::Replace(_), _) => locked.commit_and_end_streaks(began, &next)?,
        (Program::Rescue(_), Some(slot)) if habit != Habit::ForgetsMarks => locked.commit_rescue(id, &next, slot)?,
        _ => locked.commit(began, &next)?,
    }
    Ok(Outcome::Done)
}

/// The first of the two symbols here that no spent code of this set has, nor the code that is replaced: a crash may bring
/// that one back, and what this one's use has marked by then must not be its symbol.
fn free_symbol(locked: &Locked<'_, Sim>, record: &Record, habit: Habit) -> Result<Slot, Outcome> {
    let journal = locked.journal()?.ok_or(Outcome::Refused(Kind::NoJournal))?;
    let is_spent = |slot: &Slot| habit != Habit::ReusesSymbol && journal.is_spent(record.recovery.id, *slot);
    let takes_same = matches!(habit, Habit::SameSymbol | Habit::ReusesSymbol);
    let stands = |slot: &Slot| !takes_same && record.recovery.codes.iter().any(|code| code.slot == *slot);
    let is_free = |slot: &Slot| !is_spent(slot) && !stands(slot);
    RESCUE_SLOTS.into_iter().filter_map(Slot::new).find(is_free).ok_or(Outcome::Refused(Kind::Full))
}

fn disable(habit: Habit, store: &Store<Sim>) -> Result<Outcome, Outcome> {
    let began = {
        let locked = store.lock(UID)?;
        let began = locked.record()?.ok_or(Trouble::NotEnrolled)?.id;
        store.disk().begun();
        began
    };
    let locked = store.lock(UID)?;
    let began = match as_it_stands(&locked) {
        Ok(Began::With(id)) if habit == Habit::ForgetsBegin => id,
        _ => began,
    };
    locked.disable(began)?;
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

fn unlock(who: u8, ahead: Ahead, habit: Habit, store: &Store<Sim>) -> Result<Outcome, Outcome> {
    let early = (habit == Habit::EarlyClock).then(|| store.disk().clock());
    let locked = store.lock(UID)?;
    let anew = Anew { sequence: sequence(who, 3, habit), now: early.unwrap_or_else(|| store.disk().clock()) };
    if ahead == Ahead::BringDown {
        store.disk().begun();
    }
    let rewritten = Rewritten { id: RecordId(400 + u128::from(who)), by: "root" };
    match locked.unlock(anew, ahead, rewritten)? {
        Unlocked::NothingThere => Ok(Outcome::NothingThere),
        Unlocked::Cleared => Ok(Outcome::Done),
        Unlocked::Anew => Ok(Outcome::Anew),
    }
}

/// The "random" sequence of a journal made anew.
fn sequence(who: u8, kind: u64, habit: Habit) -> u64 {
    if habit == Habit::SameSequence { 1 } else { (1 + u64::from(who)) * 100_000 + kind * 1000 }
}
