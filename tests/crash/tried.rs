//! All that is tried. A scenario's promises hold in every state that it can reach; a rule left out must be missed.
#![forbid(unsafe_code)]

use crate::people::Habit;
use crate::people::Program::{self, *};
use crate::records::ADDED;
use crate::scenario::{Expected, Rule, Scenario, Start};

const L1: Program = Login { secret: 0, step: 1 };
const L2: Program = Login { secret: 0, step: 2 };
const L5: Program = Login { secret: 0, step: 5 };
const L6: Program = Login { secret: 0, step: 6 };
const L7: Program = Login { secret: 0, step: 7 };
/// By the recovery code of the first set, and of those that `Renew(0)` and `Renew(1)` bring.
const K: Program = Recovery { set: 1 };
const K0: Program = Recovery { set: 10 };
const K1: Program = Recovery { set: 11 };
const E: Program = Enroll { who: 0, from: 0 };
const E1: Program = Enroll { who: 1, from: 0 };
const E2: Program = Enroll { who: 2, from: 0 };

/// The record, the journal's slots, and the power.
pub fn slots() -> Vec<Scenario> {
    let new = Scenario::new;
    let again = Enroll { who: 0, from: 2 };
    let everything = [L5, L5, K, K, Wrong, Add(0), Renew(0), Reset(0), again];
    vec![
        new("logins, codes, recovery", &[L5, L5, L6, K, K, Renew(0)]).faults(2, 2, 1),
        new("logins, a guess, a code, add, recovery", &[L5, L5, Wrong, K, Add(0), Renew(0)]).faults(1, 2, 1),
        new("logins, reset, the same secret again", &[L5, L5, L6, Reset(0), again]).faults(2, 2, 2),
        new("codes, recovery twice, a failed write", &[K, K, K0, K1, Renew(0), Renew(1)]).faults(1, 2, 1),
        new("codes, recovery twice, two kills", &[K, K, K0, K1, Renew(0), Renew(1)]).faults(2, 2, 0),
        new("codes, a login, changes, two failed writes", &[K, K, Add(0), L5, Renew(0)]).faults(1, 2, 2),
        new("replaced: old and new codes", &[L5, L7, Login { secret: 10, step: 7 }, K, Replace(0)]).faults(2, 2, 1),
        new("everything once, a kill", &everything).faults(1, 0, 0),
        new("everything once, a power cut", &everything).faults(0, 1, 0),
        new("everything once, a failed write", &everything).faults(0, 0, 1),
        new("all but recovery, a kill and a power cut", &[L5, L5, K, K, Wrong, Add(0), Reset(0), again]).faults(1, 1, 0),
        new("a full disk: logins, codes, add, recovery", &[L5, L5, K, K, Add(0), Renew(0)]).with(|it| it.budget.fulls = 1),
        new("a full disk: a guess, reset, enroll", &[L5, K, Wrong, Reset(0), again]).with(|it| it.budget.fulls = 1),
        new("a lock not had in time", &[L5, L5, K, K, Add(0)]).with(|it| it.budget.timeouts = 2),
        new("reads that fail", &[L5, L5, K, K, Renew(0)]).faults(1, 1, 1).with(|it| it.reads_fail = true),
        new("reads that fail: reset, enroll", &[L5, L5, Reset(0), again, Look]).faults(1, 1, 1).with(|it| it.reads_fail = true),
        new("an older record (same set) restored", &[L5, L5, K, K, Add(0), L6]).faults(1, 0, 0).with(|it| it.budget.restores = 1),
        new("every system call a step of its own", &[L5, L5, K, Renew(0)]).faults(1, 1, 1).with(|it| it.fine = true),
        new("the gap: recovery codes hold", &[K, K, K, L5, L6]).faults(1, 1, 1).with(|it| (it.gap, it.only_recovery) = (true, true)),
        new("the gap, as it is", &[L5, L6, L7, L6]).faults(1, 1, 1).with(|it| (it.gap, it.expected) = (true, Expected::Violation)),
    ]
}

