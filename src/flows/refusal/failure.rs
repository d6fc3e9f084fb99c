//! Of a flow that did not come to its end: why, and what to do with what was shown for nothing.
#![forbid(unsafe_code)]

use super::trouble::{maybe, told};
use super::{Kind, Refusal, errno, quoted};
use crate::flows::{Denial, Failure, Gone, Leftover, Whom, Why};
use crate::rules::address::Entry;
use crate::rules::date::minutes;
use crate::rules::record::AUTHENTICATORS;
use crate::store::Trouble;
use crate::words::enroll::{command, entry, printed, typed};
use crate::words::wait;

/// A flow that did not come to its end. `name`: the entry that the app was to have.
pub fn flow(failure: &Failure, whom: &Whom<'_>, name: &Entry, store: &str) -> Refusal {
    let again = "start again".to_owned();
    let undo = undo(failure.leftover, name);
    let next = || undo.clone().unwrap_or_else(|| again.clone());
    let and_again = || undo.as_ref().map_or_else(|| again.clone(), |undo| format!("{undo} and start again"));
    match &failure.why {
        Why::Gone(Gone::Interrupted) => Refusal::new(Kind::Interrupted, "interrupted, nothing was changed", next()),
        Why::Gone(Gone::Closed(number)) => {
            Refusal::new(Kind::NoTerminal, format!("the terminal is gone ({}), nothing was changed", errno(*number)), next())
        }
        Why::Gone(Gone::Output(number)) => Refusal::new(
            if *number == libc::ENOSPC { Kind::NoSpace } else { Kind::StoreUnavailable },
            format!("can't write to standard output ({}), nothing was changed", errno(*number)),
            undo.as_ref().map_or_else(|| "mend that and start again".to_owned(), |undo| format!("mend that, {undo} and start again")),
        ),
        Why::NoRightAnswer => Refusal::new(Kind::NotAccepted, "no right answer in 3 tries, nothing was changed", and_again()),
        Why::NoRandom => Refusal::new(Kind::StoreUnavailable, "the kernel gives no random bytes, nothing was changed", "try again"),
        Why::Trouble(trouble) => {
            let entry_shown = matches!(failure.leftover, Leftover::Entry | Leftover::NewEntry);
            let refusal = told(trouble, whom, store, entry_shown);
            match undo {
                // The old codes may be gone too, by what was quicker.
                Some(_) if *trouble == Trouble::Changed && failure.leftover == Leftover::Codes => {
                    Refusal { next: format!("throw the new codes away, then {}", refusal.next), ..refusal }
                }
                Some(undo) if refusal.kind != Kind::NoSpace || !entry_shown => {
                    Refusal { next: format!("{undo}, then {}", refusal.next), ..refusal }
                }
                Some(_) | None => refusal,
            }
        }
        Why::Maybe(trouble) => maybe(trouble, whom, store),
        other => not_begun(other, whom),
    }
}

/// What a person should do with what was shown and is good for nothing.
fn undo(leftover: Leftover, name: &Entry) -> Option<String> {
    match leftover {
        Leftover::Nothing => None,
        Leftover::Entry => Some(format!("delete the entry \"{}\" from the app", entry(name))),
        Leftover::NewEntry => Some(format!("delete the new entry \"{}\" from the app", entry(name))),
        Leftover::Codes => Some("throw the new codes away (the old ones still work)".to_owned()),
        Leftover::Rescue => Some("forget the code above (it does not work)".to_owned()),
    }
}

