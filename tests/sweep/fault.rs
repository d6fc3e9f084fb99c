//! What goes wrong, and at which of a program's system calls.

use std::collections::BTreeMap;
use std::fs;

use super::changes::Change;
use super::place::{CONFIG, HOME, Place, STORE};
use super::run::{self, HandedOver};
use super::standing;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// SIGKILL before the call: it is not made.
    Kill,
    /// The call fails with that error: it is not made.
    Error(&'static str),
}

/// The how-many-th of its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    pub name: String,
    pub number: usize,
}

/// What has to do with files, sockets and terminals: whatever the kernel answers, it may be an error.
const OF_FILES: [&str; 26] = [
    "openat",
    "openat2",
    "read",
    "pread64",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "close",
    "fchmod",
    "ftruncate",
    "renameat",
    "renameat2",
    "unlinkat",
    "mkdirat",
    "newfstatat",
    "statx",
    "flock",
    "lseek",
    "fcntl",
    "ioctl",
    "socket",
    "connect",
    "sendto",
    "signalfd4",
    "getdents64",
];
/// What fails where a disk is broken, or its file system has become read-only for that reason.
const OF_A_DISK: [&str; 6] = ["read", "pread64", "write", "pwrite64", "fsync", "fdatasync"];
const CHANGING: [&str; 7] = ["openat", "pwrite64", "fchmod", "renameat", "renameat2", "unlinkat", "mkdirat"];

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Error(errno) => errno,
        }
    }

    pub fn is_for(self, call: &Call) -> bool {
        match self {
            Self::Kill => true,
            Self::Error("EIO") => OF_A_DISK.contains(&call.name.as_str()),
            Self::Error("EROFS") => CHANGING.contains(&call.name.as_str()),
            Self::Error(_) => OF_FILES.contains(&call.name.as_str()),
        }
    }

    /// The program that brings it about, and writes down whether it has.
    pub fn strace(self, call: &Call) -> Vec<String> {
        let Call { name, number } = call;
        let (what, quick) = match self {
            // At the stops of a filter strace delivers no signal.
            Self::Kill => ("signal=KILL".to_owned(), None),
            Self::Error(errno) => (format!("error={errno}"), Some("--seccomp-bpf")),
        };
        let (trace, inject) = (format!("trace={name}"), format!("inject={name}:{what}:when={number}"));
        strace(&quick.into_iter().chain(["-e", &trace, "-e", &inject]).collect::<Vec<_>>())
    }
}

const TRACE: &str = "/mnt/trace";

fn strace(options: &[&str]) -> Vec<String> {
    ["strace", "-f", "-o", TRACE].iter().chain(options).map(|&word| word.to_owned()).collect()
}

pub fn trace() -> String {
    fs::read_to_string(TRACE).unwrap()
}

/// The calls of an undisturbed run, from the first that a file of ours has to do with.
pub fn calls(place: &Place, change: &Change) -> Vec<Call> {
    place.name(change.user);
    place.put(STORE, &change.before);
    place.put(HOME, &Vec::new());
    assert_eq!(standing::found(place, &change.before, change.user, &HandedOver::default()), change.old, "{}", change.name);
    let ended = run::run(change, &strace(&[]));
    assert_eq!(ended.status, 0, "{}: {}", change.name, ended.says);
    assert_eq!(standing::found(place, &place.files(STORE), change.user, &ended.new), change.new, "{}", change.name);
    let mut counts = BTreeMap::new();
    let mut calls = Vec::new();
    let mut is_ours = false;
    for line in trace().lines() {
        is_ours |= line.contains(CONFIG) && line.contains("openat(");
        let Some(name) = line.split_whitespace().nth(1).and_then(|call| call.split_once('(')).map(|(name, _)| name.to_owned()) else {
            continue;
        };
        let number: &mut usize = counts.entry(name.clone()).or_default();
        *number += 1;
        if is_ours {
            calls.push(Call { name, number: *number });
        }
    }
    assert!(calls.len() > 50, "{}: {calls:?}", change.name);
    calls
}
