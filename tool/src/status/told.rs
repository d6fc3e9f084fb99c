//! How the status of someone who is enrolled is told.
#![forbid(unsafe_code)]

use std::fmt::Write;

use countersign::rules::date::minutes;
use countersign::rules::policy::Decision;
use countersign::rules::record::{Authenticator, Record};
use countersign::rules::throttle::{Gate, Lane};
use countersign::rules::totp::Algorithm;
use countersign::words::enroll::{person, printed, typed};

use super::known::{RescueCode, State};
use crate::caller::Caller;
use crate::people::Subject;

pub(super) fn told(state: &State, record: &Record, subject: &Subject<'_>, caller: &Caller) -> String {
    let mut out = format!("{}: enrolled since {}\n", person(&subject.whom()), minutes(record.created_at));
    if record.name != caller.whom.name {
        line(&mut out, "other name", &format!("\"{}\" is the same account", printed(&caller.whom.name)));
    }
    for device in authenticators(state, record) {
        line(&mut out, "authenticator", &device);
    }
    line(&mut out, "recovery codes", &codes(state, record, &subject.option(caller)));
    if let Some(until) = state.refused_until() {
        let name = typed(&subject.account.name);
        let until = format!("refused until {}; a recovery code works now;\n", minutes(until));
        line(&mut out, "codes", &format!("{until}if the clock here is right, run: countersign-setup unlock {name}"));
    }
    for (name, lane) in [("remote logins", Lane::Remote), ("local logins", Lane::Local), ("own programs", Lane::Own)] {
        match state.gate(lane) {
            Gate::Open if lane == Lane::Own => {}
            gate => line(&mut out, name, &lane_state(gate, lane, state, subject, caller)),
        }
    }
    if let Some(code) = state.rescue_code() {
        line(&mut out, "rescue code", &rescue_code(&code));
    }
    if let Some(failed) = state.failures() {
        let from = if failed.from.as_str().is_empty() { String::new() } else { format!(", last from {}", printed(failed.from.as_str())) };
        line(&mut out, "failures", &format!("{} since {}{from}", failed.count, minutes(failed.first)));
    }
    line(&mut out, "policy", &policy(&state.decision, &caller.whom.name));
    out
}

/// `name  value`; a second line of the value stands below the first.
fn line(out: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{name:<16}{}", value.replace('\n', "\n                "));
}

/// One line each, label and parameters below one another.
fn authenticators(state: &State, record: &Record) -> Vec<String> {
    let all: Vec<_> = record.authenticators.iter().map(|device| (device, parameters(device))).collect();
    let label = all.iter().map(|(device, _)| device.label.len()).max().unwrap_or(0);
    let widest = all.iter().map(|(_, parameters)| parameters.len()).max().unwrap_or(0);
    let told = |(device, parameters): &(&Authenticator, String)| {
        let used = state.last_used(device).map_or_else(|| "never used".to_owned(), |used| format!("last used {}", minutes(used)));
        format!("{:<label$}  {parameters:<widest$}  {used}", device.label)
    };
    all.iter().map(told).collect()
}

fn parameters(device: &Authenticator) -> String {
    let algorithm = match device.parameters.algorithm {
        Algorithm::Sha1 => "SHA-1",
        Algorithm::Sha256 => "SHA-256",
    };
    format!("{algorithm}, {} digits, {} s", device.parameters.digits, device.parameters.period)
}

fn codes(state: &State, record: &Record, option: &str) -> String {
    let left = state.codes_left();
    let more = if left <= 3 { format!("; new ones:\ncountersign-setup recovery{option}") } else { String::new() };
    format!("{left} left, made {}{more}", minutes(record.recovery.created_at))
}

fn lane_state(gate: Gate, lane: Lane, state: &State, subject: &Subject<'_>, caller: &Caller) -> String {
    let works = if lane == Lane::Own { "" } else { "; a recovery code works now" };
    match gate {
        Gate::Open => "ready".to_owned(),
        Gate::Waiting { until } | Gate::Spent { until } => format!("waiting until {}{works}", minutes(until)),
        Gate::Stopped { since } => {
            let (since, count) = (minutes(since), wrong_in_a_row(lane, state));
            // Their owner helps himself; root can end somebody's stop.
            let next = if caller.named {
                format!("use a recovery code, or run: countersign-setup unlock {}", typed(&subject.account.name))
            } else {
                "use a recovery code, then: countersign-setup enroll --replace".to_owned()
            };
            format!("stopped since {since} ({count} wrong codes in a row);\n{next}")
        }
    }
}

/// Of this lane; or of all, where all together are what has stopped it.
fn wrong_in_a_row(lane: Lane, state: &State) -> u16 {
    let all = Lane::ALL.into_iter().fold(0_u16, |sum, lane| sum.saturating_add(state.streak(lane)));
    if all >= 100 { all } else { state.streak(lane) }
}

fn rescue_code(code: &RescueCode<'_>) -> String {
    let until = if code.has_ended { "ended" } else { "until" };
    let used = if code.is_used { "used" } else { "not used" };
    format!("{until} {}, by {}, {used}", minutes(code.rescue.not_after), printed(&code.rescue.created_by))
}

fn policy(decision: &Decision, name: &str) -> String {
    match decision {
        Decision::Ask => "a code is asked".to_owned(),
        Decision::Skip(skip) if skip.reason == "exempt_users" => {
            format!("none is asked (exempt_users: {})", printed(name))
        }
        Decision::Skip(skip) => format!("none is asked ({})", skip.reason),
        Decision::AskAndRefuse { reason, .. } | Decision::RefuseUnasked { reason } => format!("refused ({reason})"),
    }
}
