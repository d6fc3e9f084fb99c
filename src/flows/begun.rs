//! What a flow about an enrolled person begins with, and how it ends: under a lock taken anew, on the same record.
#![forbid(unsafe_code)]

use super::{Means, Why};
use crate::rules::judge;
use crate::rules::record::{Record, RecordId, RecoverySet};
use crate::rules::totp::Floor;
use crate::store::{Began, Disk, Locked, NotCommitted, Trouble};
use crate::verify;

/// What stands when a flow begins, but for the secrets: nobody's secret is in memory while a person thinks.
pub(super) struct Begun {
    pub(super) record: RecordId,
    /// The name that the record bears.
    pub(super) name: String,
    /// Number and label of each authenticator.
    pub(super) authenticators: Vec<(u8, String)>,
    pub(super) codes: RecoverySet,
    /// The marks of the codes that are spent.
    pub(super) spent: u32,
    pub(super) codes_left: usize,
    /// The newest time that the journal knows.
    pub(super) newest: i64,
    floor: Floor,
}

impl Begun {
    /// The record must be this person's, and the journal beside it readable.
    pub(super) fn read<D: Disk>(means: &Means<'_, D>) -> Result<Self, Trouble> {
        let begun = Self::read_of_any_name(means)?;
        verify::is_made_for(&begun.name, &[means.whom.name])?;
        Ok(begun)
    }

    /// The same where the record may bear another name.
    pub(super) fn read_of_any_name<D: Disk>(means: &Means<'_, D>) -> Result<Self, Trouble> {
        let locked = means.store.lock(means.whom.uid)?;
        let standing = locked.standing()?;
        let (record, journal) = (&standing.record, standing.journal());
        let spent = journal.spent_of(record.recovery.id);
        Ok(Self {
            record: record.id,
            name: record.name.clone(),
            authenticators: record.authenticators.iter().map(|device| (device.number, device.label.clone())).collect(),
            codes: record.recovery.clone(),
            spent,
            codes_left: record.codes_left(spent),
            newest: judge::newest(journal),
            floor: standing.floor(),
        })
    }

    pub(super) fn labels(&self) -> Vec<String> {
        self.authenticators.iter().map(|(_, label)| label.clone()).collect()
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.authenticators.iter().any(|(_, one)| one == label)
    }

    /// The floor, if it lies so far ahead that no new code could log in.
    pub(super) fn floor_ahead(&self, now: i64) -> Option<i64> {
        judge::refused_until(self.floor, now)
    }

    /// Takes the lock anew and puts what `change` makes of the record in its place, if it is still the same record.
    pub(super) fn commit<D: Disk>(
        &self,
        means: &Means<'_, D>,
        change: impl FnOnce(Record) -> Record,
        put: impl FnOnce(&Locked<'_, D>, Began, &Record) -> Result<(), NotCommitted>,
    ) -> Result<(), Why> {
        let locked = means.store.lock(means.whom.uid)?;
        let record = locked.record()?.filter(|record| record.id == self.record).ok_or(Trouble::Changed)?;
        Ok(put(&locked, Began::With(self.record), &change(record))?)
    }
}
