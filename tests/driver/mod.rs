//! Logins for the tests, through libpam and the module as it ships.
//!
//! A `World` has users, a store and PAM service files of its own; a `Login` is one process in it, with a scripted person.
//! A script must be used up, and every login is looked at for what a guest may not do: print, change the process, leave a
//! descriptor open, stay mapped after pam_end. A test that wants something of that kind says so with `run_anyhow`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    unused_imports,
    reason = "shared by test files that each use a part"
)]

mod image;
mod stopped;
mod world;

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use data_encoding::HEXLOWER;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pam::constants::PamResultCode;
use serde_json::{Value, json};

pub use image::{Image, SECRET, base32, forms_of_the_secret};
pub use stopped::Stopped;
pub use world::{Enrolled, PASSWORD, USERS, World, login_driver, release_module, target, tool};

/// When the tests are: 2026-11-24 09:20 UTC, the start of a step.
pub const NOW: i64 = 1_795_512_000;

/// One login to be.
pub struct Login<'w> {
    world: &'w World,
    script: Value,
    environment: Vec<(OsString, OsString)>,
    under: Vec<OsString>,
}

impl<'w> Login<'w> {
    /// alice, at `NOW`, on no terminal, who is asked nothing.
    pub fn new(world: &'w World, service: &str) -> Self {
        let script = json!({
            "world": world.folder(),
            "services": world.folder().join("services"),
            "service": hex(service.as_bytes()),
            "user": hex(b"alice"),
            "variables": [],
            "silent": false,
            "function": true,
            "texts": "answered",
            "clock": NOW,
            "phases": ["authenticate"],
            "answers": [],
            "process": { "closed": [], "limits": [], "ignored": [] },
        });
        Self { world, script, environment: Vec::new(), under: Vec::new() }
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.script[key] = value;
        self
    }

    fn with_process(mut self, key: &str, value: Value) -> Self {
        self.script["process"][key] = value;
        self
    }

    pub fn user(self, user: impl AsRef<[u8]>) -> Self {
        self.with("user", hex(user.as_ref()))
    }

    /// The host gives no name: the stack asks.
    pub fn no_user(self) -> Self {
        self.with("user", Value::Null)
    }

    pub fn rhost(self, rhost: impl AsRef<[u8]>) -> Self {
        self.with("rhost", hex(rhost.as_ref()))
    }

    pub fn tty(self, tty: impl AsRef<[u8]>) -> Self {
        self.with("tty", hex(tty.as_ref()))
    }

    pub fn ruser(self, ruser: impl AsRef<[u8]>) -> Self {
        self.with("ruser", hex(ruser.as_ref()))
    }

    /// `NAME=value` in PAM's environment.
    pub fn variable(mut self, assignment: impl AsRef<[u8]>) -> Self {
        self.script["variables"].as_array_mut().unwrap().push(hex(assignment.as_ref()));
        self
    }

    pub fn at(self, now: i64) -> Self {
        self.with("clock", json!(now))
    }

    pub fn at_the_real_time(self) -> Self {
        self.with("clock", Value::Null)
    }

    /// PAM_SILENT.
    pub fn silent(self) -> Self {
        self.with("silent", json!(true))
    }

    /// authenticate, setcred, account, open_session, close_session, chauthtok.
    pub fn phases(self, phases: &[&str]) -> Self {
        self.with("phases", json!(phases))
    }

    pub fn types(self, text: impl AsRef<[u8]>) -> Self {
        self.answers(answer(text))
    }

    pub fn answers(mut self, answer: Answer) -> Self {
        self.script["answers"].as_array_mut().unwrap().push(answer.0);
        self
    }

    /// The host authenticates once for each answer, in one process.
    pub fn attempts(self, answers: impl IntoIterator<Item = Answer>) -> Self {
        let login = answers.into_iter().fold(self, Self::answers);
        let attempts = login.script["answers"].as_array().unwrap().len();
        login.phases(&vec!["authenticate"; attempts])
    }

