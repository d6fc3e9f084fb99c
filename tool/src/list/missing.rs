//! `list --missing`: those whom the policy requires to be enrolled and who have no record.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use countersign::flows::refusal::Refusal;
use countersign::rules::date::rfc3339;
use countersign::rules::policy::{Decision, End};
use countersign::store::{Folder, Store};
use countersign::sys::{self, Person};
use countersign::words;
use countersign::words::enroll::printed;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::caller;
use crate::settings::Settings;
use crate::table::table;

pub(super) fn run(settings: &Settings, store: &Store<Folder>) -> Result<Answer, Refusal> {
    let people = sys::accounts().map_err(|error| caller::no_database(&error))?;
    // Files that are in no state to judge by are somebody's who has enrolled: `list` shows those.
    let is_enrolled = |uid| !matches!(store.is_enrolled(uid), Ok(false));
    let missing = missing(people, &sys::login_shells(), is_enrolled, settings, sys::now());
    let value = missing.iter().map(Missing::value).collect();
    Ok(Answer::new(told(&missing, settings), value, !missing.is_empty()))
}

/// Somebody who has to be enrolled and is not.
struct Missing {
    uid: u32,
    name: String,
    required_by: &'static str,
    /// From when on logins are refused; `None` is now.
    from: Option<End>,
}

/// Who can log in, by a shell of /etc/shells, is not exempt and has no record. A uid with several names is one person.
fn missing(
    people: impl IntoIterator<Item = Person>,
    shells: &[PathBuf],
    is_enrolled: impl Fn(u32) -> bool,
    settings: &Settings,
    now: i64,
) -> Vec<Missing> {
    let mut missing: Vec<Missing> = Vec::new();
    for Person { uid, name, shell } in people {
        if !shells.contains(&shell) || missing.iter().any(|other| other.uid == uid) {
            continue;
        }
        let (required_by, from) = match settings.unenrolled(&name, now).decision {
            Decision::AskAndRefuse { reason, .. } => (reason, None),
            Decision::Skip(skip) if skip.end.is_some() => (skip.reason, skip.end),
            Decision::Skip(_) | Decision::Ask | Decision::RefuseUnasked { .. } => continue,
        };
        if !is_enrolled(uid) {
            missing.push(Missing { uid, name, required_by, from });
        }
    }
    missing.sort_by(|one, other| one.name.cmp(&other.name));
    missing
}

fn told(missing: &[Missing], settings: &Settings) -> String {
    match missing {
        [] if settings.require_nobody() => "Nobody is missing: unenrolled = \"skip\" requires nobody.\n".to_owned(),
        [] => "Nobody is missing.\n".to_owned(),
        some => table(["user", "required by", "refused"], &some.iter().map(Missing::row).collect::<Vec<_>>()),
    }
}

impl Missing {
    fn row(&self) -> [String; 3] {
        let refused = match self.from {
            Some(end) => format!("from {} (in {})", end.date, words::wait(end.left)),
            None => "now".to_owned(),
        };
        [printed(&self.name), self.required_by.to_owned(), refused]
    }

    /// `refused`: whether logins are refused already; `refused_from` is null then.
    fn value(&self) -> Value {
        json!({
            "user": self.name,
            "uid": self.uid,
            "required_by": self.required_by,
            "refused": self.from.is_none(),
            "refused_from": self.from.map(|end| rfc3339(end.date.start())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::rules::config::{Arguments, Config};

    /// 2026-11-24 00:00 UTC.
    const NOW: i64 = 1_795_478_400;

    fn settings(policy: &str) -> Settings {
        let text = format!("[policy]\n{policy}\n");
        let config = Config::read("/etc/countersign/config.toml", Some(text.as_bytes()), &Arguments::default(), b"").unwrap();
        Settings { config, services: Vec::new(), changed: None }
    }

    fn people() -> Vec<Person> {
        let person = |(uid, name, shell): (u32, &str, &str)| Person { uid, name: name.to_owned(), shell: shell.into() };
        [
            (0, "root", "/bin/bash"),
            (1, "daemon", "/usr/sbin/nologin"),
            (1000, "erin", "/bin/sh"),
            (1001, "dave", "/bin/sh"),
            (1000, "ERIN", "/bin/sh"),
            (1002, "alice", "/bin/sh"),
            (1003, "git", "/usr/bin/git-shell"),
            (1004, "robot", "/bin/sh"),
        ]
        .map(person)
        .into()
    }

    fn found(policy: &str) -> Vec<Missing> {
        let shells = ["/bin/sh", "/bin/bash"].map(PathBuf::from);
        missing(people(), &shells, |uid| uid == 1002, &settings(policy), NOW)
    }

    #[test]
    fn who_can_log_in_is_not_exempt_and_has_no_record_is_missing() {
        let names = |policy: &str| found(policy).into_iter().map(|missing| missing.name).collect::<Vec<_>>();
        assert_eq!(names("exempt_users = ['robot']"), ["dave", "erin", "root"]);
        assert_eq!(names("exempt_users = ['robot', 'erin']"), ["ERIN", "dave", "root"]);
        assert_eq!(names("unenrolled = 'skip'"), [""; 0]);
        assert_eq!(
            told(&found("unenrolled = 'skip'"), &settings("unenrolled = 'skip'")),
            "Nobody is missing: unenrolled = \"skip\" requires nobody.\n"
        );
        assert_eq!(told(&[], &settings("")), "Nobody is missing.\n");
    }

    #[test]
    fn it_says_from_when_on_logins_are_refused() {
        let policy = "unenrolled = 2026-12-01\nexempt_users = ['robot', 'root']";
        let found_then = found(policy);
        let expected = "user  required by  refused\n\
                        dave  unenrolled   from 2026-12-01 (in 7 days)\n\
                        erin  unenrolled   from 2026-12-01 (in 7 days)\n";
        assert_eq!(told(&found_then, &settings(policy)), expected);
        let value =
            json!({"user": "dave", "uid": 1001, "required_by": "unenrolled", "refused": false, "refused_from": "2026-12-01T00:00:00Z"});
        assert_eq!(found_then[0].value(), value);
        let past = found("unenrolled = 2026-11-24");
        assert_eq!(past[0].row(), ["dave", "unenrolled", "now"]);
        assert_eq!(past[0].value()["refused_from"], Value::Null);
    }
}
