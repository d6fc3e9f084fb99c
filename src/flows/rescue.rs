//! `rescue`: one more recovery code, with an end, for a person whose phone is at home. Root's.
#![forbid(unsafe_code)]

use super::begun::Begun;
use super::codes::{code, hashed};
use super::{Dialogue, Failure, Leftover, Made, Means, Why, drawn};
use crate::rules::code::{RecoveryCode, Slot};
use crate::rules::record::{Record, RecordId, RecoverySet, Rescue, StoredCode};
use crate::store::Disk;
use crate::words::change as words;

/// A rescue code, as it is shown once.
pub struct Issued {
    pub code: RecoveryCode,
    /// Unix seconds: it works from then to then.
    pub at: i64,
    pub until: i64,
}

/// The symbols for a rescue code, in their order: R, those after it, and then those before it.
const FIRST: u8 = 24;

/// The whole flow: the code is shown, and then in force for so many seconds.
pub fn rescue<D: Disk>(person: &mut impl Dialogue, means: &Means<'_, D>, valid: i64) -> Result<Issued, Failure> {
    let Means { whom, author, world, .. } = *means;
    let before = |why| Leftover::Nothing.with(why);
    let record = RecordId(u128::from_le_bytes(drawn(world).map_err(before)?));
    let begun = Begun::read(means).map_err(|trouble| before(trouble.into()))?;
    let slot = free_slot(&begun).ok_or(before(Why::CodesFull))?;
    let code = code(slot, world).map_err(before)?;
    let hashed = hashed(&code, world).map_err(before)?;
    let at = (world.now)();
    // It would be shown, and then refused.
    if begun.newest > at.saturating_add(valid) {
        return Err(before(Why::TimeAhead { newest: begun.newest }));
    }
    let issued = Issued { code, at, until: at.saturating_add(valid) };
    let after = |why| Leftover::Rescue.with(why);
    person.tell(&words::rescue(whom, &issued.code, issued.until)).map_err(|gone| after(gone.into()))?;
    person.done(&Made::Rescue(&issued)).map_err(|gone| after(gone.into()))?;
    let rescue = Rescue { not_after: issued.until, created_at: at, created_by: author.by.clone() };
    let stored = StoredCode { slot, hashed, rescue: Some(rescue) };
    let change = |old: Record| Record {
        id: record,
        changed_at: at,
        changed_by: author.by.clone(),
        recovery: RecoverySet { codes: staying(&old.recovery, begun.spent).cloned().chain([stored]).collect(), ..old.recovery },
        ..old
    };
    begun.commit(means, change, |locked, _, record| locked.commit_rescue(begun.record, record, slot)).map_err(after)?;
    Ok(issued)
}

/// The codes of the set but a rescue code that was not used: a new one takes its place. One that was used stays, or
/// nobody would be told of its use.
fn staying(set: &RecoverySet, spent: u32) -> impl Iterator<Item = &StoredCode> {
    set.codes.iter().filter(move |code| code.rescue.is_none() || spent & code.slot.mark() != 0)
}

/// A symbol whose mark is spent is not used again within a set. Nor is that of the rescue code before: a power cut may
/// bring that code back, beside the mark of this one's use.
fn free_slot(begun: &Begun) -> Option<Slot> {
    let taken = begun.codes.codes.iter().fold(begun.spent, |taken, code| taken | code.slot.mark());
    (FIRST..32).chain(0..FIRST).filter_map(Slot::new).find(|slot| taken & slot.mark() == 0)
}
