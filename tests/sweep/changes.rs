//! The changes: from which files, with which command, and what is so before and after.

use super::people;
use super::place::Files;
use super::standing::{Enrolled, Standing};

pub struct Change {
    pub name: &'static str,
    /// The store's files before it.
    pub before: Files,
    /// What uid 1000 is called in the user database.
    pub user: &'static str,
    pub command: &'static [&'static str],
    /// Standard output is the only terminal's, on which questions are answered; else there is none.
    pub at_terminal: bool,
    pub old: Standing,
    pub new: Standing,
    /// Exit status of the same command where it has been done already.
    pub again: i32,
    /// Between the two the user may be refused, and a reset mends it.
    pub removes: bool,
}

const NOT_ENROLLED: Standing =
    Standing { enrolled: Enrolled::No, phone: false, tablet: false, paper: false, new_app: false, new_code: false };
const REFUSED: Standing = Standing { enrolled: Enrolled::Refused, ..NOT_ENROLLED };
/// With what she had before.
const ENROLLED: Standing = Standing { enrolled: Enrolled::Yes, phone: true, paper: true, ..NOT_ENROLLED };
const NEWLY: Standing = Standing { enrolled: Enrolled::Yes, new_app: true, new_code: true, ..NOT_ENROLLED };

impl Change {
    /// A file of the person's that the command asks for.
    pub fn asks_for(&self, path: &str) -> bool {
        self.command.contains(&path)
    }
}

/// `COUNTERSIGN_CHANGES` has the names of some, with semicolons between them: then those alone.
pub fn wanted() -> Vec<Change> {
    let Ok(names) = std::env::var("COUNTERSIGN_CHANGES") else { return all() };
    let named = |name: &str| all().into_iter().find(|change| change.name == name).unwrap_or_else(|| panic!("no change {name:?}"));
    names.split(';').map(|name| named(name.trim())).collect()
}

fn all() -> Vec<Change> {
    let enroll = || Change { before: people::nobody(), old: NOT_ENROLLED, new: NEWLY, again: 1, ..usual() };
    let files = ["--qr-file", "/mnt/home/qr.svg", "--codes-file", "/mnt/home/codes.txt"];
    vec![
        Change { name: "enroll", command: &["--json", "enroll", "--user", "alice", "--no-confirm"], ..enroll() },
        Change {
            name: "enroll after a reset",
            before: people::alice_after_a_reset(),
            command: &["--json", "enroll", "--user", "alice", "--no-confirm"],
            ..enroll()
        },
        Change {
            name: "enroll, with files",
            command: leaked(&["--json", "enroll", "--user", "alice", "--no-confirm"], &files),
            ..enroll()
        },
        Change { name: "enroll, asked", command: &["enroll", "--user", "alice"], at_terminal: true, ..enroll() },
        Change {
            name: "enroll, asked, with files",
            command: leaked(&["enroll", "--user", "alice"], &files),
            at_terminal: true,
            ..enroll()
        },
        Change {
            name: "enroll --add",
            command: &["--json", "enroll", "--user", "alice", "--no-confirm", "--add"],
            new: Standing { new_app: true, ..ENROLLED },
            ..usual()
        },
        Change {
            name: "enroll --add, asked",
            command: &["enroll", "--user", "alice", "--add"],
            at_terminal: true,
            new: Standing { new_app: true, ..ENROLLED },
            ..usual()
        },
        Change {
            name: "enroll --replace",
            command: &["--json", "enroll", "--user", "alice", "--no-confirm", "--replace"],
            new: Standing { phone: false, new_app: true, ..ENROLLED },
            ..usual()
        },
        Change {
            name: "enroll --replace, asked",
            command: &["enroll", "--user", "alice", "--replace"],
            at_terminal: true,
            new: Standing { phone: false, new_app: true, ..ENROLLED },
            ..usual()
        },
        Change {
            name: "recovery",
            command: &["--json", "recovery", "--user", "alice", "--no-confirm"],
            new: Standing { paper: false, new_code: true, ..ENROLLED },
            ..usual()
        },
        Change {
            name: "recovery, asked",
            command: &["recovery", "--user", "alice"],
            at_terminal: true,
            new: Standing { paper: false, new_code: true, ..ENROLLED },
            ..usual()
        },
        Change {
            name: "recovery, with a file",
            command: &["recovery", "--user", "alice", "--no-confirm", "--codes-file", "/mnt/home/codes.txt"],
            new: Standing { paper: false, new_code: true, ..ENROLLED },
            ..usual()
        },
        Change {
            name: "remove",
            before: people::alice_with_a_tablet(),
            command: &["remove", "tablet", "--user", "alice"],
            old: Standing { tablet: true, ..ENROLLED },
            again: 1,
            ..usual()
        },
        Change { name: "disable", command: &["disable", "--user", "alice"], new: NOT_ENROLLED, again: 1, removes: true, ..usual() },
        Change { name: "reset", command: &["reset", "alice"], new: NOT_ENROLLED, removes: true, ..usual() },
        Change {
            name: "reset, journal lost",
            before: people::alice_without_a_journal(),
            command: &["--json", "reset", "alice"],
            old: REFUSED,
            new: NOT_ENROLLED,
            removes: true,
            ..usual()
        },
        Change { name: "rescue", command: &["--json", "rescue", "alice"], new: Standing { new_code: true, ..ENROLLED }, ..usual() },
        Change { name: "adopt", user: "carol", command: &["adopt", "carol"], at_terminal: true, old: REFUSED, again: 1, ..usual() },
        Change {
            name: "unlock, stopped",
            before: people::alice_stopped(),
            command: &["unlock", "alice"],
            old: Standing { phone: false, ..ENROLLED },
            ..usual()
        },
        Change {
            name: "unlock, journal lost",
            before: people::alice_without_a_journal(),
            command: &["--json", "unlock", "alice"],
            old: REFUSED,
            new: Standing { paper: false, ..ENROLLED },
            ..usual()
        },
        Change {
            name: "unlock, floor ahead, answered y",
            before: people::alice_of_a_clock_ahead(),
            command: &["unlock", "alice"],
            at_terminal: true,
            old: Standing { phone: false, ..ENROLLED },
            ..usual()
        },
    ]
}

/// Of alice, who is enrolled, without a terminal.
fn usual() -> Change {
    Change {
        name: "",
        before: people::alice(),
        user: "alice",
        command: &[],
        at_terminal: false,
        old: ENROLLED,
        new: ENROLLED,
        again: 0,
        removes: false,
    }
}

fn leaked(command: &[&'static str], more: &[&'static str]) -> &'static [&'static str] {
    Box::leak([command, more].concat().into_boxed_slice())
}
