//! The sentences of an enrollment. Each ends its line, but a question, which ends in a space.
#![forbid(unsafe_code)]

use std::fmt::Write;

use zeroize::Zeroizing;

use crate::rules::address::Entry;
use crate::rules::code::RecoveryCode;
use crate::rules::date::{self, minutes};
use crate::rules::outside::escaped;
use crate::rules::phone::whole_hours;
use crate::rules::totp::{Algorithm, Parameters};
use crate::rules::whom::Whom;

/// The columns of a terminal that the sentences are broken for.
pub const COLUMNS: usize = 80;
/// The most bytes of a name that are printed.
const NAME: usize = 256;

/// Breaks a sentence at spaces where it passes the last column; nothing is cut.
pub fn folded(text: &str) -> String {
    broken(text, "")
}

/// The same with the lines after a break that far in. What is quoted stays whole, and so does a command, which is there to
/// be copied and ends its line.
pub fn broken(text: &str, indent: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(16));
    let mut column = 0_usize;
    let mut rest = text;
    while !rest.is_empty() {
        let (word, more) = rest.split_at_checked(word_length(rest)).unwrap_or((rest, ""));
        let width = word.trim_end_matches([' ', '\n']).chars().count();
        if column > indent.len() && column.saturating_add(width) > COLUMNS {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        }
        out.push_str(word);
        column = if word.ends_with('\n') { 0 } else { column.saturating_add(word.chars().count()) };
        rest = more;
    }
    out
}

/// Up to where a line may break, the space or newline included.
fn word_length(text: &str) -> usize {
    let is_command = text.starts_with("countersign-setup ");
    let mut is_quoted = false;
    let end = text.find(|letter: char| {
        is_quoted ^= letter == '"';
        letter == '\n' || letter == ' ' && !is_quoted && !is_command
    });
    end.map_or(text.len(), |at| at.saturating_add(1))
}

/// A user or a host as it is printed.
pub fn printed(name: &str) -> String {
    escaped(name.as_bytes(), NAME)
}

/// A name as it is typed in a command, in quotes where a shell would take it apart. One that a terminal may not show as it
/// is can't be copied from there: the reader has to know it.
pub fn typed(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@%+:,-".contains(&byte);
    let is_shown = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    match name {
        "" => "NAME".to_owned(),
        name if name.len() > NAME || !name.bytes().all(is_shown) => "NAME".to_owned(),
        name if name.bytes().all(is_plain) => name.to_owned(),
        name => format!("'{}'", name.replace('\'', "'\\''")),
    }
}

/// `web1: alice`.
pub fn entry(entry: &Entry) -> String {
    format!("{}: {}", printed(&entry.issuer), printed(&entry.account))
}

/// A command about that person, as whoever reads it types it.
pub fn command(words: &str, whom: &Whom<'_>) -> String {
    let option = if whom.named { format!(" --user {}", typed(whom.name)) } else { String::new() };
    format!("countersign-setup {words}{option}")
}

/// `alice on web1`.
pub fn person(whom: &Whom<'_>) -> String {
    format!("{} on {}", printed(whom.name), printed(whom.host))
}

pub fn opening(whom: &Whom<'_>) -> String {
    folded(&format!("Second factor for {}. Nothing is active until the end; Ctrl-C leaves everything as it was.\n", person(whom)))
}

/// The question where the floor lies ahead of the clock.
pub fn floor_ahead(last: i64, now: i64) -> String {
    format!("Codes up to {} are refused. It is now {}.\nIs that right? [y/N] ", minutes(last), minutes(now))
}

/// `steps`: none where nothing is asked.
pub fn scan(name: &Entry, steps: Option<u8>) -> String {
    let step = steps.map(|steps| format!("Step 1 of {steps}. ")).unwrap_or_default();
    folded(&format!("{step}Scan this with an authenticator app ({}):\n", entry(name)))
}

