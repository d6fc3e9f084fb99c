//! What an enrollment makes. All that is random is drawn at once, before anything is shown.
#![forbid(unsafe_code)]

use zeroize::Zeroizing;

use super::codes::NewCodes;
use super::{Change, Options, Why, World, draw_secret, drawn};
use crate::rules::address::{self, Entry};
use crate::rules::record::{Authenticator, RecordId};
use crate::rules::totp::{Parameters, Secret};

pub struct New {
    /// Empty until it is known what stands already.
    pub label: String,
    pub entry: Entry,
    pub parameters: Parameters,
    pub secret: Secret,
    /// None beside other authenticators: the recovery codes stay.
    pub codes: NewCodes,
    pub(super) record: RecordId,
}

impl New {
    pub(super) fn made(options: &Options, world: &World<'_>) -> Result<Self, Why> {
        let secret = match &options.secret {
            Some(secret) => secret.again(),
            None => {
                let mut bytes = Zeroizing::new([0; 20]);
                draw_secret(world, bytes.as_mut_slice())?;
                Secret::new(bytes.as_slice()).ok_or(Why::NoRandom)?
            }
        };
        Ok(Self {
            label: String::new(),
            entry: options.entry.clone(),
            parameters: options.parameters,
            secret,
            codes: NewCodes::made(if options.change == Change::First { options.codes } else { 0 }, world)?,
            record: RecordId(u128::from_le_bytes(drawn(world)?)),
        })
    }

    /// Step 3 is the recovery codes'.
    pub(super) fn steps(&self) -> u8 {
        if self.codes.codes.is_empty() { 2 } else { 3 }
    }

    pub fn address(&self) -> Zeroizing<String> {
        address::address(&self.entry, &self.secret, self.parameters)
    }

    /// `GEZD GNBV ...`
    pub(super) fn secret_in_groups(&self) -> Zeroizing<String> {
        let text = address::base32(&self.secret);
        let mut groups = Zeroizing::new(String::with_capacity(text.len().saturating_mul(2)));
        for (place, letter) in text.chars().enumerate() {
            if place > 0 && place.is_multiple_of(4) {
                groups.push(' ');
            }
            groups.push(letter);
        }
        groups
    }

    /// As the record keeps it.
    pub(super) fn authenticator(&self, number: u8, at: i64, by: &str, replaced: bool) -> Authenticator {
        Authenticator {
            number,
            label: self.label.clone(),
            secret: self.secret.again(),
            parameters: self.parameters,
            created_at: at,
            created_by: by.to_owned(),
            replaced,
        }
    }
}
