//! A person at a terminal: a program on a pseudo-terminal, what it prints, and lines typed in.
#![forbid(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{LocalFlags, tcgetattr};

/// A program that prints nothing new for so long has hung.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Terminal {
    keyboard: File,
    program: Child,
    screen: String,
    /// How much of the screen has been waited for.
    read: usize,
}

impl Terminal {
    /// Starts `command` for `uid` in a session of its own, with a fresh terminal that controls it.
    pub fn start(command: &[&str], uid: u32, gid: u32) -> Self {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        chown(&name, Some(uid), None).unwrap();
        let slave = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(&name).unwrap();
        let program = Command::new("setsid")
            .arg("--ctty")
            .args(command)
            .env_clear()
            .envs([("PATH", "/usr/bin:/usr/sbin:/bin:/sbin"), ("TERM", "dumb"), ("HOME", "/tmp")])
            .current_dir("/")
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave))
            .uid(uid)
            .gid(gid)
            .spawn()
            .unwrap();
        Self { keyboard: File::from(OwnedFd::from(master)), program, screen: String::new(), read: 0 }
    }

    /// Waits until one of `texts` stands on the screen, after what was waited for before, and says which; the earliest, if
    /// several do. `None`: the program ended first.
    pub fn wait_for(&mut self, texts: &[&str]) -> Option<usize> {
        let mut end = Instant::now() + PATIENCE;
        loop {
            let new = &self.screen[self.read..];
            let found = texts.iter().enumerate().filter_map(|(which, text)| Some((new.find(text)?, text.len(), which))).min();
            if let Some((at, length, which)) = found {
                self.read += at + length;
                return Some(which);
            }
            match self.look() {
                Look::Printed => end = Instant::now() + PATIENCE,
                Look::Quiet => assert!(Instant::now() < end, "waited for {texts:?} in vain:\n{}", self.screen),
                Look::Over => return None,
            }
        }
    }

    pub fn type_line(&mut self, line: &str) {
        self.press(&format!("{line}\n"));
    }

    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Whether what is typed is shown.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.keyboard).unwrap().local_flags.contains(LocalFlags::ECHO)
    }

    /// All that the program has printed.
    pub fn screen(&self) -> &str {
        &self.screen
    }

    /// How the program ended, once it has.
    pub fn end(&mut self) -> ExitStatus {
        self.program.wait().unwrap()
    }

    fn look(&mut self) -> Look {
        let mut waiting = [PollFd::new(self.keyboard.as_fd(), PollFlags::POLLIN)];
        poll(&mut waiting, PollTimeout::from(200_u8)).unwrap();
        let readable = waiting[0].revents().unwrap();
        let mut bytes = [0; 4096];
        if readable.contains(PollFlags::POLLIN)
            && let Ok(length) = self.keyboard.read(&mut bytes)
            && length > 0
        {
            self.screen.push_str(&String::from_utf8_lossy(&bytes[..length]));
            return Look::Printed;
        }
        if !readable.contains(PollFlags::POLLHUP) {
            return Look::Quiet;
        }
        // login hangs the terminal up and opens it anew: only a program that has ended is over.
        if self.program.try_wait().unwrap().is_some() {
            return Look::Over;
        }
        thread::sleep(Duration::from_millis(20));
        Look::Quiet
    }
}

enum Look {
    Printed,
    Quiet,
    Over,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
