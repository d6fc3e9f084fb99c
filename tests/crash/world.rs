//! What one request does to page cache and platter, with every way in which it can fail; and the rules left out.
#![forbid(unsafe_code)]

use crate::blocks::{Content, TORN};
use crate::disk::{Answer, Name, Opening, Request};
use crate::people::{Outcome, Program};
use crate::records::now;
use crate::scenario::{Rule, Scenario};
use crate::state::{Inode, LOCKS, NONE, State};
use crate::tree::{Past, Tree};

/// What happened, for the trace.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Process { who: usize, request: Request, answer: Answer },
    Kill(usize),
    PowerCut,
    BitFlip(usize),
    Damaged,
    Lost,
    RecordDeleted,
    RecordRestored,
    LockReplaced,
    CacheDropped,
    DiskFull,
    ClockOn,
}

pub struct World<'a> {
    pub tree: &'a mut Tree,
    pub scenario: &'a Scenario,
    pub memo: crate::checks::Memo,
    /// What the last process that ended said.
    pub last: Option<Outcome>,
}

impl World<'_> {
    /// One request of that process and whatever follows unseen, with every answer that the disk may give.
    pub fn advance(&mut self, state: &State, who: usize, out: &mut Vec<(State, Step)>) {
        let request = self.tree.node(state.processes[who].node).request;
        if self.waits(state, request) {
            return;
        }
        self.cut_short(state, who, request, out);
        let mut work = self.perform(state, who);
        while let Some((next, step)) = work.pop() {
            if self.is_unseen(&next, who) {
                let more = self.perform(&next, who);
                work.extend(more.into_iter().map(|(state, later)| (state, if is_failure(later) { later } else { step })));
            } else {
                out.push((next, step));
            }
        }
    }

    /// The power goes while a slot is being written: it is in the page cache, and on the platter old, new or torn.
    fn cut_short(&mut self, state: &State, who: usize, request: Request, out: &mut Vec<(State, Step)>) {
        let Request::WriteSlot(number, slot, line) = request else { return };
        if state.budget.cuts == 0 {
            return;
        }
        let node = *self.tree.node(state.processes[who].node);
        let mut state = state.clone();
        let file = state.processes[who].file(number);
        let old = state.inodes[usize::from(file)].cache;
        if let Some((slot, line)) = self.as_written(old, slot, line, node.past, &state.processes[who]) {
            self.foresee(&mut state, who, request);
            state.inode(file).cache = old.with(slot, line);
            crate::faults::power_cuts(&state, out);
        }
    }

    /// Where nobody replaces the lock, who can't have it does not even open it.
    fn waits(&self, state: &State, request: Request) -> bool {
        matches!(request, Request::Open(Name::Lock, _))
            && self.is_coarse()
            && state.is_locked()
            && state.budget.timeouts == 0
            && self.scenario.without != Some(Rule::Lock)
    }

    fn is_coarse(&self) -> bool {
        !self.scenario.fine && self.scenario.budget.locks == 0
    }

    /// Requests that commute with whatever others do: reads under the lock, and taking a lock that nobody replaces.
    fn is_unseen(&self, state: &State, who: usize) -> bool {
        let process = &state.processes[who];
        if process.node == crate::state::OVER {
            return false;
        }
        let node = self.tree.node(process.node);
        let inside = node.past.inside && !self.scenario.fine && !self.scenario.anytime;
        match node.request {
            Request::Begun | Request::Rest | Request::Holder => true,
            Request::Read(_) | Request::Stands(_) | Request::Open(_, Opening::Old) | Request::Clock => inside,
            Request::Stat(file) => inside || self.is_coarse() && process.file(file) >= LOCKS,
            Request::TryLock(_) | Request::LeadsTo(_) => self.is_coarse(),
            Request::Unlink(name) => inside && state.dir.at(name).is_none(),
            Request::SyncFolder => inside && state.pending.is_empty(),
            _ => false,
        }
    }

    /// One request with each of its answers.
    pub fn perform(&mut self, state: &State, who: usize) -> Vec<(State, Step)> {
        let node = *self.tree.node(state.processes[who].node);
        let mut state = state.clone();
        state.processes[who].started = true;
        self.foresee(&mut state, who, node.request);
        let answers = self.answers(&state, who, node.request, node.past, node.program);
        let step = |answer| Step::Process { who, request: node.request, answer };
        answers.into_iter().map(|(next, answer)| (self.answered(next, who, node.request, answer), step(answer))).collect()
    }

    /// The process goes on to its next request, or ends.
    fn answered(&mut self, mut state: State, who: usize, request: Request, answer: Answer) -> State {
        let process = &mut state.processes[who];
        process.node = self.tree.child(process.node, answer);
        let node = self.tree.node(process.node);
        process.keep(node.open);
        let next = node.request;
        if let Request::Close(_) = request {
            state.holders.iter_mut().filter(|holder| usize::from(**holder) == who).for_each(|holder| *holder = NONE);
        }
        if let Request::Ended(outcome) = next {
            self.ended(&mut state, who, outcome);
            state.end(who);
        }
        state
    }

    fn answers(&mut self, state: &State, who: usize, request: Request, past: Past, program: Program) -> Vec<(State, Answer)> {
        let file = |number: u8| state.processes[who].file(number);
        let same = |answer| vec![(state.clone(), answer)];
        match request {
            Request::Open(name, opening) => self.open(state, who, name, opening, past),
            Request::Stat(number) => self.read(state, self.stat(state, file(number))),
            Request::LeadsTo(number) => {
                self.read(state, Answer::Is(self.scenario.without == Some(Rule::Check) || file(number) == LOCKS + state.lock))
            }
            Request::Stands(name) => {
                let blind = self.scenario.without == Some(Rule::NoRecord) && is_enroll(program) && !past.begun;
                self.read(state, Answer::Is(state.dir.at(name).is_some() && !blind))
            }
            Request::TryLock(number) => self.try_lock(state, who, file(number) - LOCKS),
            Request::Rest => same(Answer::Is(false)),
            Request::Holder => same(Answer::Done),
            Request::Read(number) => {
                let content = state.inodes[usize::from(file(number))].cache;
                let content =
                    if state.dir.at(Name::Journal) == Some(file(number)) { self.as_read(state, content, past, program) } else { content };
                self.read(state, Answer::Content(content))
            }
            Request::WriteSlot(number, slot, line) => self.write_slot(state, who, file(number), (slot, line), past),
            Request::WriteNew(number, content) => self.write_new(state, file(number), content, program),
            Request::Sync(number) => self.sync(state, file(number), past),
            Request::Rename(from, to) => self.rename(state, from, to, program),
            Request::Unlink(name) => self.unlink(state, name),
            Request::SyncFolder => self.sync_folder(state, past, program),
            Request::Close(_) | Request::Begun => same(Answer::Done),
            Request::Clock => same(Answer::Time(now(state.step))),
            Request::Ended(_) => Vec::new(),
        }
    }

    fn read(&self, state: &State, answer: Answer) -> Vec<(State, Answer)> {
        let mut out = vec![(state.clone(), answer)];
        if self.scenario.reads_fail {
            out.extend(fails(state, libc::EIO));
        }
        out
    }

    fn open(&self, state: &State, who: usize, name: Name, opening: Opening, past: Past) -> Vec<(State, Answer)> {
        let opened = |state: &State, inode: u8| {
            let mut next = state.clone();
            next.processes[who].opened(past.opened, inode);
            next
        };
        match (opening, state.dir.names.get(name as usize).copied().filter(|inode| *inode != NONE)) {
            (Opening::Lock, _) => vec![(opened(state, LOCKS + state.lock), Answer::Done)],
            (Opening::Old, None) => self.read(state, Answer::Fails(libc::ENOENT)),
            (Opening::Old, Some(inode)) => {
                let mut out = vec![(opened(state, inode), Answer::Done)];
                if self.scenario.reads_fail {
                    out.extend(fails(state, libc::EIO));
                }
                out
            }
            (Opening::New, Some(_)) => {
                let mut next = state.clone();
                next.ghost.violation = Some("a stale new file is in the way");
                vec![(next, Answer::Fails(libc::EEXIST))]
            }
            (Opening::New, None) if state.full => vec![(state.clone(), Answer::Fails(libc::ENOSPC))],
            (Opening::New, None) => {
                let inode = u8::try_from(state.inodes.len()).unwrap();
                let mut next = opened(state, inode);
                next.inodes.push(Inode { cache: Content::EMPTY, platter: Content::EMPTY });
                next.change((name, inode), None);
                let mut out = vec![(next, Answer::Done)];
                out.extend(fails(state, libc::ENOSPC));
                out
            }
        }
    }

    fn stat(&self, state: &State, file: u8) -> Answer {
        if file >= LOCKS {
            return Answer::Stat { size: 0, links: u8::from(file == LOCKS + state.lock) };
        }
        let links = state.dir.names.iter().filter(|inode| **inode == file).count();
        let size = self.tree.blocks.borrow().size(state.inodes[usize::from(file)].cache);
        Answer::Stat { size, links: u8::try_from(links).unwrap() }
    }

    fn try_lock(&self, state: &State, who: usize, lock: u8) -> Vec<(State, Answer)> {
        let mut next = state.clone();
        let free = state.holders[usize::from(lock)] == NONE;
        if self.scenario.without == Some(Rule::Lock) {
            return vec![(next, Answer::Is(true))];
        }
        if free {
            next.holders[usize::from(lock)] = u8::try_from(who).unwrap();
            return vec![(next, Answer::Is(true))];
        }
        if state.budget.timeouts == 0 {
            return Vec::new();
        }
        next.budget.timeouts -= 1;
        vec![(next, Answer::Is(false))]
    }

    /// A slot in place: one system call that also syncs.
    fn write_slot(&mut self, state: &State, who: usize, file: u8, (slot, line): (usize, u32), past: Past) -> Vec<(State, Answer)> {
        let old = state.inodes[usize::from(file)];
        let Some((slot, line)) = self.as_written(old.cache, slot, line, past, &state.processes[who]) else {
            return vec![(state.clone(), Answer::Done)];
        };
        let outcome = |cache: u32, platter: u32, from: &State| {
            let mut next = from.clone();
            let inode = next.inode(file);
            inode.cache = old.cache.with(slot, cache);
            inode.platter = old.platter.with(slot, platter);
            next
        };
        let (was, lay) = (old.cache.0[slot], old.platter.0[slot]);
        let synced = if self.scenario.without == Some(Rule::Sync) { lay } else { line };
        let mut out = vec![(outcome(line, synced, state), Answer::Done)];
        if past.write_failed {
            // The old bytes go back on a disk that has just failed: it may fail once more.
            out.push((outcome(line, lay, state), Answer::Fails(libc::EIO)));
        } else if let Some((spent, answer)) = fails(state, libc::EIO) {
            for (cache, platter) in [(line, lay), (line, line), (line, TORN), (was, lay), (TORN, TORN), (TORN, lay)] {
                out.push((outcome(cache, platter, &spent), answer));
            }
        }
        out
    }

    fn write_new(&mut self, state: &State, file: u8, content: Content, program: Program) -> Vec<(State, Answer)> {
        if state.full {
            return vec![(state.clone(), Answer::Fails(libc::ENOSPC))];
        }
        let content = self.as_made(state, content, program);
        let written = |content: Content, from: &State| {
            let mut next = from.clone();
            next.inode(file).cache = content;
            next
        };
        let mut out = vec![(written(content, state), Answer::Done)];
        if let Some((spent, answer)) = fails(state, libc::ENOSPC) {
            out.push((written(content.with(0, TORN), &spent), answer));
            out.push((spent, answer));
        }
        out
    }

    fn sync(&mut self, state: &State, file: u8, past: Past) -> Vec<(State, Answer)> {
        if self.scenario.without == Some(Rule::NewSync) && past.opened_new_journal && !past.begun {
            return vec![(state.clone(), Answer::Done)];
        }
        let inode = state.inodes[usize::from(file)];
        let lies = |platter: Content, from: &State| {
            let mut next = from.clone();
            next.inode(file).platter = platter;
            next
        };
        let mut out = vec![(lies(inode.cache, state), Answer::Done)];
        if let Some((spent, answer)) = fails(state, libc::EIO) {
            for platter in [inode.platter, inode.cache, inode.cache.with(0, TORN), Content::DAMAGED] {
                out.push((lies(platter, &spent), answer));
            }
        }
        out
    }

    fn rename(&mut self, state: &State, from: Name, to: Name, program: Program) -> Vec<(State, Answer)> {
        let mut next = state.clone();
        let inode = state.dir.at(from).unwrap_or(NONE);
        next.change((from, NONE), Some((to, inode)));
        let content = state.inodes[usize::from(inode)].cache;
        if self.scenario.budget.restores > 0 && to == Name::Record && !next.ghost.records.contains(&content) {
            next.ghost.records.push(content);
        }
        if self.scenario.without == Some(Rule::Late) && to == Name::Record && is_enroll(program) {
            self.set_column_early(&mut next);
        }
        let mut out = vec![(next, Answer::Done)];
        out.extend(fails(state, libc::EIO));
        out
    }

    fn unlink(&self, state: &State, name: Name) -> Vec<(State, Answer)> {
        let is_new = matches!(name, Name::NewRecord | Name::NewJournal);
        if state.dir.at(name).is_none() || is_new && self.scenario.without == Some(Rule::Unlink) {
            return vec![(state.clone(), Answer::Done)];
        }
        let mut next = state.clone();
        next.change((name, NONE), None);
        let mut out = vec![(next, Answer::Done)];
        out.extend(fails(state, libc::EIO));
        out
    }

    /// A sync that fails leaves the names to chance, until the next one.
    fn sync_folder(&self, state: &State, past: Past, program: Program) -> Vec<(State, Answer)> {
        if self.skips_folder(state, past, program) {
            return vec![(state.clone(), Answer::Done)];
        }
        let mut next = state.clone();
        next.base = next.dir;
        next.pending.clear();
        let mut out = vec![(next, Answer::Done)];
        out.extend(fails(state, libc::EIO));
        out
    }
}

fn is_failure(step: Step) -> bool {
    matches!(step, Step::Process { answer: Answer::Fails(errno), .. } if errno != libc::ENOENT)
}

pub fn is_enroll(program: Program) -> bool {
    matches!(program, Program::Enroll { .. })
}

/// A failure out of the budget.
fn fails(state: &State, errno: i32) -> Option<(State, Answer)> {
    let mut next = state.clone();
    next.budget.errors = next.budget.errors.checked_sub(1)?;
    Some((next, Answer::Fails(errno)))
}
