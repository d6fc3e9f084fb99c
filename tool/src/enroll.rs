//! `enroll`: the flow, at this terminal or for a program, and what it comes to.
#![forbid(unsafe_code)]

use countersign::flows::refusal::Refusal;
use countersign::flows::{self, Enrolled, Options};
use countersign::rules::address::Entry;
use countersign::rules::audit::Change as Line;
use countersign::rules::date::minutes;
use countersign::rules::totp::Parameters;
use countersign::words::change as words;
use countersign::words::enroll::{folded, person, printed, recovery_codes, typed};

use crate::answer::{self, Answer};
use crate::arguments::{Enroll, Mode};
use crate::caller::Caller;
use crate::change::{Change, HandOver, told};
use crate::people::{self, Subject};
use crate::settings::Settings;
use crate::{secret, services};

pub(crate) fn run(settings: &Settings, caller: &Caller, asked: &Enroll, again: &str, json: bool) -> Result<Answer, Refusal> {
    answer::can_be_done()?;
    let account = people::as_recorded(&caller.whom, settings)?;
    let subject = Subject::of(caller, &account, settings);
    let options = options(settings, &subject, asked)?;
    let action = match asked.mode {
        Mode::New => "enroll",
        Mode::Add => "add",
        Mode::Replace => "replace",
    };
    let change = Change { action, entry: options.entry.clone(), ..Change::new(settings, caller, &subject, "enroll") };
    let user = typed(&subject.account.name);
    let without = format!("root runs: countersign-setup --json {again} --user {user} --no-confirm");
    let output = &asked.output;
    let all_in_files = output.qr_file.is_some() && (output.codes_file.is_some() || options.codes == 0 || asked.mode != Mode::New);
    let hand_over = HandOver { output, confirm: asked.confirm, json, all_in_files };
    let mut talk = change.with_secrets(&hand_over, &without)?;
    talk.again = again;
    let done = change.run(&mut talk, |talk, means| flows::enroll(talk, means, &options));
    let enrolled = match done {
        Ok(enrolled) => enrolled,
        Err(not) => return not.answer(),
    };
    change.log(Line { authenticator: Some(&enrolled.new.label), codes_left: Some(enrolled.codes_left), ..change.line() });
    Ok(told(all_told(&enrolled, &subject, asked.confirm), &talk))
}

/// What was asked for, and where nothing was, what is usual.
fn options(settings: &Settings, subject: &Subject<'_>, asked: &Enroll) -> Result<Options, Refusal> {
    let (whom, usual) = (subject.whom(), Parameters::default());
    let issuer = asked.issuer.as_deref().unwrap_or(whom.host);
    let account = asked.account.as_deref().unwrap_or(whom.name);
    Ok(Options {
        change: match asked.mode {
            Mode::New => flows::Change::First,
            Mode::Add => flows::Change::Add,
            Mode::Replace => flows::Change::Replace,
        },
        label: asked.label.clone(),
        entry: Entry::new(issuer, account),
        parameters: Parameters {
            algorithm: asked.algorithm.unwrap_or(usual.algorithm),
            digits: asked.digits.unwrap_or(usual.digits),
            period: asked.period.unwrap_or(usual.period),
        },
        secret: if asked.secret_stdin { Some(secret::from_stdin()?) } else { None },
        confirm: asked.confirm,
        codes: asked.codes.unwrap_or(settings.config.codes),
        window: settings.config.window,
    })
}

fn all_told(enrolled: &Enrolled, subject: &Subject<'_>, confirm: bool) -> String {
    let whom = subject.whom();
    let label = &enrolled.new.label;
    let outcome = match enrolled.change {
        flows::Change::First => {
            let codes = recovery_codes(enrolled.codes_left);
            folded(&format!("{} is enrolled: authenticator \"{label}\", {codes}.\n", person(&whom)))
        }
        flows::Change::Add => words::added(&whom, label, enrolled.codes_left),
        flows::Change::Replace => words::replaced(&whom, label, enrolled.codes_left),
    };
    let wait = match enrolled.first_code_at {
        Some(at) => format!("Its first code that logs in is the one of {}.\n", minutes(at)),
        None if confirm => "Wait for the app's next code: the one you typed here does not log in.\n".to_owned(),
        None => "Wait for the app's next code: the one it shows now does not log in.\n".to_owned(),
    };
    match enrolled.change {
        flows::Change::First => format!("{outcome}{wait}{}", next_step(subject)),
        flows::Change::Add | flows::Change::Replace => format!("{outcome}{wait}"),
    }
}

fn next_step(subject: &Subject<'_>) -> String {
    let (user, host) = (typed(&subject.account.name), printed(&subject.host));
    match services::asking(&["sshd", "sudo", "su"]).first() {
        Some(&"sshd") => try_it(&format!("ssh {user}@{host}")),
        Some(&"sudo") => try_it("sudo -k true"),
        Some(_) => try_it(&format!("su - {user}")),
        None => "No service asks for codes yet. An administrator runs: countersign-setup doctor\n".to_owned(),
    }
}

fn try_it(command: &str) -> String {
    folded(&format!("Stay logged in here, and in a second terminal try: {command}\n"))
}
