//! `status`: what is set up, what is left, who waits. Never a secret.
#![forbid(unsafe_code)]

use std::fmt::Write;

use countersign::flows::refusal::Refusal;
use countersign::rules::date::{minutes, rfc3339};
use countersign::rules::journal::Journal;
use countersign::rules::notice::{self, Notice};
use countersign::rules::policy::{self, Decision, Facts};
use countersign::rules::record::{Authenticator, Record};
use countersign::rules::throttle::{Gate, Lane};
use countersign::rules::totp::Algorithm;
use countersign::store::Trouble;
use countersign::sys;
use countersign::words::enroll::{person, printed};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::caller::Caller;
use crate::people::Subject;
use crate::settings::Settings;
use crate::{json, mine};

/// What is known of one person, read under the lock.
pub(crate) struct State {
    pub(crate) record: Option<Record>,
    journal: Journal,
    pub(crate) now: i64,
    pub(crate) decision: Decision,
}

impl State {
    pub(crate) fn read(subject: &Subject<'_>, settings: &Settings) -> Result<Self, Refusal> {
        let store = subject.store()?;
        let (record, journal) = (|| {
            let locked = store.lock(subject.account.uid)?;
            match locked.standing() {
                Ok(standing) => {
                    countersign::verify::is_made_for(&standing.record, &[&subject.account.name])?;
                    let journal = standing.journal().clone();
                    Ok((Some(standing.record), journal))
                }
                Err(Trouble::NotEnrolled) => Ok((None, locked.journal()?.unwrap_or_default())),
                Err(trouble) => Err(trouble),
            }
        })()
        .map_err(|trouble| subject.refusal(&trouble))?;
        let now = sys::now();
        let facts = Facts {
            config: &settings.config,
            account: Some(&subject.account.name),
            enrolled: record.is_some(),
            now,
            config_changed: settings.changed,
        };
        let decision = policy::decide(&facts);
        Ok(Self { record, journal, now, decision })
    }

    pub(crate) fn codes_left(&self) -> usize {
        self.record.as_ref().map_or(0, |record| record.codes_left(self.journal.spent_of(record.recovery.id)))
    }

    /// When that authenticator was last used; a use before it was made is another's.
    fn last_used(&self, device: &Authenticator) -> Option<i64> {
        let used = self.journal.used.get(usize::from(device.number).saturating_sub(1)).copied();
        used.filter(|used| *used >= device.created_at)
    }
}

pub(crate) fn run(settings: &Settings, caller: &Caller) -> Result<Answer, Refusal> {
    let subject = Subject::new(&caller.whom, settings);
    let state = State::read(&subject, settings)?;
    let text = match &state.record {
        Some(record) => told(&state, record, &subject),
        None => mine::told(&state, &subject, caller),
    };
    Ok(Answer::new(text, value(&state, &subject), state.record.is_none()))
}

fn told(state: &State, record: &Record, subject: &Subject<'_>) -> String {
    let mut out = format!("{}: enrolled since {}\n", person(&subject.whom()), minutes(record.created_at));
    let widest = record.authenticators.iter().map(|device| device.label.len()).max().unwrap_or(0);
    for device in &record.authenticators {
        let used = state.last_used(device).map_or_else(|| "never used".to_owned(), |used| format!("last used {}", minutes(used)));
        let parameters = parameters(device);
        line(&mut out, "authenticator", &format!("{:<widest$}  {parameters}  {used}", device.label));
    }
    line(&mut out, "recovery codes", &codes(state, record));
    for (name, lane) in [("remote logins", Lane::Remote), ("local logins", Lane::Local), ("own programs", Lane::Own)] {
        match state.journal.throttle.gate(lane, state.now) {
            Gate::Open if lane == Lane::Own => {}
            gate => line(&mut out, name, &lane_state(gate, lane, &state.journal)),
        }
    }
    for code in &record.recovery.codes {
        if let Some(rescue) = code.rescue.as_ref().filter(|rescue| rescue.not_after >= state.now) {
            let used = if state.journal.is_spent(record.recovery.id, code.slot) { "used" } else { "not used" };
            line(&mut out, "rescue code", &format!("until {}, by {}, {used}", minutes(rescue.not_after), printed(&rescue.created_by)));
        }
    }
    if let Some(Notice::Failures { count, since, last_from }) = notice::failures(&state.journal, state.now) {
        let from = if last_from.as_str().is_empty() { String::new() } else { format!(", last from {}", printed(last_from.as_str())) };
        line(&mut out, "failures", &format!("{count} since {}{from}", minutes(since)));
    }
    line(&mut out, "policy", &policy_words(&state.decision, subject));
    out
}

/// `name  value`; a second line of the value stands below the first.
fn line(out: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{name:<16}{}", value.replace('\n', "\n                "));
}

fn parameters(device: &Authenticator) -> String {
    let algorithm = match device.parameters.algorithm {
        Algorithm::Sha1 => "SHA-1",
        Algorithm::Sha256 => "SHA-256",
    };
    format!("{algorithm}, {} digits, {} s", device.parameters.digits, device.parameters.period)
}

