//! Screens beside their golden files: whole, with what differs each time replaced by marks, the exit status at the end.
//! `COUNTERSIGN_BLESS=1` writes the files anew, `COUNTERSIGN_SHOW=1` prints each screen and whether its file is the same.

use std::path::{Path, PathBuf};

use super::picture;
use super::terminal::Ended;

pub fn compare(name: &str, found: &str) {
    let file = format!("tests/screens/{name}.txt");
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(&file);
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if std::env::var_os("COUNTERSIGN_SHOW").is_some() {
        let beside = if found == expected { format!("same as {file}") } else { format!("{file}:\n{expected}") };
        println!("=== {name}, golden file {file}\n{found}{beside}");
    }
    assert!(found == expected, "{name}: found\n{found}\nexpected\n{expected}");
}

/// The screen of a program that has ended.
pub fn screen(ended: &Ended, folder: &Path) -> String {
    format!("{}exit {}\n", marked(&ended.screen, folder), ended.status)
}

/// Times, secrets, codes and the QR code as marks.
pub fn marked(screen: &str, folder: &Path) -> String {
    let qr = picture::lines(screen);
    let mut text = screen.to_owned();
    if !qr.is_empty() {
        let (_, columns, rows) = picture::read(&qr, folder);
        let kind = if qr[0].contains('\x1b') { "QR" } else { "plain QR" };
        text = text.replace(&(qr.join("\n") + "\n"), &format!("[{kind} {columns}x{rows}]\n"));
    }
    text = replaced(&text, &"AAAA ".repeat(8), "[SECRET] ");
    text = replaced(&text, &("AAAA ".repeat(7) + "AAAA\n"), "[SECRET]\n");
    text = replaced(&text, "****-****-****-****", "XXXX-XXXX-XXXX-XXXX");
    text = replaced(&text, ": **** **** **** ****\n", ": [RECOVERY CODE]\n");
    text = replaced(&text, "9999-99-99 99:99 UTC", "[TIME]");
    text = replaced(&text, "(99:99:99 UTC)", "([TIME])");
    text = replaced(&text, ": 999999\n", ": [DIGITS]\n");
    text = replaced(&text, ": 99999999\n", ": [DIGITS]\n");
    text = replaced(&text, "type code 9 ", "type code [N] ");
    text = replaced(&text, "type code 99 ", "type code [N] ");
    text = replaced(&text, "Code 9 (", "Code [N] (");
    text = replaced(&text, "Code 99 (", "Code [N] (");
    text
}

/// Each place that has this form: `9` is a digit, `A` a letter of base 32, `*` one of a recovery code, the rest itself.
fn replaced(text: &str, form: &str, mark: &str) -> String {
    let fits = |(wanted, found): (u8, &u8)| match wanted {
        b'9' => found.is_ascii_digit(),
        b'A' => found.is_ascii_uppercase() || (b'2'..=b'7').contains(found),
        b'*' => found.is_ascii_alphanumeric(),
        other => other == *found,
    };
    let form = form.as_bytes();
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        if rest.len() >= form.len() && form.iter().copied().zip(rest).all(fits) {
            out.extend(mark.bytes());
            rest = &rest[form.len()..];
        } else {
            out.push(*first);
            rest = more;
        }
    }
    String::from_utf8(out).unwrap()
}