pub fn type_it_in(secret_in_groups: &str, parameters: Parameters) -> Zeroizing<String> {
    let usual = Parameters::default();
    let mut kind = String::from("time-based");
    if parameters != usual {
        let algorithm = if parameters.algorithm == Algorithm::Sha1 { "SHA-1" } else { "SHA-256" };
        // Writing to a String cannot fail.
        let _ = write!(kind, ", {algorithm}, {} digits, {} s", parameters.digits, parameters.period);
    }
    let secret = format!("Can't scan? Type it in: {secret_in_groups}");
    let secret = Zeroizing::new(secret);
    // A break in the secret is one between its groups; what kind of code it is for stays in one piece.
    let is_one_line = secret.len().saturating_add(kind.len()).saturating_add(3) <= COLUMNS;
    let mut text = Zeroizing::new(String::with_capacity(secret.len().saturating_add(kind.len()).saturating_add(8)));
    let _ = writeln!(text, "{}{}({kind})", *Zeroizing::new(folded(&secret)), if is_one_line { ' ' } else { '\n' });
    text
}

pub fn digits_now(digits: u8, steps: u8) -> String {
    format!("Step 2 of {steps}. The {digits} digits the app shows now: ")
}

fn tries(left: u8) -> String {
    if left == 1 { "1 try left".to_owned() } else { format!("{left} tries left") }
}

fn digits_again(left: u8) -> String {
    format!("The digits now ({}): ", tries(left))
}

/// The kernel says that its own clock isn't synchronised; `clock` is what it shows.
fn own_clock(host: &str, clock: i64) -> String {
    let (host, time) = (printed(host), date::time_of_day(clock));
    folded(&format!("{host}'s own clock is not synchronised ({time}): it may be the wrong one.\n"))
}

pub fn no_code(name: &Entry, host: &str, clock: Option<i64>, left: u8) -> String {
    let fact = format!("That is no code of the entry {}.", entry(name));
    match clock {
        Some(clock) => format!("{}{}{}", folded(&format!("{fact}\n")), own_clock(host, clock), digits_again(left)),
        None => folded(&format!("{fact} {}", digits_again(left))),
    }
}

pub fn clock_is_off(seconds: i64, host: &str, clock: Option<i64>, left: u8) -> String {
    let own = clock.map(|clock| own_clock(host, clock)).unwrap_or_default();
    format!("{}{own}Turn on automatic time on the phone. {}", offset(seconds, host), digits_again(left))
}

/// By how much the phone's clock is off.
pub fn offset(seconds: i64, host: &str) -> String {
    let is_past = seconds < 0;
    let lead =
        |span: &str| if is_past { format!("That was the code of {span} ago:") } else { format!("That is the code of {span} from now:") };
    let text = match whole_hours(seconds) {
        Some(hours) => format!("{} the phone's time zone or clock is off by {hours} h.\n", lead(&format!("{hours} h"))),
        None => {
            let (span, side) = (span(seconds.saturating_abs()), if is_past { "behind" } else { "ahead of" });
            format!("{} the phone's clock is about {span} {side} {}'s.\n", lead(&span), printed(host))
        }
    };
    folded(&text)
}

/// A time in one unit: seconds up to two minutes.
fn span(seconds: i64) -> String {
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds.saturating_add(59) / 60) }
}

/// What stands before recovery codes on the screen, and before the name of the file that they are in.
#[derive(Clone, Copy)]
pub struct Intro {
    pub of_shown: &'static str,
    pub of_file: &'static str,
}

pub const RECOVERY_CODES: Intro = Intro {
    of_shown: "
Step 3 of 3. Recovery codes, for the day the phone is lost. They are shown only
now: print them or write them down, and keep them away from the phone.
",
    of_file: "
Step 3 of 3. Recovery codes, for the day the phone is lost.
",
};

const RULE: &str = "------------------------------------------------------------------------\n";

/// The sheet to print or copy: two columns, numbered down.
pub fn sheet(whom: &Whom<'_>, codes: &[RecoveryCode], now: i64) -> Zeroizing<String> {
    let rows = codes.len().div_ceil(2);
    // Enough for all, so that no copy of the codes is left behind by a growing buffer.
    let mut out = Zeroizing::new(String::with_capacity(4096));
    let (host, user) = (printed(whom.host), printed(whom.name));
    // Writing to a String cannot fail.
    let _ = write!(out, "{RULE}  Recovery codes   host {host}   user {user}   made {}\n\n", minutes(now));
    for row in 0..rows {
        for (place, width) in [(row, 6), (row.saturating_add(rows), 10)] {
            if let Some(code) = codes.get(place) {
                let _ = write!(out, "{:>width$}  {}", place.saturating_add(1), *code.grouped());
            }
        }
        out.push('\n');
    }
    out.push_str(
        "
  Each works once. Type one at \"Verification code:\" in place of the app's
  code, then cross it out. Capitals, spaces and hyphens do not matter.
  New ones: countersign-setup recovery (all of these then stop working)
",
    );
    out.push_str(RULE);
    out
}

