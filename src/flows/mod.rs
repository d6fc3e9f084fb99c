//! Changes of a person's second factor, over a `Dialogue` with that person: at a terminal, or (later) through the
//! service.
//!
//! - Nothing MUST be written before the last answer, but an empty journal at a first enrollment, and what a code that is
//!   asked for first uses up.
//! - Secrets MUST have reached the person (or the program that asked for them) before the commit.
//! - A flow MUST remember what it began with; its commit, under a lock taken anew, does nothing if that has changed.
//! - No lock MUST be held while a person thinks.
#![forbid(unsafe_code)]

mod adopt;
mod begun;
mod codes;
mod enroll;
mod new;
mod proof;
mod recovery;
pub mod refusal;
mod remove;
mod rescue;
mod sheet;

pub use adopt::{Adopted, adopt};
pub use codes::NewCodes;
pub use enroll::{Change, Enrolled, Options, enroll};
pub use new::New;
pub use proof::{Denial, Proof};
pub use recovery::recovery;
pub use remove::{Removal, disable, remove};
pub use rescue::{Issued, rescue};

use zeroize::Zeroizing;

pub use crate::rules::whom::Whom;

use crate::rules::audit::Event;
use crate::store::{NotCommitted, Store, Trouble};
use crate::sys::RandomFailed;

/// The person at the other end: a terminal, or (later) the service's socket.
pub trait Dialogue {
    /// Lines of text. Ends in a newline of its own.
    fn tell(&mut self, text: &str) -> Result<(), Gone>;
    /// One question, answered on the same line.
    fn ask(&mut self, question: &str, echo: bool) -> Result<Zeroizing<Vec<u8>>, Gone>;
    /// Shows a QR code of that address, or says why it can't and what to do. All of it has reached the terminal when this returns.
    fn show(&mut self, address: &str) -> Result<(), Gone>;
    /// Hands the sheet of recovery codes over, behind `intro` where it is shown. All of it has reached the terminal (or is durably in a file) when this returns.
    fn keep(&mut self, intro: &str, sheet: &str) -> Result<Kept, Gone>;
    /// The last word before the commit: what was made, for a program that reads it, all of it handed over when this
    /// returns; and whether the person is still there.
    fn done(&mut self, made: &Made<'_>) -> Result<(), Gone>;
}

/// What a flow has made, before it is in force.
pub enum Made<'a> {
    Authenticator(&'a Enrolled),
    Codes(&'a NewCodes),
    Rescue(&'a Issued),
    /// Nothing that has to be handed over.
    Nothing,
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
    /// A line for the log about a code that was judged on the way.
    pub log: &'a dyn Fn(&Event<'_>),
}

/// What a flow works with: whose second factor it changes, who does, and where.
pub struct Means<'a, D> {
    pub store: &'a Store<D>,
    pub whom: &'a Whom<'a>,
    pub author: &'a Author<'a>,
    pub world: &'a World<'a>,
}

/// Who makes a change.
pub struct Author<'a> {
    /// As the record and the notices name them.
    pub by: String,
    /// What is asked for before anything is changed: of root nothing.
    pub proof: Option<Proof<'a>>,
}

/// A flow that did not come to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub why: Why,
    pub leftover: Leftover,
}

/// What a person may have by now that is good for nothing where a flow ends early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leftover {
    Nothing,
    /// An entry in the app.
    Entry,
    /// An entry in the app, beside the one it was to replace.
    NewEntry,
    /// A sheet of recovery codes, while the old ones stay in force.
    Codes,
    /// A rescue code.
    Rescue,
}

impl Leftover {
    fn with(self, why: impl Into<Why>) -> Failure {
        Failure { why: why.into(), leftover: self }
    }
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
    /// Codes up to then are refused here, by a clock that was once ahead or is behind now; nothing was changed. Root may
    /// go on in a terminal where nobody is enrolled yet.
    FloorAhead {
        last: i64,
        enrolled: bool,
    },
    /// A code was typed here by a clock that was ahead: until then, unix seconds, a rescue code would have ended already.
    TimeAhead {
        newest: i64,
    },
    WrongPassword,
    /// A code was asked for first, and was not accepted.
    Denied(Denial),
    /// There are as many authenticators as there can be.
    TooMany,
    /// Which one is to be replaced was not said.
    Several(Vec<String>),
    LabelTaken(String),
    NoSuchLabel {
        label: String,
        there: Vec<String>,
    },
    /// The only authenticator is not removed.
    OnlyOne(String),
    /// The rule that requires a second factor.
    RequiredByPolicy(String),
    /// No symbol of the set of recovery codes is free.
    CodesFull,
    /// The record bears that name already.
    NoOtherName,
    /// A question was answered with no.
    Declined,
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

impl From<Denial> for Why {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
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

/// Whether a question that ends in `[y/N]` was answered with yes.
pub fn is_yes(answer: &[u8]) -> bool {
    let answer = answer.trim_ascii();
    [b"y".as_slice(), b"yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes))
}

/// Random bytes from the kernel that are no secret: a value that is returned leaves copies behind.
fn drawn<const N: usize>(world: &World<'_>) -> Result<[u8; N], Why> {
    let mut bytes = [0; N];
    (world.random)(&mut bytes)?;
    Ok(bytes)
}

/// Random bytes from the kernel that are one, in a place of their own.
fn draw_secret(world: &World<'_>, bytes: &mut [u8]) -> Result<(), Why> {
    Ok((world.random)(bytes)?)
}
