//! libc and the kernel made safe: user database, clock, limits, ids, randomness, descriptors, locks.
//!
//! This runs inside hosts that are not ours. It MUST NOT read the environment, MUST NOT leave a descriptor of ours at
//! 0, 1 or 2 (a host may have closed them, and its next print would go into our file), MUST open everything close-on-exec,
//! and MUST bound whatever it reads.
#![allow(unsafe_code)]

mod hidden;

pub use hidden::{hidden, is_hiding, leave_out_of_dumps};

use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::{Mode, SFlag, fstat, major, minor};

/// An entry of the user database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    pub uid: u32,
    /// The canonical name, which is not always the one that was looked up.
    pub name: String,
}

/// The user database gave no answer, which is not "no such user".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DatabaseFailed {
    pub errno: i32,
}

impl fmt::Display for DatabaseFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the user database can't be read ({})", Errno::from_raw(self.errno).desc())
    }
}

/// `getpwnam_r`; `Ok(None)` is "no such user".
pub fn account(name: &str) -> Result<Option<Account>, DatabaseFailed> {
    // No database holds a name with a NUL in it.
    let Ok(name) = CString::new(name) else { return Ok(None) };
    look_up(|entry, buffer, found| {
        // SAFETY: `name` ends in NUL, and the other pointers are to live memory of the length that is given.
        unsafe { libc::getpwnam_r(name.as_ptr(), entry, buffer.as_mut_ptr(), buffer.len(), found) }
    })
}

/// `getpwuid_r`; `Ok(None)` is "no such user".
pub fn account_of(uid: u32) -> Result<Option<Account>, DatabaseFailed> {
    look_up(|entry, buffer, found| {
        // SAFETY: the pointers are to live memory of the length that is given.
        unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr(), buffer.len(), found) }
    })
}

const LARGEST_ENTRY: usize = 1024 * 1024;
const INTERRUPTIONS: usize = 100;

/// Only 0 is "no such user": glibc answers 0 for a name that every database was asked for and none has, and an errno,
/// ENOENT too, when one couldn't be asked. The manual page's longer list of harmless errors would make a broken database
/// an unknown user, whom a policy may let pass.
fn look_up(call: impl Fn(*mut libc::passwd, &mut [c_char], *mut *mut libc::passwd) -> c_int) -> Result<Option<Account>, DatabaseFailed> {
    let mut buffer: Vec<c_char> = Vec::new();
    let mut size: usize = 1024;
    let mut interruptions: usize = 0;
    loop {
        buffer.try_reserve_exact(size.saturating_sub(buffer.len())).map_err(|_| DatabaseFailed { errno: libc::ENOMEM })?;
        buffer.resize(size, 0);
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found: *mut libc::passwd = std::ptr::null_mut();
        // Where a database could not be asked, glibc answers with errno as it stands: from the second time on whatever was
        // left there, which must not be 0.
        Errno::set_raw(libc::ENOENT);
        match call(entry.as_mut_ptr(), &mut buffer, &raw mut found) {
            // SAFETY: on success `found` is null or points to `entry`, filled, which lives on here.
            0 => return unsafe { found.as_ref() }.map(canonical).transpose(),
            libc::ERANGE if size < LARGEST_ENTRY => size = size.saturating_mul(2),
            libc::EINTR if interruptions < INTERRUPTIONS => interruptions = interruptions.saturating_add(1),
            errno => return Err(DatabaseFailed { errno }),
        }
    }
}

fn canonical(entry: &libc::passwd) -> Result<Account, DatabaseFailed> {
    let unreadable = DatabaseFailed { errno: libc::EILSEQ };
    if entry.pw_name.is_null() {
        return Err(unreadable);
    }
    // SAFETY: a filled entry's name ends in NUL and lies in the buffer that outlives this borrow of the entry.
    let name = unsafe { CStr::from_ptr(entry.pw_name) };
    let name = name.to_str().map_err(|_| unreadable)?.to_owned();
    Ok(Account { uid: entry.pw_uid, name })
}

/// The clock, unix seconds. Through libc's `clock_gettime`, so that a program which exports its own gives us its time.
pub fn now() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec. The realtime clock always exists; were it to fail, 1970 refuses every code.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    time.tv_sec
}

/// The kernel says that its clock is not synchronised. Only asks, sets nothing.
pub fn clock_unsynchronised() -> bool {
    // SAFETY: timex is integers only, for which zero is a value.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `state` is a live timex whose `modes` is 0: nothing is changed.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    answer == libc::TIME_ERROR || state.status & libc::STA_UNSYNC != 0
}

