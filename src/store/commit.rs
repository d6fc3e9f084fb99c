//! What changes a record, or makes a journal: enroll and the other flows, reset, unlock.
#![forbid(unsafe_code)]

use super::locked::OpenJournal;
use super::{Disk, Locked, Mode, Trouble};
use crate::rules::journal::Journal;
use crate::rules::judge;
use crate::rules::record::{Record, RecordId};
use crate::rules::throttle::Throttle;

/// What a flow saw when it began: its commit does nothing if that has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Began {
    /// There was no record; the journal's sequence (every reset raises it).
    None {
        sequence: u64,
    },
    With(RecordId),
}

/// Why a commit is not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotCommitted {
    /// Nothing was changed.
    Nothing(Trouble),
    /// Something was changed, and what should follow failed: what was begun may be in force, now or after a crash.
    Maybe(Trouble),
}

/// What a reset took away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removed {
    /// There was no record; waits and stops, if any, are gone.
    Nothing,
    /// There was none, but one should have been, or the journal was damaged: the user was refused and now is not
    /// enrolled.
    Mended,
    Record,
}

/// What becomes of a floor that lies ahead of the clock, left by a clock that was once ahead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ahead {
    Keep,
    /// The clock is right, root says.
    BringDown,
}

/// What `unlock` did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unlocked {
    /// Waits, stops and budgets are ended.
    Cleared,
    /// The journal was lost or damaged and is made anew: all recovery codes are spent.
    Anew,
    /// There is neither record nor journal.
    NothingThere,
}

/// What a journal that is made anew begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Anew {
    /// A random 63-bit number, so that no sequence comes twice.
    pub sequence: u64,
    /// The clock, read under the lock.
    pub now: i64,
}

