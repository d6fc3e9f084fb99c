//! What a command comes to, and how it is printed: one answer on standard output, or one sentence on standard error.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use countersign::flows::refusal::{Kind, Refusal, errno};
use countersign::rules::record;
use countersign::sys;
use nix::fcntl::{FcntlArg, OFlag};
use serde_json::Value;

use crate::{environment, json, paint};

/// An answer. Exit status 1 where it is "no".
pub(crate) struct Answer {
    text: String,
    json: Option<Value>,
    is_no: bool,
    /// What was changed, said where the answer itself can't be.
    done: Option<String>,
    /// A "no" in a sentence, for standard error, and what more there is to say.
    refusal: Option<(Refusal, String)>,
}

const PREFIX: &str = "countersign-setup: ";

impl Answer {
    pub(crate) fn new(text: String, json: Value, is_no: bool) -> Self {
        Self { text, json: Some(json), is_no, done: None, refusal: None }
    }

    /// A page that is the same with `--json`.
    pub(crate) fn text(text: String) -> Self {
        Self { text, json: None, is_no: false, done: None, refusal: None }
    }

    /// The answer is no, in a sentence; a hint ends its line.
    pub(crate) fn refused(refusal: Refusal, hint: String, json: Value) -> Self {
        Self { text: String::new(), json: Some(json), is_no: true, done: None, refusal: Some((refusal, hint)) }
    }

    /// For an answer about a change: what is so now.
    pub(crate) fn done(mut self, done: String) -> Self {
        self.done = Some(done);
        self
    }

    /// A change failed whose value is on standard output already: the sentence on standard error, and the exit status.
    pub(crate) fn not_after_all(refusal: Refusal) -> Self {
        Self { refusal: Some((refusal, String::new())), ..Self::text(String::new()) }
    }

    /// An enrollment's JSON is out before the change; its answer is for people alone.
    pub(crate) fn told_before() -> Self {
        Self::text(String::new())
    }

    pub(crate) fn print(self, is_json: bool) -> ExitCode {
        let text = match &self.json {
            Some(value) if is_json => json::line(value),
            Some(_) if environment::wants_colours() && io::stdout().is_terminal() => paint::answer(&self.text),
            Some(_) | None => self.text,
        };
        let exit = match &self.refusal {
            Some((refusal, _)) if !self.is_no => refusal.kind.exit(),
            Some(_) | None => u8::from(self.is_no),
        };
        if let Some((refusal, hint)) = &self.refusal {
            complain(refusal);
            let _ = io::stderr().write_all(hint.as_bytes());
        }
        match print(text.as_bytes()) {
            Ok(()) => ExitCode::from(exit),
            Err(number) => {
                let next = self.done.unwrap_or_else(|| "mend that and start again".to_owned());
                complain(&Refusal::new(Kind::StoreUnavailable, format!("can't write to standard output ({})", errno(number)), next));
                ExitCode::from(Kind::StoreUnavailable.exit())
            }
        }
    }
}

/// Says why not, on standard error; with `--json` on standard output too.
pub(crate) fn refuse(refusal: &Refusal, is_json: bool) -> ExitCode {
    complain(refusal);
    if is_json {
        // That it can't be printed changes nothing: the exit status is the same.
        let _ = print(json::line(&json::error(refusal)).as_bytes());
    }
    ExitCode::from(refusal.kind.exit())
}

fn complain(refusal: &Refusal) {
    let _ = io::stderr().write_all(refusal.line(PREFIX).as_bytes());
}

/// All of it, past every buffer of ours, and on the disk where it goes to a file; or the errno.
pub(crate) fn print(bytes: &[u8]) -> Result<(), i32> {
    let failed = |error: &io::Error| error.raw_os_error().unwrap_or(0);
    if bytes.is_empty() {
        return Ok(());
    }
    is_open()?;
    let fd = io::stdout().as_fd().try_clone_to_owned().map_err(|error| failed(&error))?;
    let mut file = File::from(fd);
    file.write_all(bytes).map_err(|error| failed(&error))?;
    match file.sync_all() {
        // A pipe or a terminal has no disk.
        Err(error) if !matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EROFS | libc::ENOTSUP)) => Err(failed(&error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether there is a standard output. A closed one is `/dev/null` by now, open for reading and writing: the language's
/// run time puts it there, so that no file of ours takes its place.
fn is_open() -> Result<(), i32> {
    let stdout = io::stdout();
    let null = nix::sys::stat::stat("/dev/null").map(|stat| stat.st_rdev);
    let ours = nix::sys::stat::fstat(stdout.as_fd()).map(|stat| stat.st_rdev);
    let flags = nix::fcntl::fcntl(stdout.as_fd(), FcntlArg::F_GETFL).map(OFlag::from_bits_truncate);
    match (null, ours, flags) {
        (Ok(null), Ok(ours), Ok(flags)) if null == ours && flags & OFlag::O_ACCMODE == OFlag::O_RDWR => Err(libc::EBADF),
        (_, _, Err(_)) => Err(libc::EBADF),
        _ => Ok(()),
    }
}

/// Refuses before a change whose answer could not be told.
fn can_be_told() -> Result<(), Refusal> {
    is_open().map_err(|_| Refusal::new(Kind::StoreUnavailable, "standard output is closed, nothing was changed", "open it and start again"))
}

/// The same before one that could not be written: past `ulimit -f` the kernel ends this process in the middle of it.
pub(crate) fn can_be_done() -> Result<(), Refusal> {
    can_be_told()?;
    let largest = u64::try_from(record::LARGEST).unwrap_or(u64::MAX);
    if sys::file_size_limit() >= largest {
        return Ok(());
    }
    Err(Refusal::new(Kind::StoreUnavailable, "file size limit too low, nothing was changed", "raise it: ulimit -f unlimited"))
}

/// A sentence about an answer that could not be printed, for changes.
pub(crate) fn but_done(what: &str) -> String {
    format!("but it was done: {}", what.trim_end())
}
