//! The doors: the six functions that libpam calls. They gather, call the sentence, and map its answer.
//!
//! Every one is guarded by `pam_hooks!`: a panic ends there as PAM_ABORT. The hook that would print it is replaced by a silent
//! one: a module brings its own copy of Rust's std, so the host's own panics, if it has any, are not touched.
#![allow(unsafe_code)]

pub mod application;
mod c;
mod host;
mod reserve;

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;

use ::pam::constants::{PAM_SILENT, PamFlag, PamResultCode};
use ::pam::module::{PamHandle, PamHooks};
use ::pam::pam_hooks;

use crate::authenticate::{Host, Outcome, authenticate, manage_account};
use crate::rules::audit::{Level, Line};
use host::PamHost;
use reserve::Reserve;

/// Here and not in the module alone, because the module is this library: in the tool and the tests the system's allocator
/// answers first, as it does in the module.
#[global_allocator]
static ALLOCATOR: Reserve = Reserve::behind(std::alloc::System);

struct Countersign;

pam_hooks!(Countersign);

/// What authentication leaves behind for `enforce`: whom it let past, an `Option<Vec<u8>>`.
const LET_PAST: &str = "countersign_let_past";

impl PamHooks for Countersign {
    fn sm_authenticate(handle: &mut PamHandle, arguments: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        // Until there is an outcome, a panic's too, there is none that lets past.
        let _ = handle.set_data(LET_PAST, Box::new(None::<Vec<u8>>));
        let outcome = guarded(handle, flags, |host| authenticate(host, &bytes_of(&arguments)));
        let whom = outcome.lets_past().then(|| PamHost::new(handle, true).user_now());
        let _ = handle.set_data(LET_PAST, Box::new(whom));
        answer(outcome)
    }

    /// Nothing to set, and it says so: IGNORE after an authentication that succeeded fails the whole setcred.
    fn sm_setcred(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }

    fn acct_mgmt(handle: &mut PamHandle, arguments: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        // SAFETY: what stands under this name was put there above, of this type.
        let whom = unsafe { handle.get_data::<Option<Vec<u8>>>(LET_PAST) }.ok().cloned().flatten();
        let let_past = whom.is_some_and(|whom| whom == PamHost::new(handle, true).user_now());
        match guarded(handle, flags, |host| manage_account(host, &bytes_of(&arguments), let_past)) {
            Outcome::Refused => PamResultCode::PAM_PERM_DENIED,
            other => answer(other),
        }
    }

    fn sm_open_session(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_IGNORE
    }

    fn sm_close_session(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_IGNORE
    }

    fn sm_chauthtok(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_IGNORE
    }
}

fn bytes_of<'a>(arguments: &[&'a CStr]) -> Vec<&'a [u8]> {
    arguments.iter().map(|argument| argument.to_bytes()).collect()
}

/// A panic leaves a line in the log; then `pam_hooks!` makes PAM_ABORT of it.
fn guarded(handle: &mut PamHandle, flags: PamFlag, run: impl FnOnce(&mut PamHost<'_>) -> Outcome) -> Outcome {
    silence_panics();
    let mut host = PamHost::new(handle, flags & PAM_SILENT != 0);
    match catch_unwind(AssertUnwindSafe(|| run(&mut host))) {
        Ok(outcome) => outcome,
        Err(panic) => {
            host.log(&Line { level: Level::Error, text: "result=refused reason=panic".to_owned() });
            resume_unwind(panic)
        }
    }
}

fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
}

fn answer(outcome: Outcome) -> PamResultCode {
    match outcome {
        Outcome::LetIn => PamResultCode::PAM_SUCCESS,
        Outcome::NotRequired => PamResultCode::PAM_IGNORE,
        Outcome::Refused => PamResultCode::PAM_AUTH_ERR,
        Outcome::Unavailable => PamResultCode::PAM_AUTHINFO_UNAVAIL,
        Outcome::Misconfigured => PamResultCode::PAM_SERVICE_ERR,
        Outcome::NoUser => PamResultCode::PAM_USER_UNKNOWN,
        Outcome::ConversationFailed => PamResultCode::PAM_CONV_ERR,
        Outcome::Again => PamResultCode::PAM_INCOMPLETE,
        Outcome::OutOfMemory => PamResultCode::PAM_BUF_ERR,
    }
}
