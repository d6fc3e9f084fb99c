//! Recovery codes as they are kept: salted Argon2id hashes (RFC 9106), one small one an attempt.
//!
//! 1 MiB and two passes: more memory would buy nothing for 70 random bits, and a hundred logins at once would take
//! gigabytes of the host.
#![forbid(unsafe_code)]

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::code::RecoveryCode;

/// A code's salt, its hash, and what the hash costs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hashed {
    pub salt: [u8; 16],
    pub hash: [u8; 32],
    pub cost: Cost,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
}

impl Cost {
    /// The cost of new codes.
    pub const NEW: Self = Self { memory_kib: 1024, passes: 2 };

    /// Whether a login may be asked to pay it, at most 64 MiB and ten passes: a record must not stall its host.
    pub fn is_bearable(self) -> bool {
        (8..=65_536).contains(&self.memory_kib) && (1..=10).contains(&self.passes)
    }
}

/// Memory for the hash could not be had: nothing is known about the code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

impl Hashed {
    pub fn new(code: &RecoveryCode, salt: [u8; 16]) -> Result<Self, OutOfMemory> {
        let cost = Cost::NEW;
        Ok(Self { salt, hash: *hash(code, &salt, cost)?, cost })
    }

    /// Whether this is the hash of that code, in constant time.
    pub fn opens(&self, code: &RecoveryCode) -> Result<bool, OutOfMemory> {
        Ok(hash(code, &self.salt, self.cost)?.ct_eq(&self.hash).into())
    }
}

/// The work of one attempt, for a code of a slot that the set does not have: every attempt costs one hash.
pub fn same_work(code: &RecoveryCode) -> Result<(), OutOfMemory> {
    hash(code, &[0; 16], Cost::NEW).map(drop)
}

fn hash(code: &RecoveryCode, salt: &[u8; 16], cost: Cost) -> Result<Zeroizing<[u8; 32]>, OutOfMemory> {
    let parameters = argon2::Params::new(cost.memory_kib, cost.passes, 1, Some(32)).map_err(|_| OutOfMemory)?;
    let mut out = Zeroizing::new([0; 32]);
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters)
        .hash_password_into(code.expose().as_bytes(), salt, out.as_mut())
        .map_err(|_| OutOfMemory)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::code::Slot;

    #[test]
    fn h_07_a_hash_opens_for_its_code_alone() {
        let code = |value| RecoveryCode::made(Slot::new(1).unwrap(), &[value; 14]);
        let hashed = Hashed::new(&code(3), [7; 16]).unwrap();
        assert!(hashed.opens(&code(3)).unwrap());
        assert!(!hashed.opens(&code(4)).unwrap());
        assert_ne!(Hashed::new(&code(3), [8; 16]).unwrap().hash, hashed.hash);
    }
}
