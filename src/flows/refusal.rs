//! What the tool says when something is not done: a fact, and the next step.
//!
//! Lower case, no full stop, "can't" and "is"; outside names are escaped, and quoted where they are paths or entries.
//! Past 80 columns the sentence breaks after the semicolon.
#![forbid(unsafe_code)]

use nix::errno::Errno;

use super::{Failure, Gone, Whom, Why};
use crate::rules::address::Entry;
use crate::rules::date::minutes;
use crate::rules::outside::escaped;
use crate::store::{Lack, Part, Trouble};
use crate::sys::Holder;
use crate::words::enroll::{COLUMNS, entry, printed};

/// What kind of refusal, for programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Usage,
    NoTerminal,
    NotRoot,
    NoSuchUser,
    NotEnrolled,
    AlreadyEnrolled,
    NotAccepted,
    AlreadyUsed,
    Waiting,
    Stopped,
    ChangedMeanwhile,
    Busy,
    ServiceUnavailable,
    ConnectionLost,
    StoreUnavailable,
    Damaged,
    NewerFormat,
    OtherName,
    NoSpace,
    Configuration,
    Interrupted,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::NoTerminal => "no_terminal",
            Self::NotRoot => "not_root",
            Self::NoSuchUser => "no_such_user",
            Self::NotEnrolled => "not_enrolled",
            Self::AlreadyEnrolled => "already_enrolled",
            Self::NotAccepted => "not_accepted",
            Self::AlreadyUsed => "already_used",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::ChangedMeanwhile => "changed_meanwhile",
            Self::Busy => "busy",
            Self::ServiceUnavailable => "service_unavailable",
            Self::ConnectionLost => "connection_lost",
            Self::StoreUnavailable => "store_unavailable",
            Self::Damaged => "damaged",
            Self::NewerFormat => "newer_format",
            Self::OtherName => "other_name",
            Self::NoSpace => "no_space",
            Self::Configuration => "configuration",
            Self::Interrupted => "interrupted",
        }
    }

    /// The exit status: 1 the answer is no, 2 usage, 3 it could not be done, 130 interrupted.
    pub fn exit(self) -> u8 {
        match self {
            Self::NotEnrolled
            | Self::AlreadyEnrolled
            | Self::NotAccepted
            | Self::AlreadyUsed
            | Self::Waiting
            | Self::Stopped
            | Self::ChangedMeanwhile => 1,
            Self::Usage => 2,
            Self::NoTerminal
            | Self::NotRoot
            | Self::NoSuchUser
            | Self::Busy
            | Self::ServiceUnavailable
            | Self::ConnectionLost
            | Self::StoreUnavailable
            | Self::Damaged
            | Self::NewerFormat
            | Self::OtherName
            | Self::NoSpace
            | Self::Configuration => 3,
            Self::Interrupted => 130,
        }
    }
}

/// A fact and the next step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub kind: Kind,
    pub fact: String,
    pub next: String,
}

impl Refusal {
    pub fn new(kind: Kind, fact: impl Into<String>, next: impl Into<String>) -> Self {
        Self { kind, fact: fact.into(), next: next.into() }
    }

    /// The sentence behind that prefix, its newline included.
    pub fn line(&self, prefix: &str) -> String {
        let Self { fact, next, .. } = self;
        let whole = format!("{prefix}{fact}; {next}\n");
        if whole.chars().count() <= COLUMNS.saturating_add(1) { whole } else { format!("{prefix}{fact};\n  {next}\n") }
    }
}

/// A path in a sentence.
pub fn quoted(path: &str) -> String {
    format!("\"{}\"", escaped(path.as_bytes(), 4096))
}

/// The kernel's words for an errno, lower case.
pub fn errno(number: i32) -> String {
    Errno::from_raw(number).desc().to_lowercase()
}

/// What stands in the way of a command about that person, before which nothing was shown.
pub fn trouble(trouble: &Trouble, whom: &Whom<'_>, store: &str) -> Refusal {
    told(trouble, whom, store, false)
}

