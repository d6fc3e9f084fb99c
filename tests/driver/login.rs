//! The program that the tests log in through: one process a login, as a real host is one, so that a test can close its
//! descriptors, limit it, stop it at a question and kill it without touching the others.
//!
//! It reads one line of JSON from the socket at descriptor 0, enters a mount namespace of its own (user database, /dev
//! with a log, the module under its installed name), runs the phases against libpam, and answers with one line of JSON.
//! It exports the clock's functions: libpam's modules get the time that the script says.
//!
//! `login-driver --enter FOLDER PROGRAM ARGUMENT...` runs a program in such a namespace, with the real clock.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "a program of the tests"
)]

mod clock;
mod conversation;
mod faults;
mod namespace;

use std::ffi::c_int;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use conversation::{Person, STATE, State, bytes, hook, with_state};
use countersign::pam::application::{Item, Transaction};
use namespace::{Log, enter, high};
use nix::sys::resource::{Resource, setrlimit};
use serde_json::{Value, json};

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "--enter") {
        enter(&PathBuf::from(arguments.next().unwrap()));
        let program = arguments.next().unwrap();
        panic!("{}", std::process::Command::new(program).args(arguments).exec());
    }
    let mut link = Link::new();
    let script = link.read();
    enter(Path::new(script["world"].as_str().unwrap()));
    let log = (script["log"] != json!(false)).then(Log::open);
    let outcome = log_in(&script, link, log);
    with_state(|state| state.link.write(&outcome));
}

/// The test at the other end.
pub(crate) struct Link {
    lines: BufReader<UnixStream>,
}

impl Link {
    fn new() -> Self {
        let fd = high(0);
        let null = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: 0 is ours to replace, the socket has moved.
        assert_eq!(unsafe { libc::dup2(null.as_raw_fd(), 0) }, 0);
        Self { lines: BufReader::new(UnixStream::from(fd)) }
    }

