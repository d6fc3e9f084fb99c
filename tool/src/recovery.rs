//! `recovery`: new recovery codes in place of all old ones.
#![forbid(unsafe_code)]

use countersign::flows;
use countersign::flows::refusal::Refusal;
use countersign::rules::audit::Change as Line;
use countersign::words::change as words;
use countersign::words::enroll::typed;

use crate::answer::{self, Answer};
use crate::arguments;
use crate::caller::Caller;
use crate::change::{Change, HandOver, told};
use crate::people::{self, Subject};
use crate::settings::Settings;

/// How many whoever asks for codes gets where the configuration says that an enrollment makes none.
const USUAL: u8 = 10;

pub(crate) fn run(settings: &Settings, caller: &Caller, asked: &arguments::Recovery, again: &str, json: bool) -> Result<Answer, Refusal> {
    answer::can_be_done()?;
    let account = people::as_recorded(&caller.whom, settings)?;
    let subject = Subject::of(caller, &account, settings);
    let change = Change::new(settings, caller, &subject, "recovery");
    let user = typed(&subject.account.name);
    let without = format!("root runs: countersign-setup --json {again} --user {user} --no-confirm");
    let hand_over = HandOver { output: &asked.output, confirm: asked.confirm, json, all_in_files: asked.output.codes_file.is_some() };
    let mut talk = change.with_secrets(&hand_over, &without)?;
    let configured = if settings.config.codes == 0 { USUAL } else { settings.config.codes };
    let count = asked.codes.unwrap_or(configured);
    let done = change.run(&mut talk, |talk, means| flows::recovery(talk, means, count, asked.confirm));
    let new = match done {
        Ok(new) => new,
        Err(not) => return not.answer(),
    };
    change.log(Line { codes_left: Some(new.codes.len()), ..change.line() });
    Ok(told(words::renewed(new.codes.len()), &talk))
}
