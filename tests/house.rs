//! The rules of the house, held by tests: what each room may know, where `unsafe` is, what the module depends on.
#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects, clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All source files below a folder, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    assert!(!found.is_empty());
    let named = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    found.iter().map(|path| (named(path), fs::read_to_string(path).unwrap())).collect()
}

/// A file's code without comments and without its tests.
fn code(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]").next().unwrap();
    shipped.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_rules_know_nothing_of_the_world() {
    for (file, text) in sources("src/rules") {
        let code = code(&text);
        for banned in [
            "std::fs",
            "std::env",
            "std::net",
            "std::process",
            "std::thread",
            "SystemTime",
            "nix::",
            "libc::",
            "getrandom",
            "unsafe",
            "syslog",
        ] {
            assert!(!code.replace("forbid(unsafe_code)", "").contains(banned), "{file} names {banned}");
        }
        for room in ["authenticate", "verify", "flows", "words", "store", "sys", "pam"] {
            assert!(!code.contains(&format!("crate::{room}")), "{file} looks up to {room}");
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    // Each room, and what it may use.
    let may_use: [(&str, &[&str]); 9] = [
        ("src/rules", &["rules"]),
        ("src/sys", &["sys"]),
        ("src/words", &["rules", "words"]),
        ("src/store", &["rules", "sys", "store"]),
        ("src/verify", &["rules", "store", "sys", "verify"]),
        ("src/flows", &["rules", "store", "sys", "verify", "words", "flows"]),
        ("src/authenticate", &["rules", "store", "sys", "verify", "words", "authenticate"]),
        ("src/pam", &["authenticate", "sys", "rules", "pam"]),
        ("src/lib", &[]),
    ];
    for (file, text) in sources("src") {
        let room = may_use.iter().find(|(room, _)| file.strip_prefix(room).is_some_and(|rest| rest.starts_with(['/', '.'])));
        let (_, allowed) = room.unwrap_or_else(|| panic!("{file} stands in no room"));
        for used in code(&text).split("crate::").skip(1) {
            let name: String = used.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
            assert!(allowed.contains(&name.as_str()), "{file} uses crate::{name}");
        }
    }
}

#[test]
fn i_02_unsafe_stands_in_sys_and_pam_alone() {
    for (file, text) in sources("src").into_iter().chain(sources("tool/src")) {
        if file.starts_with("src/pam/") || file == "src/sys.rs" || file.starts_with("src/sys/") {
            continue;
        }
        assert!(text.contains("#![forbid(unsafe_code)]") || file == "src/lib.rs", "{file} does not forbid unsafe");
        assert!(!code(&text).replace("forbid(unsafe_code)", "").replace("deny(unsafe_code)", "").contains("unsafe"), "{file}");
    }
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    for (file, text) in sources("src").into_iter().chain(sources("tool/src")).chain(sources("tests")) {
        assert!(text.starts_with("//! "), "{file}");
    }
}

#[test]
fn i_03_one_place_means_let_in() {
    let made: Vec<String> = sources("src")
        .into_iter()
        .flat_map(|(file, text)| {
            code(&text)
                .lines()
                .filter(|line| line.contains("Outcome::LetIn"))
                .map(|line| format!("{file}: {}", line.trim()))
                .collect::<Vec<_>>()
        })
        .collect();
    // Made once, and mapped to PAM_SUCCESS once.
    assert_eq!(made.len(), 2, "{made:#?}");
    assert_eq!(made.iter().filter(|line| line.starts_with("src/pam/")).count(), 1, "{made:#?}");
}

#[test]
fn only_the_door_reads_the_clock() {
    let readers: Vec<String> = sources("src")
        .into_iter()
        .filter(|(file, text)| {
            file != "src/sys.rs" && ["sys::now", "clock_gettime", "SystemTime"].iter().any(|clock| code(text).contains(clock))
        })
        .map(|(file, _)| file)
        .collect();
    assert_eq!(readers, ["src/pam/host.rs"]);
}

#[test]
fn f_06_the_module_reads_no_environment_prints_nothing_and_ends_nothing() {
    for (file, text) in sources("src") {
        let code = code(&text);
        for banned in [
            "std::env",
            "env::var",
            "println!",
            "print!(",
            "eprint",
            "dbg!",
            "process::exit",
            "process::abort",
            "getenv(c\"",
            "setlocale",
            "umask(",
            "signal(",
            "fork(",
            "std::thread::spawn",
            "openlog",
            "closelog",
        ] {
            assert!(!code.contains(banned), "{file} has {banned}");
        }
    }
}

#[test]
fn only_the_store_knows_what_its_files_are_called() {
    for (file, text) in sources("src").into_iter().chain(sources("tool/src")) {
        if !file.starts_with("src/store/") {
            for name in ["}.toml", "}.state", "}.lock", ".toml.new", ".state.new"] {
                assert!(!code(&text).contains(name), "{file} names {name}");
            }
        }
    }
}

#[test]
fn the_modules_dependencies_are_these() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let tree = Command::new(cargo)
        .args(["tree", "-p", "pam-countersign", "-e", "normal", "--prefix", "none", "--offline", "--format", "{p}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    let mut found: Vec<&str> =
        text.lines().filter_map(|line| line.split(' ').next()).filter(|name| *name != "pam-countersign" && !name.is_empty()).collect();
    found.sort_unstable();
    found.dedup();
    let listed = fs::read_to_string(root().join("tests/dependencies.txt")).unwrap();
    let listed: Vec<&str> = listed.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(found, listed);
}

#[test]
fn every_dependency_says_what_it_is_for() {
    for manifest in ["Cargo.toml", "tool/Cargo.toml"] {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        let mut in_dependencies = false;
        for line in text.lines() {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
            } else if in_dependencies && line.contains('=') {
                assert!(line.contains(" # "), "{manifest}: {line}");
            }
        }
    }
}
