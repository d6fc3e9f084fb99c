//! A user's lock, record and journal, in one flat folder.
//!
//! The rules, in the order of the code. Each is needed: without any one of them a code opens a door twice, or its
//! owner is locked out (the crash checker in `tests/crash` leaves out one at a time and finds it).
//!
//! - The folder MUST be ours, not writable by others, and marked as a store; every file MUST be checked on its
//!   descriptor: regular, ours, mode & 077 == 0, one link, size within bounds. "Not enrolled" is a record that is
//!   not there (ENOENT) inside such a store, beside a journal that does not say that one should stand.
//! 1. *lock*: between reading and answering there MUST be one process a user, on a lock that we never replace. After
//!    locking, the name MUST still lead to the locked file, else it is opened again, three times.
//! 2. *sync*: the slot MUST be on disk before the answer: the journal is open O_DSYNC, one pwrite writes and syncs.
//! 3. *older*: the slot that is not the newest good one MUST be the one that is overwritten.
//! 4. *rollback*: a slot whose write failed MUST get its old bytes back, result ignored; the login refuses.
//! 5. *floor*: a step that starts before the record's `not_before`, or not after the journal's `last`, MUST be used,
//!    whatever else the two files say (`rules::totp::Floor`).
//! 6. *set*: spent marks MUST count only for the set of recovery codes that the journal names
//!    (`Journal::spent_of`).
//! 7. *folder*: whoever finds a journal that names another set than the record MUST sync the folder before judging:
//!    the record may not be on disk yet.
//! 8. *both*: a spent recovery code MUST be written to both slots before the answer.
//! - A record is written beside, synced, renamed into place between two syncs of the folder, and only if nobody has
//!   changed record or journal since the flow began. A journal is made in the same way, and never otherwise renamed,
//!   truncated, grown or removed.
//! - A rescue code's symbol MUST be neither spent nor that of the code it replaces: a power cut may bring that one back,
//!   beside the mark of this one's use. Its commit MUST look at the mark again.
//! - A floor MUST NOT be brought down below what the window holds at the clock that is read under the lock.
#![forbid(unsafe_code)]

mod commit;
mod disk;
mod folder;
mod locked;
mod removal;
mod trouble;
mod unlock;

pub use commit::{Began, NotCommitted};
pub use disk::{Disk, Mode, Stat};
pub use folder::{Folder, MARKER};
pub use locked::{Locked, Standing};
pub use removal::Removed;
pub use trouble::{Lack, Part, Trouble};
pub use unlock::{Ahead, Anew, Rewritten, Unlocked};

use zeroize::Zeroizing;

use crate::rules::journal::{self, Journal, Pair};
use crate::rules::record;

/// The store. Only this folder of the crate knows what the files are called.
pub struct Store<D> {
    disk: D,
}

/// How often a file is looked for again that was replaced while it was looked at.
const LOOKED_AGAIN: u32 = 3;

/// A user's files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Names {
    pub(crate) lock: String,
    pub(crate) record: String,
    pub(crate) new_record: String,
    pub(crate) journal: String,
    pub(crate) new_journal: String,
}

impl Names {
    fn of(uid: u32) -> Self {
        Self {
            lock: format!("{uid}.lock"),
            record: format!("{uid}.toml"),
            new_record: format!(".{uid}.toml.new"),
            journal: format!("{uid}.state"),
            new_journal: format!(".{uid}.state.new"),
        }
    }
}

impl<D: Disk> Store<D> {
    pub fn new(disk: D) -> Self {
        Self { disk }
    }

    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Whether that user has a record. The record is looked at and not read, so that no secret is in memory while a
    /// person thinks. Where there is none but a journal, the answer needs the lock: the record may be lost.
    pub fn is_enrolled(&self, uid: u32) -> Result<bool, Trouble> {
        let names = Names::of(uid);
        if self.checked(&names.record, Mode::Read, record::LARGEST)?.is_some() {
            return Ok(true);
        }
        match self.checked(&names.journal, Mode::Read, usize::MAX) {
            Ok(None) => Ok(false),
            Ok(Some(_)) | Err(_) => self.lock(uid)?.is_enrolled(),
        }
    }

