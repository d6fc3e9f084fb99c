//! PAM's other side: a program that asks the stack. The enrollment service, the trial login and the tests are such programs.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr::{self, NonNull};

use nix::NixPath;
use zeroize::Zeroizing;

use super::c;

/// The person, as the stack sees them.
pub trait Conversation {
    /// One message, one reply; `Reply::Nothing` to a text.
    fn answer(&mut self, style: Style, message: &[u8]) -> Reply;

    /// libpam wants to wait after a failure.
    fn delay(&mut self, microseconds: u32) {
        crate::sys::sleep(u64::from(microseconds).div_ceil(1000));
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// A question whose answer is not shown.
    Hidden,
    /// A question whose answer is shown.
    Shown,
    Text,
    Error,
}

pub enum Reply {
    /// Bytes without a NUL.
    Text(Zeroizing<Vec<u8>>),
    Nothing,
    /// PAM_CONV_ERR.
    Failed,
    /// PAM_CONV_AGAIN.
    Again,
}

/// A return value of libpam that is not PAM_SUCCESS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Code(pub i32);

impl Code {
    const SYSTEM: Self = Self(c::PAM_SYSTEM_ERR);
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: libpam looks at the number alone and never at the handle.
        let text = unsafe { c::pam_strerror(ptr::null_mut(), self.0) };
        if text.is_null() {
            return write!(f, "PAM error {}", self.0);
        }
        // SAFETY: libpam's own words, static, ending in NUL.
        let text = unsafe { CStr::from_ptr(text) };
        write!(f, "{} (PAM error {})", text.to_string_lossy(), self.0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    User,
    Tty,
    Rhost,
    Ruser,
}

/// From pam_start to pam_end.
pub struct Transaction<'c> {
    handle: NonNull<c::PamHandle>,
    last: c_int,
    /// What libpam's copy of the conversation points to.
    conversation: *mut Box<dyn Conversation + 'c>,
    owned: PhantomData<Box<dyn Conversation + 'c>>,
}

impl<'c> Transaction<'c> {
    /// `folder` is searched in place of the system's own service files.
    pub fn start(
        service: &[u8],
        user: Option<&[u8]>,
        folder: Option<&Path>,
        conversation: Box<dyn Conversation + 'c>,
    ) -> Result<Self, Code> {
        let service = CString::new(service).map_err(|_| Code::SYSTEM)?;
        let user = user.map(CString::new).transpose().map_err(|_| Code::SYSTEM)?;
        let user = user.as_ref().map_or(ptr::null(), |user| user.as_ptr());
        let conversation = Box::into_raw(Box::new(conversation));
        let function = c::Conversation { function: converse, data: conversation.cast() };
        let mut handle: *mut c::PamHandle = ptr::null_mut();
        let code = match folder {
            // SAFETY: the strings and the conversation are alive; libpam copies them.
            None => unsafe { c::pam_start(service.as_ptr(), user, &raw const function, &raw mut handle) },
            Some(folder) => folder
                .with_nix_path(|folder| {
                    // SAFETY: the strings and the conversation are alive; libpam copies them.
                    unsafe { c::pam_start_confdir(service.as_ptr(), user, &raw const function, folder.as_ptr(), &raw mut handle) }
                })
                .unwrap_or(c::PAM_SYSTEM_ERR),
        };
        let started = NonNull::new(handle).filter(|_| code == c::PAM_SUCCESS);
        let Some(handle) = started else {
            // SAFETY: made above, and libpam has kept no handle that knows it.
            drop(unsafe { Box::from_raw(conversation) });
            return Err(Code(if code == c::PAM_SUCCESS { c::PAM_SYSTEM_ERR } else { code }));
        };
        let mut transaction = Self { handle, last: c::PAM_SUCCESS, conversation, owned: PhantomData };
        #[expect(clippy::as_conversions, reason = "a function becomes a pointer in no other way")]
        let delay = delay as *const c_void;
        transaction.set_pointer(c::PAM_FAIL_DELAY, delay)?;
        Ok(transaction)
    }

