//! What the module does with memory: valgrind finds nothing, and no answer is left behind in the host's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs;

use driver::{Answer, NOW, World, answer, failed_with, null, untouched};
use pam::constants::PamResultCode::PAM_SUCCESS;

/// What an application may answer, and whether it leaves an answer to wipe.
fn answers(alice: &driver::Enrolled) -> Vec<(&'static str, Answer, u64)> {
    vec![
        ("wrong", answer(alice.wrong_code(NOW)), 1),
        ("right", answer(alice.code(NOW)), 1),
        ("used", answer(alice.code(NOW)), 1),
        ("recovery code", answer(&alice.recovery[0]), 1),
        ("malformed", answer("correct horse"), 1),
        ("long", answer("1").times(100_000), 1),
        ("empty", answer(""), 1),
        ("none", null(), 0),
        ("untouched", untouched(), 0),
        // The application's own: after a failure it is not ours to touch.
        ("failed with a response", failed_with(alice.code(NOW)), 0),
    ]
}

#[test]
fn c_07_valgrind_finds_no_error_and_no_leak() {
    let world = World::new();
    let alice = world.enroll("alice");
    let report = world.folder().join("valgrind");
    let log = format!("--log-file={}", report.display());
    // The driver's own malloc is taken for the system's; what was mapped before dlclose keeps its name.
    let valgrind = [
        "/usr/bin/valgrind",
        "-q",
        "--leak-check=full",
        "--show-leak-kinds=definite",
        "--errors-for-leak-kinds=definite",
        "--keep-debuginfo=yes",
        "--soname-synonyms=somalloc=NONE",
        &log,
    ];
    // The response of a call that failed is the application's to free, and ours here does not.
    for (name, given, _) in answers(&alice).into_iter().filter(|(name, ..)| !name.starts_with("failed")) {
        let run = world.login("test").answers(given).under(&valgrind).run();
        assert_eq!(*run.code() == PAM_SUCCESS, matches!(name, "right" | "recovery code"), "{name}: {run:#?}");
        // Lines of valgrind's own, that it knows no openat2, begin with "--".
        let report = fs::read_to_string(&report).unwrap();
        let found: Vec<&str> = report.lines().filter(|line| line.starts_with("==")).collect();
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn c_07_the_hosts_copy_of_an_answer_is_wiped_before_it_is_freed() {
    let world = World::new();
    let alice = world.enroll("alice");
    for (name, given, count) in answers(&alice) {
        let run = world.login("test").answers(given).run();
        assert_eq!((run.wiped_answers, run.unwiped_answers), (count, 0), "{name}: {run:#?}");
    }
}
