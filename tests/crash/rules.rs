//! The rules left out: what a disk does, or hands out, that takes one of them away from the shipped code.
#![forbid(unsafe_code)]

use countersign::rules::journal::SetId;

use crate::blocks::Content;
use crate::disk::Name;
use crate::people::Program;
use crate::scenario::Rule;
use crate::state::{Process, State};
use crate::tree::Past;
use crate::world::{World, is_enroll};

impl World<'_> {
    fn lacks(&self, rule: Rule) -> bool {
        self.scenario.without == Some(rule)
    }

    /// The journal as a process is told that it stands.
    pub fn as_read(&self, state: &State, journal: Content, past: Past, program: Program) -> Content {
        let mut blocks = self.tree.blocks.borrow_mut();
        let record = state.content(Name::Record).and_then(|content| blocks.facts(content));
        let other_set = |set: SetId| record.filter(|facts| u64::from(facts.set) != set.0).map(|facts| SetId(facts.set.into()));
        if self.lacks(Rule::Floor) && program.is_login() {
            blocks.both(journal, |journal| {
                if other_set(journal.set).is_some() {
                    journal.last = 0;
                }
            })
        } else if self.lacks(Rule::Set) && program.is_login() {
            blocks.both(journal, |journal| journal.set = other_set(journal.set).unwrap_or(journal.set))
        } else if self.lacks(Rule::Lost) && is_enroll(program) && !past.begun {
            blocks.both(journal, |journal| journal.record = false)
        } else {
            journal
        }
    }

    /// Where a line goes, and as what; `None` if nowhere.
    pub fn as_written(&self, old: Content, slot: usize, line: u32, past: Past, process: &Process) -> Option<(usize, u32)> {
        let program = self.tree.node(process.node).program;
        let dropped = match self.scenario.without {
            Some(Rule::Flow) => program.is_change(),
            Some(Rule::Rollback) => past.write_failed,
            Some(Rule::Both) => program.is_login() && past.slots_written > 0,
            // No record was seen at its unlinking.
            Some(Rule::Slot) => matches!(program, Program::Reset(_)) && process.set == 0,
            Some(Rule::Column) => is_enroll(program),
            _ => false,
        };
        if dropped {
            return None;
        }
        let mut blocks = self.tree.blocks.borrow_mut();
        let Some(newest) = blocks.pair(old) else { return Some((slot, line)) };
        if self.lacks(Rule::Older) && !past.write_failed {
            let moved = blocks.moved(slot, line, newest.newest, |_| {});
            Some((newest.newest, moved))
        } else if self.lacks(Rule::Login) && program.is_login() {
            Some((slot, blocks.rewritten(slot, line, |journal| journal.record = newest.journal.record)))
        } else if self.lacks(Rule::Window) && program.is_unlock() {
            Some((slot, blocks.rewritten(slot, line, |journal| journal.last = 0)))
        } else {
            Some((slot, line))
        }
    }

    /// A new file's content.
    pub fn as_made(&self, state: &State, content: Content, program: Program) -> Content {
        let is_record = || self.tree.blocks.borrow().facts(content).is_some();
        if self.lacks(Rule::NotBefore) && program.is_unlock() && is_record() {
            return state.content(Name::Record).unwrap_or(content);
        }
        let anew = matches!(program, Program::Reset(_)) || program.is_unlock();
        if self.lacks(Rule::Anew) && anew && state.dir.at(Name::Record).is_none() {
            self.tree.blocks.borrow_mut().both(content, |journal| journal.record = false)
        } else {
            content
        }
    }

    /// Enroll's column, before the record is durable.
    pub fn set_column_early(&self, state: &mut State) {
        let Some(number) = state.dir.at(Name::Journal) else { return };
        let inode = state.inode(number);
        let mut blocks = self.tree.blocks.borrow_mut();
        inode.cache = blocks.both(inode.cache, |journal| journal.record = true);
        inode.platter = blocks.both(inode.platter, |journal| journal.record = true);
    }

    /// A sync of the folder that is not done and said to be.
    pub fn skips_folder(&self, state: &State, past: Past, program: Program) -> bool {
        let record_changed = past.renamed_record || past.unlinked_record;
        let good = state.content(Name::Journal).is_some_and(|content| self.tree.blocks.borrow().pair(content).is_some());
        match self.scenario.without {
            Some(Rule::Folder) => program.is_login(),
            Some(Rule::CommitFolder) => program.is_flow() && past.begun && !past.opened_new_record,
            Some(Rule::Answer) => record_changed,
            Some(Rule::Again) => program.is_unlock() && !past.opened_new_journal,
            Some(Rule::First) => !past.opened_new_journal && !past.begun && !good && !program.is_login(),
            _ => false,
        }
    }
}
