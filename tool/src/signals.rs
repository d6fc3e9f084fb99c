//! Signals that end a program, held back from before the first question to the end: they are looked for while a person
//! thinks, and not in the middle of a change.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

pub(crate) struct Signals(SignalFd);

/// What a person or the system wants.
pub(crate) enum Wanted {
    End,
    /// Ctrl-Z.
    Stop,
}

impl Signals {
    /// Ctrl-C, Ctrl-\, Ctrl-Z, kill, and a terminal that is hung up.
    pub(crate) fn held() -> nix::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGTSTP] {
            set.add(signal);
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