/// A crash, and then a flipped bit in either slot.
pub fn flipped() -> Vec<Scenario> {
    let spent = |name, processes| Scenario::new(name, processes).faults(1, 1, 0).with(|it| (it.budget.flips, it.only_recovery) = (1, true));
    let used = |name, processes| {
        Scenario::new(name, processes).faults(1, 1, 0).steps(5, 8).with(|it| (it.budget.flips, it.flips_later) = (1, true))
    };
    let again = Enroll { who: 0, from: 2 };
    vec![
        spent("a flipped bit: codes, add, recovery", &[L5, K, K, Add(0), Renew(0)]),
        spent("a flipped bit: codes, replace, recovery twice", &[K, K, K0, Replace(0), Renew(0), Renew(1)]),
        spent("a flipped bit: codes, reset, enroll", &[K, K, K0, Reset(0), again]),
        used("a flipped bit after 90 s: logins, recovery", &[L5, L5, K, Renew(0)]),
        used("a flipped bit after 90 s: logins, reset, enroll", &[L5, L5, Reset(0), again]),
    ]
}

/// Names, inodes, lock files; hands that damage, lose, delete.
pub fn names() -> Vec<Scenario> {
    let new = |start, name, processes: &[Program]| Scenario::new(name, processes).from(start).steps(0, 0);
    let enrolled = |name, processes: &[Program]| new(Start::Enrolled, name, processes);
    vec![
        new(Start::New, "birth: three enrollments, logins", &[E, E1, E2, L1, L1]).faults(2, 2, 1),
        new(Start::New, "birth, unlock, journal damaged or lost", &[E, E1, Unlock(2), L1, L1])
            .faults(1, 1, 1)
            .with(|it| it.budget.damages = 1),
        new(Start::New, "birth, lock file replaced, logins", &[E, L1, L1]).faults(1, 1, 1).with(|it| it.budget.locks = 1),
        new(Start::New, "two births, lock file replaced", &[E, E1, L1]).faults(1, 1, 0).with(|it| it.budget.locks = 1),
        new(Start::New, "birth, a look, record deleted", &[E, Look, L1, L1]).faults(1, 1, 1).with(|it| it.budget.deletes = 1),
        enrolled("unlock, reset, logins, lock file replaced", &[Unlock(0), Reset(1), L1, L1])
            .with(|it| (it.budget.damages, it.budget.locks) = (1, 1)),
        enrolled("unlock twice, logins, a code", &[Unlock(0), Unlock(1), L2, L2, K]).steps(0, 1).with(|it| it.budget.damages = 1),
        new(Start::Bad, "unlock of a damaged journal", &[Unlock(0), Unlock(1), L1, L2, L2]).faults(2, 2, 1).steps(0, 1),
        new(Start::Lost, "unlock of a lost journal, enroll", &[Unlock(0), Unlock(1), L2, L2, E2]).faults(1, 1, 1).steps(0, 1),
        new(Start::Bad, "unlock, codes, reads that fail", &[Unlock(0), K, K, L2])
            .faults(1, 1, 1)
            .steps(0, 1)
            .with(|it| it.reads_fail = true),
        enrolled("codes, journal damaged or lost, reads that fail", &[K, K, Unlock(0), Reset(1)])
            .faults(1, 1, 1)
            .with(|it| (it.budget.damages, it.reads_fail) = (1, true)),
        enrolled("lost while in use (accepted twice only)", &[Unlock(0), L2, L2])
            .faults(2, 2, 0)
            .steps(0, 2)
            .with(|it| (it.budget.damages, it.anytime, it.only_twice) = (1, true, true)),
        enrolled("reset, enroll, logins, codes", &[Reset(0), Reset(1), E2, L1, L1, K]).faults(1, 1, 1),
        enrolled("reset, enroll, damaged or lost, a code", &[Reset(0), E, L1, K, K]).with(|it| it.budget.damages = 1),
        enrolled("reset, unlock, enroll, damaged or lost", &[Reset(0), Unlock(1), E2, L1, L1]).with(|it| it.budget.damages = 1),
        enrolled("slow flows, recovery, reset, enroll", &[Add(0), Add(1), Renew(2), Reset(3), Enroll { who: 4, from: 0 }]).faults(1, 1, 1),
        enrolled("slow flows, replace, looks", &[Add(0), Replace(1), Renew(2), Look, Look]).faults(1, 1, 1),
        new(Start::Gone, "parked enrollments and reset", &[E, E1, Reset(0), Reset(1), L1]).faults(1, 1, 1),
        new(Start::Gone, "parked enrollments, reset, unlock", &[E, E1, Reset(0), Unlock(1)])
            .faults(1, 1, 1)
            .with(|it| it.budget.damages = 1),
        enrolled("record deleted, journal damaged or lost", &[Reset(0), Unlock(1), E2, L1])
            .with(|it| (it.budget.damages, it.budget.deletes) = (1, 1)),
        new(Start::New, "record deleted after birth", &[E, E1, Reset(0), L1]).faults(1, 1, 1).with(|it| it.budget.deletes = 1),
        enrolled("reset twice, record deleted, a flow", &[Reset(0), Reset(1), Add(2), E2, L1])
            .faults(1, 1, 1)
            .with(|it| it.budget.deletes = 1),
        new(Start::Bad, "reset of a damaged journal, an unlock", &[Reset(0), Reset(1), Unlock(2), E2, L1]).faults(1, 1, 1),
        new(Start::Lost, "reset of a lost journal, record deleted", &[Reset(0), Reset(1), E2, L1])
            .faults(2, 2, 1)
            .with(|it| it.budget.deletes = 1),
        new(Start::New, "a full disk at birth", &[E, E1, L1, L1]).with(|it| it.budget.fulls = 1),
    ]
}

