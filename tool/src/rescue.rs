//! `rescue NAME`: one login for a person whose phone is at home.
#![forbid(unsafe_code)]

use countersign::flows;
use countersign::flows::refusal::Refusal;
use countersign::words::enroll::typed;

use crate::answer::{self, Answer};
use crate::caller::{self, Caller};
use crate::change::Change;
use crate::people::{self, Subject};
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings, caller: &Caller, name: &str, valid: i64, json: bool) -> Result<Answer, Refusal> {
    answer::can_be_done()?;
    let account = people::as_recorded(&caller::account(name)?, settings)?;
    let subject = Subject::new(&account, settings);
    let change = Change::new(settings, caller, &subject, "rescue");
    let mut talk = if json {
        change.with_nobody(json)?
    } else {
        change.at_terminal(json, &format!("root runs: countersign-setup --json rescue {}", typed(name)))?
    };
    let done = change.run(&mut talk, |talk, means| flows::rescue(talk, means, valid));
    match done {
        Ok(_) => {
            change.log(change.line());
            Ok(Answer::told_before())
        }
        Err(not) => not.answer(),
    }
}
