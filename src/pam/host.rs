//! The real `Host`: a PAM handle, and the system behind it.

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use ::pam::constants::{PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_TEXT_INFO, PamResultCode};
use ::pam::conv::Conv;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::c;
use crate::authenticate::{Account, Answer, DatabaseFailed, Host, NoAnswer, NoUser};
use crate::rules::audit::{Level, Line};
use crate::sys;

pub(super) struct PamHost<'h> {
    handle: &'h mut c::PamHandle,
    silent: bool,
}

/// Items are the host's, and a stranger's behind it.
const LONGEST_ITEM: usize = 4096;
/// Far above any code: an answer that is cut here is malformed, cut or not.
const LONGEST_ANSWER: usize = 512;

impl<'h> PamHost<'h> {
    pub(super) fn new(handle: &'h mut c::PamHandle, silent: bool) -> Self {
        Self { handle, silent }
    }

    fn item(&self, kind: c_int) -> &[u8] {
        let mut found: *const c_void = std::ptr::null();
        // SAFETY: the handle is libpam's own, alive during this call, and `found` is ours.
        let code = unsafe { c::pam_get_item(&raw const *self.handle, kind, &raw mut found) };
        if code != c::PAM_SUCCESS {
            return &[];
        }
        // SAFETY: the kinds asked for here are strings; the handle owns them, and is borrowed as long as the bytes.
        unsafe { bytes(found.cast(), LONGEST_ITEM) }.unwrap_or_default()
    }
}

impl Host for PamHost<'_> {
    fn now(&self) -> i64 {
        sys::now()
    }

    fn clock_unsynchronised(&self) -> bool {
        sys::clock_unsynchronised()
    }

    fn real_uid(&self) -> u32 {
        sys::real_uid()
    }

    fn effective_uid(&self) -> u32 {
        sys::effective_uid()
    }

    fn file_size_limit(&self) -> u64 {
        sys::file_size_limit()
    }

    fn is_silent(&self) -> bool {
        self.silent
    }

    fn service(&self) -> Vec<u8> {
        self.item(c::PAM_SERVICE).to_vec()
    }

    fn tty(&self) -> Vec<u8> {
        self.item(c::PAM_TTY).to_vec()
    }

    fn rhost(&self) -> Vec<u8> {
        self.item(c::PAM_RHOST).to_vec()
    }

    fn ruser(&self) -> Vec<u8> {
        self.item(c::PAM_RUSER).to_vec()
    }

    fn pam_variable(&self, name: &str) -> Option<Vec<u8>> {
        let name = CString::new(name).ok()?;
        // SAFETY: pam_getenv only reads, though its declaration doesn't say so; name and handle are alive.
        let value = unsafe { c::pam_getenv((&raw const *self.handle).cast_mut(), name.as_ptr()) };
        // SAFETY: NULL or a string that the handle owns; it is copied before anything can change it.
        unsafe { bytes(value, LONGEST_ITEM) }.map(<[u8]>::to_vec)
    }

    /// Not pam-bindings' own: that answers PAM_SYSTEM_ERR alike for no name, a name that is not UTF-8, and a failure.
    fn user(&mut self) -> Result<Vec<u8>, NoUser> {
        let mut found: *const c_char = std::ptr::null();
        // SAFETY: the handle is alive and ours alone during this call; NULL is "the host's own prompt".
        match unsafe { c::pam_get_user(&raw mut *self.handle, &raw mut found, std::ptr::null()) } {
            c::PAM_SUCCESS => {}
            c::PAM_CONV_AGAIN | c::PAM_INCOMPLETE => return Err(NoUser::Again),
            _ => return Err(NoUser::Conversation),
        }
        // SAFETY: NULL or a string that the handle owns; it is copied before anything can change it.
        let name = unsafe { bytes(found, LONGEST_ITEM) }.unwrap_or_default();
        if name.is_empty() { Err(NoUser::Unknown) } else { Ok(name.to_vec()) }
    }

    fn user_now(&self) -> Vec<u8> {
        self.item(c::PAM_USER).to_vec()
    }

    fn account(&mut self, name: &str) -> Result<Option<Account>, DatabaseFailed> {
        sys::account(name)
    }

    fn is_password(&self, answer: &[u8]) -> bool {
        let password = self.item(c::PAM_AUTHTOK);
        !password.is_empty() && bool::from(password.ct_eq(answer))
    }

    fn ask(&mut self, prompt: &str, echo: bool) -> Result<Option<Answer>, NoAnswer> {
        let style = if echo { PAM_PROMPT_ECHO_ON } else { PAM_PROMPT_ECHO_OFF };
        let Ok(Some(conversation)) = self.handle.get_item::<Conv<'_>>() else { return Err(NoAnswer::Failed) };
        match conversation.send(style, prompt) {
            Ok(None) => Ok(None),
            Ok(Some(reply)) => Ok(Some(shortened(reply.as_bytes()))),
            Err(PamResultCode::PAM_CONV_AGAIN) => Err(NoAnswer::Again),
            Err(PamResultCode::PAM_BUF_ERR) => Err(NoAnswer::Memory),
            Err(_) => Err(NoAnswer::Failed),
        }
    }

    fn tell(&mut self, message: &str) {
        if self.silent {
            return;
        }
        if let Ok(Some(conversation)) = self.handle.get_item::<Conv<'_>>() {
            // su answers a message with SUCCESS and no response, others not at all: that they can't is no event.
            let _ = conversation.send(PAM_TEXT_INFO, message);
        }
    }

    fn delay_failure(&mut self, microseconds: u32) {
        // SAFETY: the handle is alive and ours alone during this call.
        unsafe { c::pam_fail_delay(&raw mut *self.handle, microseconds) };
    }

    fn log(&mut self, line: &Line) {
        let priority = libc::LOG_AUTHPRIV
            | match line.level {
                Level::Error => libc::LOG_ERR,
                Level::Notice => libc::LOG_NOTICE,
                Level::Info => libc::LOG_INFO,
                Level::Debug => libc::LOG_DEBUG,
            };
        let until_nul = line.text.split('\0').next().unwrap_or_default();
        let Ok(text) = CString::new(until_nul) else { return };
        // SAFETY: the format takes one string, which is given, and both end in NUL.
        unsafe { c::pam_syslog(&raw const *self.handle, priority, FORMAT.as_ptr(), text.as_ptr()) };
    }
}

