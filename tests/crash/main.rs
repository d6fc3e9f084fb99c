//! The crash checker: the shipped store, through every order of steps and faults of some scenarios.
//!
//! **What runs.** `verify`, `Store`, `Locked`, `Standing::settle`, the commits, `begin_enrollment`, `disable`, `reset`,
//! `unlock` and `is_enrolled` as they ship, with records, journals, codes and hashes as they ship (a recovery code's hash at the
//! lowest cost that a record may name). Only the `Disk` below them is ours (`disk.rs`), and the few lines that a flow or
//! a command of root's stands for (`people.rs`: look, let the person take their time, commit).
//!
//! **How.** The code is deterministic: what a process asks of the disk next follows from the answers it has had. So each
//! process becomes a tree (`tree.rs`), learned by running the shipped code over one list of answers after the other; a
//! process in the middle is a node of its tree. The search (`search.rs`) goes breadth-first through all states of the
//! whole world (`state.rs`): every process at any of its system calls, in every order. No thread, no sampling.
//!
//! **What a state is.** The names of the folder as the page cache and as the platter have them, with the changes that
//! are pending between the two; inodes, each with the content of cache and platter, a journal's two slots apart; which
//! inode the lock's name leads to and who holds it; the clock in steps; and a log that the checker alone keeps.
//!
//! **What befalls it** (`world.rs`, `faults.rs`). A kill at any call (not within a slot's write: O_DSYNC syncs in the
//! same call). A power cut at any moment, within a slot's write too: every unsynced slot is old, new or torn, every
//! unsynced new file empty, whole or torn, and of the pending changes of names any part is on the platter. A failed
//! write of a slot, which leaves cache and platter old, new or torn in six ways, and may fail at the rollback too. EIO
//! and ENOSPC at opening, writing, syncing, renaming, unlinking and at the folder's sync; EIO at reads where a scenario
//! says so; a disk that is full from some moment on; a lock not had in time. A flipped bit. Hands: the journal damaged
//! or lost, the record deleted or an older one restored, the lock file replaced.
//!
//! **What must hold** (`checks.rs`), in every state: no code is accepted twice; none after an answered reset, none of an
//! ended set, a replaced secret or an ended rescue code, and a new recovery or rescue code is not refused; an answered
//! guess is counted; what is said to have changed nothing has; a floor that was brought down stays down; what was
//! answered no power cut undoes; no flow undoes another's change, outlives a reset or enrolls over a lost record; two
//! are never at once between reading and answering; a lost record never reads as "not enrolled", nor one as lost that is
//! not; and where all is over: a fresh code gets in unless the journal was damaged by hand; after `unlock` one does;
//! after reset and enroll one does; nobody waits for ever.
//!
//! **What is counted.** States are distinct. A history is one order of steps and faults from the start to a state in
//! which all is over; they are counted over the graph of the states, since each step uses something up and none leads
//! back. Calls that nobody else can tell apart (reads under the lock, a removal of what is not there) are one step with
//! the call before them, and two logins by the same code are interchangeable: each history stands for many more. Where a
//! scenario takes every call as a step, the number is large for that reason alone.
//!
//! **What is not modelled.** Two users (they share nothing but the folder's sync); a kill that parts write and sync
//! within the one call (btrfs); a short write that succeeds; an answer that is lost between unlocking and the host;
//! hands that touch files under the lock, but for one scenario; a hand's damage between a failed write and its rollback
//! (the rollback then puts back a slot that was good before); a rescue code's end; `import`, the socket.
//!
//! **Rules left out.** The disk breaks one rule at a time (`rules.rs`), or a caller forgets its part (`Habit`), and the
//! search must then find the harm: the eight of `src/store/mod.rs`, and those of births, commits, rescue codes, `unlock`
//! and what takes a record away.
//!
//! With `CRASH_TRACES` set, each violation is printed with the steps that lead to it.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test as a whole, and its modules are nobody else's"
)]

mod blocks;
mod checks;
mod disk;
mod faults;
mod key;
mod people;
mod records;
mod rules;
mod scenario;
mod search;
mod state;
mod tree;
mod tried;
mod world;

use std::fmt::Write;
use std::sync::Mutex;

use scenario::Scenario;
use search::{Found, search};

#[test]
#[cfg_attr(debug_assertions, ignore = "many minutes without optimisation: cargo test --release --test crash")]
fn e_14_no_order_of_steps_and_faults_opens_a_door_twice_or_locks_its_owner_out() {
    let tables = [
        ("slots, records, cuts", run(tried::slots())),
        ("names: births, unlock, reset, slow flows, hands", run(tried::names())),
        ("flows: rescue, remove, adopt, disable", run(tried::flows())),
        ("unlock, and a floor ahead of the clock", run(tried::floors())),
        ("each of the eight rules left out", run(tried::eight_rules())),
        ("other rules of the store left out", run(tried::other_rules())),
    ];
    let faults: usize = tables.iter().map(|(title, found)| report(title, found)).sum();
    let whole = || tables.iter().flat_map(|(_, found)| found).filter(|found| found.violation.is_none());
    let histories = whole().fold(0_u128, |sum, found| sum.saturating_add(found.histories));
    println!("\nstates {}", whole().map(|found| found.states).sum::<usize>());
    println!("histories {histories}");
    println!("VIOLATIONS {faults}");
    assert!(histories >= 1_000_000, "so few histories prove nothing");
    assert_eq!(faults, 0);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "a minute without optimisation: cargo test --release --test crash")]
fn e_13_after_a_crash_and_a_flipped_bit_no_spent_code_is_accepted() {
    assert_eq!(report("a crash, then a flipped bit", &run(tried::flipped())), 0);
}

/// Searches them on two threads; what is found comes in their order.
fn run(scenarios: Vec<Scenario>) -> Vec<Found> {
    let todo = Mutex::new(scenarios.into_iter().enumerate());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let mut tree = tree::Tree::new();
                loop {
                    let Some((place, scenario)) = todo.lock().unwrap().next() else { break };
                    let one = search(&mut tree, &scenario);
                    found.lock().unwrap().push((place, one));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, found)| found).collect()
}

/// A line for each; where one is not as expected, or where asked for, the way to its violation too. How many were not.
fn report(title: &str, found: &[Found]) -> usize {
    let mut text = format!("\n{title}\n");
    for one in found {
        let words = one.violation.as_ref().map_or("no violation", |violation| violation.0);
        let histories = if one.violation.is_some() { "-".to_owned() } else { one.histories.to_string() };
        let (name, seconds) = (&one.scenario.name, one.took.as_secs_f64());
        let mark = if one.is_expected() { "" } else { "   <-- UNEXPECTED" };
        let _ = writeln!(text, "  {name:48} {:8} states {histories:>22} histories {seconds:6.1} s  {words}{mark}", one.states);
        if let Some((_, lines)) = one.violation.as_ref().filter(|_| !one.is_expected() || traces()) {
            let _ = writeln!(text, "      {}", lines.join("\n      "));
        }
    }
    print!("{text}");
    found.iter().filter(|one| !one.is_expected()).count()
}

#[allow(clippy::disallowed_methods, reason = "a test may be asked for more words")]
fn traces() -> bool {
    std::env::var_os("CRASH_TRACES").is_some()
}
