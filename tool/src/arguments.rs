//! The command line: options as written, and the command that they mean.
#![forbid(unsafe_code)]

use countersign::flows::refusal::{Kind, Refusal};
use countersign::rules::outside::escaped;
use lexopt::prelude::*;

use crate::help;

/// What stands on the command line. `--user`, `--json` and `--config` are taken on both sides of the command.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) config: Option<String>,
    pub(crate) json: bool,
    pub(crate) user: Option<String>,
    help: bool,
    version: bool,
    /// The command, and what follows it.
    words: Vec<String>,
    /// Options of commands, as written.
    own: Vec<Own>,
    /// The first thing that is no option, or lacks its value.
    wrong: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Own {
    Force,
    NoConfirm,
    Reason(String),
}

impl Own {
    fn name(&self) -> &'static str {
        match self {
            Self::Force => "--force",
            Self::NoConfirm => "--no-confirm",
            Self::Reason(_) => "--reason",
        }
    }
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// No command: the state of one's own second factor.
    Mine,
    Init {
        force: bool,
    },
    Enroll {
        confirm: bool,
    },
    Status,
    Verify,
    Reset {
        name: String,
        reason: Option<String>,
    },
    Explain,
    Doctor,
}

impl Written {
    pub(crate) fn read() -> Self {
        Self::parse(lexopt::Parser::from_env())
    }

    /// Reads to the end whatever is wrong, so that `--json` is known where an error is told.
    fn parse(mut parser: lexopt::Parser) -> Self {
        let mut written = Self::default();
        loop {
            match written.take_one(&mut parser) {
                Ok(true) => {}
                Ok(false) => return written,
                Err(wrong) => {
                    written.wrong.get_or_insert(wrong);
                }
            }
        }
    }

    fn take_one(&mut self, parser: &mut lexopt::Parser) -> Result<bool, String> {
        let Some(argument) = parser.next().map_err(|error| plain(&error))? else { return Ok(false) };
        let mut value = None;
        match &argument {
            Long("config" | "user" | "reason") => {}
            Short('h') | Long("help") => self.help = true,
            Short('V') | Long("version") => self.version = true,
            Long("json") => self.json = true,
            Long("force") => self.own.push(Own::Force),
            Long("no-confirm") => self.own.push(Own::NoConfirm),
            Value(word) => value = Some(word.clone()),
            Short(_) | Long(_) => return Err(plain(&argument.unexpected())),
        }
        if let Some(word) = value {
            self.words.push(text(word)?);
            return Ok(true);
        }
        let named = match argument {
            Long("config") => "config",
            Long("user") => "user",
            Long("reason") => "reason",
            Short(_) | Long(_) | Value(_) => return Ok(true),
        };
        let value = text(parser.value().map_err(|error| plain(&error))?)?;
        match named {
            "config" => self.config = Some(value),
            "user" => self.user = Some(value),
            _ => self.own.push(Own::Reason(value)),
        }
        Ok(true)
    }

    /// The page of `-h`, of `COMMAND -h`, or the version.
    pub(crate) fn page(&self) -> Option<String> {
        if self.help {
            Some(self.words.first().and_then(|command| help::page(command)).unwrap_or(help::PAGE).to_owned())
        } else {
            self.version.then(|| format!("countersign-setup {}\n", env!("CARGO_PKG_VERSION")))
        }
    }

