//! What is told of somebody who has no second factor: what that means, and how to set one up.
#![forbid(unsafe_code)]

use countersign::rules::policy::Decision;
use countersign::words::change::required_from;
use countersign::words::enroll::{folded, person};

use super::State;
use crate::caller::Caller;
use crate::people::Subject;
use crate::services;

pub(crate) fn unenrolled(state: &State, subject: &Subject<'_>, caller: &Caller) -> String {
    let set_up = format!("Set up a second factor: countersign-setup enroll{}\n", subject.option(caller));
    let who = person(&subject.whom());
    let (whose, whom, needs) = if caller.named {
        let name = subject.printed();
        (format!("{name}'s"), name.clone(), format!("{name} needs"))
    } else {
        ("your".to_owned(), "you".to_owned(), "You need".to_owned())
    };
    let not = |rest: &str| folded(&format!("{who}: not enrolled. {rest}\n"));
    match &state.decision {
        Decision::Skip(skip) => match skip.end {
            Some(end) => format!("{}{set_up}", not(&required_from((end.date, end.left)))),
            None => {
                let needs = folded(&format!("{needs} a phone with an authenticator app, and paper for ten recovery codes.\n"));
                format!("{}{needs}{set_up}", not(&format!("No code is asked at {whose} logins here.")))
            }
        },
        Decision::Ask | Decision::AskAndRefuse { .. } | Decision::RefuseUnasked { .. } => {
            format!("{}{set_up}", not(&required_now(&whom)))
        }
    }
}

fn required_now(whom: &str) -> String {
    let services = services::asking(&["sshd", "login", "sudo", "su"]);
    let verb = if services.len() == 1 { "refuses" } else { "refuse" };
    if services.is_empty() {
        "Required now, but no service asks for codes yet.".to_owned()
    } else {
        format!("Required now: {} {verb} {whom}.", services.join(", "))
    }
}
