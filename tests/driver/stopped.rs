//! A login in slow motion: it stops where a test says, as under a debugger.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// A login on its way from the answer to the journal, stopped wherever it is looked at.
pub struct Stopped {
    process: Pid,
    journal: PathBuf,
    before: Vec<u8>,
}

impl Stopped {
    pub fn at_the_question(pid: u32, store: &Path) -> Self {
        let process = Pid::from_raw(pid.try_into().unwrap());
        ptrace::seize(process, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(process).unwrap();
        let journal = store.join("1000.state");
        let before = fs::read(&journal).unwrap();
        let this = Self { process, journal, before };
        this.stops();
        this
    }

    fn stops(&self) {
        let status = waitpid(self.process, None).unwrap();
        assert!(matches!(status, WaitStatus::Stopped(..) | WaitStatus::PtraceEvent(..)), "{status:?}");
    }

    /// On to where it has that file open.
    pub fn until_open(&self, file: &Path) {
        let open = || {
            fs::read_dir(format!("/proc/{}/fd", self.process))
                .unwrap()
                .any(|fd| fs::read_link(fd.unwrap().path()).is_ok_and(|opened| opened == file))
        };
        while !open() {
            ptrace::syscall(self.process, None).unwrap();
            self.stops();
        }
    }

    /// On for so long, and until the interrupt finds it.
    pub fn run(&self, microseconds: u32) {
        let began = Instant::now();
        ptrace::cont(self.process, None).unwrap();
        while began.elapsed() < Duration::from_micros(microseconds.into()) {}
        ptrace::interrupt(self.process).unwrap();
        self.stops();
    }

    pub fn step(&self, instructions: u32) {
        for _ in 0..instructions {
            ptrace::step(self.process, None).unwrap();
            self.stops();
        }
    }

    /// Whether the answer is on disk.
    pub fn has_written(&self) -> bool {
        fs::read(&self.journal).unwrap() != self.before
    }

    pub fn let_go(self) {
        ptrace::detach(self.process, None).unwrap();
    }
}
