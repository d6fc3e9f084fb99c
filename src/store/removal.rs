//! What takes a record away: root's reset, and `disable`.
#![forbid(unsafe_code)]

use super::commit::{Began, NotCommitted};
use super::locked::OpenJournal;
use super::unlock::{Ahead, Anew};
use super::{Disk, Locked, Trouble};
use crate::rules::journal::Journal;
use crate::rules::judge;
use crate::rules::record::RecordId;

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

impl<D: Disk> Locked<'_, D> {
    /// Takes the record away, durably, and with it waits and stops, whatever stands there; a floor that a clock once
    /// ahead has left is brought down if `ahead` says so. A second reset mends what a first one left half done.
    pub fn reset(&self, anew: Anew, ahead: Ahead) -> Result<Removed, NotCommitted> {
        let stood = self.stands(&self.names.record).map_err(NotCommitted::Nothing)?;
        // Damage goes; a newer format, or a file that only could not be read this time, is nobody's to throw away.
        let record = past_damage(self.record()).map_err(NotCommitted::Nothing)?;
        // Read once: a failure must not be looked past because another try succeeds.
        let opened = past_damage(self.open_journal()).map_err(NotCommitted::Nothing)?;
        // Damage refuses, and so does a record that should stand and does not.
        let was_refused = opened.as_ref().is_none_or(|journal| journal.as_ref().is_some_and(|journal| journal.journal().record));
        let is_whole = matches!((&record, &opened), (Some(Some(_)), Some(Some(_))));
        if stood && !is_whole {
            // First, as in no other case: beside a journal made anew the record would be in force again if we were killed.
            self.unlink(&self.names.record).map_err(NotCommitted::Nothing)?;
            self.sync_folder().map_err(NotCommitted::Maybe)?;
        }
        let record = record.flatten();
        let journal = match opened {
            Some(Some(journal)) => Ok(Some(journal)),
            Some(None) if !stood => self.unlink(&self.names.new_journal).and_then(|()| self.sync_folder()).map(|()| None),
            Some(None) | None => self.journal_made_anew(record.as_ref(), anew).map(Some),
        };
        let Some(journal) = journal.map_err(NotCommitted::Maybe)? else { return Ok(Removed::Nothing) };
        self.take_away(journal, |next| {
            if ahead == Ahead::BringDown {
                next.last = judge::last_brought_down(next.last, record.as_ref(), anew.now);
            }
        })
        .map_err(|not| match not {
            NotCommitted::Nothing(trouble) if !is_whole => NotCommitted::Maybe(trouble),
            other => other,
        })?;
        Ok(match (stood, was_refused) {
            (true, _) => Removed::Record,
            (false, true) => Removed::Mended,
            (false, false) => Removed::Nothing,
        })
    }

    /// Takes the record away as a reset does, if it is still the one that the flow began with, and beside a journal
    /// that can be read: damage is root's to look past.
    pub fn disable(&self, began: RecordId) -> Result<(), NotCommitted> {
        let journal = self.unchanged_since(Began::With(began)).map_err(NotCommitted::Nothing)?;
        self.take_away(journal, |_| {})
    }

    /// The record goes; what stays in the journal is what must never come back: sequence (raised, so that every open
    /// flow ends), set, marks and `last`.
    fn take_away(&self, mut journal: OpenJournal<'_, D>, change: impl FnOnce(&mut Journal)) -> Result<(), NotCommitted> {
        self.unlink(&self.names.record).map_err(NotCommitted::Nothing)?;
        // A leftover of a flow that was killed: with a secret in it.
        self.unlink(&self.names.new_record).and_then(|()| self.sync_folder()).map_err(NotCommitted::Maybe)?;
        let now = journal.journal();
        let mut next = Journal {
            sequence: now.sequence.saturating_add(1),
            set: now.set,
            spent: now.spent,
            last: now.last,
            last_period: now.last_period,
            ..Journal::default()
        };
        change(&mut next);
        // To both slots: the one before says that a record should stand, and a bad slot must not bring that back.
        let again = Journal { sequence: next.sequence.saturating_add(1), ..next.clone() };
        journal.write(&next).and_then(|()| journal.write(&again)).map_err(NotCommitted::Maybe)
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