/// RLIMIT_FSIZE in bytes, `u64::MAX` if there is none, 0 if the kernel doesn't say.
pub fn file_size_limit() -> u64 {
    getrlimit(Resource::RLIMIT_FSIZE).map_or(0, |(soft, _)| soft)
}

pub fn real_uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

pub fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The kernel's random bytes.
pub fn random(bytes: &mut [u8]) -> Result<(), RandomFailed> {
    getrandom::fill(bytes).map_err(|_| RandomFailed)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RandomFailed;

impl fmt::Display for RandomFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the kernel gives no random bytes")
    }
}

/// Waits, however often a signal interrupts it.
pub fn sleep(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// The same open file at 3 or above, close-on-exec.
pub fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(fd);
    }
    let moved = nix::fcntl::fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(libc::STDERR_FILENO.saturating_add(1)))?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

/// flock(2), exclusive, not waiting. `false`: another open file holds it. It ends when the descriptor is closed.
pub fn try_lock(fd: BorrowedFd<'_>) -> io::Result<bool> {
    loop {
        // SAFETY: the descriptor is borrowed, so it is open.
        if unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Ok(true);
        }
        match Errno::last() {
            Errno::EINTR => {}
            Errno::EWOULDBLOCK => return Ok(false),
            errno => return Err(errno.into()),
        }
    }
}

/// A process that holds a lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    pub pid: u32,
    /// As the process calls itself: at most 15 bytes, escaped by the kernel as /proc/PID/status does, but not to be trusted.
    pub name: String,
    pub real_uid: u32,
    pub stopped: bool,
}

/// Who holds a flock(2) on the file of this device and inode, as /proc/locks and /proc/PID/status tell it.
pub fn lock_holder(device: u64, inode: u64) -> Option<Holder> {
    let file = (major(device), minor(device), inode);
    let locks = BufReader::new(open("/proc/locks", OFlag::empty()).ok()?.take(LARGEST_TABLE));
    let pid = locks.lines().map_while(Result::ok).find_map(|line| flock_owner(&line, file))?;
    // Bytes: a process may call itself what is no UTF-8.
    let mut status = Vec::new();
    open(format!("/proc/{pid}/status").as_str(), OFlag::empty()).ok()?.take(LARGEST_STATUS).read_to_end(&mut status).ok()?;
    holder(pid, &String::from_utf8_lossy(&status))
}

/// Read line by line, so that somebody's thousands of locks don't hide one.
const LARGEST_TABLE: u64 = 64 * 1024 * 1024;
const LARGEST_STATUS: u64 = 8 * 1024;

/// `1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF`; a process that waits has `->` behind the number.
fn flock_owner(line: &str, (major, minor, inode): (u64, u64, u64)) -> Option<u32> {
    let mut words = line.split_ascii_whitespace().skip(1);
    if words.next()? != "FLOCK" {
        return None;
    }
    let pid = words.nth(2)?.parse().ok()?;
    let mut file = words.next()?.split(':');
    let here = u64::from_str_radix(file.next()?, 16).ok()? == major
        && u64::from_str_radix(file.next()?, 16).ok()? == minor
        && file.next()?.parse() == Ok(inode);
    // Processes outside our PID namespace are 0.
    (here && pid != 0).then_some(pid)
}

fn holder(pid: u32, status: &str) -> Option<Holder> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    Some(Holder {
        pid,
        name: field("Name")?.chars().take(64).collect(),
        real_uid: field("Uid")?.split_ascii_whitespace().next()?.parse().ok()?,
        stopped: field("State")?.starts_with(['T', 't']),
    })
}

/// Who logged in to the session that this process belongs to, whatever it has become since.
pub fn loginuid() -> Option<u32> {
    let mut text = String::new();
    open("/proc/self/loginuid", OFlag::empty()).ok()?.take(16).read_to_string(&mut text).ok()?;
    // 4294967295 is "none".
    text.trim().parse().ok().filter(|&uid| uid != u32::MAX)
}