fn told(trouble: &Trouble, whom: &Whom<'_>, store: &str, entry_shown: bool) -> Refusal {
    let name = printed(whom.name);
    match trouble {
        Trouble::NoStore { path, lack } => no_store(path, lack),
        Trouble::BadFile { path, found, wanted } => {
            let fact = format!("{} has {found}, wanted: {wanted}", quoted(path));
            Refusal::new(Kind::StoreUnavailable, fact, format!("mend that, or run: countersign-setup reset {name}"))
        }
        Trouble::CantRead { path, errno: number } => cant_read(path, *number),
        Trouble::Damaged { part: Part::Journal, path, .. } => {
            Refusal::new(Kind::Damaged, format!("{} is damaged", quoted(path)), format!("run: countersign-setup unlock {name}"))
        }
        Trouble::Damaged { part: Part::Record, path, .. } => {
            Refusal::new(Kind::Damaged, format!("{} is damaged", quoted(path)), restore(&name))
        }
        Trouble::NoJournal { path } => {
            Refusal::new(Kind::Damaged, format!("{} is not there", quoted(path)), format!("run: countersign-setup unlock {name}"))
        }
        Trouble::Lost { path } => Refusal::new(Kind::Damaged, format!("{} is not there", quoted(path)), restore(&name)),
        Trouble::Newer { path } => {
            Refusal::new(Kind::NewerFormat, format!("{} was written by a newer Countersign", quoted(path)), "install that")
        }
        Trouble::NotEnrolled => {
            Refusal::new(Kind::NotEnrolled, format!("{name} is not enrolled"), format!("run: countersign-setup enroll --user {name}"))
        }
        Trouble::Enrolled => Refusal::new(
            Kind::AlreadyEnrolled,
            format!("{name} is enrolled already"),
            "run it with --replace for a new phone, with --add for one more",
        ),
        Trouble::OtherName { recorded } => Refusal::new(
            Kind::OtherName,
            format!("uid {} is enrolled as {}", whom.uid, quoted(recorded)),
            format!("for the same person run: countersign-setup adopt {name}"),
        ),
        Trouble::Busy { holder: Some(holder) } => busy(holder),
        Trouble::Busy { holder: None } => Refusal::new(Kind::Busy, "busy, nothing was changed", "try again"),
        Trouble::NotWritten { path, errno: number } => not_written(path, *number, store, entry_shown),
        Trouble::Changed => Refusal::new(
            Kind::ChangedMeanwhile,
            format!("the second factor of {name} was changed meanwhile, nothing was done"),
            "see: countersign-setup status",
        ),
        Trouble::OutOfMemory => Refusal::new(Kind::StoreUnavailable, "memory is out, nothing was changed", "try again"),
    }
}

fn restore(name: &str) -> String {
    format!("restore it, or run: countersign-setup reset {name}")
}

fn no_store(path: &str, lack: &Lack) -> Refusal {
    match lack {
        Lack::Folder(libc::ENOENT) | Lack::Marker => {
            Refusal::new(Kind::StoreUnavailable, format!("no store at {}", escaped(path.as_bytes(), 4096)), "run: countersign-setup init")
        }
        Lack::Folder(number) => cant_read(path, *number),
        Lack::Guard { found, wanted } => Refusal::new(
            Kind::StoreUnavailable,
            format!("{} has {found}, wanted: {wanted}", quoted(path)),
            "mend that, then run: countersign-setup doctor",
        ),
    }
}

fn cant_read(path: &str, number: i32) -> Refusal {
    Refusal::new(Kind::StoreUnavailable, format!("can't read {} ({})", quoted(path), errno(number)), "run: countersign-setup doctor")
}

fn busy(holder: &Holder) -> Refusal {
    let Holder { pid, name, real_uid, stopped } = holder;
    let state = if *stopped { ", stopped" } else { "" };
    let fact = format!("busy: held by process {pid} ({}, uid {real_uid}{state})", escaped(name.as_bytes(), 64));
    Refusal::new(Kind::Busy, fact, format!("end it: kill -9 {pid}"))
}

fn not_written(path: &str, number: i32, store: &str, entry_shown: bool) -> Refusal {
    match number {
        libc::ENOSPC | libc::EDQUOT => {
            let delete = if entry_shown { ", delete the new entry from the app" } else { "" };
            let next = format!("free some{delete} and start again");
            Refusal::new(Kind::NoSpace, format!("no space left in {}, nothing was changed", quoted(store)), next)
        }
        libc::EROFS => Refusal::new(
            Kind::StoreUnavailable,
            format!("can't write {} (read-only file system), nothing was changed", quoted(store)),
            "mend that and start again",
        ),
        _ => Refusal::new(
            Kind::StoreUnavailable,
            format!("can't write {} ({}), nothing was changed", quoted(path), errno(number)),
            "mend that and start again",
        ),
    }
}

/// What is so now, after a write whose end is not known.
pub fn maybe(trouble: &Trouble, whom: &Whom<'_>, store: &str) -> Refusal {
    let fact = match trouble {
        Trouble::NotWritten { path, errno: number } => format!("can't write {} ({})", quoted(path), errno(*number)),
        other => told(other, whom, store, false).fact,
    };
    let user = printed(whom.name);
    Refusal::new(Kind::StoreUnavailable, format!("{fact}, it may have been done"), format!("see: countersign-setup status --user {user}"))
}