    /// A host that has no conversation function, as cron.
    pub fn no_function(self) -> Self {
        self.with("function", json!(false))
    }

    /// Texts are answered with PAM_SUCCESS and no response, as su does.
    pub fn texts_untouched(self) -> Self {
        self.with("texts", json!("untouched"))
    }

    /// There is no /dev/log.
    pub fn no_log(self) -> Self {
        self.with("log", json!(false))
    }

    /// Every write to the journal fails with that errno.
    pub fn failing_writes(self, errno: i32) -> Self {
        self.with("failing_writes", json!(errno))
    }

    pub fn closed(self, descriptors: &[i32]) -> Self {
        self.with_process("closed", json!(descriptors))
    }

    /// fsize, nofile, as, cpu, stack, nproc, memlock.
    pub fn limit(mut self, name: &str, value: u64) -> Self {
        self.script["process"]["limits"].as_array_mut().unwrap().push(json!([name, value]));
        self
    }

    pub fn ignored_signal(mut self, signal: i32) -> Self {
        self.script["process"]["ignored"].as_array_mut().unwrap().push(json!(signal));
        self
    }

    /// Real, effective and saved uid.
    pub fn uids(self, real: u32, effective: u32, saved: u32) -> Self {
        self.with_process("uids", json!([real, effective, saved]))
    }

    pub fn umask(self, umask: u32) -> Self {
        self.with_process("umask", json!(umask))
    }

    /// So many transactions in one process, one after the other.
    pub fn cycles(self, cycles: usize) -> Self {
        self.with("cycles", json!(cycles))
    }

    /// Another program starts the login: `strace`, or a shell that leaves a process as it wants.
    pub fn under(mut self, command: &[impl AsRef<OsStr>]) -> Self {
        self.under = command.iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// A line of bash that ends in `exec "$@"`.
    pub fn under_shell(self, script: &str) -> Self {
        // Standard input is a socket: bash takes itself for a remote one and would read its rc files.
        self.under(&["/bin/bash", "--norc", "-c", script, "bash"])
    }

    pub fn environment(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.environment.push((OsString::from_vec(name.into()), OsString::from_vec(value.into())));
        self
    }

    /// The whole login, by the rules of the house.
    #[track_caller]
    pub fn run(self) -> Run {
        let run = self.run_anyhow();
        assert_eq!(run.unforeseen, 0, "a question without an answer: {run:#?}");
        assert_eq!(run.left, 0, "an answer without a question: {run:#?}");
        assert_eq!(run.printed, "", "a guest printed: {run:#?}");
        assert!(!run.mapped, "the module stays mapped after pam_end");
        assert_eq!(run.changed, json!([]), "a guest changed its host");
        run
    }

    pub fn run_anyhow(self) -> Run {
        self.start().end()
    }

    pub fn start(self) -> Running {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut words = self.under;
        words.push(login_driver().into());
        let child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .envs(self.environment)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut running = Running { child, link: BufReader::new(ours) };
        running.link.get_mut().write_all(format!("{}\n", self.script).as_bytes()).unwrap();
        running
    }
}

/// What is said at a question.
#[derive(Clone)]
pub struct Answer(Value);

pub fn answer(text: impl AsRef<[u8]>) -> Answer {
    Answer(json!({ "kind": "text", "text": hex(text.as_ref()) }))
}

/// A response without a text.
pub fn null() -> Answer {
    Answer(json!({ "kind": "null" }))
}

/// PAM_SUCCESS and no response at all.
pub fn untouched() -> Answer {
    Answer(json!({ "kind": "untouched" }))
}

/// PAM_CONV_ERR.
pub fn failed() -> Answer {
    Answer(json!({ "kind": "failed" }))
}

/// PAM_CONV_ERR with a response all the same.
pub fn failed_with(text: impl AsRef<[u8]>) -> Answer {
    Answer(json!({ "kind": "error with response", "text": hex(text.as_ref()) }))
}

/// PAM_CONV_AGAIN.
pub fn again() -> Answer {
    Answer(json!({ "kind": "again" }))
}

/// Whatever the conversation function returns.
pub fn code(code: i32) -> Answer {
    Answer(json!({ "kind": "code", "code": code }))
}

impl Answer {
    fn with(mut self, key: &str, value: Value) -> Self {
        self.0[key] = value;
        self
    }

