//! One moment of the checked world: what page cache and platter hold, who is where, and what only the checker knows.
#![forbid(unsafe_code)]

use std::ops::{Deref, DerefMut};

use crate::blocks::Content;
use crate::disk::Name;
use crate::tree::NodeId;

pub const NONE: u8 = u8::MAX;
/// Lock files are numbered from here on, other inodes from 0.
pub const LOCKS: u8 = 200;
/// The node of a process that has ended.
pub const OVER: NodeId = NodeId::MAX;

#[derive(Clone)]
pub struct State {
    /// The folder as the page cache has it, and as the platter does.
    pub dir: Dir,
    pub base: Dir,
    /// What was done to the names since the folder's last sync.
    pub pending: Vec<Change>,
    pub inodes: Vec<Inode>,
    /// Which lock file the name leads to, and who holds the lock of each.
    pub lock: u8,
    pub holders: [u8; 3],
    pub processes: Processes,
    pub ghost: Ghost,
    pub budget: Budget,
    /// The clock, in steps.
    pub step: u8,
    pub full: bool,
}

/// The names but the lock's: which inode each leads to; and how often the record was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Dir {
    pub names: [u8; 4],
    pub version: u8,
}

/// One change of names: at most two of them, and the record's version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Change {
    pub names: [(u8, u8); 2],
    pub version: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inode {
    pub cache: Content,
    pub platter: Content,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Process {
    pub node: NodeId,
    pub started: bool,
    /// Its open files: the number of the opening, and the inode (the lock file).
    pub files: [(u8, u8); 4],
    /// When the flow began: how many resets were answered, which version of the record stood.
    pub resets: u8,
    pub version: u8,
    /// The set and the secret of that record.
    pub set: u8,
    pub secret: u8,
}

/// What the checker alone knows.
#[derive(Clone, Default, Debug)]
pub struct Ghost {
    /// A bit for each code that was accepted; and for each recovery code whose mark was written.
    pub accepted: u128,
    pub tried: u32,
    /// Sets and secrets that an answered change has ended.
    pub ended_sets: u32,
    pub ended_secrets: u32,
    /// Wrong codes answered; `None` since a reset or an unlock may have cleared the counters.
    pub wrongs: Option<u8>,
    /// A reset was answered and no enrollment may be in force since.
    pub reset: bool,
    pub resets: u8,
    /// The newest version of the record that an answer was based on.
    pub answered: u8,
    /// The journal was damaged or lost by hand, and no unlock was answered since.
    pub damaged: bool,
    /// A login or an enrollment was answered, and no reset has begun since: a record should stand.
    pub stands: bool,
    /// A hand or a reset has taken the record.
    pub taken: bool,
    /// When a code of the app was last accepted.
    pub accepted_at: u8,
    /// An unlock was answered that brings a floor ahead down.
    pub brought_down: bool,
    /// Every record that ever stood, where backups are restored.
    pub records: Vec<Content>,
    pub violation: Option<&'static str>,
}

/// What may still happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Budget {
    pub kills: u8,
    pub cuts: u8,
    pub errors: u8,
    pub flips: u8,
    pub damages: u8,
    pub locks: u8,
    pub deletes: u8,
    pub restores: u8,
    pub fulls: u8,
    pub timeouts: u8,
}

impl Process {
    pub fn new(node: NodeId) -> Self {
        Self { node, started: false, files: [(NONE, NONE); 4], resets: 0, version: 0, set: 0, secret: 0 }
    }
}

impl Process {
    /// The inode (the lock file) of an open file.
    pub fn file(&self, number: u8) -> u8 {
        self.files.iter().find(|(opened, _)| *opened == number).expect("an open file").1
    }

    pub fn opened(&mut self, number: u8, inode: u8) {
        *self.files.iter_mut().find(|(opened, _)| *opened == NONE).expect("few files are open at once") = (number, inode);
    }

