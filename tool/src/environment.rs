//! The environment, as far as it is read: how the terminal is drawn on, and who stands behind sudo. Nothing here
//! decides about a code or a file.
#![forbid(unsafe_code)]

use std::ffi::OsString;

/// Whether escape sequences for colours are wanted: NO_COLOR set to anything, or TERM=dumb, says no.
pub(crate) fn wants_colours() -> bool {
    let no_color = read("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = read("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    !no_color && !dumb
}

/// Whether the locale's letters are UTF-8, by its name: the first of the three that is set decides.
pub(crate) fn is_utf8() -> bool {
    let name = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(read).find(|name| !name.is_empty());
    let name = name.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.contains("utf-8") || name.contains("utf8")
}

/// Whom sudo was called by. For words and the log alone.
pub(crate) fn sudo_user() -> Option<String> {
    read("SUDO_USER").filter(|name| !name.is_empty()).map(|name| name.to_string_lossy().into_owned())
}

#[expect(clippy::disallowed_methods, reason = "a program's own environment, read for NO_COLOR, TERM, the locale's name and SUDO_USER")]
fn read(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
