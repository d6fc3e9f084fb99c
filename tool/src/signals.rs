//! Signals that end a program, held back from before the first question to the end: they are looked for while a person
//! thinks, and not in the middle of a change.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

pub(crate) struct Signals(SignalFd);

const NOT_HELD: [Signal; 14] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGTRAP,
    Signal::SIGSYS,
    Signal::SIGABRT,
    Signal::SIGCHLD,
    Signal::SIGCONT,
    Signal::SIGWINCH,
    Signal::SIGURG,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    // Ignored: held back it would be kept, and taken for somebody's wish to end this.
    Signal::SIGPIPE,
];

/// What a person or the system wants.
pub(crate) enum Wanted {
    End,
    /// Ctrl-Z.
    Stop,
}

impl Signals {
    /// Every signal that would end or stop the program: Ctrl-C, Ctrl-\, Ctrl-Z, kill, a terminal that is hung up, a timer
    /// or a limit that came along from whoever started it. But not those of a fault of our own, which must end it, and
    /// not those that change nothing or that the terminal stops a program in the background with.
    pub(crate) fn held() -> nix::Result<Self> {
        let mut set = SigSet::all();
        for signal in NOT_HELD {
            set.remove(signal);
        }
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// The next one that came since, if any did.
    pub(crate) fn next(&self) -> Option<Wanted> {
        let signal = self.0.read_signal().ok()??;
        let stop = u32::try_from(libc::SIGTSTP).is_ok_and(|stop| stop == signal.ssi_signo);
        Some(if stop { Wanted::Stop } else { Wanted::End })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
