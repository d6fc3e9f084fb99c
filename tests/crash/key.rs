//! A state as a number, and the hash behind it.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, Hasher};

use crate::state::{Ghost, NONE, OVER, State};

impl State {
    /// All of it in 64 bits. Two states of one key would be taken for one: among four million the odds of any such pair
    /// are one in two million.
    pub fn key(&self) -> u64 {
        let mut mix = Mix::default();
        let pack = |bytes: [u8; 8]| u64::from_le_bytes(bytes);
        for dir in [&self.dir, &self.base] {
            let [a, b, c, d] = dir.names;
            mix.write_u64(pack([a, b, c, d, dir.version, 1, 0, 0]));
        }
        for change in &self.pending {
            let [(a, b), (c, d)] = change.names;
            mix.write_u64(pack([a, b, c, d, change.version, 2, 0, 0]));
        }
        for inode in &self.inodes {
            for content in [inode.cache, inode.platter] {
                mix.write_u64(u64::from(content.0[0]) << 32 | u64::from(content.0[1]));
            }
        }
        let [a, b, c] = self.holders;
        mix.write_u64(pack([self.lock, a, b, c, self.step, u8::from(self.full), 3, u8::try_from(self.inodes.len()).unwrap()]));
        for process in &*self.processes {
            mix.write_u64(u64::from(process.node) << 8 | u64::from(process.started));
            if process.node != OVER && process.started {
                let [a, b, c, d] = process.files.map(|(number, inode)| u16::from_le_bytes([number, inode]));
                mix.write_u64(u64::from(a) | u64::from(b) << 16 | u64::from(c) << 32 | u64::from(d) << 48);
                mix.write_u64(pack([process.resets, process.version, process.set, process.secret, 4, 0, 0, 0]));
            }
        }
        self.ghost.mix(&mut mix);
        let budget = &self.budget;
        mix.write_u64(pack([
            budget.kills,
            budget.cuts,
            budget.errors,
            budget.flips,
            budget.damages,
            budget.locks,
            budget.deletes,
            budget.restores,
        ]));
        mix.write_u64(pack([budget.fulls, budget.timeouts, 5, 0, 0, 0, 0, 0]));
        mix.finish()
    }
}

impl Ghost {
    fn mix(&self, mix: &mut Mix) {
        mix.write_u64(self.accepted as u64);
        mix.write_u64((self.accepted >> 64) as u64);
        mix.write_u64(u64::from(self.tried) | u64::from(self.ended_sets) << 32);
        let flags = [self.reset, self.damaged, self.stands, self.taken, self.brought_down];
        let flags = flags.into_iter().fold(0, |sum, flag| sum * 2 + u64::from(flag));
        mix.write_u64(u64::from(self.ended_secrets) | flags << 32);
        let bytes = [self.wrongs.unwrap_or(NONE), self.resets, self.answered, self.accepted_at, 6, 0, 0, 0];
        mix.write_u64(u64::from_le_bytes(bytes));
        for content in &self.records {
            mix.write_u64(u64::from(content.0[0]));
        }
        mix.write_u64(self.violation.map_or(0, |words| words.len() as u64 + 1));
    }
}

/// A fast hash: multiply and fold, two lanes.
#[derive(Clone, Copy)]
pub struct Mix(u64, u64);

impl Default for Mix {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03)
    }
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = fold(self.0 ^ value, 0xa076_1d64_78bd_642f).wrapping_add(0x1656_67b1_9e37_79f9);
        self.1 = (self.1.rotate_left(29) ^ value).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    }

    fn finish(&self) -> u64 {
        fold(self.0 ^ self.1.rotate_left(32), 0xe703_7ed1_a0b4_28db) ^ self.1
    }
}

#[derive(Clone, Copy, Default)]
pub struct Mixer;

impl BuildHasher for Mixer {
    type Hasher = Mix;

    fn build_hasher(&self) -> Mix {
        Mix::default()
    }
}
