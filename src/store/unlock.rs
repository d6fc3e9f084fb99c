//! What lets a user in again whom a wait, a stop, a lost journal or a clock once ahead keeps out: root's unlock.
#![forbid(unsafe_code)]

use super::commit::NotCommitted;
use super::locked::OpenJournal;
use super::{Disk, Locked, Trouble};
use crate::rules::journal::Journal;
use crate::rules::judge;
use crate::rules::record::{Record, RecordId};
use crate::rules::throttle::Throttle;
use crate::rules::totp::Floor;

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

/// What a record bears that `unlock` has to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rewritten<'a> {
    /// Random: every open flow ends.
    pub id: RecordId,
    pub by: &'a str,
}

impl<D: Disk> Locked<'_, D> {
    /// The floor, as far as it can be read: a journal that is lost or damaged has none left to bring down.
    pub fn floor(&self) -> Result<Floor, Trouble> {
        let not_before = self.record()?.map_or(0, |record| record.not_before);
        let last = match self.journal() {
            Ok(journal) => journal.map_or(0, |journal| journal.last),
            Err(Trouble::Damaged { .. }) => 0,
            Err(other) => return Err(other),
        };
        Ok(Floor { not_before, last })
    }

    /// Ends waits, stops and budgets of all lanes; makes a lost or damaged journal anew, but not beside a record that
    /// can't be read; brings down a floor that lies ahead of the clock if `ahead` says so.
    ///
    /// The record goes first. Either order is safe: the floor is the later of the two, so what a kill leaves half done
    /// refuses, and a second unlock finds it. But a record needs room and a slot does not: on a full disk this way
    /// nothing is changed.
    pub fn unlock(&self, anew: Anew, ahead: Ahead, rewritten: Rewritten<'_>) -> Result<Unlocked, NotCommitted> {
        let record = self.record().map_err(NotCommitted::Nothing)?;
        let opened = match self.open_journal() {
            Ok(None) if record.is_none() => {
                return self.sync_folder().map_err(NotCommitted::Nothing).map(|()| Unlocked::NothingThere);
            }
            Ok(opened) => opened,
            Err(Trouble::Damaged { .. }) => None,
            Err(other) => return Err(NotCommitted::Nothing(other)),
        };
        let before = record.as_ref().map(|record| record.id);
        let record = match (record, ahead) {
            (Some(record), Ahead::BringDown) => Some(self.not_before_brought_down(record, anew.now, rewritten)?),
            (record, Ahead::Keep) | (record @ None, Ahead::BringDown) => record,
        };
        let Some(mut journal) = opened else {
            return self.journal_made_anew(record.as_ref(), anew).map_err(NotCommitted::Maybe).map(|_| Unlocked::Anew);
        };
        let is_rewritten = record.as_ref().map(|record| record.id) != before;
        self.sync_folder().map_err(if is_rewritten { NotCommitted::Maybe } else { NotCommitted::Nothing })?;
        let now = journal.journal();
        let mut next = Journal {
            sequence: now.sequence.saturating_add(1),
            throttle: Throttle::default(),
            record: now.record || record.is_some(),
            ..now.clone()
        };
        if ahead == Ahead::BringDown {
            next.last = judge::last_brought_down(next.last, record.as_ref(), anew.now);
        }
        journal.write(&next).map_err(NotCommitted::Maybe).map(|()| Unlocked::Cleared)
    }

    /// The record in place of one whose `not_before` lies past the window; else as it is.
    fn not_before_brought_down(&self, record: Record, now: i64, rewritten: Rewritten<'_>) -> Result<Record, NotCommitted> {
        // Just after the newest step of the window: that one may have confirmed the enrollment, and must not log in.
        let not_before = judge::used_until(Some(&record), now).saturating_add(1);
        if record.not_before <= not_before {
            return Ok(record);
        }
        let record = Record { id: rewritten.id, changed_at: now, changed_by: rewritten.by.to_owned(), not_before, ..record };
        self.replace_record(&record)?;
        Ok(record)
    }

    /// A journal in place of one that is lost or damaged: on disk, its name too, when this returns.
    pub(super) fn journal_made_anew(&self, record: Option<&Record>, anew: Anew) -> Result<OpenJournal<'_, D>, Trouble> {
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