fn not_begun(why: &Why, whom: &Whom<'_>) -> Refusal {
    let (user, typed) = (printed(whom.name), typed(whom.name));
    let names = |labels: &[String]| labels.iter().map(|label| printed(label)).collect::<Vec<_>>().join(", ");
    match why {
        Why::FloorAhead { last, enrolled } => Refusal::new(
            Kind::NotAccepted,
            format!("codes up to {} are refused here, nothing was changed", minutes(*last)),
            if *enrolled {
                format!("set the clock, or when it is right run: countersign-setup unlock {typed}")
            } else {
                format!("set the clock, or in a terminal run: countersign-setup enroll --user {typed}")
            },
        ),
        Why::TimeAhead { newest } => Refusal::new(
            Kind::NotAccepted,
            format!("the last code here was typed {} by a clock that was ahead, nothing was changed", minutes(*newest)),
            format!("set the clock, or when it is right run: countersign-setup unlock {typed}"),
        ),
        Why::WrongPassword => Refusal::new(Kind::NotAccepted, "password not accepted, nothing was changed", "start again"),
        Why::Denied(denial) => denied(*denial),
        Why::TooMany => Refusal::new(
            Kind::TooMany,
            format!("{user} has {AUTHENTICATORS} authenticators, more can't be"),
            format!("remove one: {}", command("remove LABEL", whom)),
        ),
        Why::Several(labels) => Refusal::new(
            Kind::Usage,
            format!("{user} has several authenticators"),
            format!("name the one to replace with --label: {}", names(labels)),
        ),
        Why::LabelTaken(label) => Refusal::new(
            Kind::AlreadyEnrolled,
            format!("{user} has an authenticator {} already", quoted(label)),
            "give another name with --label, or run it with --replace for a new phone",
        ),
        Why::NoSuchLabel { label, there } => Refusal::new(
            Kind::NoSuchLabel,
            format!("{user} has no authenticator {}", quoted(label)),
            format!("there {}: {}", if there.len() == 1 { "is" } else { "are" }, names(there)),
        ),
        Why::OnlyOne(label) => Refusal::new(
            Kind::LastAuthenticator,
            format!("{} is the only authenticator", quoted(label)),
            format!("run: {}", command("disable", whom)),
        ),
        Why::RequiredByPolicy(rule) => Refusal::new(
            Kind::RequiredByPolicy,
            format!("required for {user} ({rule})"),
            format!("for a new phone: {}", command("enroll --replace", whom)),
        ),
        Why::CodesFull => {
            Refusal::new(Kind::CodesFull, "this set of codes is full", format!("first: countersign-setup recovery --user {typed}"))
        }
        Why::NoOtherName => Refusal::new(
            Kind::NotEnrolled,
            format!("no record with another name for uid {}", whom.uid),
            format!("see: countersign-setup status --user {typed}"),
        ),
        Why::Declined => Refusal::new(
            Kind::NotAccepted,
            "nothing was changed",
            format!("if the account is another person's now: countersign-setup reset {typed}"),
        ),
        // Told by the caller.
        Why::Gone(_) | Why::Trouble(_) | Why::Maybe(_) | Why::NoRightAnswer | Why::NoRandom => {
            Refusal::new(Kind::StoreUnavailable, "nothing was changed", "try again")
        }
    }
}

/// The code that a change asks for first was not accepted.
fn denied(denial: Denial) -> Refusal {
    let fact = |fact: &str| format!("{fact}, nothing was changed");
    match denial {
        Denial::Wrong => {
            Refusal::new(Kind::NotAccepted, fact("current code not accepted"), "start again with the next code or a recovery code")
        }
        Denial::Typo => Refusal::new(Kind::NotAccepted, fact("typing error in the recovery code, not counted"), "start again"),
        Denial::Malformed => {
            Refusal::new(Kind::NotAccepted, fact("that is not a code"), "start again with the digits from the app, or a recovery code")
        }
        other => not_evaluated(other).unwrap_or_else(|| Refusal::new(Kind::NotAccepted, fact("not accepted"), "start again")),
    }
}

/// What is said of a code wherever it is asked for; `None` for one that is simply wrong.
pub fn not_evaluated(denial: Denial) -> Option<Refusal> {
    let works = "a recovery code works now";
    Some(match denial {
        Denial::Wrong | Denial::Typo | Denial::Malformed => return None,
        Denial::Used => Refusal::new(Kind::AlreadyUsed, "a code was used just now", "wait for the next one"),
        Denial::RecoveryUsed => Refusal::new(Kind::AlreadyUsed, "recovery code already used", "take another"),
        Denial::Waiting { until, now } => {
            let wait = wait(until.saturating_sub(now));
            Refusal::new(Kind::Waiting, format!("waiting {wait} after too many wrong codes"), works)
        }
        Denial::Stopped { since } => {
            Refusal::new(Kind::Stopped, format!("codes are stopped since {} after too many wrong ones", minutes(since)), works)
        }
        Denial::ClockBehind { now } => {
            Refusal::new(Kind::NotAccepted, format!("the clock here is behind ({})", minutes(now)), format!("set it; {works}"))
        }
    })
}
