//! What befalls the world between two requests: kills, power cuts, flipped bits, hands.
#![forbid(unsafe_code)]

use crate::blocks::{Content, TORN};
use crate::disk::Name;
use crate::scenario::Rule;
use crate::state::{Inode, NONE, OVER, State};
use crate::world::{Step, World};

impl World<'_> {
    /// Kill, power cut, and what hands do.
    pub fn befalls(&mut self, state: &State, out: &mut Vec<(State, Step)>) {
        for (who, process) in state.processes.iter().enumerate() {
            let holds = state.holders.iter().any(|holder| usize::from(*holder) == who);
            let holds = holds || self.scenario.without == Some(Rule::Lock) && process.started;
            if state.budget.kills > 0 && holds && process.node != OVER {
                // Rule 4's one gap: a kill between a failed write and the old bytes.
                if self.scenario.gap || !self.tree.node(process.node).past.write_failed {
                    let mut next = state.clone();
                    next.budget.kills -= 1;
                    next.end(who);
                    out.push((next, Step::Kill(who)));
                }
            }
        }
        if state.budget.cuts > 0 {
            power_cuts(state, out);
        }
        let free = self.scenario.anytime || !state.is_locked();
        if free {
            self.hands(state, out);
        }
        if state.is_quiet() {
            self.quiet(state, out);
        }
        let mut event = |step, change: &dyn Fn(&mut State)| {
            let mut next = state.clone();
            change(&mut next);
            out.push((next, step));
        };
        if state.step < self.scenario.steps.1 {
            event(Step::ClockOn, &|next| next.step += 1);
        }
        if state.budget.fulls > 0 {
            event(Step::DiskFull, &|next| {
                next.budget.fulls -= 1;
                next.full = true;
            });
        }
    }

    /// What is done to the files from outside.
    fn hands(&mut self, state: &State, out: &mut Vec<(State, Step)>) {
        let mut event = |step, change: &dyn Fn(&mut State)| {
            let mut next = state.clone();
            change(&mut next);
            out.push((next, step));
        };
        let journal = state.content(Name::Journal);
        let whole = journal.is_some_and(|content| self.tree.blocks.borrow().of_journal(content, |pair| pair.is_some()));
        if state.budget.damages > 0 && whole {
            event(Step::Damaged, &|next| {
                next.budget.damages -= 1;
                let inode = next.dir.names[Name::Journal as usize];
                *next.inode(inode) = Inode { cache: Content::DAMAGED, platter: Content::DAMAGED };
                next.ghost.damaged = true;
            });
            event(Step::Lost, &|next| {
                next.budget.damages -= 1;
                next.change((Name::Journal, NONE), None);
                next.ghost.damaged = true;
                next.ghost.stands &= next.dir.at(Name::Record).is_some();
            });
        }
        if state.budget.deletes > 0 && state.dir.at(Name::Record).is_some() {
            event(Step::RecordDeleted, &|next| {
                next.budget.deletes -= 1;
                next.change((Name::Record, NONE), None);
                next.ghost.taken = true;
                next.ghost.stands &= next.dir.at(Name::Journal).is_some();
            });
        }
        if state.budget.locks > 0 {
            event(Step::LockReplaced, &|next| {
                next.budget.locks -= 1;
                next.lock += 1;
            });
        }
    }

    /// What is told apart only while nobody is under way.
    fn quiet(&mut self, state: &State, out: &mut Vec<(State, Step)>) {
        let journal = state.dir.at(Name::Journal).map(|inode| (inode, state.inodes[usize::from(inode)]));
        let flips = state.budget.flips > 0 && (!self.scenario.flips_later || state.step >= state.ghost.accepted_at + 3);
        if let Some((number, inode)) = journal.filter(|(_, inode)| flips && inode.cache == inode.platter) {
            for slot in [0, 1].into_iter().filter(|slot| inode.cache.0[*slot] != TORN) {
                let mut next = state.clone();
                next.budget.flips -= 1;
                let content = inode.cache.with(slot, TORN);
                *next.inode(number) = Inode { cache: content, platter: content };
                next.ghost.damaged |= content == Content::DAMAGED;
                out.push((next, Step::BitFlip(slot)));
            }
        }
        // A page whose write failed may go: readers then see the platter.
        let erred = state.budget.errors < self.scenario.budget.errors && self.scenario.without != Some(Rule::Sync);
        if let Some((number, inode)) = journal.filter(|(_, inode)| erred && inode.cache != inode.platter) {
            let mut next = state.clone();
            *next.inode(number) = Inode { cache: inode.platter, platter: inode.platter };
            out.push((next, Step::CacheDropped));
        }
        if state.budget.restores > 0 && state.pending.is_empty() {
            for content in state.ghost.records.iter().filter(|content| Some(**content) != state.content(Name::Record)) {
                let mut next = state.clone();
                next.budget.restores -= 1;
                next.inodes.push(Inode { cache: *content, platter: *content });
                next.change((Name::Record, u8::try_from(state.inodes.len()).unwrap()), None);
                next.base = next.dir;
                next.pending.clear();
                out.push((next, Step::RecordRestored));
            }
        }
    }
}

/// What was not synced is old, new or torn; each change of names that was not synced is on the platter or not.
pub fn power_cuts(state: &State, out: &mut Vec<(State, Step)>) {
    let under_way = state.processes.iter().any(|process| process.started && process.node != OVER);
    if !under_way && state.pending.is_empty() && state.inodes.iter().all(|inode| inode.cache == inode.platter) {
        return;
    }
    let mut dirs = Vec::new();
    for part in 0_u32..1 << state.pending.len() {
        let mut dir = state.base;
        for (place, change) in state.pending.iter().enumerate() {
            if part & (1 << place) != 0 {
                dir.apply(*change);
            }
        }
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    for dir in dirs {
        let mut next = state.clone();
        next.budget.cuts -= 1;
        (next.dir, next.base) = (dir, dir);
        next.pending.clear();
        next.holders = [NONE; 3];
        for who in 0..next.processes.len() {
            if next.processes[who].started {
                next.end(who);
            }
        }
        let no_journal = dir.at(Name::Journal).is_none();
        next.ghost.stands &= !(no_journal && next.ghost.damaged);
        next.tidy();
        let mut worlds = vec![next];
        for number in 0..worlds[0].inodes.len() {
            let inode = worlds[0].inodes[number];
            let after = |world: &State, content| {
                let mut world = world.clone();
                world.inodes[number] = Inode { cache: content, platter: content };
                world
            };
            worlds = worlds.iter().flat_map(|world| survivors(inode).into_iter().map(|content| after(world, content))).collect();
        }
        out.extend(worlds.into_iter().map(|world| (world, Step::PowerCut)));
    }
}

/// What a file may hold after a power cut.
fn survivors(inode: Inode) -> Vec<Content> {
    let (cache, platter) = (inode.cache, inode.platter);
    if cache == platter {
        return vec![cache];
    }
    if platter == Content::EMPTY || cache == Content::EMPTY {
        return vec![cache, platter, cache.with(0, TORN), Content::DAMAGED];
    }
    let choices = |slot: usize| {
        let (new, old) = (cache.0[slot], platter.0[slot]);
        if new == old { vec![new] } else { vec![new, old, TORN] }
    };
    choices(0).into_iter().flat_map(|first| choices(1).into_iter().map(move |second| Content([first, second]))).collect()
}
