//! The store, opened, and this machine's name.
#![forbid(unsafe_code)]

use countersign::flows::Whom;
use countersign::flows::refusal::{self, Refusal};
use countersign::store::{Folder, Store, Trouble};
use countersign::sys::Account;
use countersign::words::enroll::printed;

use crate::settings::Settings;

/// Everything a command about one person needs to speak of them.
pub(crate) struct Subject<'a> {
    pub(crate) account: &'a Account,
    pub(crate) host: String,
    pub(crate) folder: &'a str,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(account: &'a Account, settings: &'a Settings) -> Self {
        Self { account, host: host(), folder: &settings.config.store }
    }

    pub(crate) fn whom(&self) -> Whom<'_> {
        Whom { uid: self.account.uid, name: &self.account.name, host: &self.host }
    }

    pub(crate) fn store(&self) -> Result<Store<Folder>, Refusal> {
        Folder::open(self.folder).map(Store::new).map_err(|trouble| self.refusal(&trouble))
    }

    pub(crate) fn refusal(&self, trouble: &Trouble) -> Refusal {
        refusal::trouble(trouble, &self.whom(), self.folder)
    }
}

/// The kernel's name of this machine, printable.
pub(crate) fn host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = printed(&name.to_string_lossy());
    if name.is_empty() { "localhost".to_owned() } else { name }
}
