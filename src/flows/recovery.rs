//! `recovery`: new recovery codes in place of all old ones, in one step.
#![forbid(unsafe_code)]

use super::begun::Begun;
use super::codes::NewCodes;
use super::{Dialogue, Failure, Leftover, Made, Means, drawn, proof, sheet};
use crate::rules::record::{Record, RecordId};
use crate::store::Disk;
use crate::words::change as words;

/// The whole flow. `confirm`: one of the codes is asked back.
pub fn recovery<D: Disk>(person: &mut impl Dialogue, means: &Means<'_, D>, count: u8, confirm: bool) -> Result<NewCodes, Failure> {
    let Means { whom, author, world, .. } = *means;
    let before = |why| Leftover::Nothing.with(why);
    let new = NewCodes::made(count, world).map_err(before)?;
    let record = RecordId(u128::from_le_bytes(drawn(world).map_err(before)?));
    let begun = Begun::read(means).map_err(|trouble| before(trouble.into()))?;
    proof::password_and_code(person, means).map_err(before)?;
    let intro = confirm.then_some(words::NEW_RECOVERY_CODES);
    sheet::hand_over(person, &new, whom, intro, world).map_err(|why| Leftover::Codes.with(why))?;
    let after = |why| Leftover::Codes.with(why);
    person.done(&Made::Codes(&new)).map_err(|gone| after(gone.into()))?;
    let change = |old: Record| Record { id: record, changed_at: (world.now)(), changed_by: author.by.clone(), recovery: new.kept(), ..old };
    begun.commit(means, change, |locked, began, record| locked.commit(began, record)).map_err(after)?;
    Ok(new)
}
