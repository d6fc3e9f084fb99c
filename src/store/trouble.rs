//! What stands in the way of an answer, as facts. Every one of them is a refusal.
#![forbid(unsafe_code)]

use crate::sys::Holder;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// There is no store: whatever the policy, nobody gets in.
    NoStore {
        path: String,
        lack: Lack,
    },
    /// A file that is not as ours are: another's, readable by others, a link, a fifo ...
    BadFile {
        path: String,
        found: String,
        wanted: &'static str,
    },
    CantRead {
        path: String,
        errno: i32,
    },
    /// Record or journal is cut, flipped or edited; `key` where one key tells.
    Damaged {
        part: Part,
        path: String,
        key: Option<String>,
    },
    /// There is a record and no journal.
    NoJournal {
        path: String,
    },
    /// The journal says that a record should stand here, and there is none.
    Lost {
        path: String,
    },
    /// Written by a newer Countersign.
    Newer {
        path: String,
    },
    /// There is no record.
    NotEnrolled,
    /// There is a record already.
    Enrolled,
    /// The record was made for this name.
    OtherName {
        recorded: String,
    },
    /// The lock was not had in time, or its file was replaced again and again.
    Busy {
        holder: Option<Holder>,
    },
    /// The next state could not be written.
    NotWritten {
        path: String,
        errno: i32,
    },
    /// Another flow, or a reset, was quicker.
    Changed,
    OutOfMemory,
}

/// Which of a user's files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    Record,
    Journal,
}

/// What a folder lacks to be a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lack {
    /// It can't be opened: errno.
    Folder(i32),
    /// Owner or mode: found and wanted.
    Guard {
        found: String,
        wanted: &'static str,
    },
    Marker,
}
