//! A person at a terminal: the tool on a pseudo-terminal of a given size, what it shows, and what is typed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::Pid;

const PATIENCE: Duration = Duration::from_secs(20);

/// Columns, rows, and the environment.
#[derive(Clone, Copy, PartialEq)]
pub struct Kind {
    pub columns: u16,
    pub rows: u16,
    pub environment: &'static [(&'static str, &'static str)],
}

/// An ordinary one.
pub const USUAL: Kind = Kind { columns: 80, rows: 24, environment: &[("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8")] };

/// Too narrow for a QR code and for most sentences.
pub const NARROW: Kind = Kind { columns: 38, ..USUAL };
/// Where the locale is not UTF-8.
pub const NOT_UTF_8: Kind = Kind { environment: &[("TERM", "xterm"), ("LC_ALL", "C")], ..USUAL };
pub const NO_COLOUR: Kind = Kind { environment: &[("TERM", "xterm"), ("LC_ALL", "C.UTF-8"), ("NO_COLOR", "1")], ..USUAL };
/// What every screen is looked at on.
pub const KINDS: [Kind; 4] = [USUAL, NARROW, NOT_UTF_8, NO_COLOUR];

pub struct Terminal {
    keyboard: Option<File>,
    /// Kept open, so that its modes can be looked at when the program is over.
    slave: File,
    /// As they were before the program.
    modes: Termios,
    program: Child,
    screen: Vec<u8>,
    waited: usize,
}

/// What was shown over all, and the exit status; a signal's number is negative.
pub struct Ended {
    pub screen: String,
    pub status: i32,
}

impl Terminal {
    pub fn start(line: &[String], kind: Kind) -> Self {
        Self::start_with(line, kind, None, None)
    }

    /// With standard output and standard error elsewhere.
    pub fn start_with(line: &[String], kind: Kind, stdout: Option<File>, stderr: Option<File>) -> Self {
        let size = Winsize { ws_row: kind.rows, ws_col: kind.columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).unwrap();
        let (master, slave) = (File::from(pair.master), File::from(pair.slave));
        for side in [&master, &slave] {
            let flags = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC);
            nix::fcntl::fcntl(side, flags).unwrap();
        }
        let or_slave = |file: Option<File>| Stdio::from(file.unwrap_or_else(|| slave.try_clone().unwrap()));
        let modes = tcgetattr(&slave).unwrap();
        let program = Command::new("setsid")
            .arg("--ctty")
            .args(line)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(kind.environment.iter().copied())
            .stdin(slave.try_clone().unwrap())
            .stdout(or_slave(stdout))
            .stderr(or_slave(stderr))
            .spawn()
            .unwrap();
        Self { keyboard: Some(master), modes, slave, program, screen: Vec::new(), waited: 0 }
    }

    /// Waits until the text stands on the screen behind what was waited for before.
    pub fn wait_for(&mut self, text: &str) {
        assert!(self.comes(text), "waited for {text:?} in vain:\n{}", self.text());
    }

    /// The same, where the program may end without it.
    pub fn comes(&mut self, text: &str) -> bool {
        if text.is_empty() {
            return true;
        }
        let end = Instant::now() + PATIENCE;
        loop {
            let new = &self.screen[self.waited..];
            if let Some(at) = new.windows(text.len()).position(|window| window == text.as_bytes()) {
                self.waited += at + text.len();
                return true;
            }
            let is_over = !self.read_some() && self.program.try_wait().unwrap().is_some() && !self.read_some();
            if is_over || Instant::now() > end {
                return false;
            }
        }
    }

    pub fn type_line(&mut self, line: &str) {
        self.press(format!("{line}\n").as_bytes());
    }

    pub fn press(&mut self, keys: &[u8]) {
        self.keyboard.as_mut().unwrap().write_all(keys).unwrap();
    }

    pub fn send(&self, signal: Signal) {
        nix::sys::signal::kill(self.pid(), signal).unwrap();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.program.id()).unwrap())
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let size = ["cols".to_owned(), columns.to_string(), "rows".to_owned(), rows.to_string()];
        assert!(Command::new("stty").args(size).stdin(self.slave.try_clone().unwrap()).status().unwrap().success());
    }

    /// Closes the terminal under the program.
    pub fn hang_up(&mut self) {
        self.keyboard = None;
    }

    pub fn has_echo(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_flags.contains(LocalFlags::ECHO)
    }

    /// All that has been shown, lines ending as in a file.
    pub fn text(&self) -> String {
        without_bold(&String::from_utf8_lossy(&self.screen).replace("\r\n", "\n"))
    }

    /// Waits for the program to end, which leaves the terminal with its echo and modes as they were.
    pub fn end(mut self) -> Ended {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            let has_more = self.read_some();
            match self.program.try_wait().unwrap() {
                Some(status) if !has_more => break status,
                _ => assert!(Instant::now() < end, "does not end:\n{}", self.text()),
            }
        };
        while self.read_some() {}
        assert!(
            self.keyboard.is_none() || tcgetattr(&self.slave).unwrap() == self.modes,
            "the terminal is not as it was:\n{}",
            self.text()
        );
        let status = status.code().unwrap_or_else(|| -status.signal().unwrap());
        Ended { screen: self.text(), status }
    }

    /// Reads what is there within a moment.
    fn read_some(&mut self) -> bool {
        let Some(master) = self.keyboard.as_mut() else {
            std::thread::sleep(Duration::from_millis(20));
            return false;
        };
        let mut ready = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        poll(&mut ready, PollTimeout::from(20_u8)).unwrap();
        let is_readable = ready[0].revents().unwrap().contains(PollFlags::POLLIN);
        let mut bytes = [0; 4096];
        match is_readable.then(|| master.read(&mut bytes)) {
            Some(Ok(length)) if length > 0 => {
                self.screen.extend(&bytes[..length]);
                true
            }
            _ => false,
        }
    }
}

/// Bold words as words: a person copies them the same.
fn without_bold(text: &str) -> String {
    let mut parts = text.split("\x1b[1m");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |all, part| all + &part.replacen("\x1b[0m", "", 1))
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