fn codes(state: &State, record: &Record) -> String {
    let left = state.codes_left();
    let more = if left <= 3 { "; new ones:\ncountersign-setup recovery" } else { "" };
    format!("{left} left, made {}{more}", minutes(record.recovery.created_at))
}

fn lane_state(gate: Gate, lane: Lane, journal: &Journal) -> String {
    let works = if lane == Lane::Own { "" } else { "; a recovery code works now" };
    match gate {
        Gate::Open => "ready".to_owned(),
        Gate::Waiting { until } | Gate::Spent { until } => format!("waiting until {}{works}", minutes(until)),
        Gate::Stopped { since } => {
            let count = wrong_in_a_row(lane, journal);
            format!(
                "stopped since {} ({count} wrong codes in a row);\nuse a recovery code, then: countersign-setup enroll --replace",
                minutes(since)
            )
        }
    }
}

/// Of this lane; or of all, where all together are what has stopped it.
fn wrong_in_a_row(lane: Lane, journal: &Journal) -> u16 {
    let all = Lane::ALL.into_iter().fold(0_u16, |sum, lane| sum.saturating_add(journal.throttle.of(lane).streak));
    if all >= 100 { all } else { journal.throttle.of(lane).streak }
}

fn policy_words(decision: &Decision, subject: &Subject<'_>) -> String {
    match decision {
        Decision::Ask => "a code is asked".to_owned(),
        Decision::Skip(skip) if skip.reason == "exempt_users" => {
            format!("none is asked (exempt_users: {})", printed(&subject.account.name))
        }
        Decision::Skip(skip) => format!("none is asked ({})", skip.reason),
        Decision::AskAndRefuse { reason, .. } | Decision::RefuseUnasked { reason } => format!("refused ({reason})"),
    }
}

pub(crate) fn value(state: &State, subject: &Subject<'_>) -> Value {
    let record = state.record.as_ref();
    let failures = notice::failures(&state.journal, state.now);
    let (count, since, from) = match &failures {
        Some(Notice::Failures { count, since, last_from }) => (*count, json::time(*since), Some(last_from.as_str())),
        Some(_) | None => (0, Value::Null, None),
    };
    json!({
        "user": subject.account.name,
        "uid": subject.account.uid,
        "enrolled": record.is_some(),
        "enrolled_at": record.map(|record| rfc3339(record.created_at)),
        "authenticators": record.map(|record| record.authenticators.iter().map(|device| authenticator(state, device)).collect::<Vec<_>>()).unwrap_or_default(),
        "recovery_codes_left": record.map(|_| state.codes_left()),
        "recovery_codes_made_at": record.map(|record| rfc3339(record.recovery.created_at)),
        "rescue_code": rescue(state),
        "throttle": {
            "remote": lane(state, Lane::Remote),
            "local": lane(state, Lane::Local),
            "self": lane(state, Lane::Own),
        },
        "failures": {"count": count, "since": since, "last_from": from.filter(|from| !from.is_empty())},
        "policy": policy_value(&state.decision),
    })
}

fn authenticator(state: &State, device: &Authenticator) -> Value {
    json!({
        "label": device.label,
        "digits": device.parameters.digits,
        "algorithm": device.parameters.algorithm.name(),
        "period": device.parameters.period,
        "created_at": rfc3339(device.created_at),
        "last_used_at": state.last_used(device).map(rfc3339),
    })
}

fn rescue(state: &State) -> Value {
    let record = state.record.as_ref();
    let code = record.and_then(|record| record.recovery.codes.iter().find_map(|code| Some((record, code, code.rescue.as_ref()?))));
    code.map_or(Value::Null, |(record, code, rescue)| {
        json!({
            "until": rfc3339(rescue.not_after),
            "by": rescue.created_by,
            "used": state.journal.is_spent(record.recovery.id, code.slot),
        })
    })
}

fn lane(state: &State, lane: Lane) -> Value {
    let throttle = &state.journal.throttle;
    let (name, until) = match throttle.gate(lane, state.now) {
        Gate::Open => ("ready", Value::Null),
        Gate::Waiting { until } | Gate::Spent { until } => ("waiting", json::time(until)),
        Gate::Stopped { .. } => ("stopped", Value::Null),
    };
    json!({"state": name, "streak": throttle.of(lane).streak, "until": until, "budget_left": throttle.budget_left(lane, state.now)})
}

fn policy_value(decision: &Decision) -> Value {
    match decision {
        Decision::Ask => json!({"decision": "ask", "rule": null, "until": null}),
        Decision::Skip(skip) => {
            json!({"decision": "skip", "rule": skip.reason, "until": skip.end.map(|end| rfc3339(end.date.start()))})
        }
        Decision::AskAndRefuse { reason, .. } | Decision::RefuseUnasked { reason } => {
            json!({"decision": "refuse", "rule": reason, "until": null})
        }
    }
}
