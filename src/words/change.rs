//! The sentences of changes to a second factor that stands. Each ends its line, but a question, which ends in a space.
#![forbid(unsafe_code)]

use zeroize::Zeroizing;

use super::enroll::{Intro, command, folded, person, printed, recovery_codes, typed};
use crate::rules::code::RecoveryCode;
use crate::rules::date::{Date, minutes};
use crate::rules::whom::Whom;
use crate::words::wait;

pub const PASSWORD: &str = "Password: ";

pub const CURRENT_CODE: &str = "Current code, or a recovery code (it is then used up): ";

pub const NEW_RECOVERY_CODES: Intro = Intro {
    of_shown: "\
New recovery codes, for the day the phone is lost. They are shown only now:
print them or write them down, and keep them away from the phone. The old ones
work until the end of this; Ctrl-C leaves everything as it was.
",
    of_file: "\
New recovery codes, for the day the phone is lost. Keep them away from it.
",
};

/// An authenticator's label as it is printed.
fn authenticator(label: &str) -> String {
    format!("authenticator \"{}\"", printed(label))
}

/// `The 7 recovery codes left stay.`
fn codes_stay(whom: &Whom<'_>, left: usize) -> String {
    match left {
        0 => format!("No recovery code is left; new ones: {}", command("recovery", whom)),
        1 => "The 1 recovery code left stays.".to_owned(),
        _ => format!("The {left} recovery codes left stay."),
    }
}

pub fn added(whom: &Whom<'_>, label: &str, codes_left: usize) -> String {
    folded(&format!("{}: {} added. {}\n", person(whom), authenticator(label), codes_stay(whom, codes_left)))
}

pub fn replaced(whom: &Whom<'_>, label: &str, codes_left: usize) -> String {
    let replaced = format!("{}: {} replaced. {}\n", person(whom), authenticator(label), codes_stay(whom, codes_left));
    format!("{}The old entry no longer works: delete it from the app.\n", folded(&replaced))
}

pub fn renewed(count: usize) -> String {
    let new = recovery_codes(count).replace("recovery", "new recovery");
    folded(&format!("{new}. All old ones have stopped working.\n"))
}

pub fn removed(whom: &Whom<'_>, label: &str, staying: &[String]) -> String {
    let labels: Vec<String> = staying.iter().map(|label| format!("\"{}\"", printed(label))).collect();
    let verb = if labels.len() == 1 { "stays" } else { "stay" };
    folded(&format!("{}: {} removed. {} {verb}.\n", person(whom), authenticator(label), labels.join(", ")))
}

/// `end`: the day from which a second factor is required again, and the seconds until then.
pub fn disabled(whom: &Whom<'_>, end: Option<(Date, i64)>) -> String {
    let whose = if whom.named { format!("{}'s", printed(whom.name)) } else { "your".to_owned() };
    let now = match end {
        Some(end) => required_from(end),
        None => format!("No code is asked at {whose} logins here."),
    };
    folded(&format!("{}: second factor removed. {now}\n", person(whom)))
}

/// `Required from 2026-12-01 00:00 UTC (in 7 days).`
pub fn required_from((date, left): (Date, i64)) -> String {
    format!("Required from {date} 00:00 UTC (in {}).", wait(left))
}

/// The code is for the terminal alone.
pub fn rescue(whom: &Whom<'_>, code: &RecoveryCode, until: i64) -> Zeroizing<String> {
    let (who, user) = (person(whom), printed(whom.name));
    let until = minutes(until);
    let lead = folded(&format!(
        "One use for {who}, until {until}: a login, or a change of the second factor (new phone, new codes). Nothing else changes:\n"
    ));
    let end = folded(&format!("Read it out to {user}, who types it at \"Verification code:\".\n"));
    Zeroizing::new(format!("{lead}  {}\n{end}", *code.grouped()))
}

pub fn same_person(whom: &Whom<'_>, old: &str) -> String {
    let (old, new) = (printed(old), printed(whom.name));
    folded(&format!("The second factor of uid {} was made for \"{old}\". Is {new} the same person? [y/N] ", whom.uid))
}

pub fn adopted(whom: &Whom<'_>, old: &str) -> String {
    let (old, new, host) = (printed(old), printed(whom.name), printed(whom.host));
    folded(&format!("uid {} on {host}: the second factor of \"{old}\" is now that of \"{new}\".\n", whom.uid))
}

pub fn unlocked(whom: &Whom<'_>) -> String {
    folded(&format!("{}: remote and local logins are ready.\n", person(whom)))
}

pub fn journal_made_anew(whom: &Whom<'_>) -> String {
    let user = typed(whom.name);
    let made = folded(&format!("{}: journal made anew. All recovery codes are used up.\n", person(whom)));
    format!("{made}Next: countersign-setup recovery --user {user}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::code::Slot;

    const WHOM: Whom<'_> = Whom { uid: 1000, name: "alice", host: "web1", named: false };

    #[test]
    fn what_was_done_is_said_with_what_stays() {
        assert_eq!(added(&WHOM, "tablet", 7), "alice on web1: authenticator \"tablet\" added. The 7 recovery codes left stay.\n");
        assert_eq!(
            replaced(&WHOM, "phone", 1),
            "alice on web1: authenticator \"phone\" replaced. The 1 recovery code left stays.\n\
             The old entry no longer works: delete it from the app.\n"
        );
        assert!(added(&WHOM, "phone", 0).ends_with("No recovery code is left; new ones:\ncountersign-setup recovery\n"));
        assert_eq!(renewed(10), "10 new recovery codes. All old ones have stopped working.\n");
        assert_eq!(renewed(1), "1 new recovery code. All old ones have stopped working.\n");
        let staying = ["phone".to_owned(), "key".to_owned()];
        assert_eq!(removed(&WHOM, "tablet", &staying[..1]), "alice on web1: authenticator \"tablet\" removed. \"phone\" stays.\n");
        assert_eq!(removed(&WHOM, "tablet", &staying), "alice on web1: authenticator \"tablet\" removed. \"phone\", \"key\" stay.\n");
    }

    #[test]
    fn a_rescue_code_comes_with_whom_it_is_for_and_until_when() {
        let code = RecoveryCode::made(Slot::of_symbol('R').unwrap(), &[3; 14]);
        let grouped = code.grouped();
        assert_eq!(
            *rescue(&WHOM, &code, 1_795_513_800),
            format!(
                "One use for alice on web1, until 2026-11-24 09:50 UTC: a login, or a change of\n\
                 the second factor (new phone, new codes). Nothing else changes:\n  {}\n\
                 Read it out to alice, who types it at \"Verification code:\".\n",
                *grouped
            )
        );
    }
}
