//! `adopt`: after a rename, the new name in the record of that uid. Root's.
#![forbid(unsafe_code)]

use super::begun::Begun;
use super::{Dialogue, Failure, Leftover, Made, Means, Why, drawn, is_yes};
use crate::rules::record::{Record, RecordId};
use crate::store::Disk;
use crate::words::change as words;

/// The name that the record bore.
pub struct Adopted {
    pub old: String,
}

/// The whole flow: the old name is shown, and asked about.
pub fn adopt<D: Disk>(person: &mut impl Dialogue, means: &Means<'_, D>) -> Result<Adopted, Failure> {
    adopted(person, means).map_err(|why| Leftover::Nothing.with(why))
}

fn adopted<D: Disk>(person: &mut impl Dialogue, means: &Means<'_, D>) -> Result<Adopted, Why> {
    let Means { whom, author, world, .. } = *means;
    let id = RecordId(u128::from_le_bytes(drawn(world)?));
    let begun = Begun::read_of_any_name(means)?;
    if begun.name == whom.name {
        return Err(Why::NoOtherName);
    }
    let answer = person.ask(&words::same_person(whom, &begun.name), true)?;
    if !is_yes(&answer) {
        return Err(Why::Declined);
    }
    person.done(&Made::Nothing)?;
    let change = |old| Record { id, name: whom.name.to_owned(), changed_at: (world.now)(), changed_by: author.by.clone(), ..old };
    begun.commit(means, change, |locked, began, record| locked.commit(began, record))?;
    Ok(Adopted { old: begun.name })
}
