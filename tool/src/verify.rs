//! `verify`: checks a code as a login does, and uses it up.
#![forbid(unsafe_code)]

use countersign::flows::refusal::{self, Kind, Refusal};
use countersign::flows::{Denial, Gone};
use countersign::rules::audit::{Event, Level, Login, Method};
use countersign::rules::code::{self, Digits, Typed};
use countersign::rules::date::minutes;
use countersign::rules::journal::Source;
use countersign::rules::judge::{Accepted, Finding};
use countersign::rules::phone;
use countersign::rules::throttle::Lane;
use countersign::store::{Folder, Store};
use countersign::sys;
use countersign::verify::{self, Checked, Question};
use countersign::words::enroll::{offset, typed};
use serde_json::json;
use zeroize::Zeroizing;

use crate::answer::{self, Answer};
use crate::caller::Caller;
use crate::floor;
use crate::log;
use crate::people::{self, Subject};
use crate::settings::Settings;
use crate::signals::Signals;
use crate::terminal::Terminal;

/// What the log and the failures to report call this way in.
const SERVICE: &[u8] = b"countersign-setup";

pub(crate) fn run(settings: &Settings, caller: &Caller) -> Result<Answer, Refusal> {
    answer::can_be_done()?;
    let account = people::as_recorded(&caller.whom, settings)?;
    let subject = Subject::of(caller, &account, settings);
    let store = subject.store()?;
    if !store.is_enrolled(subject.account.uid).map_err(|trouble| subject.refusal(&trouble))? {
        return Err(subject.refusal(&countersign::store::Trouble::NotEnrolled));
    }
    let typed = asked(settings, caller)?;
    let question = Question {
        uid: subject.account.uid,
        names: &[&subject.account.name],
        lane: Lane::Local,
        from: Source::new(SERVICE),
        window: settings.config.window,
        shows_notices: false,
    };
    let checked = verify::verify(&store, &question, code::read(&typed), sys::now).map_err(|trouble| subject.refusal(&trouble))?;
    let log = |event: &Event<'_>| event.lines(&login(&subject), settings.config.log.format).iter().for_each(log::write);
    let not_counted = |reason, method, fact, next| {
        log(&Event::NotCounted { reason, method });
        Ok(no(&subject, Refusal::new(Kind::NotAccepted, fact, next), ""))
    };
    let verdict = match checked {
        Checked::Settled { verdict, bad_slot } => {
            if let Some(path) = bad_slot {
                log(&Event::Noted { level: Level::Notice, reason: "bad_slot", path: Some(&path), found: None });
            }
            verdict
        }
        Checked::Typo => return not_counted("typo", Some(Method::Recovery), "typing error in the recovery code", "type it again"),
        Checked::Malformed => {
            return not_counted("malformed", None, "that is not a code", "type the digits from the app, or a recovery code");
        }
    };
    log(&verdict.event());
    Ok(match verdict.finding {
        Finding::Accepted(accepted) => yes(&subject, &accepted),
        other => {
            let hint = if matches!(other, Finding::Wrong(Method::Totp)) { clock_hint(&store, &subject, &typed) } else { None };
            no(&subject, refused(&other, &store, &subject), &hint.unwrap_or_default())
        }
    })
}

fn asked(settings: &Settings, caller: &Caller) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let terminal = Signals::held().ok().and_then(Terminal::open);
    let mut terminal = terminal.ok_or_else(|| Refusal::new(Kind::NoTerminal, "verify needs a terminal", "run it in one"))?;
    terminal.ask_who_is_meant(caller)?;
    let prompt = &settings.config.prompt;
    terminal.ask(&prompt.text, prompt.echo).map_err(|gone| match gone {
        Gone::Interrupted | Gone::Closed(_) | Gone::Output(_) => {
            Refusal::new(Kind::Interrupted, "interrupted, nothing was checked", "start again")
        }
    })
}

fn login<'a>(subject: &'a Subject<'_>) -> Login<'a> {
    Login {
        user: Some(subject.account.name.as_bytes()),
        uid: Some(subject.account.uid),
        service: SERVICE,
        tty: b"",
        ruser: b"",
        rhost: b"",
        real_uid: sys::real_uid(),
        effective_uid: sys::effective_uid(),
        logname: b"",
        lane: Lane::Local,
        unsynchronised: sys::clock_unsynchronised(),
    }
}

fn yes(subject: &Subject<'_>, accepted: &Accepted) -> Answer {
    let what = match &accepted.authenticator {
        Some(label) => format!("authenticator \"{label}\""),
        None if accepted.method() == Method::Rescue => "rescue code".to_owned(),
        None => "recovery code".to_owned(),
    };
    let text = format!("accepted ({what}); this code is now used up\n");
    let value = json!({
        "user": subject.account.name,
        "uid": subject.account.uid,
        "accepted": true,
        "authenticator": accepted.authenticator,
        "recovery_codes_left": accepted.codes_left,
    });
    let done = answer::but_done(&text);
    Answer::new(text, value, false).done(done)
}

fn refused(finding: &Finding, store: &Store<Folder>, subject: &Subject<'_>) -> Refusal {
    // Whether the clock is behind now or was once ahead, root alone can say.
    if let (Finding::ClockBehind, Ok(Some(last))) = (finding, floor::seen(store, subject.account.uid)) {
        let next = format!("set the clock, or when it is right run: countersign-setup unlock {}", typed(&subject.account.name));
        return Refusal::new(Kind::NotAccepted, format!("codes up to {} are refused here, a recovery code works", minutes(last)), next);
    }
    let told = Denial::of(finding, sys::now()).and_then(refusal::not_evaluated);
    told.unwrap_or_else(|| Refusal::new(Kind::NotAccepted, "not accepted", "try the app's next code"))
}

/// By how much a phone's clock is off. For root alone, who can read the secret: an oracle for anyone else.
fn clock_hint(store: &Store<Folder>, subject: &Subject<'_>, typed: &[u8]) -> Option<String> {
    let Typed::Digits(digits) = code::read(typed) else { return None };
    let record = store.lock(subject.account.uid).and_then(|locked| locked.record()).ok()??;
    let found = |digits: &Digits| {
        record.authenticators.iter().find_map(|device| phone::offset(&device.secret, device.parameters, digits, sys::now()))
    };
    found(&digits).map(|seconds| offset(seconds, &subject.host))
}

/// The answer is no: a sentence on standard error, and with `--json` a value.
fn no(subject: &Subject<'_>, refusal: Refusal, hint: &str) -> Answer {
    let value = json!({
        "user": subject.account.name,
        "uid": subject.account.uid,
        "accepted": false,
        "kind": refusal.kind.name(),
        "message": refusal.fact,
        "next": refusal.next,
    });
    Answer::refused(refusal, hint.to_owned(), value)
}
