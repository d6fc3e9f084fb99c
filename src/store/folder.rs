//! The store's folder on the real file system.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{FileStat, Mode as Permissions, SFlag};
use zeroize::Zeroizing;

use super::{Disk, Lack, Mode, Stat, Trouble};
use crate::sys;

/// The file that makes a folder a store: a folder without it (nothing mounted, lost) means "unavailable", not "nobody
/// is enrolled".
pub const MARKER: &str = ".countersign-store";

/// How long a lock is waited for, in tries of `REST` milliseconds: 3 seconds.
const TRIES: u32 = 300;
const REST: u64 = 10;

pub struct Folder {
    path: String,
    folder: OwnedFd,
}

impl Folder {
    /// Opens the folder of a store: no link on the way, ours, not writable by others, marked.
    pub fn open(path: &str) -> Result<Self, Trouble> {
        let no_store = |lack| Trouble::NoStore { path: path.to_owned(), lack };
        let folder = open_folder(path).map_err(|errno| no_store(Lack::Folder(raw(errno))))?;
        let stat = nix::sys::stat::fstat(folder.as_fd()).map_err(|errno| no_store(Lack::Folder(raw(errno))))?;
        if let Some((found, wanted)) = guard(&stat) {
            return Err(no_store(Lack::Guard { found, wanted }));
        }
        let this = Self { path: path.to_owned(), folder };
        match this.stat_name(MARKER) {
            Ok(marker) if is_regular(&marker) && marker.st_uid == sys::effective_uid() => Ok(this),
            Ok(_) | Err(_) => Err(no_store(Lack::Marker)),
        }
    }

    fn stat_name(&self, name: &str) -> nix::Result<FileStat> {
        nix::sys::stat::fstatat(self.folder.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    fn open_at(&self, name: &str, flags: OFlag) -> io::Result<OwnedFd> {
        let always = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
        let made = Permissions::S_IRUSR | Permissions::S_IWUSR;
        let file = retried(|| nix::fcntl::openat(self.folder.as_fd(), name, flags | always, made))?;
        let file = sys::above_stdio(file)?;
        if flags.contains(OFlag::O_CREAT) {
            // Whatever the host's umask is.
            retried(|| nix::sys::stat::fchmod(file.as_fd(), made))?;
        }
        Ok(file)
    }

    /// The lock's file, made empty when first needed. Opening and making are two steps, so that an old one's mode is
    /// looked at and not mended.
    fn open_lock(&self, name: &str) -> io::Result<OwnedFd> {
        loop {
            match self.open_at(name, OFlag::O_RDWR) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
            match self.open_at(name, OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
    }
}

impl Disk for Folder {
    type File = OwnedFd;

    fn open(&self, name: &str, mode: Mode) -> io::Result<OwnedFd> {
        match mode {
            Mode::Read => self.open_at(name, OFlag::O_RDONLY),
            Mode::Journal => self.open_at(name, OFlag::O_RDWR | OFlag::O_DSYNC),
            Mode::Lock => self.open_lock(name),
            Mode::New => self.open_at(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL),
        }
    }

    #[allow(clippy::useless_conversion, reason = "st_nlink has 32 bits on some architectures")]
    fn stat(&self, file: &OwnedFd) -> io::Result<Stat> {
        let stat = nix::sys::stat::fstat(file.as_fd())?;
        Ok(Stat {
            regular: is_regular(&stat),
            ours: stat.st_uid == sys::effective_uid(),
            owner: stat.st_uid,
            mode: stat.st_mode & 0o7777,
            links: u64::from(stat.st_nlink),
            size: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
        })
    }

    fn leads_to(&self, name: &str, file: &OwnedFd) -> io::Result<bool> {
        let opened = nix::sys::stat::fstat(file.as_fd())?;
        match self.stat_name(name) {
            Ok(named) => Ok((named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn stands(&self, name: &str) -> io::Result<bool> {
        match self.stat_name(name) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn try_lock(&self, file: &OwnedFd) -> io::Result<bool> {
        sys::try_lock(file.as_fd())
    }

    fn rest(&self, tries: u32) -> bool {
        let more = tries < TRIES;
        if more {
            sys::sleep(REST);
        }
        more
    }

    fn holder(&self, file: &OwnedFd) -> Option<sys::Holder> {
        let stat = nix::sys::stat::fstat(file.as_fd()).ok()?;
        sys::lock_holder(stat.st_dev, stat.st_ino)
    }

    fn read(&self, file: &OwnedFd, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::new());
        // All at once, so that a growing buffer leaves no copy of a secret behind.
        bytes.try_reserve_exact(most).map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
        bytes.resize(most, 0);
        let mut length = 0_usize;
        while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
            let position = i64::try_from(length).unwrap_or(i64::MAX);
            match retried(|| nix::sys::uio::pread(file.as_fd(), rest, position))? {
                0 => break,
                read => length = length.saturating_add(read),
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    fn write(&self, file: &OwnedFd, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = i64::try_from(offset).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))?;
        let written = retried(|| nix::sys::uio::pwrite(file.as_fd(), bytes, offset))?;
        match bytes.get(written..) {
            None | Some([]) => Ok(()),
            // A short count does not say what stopped it (no space, a limit): writing the rest does.
            Some(rest) => {
                let place = offset.saturating_add(i64::try_from(written).unwrap_or(i64::MAX));
                retried(|| nix::sys::uio::pwrite(file.as_fd(), rest, place))?;
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
        }
    }

    fn sync(&self, file: &OwnedFd) -> io::Result<()> {
        Ok(retried(|| nix::unistd::fsync(file.as_fd()))?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(nix::fcntl::renameat(self.folder.as_fd(), from, self.folder.as_fd(), to)?)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        match nix::unistd::unlinkat(self.folder.as_fd(), name, nix::unistd::UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn sync_folder(&self) -> io::Result<()> {
        Ok(retried(|| nix::unistd::fsync(self.folder.as_fd()))?)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let again = self.folder.try_clone()?;
        let mut folder = nix::dir::Dir::from_fd(again)?;
        let names = folder.iter().map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn path(&self, name: &str) -> String {
        if name.is_empty() { self.path.clone() } else { format!("{}/{name}", self.path) }
    }
}

/// No link on the way: openat2 in one call, or where the kernel has none (before 5.6), component by component.
fn open_folder(path: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    let opened = match nix::fcntl::openat2(nix::fcntl::AT_FDCWD, path, how) {
        Err(Errno::ENOSYS | Errno::EPERM) => by_component(path, flags),
        other => other,
    }?;
    sys::above_stdio(opened).map_err(|error| error.raw_os_error().map_or(Errno::EMFILE, Errno::from_raw))
}

fn by_component(path: &str, flags: OFlag) -> nix::Result<OwnedFd> {
    let root = nix::fcntl::open("/", flags, Permissions::empty())?;
    path.split('/')
        .filter(|part| !part.is_empty())
        .try_fold(root, |folder, part| nix::fcntl::openat(folder, part, flags, Permissions::empty()))
}

fn guard(stat: &FileStat) -> Option<(String, &'static str)> {
    if stat.st_uid != sys::effective_uid() {
        Some((format!("owner {}", stat.st_uid), "owner root"))
    } else if stat.st_mode & 0o022 != 0 {
        Some((format!("mode {:04o}", stat.st_mode & 0o7777), "mode 0700"))
    } else {
        None
    }
}

fn is_regular(stat: &FileStat) -> bool {
    stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits()
}

fn raw(errno: Errno) -> i32 {
    io::Error::from(errno).raw_os_error().unwrap_or(0)
}

/// A call that a signal interrupted is made again.
fn retried<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}
