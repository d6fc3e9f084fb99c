//! One login on its way to the answer: each step goes on, or ends it with an outcome that is logged.
#![forbid(unsafe_code)]

use std::path::Path;

use super::host::{Answer, Host, NoAnswer, NoUser, Outcome};
use crate::rules::audit::{self, Event, Level, Line};
use crate::rules::config::{self, Arguments, Config, Phase, Problem};
use crate::rules::journal::{Journal, SIZE, Source};
use crate::rules::judge;
use crate::rules::outside::{MOST, escaped};
use crate::rules::policy::{self, Decision, Facts, Skip};
use crate::rules::throttle::{Gate, Lane};
use crate::rules::totp::Floor;
use crate::store::{Folder, Store, Trouble};
use crate::sys::{self, Account, ConfigFile, DatabaseFailed};
use crate::words::{self, Front, Message};

/// What PAM is asked to wait at a failure, microseconds: before any answer is judged, so that no delay tells.
const FAIL_DELAY: u32 = 2_000_000;
/// PAM's variable in which sshd says how the user has authenticated so far.
const SSH_AUTH_INFO: &str = "SSH_AUTH_INFO_0";
/// Far above any name of a user database.
const LONGEST_NAME: usize = 1024;

pub(super) struct Login<'a, H: Host> {
    pub(super) host: &'a mut H,
    pub(super) config: Config,
    /// When the configuration file was last changed, if there is one.
    changed_at: Option<i64>,
    debug: bool,
    pub(super) lane: Lane,
    items: Items,
    /// The user as the log names them.
    user: Option<Vec<u8>>,
    uid: Option<u32>,
}

/// What the host says of itself.
struct Items {
    service: Vec<u8>,
    tty: Vec<u8>,
    ruser: Vec<u8>,
    rhost: Vec<u8>,
}

/// Who is asked, and what is done with the answer.
pub(super) enum Asked {
    /// There is a record: the answer is judged. What stands in front of the question is the journal's, read without the
    /// lock.
    Enrolled { account: Account, front: Option<Front> },
    /// Nobody can answer: the same question, then a refusal. The log knows why.
    Nobody { reason: &'static str },
    /// Record or store are in no state to judge by.
    Trouble(Trouble),
}

impl<'a, H: Host> Login<'a, H> {
    pub(super) fn configured(host: &'a mut H, arguments: &[&[u8]]) -> Result<Self, Outcome> {
        match Configuration::read(arguments, &host.service()) {
            Ok(Configuration { config, changed_at, debug }) => {
                let mut login = Self { changed_at, debug, ..Self::new(host, config) };
                if changed_at.is_none() {
                    let path = Some(config::PATH);
                    login.log(&Event::Noted { level: Level::Error, reason: "no_configuration", path, found: None });
                }
                Ok(login)
            }
            Err(unread) => Err(Self::new(host, Config::default()).misconfigured(&unread)),
        }
    }

    pub(super) fn new(host: &'a mut H, config: Config) -> Self {
        let items = Items { service: host.service(), tty: host.tty(), ruser: host.ruser(), rhost: host.rhost() };
        let lane = policy::lane(&config, &items.rhost);
        Self { host, config, changed_at: None, debug: false, lane, items, user: None, uid: None }
    }

    /// One line for the first problem: `explain` shows them all.
    pub(super) fn misconfigured(&mut self, unread: &Unread) -> Outcome {
        match unread {
            Unread::Memory => return self.end("memory", Outcome::OutOfMemory),
            Unread::Problems(problems) => {
                let (path, line, problem) =
                    problems.first().map_or((config::PATH, None, "is not understood"), |first| (&first.path, first.line, &first.message));
                self.log(&Event::Configuration { path, line, problem });
            }
        }
        self.host.tell(&words::message(Message::Configuration));
        Outcome::Misconfigured
    }

    /// Judged before everything that can end in PAM_IGNORE: a key-only stack lets nobody past without a key.
    pub(super) fn requires_prior(&mut self) -> Result<(), Outcome> {
        let found = self.host.pam_variable(SSH_AUTH_INFO);
        policy::prior_met(&self.config, &self.items.service, found.as_deref()).map_err(|lacking| {
            self.log(&Event::NotJudged { reason: "require_prior", found: Some(&lacking.to_string()) });
            Outcome::Refused
        })
    }

    pub(super) fn is_not_skipped(&mut self) -> Result<(), Outcome> {
        policy::service_skipped(&self.config).map_or(Ok(()), |skip| Err(self.skipped(&skip)))
    }

