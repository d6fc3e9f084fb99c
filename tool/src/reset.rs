//! `reset NAME`: removes the second factor of NAME's uid, and its waits and stops.
#![forbid(unsafe_code)]

use countersign::flows::refusal::{Kind, Refusal};
use countersign::rules::audit::Change;
use countersign::store::{Ahead, Anew, Folder, NotCommitted, Removed, Store, Trouble};
use countersign::sys::{self, Account};
use countersign::words::change::required_from;
use countersign::words::enroll::{folded, person, recovery_codes, typed};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::caller::{self, Caller};
use crate::change::{errno_of, not_done};
use crate::people::Subject;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::{floor, json, log};

pub(crate) fn run(settings: &Settings, caller: &Caller, name: &str, reason: Option<&str>, json: bool) -> Result<Answer, Refusal> {
    answer::can_be_done()?;
    // A change is not left in the middle, and what is so is told: Ctrl-C comes too late for these milliseconds.
    let _held = Signals::held();
    let (store, account) = find(settings, name)?;
    let subject = Subject::new(&account, settings);
    let floor = floor::seen(&store, account.uid).map_err(|trouble| subject.refusal(&trouble))?;
    let ahead = match floor {
        Some(last) if !json => floor::asked(last)?,
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
        not_done(&not, &subject)
    })?;
    let (text, is_removed) = match removed {
        Removed::Record | Removed::Mended => (told(&subject, settings, counts), true),
        Removed::Nothing => (format!("{}: not enrolled, nothing to remove.\n", person(&subject.whom())), false),
    };
    let still_ahead = floor.filter(|_| ahead == Ahead::Keep);
    let text = text + &still_ahead.map(floor::stays).unwrap_or_default();
    log::write(&line.line(settings.config.log.format));
    let value = json!({
        "user": account.name,
        "uid": account.uid,
        "removed": is_removed,
        "authenticators": counts.map(|(authenticators, _)| authenticators),
        "recovery_codes_left": counts.map(|(_, left)| left),
        "refused_until": still_ahead.map(json::time),
    });
    let done = answer::but_done(&text);
    Ok(Answer::new(text, value, false).done(done))
}

/// The store, and the account of that name, or what a record calls by it: an account may be gone before its record.
pub(crate) fn find(settings: &Settings, name: &str) -> Result<(Store<Folder>, Account), Refusal> {
    let nobody = Account { uid: u32::MAX, name: name.to_owned() };
    let store = Subject::new(&nobody, settings).store()?;
    let missing = match caller::account(name) {
        Ok(account) => return Ok((store, account)),
        // The user database knows no such name; that it gave no answer is another thing.
        Err(refusal) if refusal.kind == Kind::NoSuchUser => refusal,
        Err(refusal) => return Err(refusal),
    };
    let mut busy = None;
    for uid in store.enrolled_uids().unwrap_or_default() {
        match store.lock(uid).and_then(|locked| locked.record()) {
            Ok(Some(record)) if record.name == name => return Ok((store, Account { uid, name: name.to_owned() })),
            // It may be that one.
            Err(trouble @ Trouble::Busy { .. }) => busy = busy.or(Some(trouble)),
            Ok(_) | Err(_) => {}
        }
    }
    Err(busy.map_or(missing, |busy| Subject::new(&nobody, settings).refusal(&busy)))
}

pub(crate) fn anew() -> Result<Anew, Refusal> {
    let mut sequence = [0; 8];
    sys::random(&mut sequence).map_err(|error| Refusal::new(Kind::StoreUnavailable, error.to_string(), "try again"))?;
    Ok(Anew { sequence: u64::from_le_bytes(sequence) >> 1, now: sys::now() })
}

fn told(subject: &Subject<'_>, settings: &Settings, counts: Option<(usize, usize)>) -> String {
    let counts = counts.map(|(authenticators, left)| {
        let plural = if authenticators == 1 { "" } else { "s" };
        format!(" ({authenticators} authenticator{plural}, {})", recovery_codes(left))
    });
    let name = &subject.account.name;
    let unenrolled = settings.unenrolled(name, sys::now());
    let until = match unenrolled.end() {
        _ if unenrolled.is_refused() => "Refused until enrolled again.".to_owned(),
        Some(end) => required_from((end.date, end.left)),
        None => "Until enrolled again no code is asked.".to_owned(),
    };
    let who = person(&subject.whom());
    let removed = folded(&format!("{who}: second factor removed{}.\n", counts.unwrap_or_default()));
    format!("{removed}{until}\nNext: countersign-setup enroll --user {}\n", typed(name))
}
