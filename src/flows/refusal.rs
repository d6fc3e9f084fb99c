//! What the tool says when something is not done: a fact, and the next step.
//!
//! Lower case, no full stop, "can't" and "is"; outside names are escaped, and quoted where they are paths or entries.
//! Past 80 columns the sentence breaks after the semicolon, and where that is not enough at spaces, two spaces in.
#![forbid(unsafe_code)]

mod failure;
mod trouble;

pub use failure::{flow, not_evaluated};
pub use trouble::{maybe, trouble};

use nix::errno::Errno;

use crate::rules::outside::escaped;
use crate::words::enroll::{COLUMNS, broken};

/// What kind of refusal, for programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Usage,
    NoTerminal,
    NotRoot,
    NoSuchUser,
    NoSuchLabel,
    NotEnrolled,
    AlreadyEnrolled,
    NotAccepted,
    AlreadyUsed,
    Waiting,
    Stopped,
    ChangedMeanwhile,
    Busy,
    TooMany,
    LastAuthenticator,
    CodesFull,
    RequiredByPolicy,
    ServiceUnavailable,
    ConnectionLost,
    StoreUnavailable,
    Damaged,
    NewerFormat,
    OtherName,
    NoSpace,
    FileExists,
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
            Self::NoSuchLabel => "no_such_label",
            Self::NotEnrolled => "not_enrolled",
            Self::AlreadyEnrolled => "already_enrolled",
            Self::NotAccepted => "not_accepted",
            Self::AlreadyUsed => "already_used",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::ChangedMeanwhile => "changed_meanwhile",
            Self::Busy => "busy",
            Self::TooMany => "too_many",
            Self::LastAuthenticator => "last_authenticator",
            Self::CodesFull => "codes_full",
            Self::RequiredByPolicy => "required_by_policy",
            Self::ServiceUnavailable => "service_unavailable",
            Self::ConnectionLost => "connection_lost",
            Self::StoreUnavailable => "store_unavailable",
            Self::Damaged => "damaged",
            Self::NewerFormat => "newer_format",
            Self::OtherName => "other_name",
            Self::NoSpace => "no_space",
            Self::FileExists => "file_exists",
            Self::Configuration => "configuration",
            Self::Interrupted => "interrupted",
        }
    }

    /// The exit status: 1 the answer is no, 2 usage, 3 it could not be done, 130 interrupted.
    pub fn exit(self) -> u8 {
        match self {
            Self::NoSuchLabel
            | Self::NotEnrolled
            | Self::AlreadyEnrolled
            | Self::NotAccepted
            | Self::AlreadyUsed
            | Self::Waiting
            | Self::Stopped
            | Self::ChangedMeanwhile
            | Self::TooMany
            | Self::LastAuthenticator => 1,
            Self::Usage => 2,
            Self::NoTerminal
            | Self::NotRoot
            | Self::NoSuchUser
            | Self::Busy
            | Self::CodesFull
            | Self::RequiredByPolicy
            | Self::ServiceUnavailable
            | Self::ConnectionLost
            | Self::StoreUnavailable
            | Self::Damaged
            | Self::NewerFormat
            | Self::OtherName
            | Self::NoSpace
            | Self::FileExists
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
        if whole.chars().count() <= COLUMNS.saturating_add(1) {
            return whole;
        }
        // A fact that fills more than a line is not torn from its next step.
        let after = if prefix.chars().count().saturating_add(fact.chars().count()) < COLUMNS { "\n  " } else { " " };
        broken(&format!("{prefix}{fact};{after}{next}\n"), "  ")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::{Failure, Leftover, Whom, Why};
    use crate::rules::address::Entry;
    use crate::store::{Lack, Trouble};
    use crate::sys::Holder;

    const WHOM: Whom<'_> = Whom { uid: 1000, name: "alice", host: "web1", named: false };

    fn line(refusal: &Refusal) -> String {
        refusal.line("countersign-setup: ")
    }

    #[test]
    fn a_sentence_past_80_columns_breaks_after_the_semicolon() {
        let no_space = Trouble::NotWritten { path: "/var/lib/countersign/1000.toml".to_owned(), errno: libc::ENOSPC };
        let failure = Failure { why: Why::Trouble(no_space), leftover: Leftover::Entry };
        assert_eq!(
            line(&flow(&failure, &WHOM, &Entry::new("web1", "alice"), "/var/lib/countersign")),
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
        let refusal = flow(&Failure { why, leftover: Leftover::Entry }, &WHOM, &Entry::new("web1", "alice"), "/s");
        assert_eq!(refusal.fact, "can't write \"/s/1000.state\" (i/o error), it may have been done");
        assert_eq!(refusal.kind.exit(), 3);
    }
}
