//! The half of a login that knows no PAM: an answer -> a settled verdict, over the store. Module, tool and flows share
//! it.
//!
//! Lock, clock, record, journal, judge, write, unlock; then the verdict. Every unforeseen end is a refusal.
#![forbid(unsafe_code)]

use crate::rules::code::Typed;
use crate::rules::journal::Source;
use crate::rules::judge::{self, Attempt, Guess, Verdict};
use crate::rules::throttle::Lane;
use crate::store::{Disk, Locked, Store, Trouble};
use crate::sys;

/// Whose code it is, and how it came.
pub struct Question<'a> {
    pub uid: u32,
    /// The canonical name, and the recorded one where that is known to be the same account's.
    pub names: &'a [&'a str],
    pub lane: Lane,
    pub from: Source,
    /// Steps to either side of now: 0 or 1.
    pub window: u8,
    pub shows_notices: bool,
}

/// What became of an answer.
#[must_use]
pub enum Checked {
    /// Settled: what follows from it is on disk.
    Settled { verdict: Verdict, bad_slot: Option<String> },
    /// The form of a recovery code with a typing error: not counted.
    Typo,
    /// No code at all: not counted.
    Malformed,
}

/// Checks an answer. The clock is read under the lock.
pub fn verify<D: Disk>(store: &Store<D>, question: &Question<'_>, typed: Typed, clock: impl Fn() -> i64) -> Result<Checked, Trouble> {
    let guess = match typed {
        Typed::Digits(digits) => Guess::Digits(digits),
        Typed::Recovery(code) => Guess::Recovery(code),
        Typed::Typo => return Ok(Checked::Typo),
        Typed::Malformed => return Ok(Checked::Malformed),
    };
    let locked = store.lock(question.uid)?;
    let now = clock();
    sys::hidden(|| judged(&locked, question, &guess, now))
}

/// From the record's secrets to the verdict; only what holds none of them leaves.
fn judged<D: Disk>(locked: &Locked<'_, D>, question: &Question<'_>, guess: &Guess, now: i64) -> Result<Checked, Trouble> {
    let standing = locked.standing()?;
    is_made_for(&standing.record.name, question.names)?;
    let bad_slot = standing.bad_slot();
    let attempt =
        Attempt { now, lane: question.lane, from: question.from.clone(), window: question.window, shows_notices: question.shows_notices };
    let ruling = judge::judge(&standing.record, standing.journal(), guess, &attempt).map_err(|_| Trouble::OutOfMemory)?;
    let verdict = standing.settle(ruling)?;
    Ok(Checked::Settled { verdict, bad_slot })
}

/// The other spelling of that account's name, if it is what the record bears: the recorded name leads to the same uid.
/// `None` leaves the trouble as it is. By now the lock is given back, so that nobody waits for a user database.
pub fn other_spelling<E>(trouble: &Trouble, uid: u32, look_up: impl FnOnce(&str) -> Result<Option<u32>, E>) -> Result<Option<String>, E> {
    let Trouble::OtherName { recorded } = trouble else { return Ok(None) };
    Ok((look_up(recorded)? == Some(uid)).then(|| recorded.clone()))
}

/// A record made for another name is another person's: a uid is used again, or an account was renamed.
pub fn is_made_for(recorded: &str, names: &[&str]) -> Result<(), Trouble> {
    if names.contains(&recorded) { Ok(()) } else { Err(Trouble::OtherName { recorded: recorded.to_owned() }) }
}