    pub(crate) fn read(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub(crate) fn write(&mut self, value: &Value) {
        self.lines.get_mut().write_all(format!("{value}\n").as_bytes()).unwrap();
    }
}

fn log_in(script: &Value, link: Link, log: Option<Log>) -> Value {
    *STATE.lock().unwrap() = Some(State::new(script, link, log));
    if let Some(now) = script["clock"].as_i64() {
        clock::stop_at(now);
    }
    if let Some(errno) = script["failing_writes"].as_i64() {
        faults::fail_writes(c_int::try_from(errno).unwrap());
    }
    become_host(&script["process"]);
    let before = snapshot();
    let cycles = script["cycles"].as_u64().unwrap_or(1);
    let mut codes = Vec::new();
    let mut half = 0;
    for cycle in 0..cycles {
        if cycle == cycles / 2 {
            half = resident();
        }
        // What the driver itself remembers is not to be taken for growth.
        with_state(State::forget);
        codes = phases(script);
    }
    let grown = resident() - half;
    let after = snapshot();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    with_state(|state| {
        state.drain();
        json!({
            "codes": codes,
            "said": state.said,
            "log": state.lines,
            "delays": state.delays,
            "large_allocations": faults::large_allocations(),
            "freed_answers": faults::freed_answers(),
            "grown": grown,
            "left": state.answers.len(),
            "unforeseen": state.unforeseen,
            "mapped": maps.contains("pam_countersign"),
            "changed": before.lines().zip(after.lines()).filter(|(before, after)| before != after).collect::<Vec<_>>(),
        })
    })
}

/// What each phase answers; `start` stands for them all where libpam can't begin.
fn phases(script: &Value) -> Vec<Value> {
    let user = script["user"].as_str().map(bytes);
    let service = bytes(script["service"].as_str().unwrap());
    let folder = Path::new(script["services"].as_str().unwrap());
    let mut transaction = match Transaction::start(&service, user.as_deref(), Some(folder), Box::new(Person)) {
        Ok(transaction) => transaction,
        Err(code) => return vec![json!(["start", code.0])],
    };
    prepare(&mut transaction, script);
    let silent = script["silent"].as_bool().unwrap();
    let mut codes = Vec::new();
    for phase in script["phases"].as_array().unwrap() {
        let phase = phase.as_str().unwrap();
        let code = run(&mut transaction, phase, silent);
        faults::leave_memory(-1);
        codes.push(json!([phase, code]));
        with_state(State::drain);
    }
    codes
}

fn run(transaction: &mut Transaction<'_>, phase: &str, silent: bool) -> i32 {
    let silent = if silent { 0x8000 } else { 0 };
    let result = match phase {
        "authenticate" => transaction.authenticate(silent),
        "setcred" => transaction.set_credentials(0x2 | silent),
        "account" => transaction.account(silent),
        "open_session" => transaction.open_session(silent),
        "close_session" => transaction.close_session(silent),
        "chauthtok" => transaction.change_password(silent),
        other => panic!("phase {other}"),
    };
    result.map_or_else(|code| code.0, |()| 0)
}

fn prepare(transaction: &mut Transaction<'_>, script: &Value) {
    for (name, item) in [("tty", Item::Tty), ("rhost", Item::Rhost), ("ruser", Item::Ruser)] {
        if let Some(value) = script[name].as_str() {
            transaction.set(item, &bytes(value)).unwrap();
        }
    }
    for variable in script["variables"].as_array().unwrap() {
        transaction.put_variable(&bytes(variable.as_str().unwrap())).unwrap();
    }
    hook(transaction, script["function"] != json!(false));
}

/// Becomes the host that the script wants: its ids, limits, ignored signals, closed descriptors.
fn become_host(process: &Value) {
    if let Some(umask) = process["umask"].as_u64() {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(u32::try_from(umask).unwrap()));
    }
    if let Some(folder) = process["folder"].as_str() {
        std::env::set_current_dir(folder).unwrap();
    }
    for signal in process["ignored"].as_array().unwrap() {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(c_int::try_from(signal.as_i64().unwrap()).unwrap(), libc::SIG_IGN) };
    }
    for limit in process["limits"].as_array().unwrap() {
        let resource = match limit[0].as_str().unwrap() {
            "fsize" => Resource::RLIMIT_FSIZE,
            "nofile" => Resource::RLIMIT_NOFILE,
            "as" => Resource::RLIMIT_AS,
            "cpu" => Resource::RLIMIT_CPU,
            "stack" => Resource::RLIMIT_STACK,
            "nproc" => Resource::RLIMIT_NPROC,
            "memlock" => Resource::RLIMIT_MEMLOCK,
            other => panic!("limit {other}"),
        };
        let limit = limit[1].as_u64().unwrap();
        setrlimit(resource, limit, limit).unwrap();
    }
    if let Some(uids) = process["uids"].as_array() {
        let uid = |index: usize| nix::unistd::Uid::from_raw(u32::try_from(uids[index].as_u64().unwrap()).unwrap());
        nix::unistd::setresuid(uid(0), uid(1), uid(2)).unwrap();
    }
    for fd in process["closed"].as_array().unwrap() {
        // SAFETY: 0 to 2 belong to nobody in this program.
        unsafe { libc::close(c_int::try_from(fd.as_i64().unwrap()).unwrap()) };
    }
}

/// Private memory in use, bytes.
fn resident() -> i64 {
    let sizes = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let size = |place| sizes.split(' ').nth(place).and_then(|pages: &str| pages.parse::<i64>().ok()).unwrap_or_default();
    (size(1) - size(2)) * 4096
}

/// What a guest must leave as it was.
fn snapshot() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let kept = ["Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "CapEff", "NoNewPrivs", "Threads"];
    let status = read("/proc/self/status");
    let status = status.lines().filter(|line| kept.iter().any(|name| line.starts_with(name))).collect::<Vec<_>>().join("\n");
    let folder = std::env::current_dir();
    let mut open: Vec<String> =
        (0..1024).filter_map(|fd| Some(format!("{fd} {}", std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?.display()))).collect();
    open.sort();
    // SAFETY: a query.
    let locale = unsafe { libc::setlocale(libc::LC_ALL, std::ptr::null()) };
    // SAFETY: libc's name of a locale ends in NUL.
    let locale = unsafe { std::ffi::CStr::from_ptr(locale) };
    format!("{status}\n{}\n{folder:?}\n{open:?}\n{locale:?}\n{:?}", read("/proc/self/limits"), std::env::vars_os().collect::<Vec<_>>())
}
