//! The keys, and what each may hold, wherever it stands: in a section of the file or among the arguments.
#![forbid(unsafe_code)]

use std::fmt;

use toml::de::DeValue;

use super::{Origin, Setting};
use crate::rules::date::Date;
use crate::rules::outside::is_printable;

/// What becomes of those who have no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unenrolled {
    Skip,
    Deny,
    /// Skipped until 00:00 UTC of that day.
    DenyFrom(Date),
}

/// As the configuration has it.
impl fmt::Display for Unenrolled {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip => out.write_str("skip"),
            Self::Deny => out.write_str("deny"),
            Self::DenyFrom(date) => date.fmt(out),
        }
    }
}

/// What must have been shown before the module is asked at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prior {
    Nothing,
    PublicKey,
}

/// The keys of [policy] and [prompt] that are set in one place.
#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) unenrolled: Option<Setting<Unenrolled>>,
    pub(super) exempt_users: Option<Setting<Vec<String>>>,
    pub(super) require_prior: Option<Setting<Prior>>,
    pub(super) text: Option<String>,
    pub(super) echo: Option<bool>,
}

/// Why a key is refused. What it is instead: the sentence `"key" is EXPECTED`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wrong {
    Unknown,
    Expected(&'static str),
}

impl Settings {
    /// These, and where they say nothing, those.
    pub(super) fn or(self, weaker: Self) -> Self {
        Self {
            unenrolled: self.unenrolled.or(weaker.unenrolled),
            exempt_users: self.exempt_users.or(weaker.exempt_users),
            require_prior: self.require_prior.or(weaker.require_prior),
            text: self.text.or(weaker.text),
            echo: self.echo.or(weaker.echo),
        }
    }

    pub(super) fn set(&mut self, key: &str, value: &Value<'_>, origin: Origin) -> Result<(), Wrong> {
        match key {
            "text" | "echo" => self.set_prompt(key, value),
            _ => self.set_policy(key, value, origin),
        }
    }

    pub(super) fn set_policy(&mut self, key: &str, value: &Value<'_>, origin: Origin) -> Result<(), Wrong> {
        match key {
            "unenrolled" => self.unenrolled = Some(Setting { value: value.unenrolled()?, origin }),
            "exempt_users" => self.exempt_users = Some(Setting { value: value.names()?, origin }),
            "require_prior" => self.require_prior = Some(Setting { value: value.prior()?, origin }),
            _ => return Err(Wrong::Unknown),
        }
        Ok(())
    }

    pub(super) fn set_prompt(&mut self, key: &str, value: &Value<'_>) -> Result<(), Wrong> {
        match key {
            "text" => self.text = Some(value.prompt()?),
            "echo" => self.echo = Some(value.flag()?),
            _ => return Err(Wrong::Unknown),
        }
        Ok(())
    }
}

/// A value as it is written.
pub(super) enum Value<'a> {
    File(&'a DeValue<'a>),
    Argument(&'a str),
}

impl Value<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Self::File(value) => value.as_str(),
            Self::Argument(text) => Some(text),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, Wrong> {
        match self {
            Self::File(value) => value.as_bool(),
            Self::Argument("true") => Some(true),
            Self::Argument("false") => Some(false),
            Self::Argument(_) => None,
        }
        .ok_or(Wrong::Expected("true or false"))
    }

    /// One of those words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)], expected: &'static str) -> Result<T, Wrong> {
        let found = self.text().and_then(|text| words.iter().find(|(word, _)| *word == text));
        found.map(|(_, meaning)| *meaning).ok_or(Wrong::Expected(expected))
    }

    pub(super) fn number(&self, most: u8, expected: &'static str) -> Result<u8, Wrong> {
        let number = match self {
            Self::File(value) => value.as_integer().filter(|number| number.radix() == 10).and_then(|number| number.as_str().parse().ok()),
            Self::Argument(text) => text.parse().ok(),
        };
        number.filter(|number| *number <= most).ok_or(Wrong::Expected(expected))
    }

    pub(super) fn path(&self) -> Result<String, Wrong> {
        let is_path = |text: &&str| text.starts_with('/') && text.len() < 4096 && text.chars().all(is_printable);
        self.text().filter(is_path).map(str::to_owned).ok_or(Wrong::Expected("an absolute path"))
    }

    fn unenrolled(&self) -> Result<Unenrolled, Wrong> {
        match (self.date(), self.text()) {
            (Some(date), _) => Ok(Unenrolled::DenyFrom(date)),
            (None, Some("skip")) => Ok(Unenrolled::Skip),
            (None, Some("deny")) => Ok(Unenrolled::Deny),
            (None, _) => Err(Wrong::Expected("\"deny\", \"skip\" or a date such as 2026-12-31")),
        }
    }

    /// A day alone, as a TOML date or as text: an hour or a zone has no meaning here.
    fn date(&self) -> Option<Date> {
        match self {
            Self::File(DeValue::Datetime(when)) if when.time.is_none() && when.offset.is_none() => {
                when.date.and_then(|date| Date::new(date.year, date.month, date.day))
            }
            Self::File(_) | Self::Argument(_) => self.text().and_then(Date::parse),
        }
    }

    fn prior(&self) -> Result<Prior, Wrong> {
        self.word(&[("publickey", Prior::PublicKey), ("none", Prior::Nothing)], "\"publickey\" or \"none\"")
    }

    fn names(&self) -> Result<Vec<String>, Wrong> {
        let is_name = |text: &&str| (1..=256).contains(&text.len()) && text.trim() == *text && text.chars().all(is_printable);
        let name = |text: Option<&str>| text.filter(is_name).map(str::to_owned);
        let names: Option<Vec<String>> = match self {
            Self::File(value) => value.as_array().and_then(|names| names.iter().map(|one| name(one.get_ref().as_str())).collect()),
            Self::Argument("") => Some(Vec::new()),
            Self::Argument(text) => text.split(',').map(|one| name(Some(one))).collect(),
        };
        names.ok_or(Wrong::Expected("a list of user names"))
    }

    /// As it is given, with white space at its end: what is typed must not stick to it.
    fn prompt(&self) -> Result<String, Wrong> {
        let is_prompt = |text: &&str| (1..=80).contains(&text.chars().count()) && text.chars().all(is_printable);
        let text = self.text().filter(is_prompt).ok_or(Wrong::Expected("1 to 80 printable characters"))?;
        Ok(if text.ends_with(char::is_whitespace) { text.to_owned() } else { format!("{text} ") })
    }
}
