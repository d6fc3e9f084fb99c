//! `adopt NAME`: NAME is the new name of an account that was renamed.
#![forbid(unsafe_code)]

use countersign::flows;
use countersign::flows::refusal::Refusal;
use countersign::words::change as words;
use countersign::words::enroll::typed;
use serde_json::json;

use crate::answer::{self, Answer};
use crate::caller::{self, Caller};
use crate::change::Change;
use crate::people::Subject;
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings, caller: &Caller, name: &str, json: bool) -> Result<Answer, Refusal> {
    answer::can_be_done()?;
    let account = caller::account(name)?;
    let subject = Subject::new(&account, settings);
    let change = Change::new(settings, caller, &subject, "adopt");
    let mut talk = change.at_terminal(json, &format!("in one, root runs: countersign-setup adopt {}", typed(name)))?;
    let done = change.run(&mut talk, |talk, means| flows::adopt(talk, means));
    let adopted = match done {
        Ok(adopted) => adopted,
        Err(not) => return not.answer(),
    };
    change.log(change.line());
    let text = words::adopted(&subject.whom(), &adopted.old);
    let value = json!({"user": account.name, "uid": account.uid, "old": adopted.old});
    let done = answer::but_done(&text);
    Ok(Answer::new(text, value, false).done(done))
}
