//! A user's lock, held; and what may be done under it at a login: read, and settle.
#![forbid(unsafe_code)]

use std::io;

use zeroize::Zeroizing;

use super::{Checked, Disk, Mode, Names, Part, Store, Trouble};
use crate::rules::journal::{self, BLOCK, Journal, LINE, Pair, Unreadable};
use crate::rules::judge::{self, Ruling, Verdict};
use crate::rules::record::{self, NoRecord, Record};
use crate::rules::totp::Floor;

/// How often the lock's file is opened again when its name leads elsewhere.
const OPENED_AGAIN: u32 = 3;
/// A lock's file is empty, but nobody is locked out because somebody wrote a line into it.
const LARGEST_LOCK: usize = 4096;

/// A user's lock; given back when dropped, because that closes its file.
pub struct Locked<'a, D: Disk> {
    pub(super) store: &'a Store<D>,
    pub(super) uid: u32,
    pub(super) names: Names,
    _lock: D::File,
}

/// What a login judges by: read under the lock.
pub struct Standing<'a, D: Disk> {
    pub record: Record,
    pub(super) journal: OpenJournal<'a, D>,
}

/// The journal's file with what it holds.
pub(super) struct OpenJournal<'a, D: Disk> {
    store: &'a Store<D>,
    uid: u32,
    name: String,
    file: D::File,
    bytes: Zeroizing<Vec<u8>>,
    pair: Pair,
}

impl<'a, D: Disk> Locked<'a, D> {
    pub(super) fn new(store: &'a Store<D>, uid: u32) -> Result<Self, Trouble> {
        let names = Names::of(uid);
        let mut tries = 0;
        for _ in 0..=OPENED_AGAIN {
            let Some(Checked { file: lock, .. }) = store.checked(&names.lock, Mode::Lock, LARGEST_LOCK)? else { continue };
            wait_for(store, &names.lock, &lock, &mut tries)?;
            // A restore from backup replaces the file: then this lock keeps nobody out.
            if store.disk.leads_to(&names.lock, &lock).map_err(|error| store.cant_read(&names.lock, &error))? {
                return Ok(Self { store, uid, names, _lock: lock });
            }
        }
        Err(Trouble::Busy { holder: None })
    }

    pub fn record(&self) -> Result<Option<Record>, Trouble> {
        let Some(file) = self.store.checked(&self.names.record, Mode::Read, record::LARGEST)? else { return Ok(None) };
        let bytes = file.read(&self.store.disk, record::LARGEST).map_err(|error| self.store.cant_read(&self.names.record, &error))?;
        let path = || self.store.disk.path(&self.names.record);
        match Record::parse(self.uid, &bytes) {
            Ok(record) => Ok(Some(record)),
            Err(NoRecord::Newer) => Err(Trouble::Newer { path: path() }),
            Err(NoRecord::Damaged(key)) => Err(Trouble::Damaged { part: Part::Record, path: path(), key }),
        }
    }

    /// The journal as it stands; `None` if there is no file.
    pub fn journal(&self) -> Result<Option<Journal>, Trouble> {
        Ok(self.open_journal()?.map(|journal| journal.pair.journal))
    }

    /// Its size is judged with the rest: another one is damage, which `unlock` mends.
    pub(super) fn open_journal(&self) -> Result<Option<OpenJournal<'_, D>>, Trouble> {
        let (store, name) = (self.store, &self.names.journal);
        let Some(file) = store.checked(name, Mode::Journal, usize::MAX)? else { return Ok(None) };
        let bytes = file.read(&store.disk, journal::SIZE).map_err(|error| store.cant_read(name, &error))?;
        let path = || store.disk.path(name);
        match Pair::parse(self.uid, &bytes) {
            Ok(pair) => Ok(Some(OpenJournal { store, uid: self.uid, name: name.clone(), file: file.file, bytes, pair })),
            Err(Unreadable::Newer) => Err(Trouble::Newer { path: path() }),
            Err(Unreadable::Damaged) => Err(Trouble::Damaged { part: Part::Journal, path: path(), key: None }),
        }
    }

    /// Whether there is a record. That none stands where the journal says one should is no answer.
    pub fn is_enrolled(&self) -> Result<bool, Trouble> {
        if self.stands(&self.names.record)? {
            return Ok(true);
        }
        match self.journal()? {
            Some(journal) if journal.record => Err(Trouble::Lost { path: self.store.disk.path(&self.names.record) }),
            Some(_) | None => Ok(false),
        }
    }

    pub(super) fn stands(&self, name: &str) -> Result<bool, Trouble> {
        self.store.disk.stands(name).map_err(|error| self.store.cant_read(name, &error))
    }

    /// Record and journal, as a login judges by them, while the lock is held.
    pub fn standing(&self) -> Result<Standing<'_, D>, Trouble> {
        let record = self.record()?;
        let journal = self.open_journal()?;
        match (record, journal) {
            (Some(record), Some(journal)) => {
                if journal.pair.journal.set != record.recovery.id {
                    self.sync_folder()?; // rule 7, *folder*
                }
                Ok(Standing { record, journal })
            }
            (Some(_), None) => Err(Trouble::NoJournal { path: self.store.disk.path(&self.names.journal) }),
            (None, Some(journal)) if journal.pair.journal.record => Err(Trouble::Lost { path: self.store.disk.path(&self.names.record) }),
            (None, _) => Err(Trouble::NotEnrolled),
        }
    }

    pub(super) fn sync_folder(&self) -> Result<(), Trouble> {
        self.store.disk.sync_folder().map_err(|error| self.store.not_written("", &error))
    }
}