    pub fn set(&mut self, item: Item, value: &[u8]) -> Result<(), Code> {
        let value = CString::new(value).map_err(|_| Code::SYSTEM)?;
        let kind = match item {
            Item::User => c::PAM_USER,
            Item::Tty => c::PAM_TTY,
            Item::Rhost => c::PAM_RHOST,
            Item::Ruser => c::PAM_RUSER,
        };
        self.set_pointer(kind, value.as_ptr().cast())
    }

    /// `NAME=value` in PAM's own environment.
    pub fn put_variable(&mut self, assignment: &[u8]) -> Result<(), Code> {
        let assignment = CString::new(assignment).map_err(|_| Code::SYSTEM)?;
        // SAFETY: the handle is ours until pam_end; libpam copies the string.
        result(unsafe { c::pam_putenv(self.handle.as_ptr(), assignment.as_ptr()) })
    }

    pub fn authenticate(&mut self, flags: i32) -> Result<(), Code> {
        self.phase(c::pam_authenticate, flags)
    }

    pub fn set_credentials(&mut self, flags: i32) -> Result<(), Code> {
        self.phase(c::pam_setcred, flags)
    }

    pub fn account(&mut self, flags: i32) -> Result<(), Code> {
        self.phase(c::pam_acct_mgmt, flags)
    }

    pub fn open_session(&mut self, flags: i32) -> Result<(), Code> {
        self.phase(c::pam_open_session, flags)
    }

    pub fn close_session(&mut self, flags: i32) -> Result<(), Code> {
        self.phase(c::pam_close_session, flags)
    }

    pub fn change_password(&mut self, flags: i32) -> Result<(), Code> {
        self.phase(c::pam_chauthtok, flags)
    }

    /// The handle, for calls that this page lacks; it ends with the transaction.
    pub fn as_ptr(&self) -> *mut c::PamHandle {
        self.handle.as_ptr()
    }

    fn phase(&mut self, call: unsafe extern "C" fn(*mut c::PamHandle, c_int) -> c_int, flags: i32) -> Result<(), Code> {
        // SAFETY: the handle is ours until pam_end, and the conversation that it calls lives as long.
        self.last = unsafe { call(self.handle.as_ptr(), flags) };
        result(self.last)
    }

    fn set_pointer(&mut self, kind: c_int, item: *const c_void) -> Result<(), Code> {
        // SAFETY: the handle is ours until pam_end; libpam copies strings, and functions live for ever.
        result(unsafe { c::pam_set_item(self.handle.as_ptr(), kind, item) })
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, and not used after this.
        unsafe { c::pam_end(self.handle.as_ptr(), self.last) };
        // SAFETY: made by `start`, and the only handle that knew it is gone.
        drop(unsafe { Box::from_raw(self.conversation) });
    }
}

fn result(code: c_int) -> Result<(), Code> {
    if code == c::PAM_SUCCESS { Ok(()) } else { Err(Code(code)) }
}

/// libpam's limit on messages a call.
const MOST_MESSAGES: usize = 32;

/// What libpam calls; a panic of the conversation must not unwind into it.
unsafe extern "C" fn converse(
    count: c_int,
    messages: *mut *const c::Message,
    responses: *mut *mut c::Response,
    data: *mut c_void,
) -> c_int {
    let Some(count) = usize::try_from(count).ok().filter(|count| (1..=MOST_MESSAGES).contains(count)) else {
        return c::PAM_CONV_ERR;
    };
    let mut replies = Responses::new(count);
    if replies.list.is_null() {
        return c::PAM_BUF_ERR;
    }
    for number in 0..count {
        // SAFETY: libpam gives `count` pointers to messages (Linux-PAM's layout, not Solaris's).
        let message = unsafe { *messages.wrapping_add(number) };
        let answered = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the message is libpam's, and the data what `start` gave it.
            unsafe { reply_to(message, data) }
        }));
        let code = answered.map_or(c::PAM_CONV_ERR, |reply| replies.put(number, reply));
        if code != c::PAM_SUCCESS {
            return code;
        }
    }
    // SAFETY: libpam's own place for the answer.
    unsafe { *responses = replies.hand_over() };
    c::PAM_SUCCESS
}

