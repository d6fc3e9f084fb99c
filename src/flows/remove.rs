//! `remove` and `disable`: one authenticator, or the whole second factor.
#![forbid(unsafe_code)]

use super::begun::Begun;
use super::{Dialogue, Failure, Leftover, Made, Means, Why, drawn, proof};
use crate::rules::record::{Record, RecordId};
use crate::store::Disk;

/// What was taken away.
pub struct Removal {
    pub authenticators: usize,
    pub codes_left: usize,
    /// The labels that stay.
    pub staying: Vec<String>,
}

/// One authenticator of several.
pub fn remove<D: Disk>(person: &mut impl Dialogue, means: &Means<'_, D>, label: &str) -> Result<Removal, Failure> {
    let Means { author, world, .. } = *means;
    let failed = |why| Leftover::Nothing.with(why);
    let record = RecordId(u128::from_le_bytes(drawn(world).map_err(failed)?));
    let begun = Begun::read(means).map_err(|trouble| failed(trouble.into()))?;
    let staying: Vec<String> = begun.labels().into_iter().filter(|one| one != label).collect();
    if !begun.has(label) {
        return Err(failed(Why::NoSuchLabel { label: label.to_owned(), there: staying }));
    }
    if staying.is_empty() {
        return Err(failed(Why::OnlyOne(label.to_owned())));
    }
    proof::password_and_code(person, means).map_err(failed)?;
    person.done(&Made::Nothing).map_err(|gone| failed(gone.into()))?;
    let change = |old: Record| Record {
        id: record,
        changed_at: (world.now)(),
        changed_by: author.by.clone(),
        authenticators: old.authenticators.into_iter().filter(|device| device.label != label).collect(),
        ..old
    };
    begun.commit(means, change, |locked, began, record| locked.commit(began, record)).map_err(failed)?;
    Ok(Removal { authenticators: 1, codes_left: begun.codes_left, staying })
}

/// The whole second factor. `required`: the rule that forbids it, if one does.
pub fn disable<D: Disk>(person: &mut impl Dialogue, means: &Means<'_, D>, required: Option<&str>) -> Result<Removal, Failure> {
    let failed = |why| Leftover::Nothing.with(why);
    let begun = Begun::read(means).map_err(|trouble| failed(trouble.into()))?;
    if let Some(rule) = required {
        return Err(failed(Why::RequiredByPolicy(rule.to_owned())));
    }
    proof::password_and_code(person, means).map_err(failed)?;
    person.done(&Made::Nothing).map_err(|gone| failed(gone.into()))?;
    let locked = means.store.lock(means.whom.uid).map_err(|trouble| failed(trouble.into()))?;
    locked.disable(begun.record).map_err(|not| failed(not.into()))?;
    Ok(Removal { authenticators: begun.authenticators.len(), codes_left: begun.codes_left, staying: Vec::new() })
}
