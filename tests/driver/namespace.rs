//! The part of the system that a login sees: a mount namespace with a user database, a /dev and a log of its own.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::mount::{MsFlags, mount};

/// A mount namespace of our own: `FOLDER/etc/*` over /etc, a bare /dev, and whatever `FOLDER/mounts` lists as `FROM TO`.
pub(crate) fn enter(folder: &Path) {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("the tests need root");
    mount(None::<&str>, "/", NO_TYPE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
    for file in std::fs::read_dir(folder.join("etc")).unwrap() {
        let file = file.unwrap();
        bind(&file.path(), &Path::new("/etc").join(file.file_name()));
    }
    for line in std::fs::read_to_string(folder.join("mounts")).unwrap().lines() {
        let (from, to) = line.split_once(' ').unwrap();
        bind(Path::new(from), Path::new(to));
    }
    let dev = folder.join("dev");
    mount(Some("tmpfs"), &dev, Some("tmpfs"), MsFlags::empty(), Some("mode=0755")).unwrap();
    for node in ["null", "zero", "full", "random", "urandom", "tty"] {
        std::fs::File::create(dev.join(node)).unwrap();
        bind(&Path::new("/dev").join(node), &dev.join(node));
    }
    mount(Some(&dev), "/dev", NO_TYPE, MsFlags::MS_MOVE, None::<&str>).unwrap();
}

/// As mount(8) says it: NULL is right too, but valgrind takes it for an error.
const NO_TYPE: Option<&str> = Some("none");

fn bind(from: &Path, to: &Path) {
    mount(Some(from), to, NO_TYPE, MsFlags::MS_BIND, None::<&str>).unwrap_or_else(|error| panic!("{from:?} {to:?}: {error}"));
}

/// /dev/log. It holds few lines, and who writes to a full one waits: it is emptied between the phases and at every question.
pub(crate) struct Log(UnixDatagram);

impl Log {
    pub(crate) fn open() -> Self {
        let socket = UnixDatagram::bind("/dev/log").unwrap();
        std::fs::set_permissions("/dev/log", std::fs::Permissions::from_mode(0o666)).unwrap();
        let socket = UnixDatagram::from(high(socket.as_raw_fd()));
        socket.set_nonblocking(true).unwrap();
        // libc's own descriptor, else the first line would make it in the middle of a login.
        // SAFETY: NULL is the program's name.
        unsafe { libc::openlog(std::ptr::null(), libc::LOG_NDELAY, libc::LOG_AUTHPRIV) };
        Self(socket)
    }

    pub(crate) fn drain(&self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 65536];
        std::iter::from_fn(|| self.0.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())).collect()
    }
}

/// Above all descriptors that a host might miss or a limit might take.
const HIGH: std::ffi::c_int = 200;

pub(crate) fn high(fd: std::ffi::c_int) -> OwnedFd {
    // SAFETY: nothing is touched but a descriptor that is new.
    let moved = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, HIGH) };
    assert!(moved >= HIGH);
    // SAFETY: the kernel has just made it.
    unsafe { OwnedFd::from_raw_fd(moved) }
}

/// libpam reports every login to the kernel's audit, which is the machine's and has no namespaces: here there is none.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn audit_open() -> std::ffi::c_int {
    nix::errno::Errno::set_raw(libc::EPROTONOSUPPORT);
    -1
}
