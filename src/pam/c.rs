//! Declarations for C alone: what libpam has and pam-bindings lacks. No logic.
//! Names and numbers are those of `security/pam_modules.h`, `pam_ext.h`, `pam_appl.h` and `_pam_types.h` (Linux-PAM 1.4 or later).

use std::ffi::{c_char, c_int, c_uint, c_void};

pub(super) use ::pam::module::PamHandle;

pub(super) const PAM_SUCCESS: c_int = 0;
pub(super) const PAM_SYSTEM_ERR: c_int = 4;
pub(super) const PAM_BUF_ERR: c_int = 5;
pub(super) const PAM_CONV_ERR: c_int = 19;
pub(super) const PAM_CONV_AGAIN: c_int = 30;
pub(super) const PAM_INCOMPLETE: c_int = 31;

pub(super) const PAM_SERVICE: c_int = 1;
pub(super) const PAM_USER: c_int = 2;
pub(super) const PAM_TTY: c_int = 3;
pub(super) const PAM_RHOST: c_int = 4;
pub(super) const PAM_AUTHTOK: c_int = 6;
pub(super) const PAM_RUSER: c_int = 8;
pub(super) const PAM_FAIL_DELAY: c_int = 10;

pub(super) const PAM_PROMPT_ECHO_OFF: c_int = 1;
pub(super) const PAM_PROMPT_ECHO_ON: c_int = 2;
pub(super) const PAM_ERROR_MSG: c_int = 3;
pub(super) const PAM_TEXT_INFO: c_int = 4;

#[repr(C)]
pub(super) struct Message {
    pub(super) style: c_int,
    pub(super) text: *const c_char,
}

#[repr(C)]
pub(super) struct Response {
    pub(super) text: *mut c_char,
    /// Unused, always 0.
    pub(super) code: c_int,
}

#[repr(C)]
pub(super) struct Conversation {
    pub(super) function: unsafe extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int,
    pub(super) data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    pub(super) fn pam_get_item(handle: *const PamHandle, kind: c_int, item: *mut *const c_void) -> c_int;
    pub(super) fn pam_get_user(handle: *mut PamHandle, user: *mut *const c_char, prompt: *const c_char) -> c_int;
    pub(super) fn pam_getenv(handle: *mut PamHandle, name: *const c_char) -> *const c_char;
    pub(super) fn pam_fail_delay(handle: *mut PamHandle, microseconds: c_uint) -> c_int;
    pub(super) fn pam_syslog(handle: *const PamHandle, priority: c_int, format: *const c_char, ...);

    pub(super) fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        handle: *mut *mut PamHandle,
    ) -> c_int;
    pub(super) fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        folder: *const c_char,
        handle: *mut *mut PamHandle,
    ) -> c_int;
    pub(super) fn pam_set_item(handle: *mut PamHandle, kind: c_int, item: *const c_void) -> c_int;
    pub(super) fn pam_putenv(handle: *mut PamHandle, assignment: *const c_char) -> c_int;
    pub(super) fn pam_authenticate(handle: *mut PamHandle, flags: c_int) -> c_int;
    pub(super) fn pam_setcred(handle: *mut PamHandle, flags: c_int) -> c_int;
    pub(super) fn pam_acct_mgmt(handle: *mut PamHandle, flags: c_int) -> c_int;
    pub(super) fn pam_open_session(handle: *mut PamHandle, flags: c_int) -> c_int;
    pub(super) fn pam_close_session(handle: *mut PamHandle, flags: c_int) -> c_int;
    pub(super) fn pam_chauthtok(handle: *mut PamHandle, flags: c_int) -> c_int;
    pub(super) fn pam_end(handle: *mut PamHandle, status: c_int) -> c_int;
    pub(super) fn pam_strerror(handle: *mut PamHandle, code: c_int) -> *const c_char;
}