/// The flows of root and of a user that change a record or take it away.
pub fn flows() -> Vec<Scenario> {
    let enrolled = |name, processes: &[Program]| Scenario::new(name, processes).from(Start::Enrolled).steps(0, 0);
    let rescued = |who, slot| Rescued { who, slot };
    vec![
        enrolled("rescue, its code, a login", &[Rescue(0), rescued(0, 2), rescued(0, 2), L1, Look]).faults(2, 2, 1),
        enrolled("rescue twice, their codes", &[Rescue(0), Rescue(1), rescued(0, 2), rescued(0, 2), rescued(1, 2), rescued(1, 3)])
            .faults(1, 1, 1),
        enrolled(
            "rescue twice at one symbol, no crash",
            &[Rescue(0), Rescue(1), rescued(0, 2), rescued(0, 2), rescued(1, 2), rescued(1, 3)],
        )
        .faults(0, 0, 0)
        .with(|it| it.habit = Habit::SameSymbol),
        enrolled("rescue, codes, recovery", &[Rescue(0), rescued(0, 2), K0, Renew(0)]).faults(1, 1, 1),
        enrolled("rescue, its code, unlock, damaged or lost", &[Rescue(0), Rescue(1), rescued(0, 2), rescued(1, 3), Unlock(0)])
            .with(|it| it.budget.damages = 1),
        enrolled("rescue, disable, enroll", &[Rescue(0), rescued(0, 2), rescued(0, 2), Disable(0), E]).faults(1, 1, 1),
        enrolled("add, remove, codes of both", &[Add(0), Remove(0), L1, Login { secret: ADDED, step: 1 }]).faults(2, 2, 1),
        enrolled("add, remove, replace, a login", &[Add(0), Remove(0), Replace(1), L1]).faults(1, 1, 1),
        enrolled("slow flows: disable, rescue, adopt, reset", &[Disable(0), Rescue(0), Adopt(0), Reset(1), E2]).faults(1, 1, 1),
        enrolled("disable, enroll, logins, codes", &[Disable(0), Disable(1), E2, L1, K]).faults(1, 1, 1),
        enrolled("disable, record deleted, damaged or lost", &[Disable(0), Reset(0), E2, L1])
            .with(|it| (it.budget.damages, it.budget.deletes) = (1, 1)),
        enrolled("adopt, disable, logins", &[Adopt(0), Disable(0), L1, L1, K]).faults(1, 1, 1),
        enrolled("a full disk: rescue, adopt, disable", &[Rescue(0), Adopt(0), Disable(0), rescued(0, 2), L1])
            .with(|it| it.budget.fulls = 1),
        enrolled("a full disk: add, remove, a code", &[Add(0), Remove(0), L1, K]).with(|it| it.budget.fulls = 1),
        Scenario::new("birth, changes, record deleted", &[E, Adopt(0), Look, L1])
            .from(Start::New)
            .steps(0, 0)
            .faults(1, 1, 1)
            .with(|it| it.budget.deletes = 1),
    ]
}

