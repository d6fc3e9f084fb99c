//! A read that fails, anywhere in a login or a reset, never leads to a write.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use driver::{Enrolled, NOW, World, tool};
use pam::constants::PamResultCode::{PAM_AUTHINFO_UNAVAIL, PAM_SUCCESS};

const READS: &str = "read,readv,pread64,preadv,preadv2,mmap";

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll("alice");
    (world, alice)
}

fn trace_of(world: &World) -> PathBuf {
    world.folder().join("trace")
}

/// strace of the calls on alice's files, where the failing-th read of them fails, counted from 1; 0 is none.
fn strace(world: &World, failing: usize) -> Vec<String> {
    let files = ["1000.toml", "1000.state", "1000.lock"].map(|file| world.store().join(file).display().to_string());
    let mut words: Vec<String> = ["/usr/bin/strace", "-f", "-o"].map(str::to_owned).to_vec();
    words.push(trace_of(world).display().to_string());
    words.extend(files.into_iter().flat_map(|file| ["-P".to_owned(), file]));
    words.extend(["-e".to_owned(), format!("trace={READS},flock,pwrite64")]);
    if failing > 0 {
        words.extend(["-e".to_owned(), format!("inject=pread64:error=EIO:when={failing}")]);
    }
    words
}

/// The calls by name, and whether each was made to fail.
fn calls(world: &World) -> Vec<(String, bool)> {
    let text = fs::read_to_string(trace_of(world)).unwrap();
    let calls = text.lines().filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('('));
    calls.map(|(name, rest)| (name.to_owned(), rest.contains("(INJECTED)"))).collect()
}

/// How many reads there are to fail; all are of one kind.
fn reads(world: &World) -> usize {
    let calls = calls(world);
    assert!(calls.iter().all(|(name, _)| matches!(name.as_str(), "pread64" | "flock" | "pwrite64")), "{calls:?}");
    calls.iter().filter(|(name, _)| name == "pread64").count()
}

fn failed_under_lock(calls: &[(String, bool)]) -> bool {
    calls.iter().skip_while(|(name, _)| name != "flock").any(|(_, failed)| *failed)
}

#[test]
fn d_09_a_read_that_fails_in_a_login_leads_to_no_write() {
    let (world, alice) = enrolled();
    let right = |now: i64| world.login("test").at(now).types(alice.code(now));
    assert_eq!(*right(NOW).under(&strace(&world, 0)).run().code(), PAM_SUCCESS);
    let reads = reads(&world);
    let mut under_lock = 0;
    for failing in 1..=reads {
        let now = NOW + 60 * i64::try_from(failing).unwrap();
        let before = world.files();
        let run = right(now).under(&strace(&world, failing)).run();
        let calls = calls(&world);
        assert_eq!(calls.iter().filter(|(_, failed)| *failed).count(), 1, "{failing}: {calls:?}");
        let is_under_lock = failed_under_lock(&calls);
        under_lock += usize::from(is_under_lock);
        // What stands in front of the question is read without the lock, and the question stands without it, too.
        if !is_under_lock && *run.code() == PAM_SUCCESS {
            continue;
        }
        assert_eq!(*run.code(), PAM_AUTHINFO_UNAVAIL, "{failing}: {run:#?}");
        assert!(run.logged()[0].contains(" reason=store_unavailable ") && run.logged()[0].contains(" errno=5 "), "{failing}: {run:#?}");
        assert_eq!(world.files(), before, "{failing}");
        assert!(calls.iter().all(|(name, _)| name != "pwrite64"), "{failing}: {calls:?}");
    }
    assert!(under_lock >= 2, "the record and the journal: {under_lock} of {reads}");
    assert_eq!(*right(NOW + 86_400).run().code(), PAM_SUCCESS);
}

#[test]
fn d_09_a_read_that_fails_in_a_reset_leads_to_no_write() {
    let count = {
        let (world, _) = enrolled();
        assert!(reset(&world, 0).0);
        assert!(!world.store().join("1000.toml").exists());
        reads(&world)
    };
    assert!(count >= 2, "the record and the journal: {count}");
    let mut under_lock = 0;
    for failing in 1..=count {
        let (world, alice) = enrolled();
        let before = world.files();
        let (done, said) = reset(&world, failing);
        let is_under_lock = failed_under_lock(&calls(&world));
        under_lock += usize::from(is_under_lock);
        // Whether the store is ahead of the clock is looked up for the question alone; what is removed is read anew.
        if !is_under_lock && done {
            continue;
        }
        assert!(!done, "{failing}: {said}, {:?}", calls(&world));
        assert_eq!(world.files(), before, "{failing}: {said}");
        assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    }
    assert!(under_lock >= 2, "the record and the journal: {under_lock} of {count}");
}

/// Whether `reset alice` did it, and what it said.
fn reset(world: &World, failing: usize) -> (bool, String) {
    let words = strace(world, failing);
    let mut command: Command = world.command(&words[0]);
    command.args(&words[1..]).arg(tool()).args(["reset", "alice", "--config"]).arg(world.config());
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout))
}
