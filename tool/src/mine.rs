//! Without a command: the state of one's own second factor, and what to do next.
#![forbid(unsafe_code)]

use countersign::flows::refusal::Refusal;
use countersign::rules::policy::Decision;
use countersign::words;
use countersign::words::enroll::{folded, person, printed, recovery_codes};

use crate::answer::Answer;
use crate::caller::Caller;
use crate::people::Subject;
use crate::services;
use crate::settings::Settings;
use crate::status::{self, State};

pub(crate) fn run(settings: &Settings, caller: &Caller) -> Result<Answer, Refusal> {
    let subject = Subject::new(&caller.whom, settings);
    let state = State::read(&subject, settings)?;
    Ok(Answer::new(told(&state, &subject, caller), status::value(&state, &subject), state.record.is_none()))
}

pub(crate) fn told(state: &State, subject: &Subject<'_>, caller: &Caller) -> String {
    let (who, user) =
        (person(&subject.whom()), if caller.named { format!(" --user {}", printed(&subject.account.name)) } else { String::new() });
    let set_up = format!("Set up a second factor: countersign-setup enroll{user}\n");
    let not = |rest: &str| folded(&format!("{who}: not enrolled. {rest}\n"));
    if let Some(record) = &state.record {
        let labels: Vec<_> = record.authenticators.iter().map(|device| format!("\"{}\"", device.label)).collect();
        let plural = if labels.len() == 1 { "" } else { "s" };
        let left = recovery_codes(state.codes_left());
        let enrolled = folded(&format!("{who}: enrolled. Authenticator{plural} {}, {left} left.\n", labels.join(", ")));
        return format!("{enrolled}More: countersign-setup status{user}\n");
    }
    match &state.decision {
        Decision::Skip(skip) => match skip.end {
            Some(end) => {
                let begins = format!("Required from {} 00:00 UTC (in {}).", end.date, words::wait(end.left));
                format!("{}{set_up}", not(&begins))
            }
            None => format!(
                "{}You need a phone with an authenticator app, and paper for ten recovery codes.\n{set_up}",
                not("No code is asked at your logins here.")
            ),
        },
        Decision::Ask | Decision::AskAndRefuse { .. } | Decision::RefuseUnasked { .. } => {
            let services = services::asking(&["sshd", "login", "sudo", "su"]);
            let verb = if services.len() == 1 { "refuses" } else { "refuse" };
            let required = if services.is_empty() {
                "Required now, but no service asks for codes yet.".to_owned()
            } else {
                format!("Required now: {} {verb} you.", services.join(", "))
            };
            format!("{}{set_up}", not(&required))
        }
    }
}