    /// The command as it was written, for a sentence.
    pub(crate) fn command(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

fn text(value: std::ffi::OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("\"{}\" is not UTF-8", escaped(value.as_encoded_bytes(), 64)))
}

/// lexopt's own sentences quote what was typed as it is.
fn plain(error: &lexopt::Error) -> String {
    match error {
        lexopt::Error::MissingValue { option: Some(option) } => format!("{} lacks its value", escaped(option.as_bytes(), 64)),
        lexopt::Error::UnexpectedOption(option) => format!("unknown option \"{}\"", escaped(option.as_bytes(), 64)),
        lexopt::Error::UnexpectedValue { option, .. } => format!("{} takes no value", escaped(option.as_bytes(), 64)),
        _ => "the command line can't be read".to_owned(),
    }
}

impl Command {
    pub(crate) fn meant(written: &Written) -> Result<Self, Refusal> {
        let see = if help::page(written.command()).is_some() { format!("{} -h", written.command()) } else { "-h".to_owned() };
        let usage = |fact: String| Refusal::new(Kind::Usage, fact, format!("see: countersign-setup {see}"));
        if let Some(wrong) = &written.wrong {
            return Err(usage(wrong.clone()));
        }
        let has = |name: &str| written.own.iter().any(|own| own.name() == name);
        let (command, takes): (_, &[&str]) = match written.command() {
            "" => (Self::Mine, &[]),
            "init" => (Self::Init { force: has("--force") }, &["--force"]),
            "enroll" => (Self::Enroll { confirm: !has("--no-confirm") }, &["--no-confirm"]),
            "status" => (Self::Status, &[]),
            "verify" => (Self::Verify, &[]),
            "explain" => (Self::Explain, &[]),
            "doctor" => (Self::Doctor, &[]),
            "reset" => (Self::reset(written).map_err(usage)?, &["--reason"]),
            other => return Err(usage(format!("unknown command \"{}\"", escaped(other.as_bytes(), 64)))),
        };
        if let Some(own) = written.own.iter().find(|own| !takes.contains(&own.name())) {
            return Err(usage(format!("{} has no option {}", written.command_or_none(), own.name())));
        }
        let operands: &[String] = if matches!(command, Self::Reset { .. }) { &[] } else { written.words.get(1..).unwrap_or_default() };
        match operands.first() {
            Some(more) => Err(usage(format!("{} takes no \"{}\"", written.command(), escaped(more.as_bytes(), 64)))),
            None => Ok(command),
        }
    }

    /// `reset NAME`; `reset --user NAME` is the same.
    fn reset(written: &Written) -> Result<Self, String> {
        let reason = written.own.iter().find_map(|own| match own {
            Own::Reason(text) => Some(text.clone()),
            Own::Force | Own::NoConfirm => None,
        });
        match (written.words.get(1..).unwrap_or_default(), &written.user) {
            ([name], None) => Ok(Self::Reset { name: name.clone(), reason }),
            ([name], Some(user)) if name == user => Ok(Self::Reset { name: name.clone(), reason }),
            ([], Some(user)) => Ok(Self::Reset { name: user.clone(), reason }),
            _ => Err("reset takes one NAME".to_owned()),
        }
    }

    /// What only root may ask for, whomever it is about.
    pub(crate) fn is_roots(&self) -> bool {
        match self {
            Self::Init { .. } | Self::Reset { .. } | Self::Explain | Self::Doctor => true,
            Self::Mine | Self::Enroll { .. } | Self::Status | Self::Verify => false,
        }
    }
}

impl Written {
    fn command_or_none(&self) -> &str {
        if self.words.is_empty() { "countersign-setup" } else { self.command() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(line: &str) -> Result<(Written, Command), String> {
        let written = Written::parse(lexopt::Parser::from_args(line.split_whitespace()));
        let command = Command::meant(&written).map_err(|refusal| refusal.fact)?;
        Ok((written, command))
    }

    #[test]
    fn common_options_are_taken_on_both_sides_of_the_command() {
        for line in ["--user bob --json --config /c enroll --no-confirm", "enroll --user=bob --json --no-confirm --config=/c"] {
            let (written, command) = meant(line).unwrap();
            assert_eq!((written.user.as_deref(), written.json, written.config.as_deref()), (Some("bob"), true, Some("/c")));
            assert_eq!(command, Command::Enroll { confirm: false });
        }
    }

    #[test]
    fn reset_takes_one_name_on_either_place() {
        let expected = |reason: Option<&str>| Command::Reset { name: "bob".to_owned(), reason: reason.map(str::to_owned) };
        assert_eq!(meant("reset bob --reason lost").unwrap().1, expected(Some("lost")));
        assert_eq!(meant("--user bob reset").unwrap().1, expected(None));
        assert_eq!(meant("reset bob --user bob").unwrap().1, expected(None));
        for wrong in ["reset", "reset bob carol", "reset bob --user carol"] {
            assert_eq!(meant(wrong).unwrap_err(), "reset takes one NAME");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (line, fact) in [
            ("enroll --replace", "unknown option \"--replace\""),
            ("enroll -x", "unknown option \"-x\""),
            ("frobnicate", "unknown command \"frobnicate\""),
            ("status --force", "status has no option --force"),
            ("--no-confirm", "countersign-setup has no option --no-confirm"),
            ("status bob", "status takes no \"bob\""),
            ("status --user", "--user lacks its value"),
            ("--json=yes", "--json takes no value"),
            ("a\x1b[2J", "unknown command \"a\\x1b[2J\""),
        ] {
            assert_eq!(meant(line).unwrap_err(), fact);
        }
        assert!(Written::parse(lexopt::Parser::from_args(["--nope", "status", "--json"])).json);
    }
}
