//! The configuration file, read as a login reads it.
#![forbid(unsafe_code)]

use std::path::Path;

use countersign::flows::refusal::{Kind, Refusal, quoted};
use countersign::rules::config::{self, Arguments, Config, Problem};
use countersign::rules::policy::{self, Decision, End, Facts, Skip};
use countersign::sys;

pub(crate) struct Settings {
    pub(crate) config: Config,
    /// The same for each service that has a section of its own, with its name.
    pub(crate) services: Vec<(String, Config)>,
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
        Self { config: Config::default(), services: Vec::new(), changed: None }
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
        let read = |service: &str| Config::read(path, text.as_deref(), &Arguments::default(), service.as_bytes());
        let names = text.as_deref().map(|text| config::services(path, text)).unwrap_or_default();
        let services = names.into_iter().map(|name| Ok((name.clone(), read(&name)?))).collect::<Result<_, Vec<Problem>>>()?;
        Ok(Self { config: read("")?, services, changed })
    }

    /// Nobody needs a record, now or later.
    pub(crate) fn require_nobody(&self) -> bool {
        let mut all = self.services.iter().map(|(_, config)| config).chain([&self.config]);
        all.all(|config| config.skip.is_some() || config.policy.unenrolled.value == config::Unenrolled::Skip)
    }

    /// What becomes of somebody without a record, by that name: of several answers the strictest, whatever the service.
    pub(crate) fn unenrolled(&self, name: &str, now: i64) -> Unenrolled {
        let of_service = |config: &Config| {
            let facts = Facts { config, account: Some(name), enrolled: false, now, config_changed: self.changed };
            Unenrolled { decision: policy::decide(&facts), rule: format!("unenrolled: {}", config.policy.unenrolled.value) }
        };
        let named = self.services.iter().map(|(service, config)| {
            let found = of_service(config);
            Unenrolled { rule: format!("{} in [service.{service}]", found.rule), ..found }
        });
        named.fold(of_service(&self.config), |strictest, other| if other.leeway() < strictest.leeway() { other } else { strictest })
    }
}

/// What becomes of somebody without a record.
pub(crate) struct Unenrolled {
    pub(crate) decision: Decision,
    /// What says so, as a sentence names it.
    pub(crate) rule: String,
}

impl Unenrolled {
    /// For how many seconds logins still pass.
    fn leeway(&self) -> i64 {
        match &self.decision {
            Decision::Skip(Skip { end: None, .. }) => i64::MAX,
            Decision::Skip(Skip { end: Some(end), .. }) => end.left,
            Decision::Ask | Decision::AskAndRefuse { .. } | Decision::RefuseUnasked { .. } => 0,
        }
    }

    /// The day from which logins are refused, if that is not yet.
    pub(crate) fn end(&self) -> Option<End> {
        match &self.decision {
            Decision::Skip(skip) => skip.end,
            Decision::Ask | Decision::AskAndRefuse { .. } | Decision::RefuseUnasked { .. } => None,
        }
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.leeway() == 0
    }
}

/// The file that is meant.
pub(crate) fn path(named: Option<&str>) -> &str {
    named.unwrap_or(config::PATH)
}
