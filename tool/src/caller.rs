//! Who runs the tool, and whose second factor it is about.
#![forbid(unsafe_code)]

use countersign::flows::refusal::{Kind, Refusal};
use countersign::rules::audit::{Behalf, Change};
use countersign::sys::{self, Account, DatabaseFailed};
use countersign::words::enroll::{printed, typed};

use crate::arguments::{Command, Written};
use crate::environment;

pub(crate) struct Caller {
    /// Whose second factor it is about: of `--user`, else one's own.
    pub(crate) whom: Account,
    /// `--user` or a NAME was given, or the command is about nobody.
    pub(crate) named: bool,
    pub(crate) sudo_user: Option<String>,
    loginuid: Option<u32>,
}

impl Caller {
    /// Root alone gets past this: others reach the store through the service. A program that was made setuid by mistake
    /// doesn't count as root.
    pub(crate) fn find(written: &Written, command: &Command) -> Result<Self, Refusal> {
        if sys::real_uid() != 0 || sys::effective_uid() != 0 {
            return Err(not_root(written, command));
        }
        let whom = match &written.user {
            // What is about nobody works where the user database doesn't, too.
            _ if command.is_roots() => Account { uid: 0, name: "root".to_owned() },
            Some(name) => account(name)?,
            None => own_account()?,
        };
        let sudo_user = environment::sudo_user().filter(|user| user != "root");
        Ok(Self { whom, named: written.user.is_some() || command.is_roots(), sudo_user, loginuid: sys::loginuid() })
    }

    /// Behind sudo it is easily forgotten that root's second factor is not one's own: who may have meant theirs.
    pub(crate) fn mistaken(&self) -> Option<&str> {
        self.sudo_user.as_deref().filter(|user| !self.named && *user != self.whom.name)
    }

    /// Who does it, for the record and the notices: `root`, or `root (bob)` behind sudo.
    pub(crate) fn by(&self) -> String {
        match &self.sudo_user {
            Some(user) => format!("root ({})", printed(user)),
            None => "root".to_owned(),
        }
    }

    /// A line for the log about a change of that account.
    pub(crate) fn change<'a>(&'a self, action: &'static str, user: &'a Account) -> Change<'a> {
        let behalf = Behalf { loginuid: self.loginuid, sudo_user: self.sudo_user.as_ref().map(|user| user.as_bytes()) };
        Change {
            action,
            user: user.name.as_bytes(),
            uid: user.uid,
            by: b"root",
            behalf: Some(behalf),
            authenticator: None,
            codes_left: None,
            why: None,
            errno: None,
        }
    }
}

/// The account of that name. A number is a name like any other.
pub(crate) fn account(name: &str) -> Result<Account, Refusal> {
    match sys::account(name) {
        Ok(Some(account)) => Ok(account),
        Ok(None) => Err(Refusal::new(Kind::NoSuchUser, format!("no user \"{}\"", printed(name)), "see: getent passwd")),
        Err(error) => Err(no_database(&error)),
    }
}

pub(crate) fn no_database(error: &DatabaseFailed) -> Refusal {
    Refusal::new(Kind::ServiceUnavailable, error.to_string(), "mend that and start again")
}

fn own_account() -> Result<Account, Refusal> {
    let uid = sys::real_uid();
    match sys::account_of(uid) {
        Ok(Some(account)) => Ok(account),
        Ok(None) => Err(Refusal::new(Kind::NoSuchUser, format!("no user with uid {uid}"), "see: getent passwd")),
        Err(error) => Err(no_database(&error)),
    }
}

fn not_root(written: &Written, command: &Command) -> Refusal {
    let whole = written.again(command.operand(), &[]);
    if command.is_roots() {
        return Refusal::new(Kind::NotRoot, format!("{} is root's", written.command()), format!("run: sudo countersign-setup {whole}"));
    }
    if let Some(user) = &written.user {
        let words = format!("{whole} --user {}", typed(user));
        return Refusal::new(Kind::NotRoot, "--user is root's", format!("run: sudo countersign-setup {}", words.trim_start()));
    }
    let me = own_account().map_or_else(|_| sys::real_uid().to_string(), |account| typed(&account.name));
    let asked = if whole.is_empty() { "enroll" } else { &whole };
    Refusal::new(
        Kind::ServiceUnavailable,
        "the enrollment service isn't running",
        format!("ask an administrator to run: countersign-setup {asked} --user {me}"),
    )
}
