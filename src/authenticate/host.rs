//! The PAM host: all that the sentence takes from the world, but the files; and what the host is told.
#![forbid(unsafe_code)]

use zeroize::Zeroizing;

use crate::rules::audit::Line;
use crate::sys::{Account, DatabaseFailed};

/// The PAM host a login happens in: sshd, login, su, sudo. All that the sentence takes from the world, but the files.
/// Items are bytes as the host gave them; an item that is not set is empty.
pub trait Host {
    /// The clock, unix seconds.
    fn now(&self) -> i64;
    /// The kernel says that its clock is not synchronised.
    fn clock_unsynchronised(&self) -> bool;
    fn real_uid(&self) -> u32;
    fn effective_uid(&self) -> u32;
    /// RLIMIT_FSIZE in bytes, `u64::MAX` if there is none.
    fn file_size_limit(&self) -> u64;
    /// PAM_SILENT: no messages.
    fn is_silent(&self) -> bool;
    fn service(&self) -> Vec<u8>;
    fn tty(&self) -> Vec<u8>;
    fn rhost(&self) -> Vec<u8>;
    fn ruser(&self) -> Vec<u8>;
    /// A variable of PAM's own environment (not the process's).
    fn pam_variable(&self, name: &str) -> Option<Vec<u8>>;
    /// PAM_USER; the host may ask for it.
    fn user(&mut self) -> Result<Vec<u8>, NoUser>;
    /// PAM_USER as it is now, without asking.
    fn user_now(&self) -> Vec<u8>;
    /// The user database: `Ok(None)` is "no such user".
    fn account(&mut self, name: &str) -> Result<Option<Account>, DatabaseFailed>;
    /// Whether these bytes are the password in PAM_AUTHTOK.
    fn is_password(&self, answer: &[u8]) -> bool;
    /// Asks one question.
    fn ask(&mut self, prompt: &str, echo: bool) -> Result<Option<Answer>, NoAnswer>;
    /// Says one message; a host that can't is no event.
    fn tell(&mut self, message: &str);
    /// The longest delay of a failure that libpam should make, microseconds.
    fn delay_failure(&mut self, microseconds: u32);
    fn log(&mut self, line: &Line);
}

/// The bytes of an answer, wiped when dropped.
pub type Answer = Zeroizing<Vec<u8>>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoUser {
    /// CONV_AGAIN: nothing done yet.
    Again,
    /// Asking failed.
    Conversation,
    /// There is none.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// CONV_AGAIN: nothing done yet.
    Again,
    /// The conversation failed.
    Failed,
    /// Memory is out.
    Memory,
}

impl Outcome {
    /// Nothing of ours stands in the way: let in, or not asked.
    pub fn lets_past(self) -> bool {
        matches!(self, Self::LetIn | Self::NotRequired)
    }
}

/// What the host is told. `LetIn` is made at one place in this crate, from a verdict whose state is durably written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    LetIn,
    /// PAM_IGNORE.
    NotRequired,
    /// PAM_AUTH_ERR.
    Refused,
    /// PAM_AUTHINFO_UNAVAIL.
    Unavailable,
    /// PAM_SERVICE_ERR.
    Misconfigured,
    /// PAM_USER_UNKNOWN.
    NoUser,
    /// PAM_CONV_ERR.
    ConversationFailed,
    /// PAM_INCOMPLETE.
    Again,
    /// PAM_BUF_ERR.
    OutOfMemory,
}
