//! The person at the terminal: one `Dialogue`. Questions, QR codes and recovery codes go to /dev/tty, never to a pipe.
//!
//! The terminal is not blocking: whatever is written or waited for, a signal is seen. Its modes are changed for a
//! question without echo alone, and come back however the question ends.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::AsFd;

use countersign::flows::refusal::{Kind, Refusal};
use countersign::flows::{Gone, is_yes};
use countersign::sys;
use countersign::words::enroll::{folded, printed};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::arguments::Qr;
use crate::caller::Caller;
use crate::environment;
use crate::qr::Code;
use crate::qr::text::{self, Paper, Screen, TooSmall};
use crate::signals::{Signals, Wanted};

pub(crate) struct Terminal {
    tty: File,
    pub(crate) signals: Signals,
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
            Ok(answer) if is_yes(&answer) => Ok(()),
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

    /// As it is now: the window may have been enlarged since the start.
    pub(crate) fn screen(&self, qr: Qr, invert: bool) -> Option<Screen> {
        let (columns, rows) = sys::window_size(self.tty.as_fd()).unwrap_or((80, 24));
        let utf8 = match qr {
            Qr::Auto => environment::is_utf8(),
            Qr::Utf8 => true,
            Qr::Ascii => false,
            Qr::None => return None,
        };
        let paper = match (environment::wants_colours(), invert) {
            (true, _) => Paper::Coloured,
            (false, false) => Paper::Dark,
            (false, true) => Paper::Light,
        };
        Some(Screen { columns: usize::from(columns), rows: usize::from(rows), paper, utf8 })
    }

    /// `command`: how to get a picture, where there is none.
    pub(crate) fn draw(&self, code: &Code, screen: Screen, command: Option<&str>) -> Result<(), Gone> {
        match text::drawn(code, screen) {
            Ok(text) => self.write(&text),
            Err(TooSmall { columns, rows }) => command.map_or(Ok(()), |command| {
                self.write(&folded(&format!(
                    "The QR code needs {columns} columns and {rows} rows, here are {} and {}. Enlarge the window and start again, \
                     or get a picture: {command}\n",
                    screen.columns, screen.rows
                )))
            }),
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