/// A floor that a clock once ahead has left.
pub fn floors() -> Vec<Scenario> {
    let new = |start, name, processes: &[Program]| Scenario::new(name, processes).from(start).steps(0, 1);
    let both = [BringDown(0), BringDown(1), L2, L2, K];
    vec![
        new(Start::LastAhead, "a floor ahead: the journal's", &both).faults(2, 2, 1),
        new(Start::NotBeforeAhead, "a floor ahead: the record's", &[BringDown(0), BringDown(1), L2, K]).faults(1, 1, 1),
        new(Start::BothAhead, "a floor ahead: both", &[BringDown(0), BringDown(1), L2, L2]).faults(2, 2, 1),
        new(Start::BothAhead, "a floor ahead: slow flows", &[BringDown(0), Add(0), Disable(0), Replace(0), L1]).faults(1, 1, 0),
        new(
            Start::BothAhead,
            "a floor ahead: reset, unlock, rescue",
            &[BringDown(0), Reset(1), Rescue(0), Rescued { who: 0, slot: 2 }, L2],
        )
        .faults(1, 1, 0),
        new(Start::BothAhead, "a floor ahead, a full disk", &[BringDown(0), L2, L2, K]).with(|it| it.budget.fulls = 1),
        new(Start::BothAhead, "a floor ahead, damaged or lost", &[BringDown(0), BringDown(1), L2, L2]).with(|it| it.budget.damages = 1),
        new(Start::BadAndAhead, "a floor ahead beside a damaged journal", &[BringDown(0), Unlock(1), L2, L2]).faults(2, 2, 1),
        new(Start::Enrolled, "no floor ahead: logins, unlock", &[BringDown(0), L1, L2, L2, K]).faults(1, 1, 1),
        new(Start::Confirmed, "no floor ahead: an enrollment's code", &[BringDown(0), L1, L1, L2, L2]).faults(1, 1, 1),
    ]
}

/// The rules that are numbered in `src/store/mod.rs`; after the first four a code must be accepted twice.
pub fn eight_rules() -> Vec<Scenario> {
    let without = |rule, processes: &[Program]| Scenario::without(rule, processes).faults(1, 2, 1);
    let twice = |rule, processes: &[Program]| without(rule, processes).with(|it| it.only_twice = true);
    vec![
        twice(Rule::Lock, &[L5, L5]),
        twice(Rule::Sync, &[L5, L5]),
        twice(Rule::Older, &[L5, L6, L6]),
        twice(Rule::Rollback, &[L5, L6, L7, L6]),
        without(Rule::Floor, &[L5, L5, Reset(0), Enroll { who: 0, from: 2 }]),
        without(Rule::Set, &[K, K0, Renew(0)]),
        without(Rule::Folder, &[K, K0, K, Renew(0)]),
        without(Rule::Both, &[K, K]).with(|it| (it.budget.flips, it.only_recovery) = (1, true)),
    ]
}

