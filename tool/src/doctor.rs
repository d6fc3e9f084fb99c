//! `doctor`: what locks people out, as far as configuration, store and clock are concerned, with what to change.
#![forbid(unsafe_code)]

use std::fmt::Write;

use countersign::flows::refusal::{Refusal, errno, quoted};
use countersign::rules::date::time_of_day;
use countersign::store::{Folder, Lack, Store, Trouble};
use countersign::sys::{self, Account};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::caller::Caller;
use crate::people::Subject;
use crate::settings::Settings;

/// Something that keeps people out, and what to do about it.
struct Finding {
    check: &'static str,
    file: Option<String>,
    line: Option<usize>,
    message: String,
    change: Vec<String>,
}

pub(crate) fn run(config: Option<&str>, caller: &Caller) -> Result<Answer, Refusal> {
    let mut found = Vec::new();
    let mut good = Vec::new();
    match Settings::checked(config) {
        Ok(settings) => store(&settings, caller, &mut found, &mut good),
        Err(problems) => found.extend(problems.into_iter().map(|problem| Finding {
            check: "configuration",
            file: Some(problem.path),
            line: problem.line,
            message: problem.message,
            change: vec!["that line; see: countersign-setup explain".to_owned()],
        })),
    }
    clock(&mut found, &mut good);
    let value = json!({"problems": found.len(), "notes": 0, "findings": found.iter().map(Finding::value).collect::<Vec<_>>()});
    Ok(Answer::new(told(&found, &good), value, !found.is_empty()))
}

fn told(found: &[Finding], good: &[String]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    for finding in found {
        let _ = writeln!(out, "locks out  {}", finding.sentence());
        for (change, place) in finding.change.iter().zip(0..) {
            let _ = writeln!(out, "  {:<9}{change}", if place == 0 { "change" } else { "and" });
        }
    }
    for line in good {
        let _ = writeln!(out, "ok         {line}");
    }
    let _ = match found.len() {
        0 => writeln!(out, "Nothing to change."),
        1 => writeln!(out, "1 problem. Change that, then run: countersign-setup doctor"),
        count => writeln!(out, "{count} problems. Change that, then run: countersign-setup doctor"),
    };
    out
}

impl Finding {
    fn sentence(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: {}", self.message),
            (Some(file), None) => format!("{file}: {}", self.message),
            (None, _) => self.message.clone(),
        }
    }

    fn value(&self) -> Value {
        json!({
            "severity": "locks_out",
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
    let before = found.len();
    let mut looked_at: Vec<u32> = uids.iter().copied().chain(store.known_uids().unwrap_or_default()).collect();
    looked_at.sort_unstable();
    looked_at.dedup();
    for uid in looked_at {
        let account = Account { uid, name: String::new() };
        found.extend(user(&store, &account, settings));
    }
    if found.len() == before {
        let plural = if uids.len() == 1 { "" } else { "s" };
        good.push(format!("store: {}, {}, 0700, marked, {} user{plural}", quoted(path), caller.whom.name, uids.len()));
    }
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
    Finding { check: "store", file: Some(path.to_owned()), line: None, message, change: vec![change] }
}

fn user(store: &Store<Folder>, account: &Account, settings: &Settings) -> Option<Finding> {
    let read = store.lock(account.uid).and_then(|locked| {
        let standing = locked.standing()?;
        Ok(standing.record.name)
    });
    let (subject_name, trouble) = match read {
        Ok(name) => match sys::account(&name) {
            Ok(Some(found)) if found.uid == account.uid => return None,
            Ok(_) => {
                let now = sys::account_of(account.uid).ok().flatten().map(|account| account.name);
                let now = now.unwrap_or_else(|| "NAME".to_owned());
                (now, Trouble::OtherName { recorded: name })
            }
            Err(error) => {
                let change = vec!["mend that and run this again".to_owned()];
                return Some(Finding { check: "user_database", file: None, line: None, message: error.to_string(), change });
            }
        },
        // A journal that a reset has left.
        Err(Trouble::NotEnrolled) => return None,
        Err(trouble) => {
            (sys::account_of(account.uid).ok().flatten().map_or_else(|| account.uid.to_string(), |account| account.name), trouble)
        }
    };
    let named = Account { uid: account.uid, name: subject_name };
    let refusal = Subject::new(&named, settings).refusal(&trouble);
    Some(Finding { check: "user", file: None, line: None, message: refusal.fact, change: vec![refusal.next] })
}

fn clock(found: &mut Vec<Finding>, good: &mut Vec<String>) {
    if sys::clock_unsynchronised() {
        found.push(Finding {
            check: "clock",
            file: None,
            line: None,
            message: format!("the clock is not synchronised ({})", time_of_day(sys::now())),
            change: vec!["run a time service, such as: timedatectl set-ntp true".to_owned()],
        });
    } else {
        good.push("clock synchronised".to_owned());
    }
}
