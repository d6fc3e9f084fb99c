//! The tool's changes with a fault at every system call: killed before it, or the call failing.
//!
//! Each change is run once undisturbed under strace, which lists its calls; then once for every call and fault, from the
//! same files. Logins with the old and the new secrets decide what is so afterwards. One table a fault, and a last line.
//! What a killed program could not remove, the picture and the sheet that were asked for, is counted under "files": in
//! none of these cases may anybody but root read them, and the same command asks for another name while they are there.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests"
)]
#![forbid(unsafe_code)]

mod changes;
mod fault;
mod people;
#[path = "../screens/phone.rs"]
#[allow(dead_code, reason = "the screens use all of it")]
mod phone;
mod place;
mod run;
mod standing;
#[path = "../screens/terminal.rs"]
#[allow(dead_code, reason = "the phone knows it")]
mod terminal;
mod verdict;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use changes::Change;
use fault::Fault;
use place::Place;
use verdict::{Case, Is};

#[test]
fn e_02_a_kill_at_any_call_of_a_change_leaves_the_old_or_the_new_state() {
    let cases = sweep(&[Fault::Kill]);
    for change in changes::wanted() {
        let seen = |is| cases.iter().any(|case| case.change == change.name && case.is == Some(is));
        assert!(seen(Is::Old) && seen(Is::New), "{}: both states are met on the way", change.name);
    }
}

#[test]
fn e_03_no_space_at_any_call_of_a_change_is_told_as_it_is() {
    sweep(&[Fault::Error("ENOSPC")]);
}

/// Reads and syncs that a broken disk fails, and every call of a file system that has become read-only.
#[test]
fn e_03_a_broken_or_read_only_disk_at_any_call_of_a_change_is_told_as_it_is() {
    sweep(&[Fault::Error("EIO"), Fault::Error("EROFS")]);
}

/// All changes with these faults at every call; the table; and no violation.
fn sweep(faults: &[Fault]) -> Vec<Case> {
    let changes = changes::wanted();
    let calls = in_places(&changes, fault::calls);
    let all: Vec<_> = changes
        .iter()
        .zip(&calls)
        .flat_map(|(change, calls)| {
            let struck =
                faults.iter().flat_map(move |fault| calls.iter().filter(|call| fault.is_for(call)).map(move |call| (*fault, call)));
            struck.map(move |(fault, call)| (change, fault, call))
        })
        .collect();
    let cases = in_places(&all, |place, (change, fault, call)| verdict::tried(place, change, *fault, call));
    let found: Vec<&String> = cases.iter().flat_map(|case| &case.violations).collect();
    let list: String = found.iter().take(40).map(|line| format!("{line}\n")).collect();
    println!("{}{list}VIOLATIONS {} in {} cases", table(&changes, faults, &cases), found.len(), cases.len());
    for change in &changes {
        assert!(faults.iter().all(|fault| cases.iter().any(|case| (case.change, case.fault) == (change.name, *fault))), "{}", change.name);
    }
    assert!(found.is_empty(), "{list}");
    cases
}

fn table(changes: &[Change], faults: &[Fault], cases: &[Case]) -> String {
    let mut table = format!("{:<34} {:<7} {:>6} {:>6} {:>6} {:>8} {:>6}\n", "change", "fault", "cases", "old", "new", "refused", "files");
    for change in changes {
        for fault in faults {
            let of = || cases.iter().filter(|case| case.change == change.name && case.fault == *fault);
            let count = |is| of().filter(|case| case.is == Some(is)).count();
            let (all, old, new, refused) = (of().count(), count(Is::Old), count(Is::New), count(Is::Refused));
            let left: usize = of().map(|case| case.files_left).sum();
            let line = format!("{:<34} {:<7} {all:>6} {old:>6} {new:>6} {refused:>8} {left:>6}\n", change.name, fault.name());
            table.push_str(&line);
        }
    }
    table
}

/// Does work in as many places as there are processors, each with files and names of its own.
fn in_places<J: Sync, T: Send>(jobs: &[J], work: impl Fn(&Place, &J) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let worker = || {
        let place = Place::enter();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { return };
            let result = work(&place, job);
            done.lock().unwrap().push((number, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}
