//! Keys and values of a log line, printed as `key=value` or as one JSON object: one printable ASCII line always.
#![forbid(unsafe_code)]

use std::fmt::Write;

use super::outside::{MOST, escaped_but};

/// `[log] format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Text,
    Json,
}

pub(super) type Field = (&'static str, Value);

#[derive(Clone)]
pub(super) enum Value {
    /// `-`, or null.
    None,
    Number(u64),
    Negative(i64),
    /// Our own word: as it is.
    Word(String),
    /// Quoted only where it is more than a plain word.
    Outside(Vec<u8>),
    /// Always quoted.
    Quoted(Vec<u8>),
}

/// What root wrote (paths, reasons) may be longer than what strangers send.
const MOST_OF_ROOT: usize = 256;

impl Value {
    pub(super) fn word(word: &str) -> Self {
        Self::Word(word.to_owned())
    }

    pub(super) fn number<T: TryInto<u64> + TryInto<i64> + Copy>(number: T) -> Self {
        match (TryInto::<u64>::try_into(number), TryInto::<i64>::try_into(number)) {
            (Ok(number), _) => Self::Number(number),
            (Err(_), Ok(number)) => Self::Negative(number),
            (Err(_), Err(_)) => Self::None,
        }
    }

    pub(super) fn outside(text: &[u8]) -> Self {
        if text.is_empty() { Self::None } else { Self::Outside(bounded(text, MOST)) }
    }

    pub(super) fn quoted(text: Option<&str>) -> Self {
        text.map_or(Self::None, |text| Self::Quoted(bounded(text.as_bytes(), MOST_OF_ROOT)))
    }

    /// Text from outside that is quoted however plain it is.
    pub(super) fn quoted_outside(text: &[u8]) -> Self {
        Self::Quoted(bounded(text, MOST))
    }
}

fn bounded(text: &[u8], most: usize) -> Vec<u8> {
    text.iter().copied().take(most).collect()
}

/// The line. Writing to a String cannot fail.
pub(super) fn print(fields: &[Field], format: Format) -> String {
    let mut out = String::with_capacity(256);
    for (place, (key, value)) in fields.iter().enumerate() {
        let _ = match format {
            Format::Text => write!(out, "{}{key}={}", if place == 0 { "" } else { " " }, value.as_text()),
            Format::Json => write!(out, "{}\"{key}\":{}", if place == 0 { "{" } else { "," }, value.as_json()),
        };
    }
    if format == Format::Json {
        out.push('}');
    }
    out
}

impl Value {
    fn as_text(&self) -> String {
        match self {
            Self::None => "-".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Negative(number) => number.to_string(),
            Self::Word(word) => word.clone(),
            // A name that is "-" or "?" must not read as ours for "none" and "not said".
            Self::Outside(text) if text.iter().copied().all(is_plain) && !matches!(text.as_slice(), b"-" | b"?") => {
                escaped_but(text, text.len(), is_plain)
            }
            // An equals sign is escaped within quotes too: a search for result=accepted finds our own words alone.
            Self::Outside(text) | Self::Quoted(text) => format!("\"{}\"", escaped_but(text, text.len(), |byte| byte != b'=')),
        }
    }

    fn as_json(&self) -> String {
        match self {
            Self::None => "null".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Negative(number) => number.to_string(),
            Self::Word(word) => json_string(word.as_bytes()),
            Self::Outside(text) | Self::Quoted(text) => json_string(text),
        }
    }
}

/// A JSON string in ASCII (RFC 8259 section 7); bytes that are not UTF-8 become U+FFFD.
fn json_string(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for letter in String::from_utf8_lossy(text).chars() {
        match letter {
            ' '..='~' if letter != '"' && letter != '\\' => out.push(letter),
            letter => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}

/// The keys of those that have a value.
pub(super) fn optional<const N: usize>(keys: [(&'static str, Option<&str>); N]) -> Vec<Field> {
    keys.into_iter().filter(|(_, text)| text.is_some()).map(|(key, text)| (key, Value::quoted(text))).collect()
}

/// A byte that needs neither quotes nor escaping in `key=value`.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=')
}
