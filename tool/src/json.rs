//! What `--json` prints: one value, on one line. Keys are only ever added; what is unknown is null; times are RFC 3339.
#![forbid(unsafe_code)]

use countersign::flows::refusal::Refusal;
use countersign::flows::{Enrolled, Made, Whom};
use countersign::rules::address;
use countersign::rules::code::RecoveryCode;
use countersign::rules::date::rfc3339;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

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

/// What a flow has made, secrets included, for the program that asked for it: a line that is wiped.
pub(crate) fn made(made: &Made<'_>, whom: &Whom<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let (user, uid) = (whom.name, whom.uid);
    match made {
        Made::Authenticator(made) => enrolled(made, whom),
        Made::Codes(new) => {
            let codes = grouped(&new.codes);
            let recovery_codes = codes.iter().map(|code| code.as_str()).collect();
            wiped(&Codes { user, uid, recovery_codes, made_at: rfc3339(new.at) })
        }
        Made::Rescue(issued) => wiped(&RescueCode { user, uid, rescue_code: &issued.code.grouped(), until: rfc3339(issued.until) }),
        Made::Nothing => None,
    }
}

#[derive(Serialize)]
struct Codes<'a> {
    user: &'a str,
    uid: u32,
    recovery_codes: Vec<&'a str>,
    made_at: String,
}

#[derive(Serialize)]
struct RescueCode<'a> {
    user: &'a str,
    uid: u32,
    rescue_code: &'a str,
    until: String,
}

#[derive(Serialize)]
struct Authenticator<'a> {
    user: &'a str,
    uid: u32,
    label: &'a str,
    issuer: &'a str,
    account: &'a str,
    digits: u8,
    algorithm: &'a str,
    period: u8,
    secret: &'a str,
    uri: &'a str,
    recovery_codes: Vec<&'a str>,
    enrolled_at: String,
    first_code_at: Option<String>,
}

fn enrolled(enrolled: &Enrolled, whom: &Whom<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let new = &enrolled.new;
    let codes = grouped(&new.codes.codes);
    wiped(&Authenticator {
        user: whom.name,
        uid: whom.uid,
        label: &new.label,
        issuer: &new.entry.issuer,
        account: &new.entry.account,
        digits: new.parameters.digits,
        algorithm: new.parameters.algorithm.name(),
        period: new.parameters.period,
        secret: &address::base32(&new.secret),
        uri: &new.address(),
        recovery_codes: codes.iter().map(|code| code.as_str()).collect(),
        enrolled_at: rfc3339(enrolled.at),
        first_code_at: enrolled.first_code_at.map(rfc3339),
    })
}

fn grouped(codes: &[RecoveryCode]) -> Vec<Zeroizing<String>> {
    codes.iter().map(RecoveryCode::grouped).collect()
}

fn wiped(value: &impl Serialize) -> Option<Zeroizing<Vec<u8>>> {
    // Enough for all, so that no copy is left behind by a growing buffer.
    let mut line = Zeroizing::new(Vec::with_capacity(16 * 1024));
    serde_json::to_writer(&mut *line, value).ok()?;
    line.push(b'\n');
    Some(line)
}

/// A time, where 0 is never.
pub(crate) fn time(unix: i64) -> Value {
    if unix > 0 { Value::String(rfc3339(unix)) } else { Value::Null }
}
