//! The person of the script, and the applications that don't behave.

use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::Mutex;

use countersign::pam::application::{Conversation, Reply, Style, Transaction};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::namespace::Log;
use crate::{Link, clock, faults};

/// What the conversation function needs; one login a process.
pub(crate) static STATE: Mutex<Option<State>> = Mutex::new(None);

pub(crate) struct State {
    pub(crate) link: Link,
    log: Option<Log>,
    pub(crate) lines: Vec<Value>,
    pub(crate) answers: VecDeque<Value>,
    pub(crate) said: Vec<Value>,
    pub(crate) delays: Vec<u32>,
    /// Questions that the script has no answer for.
    pub(crate) unforeseen: usize,
    /// What a text is answered with.
    texts: String,
    handle: usize,
    original: Option<Converse>,
}

impl State {
    pub(crate) fn new(script: &Value, link: Link, log: Option<Log>) -> Self {
        Self {
            link,
            log,
            lines: Vec::new(),
            answers: script["answers"].as_array().unwrap().iter().cloned().collect(),
            said: Vec::new(),
            delays: Vec::new(),
            unforeseen: 0,
            texts: script["texts"].as_str().unwrap().to_owned(),
            handle: 0,
            original: None,
        }
    }

    pub(crate) fn forget(&mut self) {
        self.lines.clear();
        self.said.clear();
        self.delays.clear();
    }

    pub(crate) fn drain(&mut self) {
        if let Some(log) = &self.log {
            self.lines.extend(log.drain().iter().map(|line| hex(line)));
        }
    }
}

pub(crate) fn with_state<T>(work: impl FnOnce(&mut State) -> T) -> T {
    work(STATE.lock().unwrap().as_mut().unwrap())
}

pub(crate) struct Person;

impl Conversation for Person {
    fn answer(&mut self, style: Style, message: &[u8]) -> Reply {
        with_state(|state| {
            state.said.push(json!([format!("{style:?}"), hex(message)]));
            if matches!(style, Style::Text | Style::Error) {
                return Reply::Nothing;
            }
            match state.answers.pop_front() {
                None => {
                    state.unforeseen += 1;
                    Reply::Failed
                }
                Some(answer) if answer["kind"] == "text" => {
                    let times = usize::try_from(answer["times"].as_u64().unwrap_or(1)).unwrap();
                    let text = Zeroizing::new(bytes(answer["text"].as_str().unwrap()));
                    Reply::Text(Zeroizing::new(text.repeat(times)))
                }
                Some(answer) if answer["kind"] == "null" => Reply::Nothing,
                Some(answer) if answer["kind"] == "failed" => Reply::Failed,
                Some(answer) if answer["kind"] == "again" => Reply::Again,
                Some(answer) => panic!("answer {answer}"),
            }
        })
    }

    fn delay(&mut self, microseconds: u32) {
        with_state(|state| state.delays.push(microseconds));
    }
}

#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

type Function = unsafe extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int;

#[repr(C)]
#[derive(Clone, Copy)]
struct Converse {
    function: Option<Function>,
    data: *mut c_void,
}

// SAFETY: one thread.
unsafe impl Send for Converse {}

unsafe extern "C" {
    fn pam_get_item(handle: *const c_void, kind: c_int, item: *mut *const c_void) -> c_int;
    fn pam_set_item(handle: *mut c_void, kind: c_int, item: *const c_void) -> c_int;
}

const PAM_USER: c_int = 2;
const PAM_CONV: c_int = 5;
const PAM_CONV_ERR: c_int = 19;

/// Puts our conversation function in front of the application's, or none in its place.
pub(crate) fn hook(transaction: &Transaction<'_>, function: bool) {
    let handle: *mut c_void = transaction.as_ptr().cast();
    let mut found: *const c_void = std::ptr::null();
    // SAFETY: the handle is alive.
    assert_eq!(unsafe { pam_get_item(handle, PAM_CONV, &raw mut found) }, 0);
    // SAFETY: libpam's copy of the conversation, filled.
    let original = unsafe { *found.cast::<Converse>() };
    with_state(|state| {
        state.original = Some(original);
        state.handle = handle as usize;
    });
    let ours = Converse { function: function.then_some(converse as Function), data: original.data };
    // SAFETY: libpam copies it.
    assert_eq!(unsafe { pam_set_item(handle, PAM_CONV, (&raw const ours).cast()) }, 0);
}