const FORMAT: &CStr = c"%s";

fn shortened(reply: &[u8]) -> Answer {
    Zeroizing::new(reply.get(..LONGEST_ANSWER).unwrap_or(reply).to_vec())
}

/// At most `longest` bytes of a string of C; `None` for NULL.
///
/// # Safety
/// `text` is NULL or ends in NUL, and what it points to stays as it is for `'a`.
unsafe fn bytes<'a>(text: *const c_char, longest: usize) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: `text` ends in NUL, by this function's contract.
    let length = unsafe { libc::strnlen(text, longest) };
    // SAFETY: so many bytes stand there before the NUL, and stay for `'a`.
    Some(unsafe { std::slice::from_raw_parts(text.cast(), length) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_of_c_is_read_up_to_its_bound() {
        // SAFETY: a CStr ends in NUL.
        let read = |text: &CStr, longest| unsafe { bytes(text.as_ptr(), longest) }.map(<[u8]>::to_vec);
        assert_eq!(read(c"alice", 4096), Some(b"alice".to_vec()));
        assert_eq!(read(c"alice", 3), Some(b"ali".to_vec()));
        assert_eq!(read(c"", 3), Some(Vec::new()));
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { bytes(std::ptr::null(), 3) }, None);
    }

    #[test]
    fn a_long_answer_stays_too_long() {
        assert_eq!(shortened(&[b'1'; 100]).len(), 100);
        assert_eq!(shortened(&[b'1'; 10_000_000]).len(), LONGEST_ANSWER);
    }
}