/// Tries for the lock until it is had, or for three seconds over all.
fn wait_for<D: Disk>(store: &Store<D>, name: &str, lock: &D::File, tries: &mut u32) -> Result<(), Trouble> {
    loop {
        match store.disk.try_lock(lock) {
            Ok(true) => return Ok(()),
            Ok(false) if store.disk.rest(*tries) => *tries = tries.saturating_add(1),
            Ok(false) => return Err(Trouble::Busy { holder: store.disk.holder(lock) }),
            Err(error) => return Err(store.cant_read(name, &error)),
        }
    }
}

impl<D: Disk> Standing<'_, D> {
    pub fn journal(&self) -> &Journal {
        &self.journal.pair.journal
    }

    /// Which steps are used, by both files (rule 5, *floor*).
    pub fn floor(&self) -> Floor {
        judge::floor(&self.record, self.journal())
    }

    /// The journal's path, if one slot is bad and the other good: no loss, and worth a line in the log.
    pub fn bad_slot(&self) -> Option<String> {
        self.journal.pair.other_bad.then(|| self.journal.store.disk.path(&self.journal.name))
    }

    /// Writes what the ruling says, and only then tells it. From judgement to write there is this one path: when it
    /// fails, nothing says what the judgement was.
    pub fn settle(mut self, ruling: Ruling) -> Result<Verdict, Trouble> {
        let (next, verdict) = ruling.unsealed();
        if let Some(next) = next {
            self.journal.write(&next.journal)?;
            if next.both {
                let sequence = next.journal.sequence.saturating_add(1);
                self.journal.write(&Journal { sequence, ..next.journal })?; // rule 8, *both*
            }
        }
        Ok(verdict)
    }
}

/// A slot's bytes within one page of memory: a write of them is not parted by a page fault.
#[repr(align(512))]
struct Aligned([u8; LINE]);

impl<D: Disk> OpenJournal<'_, D> {
    pub(super) fn journal(&self) -> &Journal {
        &self.pair.journal
    }

    /// Puts that journal into the older slot (rule 3), on disk before this returns (rule 2).
    pub(super) fn write(&mut self, next: &Journal) -> Result<(), Trouble> {
        let older = if self.pair.newest == 0 { 1 } else { 0 };
        let line = Aligned(next.line(self.uid, older));
        match self.store.disk.write(&self.file, offset(older), &line.0) {
            Ok(()) => {
                self.pair = Pair { journal: next.clone(), newest: older, other_bad: false };
                self.remember(older, &line.0);
                Ok(())
            }
            Err(error) => {
                self.roll_back(older);
                Err(self.store.not_written(&self.name, &error))
            }
        }
    }

    /// Rule 4, *rollback*: the old bytes back, so that nobody builds on what the disk may not hold. Result ignored.
    fn roll_back(&self, slot: usize) {
        if let Ok(old) = journal::line_at(&self.bytes, slot) {
            let mut line = Aligned([0; LINE]);
            line.0.copy_from_slice(old);
            let _: io::Result<()> = self.store.disk.write(&self.file, offset(slot), &line.0);
        }
    }

    fn remember(&mut self, slot: usize, line: &[u8; LINE]) {
        let start = if slot == 0 { 0 } else { BLOCK };
        if let Some(place) = self.bytes.get_mut(start..).and_then(|rest| rest.get_mut(..LINE)) {
            place.copy_from_slice(line);
        }
    }
}

fn offset(slot: usize) -> u64 {
    if slot == 0 { 0 } else { u64::try_from(BLOCK).unwrap_or(0) }
}