    pub(super) fn user(&mut self) -> Result<Vec<u8>, Outcome> {
        match self.host.user() {
            Ok(user) => Ok(user),
            Err(NoUser::Again) => Err(Outcome::Again),
            Err(NoUser::Unknown) => self.ends("no_user", Outcome::NoUser),
            Err(NoUser::Conversation) => self.ends("conversation", Outcome::ConversationFailed),
        }
    }

    pub(super) fn account(&mut self, user: &[u8]) -> Result<Option<Account>, Outcome> {
        self.looked_up(user).map_err(|failed| self.no_database(failed))
    }

    /// The user database, once. A name that is not UTF-8, or longer than any, is nobody's.
    fn looked_up(&mut self, user: &[u8]) -> Result<Option<Account>, DatabaseFailed> {
        let found = match std::str::from_utf8(user) {
            Ok(name) if name.len() <= LONGEST_NAME => self.host.account(name),
            Ok(_) | Err(_) => Ok(None),
        };
        let is_known = matches!(found, Ok(Some(_)));
        self.user = (is_known || self.config.log.unknown_users).then(|| user.to_vec());
        self.uid = found.as_ref().ok().and_then(|account| Some(account.as_ref()?.uid));
        found
    }

    /// The account phase's refusal, logged with the user that PAM knows by then. It holds whoever that is, so a database
    /// that fails changes nothing.
    pub(super) fn not_let_past(&mut self) -> Outcome {
        let user = self.host.user_now();
        let _ = self.looked_up(&user);
        self.end("enforce", Outcome::Refused)
    }

    /// The user database gave no answer, which is not "no such user".
    pub(super) fn no_database(&mut self, failed: DatabaseFailed) -> Outcome {
        self.log(&Event::Failed { reason: "user_database", path: None, found: None, errno: Some(failed.errno), next: None });
        Outcome::Unavailable
    }

    /// Policy: before the store is touched with the name alone, and then with what the store says.
    pub(super) fn asked(&mut self, account: Option<Account>) -> Result<Asked, Outcome> {
        if let Some(skip) = account.as_ref().and_then(|account| policy::user_exempt(&self.config, &account.name)) {
            return Err(self.skipped(&skip));
        }
        // The store is root's: a host that is not root has no way to it.
        if self.host.effective_uid() != 0 {
            return self.ends("not_root", Outcome::Refused);
        }
        let (store, enrolled) = match open_store(&self.config.store, account.as_ref()) {
            Ok(found) => found,
            Err(trouble) => return Ok(Asked::Trouble(trouble)),
        };
        let facts = Facts {
            config: &self.config,
            account: account.as_ref().map(|account| account.name.as_str()),
            enrolled,
            now: self.host.now(),
            config_changed: self.changed_at,
        };
        match (policy::decide(&facts), account) {
            (Decision::Ask, Some(account)) => {
                let glance = store.glance(account.uid);
                let front = glance.and_then(|journal| front_of(&journal, self.lane, self.host.now()));
                Ok(Asked::Enrolled { account, front })
            }
            (Decision::AskAndRefuse { reason, .. }, _) => Ok(Asked::Nobody { reason }),
            (Decision::Skip(skip), _) => Err(self.skipped(&skip)),
            (Decision::RefuseUnasked { reason }, _) => self.ends(reason, Outcome::Refused),
            // Nobody can be enrolled without an account.
            (Decision::Ask, None) => self.ends("unforeseen", Outcome::Refused),
        }
    }

    fn skipped(&mut self, skip: &Skip) -> Outcome {
        self.log(&Event::Skipped { reason: skip.reason, rule: &skip.rule, until: skip.end.map(|end| end.date) });
        if let Some(end) = skip.end {
            self.host.tell(&words::required_from(end.date, end.left));
        }
        Outcome::NotRequired
    }

    /// SIGXFSZ would kill the host at our write before any check can help.
    pub(super) fn has_file_size(&mut self) -> Result<(), Outcome> {
        let needed = u64::try_from(SIZE).unwrap_or(u64::MAX);
        if self.host.file_size_limit() >= needed {
            return Ok(());
        }
        self.log(&Event::Failed { reason: "file_size_limit", path: None, found: None, errno: None, next: None });
        self.host.tell(&words::message(Message::FileSizeLimit));
        Err(Outcome::Unavailable)
    }

    pub(super) fn ask(&mut self, asked: &Asked) -> Result<Option<Answer>, Outcome> {
        let front = match asked {
            Asked::Enrolled { front, .. } => *front,
            Asked::Trouble(Trouble::NoStore { .. }) => Some(Front::StoreUnavailable),
            Asked::Trouble(_) | Asked::Nobody { .. } => None,
        };
        let prompt = words::question(front, &self.config.prompt.text);
        self.host.delay_failure(FAIL_DELAY);
        match self.host.ask(&prompt, self.config.prompt.echo) {
            Ok(answer) => Ok(answer),
            Err(NoAnswer::Again) => Err(Outcome::Again),
            Err(NoAnswer::Failed) => self.ends("conversation", Outcome::ConversationFailed),
            Err(NoAnswer::Memory) => self.ends("memory", Outcome::OutOfMemory),
        }
    }

