//! `status`: what is set up, what is left, who waits. Never a secret.
#![forbid(unsafe_code)]

mod known;
mod told;
mod unenrolled;
mod value;

use countersign::flows::refusal::Refusal;

pub(crate) use self::known::{Found, State};
pub(crate) use self::unenrolled::unenrolled;
pub(crate) use self::value::value;

use crate::answer::Answer;
use crate::caller::Caller;
use crate::people::{self, Subject};
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings, caller: &Caller) -> Result<Answer, Refusal> {
    let account = people::as_recorded(&caller.whom, settings)?;
    let subject = Subject::of(caller, &account, settings);
    let state = State::read(&subject, settings, caller)?;
    let text = match &state.record {
        Some(record) => told::told(&state, record, &subject, caller),
        None => unenrolled(&state, &subject, caller),
    };
    Ok(Answer::new(text, value(&state, subject.account), state.record.is_none()))
}
