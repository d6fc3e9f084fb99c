//! What must hold: the checker's own log of answers, and the promises it is held against in every state.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use countersign::rules::journal::SetId;
use countersign::rules::judge;
use countersign::rules::totp::Floor;

use crate::blocks::Content;
use crate::disk::{Name, Request};
use crate::key::Mixer;
use crate::people::{Kind, Outcome, Program};
use crate::records::{Facts, now};
use crate::scenario::Rule;
use crate::state::{Budget, Ghost, NONE, OVER, Process, State};
use crate::tree::Past;
use crate::world::{World, is_enroll};

/// What was found of a state's files before.
#[derive(Default)]
pub struct Memo {
    ends: HashMap<u64, Option<&'static str>, Mixer>,
    looks: HashMap<u64, Outcome, Mixer>,
}

type Found = Option<&'static str>;

fn bit(number: u8) -> u32 {
    1 << number
}

/// Rescue codes are numbered behind the sets.
const RESCUED: u8 = 28;
const ALL_RESCUED: u32 = 0b1111 << RESCUED;

impl World<'_> {
    /// The log before a request takes effect: what a change may put in force, and what it must not undo.
    pub fn foresee(&mut self, state: &mut State, who: usize, request: Request) {
        let program = self.scenario_program(state, who);
        let record = state.content(Name::Record);
        let facts = record.and_then(|content| self.tree.blocks.borrow().facts(content));
        let mutates =
            matches!(request, Request::Unlink(_) | Request::SyncFolder | Request::WriteSlot(..) | Request::Open(Name::NewJournal, _));
        let (process, ghost) = (&mut state.processes[who], &mut state.ghost);
        if mutates && (program.is_removal() || program.is_unlock()) {
            ghost.wrongs = None;
            if program.is_removal() {
                (ghost.stands, ghost.taken) = (false, true);
            }
        }
        match request {
            Request::Begun => (process.resets, process.version) = (ghost.resets, state.dir.version),
            Request::Rename(_, Name::Journal) if !program.is_flow() => ghost.taken |= record.is_none(),
            Request::WriteSlot(_, slot, line) => {
                let blocks = self.tree.blocks.borrow();
                let spent = blocks.pair(Content::DAMAGED.with(slot, line)).map_or(0, |pair| pair.journal.spent);
                match program {
                    Program::Recovery { set } if spent & 2 != 0 => ghost.tried |= bit(set),
                    Program::Rescued { who, slot }
                        if spent & bit(slot) != 0 && facts.is_some_and(|facts| facts.rescue == Some(program)) =>
                    {
                        ghost.tried |= bit(RESCUED + who);
                    }
                    _ => {}
                }
            }
            Request::Unlink(Name::Record)
                if matches!(program, Program::Disable(_))
                    && record.is_some()
                    && (process.resets, process.version) != (ghost.resets, state.dir.version) =>
            {
                ghost.violation = Some("a flow removed another's change");
            }
            Request::Rename(_, Name::Record) => {
                if is_enroll(program) {
                    ghost.reset = false;
                    ghost.ended_secrets &= !1;
                }
                if let Program::Rescue(who) = program {
                    ghost.ended_sets &= !bit(RESCUED + who);
                }
                ghost.violation = if process.resets != ghost.resets {
                    Some("a reset did not end an open flow")
                } else if is_enroll(program) && record.is_some() {
                    Some("a second enrollment over the first")
                } else if is_enroll(program) && ghost.stands {
                    Some("an enrollment over a lost record")
                } else if !is_enroll(program) && (record.is_none() || process.version != state.dir.version) {
                    Some("a flow undid another's change")
                } else {
                    ghost.violation
                };
            }
            _ => {}
        }
        // What an answered change ends: the set and secret that stood when it began.
        if let (Request::Begun | Request::Unlink(Name::Record), Some(facts)) = (request, facts) {
            (process.set, process.secret) = (facts.set, facts.secret);
        }
    }

    fn scenario_program(&self, state: &State, who: usize) -> Program {
        self.tree.node(state.processes[who].node).program
    }

    /// The log at an answer.
    pub fn ended(&mut self, state: &mut State, who: usize, outcome: Outcome) {
        self.last = Some(outcome);
        let program = self.scenario_program(state, who);
        let process = state.processes[who];
        let record = state.content(Name::Record).and_then(|content| self.tree.blocks.borrow().facts(content));
        let (step, version) = (state.step, state.dir.version);
        let past = self.tree.node(process.node).past;
        let born_spent = record.is_some_and(|facts| self.is_spent(state, facts));
        let ghost = &mut state.ghost;
        let mut fault = None;
        match outcome {
            Outcome::Accepted => {
                fault = self.accepted(ghost, program, record.map_or(0, |facts| facts.set));
                ghost.stands = true;
                if let Program::Login { .. } = program {
                    ghost.accepted_at = step;
                }
            }
            Outcome::Wrong if program == Program::Wrong => ghost.wrongs = ghost.wrongs.map(|count| count + 1),
            Outcome::Wrong | Outcome::Replay => {
                if let Program::Recovery { set } = program
                    && record.is_some_and(|facts| facts.set == set)
                    && ghost.tried & bit(set) == 0
                    && ghost.wrongs.is_some()
                    && !ghost.damaged
                {
                    fault = Some("a right recovery code was refused");
                }
                if let Program::Rescued { who, .. } = program
                    && record.is_some_and(|facts| facts.rescue == Some(program))
                    && ghost.tried & bit(RESCUED + who) == 0
                    && ghost.wrongs.is_some()
                    && !ghost.damaged
                {
                    fault = Some("a right rescue code was refused");
                }
            }
            Outcome::Anew if !past.opened_new_journal => fault = Some("a journal is said to be made anew, and it is not"),
            Outcome::Done | Outcome::Anew => {
                ghost.answered = version;
                ghost.stands |= program.is_change() || program.is_unlock() && record.is_some();
                match program {
                    Program::Reset(_) | Program::Disable(_) => {
                        (ghost.damaged, ghost.stands, ghost.taken, ghost.reset) = (false, false, false, true);
                        ghost.resets += 1;
                        ghost.ended_sets |= bit(process.set) | ALL_RESCUED;
                    }
                    Program::Enroll { .. } => (ghost.damaged, ghost.stands, ghost.taken) = (false, true, false),
                    Program::Unlock(_) => ghost.damaged = false,
                    Program::BringDown(_) => (ghost.damaged, ghost.brought_down) = (false, true),
                    Program::Renew(_) => ghost.ended_sets |= bit(process.set) | ALL_RESCUED,
                    Program::Replace(_) | Program::Remove(_) => ghost.ended_secrets |= bit(process.secret),
                    Program::Rescue(_) if born_spent => fault = Some("a rescue code was issued that can't open"),
                    Program::Rescue(who) => ghost.ended_sets |= ALL_RESCUED & !bit(RESCUED + who),
                    _ => {}
                }
            }
            Outcome::Enrolled(false) if ghost.stands => fault = Some("a lost record reads as \"not enrolled\""),
            // An enrollment makes the journal before it can be refused, a login writes what it found.
            Outcome::Refused(_) if !program.is_login() && !is_enroll(program) && has_changed(past) => {
                fault = Some("it is said that nothing was changed, and something was");
            }
            Outcome::Refused(Kind::BadFile) if self.scenario.without.is_none() => fault = Some("a file of ours was taken for none"),
            _ => {}
        }
        if ghost.violation.is_none() {
            ghost.violation = fault;
        }
    }

    fn accepted(&self, ghost: &mut Ghost, program: Program, set: u8) -> Found {
        let scenario = self.scenario;
        let is_recovery = program.is_recovery();
        if scenario.only_recovery && !is_recovery {
            return None;
        }
        let key = scenario.key(program, set);
        let again = ghost.accepted & key != 0;
        ghost.accepted |= key;
        let restored = scenario.budget.restores > 0;
        match program {
            _ if again && is_recovery => Some("a recovery code was accepted twice"),
            _ if again => Some("a code was accepted twice"),
            _ if ghost.reset => Some("a code was accepted after a reset"),
            Program::Recovery { set } if ghost.ended_sets & bit(set) != 0 && !restored => Some("a code of an ended set was accepted"),
            Program::Rescued { who, .. } if ghost.ended_sets & bit(RESCUED + who) != 0 && !restored => {
                Some("an ended rescue code was accepted")
            }
            Program::Login { secret, .. } if ghost.ended_secrets & bit(secret) != 0 && !restored => {
                Some("a code of a replaced secret was accepted")
            }
            _ => None,
        }
    }

    /// What is wrong with a state, if anything.
    pub fn fault(&mut self, state: &State) -> Found {
        let (ghost, scenario) = (&state.ghost, self.scenario);
        if scenario.only_twice {
            return ghost.violation.filter(|words| words.contains("accepted twice"));
        }
        if ghost.violation.is_some() {
            return ghost.violation;
        }
        let inside = state.processes.iter().filter(|process| process.node != OVER && self.tree.node(process.node).past.inside).count();
        if inside > 1 && scenario.without != Some(Rule::Lock) {
            return Some("two at once between reading and answering");
        }
        if state.dir.version < ghost.answered {
            return Some("what was answered is undone");
        }
        if scenario.only_recovery {
            return None;
        }
        if ghost.brought_down && self.is_floor_ahead(state, state.step) {
            return Some("locked out: a floor is ahead after an answered unlock");
        }
        self.journal_fault(state).or_else(|| self.look_fault(state)).or_else(|| state.is_quiet().then(|| self.ends_well(state)).flatten())
    }

    fn journal_fault(&self, state: &State) -> Found {
        let ghost = &state.ghost;
        if ghost.damaged {
            return None;
        }
        let record = state.dir.at(Name::Record).is_some();
        let journal = state.content(Name::Journal);
        let blocks = self.tree.blocks.borrow();
        let counted = journal.map(|content| blocks.of_journal(content, |pair| pair.map(|pair| pair.journal.throttle.local.bucket)));
        match counted.flatten() {
            None if record => Some("locked out: the journal can't be read"),
            Some(count) if self.scenario.budget.flips == 0 && count < ghost.wrongs.map_or(0, u16::from) => {
                Some("a guess was answered and is not counted")
            }
            _ => None,
        }
    }

    /// What stands in the two files refuses every code at that step.
    fn is_floor_ahead(&self, state: &State, step: u8) -> bool {
        let blocks = self.tree.blocks.borrow();
        let record = state.content(Name::Record).and_then(|content| blocks.facts(content));
        let last = state.content(Name::Journal).and_then(|content| blocks.of_journal(content, |pair| pair.map(|pair| pair.journal.last)));
        let floor = Floor { not_before: record.map_or(0, |facts| facts.not_before), last: last.unwrap_or(0) };
        judge::is_clock_behind(floor, now(step))
    }

    /// The rescue code of that record is spent.
    fn is_spent(&self, state: &State, record: Facts) -> bool {
        let Some(Program::Rescued { slot, .. }) = record.rescue else { return false };
        let blocks = self.tree.blocks.borrow();
        let journal = state.content(Name::Journal).and_then(|content| blocks.pair(content)).map(|pair| pair.journal);
        journal.is_some_and(|journal| journal.spent_of(SetId(record.set.into())) & bit(slot) != 0)
    }

    /// A record that is lost must not read as "not enrolled"; one that a hand or a reset has not taken, not as lost.
    fn look_fault(&mut self, state: &State) -> Found {
        if state.dir.at(Name::Record).is_some() {
            return None;
        }
        match self.look(state) {
            Outcome::Enrolled(false) if state.ghost.stands => Some("a lost record reads as \"not enrolled\""),
            Outcome::Refused(Kind::Lost) if !state.ghost.taken && !state.is_locked() => Some("a record reads as lost without cause"),
            _ => None,
        }
    }

    fn look(&mut self, state: &State) -> Outcome {
        let alone = only_files(state);
        let key = alone.key();
        if let Some(outcome) = self.memo.looks.get(&key) {
            return *outcome;
        }
        let (outcome, _) = self.alone(&alone, Program::Look, state.step);
        self.memo.looks.insert(key, outcome);
        outcome
    }

    /// Where all is over and no fault comes, what must work works, whatever was left behind.
    fn ends_well(&mut self, state: &State) -> Found {
        let mut alone = only_files(state);
        alone.ghost.damaged = state.ghost.damaged;
        alone.full = state.full;
        let key = alone.key();
        if let Some(found) = self.memo.ends.get(&key) {
            return *found;
        }
        let found = self.end(alone).err();
        self.memo.ends.insert(key, found);
        found
    }

    fn end(&mut self, state: State) -> Result<(), &'static str> {
        let (damaged, mut state) = (state.ghost.damaged, state);
        let ahead = self.is_floor_ahead(&state, 50);
        // The reset that brings a floor ahead down is number 1.
        let (unlock, reset) = if ahead { (Program::BringDown(7), Program::Reset(1)) } else { (Program::Unlock(7), Program::Reset(7)) };
        if state.dir.at(Name::Record).is_some() {
            if !damaged && !ahead {
                self.login(&state, 50).ok_or("locked out: a fresh code is refused")?;
            }
            if state.full && !damaged {
                self.done(&state, reset, 52).ok_or("reset fails on a full disk")?;
            }
            state.full = false;
            if !damaged && self.scenario.processes.iter().any(|program| matches!(program, Program::Rescue(_))) {
                self.rescue(&state, 52)?;
            }
            state = self.done(&state, unlock, 52).ok_or("unlock fails")?;
            state = self.login(&state, 60).ok_or("locked out: a fresh code is refused after unlock")?;
            state = self.done(&state, reset, 62).ok_or("reset fails")?;
        }
        state.full = false;
        let journal = state.content(Name::Journal);
        let column =
            journal.map(|content| self.tree.blocks.borrow().of_journal(content, |pair| pair.is_none_or(|pair| pair.journal.record)));
        if column == Some(true) {
            state = self.done(&state, if ahead { reset } else { Program::Reset(6) }, 62).ok_or("reset fails where the record is lost")?;
        }
        // With a first step, the enrollment too brings a floor ahead down.
        state = self.done(&state, Program::Enroll { who: 7, from: u8::from(ahead) }, 62).ok_or("enroll fails")?;
        self.login(&state, 66).map(|_| ()).ok_or("locked out: a fresh code is refused after enroll")
    }

    fn done(&mut self, state: &State, program: Program, step: u8) -> Option<State> {
        let (outcome, after) = self.alone(state, program, step);
        matches!(outcome, Outcome::Done | Outcome::Anew).then_some(after)
    }

    /// A rescue code is to be had and opens, unless every symbol is spent.
    fn rescue(&mut self, state: &State, step: u8) -> Result<(), &'static str> {
        let (outcome, after) = self.alone(state, Program::Rescue(3), step);
        if outcome == Outcome::Refused(Kind::Full) {
            return Ok(());
        }
        let issued = after.content(Name::Record).and_then(|content| self.tree.blocks.borrow().facts(content)?.rescue);
        let issued = issued.filter(|_| outcome == Outcome::Done).ok_or("rescue fails")?;
        let (outcome, _) = self.alone(&after, issued, step);
        (outcome == Outcome::Accepted).then_some(()).ok_or("locked out: a fresh rescue code is refused")
    }

    fn login(&mut self, state: &State, step: u8) -> Option<State> {
        let record = state.content(Name::Record).and_then(|content| self.tree.blocks.borrow().facts(content))?;
        let (outcome, after) = self.alone(state, Program::Login { secret: record.secret, step }, step);
        (outcome == Outcome::Accepted).then_some(after)
    }

    /// One process by itself, without a fault, to its end.
    fn alone(&mut self, state: &State, program: Program, step: u8) -> (Outcome, State) {
        let mut state = only_files(state);
        state.step = step;
        state.processes = [Process::new(self.tree.root(program, self.scenario.habit))].into_iter().collect();
        while state.processes[0].node != OVER {
            // The first answer is the one without a fault.
            let Some((next, _)) = self.perform(&state, 0).into_iter().next() else { return (Outcome::Refused(Kind::Other), state) };
            state = next;
        }
        (self.last.unwrap_or(Outcome::Maybe), only_files(&state))
    }
}

/// Something that others can see was changed.
fn has_changed(past: Past) -> bool {
    past.renamed_record || past.renamed_journal || past.unlinked_record || past.slots_written > 0
}

/// The files as the page cache has them, and nobody there.
fn only_files(state: &State) -> State {
    let mut state = State {
        base: state.dir,
        pending: Vec::new(),
        inodes: state.inodes.iter().map(|inode| crate::state::Inode { cache: inode.cache, platter: inode.cache }).collect(),
        lock: 0,
        holders: [NONE; 3],
        processes: std::iter::empty().collect(),
        ghost: Ghost::default(),
        budget: Budget::default(),
        step: 0,
        ..state.clone()
    };
    (state.dir.version, state.base.version) = (0, 0);
    state.tidy();
    state
}
