//! The status of a person for `--json`, of which `list` is an array.
#![forbid(unsafe_code)]

use countersign::rules::date::rfc3339;
use countersign::rules::policy::Decision;
use countersign::rules::record::Authenticator;
use countersign::rules::throttle::{Gate, Lane};
use countersign::sys::Account;
use serde_json::{Value, json};

use super::known::State;
use crate::json;

/// `user` is the recorded name, where there is a record; `refused_until` is null unless the floor lies ahead of the clock.
pub(crate) fn value(state: &State, account: &Account) -> Value {
    let record = state.record.as_ref();
    let failed = state.failures();
    json!({
        "user": account.name,
        "uid": account.uid,
        "enrolled": record.is_some(),
        "enrolled_at": record.map(|record| rfc3339(record.created_at)),
        "authenticators": record.map(|record| record.authenticators.iter().map(|device| authenticator(state, device)).collect::<Vec<_>>()).unwrap_or_default(),
        "recovery_codes_left": record.map(|_| state.codes_left()),
        "recovery_codes_made_at": record.map(|record| rfc3339(record.recovery.created_at)),
        "rescue_code": rescue_code(state),
        "throttle": {
            "remote": lane(state, Lane::Remote),
            "local": lane(state, Lane::Local),
            "self": lane(state, Lane::Own),
        },
        "failures": {
            "count": failed.map_or(0, |failed| failed.count),
            "since": failed.map_or(Value::Null, |failed| json::time(failed.first)),
            "last_from": failed.map(|failed| failed.from.as_str()).filter(|from| !from.is_empty()),
        },
        "policy": policy(&state.decision),
        "refused_until": state.refused_until().map(rfc3339),
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

fn rescue_code(state: &State) -> Value {
    state.rescue_code().map_or(Value::Null, |code| {
        json!({
            "until": rfc3339(code.rescue.not_after),
            "by": code.rescue.created_by,
            "used": code.is_used,
            "issued_at": rfc3339(code.rescue.created_at),
            "ended": code.has_ended,
        })
    })
}

fn lane(state: &State, lane: Lane) -> Value {
    let (name, until) = match state.gate(lane) {
        Gate::Open => ("ready", Value::Null),
        Gate::Waiting { until } | Gate::Spent { until } => ("waiting", json::time(until)),
        Gate::Stopped { .. } => ("stopped", Value::Null),
    };
    json!({"state": name, "streak": state.streak(lane), "until": until, "budget_left": state.budget_left(lane)})
}

fn policy(decision: &Decision) -> Value {
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
