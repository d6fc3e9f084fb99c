//! A panic anywhere in the module: PAM_ABORT, one line in the log, and a host that goes on as if nothing had been there.
//!
//! The module that panics is a copy of the sources with panics planted in it, each for one service's name; what ships
//! has no place to plant one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use driver::{NOW, World, target};
use pam::constants::PamResultCode::{PAM_ABORT, PAM_SUCCESS};

/// Service, file, and the line below which its panic is planted.
const PLANTS: [(&str, &str, &str); 6] = [
    ("first", "src/authenticate/mod.rs", "fn sentence(host: &mut impl Host, arguments: &[&[u8]]) -> Result<Outcome, Outcome> {"),
    ("answer", "src/authenticate/answer.rs", "pub(super) fn answered(&mut self, asked: &Asked, answer: Option<Answer>) -> Outcome {"),
    ("locked", "src/verify.rs", "let locked = store.lock(question.uid)?;"),
    ("judged", "src/verify.rs", "let verdict = standing.settle(ruling)?;"),
    ("settled", "src/authenticate/answer.rs", "fn settled(&mut self, verdict: &Verdict) -> Outcome {"),
    ("account", "src/authenticate/mod.rs", "pub fn manage_account(host: &mut impl Host, arguments: &[&[u8]], let_past: bool) -> Outcome {"),
];

/// Which service it is, as each of these places can see it.
fn condition(file: &str, service: &str) -> String {
    match file {
        "src/authenticate/mod.rs" => format!("host.service() == {service:?}.as_bytes()"),
        "src/authenticate/answer.rs" => format!("self.host.service() == {service:?}.as_bytes()"),
        // No service is known there: it is the terminal that a failure is reported from.
        "src/verify.rs" => format!("question.from == Source::new({service:?}.as_bytes())"),
        other => panic!("{other}"),
    }
}

fn module_with_panics() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = target().join("panics");
        let copy = folder.join("copy");
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir_all(&copy).unwrap();
        let parts = ["Cargo.toml", "Cargo.lock", "src", "tool", "config", "packaging", "tests", "README.md"];
        let copied = Command::new("cp").arg("-a").args(parts.map(|part| root.join(part))).arg(&copy).status().unwrap();
        assert!(copied.success());
        for (service, file, place) in PLANTS {
            let text = fs::read_to_string(copy.join(file)).unwrap();
            assert_eq!(text.matches(place).count(), 1, "{file}: {place}");
            let plant = format!("{place}\nif {} {{ panic!(\"planted\") }}\n", condition(file, service));
            fs::write(copy.join(file), text.replace(place, &plant)).unwrap();
        }
        let built = Command::new(env!("CARGO"))
            .args(["rustc", "--offline", "--quiet", "--lib", "--crate-type", "cdylib", "-p", "pam-countersign", "--target-dir"])
            .arg(&folder)
            .args(["--", "--cap-lints", "allow"])
            .current_dir(&copy)
            .status()
            .unwrap();
        assert!(built.success());
        folder.join("debug/libcountersign.so")
    })
}

#[test]
fn i_01_a_panic_is_an_abort_of_the_login_and_of_nothing_else() {
    for (service, ..) in PLANTS {
        let world = World::new();
        let alice = world.enroll("alice");
        world.service(service, "auth required pam_countersign.so\naccount required pam_countersign.so enforce\n");
        world.install(module_with_panics());
        let (phase, answers) = if service == "account" { ("account", 0) } else { ("authenticate", usize::from(service != "first")) };
        let login = world.login(service).phases(&[phase]).environment("RUST_BACKTRACE", "1");
        let run = (0..answers).fold(login, |login, _| login.types(alice.code(NOW))).run();
        assert_eq!(run.codes, [(phase.to_owned(), PAM_ABORT)], "{service}: {run:#?}");
        assert_eq!(run.logged(), ["result=refused reason=panic"], "{service}: {run:#?}");
        assert!(run.messages().is_empty(), "{service}: {run:#?}");

        // The lock is free, and what stands in the journal is good. Only a code whose verdict was on disk is used up.
        world.install(driver::release_module());
        let is_used = matches!(service, "judged" | "settled");
        assert_eq!(world.journal(alice.uid).last == NOW, is_used, "{service}");
        let now = if is_used { NOW + 30 } else { NOW };
        let run = world.login("test").at(now).types(alice.code(now)).run();
        assert_eq!(*run.code(), PAM_SUCCESS, "{service}: {run:#?}");
    }
}

#[test]
fn i_01_after_a_panic_nobody_is_let_past() {
    let world = World::new();
    let alice = world.enroll("alice");
    world.service(
        "settled",
        "auth required pam_countersign.so\naccount required pam_countersign.so enforce\naccount required pam_permit.so\n",
    );
    world.install(module_with_panics());
    let run = world.login("settled").phases(&["authenticate", "account"]).types(alice.code(NOW)).run();
    assert_eq!(*run.code(), PAM_ABORT);
    assert_ne!(run.codes[1].1, PAM_SUCCESS, "{run:#?}");
}
