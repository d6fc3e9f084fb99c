//! The configuration: what the file and the module's own arguments say, and what that means for one service.
//!
//! Built in < [policy] and [prompt] < [service.NAME] < arguments; lists replace, they never merge. The whole file is
//! checked at every login, whatever the service: a line that is wrong MUST refuse, never be passed over. Problems name
//! key, line and what is expected, never a value: a secret pasted into the wrong file stays there.
#![forbid(unsafe_code)]

mod arguments;
mod setting;
mod written;

use std::fmt;

pub use arguments::{Arguments, Phase};
pub use setting::{Prior, Unenrolled};

use self::written::Written;
use super::fields::Format;
use super::outside::escaped;
use super::throttle::Lane;

/// Where the configuration is, unless the argument config= names another file.
pub const PATH: &str = "/etc/countersign/config.toml";
/// The largest file that is read.
pub const LARGEST: usize = 65_536;

/// What holds for one service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Absolute paths.
    pub store: String,
    pub run: String,
    pub policy: Policy,
    /// Steps of the clock on either side of now: 0 or 1.
    pub window: u8,
    pub prompt: Prompt,
    /// How many recovery codes an enrollment makes: 0 to 20.
    pub codes: u8,
    pub log: Log,
    /// Where `skip = true` is set for this service, if it is.
    pub skip: Option<Origin>,
    /// `lane = "remote"`, or `None`: PAM_RHOST decides.
    pub lane: Option<Lane>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    pub unenrolled: Setting<Unenrolled>,
    /// Canonical names.
    pub exempt_users: Setting<Vec<String>>,
    pub require_prior: Setting<Prior>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prompt {
    /// The question's last words; ends in white space.
    pub text: String,
    pub echo: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Log {
    pub format: Format,
    /// Whether the name of an unknown user is logged.
    pub unknown_users: bool,
}

/// A value, and where it was set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting<T> {
    pub value: T,
    pub origin: Origin,
}

/// Where a value was set. `config.toml:10` in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    BuiltIn,
    File { path: String, line: usize },
    Argument,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => out.write_str("built in"),
            Self::File { path, line } => write!(out, "{}:{line}", path.rsplit('/').next().unwrap_or(path)),
            Self::Argument => out.write_str("argument"),
        }
    }
}

/// One thing that is wrong with the configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// The file, or `argument 2` of the module's line in the stack.
    pub path: String,
    pub line: Option<usize>,
    /// Our own words, with the name of a key at most.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = escaped(self.path.as_bytes(), 4096);
        match self.line {
            Some(line) => write!(out, "{path}:{line}: {}", self.message),
            None => write!(out, "{path}: {}", self.message),
        }
    }
}

impl Config {
    /// The file's bytes (`None`: there is no file) and the arguments, as they hold for that PAM service; or all that is
    /// wrong with the file.
    pub fn read(path: &str, file: Option<&[u8]>, arguments: &Arguments, service: &[u8]) -> Result<Self, Vec<Problem>> {
        let written = match file {
            Some(file) => Written::read(path, file)?,
            None if arguments.names_config() => {
                return Err(vec![Problem {
                    path: path.to_owned(),
                    line: None,
                    message: "is named by config= and is not there".to_owned(),
                }]);
            }
            None => Written::default(),
        };
        Ok(Self::of(written, arguments, service))
    }

    fn of(mut written: Written, arguments: &Arguments, service: &[u8]) -> Self {
        let of_service = std::str::from_utf8(service).ok().and_then(|name| written.services.remove(name)).unwrap_or_default();
        let set = arguments.settings.clone().or(of_service.settings).or(written.everywhere);
        Self {
            store: written.store.unwrap_or_else(|| "/var/lib/countersign".to_owned()),
            run: written.run.unwrap_or_else(|| "/run/countersign".to_owned()),
            window: written.window.unwrap_or(1),
            codes: written.codes.unwrap_or(10),
            log: Log { format: written.format.unwrap_or(Format::Text), unknown_users: written.unknown_users.unwrap_or(false) },
            prompt: Prompt { text: set.text.unwrap_or_else(|| "Verification code: ".to_owned()), echo: set.echo.unwrap_or(false) },
            policy: Policy {
                unenrolled: set.unenrolled.unwrap_or(Setting::built_in(Unenrolled::Deny)),
                exempt_users: set.exempt_users.unwrap_or(Setting::built_in(Vec::new())),
                require_prior: set.require_prior.unwrap_or(Setting::built_in(Prior::Nothing)),
            },
            skip: of_service.skip.filter(|skip| skip.value).map(|skip| skip.origin),
            lane: of_service.lane,
        }
    }
}

/// All that is wrong with that file, whatever the service.
pub fn problems(path: &str, file: &[u8]) -> Vec<Problem> {
    Written::read(path, file).err().unwrap_or_default()
}

/// The services that have a section in that file; none in one that is wrong.
pub fn services(path: &str, file: &[u8]) -> Vec<String> {
    Written::read(path, file).map(|written| written.services.into_keys().collect()).unwrap_or_default()
}

/// What holds where nothing is configured.
impl Default for Config {
    fn default() -> Self {
        Self::of(Written::default(), &Arguments::default(), b"")
    }
}

impl<T> Setting<T> {
    fn built_in(value: T) -> Self {
        Self { value, origin: Origin::BuiltIn }
    }
}

#[cfg(test)]
mod tests;