/// An enrollment that did not come to its end.
pub fn enrollment(failure: &Failure, whom: &Whom<'_>, name: &Entry, store: &str) -> Refusal {
    let remove = format!("delete the entry \"{}\" from the app", entry(name));
    let delete = if failure.entry_shown { remove.as_str() } else { "start again" };
    match &failure.why {
        Why::Gone(Gone::Interrupted) => Refusal::new(Kind::Interrupted, "interrupted, nothing was changed", delete),
        Why::Gone(Gone::Closed(number)) => {
            Refusal::new(Kind::NoTerminal, format!("the terminal is gone ({}), nothing was changed", errno(*number)), delete)
        }
        Why::Gone(Gone::Output(number)) => Refusal::new(
            if *number == libc::ENOSPC { Kind::NoSpace } else { Kind::StoreUnavailable },
            format!("can't write to standard output ({}), nothing was changed", errno(*number)),
            "mend that and start again",
        ),
        Why::NoRightAnswer => {
            Refusal::new(Kind::NotAccepted, "no right answer in 3 tries, nothing was changed", format!("{remove} and start again"))
        }
        Why::FloorAhead { last } => Refusal::new(
            Kind::NotAccepted,
            format!("codes up to {} are refused here, nothing was changed", minutes(*last)),
            format!("set the clock, or in a terminal run: countersign-setup enroll --user {}", printed(whom.name)),
        ),
        Why::NoRandom => Refusal::new(Kind::StoreUnavailable, "the kernel gives no random bytes, nothing was changed", "try again"),
        Why::Trouble(trouble) => {
            let refusal = told(trouble, whom, store, failure.entry_shown);
            // The entry, and codes that were printed, are good for nothing now.
            let says_so = !failure.entry_shown || refusal.kind == Kind::NoSpace;
            if says_so { refusal } else { Refusal { next: format!("{remove}, then {}", refusal.next), ..refusal } }
        }
        Why::Maybe(trouble) => maybe(trouble, whom, store),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOM: Whom<'_> = Whom { uid: 1000, name: "alice", host: "web1" };

    fn line(refusal: &Refusal) -> String {
        refusal.line("countersign-setup: ")
    }

    #[test]
    fn a_sentence_past_80_columns_breaks_after_the_semicolon() {
        let no_space = Trouble::NotWritten { path: "/var/lib/countersign/1000.toml".to_owned(), errno: libc::ENOSPC };
        let failure = Failure { why: Why::Trouble(no_space), entry_shown: true };
        assert_eq!(
            line(&enrollment(&failure, &WHOM, &Entry::new("web1", "alice"), "/var/lib/countersign")),
            "countersign-setup: no space left in \"/var/lib/countersign\", nothing was changed;\n  \
             free some, delete the new entry from the app and start again\n"
        );
        let missing = Trouble::NoStore { path: "/var/lib/countersign".to_owned(), lack: Lack::Marker };
        assert_eq!(
            line(&trouble(&missing, &WHOM, "")),
            "countersign-setup: no store at /var/lib/countersign; run: countersign-setup init\n"
        );
        assert_eq!(line(&trouble(&Trouble::Busy { holder: None }, &WHOM, "")), "countersign-setup: busy, nothing was changed; try again\n");
    }

    #[test]
    fn a_holder_of_the_lock_is_named_with_the_way_to_end_it() {
        let holder = Holder { pid: 4711, name: "su\x1b[2J".to_owned(), real_uid: 1001, stopped: true };
        let refusal = trouble(&Trouble::Busy { holder: Some(holder) }, &WHOM, "");
        assert_eq!(refusal.fact, "busy: held by process 4711 (su\\x1b[2J, uid 1001, stopped)");
        assert_eq!((refusal.next.as_str(), refusal.kind.exit()), ("end it: kill -9 4711", 3));
    }

    #[test]
    fn what_may_have_been_done_is_told_as_that() {
        let why = Why::Maybe(Trouble::NotWritten { path: "/s/1000.state".to_owned(), errno: libc::EIO });
        let refusal = enrollment(&Failure { why, entry_shown: true }, &WHOM, &Entry::new("web1", "alice"), "/s");
        assert_eq!(refusal.fact, "can't write \"/s/1000.state\" (i/o error), it may have been done");
        assert_eq!(refusal.kind.exit(), 3);
    }
}