/// # Safety
/// `message` is libpam's, and `data` points to the conversation that nothing else uses during the call.
unsafe fn reply_to(message: *const c::Message, data: *mut c_void) -> Reply {
    // SAFETY: this function's contract; null is none.
    let Some(message) = (unsafe { message.as_ref() }) else { return Reply::Failed };
    // SAFETY: this function's contract.
    let conversation = unsafe { &mut *data.cast::<Box<dyn Conversation + '_>>() };
    let style = match message.style {
        c::PAM_PROMPT_ECHO_OFF => Style::Hidden,
        c::PAM_PROMPT_ECHO_ON => Style::Shown,
        c::PAM_TEXT_INFO => Style::Text,
        c::PAM_ERROR_MSG => Style::Error,
        _ => return Reply::Failed,
    };
    // SAFETY: a message's text is NULL or ends in NUL.
    let text = if message.text.is_null() { c"" } else { unsafe { CStr::from_ptr(message.text) } };
    conversation.answer(style, text.to_bytes())
}

/// libpam calls this after a success too, where by itself it would not wait.
unsafe extern "C" fn delay(status: c_int, microseconds: c_uint, data: *mut c_void) {
    if status == c::PAM_SUCCESS {
        return;
    }
    // SAFETY: libpam gives the data that `start` gave it; during its delay nothing else uses it.
    let conversation = unsafe { &mut *data.cast::<Box<dyn Conversation + '_>>() };
    let _ = catch_unwind(AssertUnwindSafe(|| conversation.delay(microseconds)));
}

/// Responses in memory of C's allocator, because the module frees them with `free`. Wiped and freed if they are not handed over.
struct Responses {
    list: *mut c::Response,
    count: usize,
}

impl Responses {
    fn new(count: usize) -> Self {
        // SAFETY: any count and size may be asked for.
        let list = unsafe { libc::calloc(count, size_of::<c::Response>()) };
        Self { list: list.cast(), count }
    }

    fn put(&mut self, number: usize, reply: Reply) -> c_int {
        match reply {
            Reply::Nothing => c::PAM_SUCCESS,
            Reply::Failed => c::PAM_CONV_ERR,
            Reply::Again => c::PAM_CONV_AGAIN,
            Reply::Text(text) if text.contains(&0) => c::PAM_CONV_ERR,
            Reply::Text(text) => {
                let copy = copy_for_c(&text);
                // SAFETY: `number` is below the count that was allocated.
                unsafe { (*self.list.wrapping_add(number)).text = copy };
                if copy.is_null() { c::PAM_BUF_ERR } else { c::PAM_SUCCESS }
            }
        }
    }

    fn hand_over(mut self) -> *mut c::Response {
        std::mem::replace(&mut self.list, ptr::null_mut())
    }
}

impl Drop for Responses {
    fn drop(&mut self) {
        if self.list.is_null() {
            return;
        }
        for number in 0..self.count {
            // SAFETY: `number` is below the count that was allocated, zeroed.
            let text = unsafe { (*self.list.wrapping_add(number)).text };
            // SAFETY: NULL or made by `copy_for_c`, and nobody else has it.
            unsafe { wipe_and_free(text) };
        }
        // SAFETY: made by calloc, and not handed over.
        unsafe { libc::free(self.list.cast()) };
    }
}

fn copy_for_c(text: &[u8]) -> *mut c_char {
    // SAFETY: any size may be asked for; zeroed, so that the copy ends in NUL.
    let copy = unsafe { libc::calloc(text.len().saturating_add(1), 1) }.cast::<u8>();
    if !copy.is_null() {
        // SAFETY: the copy is longer than the text by one, and new.
        unsafe { copy.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
    }
    copy.cast()
}

/// # Safety
/// `text` is NULL or a string of C's allocator that nobody else has.
unsafe fn wipe_and_free(text: *mut c_char) {
    if text.is_null() {
        return;
    }
    // SAFETY: the string ends in NUL.
    let length = unsafe { libc::strlen(text) };
    // SAFETY: so many bytes are ours.
    unsafe { libc::explicit_bzero(text.cast(), length) };
    // SAFETY: made by calloc, and nobody else has it.
    unsafe { libc::free(text.cast()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Parrot;

    impl Conversation for Parrot {
        fn answer(&mut self, style: Style, message: &[u8]) -> Reply {
            match (style, message) {
                (Style::Text | Style::Error, _) => Reply::Nothing,
                (_, b"panic") => panic!("as asked"),
                (_, b"nul") => Reply::Text(Zeroizing::new(b"1\0".to_vec())),
                (_, b"again") => Reply::Again,
                (Style::Hidden | Style::Shown, words) => Reply::Text(Zeroizing::new(words.to_vec())),
            }
        }
    }

    /// What libpam gets for these messages: the code, and the responses where there are any.
    fn said(messages: &[(c_int, &CStr)]) -> (c_int, Vec<Option<String>>) {
        let mut person: Box<dyn Conversation> = Box::new(Parrot);
        let messages: Vec<c::Message> = messages.iter().map(|&(style, text)| c::Message { style, text: text.as_ptr() }).collect();
        let mut pointers: Vec<*const c::Message> = messages.iter().map(ptr::from_ref).collect();
        let count = c_int::try_from(messages.len()).unwrap();
        let mut responses = ptr::null_mut();
        // SAFETY: so many messages, a place for the responses, and the conversation.
        let code = unsafe { converse(count, pointers.as_mut_ptr(), &raw mut responses, (&raw mut person).cast()) };
        if responses.is_null() {
            return (code, Vec::new());
        }
        // SAFETY: a success comes with a response to each message.
        let list = Responses { list: responses, count: messages.len() };
        let texts = (0..messages.len()).map(|number| {
            // SAFETY: below the count.
            let text = unsafe { (*list.list.wrapping_add(number)).text };
            // SAFETY: NULL or a string.
            (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned())
        });
        (code, texts.collect())
    }

    #[test]
    fn several_messages_get_a_response_each() {
        let (code, responses) = said(&[(c::PAM_TEXT_INFO, c"hello"), (c::PAM_PROMPT_ECHO_OFF, c"one"), (c::PAM_PROMPT_ECHO_ON, c"")]);
        assert_eq!((code, responses), (c::PAM_SUCCESS, vec![None, Some("one".to_owned()), Some(String::new())]));
    }

    #[test]
    fn what_can_not_be_answered_fails_whole() {
        let question = |text| (c::PAM_PROMPT_ECHO_OFF, text);
        assert_eq!(said(&[question(c"one"), question(c"panic")]), (c::PAM_CONV_ERR, vec![]));
        assert_eq!(said(&[question(c"one"), question(c"nul")]), (c::PAM_CONV_ERR, vec![]));
        assert_eq!(said(&[question(c"one"), question(c"again")]), (c::PAM_CONV_AGAIN, vec![]));
        assert_eq!(said(&[(7, c"binary")]), (c::PAM_CONV_ERR, vec![]));
        assert_eq!(said(&[]), (c::PAM_CONV_ERR, vec![]));
        assert_eq!(said(&[question(c"x"); 33]), (c::PAM_CONV_ERR, vec![]));
    }

    #[test]
    fn a_code_says_what_it_is() {
        assert_eq!(Code(7).to_string(), "Authentication failure (PAM error 7)");
    }
}
