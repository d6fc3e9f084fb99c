//! What a process's memory holds, and what of it the kernel would write into a core dump.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use data_encoding::{BASE32_NOPAD, HEXLOWER};

/// As random as a real one, so that no table of constants looks like it.
pub const SECRET: &[u8; 20] = b"\x93\xe1\x0b\xc4\x5d\x7a\xf2\x86\x31\xdb\x48\xa9\x17\xfe\x6c\x05\xb2\x9d\x74\xe3";

pub fn base32() -> String {
    BASE32_NOPAD.encode(SECRET)
}

/// All that a process can write to and we can read.
pub struct Image {
    written: Vec<Written>,
}

/// Neighbouring pages that are not empty.
struct Written {
    bytes: Vec<u8>,
    left_out: bool,
}

impl Image {
    pub fn of(pid: u32) -> Self {
        let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
        let text = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
        let mut written = Vec::new();
        let mut range = None;
        for line in text.lines() {
            // A mapping opens with its range and ends with its flags.
            let (first, rest) = line.split_once(' ').unwrap();
            if let Some((from, to)) = first.split_once('-') {
                let number = |text| u64::from_str_radix(text, 16).unwrap();
                range = rest.starts_with("rw").then(|| (number(from), number(to)));
            } else if first == "VmFlags:"
                && let Some((from, to)) = range
            {
                let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
                if memory.read_exact_at(&mut bytes, from).is_ok() {
                    let left_out = rest.split(' ').any(|flag| flag == "dd");
                    written.extend(runs(&bytes).map(|bytes| Written { bytes, left_out }));
                }
            }
        }
        Self { written }
    }

    pub fn holds(&self, needle: &[u8]) -> bool {
        self.written.iter().any(|part| holds(&part.bytes, needle))
    }

    /// Whether it would be in a core dump: core(5) by default, and whatever of it a setting could add.
    pub fn dump_holds(&self, needle: &[u8]) -> bool {
        self.written.iter().filter(|part| !part.left_out).any(|part| holds(&part.bytes, needle))
    }
}

/// What is searched often is better without the many empty pages.
fn runs(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let pages: Vec<&[u8]> = bytes.chunks(PAGE.len()).collect();
    let runs: Vec<Vec<u8>> = pages.split(|page| *page == PAGE).map(<[&[u8]]>::concat).collect();
    runs.into_iter().filter(|run| !run.is_empty())
}

const PAGE: [u8; 4096] = [0; 4096];

fn holds(memory: &[u8], needle: &[u8]) -> bool {
    // SAFETY: both are live memory of the length that is given.
    let found = unsafe { libc::memmem(memory.as_ptr().cast(), memory.len(), needle.as_ptr().cast(), needle.len()) };
    !found.is_null()
}

/// The secret in every form that it takes on its way to a code, whole or half.
pub fn forms_of_the_secret() -> Vec<(String, Vec<u8>)> {
    let base32 = base32();
    let mut forms = vec![
        ("its beginning".to_owned(), SECRET[..12].to_vec()),
        ("its end".to_owned(), SECRET[8..].to_vec()),
        ("base32".to_owned(), base32.as_bytes()[..16].to_vec()),
        ("base32, its end".to_owned(), base32.as_bytes()[16..].to_vec()),
        ("hex".to_owned(), HEXLOWER.encode(&SECRET[..10]).into_bytes()),
    ];
    for (name, pad) in [("inner", 0x36), ("outer", 0x5c)] {
        let mut block = [pad; 64];
        block.iter_mut().zip(SECRET).for_each(|(byte, secret)| *byte ^= secret);
        let swapped = |width: usize| block[..16].chunks(width).flat_map(|word| word.iter().rev().copied().collect::<Vec<u8>>()).collect();
        forms.push((format!("{name} pad of the HMAC"), block[..16].to_vec()));
        forms.push((format!("{name} pad as words"), swapped(4)));
        forms.push((format!("{name} pad in a vector register"), swapped(16)));
        // The state after that block is as good as the secret.
        let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
        sha1::block_api::compress(&mut state, &[block]);
        forms.push((format!("{name} state"), state.iter().flat_map(|word| word.to_le_bytes()).collect()));
        forms.push((format!("{name} state, big-endian"), state.iter().flat_map(|word| word.to_be_bytes()).collect()));
    }
    forms
}
