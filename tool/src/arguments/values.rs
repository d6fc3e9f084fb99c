//! The values of options: text becomes what it means, or a sentence that says what is wanted. None repeats what was
//! typed.
#![forbid(unsafe_code)]

use std::path::{Component, Path, PathBuf};

use countersign::rules::outside::is_printable;
use countersign::rules::record::is_label;
use countersign::rules::totp::Algorithm;

use super::{Mode, Output, Qr, Written};

type Wrong = String;

pub(super) fn mode(written: &Written) -> Result<Mode, Wrong> {
    match (written.has("--add"), written.has("--replace")) {
        (false, false) => Ok(Mode::New),
        (true, false) => Ok(Mode::Add),
        (false, true) => Ok(Mode::Replace),
        (true, true) => Err("--add and --replace can't stand together".to_owned()),
    }
}

pub(super) fn label(text: &str) -> Result<String, Wrong> {
    if is_label(text) { Ok(text.to_owned()) } else { Err("a label is 1 to 32 of A-Z a-z 0-9 space . _ -".to_owned()) }
}

/// The most characters of an issuer or an account, as apps show them.
const LONGEST: usize = 64;

/// Of `--issuer` and `--account`. A colon would part the two in the address that the QR code holds.
pub(super) fn entry(written: &Written, name: &str) -> Result<Option<String>, Wrong> {
    let fits =
        |text: &str| (1..=LONGEST).contains(&text.chars().count()) && text.chars().all(|letter| letter != ':' && is_printable(letter));
    match written.value(name) {
        Some(text) if !fits(text) => Err(format!("{name} is 1 to {LONGEST} printable characters, no colon")),
        text => Ok(text.map(str::to_owned)),
    }
}

pub(super) fn digits(written: &Written) -> Result<Option<u8>, Wrong> {
    one_of(written, "--digits", "6 or 8", |text| [6, 8].into_iter().find(|digits| text == digits.to_string()))
}

pub(super) fn period(written: &Written) -> Result<Option<u8>, Wrong> {
    one_of(written, "--period", "30 or 60", |text| [30, 60].into_iter().find(|period| text == period.to_string()))
}

pub(super) fn algorithm(written: &Written) -> Result<Option<Algorithm>, Wrong> {
    one_of(written, "--algorithm", "sha1 or sha256", Algorithm::named)
}

/// How many recovery codes: an enrollment may have none, new ones in place of the old are at least one.
pub(super) fn codes(written: &Written, least: u8) -> Result<Option<u8>, Wrong> {
    let wanted = format!("a number from {least} to 20");
    one_of(written, "--codes", &wanted, |text| {
        number(text).and_then(|codes| u8::try_from(codes).ok()).filter(|codes| (least..=20).contains(codes))
    })
}

/// Seconds of `--valid`, half an hour without it.
pub(super) fn valid(written: &Written) -> Result<i64, Wrong> {
    let seconds = |text: &str| {
        let (count, unit) = text.split_at_checked(text.len().saturating_sub(1))?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        number(count)?.checked_mul(unit).filter(|seconds| (60..=86_400).contains(seconds))
    };
    Ok(one_of(written, "--valid", "1 minute to 24 hours, such as 30m", seconds)?.unwrap_or(1800))
}

/// Digits alone: no sign, no space.
fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn one_of<T>(written: &Written, name: &str, wanted: &str, meant: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Wrong> {
    match written.value(name) {
        None => Ok(None),
        Some(text) => meant(text).map(Some).ok_or_else(|| format!("{name} is {wanted}")),
    }
}

pub(super) fn output(written: &Written) -> Result<Output, Wrong> {
    let named = |text: &str| {
        [("auto", Qr::Auto), ("utf8", Qr::Utf8), ("ascii", Qr::Ascii), ("none", Qr::None)].into_iter().find(|(name, _)| *name == text)
    };
    let qr = one_of(written, "--qr", "auto, utf8, ascii or none", named)?.map_or(Qr::Auto, |(_, qr)| qr);
    let qr_file = one_of(written, "--qr-file", "a file that ends in .png or .svg", picture)?;
    let codes_file = written.value("--codes-file").map(PathBuf::from);
    if qr_file.as_deref().zip(codes_file.as_deref()).is_some_and(|(one, other)| is_same(one, other)) {
        return Err("--qr-file and --codes-file name the same file".to_owned());
    }
    Ok(Output { qr, invert: written.has("--invert"), qr_file, codes_file })
}

fn picture(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    path.extension().is_some_and(|ending| ending == "png" || ending == "svg").then_some(path)
}

/// By the names alone. What leads to one file on other ways is found when the second is made: neither overwrites.
fn is_same(one: &Path, other: &Path) -> bool {
    let steps = |path: &Path| {
        path.components().filter(|step| *step != Component::CurDir).map(|step| step.as_os_str().to_owned()).collect::<Vec<_>>()
    };
    steps(one) == steps(other)
}
