//! What the store asks of a file system. The one trait beside the PAM host and the dialogue: so that a checker runs
//! the shipped store through every crash.
#![forbid(unsafe_code)]

use std::io;

use zeroize::Zeroizing;

pub trait Disk {
    /// An open file; closing it gives a lock back.
    type File;

    /// Opens a name of the folder, never through a link, never blocking.
    fn open(&self, name: &str, mode: Mode) -> io::Result<Self::File>;
    fn stat(&self, file: &Self::File) -> io::Result<Stat>;
    /// Whether the name still leads to that file.
    fn leads_to(&self, name: &str, file: &Self::File) -> io::Result<bool>;
    /// Whether anything stands at that name.
    fn stands(&self, name: &str) -> io::Result<bool>;
    /// flock(2) LOCK_EX without waiting.
    fn try_lock(&self, file: &Self::File) -> io::Result<bool>;
    /// A short rest between two tries for a lock; `false` when no more are worth it.
    fn rest(&self, tries: u32) -> bool;
    /// Who holds the lock of that file, as far as the kernel tells.
    fn holder(&self, file: &Self::File) -> Option<crate::sys::Holder>;
    /// At most that many bytes from the start.
    fn read(&self, file: &Self::File, most: usize) -> io::Result<Zeroizing<Vec<u8>>>;
    /// One write: all of it, or an error. Of a journal it is on disk when this returns (rule 2, *sync*).
    fn write(&self, file: &Self::File, offset: u64, bytes: &[u8]) -> io::Result<()>;
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a name; that it is not there is no error.
    fn unlink(&self, name: &str) -> io::Result<()>;
    fn sync_folder(&self) -> io::Result<()>;
    /// The names in the folder.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A name of the folder in words.
    fn path(&self, name: &str) -> String;
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Read,
    /// For reading and in-place writing, each write synced.
    Journal,
    /// The lock: made empty when first needed.
    Lock,
    /// A file that must not be there yet.
    New,
}

/// What a descriptor says about its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    pub regular: bool,
    /// Owned by the process's effective uid.
    pub ours: bool,
    pub owner: u32,
    /// Permission bits.
    pub mode: u32,
    pub links: u64,
    pub size: u64,
}

impl Stat {
    /// What keeps a file from being one of ours: found and wanted.
    pub(super) fn fault(&self, largest: u64) -> Option<(String, &'static str)> {
        if !self.regular {
            Some(("no regular file".to_owned(), "a regular file"))
        } else if !self.ours {
            Some((format!("owner {}", self.owner), "owner root"))
        } else if self.mode & 0o7077 != 0 {
            Some((format!("mode {:04o}", self.mode), "mode 0600"))
        } else if self.links != 1 {
            Some((format!("{} links", self.links), "1 link"))
        } else if self.size > largest {
            Some((format!("{} bytes", self.size), "a file of ours"))
        } else {
            None
        }
    }
}
