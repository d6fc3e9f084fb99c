//! Links the unwinder into the module. Else every login loads libgcc_s.so for it, which costs more than the rest of the module's start.

use std::path::Path;
use std::process::Command;

const ARCHIVE: &str = "libgcc_eh.a";

fn main() {
    println!("cargo::rerun-if-changed=packaging/build.rs");
    // Where there is no such archive, the shared unwinder serves as well, only slower.
    if let Some(folder) = archive_folder() {
        println!("cargo::rustc-link-search=native={folder}");
        println!("cargo::rustc-link-lib=static=gcc_eh");
    }
}

/// The compiler answers with the bare name when it has none.
fn archive_folder() -> Option<String> {
    let answer = Command::new("cc").arg(format!("-print-file-name={ARCHIVE}")).output().ok()?;
    let path = String::from_utf8(answer.stdout).ok()?;
    let folder = Path::new(path.trim_end()).parent().filter(|folder| folder.is_absolute())?;
    folder.to_str().map(str::to_owned)
}
