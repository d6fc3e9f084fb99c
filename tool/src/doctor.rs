//! `doctor`: what locks people out, as far as configuration, store and clock are concerned, with what to change; and notes
//! on what does not, yet.
#![forbid(unsafe_code)]

use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;

use countersign::flows::refusal::{Refusal, errno, quoted};
use countersign::rules::date::{minutes, time_of_day};
use countersign::store::{Folder, Lack, Store, Trouble};
use countersign::sys::{self, Account};
use countersign::words::enroll::{printed, typed};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::caller::Caller;
use crate::people::{self, Owner};
use crate::settings::Settings;
use crate::status::{Found, State};

/// Something that keeps people out, or is worth a note, and what to do about it.
struct Finding {
    severity: Severity,
    check: &'static str,
    file: Option<String>,
    line: Option<usize>,
    message: String,
    change: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Severity {
    LocksOut,
    Note,
}

pub(crate) fn run(config: Option<&str>, caller: &Caller) -> Result<Answer, Refusal> {
    let mut found = Vec::new();
    let mut good = Vec::new();
    match Settings::checked(config) {
        Ok(settings) => store(&settings, caller, &mut found, &mut good),
        Err(problems) => found.extend(problems.into_iter().map(|problem| Finding {
            severity: Severity::LocksOut,
            check: "configuration",
            file: Some(problem.path),
            line: problem.line,
            message: problem.message,
            change: vec![format!("{}; see: countersign-setup explain", if problem.line.is_some() { "that line" } else { "that" })],
        })),
    }
    clock(&mut found, &mut good);
    // What locks out first.
    found.sort_by_key(|finding| finding.severity == Severity::Note);
    let notes = found.iter().filter(|finding| finding.severity == Severity::Note).count();
    let problems = found.len().saturating_sub(notes);
    let value = json!({"problems": problems, "notes": notes, "findings": found.iter().map(Finding::value).collect::<Vec<_>>()});
    Ok(Answer::new(told(&found, &good, problems, notes), value, problems > 0))
}

fn told(found: &[Finding], good: &[String], problems: usize, notes: usize) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    for finding in found {
        let _ = writeln!(out, "{:<11}{}", finding.severity.words(), finding.sentence());
        for (change, place) in finding.change.iter().zip(0..) {
            let _ = writeln!(out, "  {:<9}{change}", if place == 0 { "change" } else { "and" });
        }
    }
    for line in good {
        let _ = writeln!(out, "ok         {line}");
    }
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let _ = match (problems, notes) {
        (0, 0) => writeln!(out, "Nothing to change."),
        (0, notes) => writeln!(out, "No problem, {}.", counted(notes, "note")),
        (problems, 0) => writeln!(out, "{}. Change that, then run: countersign-setup doctor", counted(problems, "problem")),
        (problems, notes) => {
            let counts = format!("{}, {}", counted(problems, "problem"), counted(notes, "note"));
            writeln!(out, "{counts}. Change that, then run: countersign-setup doctor")
        }
    };
    out
}

impl Severity {
    fn words(self) -> &'static str {
        match self {
            Self::LocksOut => "locks out",
            Self::Note => "note",
        }
    }

    /// Its name for programs.
    fn name(self) -> &'static str {
        match self {
            Self::LocksOut => "locks_out",
            Self::Note => "note",
        }
    }
}

impl Finding {
    fn locks_out(check: &'static str, message: String, change: Vec<String>) -> Self {
        Self { severity: Severity::LocksOut, check, file: None, line: None, message, change }
    }

    fn note(check: &'static str, message: String, change: Vec<String>) -> Self {
        Self { severity: Severity::Note, ..Self::locks_out(check, message, change) }
    }

    fn sentence(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: {}", self.message),
            (Some(file), None) => format!("{file}: {}", self.message),
            (None, _) => self.message.clone(),
        }
    }

    fn value(&self) -> Value {
        json!({
            "severity": self.severity.name(),
            "check": self.check,
            "file": self.file,
            "line": self.line,
            "message": self.message,
            "change": self.change,
        })
    }
}

