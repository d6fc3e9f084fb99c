//! The command line as it was written: words, and options of the table with their values.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};

use countersign::rules::outside::escaped;
use countersign::words::enroll::typed;
use lexopt::prelude::*;

use super::table::{self, Flag, Of};
use crate::help;

/// What stands on the command line, each option on either side of the command.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) config: Option<String>,
    pub(crate) json: bool,
    pub(crate) user: Option<String>,
    /// The command, and what follows it.
    pub(super) words: Vec<String>,
    given: Vec<(&'static Flag, Option<String>)>,
    /// The first thing that is no option, or has no right value.
    pub(super) wrong: Option<String>,
}

impl Written {
    pub(crate) fn read() -> Self {
        Self::parse(lexopt::Parser::from_env())
    }

    /// Reads to the end whatever is wrong, so that `--json` is known where an error is told.
    pub(super) fn parse(mut parser: lexopt::Parser) -> Self {
        let mut written = Self::default();
        loop {
            match written.take_one(&mut parser) {
                Ok(true) => {}
                Ok(false) => break,
                Err(wrong) => {
                    written.wrong.get_or_insert(wrong);
                }
            }
        }
        written.json = written.has("--json");
        written.user = written.value("--user").map(str::to_owned);
        written.config = written.value("--config").map(str::to_owned);
        written
    }

    fn take_one(&mut self, parser: &mut lexopt::Parser) -> Result<bool, String> {
        let Some(argument) = parser.next().map_err(|error| plain(&error))? else { return Ok(false) };
        let (flag, typed) = match argument {
            Value(word) => {
                self.words.push(text(word)?);
                return Ok(true);
            }
            Long(name) => (table::long(name), format!("--{name}")),
            Short(letter) => (table::short(letter), format!("-{letter}")),
        };
        let flag = flag.ok_or_else(|| format!("unknown option \"{}\"", escaped(typed.as_bytes(), 64)))?;
        let value = if flag.value.is_some() { Some(value_of(flag, parser)?) } else { None };
        if self.has(flag.name) {
            return Err(format!("{} is given twice", flag.name));
        }
        self.given.push((flag, value));
        Ok(true)
    }

    /// The page of `-h`, of `COMMAND -h`, or the version.
    pub(crate) fn page(&self) -> Option<String> {
        if self.has("--help") {
            Some(help::page(self.command()).unwrap_or(help::PAGE).to_owned())
        } else {
            self.has("--version").then(|| format!("countersign-setup {}\n", env!("CARGO_PKG_VERSION")))
        }
    }

    /// The command as it was written, for a sentence.
    pub(crate) fn command(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The command with its operand and its own options but these, to be typed again.
    pub(crate) fn again(&self, operand: Option<&str>, but: &[&str]) -> String {
        let own = self.given.iter().filter(|(flag, _)| matches!(flag.of, Of::These(_)) && !but.contains(&flag.name));
        let options = own.map(|(flag, value)| match value {
            None => flag.name.to_owned(),
            Some(value) if value.starts_with('-') => format!("{}={}", flag.name, typed(value)),
            Some(value) => format!("{} {}", flag.name, typed(value)),
        });
        let words = [self.command().to_owned()].into_iter().chain(operand.map(typed)).chain(options);
        words.collect::<Vec<_>>().join(" ")
    }

    /// What stands behind the command.
    pub(super) fn operands(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    pub(super) fn flags(&self) -> impl Iterator<Item = &'static Flag> {
        self.given.iter().map(|(flag, _)| *flag)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.flags().any(|flag| flag.name == name)
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(flag, _)| flag.name == name).and_then(|(_, value)| value.as_deref())
    }
}

/// What stands behind `=`, or the next argument. An option is no value: `--label --add` has lost its label. Nor is an
/// empty text, which a script's unset variable leaves.
fn value_of(flag: &Flag, parser: &mut lexopt::Parser) -> Result<String, String> {
    let is_value = |next: &OsStr| !next.as_encoded_bytes().starts_with(b"-");
    let value = match parser.optional_value() {
        Some(attached) => Some(attached),
        None => parser.raw_args().map_err(|error| plain(&error))?.next_if(is_value),
    };
    let value = value.filter(|value| !value.is_empty()).ok_or_else(|| format!("{} lacks its value", flag.name))?;
    text(value)
}

fn text(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("\"{}\" is not UTF-8", escaped(value.as_encoded_bytes(), 64)))
}

/// lexopt's own sentences quote what was typed as it is.
fn plain(error: &lexopt::Error) -> String {
    match error {
        lexopt::Error::UnexpectedValue { option, .. } => format!("{} takes no value", escaped(option.as_bytes(), 64)),
        _ => "the command line can't be read".to_owned(),
    }
}
