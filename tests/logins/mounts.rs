//! The file systems of a world: whatever a login reads or writes is the world's own, the programs are the machine's.
#![forbid(unsafe_code)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, send, socket};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{chroot, fchdir};
use std::os::fd::AsRawFd;

/// The folders that a world puts its own in place of. The machine's stay hidden below, untouched.
pub const OWN: [&str; 9] = ["/etc", "/dev", "/run", "/tmp", "/home", "/root", "/var/lib", "/var/log", "/var/mail"];

/// Lays the world's folders over the machine's. The process must be the first of a PID namespace, with mount and network
/// namespaces of its own.
pub fn lay() {
    keep_mounts_in();
    for folder in OWN {
        fs::create_dir_all(folder).unwrap();
        mount_new("tmpfs", folder, "mode=755");
    }
    fs::set_permissions("/tmp", Permissions::from_mode(0o1777)).unwrap();
    mount_new("proc", "/proc", "");
    devices();
    loopback_up();
    std::env::set_current_dir("/").unwrap();
}

/// Has the calling thread, and what it starts from now on, find `source` in place of `target`.
pub fn see_instead(target: &str, source: &str) {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
}

/// Makes every mount private, from the namespace's root on. In a chroot `/` is no mount and can't be named for this, so the
/// thread steps out (a thread that enters a mount namespace stands at its root) and back in by descriptor.
fn keep_mounts_in() {
    let here = open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).unwrap();
    let namespace = File::open("/proc/self/ns/mnt").unwrap();
    unshare(CloneFlags::CLONE_FS).unwrap();
    setns(&namespace, CloneFlags::CLONE_NEWNS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
    fchdir(&here).unwrap();
    chroot(".").unwrap();
}

fn mount_new(kind: &str, folder: &str, options: &str) {
    mount(Some(kind), folder, Some(kind), MsFlags::empty(), Some(options)).unwrap_or_else(|why| panic!("{kind} on {folder}: {why}"));
}

fn devices() {
    for (name, major, minor) in [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)] {
        let path = Path::new("/dev").join(name);
        mknod(&path, SFlag::S_IFCHR, Mode::empty(), makedev(major, minor)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    }
    fs::create_dir("/dev/pts").unwrap();
    mount_new("devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=620,gid=5");
    symlink("pts/ptmx", "/dev/ptmx").unwrap();
    symlink("/proc/self/fd", "/dev/fd").unwrap();
}

/// rtnetlink(7): one RTM_NEWLINK that says IFF_UP of interface 1, which is the loopback of every network namespace.
fn loopback_up() {
    const LENGTH: u32 = 32;
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST: u16 = 1;
    const IFF_UP: u32 = 1;
    let mut message = Vec::new();
    message.extend(LENGTH.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend([0; 8]); // sequence and port of the request
    message.extend([0; 4]); // any family, any type
    for field in [1, IFF_UP, IFF_UP] {
        message.extend(u32::to_ne_bytes(field)); // interface, flags, which of them to change
    }
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute).unwrap();
    assert_eq!(send(netlink.as_raw_fd(), &message, MsgFlags::empty()).unwrap(), message.len());
}