/// Columns and rows of a terminal, as far as it says.
pub fn window_size(terminal: BorrowedFd<'_>) -> Option<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ fills a winsize, and `size` is a live one.
    let answer = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0 && size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// Sets the no-copy-on-write attribute of a folder; files that are made in it from then on inherit it (btrfs).
pub fn forbid_copy_on_write(folder: BorrowedFd<'_>) -> io::Result<()> {
    // FS_NOCOW_FL of linux/fs.h. The calls are declared over a long, and the kernel reads and writes an int.
    const NO_COPY_ON_WRITE: c_int = 0x0080_0000;
    let mut flags: c_int = 0;
    // SAFETY: FS_IOC_GETFLAGS fills an int, and `flags` is a live one.
    if unsafe { libc::ioctl(folder.as_raw_fd(), libc::FS_IOC_GETFLAGS, &raw mut flags) } != 0 {
        return Err(io::Error::last_os_error());
    }
    flags |= NO_COPY_ON_WRITE;
    // SAFETY: FS_IOC_SETFLAGS reads an int, and `flags` is a live one.
    match unsafe { libc::ioctl(folder.as_raw_fd(), libc::FS_IOC_SETFLAGS, &raw const flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Why a configuration file is not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigFile {
    CantOpen { errno: i32 },
    CantRead { errno: i32 },
    NotRegular,
    Owner { found: u32 },
    Mode { found: u32 },
    TooLarge { found: u64 },
}

impl fmt::Display for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What O_NOFOLLOW answers.
            Self::CantOpen { errno: libc::ELOOP } => f.write_str("is a symbolic link, wanted a file"),
            Self::CantOpen { errno } => write!(f, "can't be opened ({})", Errno::from_raw(*errno).desc()),
            Self::CantRead { errno } => write!(f, "can't be read ({})", Errno::from_raw(*errno).desc()),
            Self::NotRegular => f.write_str("is no regular file"),
            Self::Owner { found } => write!(f, "is owned by uid {found}, wanted 0"),
            Self::Mode { found } => write!(f, "has mode {found:04o}, wanted not writable by group and others"),
            Self::TooLarge { found } => write!(f, "has {found} bytes, wanted at most {LARGEST_CONFIG}"),
        }
    }
}

const LARGEST_CONFIG: u64 = 64 * 1024;

/// The bytes of a configuration file that root alone can have written, and its mtime; `Ok(None)`: there is none.
pub fn read_config(path: &Path) -> Result<Option<(Vec<u8>, i64)>, ConfigFile> {
    // O_NONBLOCK: a fifo must not hold a login.
    let file = match open(path, OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_NONBLOCK) {
        Ok(file) => file,
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(ConfigFile::CantOpen { errno: number(errno) }),
    };
    let found = fstat(&file).map_err(|errno| ConfigFile::CantRead { errno: number(errno) })?;
    check_config(found.st_mode, found.st_uid, u64::try_from(found.st_size).unwrap_or(u64::MAX))?;
    let mut bytes = Vec::new();
    let read = file.take(LARGEST_CONFIG.saturating_add(1)).read_to_end(&mut bytes);
    let read = read.map_err(|error| ConfigFile::CantRead { errno: error.raw_os_error().unwrap_or(libc::ENOMEM) })?;
    let read = u64::try_from(read).unwrap_or(u64::MAX);
    if read > LARGEST_CONFIG {
        return Err(ConfigFile::TooLarge { found: read });
    }
    Ok(Some((bytes, found.st_mtime)))
}

fn check_config(mode: u32, owner: u32, size: u64) -> Result<(), ConfigFile> {
    if mode & SFlag::S_IFMT.bits() != SFlag::S_IFREG.bits() {
        Err(ConfigFile::NotRegular)
    } else if owner != 0 {
        Err(ConfigFile::Owner { found: owner })
    } else if mode & 0o022 != 0 {
        Err(ConfigFile::Mode { found: mode & 0o7777 })
    } else if size > LARGEST_CONFIG {
        Err(ConfigFile::TooLarge { found: size })
    } else {
        Ok(())
    }
}

/// Opens for reading, close-on-exec, above standard error.
fn open<P: ?Sized + nix::NixPath>(path: &P, flags: OFlag) -> nix::Result<File> {
    let fd = nix::fcntl::open(path, flags | OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let fd = above_stdio(fd).map_err(|error| error.raw_os_error().map_or(Errno::EMFILE, Errno::from_raw))?;
    Ok(File::from(fd))
}

#[expect(clippy::as_conversions, reason = "an Errno is an i32 by its own declaration and has no other way out")]
fn number(errno: Errno) -> i32 {
    errno as i32
}

/// A person of the user database, as `accounts` lists them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    pub uid: u32,
    pub name: String,
    pub shell: PathBuf,
}

/// Everybody whom the user database lists: a directory service may list nobody and still find people by name. Names that
/// are no UTF-8 are left out: none of them can log in with us. For the tool: one place in the list is kept for the whole
/// process, a host's too.
pub fn accounts() -> Result<Vec<Person>, DatabaseFailed> {
    setpwent();
    let mut people = Vec::new();
    let ended = loop {
        match next_account() {
            // More than any database lists: no end is in sight.
            Ok(_) if people.len() >= MOST_PEOPLE => break Err(DatabaseFailed { errno: libc::EOVERFLOW }),
            Ok(found) => people.extend(found),
            // The end; before the first one: there is no database.
            Err(DatabaseFailed { errno: libc::ENOENT }) if !people.is_empty() => break Ok(()),
            Err(failed) => break Err(failed),
        }
    };
    endpwent();
    ended.map(|()| people)
}

const MOST_PEOPLE: usize = 1_000_000;

/// `getpwent_r`; `Ok(None)` is a name that is no UTF-8.
fn next_account() -> Result<Option<Person>, DatabaseFailed> {
    let mut size: usize = 1024;
    loop {
        let mut buffer: Vec<c_char> = vec![0; size];
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found: *mut libc::passwd = std::ptr::null_mut();
        // SAFETY: the pointers are to live memory of the length that is given.
        match unsafe { libc::getpwent_r(entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &raw mut found) } {
            // SAFETY: on success `found` is null or points to `entry`, filled, which lives on here as its strings do.
            0 => return Ok(unsafe { found.as_ref() }.and_then(person)),
            libc::ERANGE if size < LARGEST_ENTRY => size = size.saturating_mul(2),
            libc::EINTR => {}
            errno => return Err(DatabaseFailed { errno }),
        }
    }
}

fn person(entry: &libc::passwd) -> Option<Person> {
    let Account { uid, name } = canonical(entry).ok()?;
    let shell = if entry.pw_shell.is_null() {
        c""
    } else {
        // SAFETY: a filled entry's shell ends in NUL and lies in the buffer that outlives this borrow of the entry.
        unsafe { CStr::from_ptr(entry.pw_shell) }
    };
    // passwd(5): an empty field is /bin/sh.
    let shell = if shell.is_empty() { c"/bin/sh" } else { shell };
    Some(Person { uid, name, shell: path(shell) })
}

/// The shells of people who log in, by /etc/shells or what the C library puts in its place. For the tool, as `accounts`.
pub fn login_shells() -> Vec<PathBuf> {
    setusershell();
    let shells = std::iter::from_fn(|| {
        let shell = getusershell();
        // SAFETY: a shell of the list ends in NUL, and is copied before the next one is asked for.
        (!shell.is_null()).then(|| path(unsafe { CStr::from_ptr(shell) }))
    });
    let shells = shells.take(MOST_SHELLS).collect();
    endusershell();
    shells
}

const MOST_SHELLS: usize = 10_000;

fn path(text: &CStr) -> PathBuf {
    OsStr::from_bytes(text.to_bytes()).into()
}

// SAFETY: as <pwd.h> and <unistd.h> have them; the libc package leaves them out for Linux.
unsafe extern "C" {
    safe fn setpwent();
    safe fn endpwent();
    safe fn setusershell();
    safe fn getusershell() -> *mut c_char;
    safe fn endusershell();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn root_is_found_by_name_and_by_uid() {
        let root = Account { uid: 0, name: "root".to_owned() };
        assert_eq!(account("root"), Ok(Some(root.clone())));
        assert_eq!(account_of(0), Ok(Some(root)));
    }

    #[test]
    fn an_unknown_name_is_no_failure() {
        assert_eq!(account("no-such-user-here"), Ok(None));
        assert_eq!(account(""), Ok(None));
        assert_eq!(account("root\0"), Ok(None));
        assert_eq!(account(&"x".repeat(5000)), Ok(None));
    }

    #[test]
    fn a_lookup_that_fails_is_no_unknown_user() {
        for errno in [libc::ENOENT, libc::EPERM, libc::EIO, libc::EMFILE, libc::ERANGE] {
            assert_eq!(look_up(|_, _, _| errno), Err(DatabaseFailed { errno }));
        }
    }

    #[test]
    fn a_lookup_asks_again_with_more_memory_and_after_a_signal() {
        let calls = std::cell::RefCell::new(Vec::new());
        let answer = look_up(|_, buffer, _| {
            calls.borrow_mut().push(buffer.len());
            match calls.borrow().len() {
                1 => libc::EINTR,
                2 | 3 => libc::ERANGE,
                _ => 0,
            }
        });
        assert_eq!(answer, Ok(None));
        assert_eq!(*calls.borrow(), [1024, 1024, 2048, 4096]);
    }

    #[test]
    fn the_clock_is_the_kernels() {
        assert!(now() > 1_700_000_000);
    }

    #[test]
    fn random_bytes_differ() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        random(&mut one).unwrap();
        random(&mut other).unwrap();
        assert_ne!(one, other);
    }

    #[test]
    fn a_lock_is_held_once_and_its_holder_is_named() {
        let path = std::env::temp_dir().join(format!("countersign-sys-{}", std::process::id()));
        let (one, other) = (File::create(&path).unwrap(), File::open(&path).unwrap());
        assert!(try_lock(one.as_fd()).unwrap());
        assert!(!try_lock(other.as_fd()).unwrap());
        let file = one.metadata().unwrap();
        let held_by = lock_holder(file.dev(), file.ino()).unwrap();
        assert_eq!((held_by.pid, held_by.real_uid, held_by.stopped), (std::process::id(), real_uid(), false));
        drop(one);
        assert_eq!(lock_holder(file.dev(), file.ino()), None);
        assert!(try_lock(other.as_fd()).unwrap());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_line_of_the_lock_table_is_read() {
        let file = (0xfe, 0x1a, 131);
        assert_eq!(flock_owner("1: FLOCK  ADVISORY  WRITE 4711 fe:1a:131 0 EOF", file), Some(4711));
        for other in [
            "1: -> FLOCK  ADVISORY  WRITE 4711 fe:1a:131 0 EOF",
            "1: POSIX  ADVISORY  WRITE 4711 fe:1a:131 0 EOF",
            "1: OFDLCK ADVISORY  WRITE -1 fe:1a:131 0 EOF",
            "1: FLOCK  ADVISORY  WRITE 0 fe:1a:131 0 EOF",
            "1: FLOCK  ADVISORY  WRITE 4711 fe:1a:132 0 EOF",
            "1: FLOCK  ADVISORY  WRITE 4711 fe:1b:131 0 EOF",
            "1: FLOCK  ADVISORY  WRITE 4711 fd:1a:131 0 EOF",
            "1: FLOCK  ADVISORY  WRITE 4711 fe:1a",
            "1: FLOCK",
            "",
        ] {
            assert_eq!(flock_owner(other, file), None, "{other:?}");
        }
    }

    #[test]
    fn a_holder_is_read_from_its_status() {
        let status = "Name:\tsu\nUmask:\t0022\nState:\tT (stopped)\nPid:\t4711\nUid:\t1001\t0\t0\t0\n";
        assert_eq!(holder(4711, status), Some(Holder { pid: 4711, name: "su".to_owned(), real_uid: 1001, stopped: true }));
        let traced = status.replace("T (stopped)", "t (tracing stop)");
        assert_eq!(holder(4711, &traced).map(|holder| holder.stopped), Some(true));
        let asleep = status.replace("T (stopped)", "S (sleeping)");
        assert_eq!(holder(4711, &asleep).map(|holder| holder.stopped), Some(false));
        assert_eq!(holder(4711, "Name:\tsu\n"), None);
    }

    #[test]
    fn a_config_that_others_can_write_is_refused() {
        let folder = std::env::temp_dir().join(format!("countersign-config-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("config.toml");
        assert_eq!(read_config(&path), Ok(None));
        std::fs::write(&path, "store = \"/x\"\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o664);
        assert_eq!(read_config(&path), Err(ConfigFile::Mode { found: 0o664 }));
        mode(0o646);
        assert_eq!(read_config(&path), Err(ConfigFile::Mode { found: 0o646 }));
        mode(0o644);
        assert_eq!(read_config(&path).unwrap().unwrap().0, b"store = \"/x\"\n");
        std::fs::write(&path, vec![b'#'; 65537]).unwrap();
        assert_eq!(read_config(&path), Err(ConfigFile::TooLarge { found: 65537 }));
        std::fs::write(&path, vec![b'#'; 65536]).unwrap();
        assert!(read_config(&path).is_ok());
        std::os::unix::fs::chown(&path, Some(1000), None).unwrap();
        assert_eq!(read_config(&path), Err(ConfigFile::Owner { found: 1000 }));
        assert_eq!(read_config(&folder), Err(ConfigFile::NotRegular));
        let link = folder.join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(read_config(&link), Err(ConfigFile::CantOpen { errno: libc::ELOOP }));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn root_and_the_usual_shell_are_listed_each_time() {
        let root = account_of(0).unwrap().unwrap();
        for _ in 0..2 {
            let people = accounts().unwrap();
            assert!(people.iter().any(|person| person.uid == 0 && person.name == root.name && person.shell.is_absolute()), "{people:?}");
            let shells = login_shells();
            assert!(shells.contains(&PathBuf::from("/bin/sh")), "{shells:?}");
        }
    }
}