    pub(super) fn is_same_user(&mut self, user: &[u8]) -> Result<(), Outcome> {
        if self.host.user_now() == user { Ok(()) } else { self.ends("user_changed", Outcome::Refused) }
    }

    /// Where a failure is reported from: the remote host, or else the terminal, or else the service.
    pub(super) fn source(&self) -> Source {
        let Items { service, tty, rhost, .. } = &self.items;
        Source::new([rhost, tty, service].into_iter().find(|item| !item.is_empty()).map_or(&[], Vec::as_slice))
    }

    /// The user as a command names them.
    pub(super) fn user_in_commands(&self) -> String {
        self.user.as_deref().map_or_else(|| "NAME".to_owned(), |user| escaped(user, MOST))
    }

    fn ends<T>(&mut self, reason: &'static str, outcome: Outcome) -> Result<T, Outcome> {
        Err(self.end(reason, outcome))
    }

    pub(super) fn end(&mut self, reason: &'static str, outcome: Outcome) -> Outcome {
        self.log(&Event::NotJudged { reason, found: None });
        outcome
    }

    /// With the argument `debug`: which step comes, never a value.
    pub(super) fn step(&mut self, name: &'static str) {
        if self.debug {
            self.host.log(&Line { level: Level::Debug, text: format!("step={name}") });
        }
    }

    pub(super) fn log(&mut self, event: &Event<'_>) {
        let login = audit::Login {
            user: self.user.as_deref(),
            uid: self.uid,
            service: &self.items.service,
            tty: &self.items.tty,
            ruser: &self.items.ruser,
            rhost: &self.items.rhost,
            real_uid: self.host.real_uid(),
            effective_uid: self.host.effective_uid(),
            logname: &[],
            lane: self.lane,
            unsynchronised: self.host.clock_unsynchronised(),
        };
        for line in event.lines(&login, self.config.log.format) {
            self.host.log(&line);
        }
    }
}

/// What holds for the service of this login.
struct Configuration {
    config: Config,
    /// `None`: there is no file, and none was named.
    changed_at: Option<i64>,
    debug: bool,
}

pub(super) enum Unread {
    Problems(Vec<Problem>),
    Memory,
}

impl Configuration {
    fn read(arguments: &[&[u8]], service: &[u8]) -> Result<Self, Unread> {
        let arguments = Arguments::read(arguments, Phase::Authentication).map_err(Unread::Problems)?;
        let path = arguments.config_path();
        let file = sys::read_config(Path::new(path)).map_err(|error| match error {
            ConfigFile::CantRead { errno: libc::ENOMEM } => Unread::Memory,
            other => Unread::Problems(vec![Problem { path: path.to_owned(), line: None, message: other.to_string() }]),
        })?;
        let (text, changed_at) = file.map_or((None, None), |(text, changed_at)| (Some(text), Some(changed_at)));
        let config = Config::read(path, text.as_deref(), &arguments, service).map_err(Unread::Problems)?;
        Ok(Self { config, changed_at, debug: arguments.debug() })
    }
}

/// The store, and whether the account has a record in it. A store that is not there refuses everybody, an unknown
/// user too, whatever the policy.
fn open_store(path: &str, account: Option<&Account>) -> Result<(Store<Folder>, bool), Trouble> {
    let store = Store::new(Folder::open(path)?);
    let enrolled = account.map_or(Ok(false), |account| store.is_enrolled(account.uid))?;
    Ok((store, enrolled))
}

/// Where several hold: the clock before a stop, a stop before a wait, a wait before the next code.
fn front_of(journal: &Journal, lane: Lane, now: i64) -> Option<Front> {
    let floor = Floor { not_before: 0, last: journal.last };
    if judge::is_clock_behind(floor, now) {
        return Some(Front::ClockBehind);
    }
    let seconds = |until: i64| until.saturating_sub(now);
    match journal.throttle.gate(lane, now) {
        Gate::Stopped { .. } => return Some(Front::Stopped),
        Gate::Waiting { until } | Gate::Spent { until } => return Some(Front::Wait { seconds: seconds(until) }),
        Gate::Open => {}
    }
    let next = journal.last.saturating_add(i64::from(journal.last_period));
    match journal.last_period {
        0 => None,
        _ if next <= now => None,
        30 => Some(Front::NextCode { seconds: seconds(next) }),
        _ => Some(Front::NextCodeSoon),
    }
}
