//! PAM's sentence: configuration, policy, record, question, answer, verdict, audit line, result.
//!
//! Every step either goes on or ends with an `Outcome`; what is unforeseen ends in a refusal that logs.
#![forbid(unsafe_code)]

mod answer;
mod host;
mod login;

pub use crate::sys::{Account, DatabaseFailed};
pub use host::{Answer, Host, NoAnswer, NoUser, Outcome};

use crate::rules::config::{Arguments, Config, Phase};
use login::{Login, Unread};

/// The PAM service of the enrollment service's own password check, whose stack may include us.
const OWN_SERVICE: &[u8] = b"countersign";

/// `pam_sm_authenticate`, with the arguments as they stand in the stack.
pub fn authenticate(host: &mut impl Host, arguments: &[&[u8]]) -> Outcome {
    if host.service() == OWN_SERVICE {
        return Outcome::NotRequired;
    }
    match sentence(host, arguments) {
        Ok(outcome) | Err(outcome) => outcome,
    }
}

/// `pam_sm_acct_mgmt`: nothing is asked here. With the argument `enforce`, whom `authenticate` has not let past in this
/// transaction (a key alone, say) is refused. `let_past` is what it left behind.
pub fn manage_account(host: &mut impl Host, arguments: &[&[u8]], let_past: bool) -> Outcome {
    let service = host.service();
    let mut login = Login::new(host, Config::default());
    match Arguments::read(arguments, Phase::Account) {
        Err(problems) => login.misconfigured(&Unread::Problems(problems)),
        Ok(arguments) if arguments.enforces() && !let_past && service != OWN_SERVICE => login.not_let_past(),
        Ok(_) => Outcome::NotRequired,
    }
}

/// `Err` is a sentence that ended early.
fn sentence(host: &mut impl Host, arguments: &[&[u8]]) -> Result<Outcome, Outcome> {
    let mut login = Login::configured(host, arguments)?;
    login.step("prior");
    login.requires_prior()?;
    login.is_not_skipped()?;
    login.step("user");
    let user = login.user()?;
    let account = login.account(&user)?;
    login.step("policy");
    let asked = login.asked(account)?;
    login.has_file_size()?;
    login.step("question");
    let answer = login.ask(&asked)?;
    login.is_same_user(&user)?;
    login.step("answer");
    Ok(login.answered(&asked, answer))
}
