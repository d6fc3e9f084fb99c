//! Without a command: the state of one's own second factor, and what to do next.
#![forbid(unsafe_code)]

use countersign::flows::refusal::Refusal;
use countersign::words::enroll::{folded, person, recovery_codes};

use crate::answer::Answer;
use crate::caller::Caller;
use crate::people::{self, Subject};
use crate::settings::Settings;
use crate::status::{self, State};

pub(crate) fn run(settings: &Settings, caller: &Caller) -> Result<Answer, Refusal> {
    let account = people::as_recorded(&caller.whom, settings)?;
    let subject = Subject::of(caller, &account, settings);
    let state = State::read(&subject, settings, caller)?;
    Ok(Answer::new(told(&state, &subject, caller), status::value(&state, subject.account), state.record.is_none()))
}

fn told(state: &State, subject: &Subject<'_>, caller: &Caller) -> String {
    let Some(record) = &state.record else { return status::unenrolled(state, subject, caller) };
    let labels: Vec<_> = record.authenticators.iter().map(|device| format!("\"{}\"", device.label)).collect();
    let plural = if labels.len() == 1 { "" } else { "s" };
    let (who, left) = (person(&subject.whom()), recovery_codes(state.codes_left()));
    let enrolled = folded(&format!("{who}: enrolled. Authenticator{plural} {}, {left} left.\n", labels.join(", ")));
    format!("{enrolled}More: countersign-setup status{}\n", subject.option(caller))
}
