//! `enroll`: the flow, at this terminal or for a program, and what it comes to.
#![forbid(unsafe_code)]

use countersign::flows::refusal::{self, Kind, Refusal};
use countersign::flows::{self, Enrolled, Options, Why, World};
use countersign::rules::address::Entry;
use countersign::rules::audit::Change;
use countersign::sys;
use countersign::words::enroll::{folded, person, printed, recovery_codes};

use crate::answer::{self, Answer};
use crate::caller::Caller;
use crate::people::Subject;
use crate::reset::errno_of;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::terminal::{self, Conversation, Person, Terminal};
use crate::{log, services};

pub(crate) fn run(settings: &Settings, caller: &Caller, confirm: bool, json: bool) -> Result<Answer, Refusal> {
    let subject = Subject::new(&caller.whom, settings);
    let whom = subject.whom();
    answer::can_be_told()?;
    let mut talk = Conversation { person: someone(caller, &subject, confirm, json)?, json, has_told: false, whom: subject.whom() };
    let store = subject.store()?;
    let world = World { now: &sys::now, random: &sys::random, clock_unsynchronised: &sys::clock_unsynchronised };
    let options = Options { confirm, codes: settings.config.codes, window: settings.config.window, by: caller.by() };
    let enrolled = match flows::enroll(&mut talk, &store, &whom, &options, &world) {
        Ok(enrolled) => enrolled,
        Err(failure) => {
            if let Why::Maybe(trouble) = &failure.why {
                let line = Change { errno: Some(errno_of(trouble)), ..caller.change("enroll", subject.account) };
                log::write(&line.line(settings.config.log.format));
            }
            let refusal = refusal::enrollment(&failure, &whom, &Entry::new(whom.host, whom.name), subject.folder);
            return if talk.has_told { Ok(Answer::not_after_all(refusal)) } else { Err(refusal) };
        }
    };
    let line = Change {
        authenticator: Some(enrolled.new.label),
        codes_left: Some(enrolled.new.codes.len()),
        ..caller.change("enroll", subject.account)
    };
    let answer = if json {
        Answer::told_before()
    } else {
        if let Person::At(terminal) = &mut talk.person {
            // It is done: that the empty line can't be shown changes nothing.
            let _ = terminal.write("\n");
        }
        Answer::text(told(&enrolled, &subject, confirm)).done(answer::but_done(&outcome(&enrolled, &subject)))
    };
    log::write(&line.line(settings.config.log.format));
    Ok(answer)
}

/// Whom the flow talks to.
fn someone(caller: &Caller, subject: &Subject<'_>, confirm: bool, json: bool) -> Result<Person, Refusal> {
    let signals = Signals::held().map_err(|_| no_terminal(subject))?;
    if json && !confirm {
        return match caller.mistaken() {
            Some(user) => Err(terminal::whose(user)),
            None => Ok(Person::Nobody(signals)),
        };
    }
    let mut terminal = Terminal::open(signals).ok_or_else(|| no_terminal(subject))?;
    terminal.ask_who_is_meant(caller)?;
    Ok(Person::At(terminal))
}

fn no_terminal(subject: &Subject<'_>) -> Refusal {
    let user = printed(&subject.account.name);
    let next = format!("root runs: countersign-setup --json enroll --user {user} --no-confirm");
    Refusal::new(Kind::NoTerminal, "enroll needs a terminal", next)
}

fn outcome(enrolled: &Enrolled, subject: &Subject<'_>) -> String {
    let codes = recovery_codes(enrolled.new.codes.len());
    folded(&format!("{} is enrolled: authenticator \"{}\", {codes}.\n", person(&subject.whom()), enrolled.new.label))
}

fn told(enrolled: &Enrolled, subject: &Subject<'_>, confirm: bool) -> String {
    let which = if confirm { "the one you typed here does not log in" } else { "the one it shows now does not log in" };
    let (user, host) = (printed(&subject.account.name), &subject.host);
    let next = match services::asking(&["sshd", "sudo", "su"]).first() {
        Some(&"sshd") => try_it(&format!("ssh {user}@{host}")),
        Some(&"sudo") => try_it("sudo -k true"),
        Some(_) => try_it(&format!("su - {user}")),
        None => "No service asks for codes yet. An administrator runs: countersign-setup doctor\n".to_owned(),
    };
    format!("{}Wait for the app's next code: {which}.\n{next}", outcome(enrolled, subject))
}

fn try_it(command: &str) -> String {
    folded(&format!("Stay logged in here, and in a second terminal try: {command}\n"))
}
