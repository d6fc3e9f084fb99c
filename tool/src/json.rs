//! What `--json` prints: one value, on one line. Keys are only ever added; what is unknown is null; times are RFC 3339.
#![forbid(unsafe_code)]

use countersign::flows::refusal::Refusal;
use countersign::flows::{Enrolled, Whom};
use countersign::rules::address;
use countersign::rules::date::rfc3339;
use serde_json::{Value, json};

pub(crate) fn line(value: &Value) -> String {
    format!("{value}\n")
}

pub(crate) fn error(refusal: &Refusal) -> Value {
    json!({"error": {
        "kind": refusal.kind.name(),
        "message": refusal.fact,
        "next": refusal.next,
        "exit": refusal.kind.exit(),
    }})
}

/// An enrollment, secrets included: for the program that asked for it.
pub(crate) fn enrolled(enrolled: &Enrolled, whom: &Whom<'_>) -> Value {
    let new = &enrolled.new;
    json!({
        "user": whom.name,
        "uid": whom.uid,
        "label": new.label,
        "issuer": new.entry.issuer,
        "account": new.entry.account,
        "digits": new.parameters.digits,
        "algorithm": new.parameters.algorithm.name(),
        "period": new.parameters.period,
        "secret": *address::base32(&new.secret),
        "uri": *new.address(),
        "recovery_codes": new.codes.iter().map(|code| code.grouped().to_string()).collect::<Vec<_>>(),
        "enrolled_at": rfc3339(enrolled.at),
        "first_code_at": null,
    })
}

/// A time, where 0 is never.
pub(crate) fn time(unix: i64) -> Value {
    if unix > 0 { Value::String(rfc3339(unix)) } else { Value::Null }
}
