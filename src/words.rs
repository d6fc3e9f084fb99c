//! Every sentence a person reads at a login. How they are written:
//!
//! - The machine speaks, about now, to one person: "you", never "I" or "we". No "please", "sorry" or "invalid", no
//!   exclamation mark, no blame; "can't" and "is".
//! - A question ends in `Verification code: ` (or the text of [prompt]), whatever stands in front of it: what does not
//!   depend on the answer stands there, because some hosts show nothing else. What does depend on it is a message.
//! - A message line begins with `countersign: `, in lower case, without a full stop, and fits 80 columns; a notice has
//!   two lines at most. Names from outside may make a line longer: they are escaped, never cut to fit.
//! - What is wrong comes with the next step: a command, or whom to ask. A command ends its line.
//! - While waiting or stopped, no word depends on whether a code was right. No code and nothing that was typed is said.
//! - Plain ASCII, no colours. Times are `2026-11-24 09:14 UTC`; a wait is one unit, rounded up: `40 s`, `4 min`.
//! - One word for one thing: second factor, authenticator, code, recovery code, rescue code, enrolled, waiting,
//!   stopped, administrator. Never: token, device, OTP, 2FA, locked.
#![forbid(unsafe_code)]

pub mod change;
pub mod enroll;

use crate::rules::date::{self, Date};
use crate::rules::notice::Notice;
use crate::rules::outside::{MOST, escaped};

/// What stands in front of the question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Front {
    /// The step that the app shows now has logged in already: seconds until the next.
    NextCode {
        seconds: i64,
    },
    /// The same where seconds would promise too much: another authenticator's steps are longer.
    NextCodeSoon,
    /// Waiting, or the budget is spent: seconds.
    Wait {
        seconds: i64,
    },
    Stopped,
    ClockBehind,
    StoreUnavailable,
}

/// The question: what stands in front, and the text of [prompt], which ends in white space.
pub fn question(front: Option<Front>, text: &str) -> String {
    match front {
        None => text.to_owned(),
        Some(Front::NextCode { seconds }) => format!("Next code in {}. {text}", wait(seconds)),
        Some(Front::NextCodeSoon) => format!("Next code soon. {text}"),
        Some(Front::Wait { seconds }) => format!("Wait {}, or use a recovery code. {text}", wait(seconds)),
        Some(Front::Stopped) => format!("Codes are stopped, use a recovery code. {text}"),
        Some(Front::ClockBehind) => format!("The clock here is behind, use a recovery code. {text}"),
        Some(Front::StoreUnavailable) => format!("Store unavailable, ask an administrator. {text}"),
    }
}

/// What follows an answer that was refused, or stands where none was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// Wrong, not enrolled, or an unknown user: the same words.
    NotAccepted,
    CodeUsed,
    RecoveryCodeUsed,
    Malformed,
    Typo,
    Busy,
    /// Seconds.
    Wait {
        seconds: i64,
    },
    Stopped,
    /// The machine's time, unix seconds.
    ClockBehind {
        now: i64,
    },
    OtherName,
    StoreUnavailable,
    FileSizeLimit,
    Configuration,
}

/// The message. It begins with a newline: sshd may hold text back and glue it to its next question.
pub fn message(message: Message) -> String {
    lines(&[match message {
        Message::NotAccepted => "not accepted; try the next code, a recovery code, or ask for help".to_owned(),
        Message::CodeUsed => "a code was used just now, wait for the next one".to_owned(),
        Message::RecoveryCodeUsed => "recovery code already used, take another".to_owned(),
        Message::Malformed => "that is not a code: digits from the app, or a recovery code".to_owned(),
        Message::Typo => "typing error in the recovery code, not counted; type it again".to_owned(),
        Message::Busy => "busy, nothing was counted; try again".to_owned(),
        Message::Wait { seconds } => format!("not checked; wait {}, or use a recovery code", wait(seconds)),
        Message::Stopped => "not checked; codes are stopped, use a recovery code".to_owned(),
        Message::ClockBehind { now } => format!("clock behind ({}); only a recovery code works", date::minutes(now)),
        Message::OtherName => "enrolled under another name, not checked; ask an administrator".to_owned(),
        Message::StoreUnavailable => "store unavailable, nothing was accepted; ask an administrator".to_owned(),
        Message::FileSizeLimit => "file size limit too low, nothing was accepted; raise it: ulimit -f".to_owned(),
        Message::Configuration => "configuration error; as root run: countersign-setup explain".to_owned(),
    }])
}