    /// All but these are closed.
    pub fn keep(&mut self, open: u16) {
        for file in &mut self.files {
            if file.0 != NONE && open & (1 << file.0) == 0 {
                *file = (NONE, NONE);
            }
        }
        self.files.sort_unstable();
    }
}

/// All processes of a scenario, without a trip over the heap.
#[derive(Clone, PartialEq, Eq)]
pub struct Processes {
    all: [Process; MOST],
    count: usize,
}

/// The most processes of a scenario.
const MOST: usize = 9;

impl FromIterator<Process> for Processes {
    fn from_iter<T: IntoIterator<Item = Process>>(processes: T) -> Self {
        let mut this = Self { all: [Process::new(OVER); MOST], count: 0 };
        for process in processes {
            this.all[this.count] = process;
            this.count += 1;
        }
        this
    }
}

impl Deref for Processes {
    type Target = [Process];

    fn deref(&self) -> &[Process] {
        &self.all[..self.count]
    }
}

impl DerefMut for Processes {
    fn deref_mut(&mut self) -> &mut [Process] {
        &mut self.all[..self.count]
    }
}

impl Dir {
    pub fn at(&self, name: Name) -> Option<u8> {
        Some(self.names[name as usize]).filter(|inode| *inode != NONE)
    }

    pub fn apply(&mut self, change: Change) {
        for (name, inode) in change.names {
            if name != NONE {
                self.names[usize::from(name)] = inode;
            }
        }
        if change.names.iter().any(|(name, _)| *name == Name::Record as u8) {
            self.version = change.version;
        }
    }
}

impl State {
    pub fn content(&self, name: Name) -> Option<Content> {
        self.dir.at(name).map(|inode| self.inodes[usize::from(inode)].cache)
    }

    pub fn inode(&mut self, number: u8) -> &mut Inode {
        &mut self.inodes[usize::from(number)]
    }

    /// Changes names in the page cache.
    pub fn change(&mut self, first: (Name, u8), second: Option<(Name, u8)>) {
        let touches_record = first.0 == Name::Record || second.is_some_and(|(name, _)| name == Name::Record);
        let version = if touches_record { self.dir.version + 1 } else { 0 };
        let second = second.map_or((NONE, NONE), |(name, inode)| (name as u8, inode));
        let change = Change { names: [(first.0 as u8, first.1), second], version };
        self.dir.apply(change);
        self.pending.push(change);
    }

    pub fn is_locked(&self) -> bool {
        self.holders.iter().any(|holder| *holder != NONE)
    }

    /// Nobody is under way.
    pub fn is_quiet(&self) -> bool {
        self.processes.iter().all(|process| !process.started || process.node == OVER)
    }

    pub fn is_over(&self) -> bool {
        self.processes.iter().all(|process| process.node == OVER)
    }

    pub fn end(&mut self, who: usize) {
        let process = &mut self.processes[who];
        *process = Process { started: true, ..Process::new(OVER) };
        for holder in &mut self.holders {
            if usize::from(*holder) == who {
                *holder = NONE;
            }
        }
    }

    /// Inodes without a name and an opener are gone; the others are numbered in the order in which they are found, so
    /// that what is alike compares alike.
    pub fn tidy(&mut self) {
        let mut order = [NONE; 32];
        let mut kept: Vec<Inode> = Vec::with_capacity(self.inodes.len());
        let inodes = &self.inodes;
        let mut renumber = |inode: &mut u8| {
            if *inode < LOCKS {
                let place = &mut order[usize::from(*inode)];
                if *place == NONE {
                    *place = u8::try_from(kept.len()).unwrap();
                    kept.push(inodes[usize::from(*inode)]);
                }
                *inode = *place;
            }
        };
        self.dir.names.iter_mut().for_each(&mut renumber);
        self.base.names.iter_mut().for_each(&mut renumber);
        for change in &mut self.pending {
            change.names.iter_mut().for_each(|(_, inode)| renumber(inode));
        }
        for process in &mut *self.processes {
            process.files.iter_mut().for_each(|(_, inode)| renumber(inode));
        }
        self.inodes = kept;
    }
}