impl<D: Disk> Locked<'_, D> {
    /// Begins an enrollment: no record stands, and a journal does (it is made here the first time, from that sequence).
    pub fn begin_enrollment(&self, sequence: u64) -> Result<Began, Trouble> {
        // A leftover of a flow that was killed: with a secret in it.
        self.unlink(&self.names.new_record)?;
        if self.stands(&self.names.record)? {
            // Read, so that damage and a newer format are told apart from a good record.
            return Err(self.record().err().unwrap_or(Trouble::Enrolled));
        }
        if let Some(journal) = self.open_journal()? {
            return match journal.journal() {
                Journal { record: true, .. } => Err(Trouble::Lost { path: self.store.disk.path(&self.names.record) }),
                Journal { sequence, .. } => Ok(Began::None { sequence: *sequence }),
            };
        }
        self.make_journal(&Journal { sequence, ..Journal::default() })?;
        let made = self.open_journal()?.ok_or_else(|| self.no_journal())?;
        Ok(Began::None { sequence: made.journal().sequence })
    }

    /// Puts a record in place if nothing has changed since the flow began. A first one also sets the journal's column.
    pub fn commit(&self, began: Began, record: &Record) -> Result<(), NotCommitted> {
        match began {
            Began::None { .. } => self.commit_with(began, record, |_| {}),
            Began::With(_) => self.replace(began, record).map(|_| ()),
        }
    }

    /// A first record, and a floor that a clock once ahead has left is brought down to what the window holds at `now`.
    pub fn commit_and_lower_floor(&self, began: Began, record: &Record, now: i64) -> Result<(), NotCommitted> {
        self.commit_with(began, record, |journal| lower_floor(journal, Some(record), now))
    }

    /// As `commit`, and streaks and stops of all lanes end: after `enroll --replace`.
    pub fn commit_and_end_streaks(&self, began: Began, record: &Record) -> Result<(), NotCommitted> {
        self.commit_with(began, record, |journal| journal.throttle = journal.throttle.streaks_ended())
    }

    fn commit_with(&self, began: Began, record: &Record, change: impl FnOnce(&mut Journal)) -> Result<(), NotCommitted> {
        let mut journal = self.replace(began, record)?;
        let now = journal.journal().clone();
        let mut next = Journal { sequence: now.sequence.saturating_add(1), record: true, ..now };
        if let Began::None { .. } = began {
            next = Journal { set: record.recovery.id, spent: next.spent_of(record.recovery.id), ..next };
        }
        change(&mut next);
        journal.write(&next).map_err(NotCommitted::Maybe)
    }

    /// The new record in its place, durably; gives the journal beside it.
    fn replace(&self, began: Began, record: &Record) -> Result<OpenJournal<'_, D>, NotCommitted> {
        let journal = self.unchanged_since(began).map_err(NotCommitted::Nothing)?;
        self.write_record(record).map_err(NotCommitted::Nothing)?;
        self.sync_folder().map_err(NotCommitted::Maybe)?;
        Ok(journal)
    }

    /// The journal, if record and journal are as they were when the flow began.
    fn unchanged_since(&self, began: Began) -> Result<OpenJournal<'_, D>, Trouble> {
        let journal = self.open_journal()?.ok_or_else(|| self.no_journal())?;
        let now = match self.record()? {
            Some(record) => Began::With(record.id),
            None => Began::None { sequence: journal.journal().sequence },
        };
        if now == began { Ok(journal) } else { Err(Trouble::Changed) }
    }

    /// Folder synced; written beside, synced, renamed. The caller syncs the folder.
    fn write_record(&self, record: &Record) -> Result<(), Trouble> {
        self.sync_folder()?;
        self.write_beside(&self.names.new_record, record.to_text().as_bytes())?;
        self.rename(&self.names.new_record, &self.names.record)
    }

    fn write_beside(&self, name: &str, bytes: &[u8]) -> Result<(), Trouble> {
        let disk = &self.store.disk;
        let failed = |error: std::io::Error| {
            // A leftover is never read, and unlinked at the next write; with a secret in it, better now.
            let _: std::io::Result<()> = disk.unlink(name);
            self.store.not_written(name, &error)
        };
        disk.unlink(name).map_err(failed)?;
        let file = disk.open(name, Mode::New).map_err(failed)?;
        disk.write(&file, 0, bytes).map_err(failed)?;
        disk.sync(&file).map_err(failed)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Trouble> {
        self.store.disk.rename(from, to).map_err(|error| {
            let _: std::io::Result<()> = self.store.disk.unlink(from);
            self.store.not_written(to, &error)
        })
    }

    /// The one way a journal is made: folder synced, written whole beside, synced, renamed, folder synced.
    fn make_journal(&self, journal: &Journal) -> Result<(), Trouble> {
        self.sync_folder()?;
        self.write_beside(&self.names.new_journal, &journal.file(self.uid))?;
        self.rename(&self.names.new_journal, &self.names.journal)?;
        self.sync_folder()
    }

    fn no_journal(&self) -> Trouble {
        Trouble::NoJournal { path: self.store.disk.path(&self.names.journal) }
    }

    fn unlink(&self, name: &str) -> Result<(), Trouble> {
        self.store.disk.unlink(name).map_err(|error| self.store.not_written(name, &error))
    }

    /// Takes the record away, durably, and with it waits and stops. What stays in the journal is what must never come
    /// back: sequence (raised, so that every open flow ends), set, marks and `last`; a floor that a clock once ahead
    /// has left is brought down if `ahead` says so. A second reset mends what a first one left half done.
    pub fn reset(&self, anew: Anew, ahead: Ahead) -> Result<Removed, NotCommitted> {
        let stood = self.stands(&self.names.record).map_err(NotCommitted::Nothing)?;
        // Damage goes; a newer format, or a file that only could not be read this time, is nobody's to throw away.
        let record = past_damage(self.record()).map_err(NotCommitted::Nothing)?;
        // Read once: a failure must not be looked past because another try succeeds.
        let opened = past_damage(self.open_journal()).map_err(NotCommitted::Nothing)?;
        // Damage refuses, and so does a record that should stand and does not.
        let was_refused = opened.as_ref().is_none_or(|journal| journal.as_ref().is_some_and(|journal| journal.journal().record));
        if record.is_none() {
            // Nothing can be read that a journal made anew should spend: so the record goes first.
            self.unlink(&self.names.record).map_err(NotCommitted::Nothing)?;
            self.sync_folder().map_err(NotCommitted::Maybe)?;
        }
        let record = record.flatten();
        let journal = match opened {
            Some(Some(journal)) => Ok(Some(journal)),
            Some(None) if !stood => self.sync_folder().map(|()| None),
            Some(None) | None => self.journal_made_anew(record.as_ref(), anew).map(Some),
        };
        let Some(mut journal) = journal.map_err(NotCommitted::Maybe)? else { return Ok(Removed::Nothing) };
        self.unlink(&self.names.record).map_err(NotCommitted::Maybe)?;
        // A leftover of a flow that was killed: with a secret in it.
        self.unlink(&self.names.new_record).map_err(NotCommitted::Maybe)?;
        self.sync_folder().map_err(NotCommitted::Maybe)?;
        let now = journal.journal();
        let mut next = Journal {
            sequence: now.sequence.saturating_add(1),
            set: now.set,
            spent: now.spent,
            last: now.last,
            last_period: now.last_period,
            ..Journal::default()
        };
        if ahead == Ahead::BringDown {
            lower_floor(&mut next, record.as_ref(), anew.now);
        }
        // To both slots: the one before says that a record should stand, and a bad slot must not bring that back.
        let again = Journal { sequence: next.sequence.saturating_add(1), ..next.clone() };
        journal.write(&next).and_then(|()| journal.write(&again)).map_err(NotCommitted::Maybe)?;
        Ok(match (stood, was_refused) {
            (true, _) => Removed::Record,
            (false, true) => Removed::Mended,
            (false, false) => Removed::Nothing,
        })
    }

    /// Ends waits, stops and budgets of all lanes; makes a lost or damaged journal anew, but not beside a record that
    /// can't be read.
    pub fn unlock(&self, anew: Anew) -> Result<Unlocked, NotCommitted> {
        let record = self.record().map_err(NotCommitted::Nothing)?;
        let mut journal = match self.open_journal() {
            Ok(Some(journal)) => journal,
            Ok(None) if record.is_none() => {
                return self.sync_folder().map_err(NotCommitted::Maybe).map(|()| Unlocked::NothingThere);
            }
            Ok(None) | Err(Trouble::Damaged { .. }) => {
                return self.journal_made_anew(record.as_ref(), anew).map_err(NotCommitted::Maybe).map(|_| Unlocked::Anew);
            }
            Err(other) => return Err(NotCommitted::Nothing(other)),
        };
        self.sync_folder().map_err(NotCommitted::Maybe)?;
        let now = journal.journal();
        let next = Journal { sequence: now.sequence.saturating_add(1), throttle: Throttle::default(), ..now.clone() };
        journal.write(&next).map_err(NotCommitted::Maybe).map(|()| Unlocked::Cleared)
    }

    /// A journal in place of one that is lost or damaged: on disk, its name too, when this returns.
    fn journal_made_anew(&self, record: Option<&Record>, anew: Anew) -> Result<OpenJournal<'_, D>, Trouble> {
        self.make_journal(&Journal {
            sequence: anew.sequence,
            set: record.map(|record| record.recovery.id).unwrap_or_default(),
            spent: u32::MAX,
            last: judge::used_until(record, anew.now),
            // Whether or not a record stands: one that should and does not must not read as "not enrolled".
            record: true,
            ..Journal::default()
        })?;
        self.open_journal()?.ok_or_else(|| self.no_journal())
    }
}

/// `None` is a file that is damaged, or none of ours: a reset goes on past it.
fn past_damage<T>(read: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Trouble::Damaged { .. } | Trouble::BadFile { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// A floor that lies ahead of the clock comes down to the newest step that the window holds now.
fn lower_floor(journal: &mut Journal, record: Option<&Record>, now: i64) {
    journal.last = journal.last.min(judge::used_until(record, now));
}
