//! What a flow commits: a record, put in place if nothing has changed since the flow began. And how a journal is made.
#![forbid(unsafe_code)]

use super::locked::OpenJournal;
use super::{Disk, Locked, Mode, Trouble};
use crate::rules::code::Slot;
use crate::rules::journal::Journal;
use crate::rules::judge;
use crate::rules::record::{Record, RecordId};

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

    /// Puts a record in place if nothing has changed since the flow began. The journal's column is set where it is not
    /// yet: after a first record, and after the first change behind an enrollment that was killed before its end.
    pub fn commit(&self, began: Began, record: &Record) -> Result<(), NotCommitted> {
        self.commit_with(began, record, |_| {})
    }

    /// A first record, and a floor that a clock once ahead has left is brought down to what the window holds at `now`.
    pub fn commit_and_lower_floor(&self, began: Began, record: &Record, now: i64) -> Result<(), NotCommitted> {
        self.commit_with(began, record, |journal| journal.last = judge::last_brought_down(journal.last, Some(record), now))
    }

    /// As `commit`, and streaks and stops of all lanes end: after `enroll --replace`.
    pub fn commit_and_end_streaks(&self, began: Began, record: &Record) -> Result<(), NotCommitted> {
        self.commit_with(began, record, |journal| journal.throttle = journal.throttle.streaks_ended())
    }

    /// As `commit`, for a record with a new rescue code in that slot. Its symbol was free when the flow began; since then it may have
    /// been spent, by an unlock that made the journal anew or by a use: then nothing is written.
    pub fn commit_rescue(&self, began: RecordId, record: &Record, slot: Slot) -> Result<(), NotCommitted> {
        let journal = self.unchanged_since(Began::With(began)).map_err(NotCommitted::Nothing)?;
        if journal.journal().is_spent(record.recovery.id, slot) {
            return Err(NotCommitted::Nothing(Trouble::Changed));
        }
        self.put(journal, record, |_| {})
    }

    fn commit_with(&self, began: Began, record: &Record, change: impl FnOnce(&mut Journal)) -> Result<(), NotCommitted> {
        let journal = self.unchanged_since(began).map_err(NotCommitted::Nothing)?;
        self.put(journal, record, |next| {
            if let Began::None { .. } = began {
                next.spent = next.spent_of(record.recovery.id);
                next.set = record.recovery.id;
            }
            change(next);
        })
    }

    /// The new record in its place, durably; then the journal, where something in it changes.
    fn put(&self, mut journal: OpenJournal<'_, D>, record: &Record, change: impl FnOnce(&mut Journal)) -> Result<(), NotCommitted> {
        self.replace_record(record)?;
        let mut next = Journal { record: true, ..journal.journal().clone() };
        change(&mut next);
        if next == *journal.journal() {
            return Ok(());
        }
        next.sequence = next.sequence.saturating_add(1);
        journal.write(&next).map_err(NotCommitted::Maybe)
    }

    /// The journal, if record and journal are as they were when the flow began.
    pub(super) fn unchanged_since(&self, began: Began) -> Result<OpenJournal<'_, D>, Trouble> {
        let journal = self.open_journal()?.ok_or_else(|| self.no_journal())?;
        let now = match self.record()? {
            Some(record) => Began::With(record.id),
            None => Began::None { sequence: journal.journal().sequence },
        };
        if now == began { Ok(journal) } else { Err(Trouble::Changed) }
    }

    /// Folder synced; written beside, synced, renamed; folder synced.
    pub(super) fn replace_record(&self, record: &Record) -> Result<(), NotCommitted> {
        let (new, name) = (&self.names.new_record, &self.names.record);
        self.sync_folder()
            .and_then(|()| self.write_beside(new, record.to_text().as_bytes()))
            .and_then(|()| self.rename(new, name))
            .map_err(NotCommitted::Nothing)?;
        self.sync_folder().map_err(NotCommitted::Maybe)
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
    pub(super) fn make_journal(&self, journal: &Journal) -> Result<(), Trouble> {
        self.sync_folder()?;
        self.write_beside(&self.names.new_journal, &journal.file(self.uid))?;
        self.rename(&self.names.new_journal, &self.names.journal)?;
        self.sync_folder()
    }

    pub(super) fn no_journal(&self) -> Trouble {
        Trouble::NoJournal { path: self.store.disk.path(&self.names.journal) }
    }

    pub(super) fn unlink(&self, name: &str) -> Result<(), Trouble> {
        self.store.disk.unlink(name).map_err(|error| self.store.not_written(name, &error))
    }
}