/// Folder and marker; then what every person's login would read.
fn store(settings: &Settings, caller: &Caller, found: &mut Vec<Finding>, good: &mut Vec<String>) {
    let path = &settings.config.store;
    let store = match Folder::open(path) {
        Ok(folder) => Store::new(folder),
        Err(trouble) => return found.push(no_store(path, &trouble)),
    };
    let uids = match store.enrolled_uids() {
        Ok(uids) => uids,
        Err(trouble) => return found.push(no_store(path, &trouble)),
    };
    let mut looked_at: Vec<u32> = uids.iter().copied().chain(store.known_uids().unwrap_or_default()).collect();
    looked_at.sort_unstable();
    looked_at.dedup();
    for uid in looked_at {
        found.extend(user(&store, uid, settings));
    }
    // A user database that gives no answer is one problem, not everybody's.
    let mut is_told = false;
    found.retain(|finding| finding.check != "user_database" || !std::mem::replace(&mut is_told, true));
    if found.iter().all(|finding| finding.severity == Severity::Note) {
        let plural = if uids.len() == 1 { "" } else { "s" };
        good.push(format!("store: {}, {}, {}, marked, {} user{plural}", quoted(path), caller.whom.name, mode(path), uids.len()));
    }
}

/// As `chmod` has it; 0700 is how `init` makes it, and more lets others see who is enrolled.
fn mode(path: &str) -> String {
    let mode = std::fs::metadata(path).map(|found| found.permissions().mode() & 0o7777);
    mode.map_or_else(|_| "-".to_owned(), |mode| format!("{mode:04o}"))
}

fn no_store(path: &str, trouble: &Trouble) -> Finding {
    let (message, change) = match trouble {
        Trouble::NoStore { lack: Lack::Marker, .. } => (
            "has no marker: everyone is refused".to_owned(),
            "mount its file system, or on a new machine run: countersign-setup init".to_owned(),
        ),
        Trouble::NoStore { lack: Lack::Folder(libc::ENOENT), .. } => (
            "is not there: everyone is refused".to_owned(),
            "mount its file system, or on a new machine run: countersign-setup init".to_owned(),
        ),
        Trouble::NoStore { lack: Lack::Guard { found, wanted }, .. } => {
            let mend =
                if found.starts_with("owner") { format!("chown root {}", quoted(path)) } else { format!("chmod 0700 {}", quoted(path)) };
            (format!("has {found}, wanted: {wanted}"), mend)
        }
        Trouble::NoStore { lack: Lack::Folder(number), .. } | Trouble::CantRead { errno: number, .. } => {
            (format!("can't be read ({})", errno(*number)), "mend that: no link on the way, a folder of root's".to_owned())
        }
        other => (format!("{other:?}"), "mend that".to_owned()),
    };
    Finding { file: Some(path.to_owned()), ..Finding::locks_out("store", message, vec![change]) }
}

/// What keeps one person out, and what is worth a note about their files.
fn user(store: &Store<Folder>, uid: u32, settings: &Settings) -> Vec<Finding> {
    let found = match Found::read(store, uid) {
        Ok(found) => found,
        Err(trouble) => {
            let (_, refusal) = people::in_the_way(&trouble, uid, settings);
            return vec![Finding::locks_out("user", refusal.fact, vec![refusal.next])];
        }
    };
    // A journal that a reset has left.
    let Some(record) = &found.record else { return Vec::new() };
    let account = Account { uid, name: record.name.clone() };
    if let Some(finding) = owner(&account, settings) {
        return vec![finding];
    }
    let mut all = Vec::new();
    if let Some(path) = &found.bad_slot {
        let message = format!("{}: one of its two slots is bad, the other good", quoted(path));
        all.push(Finding::note("journal", message, vec!["nothing: logins mend it; if it comes back, look at the disk".to_owned()]));
    }
    let name = printed(&account.name);
    if let Some(until) = State::new(found, &account.name, settings).refused_until() {
        let message = format!("codes of {name} up to {} are refused", minutes(until));
        all.push(Finding::locks_out("floor", message, vec![format!("if the clock is right, run: countersign-setup unlock {name}")]));
    }
    all
}

/// A record that is not, or not known to be, of the account whose name it bears.
fn owner(recorded: &Account, settings: &Settings) -> Option<Finding> {
    match Owner::find(recorded, settings) {
        Owner::Theirs => None,
        Owner::OtherName { refusal, now } => {
            let another = format!("for another person run: countersign-setup reset {}", typed(&now));
            Some(Finding::locks_out("user", refusal.fact, vec![refusal.next, another]))
        }
        Owner::NoAccount(refusal) => Some(Finding::note("user", refusal.fact, vec![refusal.next])),
        Owner::Unknown(refusal) => Some(Finding::locks_out("user_database", refusal.fact, vec!["mend that and run this again".to_owned()])),
    }
}

fn clock(found: &mut Vec<Finding>, good: &mut Vec<String>) {
    if sys::clock_unsynchronised() {
        let message = format!("the clock is not synchronised ({})", time_of_day(sys::now()));
        let change = "run a time service, such as: timedatectl set-ntp true".to_owned();
        found.push(Finding::locks_out("clock", message, vec![change]));
    } else {
        good.push("clock synchronised".to_owned());
    }
}
