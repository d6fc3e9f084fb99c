//! Changes of a person's second factor, over a `Dialogue` with that person: at a terminal, or (later) through the
//! service.
//!
//! - Nothing MUST be written before the last answer, but an empty journal at a first enrollment.
//! - Secrets MUST have reached the person (or the program that asked for them) before the commit.
//! - A flow MUST remember what it began with; its commit, under a lock taken anew, does nothing if that has changed.
//! - No lock MUST be held while a person thinks.
#![forbid(unsafe_code)]

mod enroll;
pub mod refusal;
mod sheet;

pub use enroll::{Enrolled, New, Options, enroll};

use zeroize::Zeroizing;

pub use crate::rules::whom::Whom;

use crate::store::{NotCommitted, Trouble};
use crate::sys::RandomFailed;

/// The person at the other end: a terminal, or (later) the service's socket.
pub trait Dialogue {
    /// Lines of text. Ends in a newline of its own.
    fn tell(&mut self, text: &str) -> Result<(), Gone>;
    /// One question, answered on the same line.
    fn ask(&mut self, question: &str, echo: bool) -> Result<Zeroizing<Vec<u8>>, Gone>;
    /// Shows a QR code of that address, or says why it can't and what to do. All of it has reached the terminal when this returns.
    fn show(&mut self, address: &str) -> Result<(), Gone>;
    /// Hands the sheet of recovery codes over. All of it has reached the terminal (or is durably in a file) when this returns.
    fn keep(&mut self, sheet: &str) -> Result<Kept, Gone>;
    /// The last word before the commit: what was made, for a program that reads it, all of it handed over when this
    /// returns; and whether the person is still there.
    fn done(&mut self, enrolled: &Enrolled) -> Result<(), Gone>;
}

/// What became of the sheet of recovery codes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kept {
    /// On the screen: one of them is asked back.
    Shown,
    /// In a file: none is asked back.
    InFile(String),
}

/// The person is no longer there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    /// Ctrl-C, Ctrl-D, SIGTERM.
    Interrupted,
    /// The terminal is closed: errno.
    Closed(i32),
    /// What was made could not be handed over on standard output: errno.
    Output(i32),
}

/// What a flow takes from outside.
pub struct World<'a> {
    /// Unix seconds.
    pub now: &'a dyn Fn() -> i64,
    pub random: &'a dyn Fn(&mut [u8]) -> Result<(), RandomFailed>,
    /// The kernel says that its clock is not synchronised.
    pub clock_unsynchronised: &'a dyn Fn() -> bool,
}

/// A flow that did not come to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub why: Why,
    /// The QR code was shown: the app may have an entry that is good for nothing.
    pub entry_shown: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// Nothing was changed.
    Gone(Gone),
    /// Nothing was changed.
    Trouble(Trouble),
    /// It may have been done.
    Maybe(Trouble),
    /// Three wrong answers; nothing was changed.
    NoRightAnswer,
    /// Codes up to then are refused here, by a clock that was once ahead or is behind now; nothing was changed.
    FloorAhead { last: i64 },
    /// The kernel gave no random bytes; nothing was changed.
    NoRandom,
}

impl From<Gone> for Why {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl From<Trouble> for Why {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<RandomFailed> for Why {
    fn from(_: RandomFailed) -> Self {
        Self::NoRandom
    }
}

impl From<NotCommitted> for Why {
    fn from(not: NotCommitted) -> Self {
        match not {
            NotCommitted::Nothing(trouble) => Self::Trouble(trouble),
            NotCommitted::Maybe(trouble) => Self::Maybe(trouble),
        }
    }
}

/// How often a person may answer one question.
const TRIES: u8 = 3;
