//! `reset NAME`: removes the second factor of NAME's uid, and its waits and stops.
#![forbid(unsafe_code)]

use countersign::flows::refusal::{self, Kind, Refusal};
use countersign::rules::audit::Change;
use countersign::rules::date::minutes;
use countersign::rules::judge;
use countersign::rules::policy::{self, Decision, Facts};
use countersign::rules::totp::Floor;
use countersign::store::{Ahead, Anew, Folder, NotCommitted, Removed, Store, Trouble};
use countersign::sys::{self, Account};
use countersign::words::enroll::{floor_ahead, folded, person, printed, recovery_codes};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::caller::{self, Caller};
use crate::people::Subject;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::terminal::Terminal;
use crate::{json, log};

pub(crate) fn run(settings: &Settings, caller: &Caller, name: &str, reason: Option<&str>, json: bool) -> Result<Answer, Refusal> {
    answer::can_be_told()?;
    // A change is not left in the middle, and what is so is told: Ctrl-C comes too late for these milliseconds.
    let _held = Signals::held();
    let nobody = Account { uid: u32::MAX, name: name.to_owned() };
    let store = Subject::new(&nobody, settings).store()?;
    let account = find(&store, name)?;
    let subject = Subject::new(&account, settings);
    let floor = floor_ahead_of_now(&store, account.uid);
    let ahead = match floor {
        Some(last) if !json => asked_about_the_clock(last)?,
        Some(_) | None => Ahead::Keep,
    };
    let locked = store.lock(account.uid).map_err(|trouble| subject.refusal(&trouble))?;
    // Counted for the answer alone: what is damaged goes too.
    let counts = match locked.standing() {
        Ok(standing) => {
            let left = standing.record.codes_left(standing.journal().spent_of(standing.record.recovery.id));
            Some((standing.record.authenticators.len(), left))
        }
        // What can't be read just now may be whole: nothing is written after that.
        Err(trouble @ Trouble::CantRead { .. }) => return Err(subject.refusal(&trouble)),
        Err(_) => None,
    };
    let removed = locked.reset(anew()?, ahead);
    drop(locked);
    let line = Change { why: reason, ..caller.change("reset", &account) };
    let removed = removed.map_err(|not| {
        if let NotCommitted::Maybe(trouble) = &not {
            log::write(&Change { errno: Some(errno_of(trouble)), ..line }.line(settings.config.log.format));
        }
        not_reset(&not, &subject)
    })?;
    let (text, is_removed) = match removed {
        Removed::Record | Removed::Mended => (told(&subject, settings, counts), true),
        Removed::Nothing => (format!("{}: not enrolled, nothing to remove.\n", person(&subject.whom())), false),
    };
    let still_ahead = floor.filter(|_| ahead == Ahead::Keep).map(|last| {
        folded(&format!("Codes up to {} are refused still. When the clock is right, run this in a terminal.\n", minutes(last)))
    });
    let text = text + &still_ahead.unwrap_or_default();
    log::write(&line.line(settings.config.log.format));
    let value = json!({
        "user": account.name,
        "uid": account.uid,
        "removed": is_removed,
        "authenticators": counts.map(|(authenticators, _)| authenticators),
        "recovery_codes_left": counts.map(|(_, left)| left),
        "refused_until": floor.filter(|_| ahead == Ahead::Keep).map(json::time),
    });
    let done = answer::but_done(&text);
    Ok(Answer::new(text, value, false).done(done))
}

/// The account of that name, or what a record calls by it: an account may be gone before its record.
fn find(store: &Store<Folder>, name: &str) -> Result<Account, Refusal> {
    let missing = match caller::account(name) {
        Ok(account) => return Ok(account),
        // The user database knows no such name; that it gave no answer is another thing.
        Err(refusal) if refusal.kind == Kind::NoSuchUser => refusal,
        Err(refusal) => return Err(refusal),
    };
    for uid in store.enrolled_uids().unwrap_or_default() {
        let record = store.lock(uid).and_then(|locked| locked.record());
        if record.ok().flatten().is_some_and(|record| record.name == name) {
            return Ok(Account { uid, name: name.to_owned() });
        }
    }
    Err(missing)
}

fn anew() -> Result<Anew, Refusal> {
    let mut sequence = [0; 8];
    sys::random(&mut sequence).map_err(|error| Refusal::new(Kind::StoreUnavailable, error.to_string(), "try again"))?;
    Ok(Anew { sequence: u64::from_le_bytes(sequence) >> 1, now: sys::now() })
}

/// A floor that a clock once ahead has left, or the clock is behind.
fn floor_ahead_of_now(store: &Store<Folder>, uid: u32) -> Option<i64> {
    let last = store.glance(uid)?.last;
    judge::is_clock_behind(Floor { not_before: 0, last }, sys::now()).then_some(last)
}

/// Whether a floor ahead of the clock comes down. Without a terminal it stays: the answer says so.
fn asked_about_the_clock(last: i64) -> Result<Ahead, Refusal> {
    let Some(mut terminal) = Signals::held().ok().and_then(Terminal::open) else { return Ok(Ahead::Keep) };
    match terminal.ask(&floor_ahead(last, sys::now()), true) {
        Ok(answer) if answer.trim_ascii().eq_ignore_ascii_case(b"y") => Ok(Ahead::BringDown),
        // The clock is wrong now: the floor may be right. What has to go goes all the same.
        Ok(_) => Ok(Ahead::Keep),
        Err(_) => Err(Refusal::new(Kind::Interrupted, "interrupted, nothing was changed", "start again")),
    }
}

/// What failed, for the log; 0 where no system call did.
pub(crate) fn errno_of(trouble: &Trouble) -> i32 {
    match trouble {
        Trouble::NotWritten { errno, .. } | Trouble::CantRead { errno, .. } => *errno,
        _ => 0,
    }
}

/// What was left half done is done by a second reset.
fn not_reset(not: &NotCommitted, subject: &Subject<'_>) -> Refusal {
    match not {
        NotCommitted::Nothing(trouble) => subject.refusal(trouble),
        NotCommitted::Maybe(trouble) => {
            Refusal { next: "mend that and run it again".to_owned(), ..refusal::maybe(trouble, &subject.whom(), subject.folder) }
        }
    }
}

fn told(subject: &Subject<'_>, settings: &Settings, counts: Option<(usize, usize)>) -> String {
    let counts = counts.map(|(authenticators, left)| {
        let plural = if authenticators == 1 { "" } else { "s" };
        format!(" ({authenticators} authenticator{plural}, {})", recovery_codes(left))
    });
    let name = &subject.account.name;
    let facts = Facts { config: &settings.config, account: Some(name), enrolled: false, now: sys::now(), config_changed: settings.changed };
    let until = match policy::decide(&facts) {
        Decision::Skip(_) => "Until enrolled again no code is asked.",
        Decision::Ask | Decision::AskAndRefuse { .. } | Decision::RefuseUnasked { .. } => "Refused until enrolled again.",
    };
    let who = person(&subject.whom());
    let removed = folded(&format!("{who}: second factor removed{}.\n", counts.unwrap_or_default()));
    format!("{removed}{until}\nNext: countersign-setup enroll --user {}\n", printed(name))
}