/// All notices of a success as one message, begun with a newline; `None` if there are none.
pub fn notices(notices: &[Notice]) -> Option<String> {
    let all: Vec<String> = notices.iter().flat_map(notice).collect();
    (!all.is_empty()).then(|| lines(&all))
}

fn notice(notice: &Notice) -> [String; 2] {
    let outside = |text: &str| escaped(text.as_bytes(), MOST);
    match notice {
        Notice::Authenticator { label, replaced, at, by } => {
            let done = if *replaced { "replaced" } else { "added" };
            [
                format!("authenticator \"{}\" {done} {} by {}", outside(label), date::minutes(*at), outside(by)),
                "if that was not you, tell an administrator".to_owned(),
            ]
        }
        Notice::Failures { count, since, last_from } => {
            let codes = if *count == 1 { "code" } else { "codes" };
            let from = match last_from.as_str() {
                "" => String::new(),
                from => format!(", last from {}", outside(from)),
            };
            [
                format!("{count} wrong {codes} since {}{from}", date::minutes(*since)),
                "if that was not you, change your password: passwd".to_owned(),
            ]
        }
        Notice::RecoveryUsed { left: 0, .. } => [
            "LAST recovery code used; new ones: countersign-setup recovery".to_owned(),
            "phone lost? ask an administrator for a reset".to_owned(),
        ],
        Notice::RecoveryUsed { at, left } => [
            format!("recovery code used {}, {left} left", date::minutes(*at)),
            if *left <= 3 { "new ones: countersign-setup recovery" } else { "phone lost? countersign-setup enroll --replace" }.to_owned(),
        ],
        Notice::Rescue { at, by, used } => [
            format!("rescue code issued {} by {}, {}", date::minutes(*at), outside(by), if *used { "used" } else { "not used" }),
            "if you did not ask for it, tell an administrator".to_owned(),
        ],
    }
}

/// Said to those who have not enrolled and are let past until that day; `left` is the time until then in seconds.
pub fn required_from(date: Date, left: i64) -> String {
    lines(&[format!("from {date} (in {}) logins need a second factor", wait(left)), "set it up: countersign-setup enroll".to_owned()])
}

fn lines(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str("\ncountersign: ");
        text.push_str(line);
    }
    text
}

