//! Recovery codes, new: drawn at once, as they are shown and as they are kept.
#![forbid(unsafe_code)]

use zeroize::Zeroizing;

use super::{Why, World, draw_secret, drawn};
use crate::rules::code::{RecoveryCode, Slot};
use crate::rules::journal::SetId;
use crate::rules::record::{RecoverySet, StoredCode};
use crate::rules::recovery::Hashed;
use crate::store::Trouble;

/// A new set of recovery codes, as it is shown and as it is kept.
pub struct NewCodes {
    /// As they are shown, once.
    pub codes: Vec<RecoveryCode>,
    /// Unix seconds: when the set was made.
    pub at: i64,
    stored: Vec<StoredCode>,
    set: SetId,
}

impl NewCodes {
    /// All that is random is drawn here, before anything is shown.
    pub(super) fn made(count: u8, world: &World<'_>) -> Result<Self, Why> {
        // Room for all, so that no copy is left behind by a growing list.
        let mut codes = Vec::with_capacity(usize::from(count));
        for slot in (1..=count).filter_map(Slot::new) {
            codes.push(code(slot, world)?);
        }
        let stored = codes.iter().map(|code| {
            let hashed = hashed(code, world)?;
            Ok(StoredCode { slot: code.slot(), hashed, rescue: None })
        });
        Ok(Self { stored: stored.collect::<Result<_, Why>>()?, codes, at: (world.now)(), set: SetId(u64::from_le_bytes(drawn(world)?)) })
    }

    pub(super) fn kept(&self) -> RecoverySet {
        RecoverySet { id: self.set, created_at: self.at, codes: self.stored.clone() }
    }
}

/// A new code in that slot.
pub(super) fn code(slot: Slot, world: &World<'_>) -> Result<RecoveryCode, Why> {
    let mut bytes = Zeroizing::new([0; 14]);
    draw_secret(world, bytes.as_mut_slice())?;
    Ok(RecoveryCode::made(slot, &bytes))
}

/// What is kept of it, under a new salt.
pub(super) fn hashed(code: &RecoveryCode, world: &World<'_>) -> Result<Hashed, Why> {
    Ok(Hashed::new(code, drawn(world)?).map_err(|_| Trouble::OutOfMemory)?)
}
