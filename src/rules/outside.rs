//! Text from outside (names, terminals, hosts, labels, paths), as it may be printed: bounded, and on one line that
//! neither a terminal nor a reader of the log can take for something else.
#![forbid(unsafe_code)]

use std::fmt::Write;

/// The most bytes of one value from outside that are printed.
pub const MOST: usize = 64;

/// Printable ASCII as it is; every other byte, `"` and `\` as `\x1b`. At most `most` bytes are read.
pub fn escaped(text: &[u8], most: usize) -> String {
    escaped_but(text, most, |_| true)
}

/// The same with what is kept as it is narrowed down further by `keep`.
pub fn escaped_but(text: &[u8], most: usize, keep: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    for byte in text.iter().copied().take(most) {
        if (byte == b' ' || byte.is_ascii_graphic()) && byte != b'"' && byte != b'\\' && keep(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// Neither a control character nor one that is unseen or turns the direction of others round (UAX #9): what may stand
/// in a text that people choose themselves.
pub fn is_printable(letter: char) -> bool {
    let unseen = matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !letter.is_control() && !unseen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_a_reader_is_escaped() {
        assert_eq!(escaped(b"alice", MOST), "alice");
        assert_eq!(escaped(b"a b%n", MOST), "a b%n");
        assert_eq!(escaped(b"a\"\\\x1b[2J\r\n\x7f\x00", MOST), "a\\x22\\x5c\\x1b[2J\\x0d\\x0a\\x7f\\x00");
        assert_eq!(escaped("jürgen\u{202e}".as_bytes(), MOST), "j\\xc3\\xbcrgen\\xe2\\x80\\xae");
        assert_eq!(escaped(&[b'x'; 65_536], MOST), "x".repeat(64));
    }

    #[test]
    fn control_and_bidirectional_characters_are_not_printable() {
        assert!("Verification code: Prüfcode 日本 %".chars().all(is_printable));
        for letter in ['\0', '\n', '\t', '\x1b', '\x7f', '\u{9b}', '\u{200f}', '\u{202e}', '\u{2066}', '\u{2029}', '\u{feff}'] {
            assert!(!is_printable(letter), "{letter:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn escaped_text_is_one_printable_line(text: Vec<u8>, most in 0_usize..100) {
            let out = escaped(&text, most);
            proptest::prop_assert!(out.len() <= most.saturating_mul(4));
            proptest::prop_assert!(out.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"'));
        }
    }
}
