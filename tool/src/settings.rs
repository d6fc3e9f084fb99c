//! The configuration file, read as a login reads it.
#![forbid(unsafe_code)]

use std::path::Path;

use countersign::flows::refusal::{Kind, Refusal, quoted};
use countersign::rules::config::{self, Arguments, Config, Problem};
use countersign::sys;

pub(crate) struct Settings {
    pub(crate) config: Config,
    /// When the file was changed; `None` if there is no file.
    pub(crate) changed: Option<i64>,
}

impl Settings {
    /// The file of `--config`, or the default one, which may be missing.
    pub(crate) fn read(named: Option<&str>) -> Result<Self, Refusal> {
        Self::checked(named).map_err(|_| {
            let fact = format!("{} has a configuration error", quoted(path(named)));
            let of_file = named.map(|path| format!(" --config {}", quoted(path))).unwrap_or_default();
            Refusal::new(Kind::Configuration, fact, format!("run: countersign-setup explain{of_file}"))
        })
    }

    /// What holds where there is no file.
    pub(crate) fn built_in() -> Self {
        Self { config: Config::default(), changed: None }
    }

    /// The same as `read`, or all that is wrong.
    pub(crate) fn checked(named: Option<&str>) -> Result<Self, Vec<Problem>> {
        let path = path(named);
        let problem = |message: String| vec![Problem { path: path.to_owned(), line: None, message }];
        let file = sys::read_config(Path::new(path)).map_err(|error| problem(error.to_string()))?;
        if file.is_none() && named.is_some() {
            return Err(problem("is not there".to_owned()));
        }
        let (text, changed) = file.map(|(text, changed)| (Some(text), Some(changed))).unwrap_or_default();
        let config = Config::read(path, text.as_deref(), &Arguments::default(), b"")?;
        Ok(Self { config, changed })
    }
}

/// The file that is meant.
pub(crate) fn path(named: Option<&str>) -> &str {
    named.unwrap_or(config::PATH)
}