pub fn in_file(count: usize, name: &str) -> String {
    folded(&format!("{} are in \"{}\" (mode 0600). Print it, then delete it.\n", recovery_codes(count), printed(name)))
}

pub fn code_back(number: usize) -> String {
    format!("From your copy, type code {number} (this does not use it up): ")
}

pub fn typing_error(number: usize, left: u8) -> String {
    format!("There is a typing error in it. Code {number} ({}): ", tries(left))
}

pub fn another_code(number: usize, left: u8) -> String {
    format!("That is another code. Code {number} ({}): ", tries(left))
}

/// `10 recovery codes`.
pub fn recovery_codes(count: usize) -> String {
    match count {
        0 => "no recovery codes".to_owned(),
        1 => "1 recovery code".to_owned(),
        _ => format!("{count} recovery codes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::code::Slot;

    #[test]
    fn sentences_break_at_the_last_column_and_nothing_is_cut() {
        let whom = Whom { uid: 1000, name: "alice", host: "web1", named: false };
        assert_eq!(
            opening(&whom),
            "Second factor for alice on web1. Nothing is active until the end; Ctrl-C leaves\neverything as it was.\n"
        );
        let long = "x".repeat(200);
        assert_eq!(folded(&format!("a {long} b")), format!("a\n{long}\nb"));
    }

    #[test]
    fn a_secret_breaks_between_its_groups() {
        let usual = type_it_in(&["GEZD"; 8].join(" "), Parameters::default());
        assert_eq!(*usual, format!("Can't scan? Type it in:{} (time-based)\n", " GEZD".repeat(8)));
        let other = Parameters { digits: 8, ..Parameters::default() };
        let (eight, eleven) = (" GEZD".repeat(8), " GEZD".repeat(11));
        assert_eq!(*type_it_in(eight.trim(), other), format!("Can't scan? Type it in:{eight}\n(time-based, SHA-1, 8 digits, 30 s)\n"));
        let longest = type_it_in(&["GEZD"; 26].join(" "), Parameters::default());
        assert_eq!(*longest, format!("Can't scan? Type it in:{eleven}\n{}\n(time-based)\n", ["GEZD"; 15].join(" ")));
    }

    #[test]
    fn a_name_in_a_command_is_what_a_shell_gives_back() {
        for name in ["alice", "alice@corp.example", "CORP\\alice", "it's", "a b", "a;reboot", "$(reboot)", "-n", "1000"] {
            let shell = std::process::Command::new("sh").args(["-c", &format!("printf %s {}", typed(name))]).output().unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), name);
        }
        for name in ["", "zoë", "a\nb", "\x1b[2J", &"x".repeat(300)] {
            assert_eq!(typed(name), "NAME");
        }
    }

    #[test]
    fn the_sheet_has_two_columns_for_any_number_of_codes() {
        let whom = Whom { uid: 1000, name: "alice", host: "web1", named: false };
        for count in 1..=20_u8 {
            let codes: Vec<_> = (1..=count).map(|value| RecoveryCode::made(Slot::new(value).unwrap(), &[value; 14])).collect();
            let sheet = sheet(&whom, &codes, 1_795_511_647);
            for (number, code) in (1..).zip(&codes) {
                assert!(sheet.contains(&format!(" {number}  {}", *code.grouped())));
            }
            assert_eq!(sheet.lines().count(), 8 + usize::from(count).div_ceil(2), "{}", *sheet);
            assert!(sheet.lines().all(|line| line.len() <= 80 && !line.ends_with(' ')));
        }
    }

    #[test]
    fn offsets_are_told_in_one_unit() {
        assert_eq!(offset(-90, "web1"), "That was the code of 90 s ago: the phone's clock is about 90 s behind web1's.\n");
        assert_eq!(offset(-3600, "web1"), "That was the code of 1 h ago: the phone's time zone or clock is off by 1 h.\n");
        assert_eq!(offset(600, "web1"), "That is the code of 10 min from now: the phone's clock is about 10 min ahead of\nweb1's.\n");
        assert_eq!(offset(7230, "web1"), "That is the code of 2 h from now: the phone's time zone or clock is off by 2 h.\n");
    }
}
