//! The store, opened, this machine's name, and the names that a person's record may bear.
#![forbid(unsafe_code)]

use countersign::flows::Whom;
use countersign::flows::refusal::{self, Kind, Refusal};
use countersign::store::{Folder, Store, Trouble};
use countersign::sys::{self, Account};
use countersign::verify;
use countersign::words::enroll::{printed, typed};

use crate::caller::{self, Caller};
use crate::settings::Settings;

/// Everything a command about one person needs to speak of them.
pub(crate) struct Subject<'a> {
    pub(crate) account: &'a Account,
    pub(crate) host: String,
    pub(crate) folder: &'a str,
    /// The caller named them, and is named a command about them in full.
    named: bool,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(account: &'a Account, settings: &'a Settings) -> Self {
        Self { account, host: host(), folder: &settings.config.store, named: true }
    }

    /// Whom that caller means: somebody, or themselves.
    pub(crate) fn of(caller: &Caller, account: &'a Account, settings: &'a Settings) -> Self {
        Self { named: caller.named, ..Self::new(account, settings) }
    }

    pub(crate) fn whom(&self) -> Whom<'_> {
        Whom { uid: self.account.uid, name: &self.account.name, host: &self.host, named: self.named }
    }

    /// The name, as it is printed.
    pub(crate) fn printed(&self) -> String {
        printed(&self.account.name)
    }

    /// What a command needs to be about this person, when the caller named them.
    pub(crate) fn option(&self, caller: &Caller) -> String {
        if caller.named { format!(" --user {}", typed(&self.account.name)) } else { String::new() }
    }

    pub(crate) fn store(&self) -> Result<Store<Folder>, Refusal> {
        Folder::open(self.folder).map(Store::new).map_err(|trouble| self.refusal(&trouble))
    }

    pub(crate) fn refusal(&self, trouble: &Trouble) -> Refusal {
        refusal::trouble(trouble, &self.whom(), self.folder)
    }
}

/// The account under the name that its record bears, where that is another spelling of it; else as it is. A record made
/// for somebody else is refused.
pub(crate) fn as_recorded(account: &Account, settings: &Settings) -> Result<Account, Refusal> {
    let subject = Subject::new(account, settings);
    // The lock is given back before the user database is asked.
    let record = subject.store()?.lock(account.uid).and_then(|locked| locked.record());
    let made_for = record.map(|record| record.map_or(Ok(()), |record| verify::is_made_for(&record.name, &[&account.name])));
    let Err(trouble) = made_for.map_err(|trouble| subject.refusal(&trouble))? else { return Ok(account.clone()) };
    let look_up = |name: &str| sys::account(name).map(|found| found.map(|same| same.uid)).map_err(|error| caller::no_database(&error));
    match verify::other_spelling(&trouble, account.uid, look_up)? {
        Some(recorded) => Ok(Account { uid: account.uid, name: recorded }),
        None => Err(subject.refusal(&trouble)),
    }
}

/// Whose a record is, by what it calls its owner.
pub(crate) enum Owner {
    /// Of the account that bears the name, or one of its names.
    Theirs,
    /// The uid has an account of another name now: logins are refused.
    OtherName { refusal: Refusal, now: String },
    /// The uid has no account, so nobody logs in by it.
    NoAccount(Refusal),
    /// The user database gave no answer.
    Unknown(Refusal),
}

impl Owner {
    /// `recorded` is uid and name of the record.
    pub(crate) fn find(recorded: &Account, settings: &Settings) -> Self {
        let (of_name, of_uid) = match (sys::account(&recorded.name), sys::account_of(recorded.uid)) {
            (Ok(Some(same)), _) if same.uid == recorded.uid => return Self::Theirs,
            (Ok(of_name), Ok(of_uid)) => (of_name, of_uid),
            (Err(error), _) | (_, Err(error)) => return Self::Unknown(caller::no_database(&error)),
        };
        if let Some(now) = of_uid {
            let trouble = Trouble::OtherName { recorded: recorded.name.clone() };
            let refusal = Subject::new(&now, settings).refusal(&trouble);
            return Self::OtherName { refusal, now: now.name };
        }
        let (uid, name) = (recorded.uid, printed(&recorded.name));
        let fact = format!("uid {uid} is enrolled as \"{name}\" and has no account");
        let next = match of_name {
            None => format!("run: countersign-setup reset {}", typed(&recorded.name)),
            // By name the command would find another person.
            Some(other) => format!("{name} is uid {} now, so {}", other.uid, give_account(uid)),
        };
        Self::NoAccount(Refusal::new(Kind::NoSuchUser, fact, next))
    }
}

fn give_account(uid: u32) -> String {
    format!("give uid {uid} an account, then run: countersign-setup reset NAME")
}

/// What stands in the way of the files of a uid, and the name of its account, if there is one.
pub(crate) fn in_the_way(trouble: &Trouble, uid: u32, settings: &Settings) -> (Option<String>, Refusal) {
    let found = sys::account_of(uid);
    let name = found.as_ref().ok().and_then(|account| account.as_ref()).map(|account| account.name.clone());
    let account = Account { uid, name: name.clone().unwrap_or_else(|| "NAME".to_owned()) };
    let refusal = Subject::new(&account, settings).refusal(trouble);
    let is_mended_by_name =
        matches!(trouble, Trouble::Damaged { .. } | Trouble::NoJournal { .. } | Trouble::Lost { .. } | Trouble::BadFile { .. });
    // No command finds a uid by its number.
    let next = if matches!(found, Ok(None)) && is_mended_by_name { give_account(uid) } else { refusal.next };
    (name, Refusal { next, ..refusal })
}

/// The kernel's name of this machine.
pub(crate) fn host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