/// Memory that is out is out for libpam and its modules, not for the person.
unsafe extern "C" fn converse(count: c_int, messages: *mut *const Message, responses: *mut *mut Response, data: *mut c_void) -> c_int {
    let left = faults::leave_memory(-1);
    // SAFETY: the caller's contract.
    let (code, answer) = unsafe { reply(count, messages, responses, data) };
    // SAFETY: libpam's place for the responses.
    let given = unsafe { *responses };
    // SAFETY: NULL, or a response to each message.
    if let Some(Response { text, .. }) = unsafe { given.as_ref() }.filter(|response| !response.text.is_null()) {
        // SAFETY: an answer ends in NUL.
        faults::watch(text.cast_const().cast(), unsafe { libc::strlen(*text) });
    }
    faults::leave_memory(answer["memory"].as_i64().unwrap_or(left));
    code
}

/// What no well-behaved application does is done here, and the rest is passed on.
unsafe fn reply(count: c_int, messages: *mut *const Message, responses: *mut *mut Response, data: *mut c_void) -> (c_int, Value) {
    // SAFETY: libpam gives at least one message.
    let message = unsafe { *messages };
    // SAFETY: it lives as long as this call.
    let &Message { style, text } = unsafe { &*message };
    // SAFETY: its text ends in NUL.
    let text = unsafe { CStr::from_ptr(text) };
    let is_question = matches!(style, 1 | 2);
    let mut state = STATE.lock().unwrap();
    let known = state.as_mut().unwrap();
    known.drain();
    let (handle, original) = (known.handle as *mut c_void, known.original.unwrap());
    let answer = if is_question { known.answers.front().cloned() } else { None }.unwrap_or_default();
    if answer["wait"] == json!(true) {
        let question = hex(text.to_bytes());
        known.link.write(&json!({ "waiting": question }));
        known.link.read();
    }
    if let Some(now) = answer["clock"].as_i64() {
        clock::stop_at(now);
    }
    let hostile = if is_question { answer["kind"].as_str().unwrap_or_default() } else { known.texts.as_str() }.to_owned();
    let mut note = || {
        let style = ["Hidden", "Shown", "Error", "Text"][(style - 1) as usize];
        known.said.push(json!([style, hex(text.to_bytes())]));
        if is_question {
            known.answers.pop_front();
        }
    };
    match hostile.as_str() {
        "untouched" => {
            note();
            return (0, answer);
        }
        "error with response" => {
            note();
            // SAFETY: any size may be asked for; C's allocator, as it should be.
            let response = unsafe { libc::calloc(1, size_of::<Response>()) }.cast::<Response>();
            let reply = CString::new(bytes(answer["text"].as_str().unwrap())).unwrap();
            // SAFETY: a string that ends in NUL.
            let text = unsafe { libc::strdup(reply.as_ptr()) };
            // SAFETY: just made, of that size.
            unsafe { response.write(Response { text, code: 0 }) };
            // SAFETY: libpam's place for the responses.
            unsafe { *responses = response };
            return (PAM_CONV_ERR, answer);
        }
        "code" => {
            note();
            return (c_int::try_from(answer["code"].as_i64().unwrap()).unwrap(), answer);
        }
        _ => drop(state),
    }
    if let Some(user) = answer["user"].as_str() {
        let user = CString::new(bytes(user)).unwrap();
        // SAFETY: the handle is alive, libpam copies the name.
        assert_eq!(unsafe { pam_set_item(handle, PAM_USER, user.as_ptr().cast()) }, 0);
    }
    // SAFETY: what libpam would have called.
    let code = unsafe { original.function.unwrap()(count, messages, responses, data) };
    (code, answer)
}

pub(crate) fn hex(bytes: &[u8]) -> Value {
    Value::String(HEXLOWER.encode(bytes))
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}