/// A wait in seconds as one unit, rounded up: `40 s`, `4 min`, `2 h`, `7 days`.
pub fn wait(seconds: i64) -> String {
    let seconds = seconds.max(1);
    let in_units_of = |unit: i64| {
        let whole = seconds.checked_div(unit).unwrap_or(0);
        whole.saturating_add(i64::from(whole.saturating_mul(unit) < seconds))
    };
    match (in_units_of(60), in_units_of(3600), in_units_of(86_400)) {
        _ if seconds < 60 => format!("{seconds} s"),
        (minutes, _, _) if minutes < 60 => format!("{minutes} min"),
        (_, hours, _) if hours < 24 => format!("{hours} h"),
        (_, _, 1) => "1 day".to_owned(),
        (_, _, days) => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::journal::Source;

    const TEXT: &str = "Verification code: ";
    const AT: i64 = 1_795_511_647;

    #[test]
    fn waits_are_one_unit_rounded_up() {
        for (seconds, expected) in [
            (i64::MIN, "1 s"),
            (0, "1 s"),
            (12, "12 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "2 min"),
            (240, "4 min"),
            (3540, "59 min"),
            (3541, "1 h"),
            (3600, "1 h"),
            (3601, "2 h"),
            (82_800, "23 h"),
            (82_801, "1 day"),
            (86_401, "2 days"),
            (571_500, "7 days"),
        ] {
            assert_eq!(wait(seconds), expected, "{seconds}");
        }
        assert!(wait(i64::MAX).ends_with(" days"));
    }

    #[test]
    fn a_question_ends_in_the_prompt_always() {
        for (front, expected) in [
            (None, "Verification code: "),
            (Some(Front::NextCode { seconds: 12 }), "Next code in 12 s. Verification code: "),
            (Some(Front::NextCodeSoon), "Next code soon. Verification code: "),
            (Some(Front::Wait { seconds: 240 }), "Wait 4 min, or use a recovery code. Verification code: "),
            (Some(Front::Stopped), "Codes are stopped, use a recovery code. Verification code: "),
            (Some(Front::ClockBehind), "The clock here is behind, use a recovery code. Verification code: "),
            (Some(Front::StoreUnavailable), "Store unavailable, ask an administrator. Verification code: "),
        ] {
            assert_eq!(question(front, TEXT), expected);
            assert!(question(front, "Prüfcode: ").ends_with("Prüfcode: "));
            assert!(expected.len() <= 80);
        }
    }

    const MESSAGES: [(Message, &str); 13] = [
        (Message::NotAccepted, "not accepted; try the next code, a recovery code, or ask for help"),
        (Message::CodeUsed, "a code was used just now, wait for the next one"),
        (Message::RecoveryCodeUsed, "recovery code already used, take another"),
        (Message::Malformed, "that is not a code: digits from the app, or a recovery code"),
        (Message::Typo, "typing error in the recovery code, not counted; type it again"),
        (Message::Busy, "busy, nothing was counted; try again"),
        (Message::Wait { seconds: 181 }, "not checked; wait 4 min, or use a recovery code"),
        (Message::Stopped, "not checked; codes are stopped, use a recovery code"),
        (Message::ClockBehind { now: AT - 3600 }, "clock behind (2026-11-24 08:14 UTC); only a recovery code works"),
        (Message::OtherName, "enrolled under another name, not checked; ask an administrator"),
        (Message::StoreUnavailable, "store unavailable, nothing was accepted; ask an administrator"),
        (Message::FileSizeLimit, "file size limit too low, nothing was accepted; raise it: ulimit -f"),
        (Message::Configuration, "configuration error; as root run: countersign-setup explain"),
    ];

    #[test]
    fn a_message_is_an_empty_line_and_one_of_ours() {
        for (given, expected) in MESSAGES {
            assert_eq!(message(given), format!("\ncountersign: {expected}"));
            assert!(expected.is_ascii() && expected.len() + "countersign: ".len() <= 80, "{expected}");
        }
    }

    #[test]
    fn l_05_while_waiting_or_stopped_the_message_names_the_way_in() {
        for given in [Message::Wait { seconds: 5 }, Message::Stopped, Message::ClockBehind { now: 0 }] {
            assert!(message(given).contains("recovery code"));
        }
    }

    fn authenticator(label: &str, replaced: bool, by: &str) -> Notice {
        Notice::Authenticator { label: label.to_owned(), replaced, at: AT, by: by.to_owned() }
    }

    fn failures(count: u32, from: &str) -> Notice {
        Notice::Failures { count, since: AT, last_from: Source::new(from.as_bytes()) }
    }

    #[test]
    fn l_03_a_notice_is_two_lines_of_80_columns() {
        for (given, first, second) in [
            (
                authenticator("phone", false, "alice"),
                "authenticator \"phone\" added 2026-11-24 09:14 UTC by alice",
                "if that was not you, tell an administrator",
            ),
            (
                authenticator("phone", true, "root (bob)"),
                "authenticator \"phone\" replaced 2026-11-24 09:14 UTC by root (bob)",
                "if that was not you, tell an administrator",
            ),
            (
                failures(3, "198.51.100.9"),
                "3 wrong codes since 2026-11-24 09:14 UTC, last from 198.51.100.9",
                "if that was not you, change your password: passwd",
            ),
            (failures(1, ""), "1 wrong code since 2026-11-24 09:14 UTC", "if that was not you, change your password: passwd"),
        ] {
            check_notice(&notices(&[given]).unwrap(), first, second);
        }
        let date = Date::new(2026, 12, 1).unwrap();
        check_notice(
            &required_from(date, date.start() - AT),
            "from 2026-12-01 (in 7 days) logins need a second factor",
            "set it up: countersign-setup enroll",
        );
        assert_eq!(notices(&[]), None);
        assert_eq!(notices(&[failures(1, ""), failures(2, ""), authenticator("a", true, "b")]).unwrap().lines().count(), 7);
    }

    #[test]
    fn k_04_the_count_of_recovery_codes_is_told_with_what_to_do() {
        let used = |left| notices(&[Notice::RecoveryUsed { at: AT, left }]).unwrap();
        for left in [9, 4] {
            let first = format!("recovery code used 2026-11-24 09:14 UTC, {left} left");
            check_notice(&used(left), &first, "phone lost? countersign-setup enroll --replace");
        }
        for left in 1..=3 {
            let first = format!("recovery code used 2026-11-24 09:14 UTC, {left} left");
            check_notice(&used(left), &first, "new ones: countersign-setup recovery");
        }
        check_notice(
            &used(0),
            "LAST recovery code used; new ones: countersign-setup recovery",
            "phone lost? ask an administrator for a reset",
        );
    }

    #[test]
    fn k_05_the_issuer_of_a_rescue_code_is_named() {
        for (used, word) in [(true, "used"), (false, "not used")] {
            let text = notices(&[Notice::Rescue { at: AT, by: "root (bob)".to_owned(), used }]).unwrap();
            let first = format!("rescue code issued 2026-11-24 09:14 UTC by root (bob), {word}");
            check_notice(&text, &first, "if you did not ask for it, tell an administrator");
        }
    }

    fn check_notice(text: &str, first: &str, second: &str) {
        assert_eq!(text, format!("\ncountersign: {first}\ncountersign: {second}"));
        assert!(text.lines().all(|line| line.is_ascii() && line.len() <= 80), "{text}");
    }

    #[test]
    fn names_from_outside_are_escaped() {
        let rescue = Notice::Rescue { at: AT, by: "root (d\n\x1b)".to_owned(), used: false };
        let text = notices(&[authenticator("a\"\x1b[2J", false, "b\nc\u{202e}"), failures(2, "x\x1by\"z"), rescue]).unwrap();
        assert_eq!(text.lines().count(), 7);
        assert!(text.contains(r"by root (d\x0a\x1b), not used"), "{text}");
        assert!(
            text.contains(r#""a\x22\x1b[2J" added"#) && text.contains(r"by b\x0ac\xe2\x80\xae") && text.contains(r"from x?y\x22z"),
            "{text}"
        );
    }

    #[test]
    fn the_voice_has_words_it_never_uses() {
        let mut all: Vec<String> = MESSAGES.iter().map(|(given, _)| message(*given)).collect();
        all.extend(notices(&[Notice::RecoveryUsed { at: 0, left: 0 }, failures(1, ""), authenticator("phone", true, "bob")]));
        for text in all {
            for word in ["please", "sorry", "oops", "invalid", "token", "device", "otp", "2fa", "locked", "!", " we ", " i "] {
                assert!(!text.to_lowercase().contains(word), "{word}: {text}");
            }
            assert!(!text.ends_with('.'));
        }
    }
}
