//! The person at the terminal: one `Dialogue`. Questions, QR codes and recovery codes go to /dev/tty, never to a pipe.
//!
//! The terminal is not blocking: whatever is written or waited for, a signal is seen. Its modes are changed for a
//! question without echo alone, and come back however the question ends.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::AsFd;

use countersign::flows::refusal::{Kind, Refusal};
use countersign::flows::{Dialogue, Enrolled, Gone, Kept, Whom};
use countersign::sys;
use countersign::words::enroll::{folded, printed};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::caller::Caller;
use crate::qr::{self, NoCode, Screen};
use crate::signals::{Signals, Wanted};
use crate::{answer, environment, json, paint};

pub(crate) struct Terminal {
    tty: File,
    signals: Signals,
}

impl Terminal {
    /// The terminal that controls this process; `None` if there is none.
    pub(crate) fn open(signals: Signals) -> Option<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fd = sys::above_stdio(nix::fcntl::open("/dev/tty", flags, Mode::empty()).ok()?).ok()?;
        Some(Self { tty: File::from(fd), signals })
    }

    pub(crate) fn write(&self, text: &str) -> Result<(), Gone> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match nix::unistd::write(&self.tty, rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(Errno::EAGAIN | Errno::EINTR) => self.wait(PollFlags::POLLOUT)?,
                Err(errno) => return Err(closed(errno)),
            }
        }
        Ok(())
    }

    pub(crate) fn ask(&mut self, question: &str, echo: bool) -> Result<Zeroizing<Vec<u8>>, Gone> {
        loop {
            let quiet = if echo { None } else { Some(Quiet::begin(&self.tty)?) };
            self.write(question)?;
            let line = self.line();
            drop(quiet);
            match line {
                Ok(Some(line)) => {
                    if !echo {
                        self.write("\n")?;
                    }
                    return Ok(line);
                }
                // Ctrl-Z: the shell gets the terminal as it was, and the question is asked anew afterwards.
                Ok(None) => {
                    self.write("\n")?;
                    let _ = nix::sys::signal::kill(nix::unistd::getpid(), Signal::SIGSTOP);
                }
                Err(gone) => {
                    // What is said next begins a line of its own.
                    let _ = self.write("\n");
                    return Err(gone);
                }
            }
        }
    }

    /// Behind sudo, before a change without `--user`: whether root is meant.
    pub(crate) fn ask_who_is_meant(&mut self, caller: &Caller) -> Result<(), Refusal> {
        let Some(user) = caller.mistaken() else { return Ok(()) };
        let leave_out = format!("for {} leave out sudo", printed(user));
        let question = format!("This is for root, not for {}. Go on? [y/N] ", printed(user));
        match self.ask(&question, true) {
            Ok(answer) if answer.trim_ascii().eq_ignore_ascii_case(b"y") => Ok(()),
            Ok(_) => Err(Refusal::new(Kind::NotAccepted, "nothing was changed", leave_out)),
            Err(_) => Err(Refusal::new(Kind::Interrupted, "interrupted, nothing was changed", leave_out)),
        }
    }

    /// One line without its end; `None` at Ctrl-Z. What is too long for any answer is read and not kept.
    fn line(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Gone> {
        const KEPT: usize = 512;
        let mut line = Zeroizing::new(Vec::with_capacity(KEPT));
        let mut chunk = Zeroizing::new([0_u8; 256]);
        loop {
            if let Some(wanted) = self.wait_or_signal(PollFlags::POLLIN)? {
                match wanted {
                    Wanted::End => return Err(Gone::Interrupted),
                    Wanted::Stop => return Ok(None),
                }
            }
            let read = match nix::unistd::read(&self.tty, chunk.as_mut()) {
                Ok(0) => return Err(Gone::Interrupted),
                Ok(read) => chunk.get(..read).unwrap_or_default(),
                Err(Errno::EAGAIN | Errno::EINTR) => continue,
                Err(errno) => return Err(closed(errno)),
            };
            let room = KEPT.saturating_sub(line.len());
            line.extend(read.iter().take(room).filter(|byte| **byte != b'\n'));
            if read.last() == Some(&b'\n') {
                return Ok(Some(line));
            }
        }
    }

    fn wait(&self, flags: PollFlags) -> Result<(), Gone> {
        match self.wait_or_signal(flags)? {
            Some(Wanted::End) => Err(Gone::Interrupted),
            Some(Wanted::Stop) | None => Ok(()),
        }
    }

    /// Until the terminal is ready, or a signal has come.
    fn wait_or_signal(&self, flags: PollFlags) -> Result<Option<Wanted>, Gone> {
        let mut both = [PollFd::new(self.tty.as_fd(), flags), PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        match nix::poll::poll(&mut both, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(self.signals.next()),
            Err(errno) => Err(closed(errno)),
        }
    }

    fn screen(&self) -> Screen {
        let (columns, rows) = sys::window_size(self.tty.as_fd()).unwrap_or((80, 24));
        let (colours, utf8) = (environment::wants_colours(), environment::is_utf8());
        Screen { columns: usize::from(columns), rows: usize::from(rows), colours, utf8 }
    }

    fn show(&mut self, address: &str) -> Result<(), Gone> {
        let screen = self.screen();
        match qr::drawn(address, screen) {
            Ok(code) => self.write(&code),
            Err(NoCode::TooSmall { columns, rows }) => self.write(&folded(&format!(
                "The QR code needs {columns} columns and {rows} rows, here are {} and {}. Enlarge the window and start again, \
                 or get a picture: countersign-setup enroll --qr-file qr.png\n",
                screen.columns, screen.rows
            ))),
            Err(NoCode::TooLong) => self.write("The names are too long for a QR code.\n"),
        }
    }
}

/// The same where nobody can be asked.
pub(crate) fn whose(user: &str) -> Refusal {
    let user = printed(user);
    Refusal::new(Kind::Usage, format!("this is for root, not for {user}"), format!("say whom: --user root, or --user {user}"))
}

fn closed(errno: Errno) -> Gone {
    Gone::Closed(std::io::Error::from(errno).raw_os_error().unwrap_or(0))
}

/// Echo is off while this lives.
struct Quiet<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    /// What was typed ahead is thrown away: it was echoed.
    fn begin(tty: &'a File) -> Result<Self, Gone> {
        let before = tcgetattr(tty).map_err(closed)?;
        let mut modes = before.clone();
        modes.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(tty, SetArg::TCSAFLUSH, &modes).map_err(closed)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.tty, SetArg::TCSANOW, &self.before);
    }
}