    /// The text so many times over.
    pub fn times(self, times: usize) -> Self {
        self.with("times", json!(times))
    }

    /// The person takes until then.
    pub fn at(self, now: i64) -> Self {
        self.with("clock", json!(now))
    }

    /// The host sets another PAM_USER at the question.
    pub fn with_user(self, user: &str) -> Self {
        self.with("user", hex(user.as_bytes()))
    }

    /// From this answer on there are so many allocations, and then none.
    pub fn leaves_memory(self, allocations: u32) -> Self {
        self.with("memory", json!(allocations))
    }

    /// The login stands at this question until `Running::go_on`.
    pub fn waits(self) -> Self {
        self.with("wait", json!(true))
    }
}

/// Logins whose first answers wait: all are brought to the question, stopped, answered, and let go at once.
pub fn at_once<'w>(logins: impl IntoIterator<Item = Login<'w>>) -> Vec<Run> {
    let mut all: Vec<Running> = logins.into_iter().map(Login::start).collect();
    all.iter_mut().for_each(|login| drop(login.at_question()));
    let signal = |login: &Running, signal: Signal| kill(Pid::from_raw(login.pid().try_into().unwrap()), signal).unwrap();
    all.iter().for_each(|login| signal(login, Signal::SIGSTOP));
    all.iter_mut().for_each(Running::go_on);
    all.iter().for_each(|login| signal(login, Signal::SIGCONT));
    all.into_iter().map(Running::end).collect()
}

/// A login under way.
pub struct Running {
    child: Child,
    link: BufReader<UnixStream>,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Until it stands at a question that waits; the question.
    pub fn at_question(&mut self) -> String {
        let line = self.read().unwrap_or_else(|| panic!("it ended: {}", self.printed()));
        text(&line["waiting"])
    }

