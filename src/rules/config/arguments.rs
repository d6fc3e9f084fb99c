//! The module's arguments, as they stand behind its name in a stack: `config=FILE`, `debug`, and any key of [policy]
//! and [prompt] as `key=value`. libpam has taken off the brackets of `[text=Code: ]` by then.
#![forbid(unsafe_code)]

use super::setting::{Settings, Value, Wrong};
use super::{Origin, PATH, Problem};
use crate::rules::outside::escaped;

#[derive(Clone, Default)]
pub struct Arguments {
    config: Option<String>,
    debug: bool,
    enforce: bool,
    pub(super) settings: Settings,
}

/// The phase of a stack that the module's line stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Authentication,
    Account,
}

impl Arguments {
    /// All arguments, or all that is wrong with them.
    pub fn read(arguments: &[&[u8]], phase: Phase) -> Result<Self, Vec<Problem>> {
        let mut read = Self::default();
        let mut keys = Vec::new();
        let mut problems = Vec::new();
        for (place, argument) in arguments.iter().enumerate() {
            if let Err(message) = read.take(argument, phase, &mut keys) {
                problems.push(Problem { path: format!("argument {}", place.saturating_add(1)), line: None, message });
            }
        }
        if problems.is_empty() { Ok(read) } else { Err(problems) }
    }

    /// The configuration file.
    pub fn config_path(&self) -> &str {
        self.config.as_deref().unwrap_or(PATH)
    }

    /// Whether the file is named by config=: it must be there, then.
    pub fn names_config(&self) -> bool {
        self.config.is_some()
    }

    pub fn debug(&self) -> bool {
        self.debug
    }

    /// In the account phase: refuse whom this module has not let past in the same transaction.
    pub fn enforces(&self) -> bool {
        self.enforce
    }

    fn take<'a>(&mut self, argument: &'a [u8], phase: Phase, keys: &mut Vec<&'a str>) -> Result<(), String> {
        let argument = std::str::from_utf8(argument).map_err(|_| "is not UTF-8 text".to_owned())?;
        let (key, value) = argument.split_once('=').map_or((argument, None), |(key, value)| (key, Some(value)));
        if keys.contains(&key) {
            return Err(format!("{} is there twice", quoted(key)));
        }
        keys.push(key);
        match (self.set(key, value, phase), value) {
            (Ok(()), _) => Ok(()),
            (Err(Wrong::Expected(expected)), _) => Err(format!("{} is {expected}", quoted(key))),
            // Without "=" it may be a value that has lost its key.
            (Err(Wrong::Unknown), None) => Err("is no argument of this module".to_owned()),
            (Err(Wrong::Unknown), Some(_)) => Err(format!("{} is no argument of this module", quoted(key))),
        }
    }

    fn set(&mut self, key: &str, value: Option<&str>, phase: Phase) -> Result<(), Wrong> {
        match (key, value) {
            ("enforce", None) if phase == Phase::Account => self.enforce = true,
            ("enforce", _) => return Err(Wrong::Expected("a word of its own, in the account phase")),
            ("debug", None) => self.debug = true,
            ("debug", Some(_)) => return Err(Wrong::Expected("a word of its own, without \"=\"")),
            ("config", value) => self.config = Some(Value::Argument(value.unwrap_or_default()).path()?),
            (key, Some(value)) => self.settings.set(key, &Value::Argument(value), Origin::Argument)?,
            (key, None) => {
                // A known key alone has no value, whatever it would take.
                let mut nothing = Settings::default();
                return match nothing.set(key, &Value::Argument("\0"), Origin::Argument) {
                    Err(Wrong::Unknown) => Err(Wrong::Unknown),
                    Ok(()) | Err(Wrong::Expected(_)) => Err(Wrong::Expected("given with a value: key=value")),
                };
            }
        }
        Ok(())
    }
}

/// A key as it is named in a problem.
pub(super) fn quoted(key: &str) -> String {
    format!("\"{}\"", escaped(key.as_bytes(), 32))
}
