//! The `Disk` that the shipped store runs over here: it hands out answers from a script, and where the script ends it
//! notes what is asked next; everything after that fails, and what the run then says is thrown away.
//!
//! So a process becomes a tree: its requests at the nodes, the disk's answers at the branches. The code is
//! deterministic, so a node is learned once, by one run of the shipped code over the answers on the way to it.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use countersign::rules::journal::{BLOCK, LINE, SIZE};
use countersign::store::{Disk, Mode, Stat};
use zeroize::Zeroizing;

use crate::blocks::{Blocks, Content};

/// A file of the user's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Name {
    Record,
    NewRecord,
    Journal,
    NewJournal,
    Lock,
}

impl Name {
    fn of(name: &str) -> Self {
        match name {
            "1000.toml" => Self::Record,
            ".1000.toml.new" => Self::NewRecord,
            "1000.state" => Self::Journal,
            ".1000.state.new" => Self::NewJournal,
            "1000.lock" => Self::Lock,
            other => unreachable!("no file of a user: {other}"),
        }
    }
}

/// What a process asks of the disk; a file is the number of its opening in that process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Request {
    Open(Name, Opening),
    Stat(u8),
    LeadsTo(u8),
    Stands(Name),
    TryLock(u8),
    Rest,
    Holder,
    Read(u8),
    /// A slot of the journal, in place: which, and the line.
    WriteSlot(u8, usize, u32),
    /// A new file, whole.
    WriteNew(u8, Content),
    Sync(u8),
    Rename(Name, Name),
    Unlink(Name),
    SyncFolder,
    /// The lock's file is closed; what else is closed nobody sees.
    Close(u8),
    Clock,
    /// A flow has seen what it begins with (it still holds the lock).
    Begun,
    Ended(crate::people::Outcome),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Opening {
    Lock,
    Old,
    New,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Answer {
    Done,
    Is(bool),
    Content(Content),
    Stat {
        size: u32,
        links: u8,
    },
    /// Unix seconds.
    Time(i64),
    Fails(i32),
}

/// One run over a script.
pub struct Run {
    script: Vec<Answer>,
    place: usize,
    opened: u8,
    /// A bit for each file that is open.
    pub open: u16,
    pub asked: Option<Request>,
}

pub struct Sim {
    run: Rc<RefCell<Run>>,
    blocks: Rc<RefCell<Blocks>>,
}

pub struct SimFile {
    run: Rc<RefCell<Run>>,
    number: u8,
    opening: Opening,
}

impl Run {
    pub fn new(script: Vec<Answer>) -> Self {
        Self { script, place: 0, opened: 0, open: 0, asked: None }
    }

    fn ask(&mut self, request: Request) -> Option<Answer> {
        if self.asked.is_some() {
            return None;
        }
        let answer = self.script.get(self.place).copied();
        match answer {
            Some(_) => self.place += 1,
            None => self.asked = Some(request),
        }
        answer
    }

    /// What the process asks after the script: perhaps nothing more, it has ended.
    pub fn request(&self, outcome: crate::people::Outcome) -> Request {
        assert!(self.place == self.script.len(), "the same answers lead to the same requests");
        self.asked.unwrap_or(Request::Ended(outcome))
    }
}

impl Sim {
    pub fn new(run: Rc<RefCell<Run>>, blocks: Rc<RefCell<Blocks>>) -> Self {
        Self { run, blocks }
    }

    fn ask(&self, request: Request) -> io::Result<Answer> {
        match self.run.borrow_mut().ask(request) {
            Some(Answer::Fails(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(answer) => Ok(answer),
            None => Err(io::Error::from_raw_os_error(libc::EIO)),
        }
    }

    fn is(&self, request: Request) -> io::Result<bool> {
        Ok(self.ask(request)? == Answer::Is(true))
    }

    /// The clock of the process.
    pub fn clock(&self) -> i64 {
        match self.ask(Request::Clock) {
            Ok(Answer::Time(time)) => time,
            _ => 0,
        }
    }

    /// A flow says that it has begun.
    pub fn begun(&self) {
        let _ = self.ask(Request::Begun);
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut run = self.run.borrow_mut();
        if self.opening == Opening::Lock {
            run.ask(Request::Close(self.number));
        }
        if run.asked.is_none() {
            run.open &= !(1 << self.number);
        }
    }
}

impl Disk for Sim {
    type File = SimFile;

    fn open(&self, name: &str, mode: Mode) -> io::Result<SimFile> {
        let opening = match mode {
            Mode::Lock => Opening::Lock,
            Mode::Read | Mode::Journal => Opening::Old,
            Mode::New => Opening::New,
        };
        self.ask(Request::Open(Name::of(name), opening))?;
        let mut run = self.run.borrow_mut();
        let number = run.opened;
        run.opened += 1;
        run.open |= 1 << number;
        Ok(SimFile { run: Rc::clone(&self.run), number, opening })
    }

    fn stat(&self, file: &SimFile) -> io::Result<Stat> {
        match self.ask(Request::Stat(file.number))? {
            Answer::Stat { size, links } => {
                Ok(Stat { regular: true, ours: true, owner: 0, mode: 0o600, links: links.into(), size: size.into() })
            }
            other => unreachable!("no answer to a stat: {other:?}"),
        }
    }

    fn leads_to(&self, name: &str, file: &SimFile) -> io::Result<bool> {
        assert!(Name::of(name) == Name::Lock);
        self.is(Request::LeadsTo(file.number))
    }

    fn stands(&self, name: &str) -> io::Result<bool> {
        self.is(Request::Stands(Name::of(name)))
    }

    fn try_lock(&self, file: &SimFile) -> io::Result<bool> {
        self.is(Request::TryLock(file.number))
    }

    fn rest(&self, _tries: u32) -> bool {
        self.is(Request::Rest).unwrap_or(false)
    }

    fn holder(&self, _file: &SimFile) -> Option<countersign::sys::Holder> {
        let _ = self.ask(Request::Holder);
        None
    }

    fn read(&self, file: &SimFile, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        match self.ask(Request::Read(file.number))? {
            Answer::Content(content) => {
                let mut bytes = self.blocks.borrow().bytes(content);
                bytes.truncate(most);
                Ok(Zeroizing::new(bytes))
            }
            other => unreachable!("no answer to a read: {other:?}"),
        }
    }

    fn write(&self, file: &SimFile, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut blocks = self.blocks.borrow_mut();
        let request = match (file.opening, offset) {
            (Opening::New, 0) if bytes.len() == SIZE => Request::WriteNew(file.number, blocks.journal(bytes)),
            (Opening::New, 0) => Request::WriteNew(file.number, blocks.blob(bytes)),
            (Opening::Old, 0) if bytes.len() == LINE => Request::WriteSlot(file.number, 0, blocks.line(bytes)),
            (Opening::Old, offset) if offset == BLOCK as u64 && bytes.len() == LINE => {
                Request::WriteSlot(file.number, 1, blocks.line(bytes))
            }
            other => unreachable!("no write of ours: {other:?}, {} bytes", bytes.len()),
        };
        drop(blocks);
        self.ask(request).map(drop)
    }

    fn sync(&self, file: &SimFile) -> io::Result<()> {
        self.ask(Request::Sync(file.number)).map(drop)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.ask(Request::Rename(Name::of(from), Name::of(to))).map(drop)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.ask(Request::Unlink(Name::of(name))).map(drop)
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.ask(Request::SyncFolder).map(drop)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        unreachable!("no process here lists the folder")
    }

    fn path(&self, name: &str) -> String {
        name.to_owned()
    }
}