    pub fn go_on(&mut self) {
        self.link.get_mut().write_all(b"{}\n").unwrap();
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn end(mut self) -> Run {
        let result = self.read();
        let printed = self.printed();
        let status = self.child.wait().unwrap();
        let result = result.unwrap_or_else(|| panic!("the login died, {status}: {printed}"));
        let pairs = |name: &str| result[name].as_array().unwrap().clone();
        Run {
            codes: pairs("codes").iter().map(|pair| (pair[0].as_str().unwrap().to_owned(), code_of(&pair[1]))).collect(),
            said: pairs("said").iter().map(|pair| (pair[0].as_str().unwrap().to_owned(), text(&pair[1]))).collect(),
            log: pairs("log").iter().map(|line| Logged::parse(&text(line))).collect(),
            delays: pairs("delays").iter().map(|delay| delay.as_u64().unwrap()).collect(),
            large_allocations: result["large_allocations"].as_u64().unwrap(),
            left: result["left"].as_u64().unwrap(),
            unforeseen: result["unforeseen"].as_u64().unwrap(),
            mapped: result["mapped"].as_bool().unwrap(),
            changed: result["changed"].clone(),
            grown: result["grown"].as_i64().unwrap(),
            wiped_answers: result["freed_answers"][0].as_u64().unwrap(),
            unwiped_answers: result["freed_answers"][1].as_u64().unwrap(),
            printed,
        }
    }

    fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.link.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    fn printed(&mut self) -> String {
        let mut bytes = Vec::new();
        self.child.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
        self.child.stderr.take().unwrap().read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A login that is over.
#[derive(Debug)]
#[must_use]
pub struct Run {
    /// Phase and its answer, in order.
    pub codes: Vec<(String, PamResultCode)>,
    /// Hidden, Shown (questions), Text, Error; and the words.
    pub said: Vec<(String, String)>,
    pub log: Vec<Logged>,
    /// What libpam would have waited, microseconds.
    pub delays: Vec<u64>,
    /// Allocations of 1 MiB and more, as each Argon2id makes one.
    pub large_allocations: u64,
    pub left: u64,
    pub unforeseen: u64,
    pub mapped: bool,
    pub changed: Value,
    /// What the process's memory grew by in the second half of its cycles, bytes.
    pub grown: i64,
    /// Answers whose memory was wiped before it was freed, and the others.
    pub wiped_answers: u64,
    pub unwiped_answers: u64,
    pub printed: String,
}

impl Run {
    /// What pam_authenticate answered, the last time.
    pub fn code(&self) -> &PamResultCode {
        let (_, code) = self.codes.iter().rfind(|(phase, _)| phase == "authenticate" || phase == "start").unwrap();
        code
    }

    pub fn questions(&self) -> Vec<&str> {
        self.said_as(&["Hidden", "Shown"])
    }

    pub fn messages(&self) -> Vec<&str> {
        self.said_as(&["Text", "Error"])
    }

    fn said_as(&self, styles: &[&str]) -> Vec<&str> {
        self.said.iter().filter(|(style, _)| styles.contains(&style.as_str())).map(|(_, words)| words.as_str()).collect()
    }

    /// How the one attempt ended.
    #[track_caller]
    pub fn reason(&self) -> &str {
        let ends = self.ends();
        assert_eq!(ends.len(), 1, "{self:#?}");
        ends[0]
    }

    /// How each attempt ended, as the log says: accepted, or the reason.
    pub fn ends(&self) -> Vec<&str> {
        let results = self.logged().into_iter().filter_map(|line| line.strip_prefix("result="));
        results
            .map(|line| {
                let (result, rest) = line.split_once(' ').unwrap();
                rest.strip_prefix("reason=").map_or(result, |rest| rest.split(' ').next().unwrap())
            })
            .collect()
    }

    /// What the module logged.
    pub fn logged(&self) -> Vec<&str> {
        self.log.iter().filter(|line| line.by.starts_with("pam_countersign(")).map(|line| line.text.as_str()).collect()
    }
}

/// A line as syslog gets it.
#[derive(Debug, PartialEq, Eq)]
pub struct Logged {
    pub facility: u8,
    /// 3 error, 5 notice, 6 info, 7 debug.
    pub level: u8,
    /// `pam_countersign(test:auth)`.
    pub by: String,
    pub text: String,
}

impl Logged {
    /// `<85>Nov 24 09:20:00 login-driver: pam_countersign(test:auth): words`.
    fn parse(line: &str) -> Self {
        let (priority, rest) = line.strip_prefix('<').unwrap().split_once('>').unwrap();
        let priority: u8 = priority.parse().unwrap();
        // Behind the time; a helper of another module logs under its own name: `unix_chkpwd[12]: words`.
        let rest = rest.split_at("Nov 24 09:20:00 ".len()).1;
        let rest = rest.split_once("login-driver: ").map_or(rest, |(_, rest)| rest);
        let (by, text) = rest.split_once(": ").unwrap_or(("", rest));
        Self { facility: priority >> 3, level: priority & 7, by: by.to_owned(), text: text.trim_end_matches('\n').to_owned() }
    }
}

fn code_of(value: &Value) -> PamResultCode {
    PamResultCode::try_from(i32::try_from(value.as_i64().unwrap()).unwrap()).unwrap()
}

fn hex(bytes: &[u8]) -> Value {
    Value::String(HEXLOWER.encode(bytes))
}

fn text(hex: &Value) -> String {
    String::from_utf8_lossy(&HEXLOWER.decode(hex.as_str().unwrap().as_bytes()).unwrap()).into_owned()
}
