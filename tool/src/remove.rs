//! `remove LABEL` and `disable`: one authenticator, or the whole second factor.
#![forbid(unsafe_code)]

use countersign::flows;
use countersign::flows::refusal::Refusal;
use countersign::rules::audit::Change as Line;
use countersign::sys;
use countersign::words::change as words;
use serde_json::json;

use crate::answer::{self, Answer};
use crate::caller::Caller;
use crate::change::Change;
use crate::people::{self, Subject};
use crate::settings::Settings;

pub(crate) fn remove(settings: &Settings, caller: &Caller, label: &str, json: bool) -> Result<Answer, Refusal> {
    answer::can_be_done()?;
    let account = people::as_recorded(&caller.whom, settings)?;
    let subject = Subject::of(caller, &account, settings);
    let change = Change::new(settings, caller, &subject, "remove");
    let mut talk = change.with_nobody(json)?;
    let done = change.run(&mut talk, |talk, means| flows::remove(talk, means, label));
    let gone = match done {
        Ok(gone) => gone,
        Err(not) => return not.answer(),
    };
    change.log(Line { authenticator: Some(label), codes_left: Some(gone.codes_left), ..change.line() });
    let text = words::removed(&subject.whom(), label, &gone.staying);
    let value = json!({"user": subject.account.name, "uid": subject.account.uid, "removed": label, "authenticators": gone.staying});
    let done = answer::but_done(&text);
    Ok(Answer::new(text, value, false).done(done))
}

pub(crate) fn disable(settings: &Settings, caller: &Caller, json: bool) -> Result<Answer, Refusal> {
    answer::can_be_done()?;
    let account = people::as_recorded(&caller.whom, settings)?;
    let subject = Subject::of(caller, &account, settings);
    let change = Change::new(settings, caller, &subject, "disable");
    let mut talk = change.with_nobody(json)?;
    let unenrolled = settings.unenrolled(&caller.whom.name, sys::now());
    let required = unenrolled.is_refused().then_some(unenrolled.rule.as_str());
    let done = change.run(&mut talk, |talk, means| flows::disable(talk, means, required));
    let gone = match done {
        Ok(gone) => gone,
        Err(not) => return not.answer(),
    };
    change.log(change.line());
    let end = unenrolled.end().map(|end| (end.date, end.left));
    let text = words::disabled(&subject.whom(), end);
    let value = json!({
        "user": subject.account.name,
        "uid": subject.account.uid,
        "removed": true,
        "authenticators": gone.authenticators,
        "recovery_codes_left": gone.codes_left,
    });
    let done = answer::but_done(&text);
    Ok(Answer::new(text, value, false).done(done))
}
