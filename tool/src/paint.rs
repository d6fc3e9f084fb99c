//! Colours on a terminal, over words that say the same without: bold is to be typed or kept, red locks out or is
//! stopped, yellow waits, green is ready.
#![forbid(unsafe_code)]

use zeroize::Zeroizing;

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

/// An answer of status, doctor or list.
pub(crate) fn answer(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    let header = lines.clone().next().unwrap_or_default();
    match header.find("  state  ").filter(|_| header.starts_with("user ")) {
        Some(gap) => lines.zip(0..).map(|(row, place)| if place == 0 { row.to_owned() } else { state(row, gap) }).collect(),
        None => lines.map(line).collect(),
    }
}

/// A row of list, whose state stands behind that gap of two spaces.
fn state(row: &str, gap: usize) -> String {
    let Some((before, rest)) = row.split_at_checked(gap.saturating_add(2)) else { return row.to_owned() };
    let word = rest.split("  ").next().unwrap_or_default();
    let colour = match word {
        "ready" => GREEN,
        "waiting" | "busy" => YELLOW,
        "no account" | "unknown" => return row.to_owned(),
        _ => RED,
    };
    format!("{before}{colour}{word}{PLAIN}{}", rest.get(word.len()..).unwrap_or_default())
}

fn line(line: &str) -> String {
    let wide = |from: usize, length: usize, colour: &str| {
        let (before, rest) = line.split_at_checked(from).unwrap_or((line, ""));
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        format!("{before}{colour}{word}{PLAIN}{after}")
    };
    let value = line.get(VALUE..).unwrap_or_default();
    let is_lane = ["remote logins", "local logins", "own programs"].iter().any(|name| line.starts_with(name));
    let left = value.split(' ').next().and_then(|left| left.parse::<u32>().ok());
    match left {
        _ if line.starts_with("locks out  ") => wide(0, 9, RED),
        _ if line.starts_with("note       ") => wide(0, 4, YELLOW),
        _ if line.starts_with("ok         ") => wide(0, 2, GREEN),
        _ if is_lane && value.starts_with("ready") => wide(VALUE, 5, GREEN),
        _ if is_lane && value.starts_with("waiting") => wide(VALUE, 7, YELLOW),
        _ if is_lane && value.starts_with("stopped") => wide(VALUE, 7, RED),
        Some(left) if line.starts_with("recovery codes") && left <= 3 => wide(VALUE, 6, YELLOW),
        Some(_) | None => line.to_owned(),
    }
}

/// Where the values of status stand.
const VALUE: usize = 16;

/// What a person is to type in or to keep: recovery codes, and the secret in groups of four.
pub(crate) fn kept(text: &str) -> Zeroizing<String> {
    // Enough for all, so that no copy of a secret is left behind by a growing buffer.
    let mut out = Zeroizing::new(String::with_capacity(text.len().saturating_mul(2).saturating_add(64)));
    for piece in text.split_inclusive([' ', '\n']) {
        let word = piece.trim_end_matches([' ', '\n']);
        let parts = [if is_kept(word) { BOLD } else { "" }, word, if is_kept(word) { PLAIN } else { "" }];
        parts.iter().for_each(|part| out.push_str(part));
        out.push_str(piece.get(word.len()..).unwrap_or_default());
    }
    out
}

fn is_kept(word: &str) -> bool {
    let is_symbol = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let is_group = |group: &str| group.len() == 4 && group.bytes().all(is_symbol);
    is_group(word) || (word.len() == 19 && word.split('-').count() == 4 && word.split('-').all(is_group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_has_a_colour_says_it_too() {
        let screen = "remote logins   waiting until 2026-11-24 09:18 UTC\nlocal logins    ready\nrecovery codes  2 left, made x\n\
                      recovery codes  10 left, made x\nlocks out  the clock\nok         store\nalice on web1: enrolled\n";
        let painted = answer(screen);
        assert_eq!(
            painted,
            "remote logins   \x1b[33mwaiting\x1b[0m until 2026-11-24 09:18 UTC\nlocal logins    \x1b[32mready\x1b[0m\n\
             recovery codes  \x1b[33m2 left\x1b[0m, made x\nrecovery codes  10 left, made x\n\x1b[31mlocks out\x1b[0m  the clock\n\
             \x1b[32mok\x1b[0m         store\nalice on web1: enrolled\n"
        );
    }

    #[test]
    fn a_list_has_the_colour_of_each_state() {
        let screen = "user  codes  state     last used\nal    1      ready     never\nwaiting 2    stopped   never\nNext: ready\n";
        let painted = answer(screen);
        assert_eq!(
            painted,
            "user  codes  state     last used\nal    1      \x1b[32mready\x1b[0m     never\nwaiting 2    \x1b[31mstopped\x1b[0m   never\nNext: ready\n"
        );
        assert_eq!(answer("note       x\n"), "\x1b[33mnote\x1b[0m       x\n");
    }

    #[test]
    fn what_is_kept_is_bold() {
        assert_eq!(*kept("     1  1M9S-346Q-3D25-VT4F  x\n"), "     1  \x1b[1m1M9S-346Q-3D25-VT4F\x1b[0m  x\n");
        assert_eq!(*kept("Type it in: GEZD 3TQO (time-based)\n"), "Type it in: \x1b[1mGEZD\x1b[0m \x1b[1m3TQO\x1b[0m (time-based)\n");
        assert_eq!(*kept("Each works once. made 2026-11-24 09:14 UTC\n"), "Each works once. made 2026-11-24 09:14 UTC\n");
    }
}