/// Those of the lock's name, births, commits, `unlock` and `reset`.
pub fn other_rules() -> Vec<Scenario> {
    let without = |rule, start, processes: &[Program]| Scenario::without(rule, processes).from(start).steps(0, 0);
    let habit = |habit, name, start, processes: &[Program]| Scenario::habit(habit, name, processes).from(start).steps(0, 0);
    let damaged = |it: &mut Scenario| it.budget.damages = 1;
    let deleted = |it: &mut Scenario| it.budget.deletes = 1;
    vec![
        without(Rule::Check, Start::Enrolled, &[Unlock(0), L2, L2]).steps(0, 1).with(|it| it.budget.locks = 1),
        without(Rule::NewSync, Start::New, &[E]),
        without(Rule::CommitFolder, Start::New, &[E, E1]),
        without(Rule::Answer, Start::Enrolled, &[Add(0)]),
        without(Rule::Answer, Start::Enrolled, &[Reset(0)]),
        without(Rule::Again, Start::Bad, &[Unlock(0), Unlock(1)]),
        habit(Habit::ForgetsBegin, "compare", Start::Enrolled, &[Add(0), Reset(1)]),
        habit(Habit::ForgetsBegin, "none", Start::Gone, &[E, E1, Reset(2)]),
        without(Rule::Slot, Start::Gone, &[E, Reset(1)]),
        habit(Habit::SameSequence, "newseq", Start::Gone, &[E, E1, Reset(2)]).with(damaged),
        without(Rule::Unlink, Start::Enrolled, &[Add(0), Add(1)]),
        without(Rule::Unlink, Start::Bad, &[Unlock(0), Unlock(1)]),
        habit(Habit::EarlyClock, "clock", Start::Enrolled, &[Unlock(0), L2, L2]).steps(0, 1).with(damaged),
        without(Rule::Folder, Start::New, &[E, L1]),
        without(Rule::Column, Start::New, &[E]).with(deleted),
        without(Rule::Late, Start::New, &[E]),
        without(Rule::Login, Start::New, &[E, L1]).with(deleted),
        without(Rule::NoRecord, Start::Enrolled, &[E, L1, L1]).with(damaged),
        without(Rule::First, Start::Enrolled, &[Reset(0), E1, L1, L1]).with(damaged),
        without(Rule::Anew, Start::Enrolled, &[Unlock(0)]).with(|it| (it.budget.damages, it.budget.deletes) = (1, 1)),
        without(Rule::Lost, Start::Enrolled, &[E]).with(deleted),
        habit(
            Habit::SameSymbol,
            "another symbol",
            Start::Enrolled,
            &[Rescue(0), Rescue(1), Rescued { who: 0, slot: 2 }, Rescued { who: 1, slot: 2 }],
        ),
        habit(Habit::ForgetsMarks, "marks", Start::Enrolled, &[Rescue(0), Unlock(0)]).with(damaged),
        habit(Habit::ReusesSymbol, "reuse", Start::Enrolled, &[Rescue(0), Rescue(1), Rescued { who: 0, slot: 2 }]),
        habit(Habit::ForgetsBegin, "compare, disable", Start::Enrolled, &[Disable(0), Adopt(0)]),
        without(Rule::Answer, Start::Enrolled, &[Disable(0)]),
        without(Rule::Flow, Start::New, &[E, Adopt(0)]).with(deleted),
        without(Rule::Window, Start::LastAhead, &[BringDown(0), BringDown(1), L2, L2]).steps(0, 1),
        without(Rule::NotBefore, Start::BothAhead, &[BringDown(0)]),
        without(Rule::Answer, Start::BothAhead, &[BringDown(0)]),
        habit(Habit::EarlyClock, "clock, floor", Start::Enrolled, &[BringDown(0), L2, L2]).steps(0, 1),
    ]
}
