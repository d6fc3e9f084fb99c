//! The machine's own login stack, as it was before a world and has to be after it.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::mounts::OWN;

const LOGIN_STACK: [&str; 9] = ["pam.d", "ssh", "sudoers", "sudoers.d", "passwd", "shadow", "group", "countersign", "security"];

/// What the files of the login stack hold, and what is mounted where a world has folders of its own.
#[derive(PartialEq, Eq, Debug)]
pub struct Fingerprint {
    files: BTreeMap<PathBuf, [u8; 32]>,
    mounts: Vec<String>,
}

pub fn fingerprint() -> Fingerprint {
    let mut files = BTreeMap::new();
    for name in LOGIN_STACK {
        add(&Path::new("/etc").join(name), &mut files);
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let there = |line: &&str| line.split(' ').nth(1).is_some_and(|place| OWN.contains(&place));
    Fingerprint { files, mounts: mounts.lines().filter(there).map(str::to_owned).collect() }
}

fn add(path: &Path, files: &mut BTreeMap<PathBuf, [u8; 32]>) {
    if let Ok(folder) = fs::read_dir(path) {
        folder.for_each(|entry| add(&entry.unwrap().path(), files));
    } else if let Ok(bytes) = fs::read(path) {
        files.insert(path.to_owned(), Sha256::digest(bytes).into());
    }
}