    /// The journal without the lock: for what is said or asked beforehand alone; what is done is judged under the lock.
    pub fn glance(&self, uid: u32) -> Option<Journal> {
        let file = self.checked(&Names::of(uid).journal, Mode::Read, usize::MAX).ok()??;
        let bytes = file.read(&self.disk, journal::SIZE).ok()?;
        Pair::parse(uid, &bytes).ok().map(|pair| pair.journal)
    }

    /// The user's lock (rule 1).
    pub fn lock(&self, uid: u32) -> Result<Locked<'_, D>, Trouble> {
        Locked::new(self, uid)
    }

    /// The uids that have a record, for root's overview.
    pub fn enrolled_uids(&self) -> Result<Vec<u32>, Trouble> {
        self.uids_with(".toml")
    }

    /// The uids that have a journal: what is left where a record was lost, or reset.
    pub fn known_uids(&self) -> Result<Vec<u32>, Trouble> {
        self.uids_with(".state")
    }

    fn uids_with(&self, suffix: &str) -> Result<Vec<u32>, Trouble> {
        let names = self.disk.list().map_err(|error| self.cant_read("", &error))?;
        let mut uids: Vec<u32> = names.iter().filter_map(|name| name.strip_suffix(suffix)?.parse().ok()).collect();
        uids.sort_unstable();
        Ok(uids)
    }

    /// Opens a file and checks it on its descriptor; `None` if there is none. One that lost its name between the two
    /// has just been replaced or removed by who holds the lock: it is looked for again.
    fn checked(&self, name: &str, mode: Mode, largest: usize) -> Result<Option<Checked<D>>, Trouble> {
        let mut tries = LOOKED_AGAIN;
        loop {
            let Some(file) = self.opened(name, mode)? else { return Ok(None) };
            let stat = self.disk.stat(&file).map_err(|error| self.cant_read(name, &error))?;
            tries = match (stat.links, tries.checked_sub(1)) {
                (0, Some(left)) => left,
                _ => return self.fault_of(name, &stat, largest).map_or(Ok(Some(Checked { file, size: stat.size })), Err),
            };
        }
    }

    fn opened(&self, name: &str, mode: Mode) -> Result<Option<D::File>, Trouble> {
        match self.disk.open(name, mode) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                Err(self.bad_file(name, "a symbolic link".to_owned(), "a regular file"))
            }
            // A lock that can't be made the first time.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT | libc::EROFS)) => {
                Err(self.not_written(name, &error))
            }
            Err(error) => Err(self.cant_read(name, &error)),
        }
    }

    fn fault_of(&self, name: &str, stat: &Stat, largest: usize) -> Option<Trouble> {
        let (found, wanted) = stat.fault(u64::try_from(largest).unwrap_or(u64::MAX))?;
        Some(self.bad_file(name, found, wanted))
    }

    fn bad_file(&self, name: &str, found: String, wanted: &'static str) -> Trouble {
        Trouble::BadFile { path: self.disk.path(name), found, wanted }
    }

    fn cant_read(&self, name: &str, error: &std::io::Error) -> Trouble {
        match error.raw_os_error() {
            Some(libc::ENOMEM) => Trouble::OutOfMemory,
            errno => Trouble::CantRead { path: self.disk.path(name), errno: errno.unwrap_or(0) },
        }
    }

    fn not_written(&self, name: &str, error: &std::io::Error) -> Trouble {
        Trouble::NotWritten { path: self.disk.path(name), errno: error.raw_os_error().unwrap_or(0) }
    }
}

/// An open file of ours, with the size it had when it was looked at.
struct Checked<D: Disk> {
    file: D::File,
    size: u64,
}

impl<D: Disk> Checked<D> {
    /// All of it up to `most`, and one byte more where there is one: then it is no file of ours.
    fn read(&self, disk: &D, most: usize) -> std::io::Result<Zeroizing<Vec<u8>>> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        disk.read(&self.file, size.min(most).saturating_add(1))
    }
}