/// Whom a flow talks to: a person at a terminal, a program that reads standard output, or both.
pub(crate) struct Conversation<'a> {
    pub(crate) person: Person,
    /// `--json`: what was made goes to standard output before it is active.
    pub(crate) json: bool,
    /// The value is on standard output, or a part of it: no other follows, whatever comes.
    pub(crate) has_told: bool,
    pub(crate) whom: Whom<'a>,
}

pub(crate) enum Person {
    At(Terminal),
    /// Nothing is asked or shown.
    Nobody(Signals),
}

impl Dialogue for Conversation<'_> {
    fn tell(&mut self, text: &str) -> Result<(), Gone> {
        match &mut self.person {
            Person::At(terminal) if environment::wants_colours() => terminal.write(&paint::kept(text)),
            Person::At(terminal) => terminal.write(text),
            Person::Nobody(_) => Ok(()),
        }
    }

    fn ask(&mut self, question: &str, echo: bool) -> Result<Zeroizing<Vec<u8>>, Gone> {
        match &mut self.person {
            Person::At(terminal) => terminal.ask(question, echo),
            Person::Nobody(_) => Err(Gone::Closed(libc::ENOTTY)),
        }
    }

    fn show(&mut self, address: &str) -> Result<(), Gone> {
        match &mut self.person {
            Person::At(terminal) => terminal.show(address),
            Person::Nobody(_) => Ok(()),
        }
    }

    fn keep(&mut self, sheet: &str) -> Result<Kept, Gone> {
        self.tell(sheet).map(|()| Kept::Shown)
    }

    fn done(&mut self, enrolled: &Enrolled) -> Result<(), Gone> {
        let signals = match &self.person {
            Person::At(terminal) => &terminal.signals,
            Person::Nobody(signals) => signals,
        };
        while let Some(wanted) = signals.next() {
            match wanted {
                Wanted::End => return Err(Gone::Interrupted),
                Wanted::Stop => {}
            }
        }
        if self.json {
            let line = Zeroizing::new(json::line(&json::enrolled(enrolled, &self.whom)));
            self.has_told = true;
            answer::print(line.as_bytes()).map_err(Gone::Output)?;
        }
        Ok(())
    }
}
