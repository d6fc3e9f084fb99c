//! Breadth-first through every state that a scenario can reach; each is met once, and the histories that lead through
//! it are counted afterwards.
#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::time::{Duration, Instant};

use countersign::rules::journal::Journal;

use crate::blocks::Content;
use crate::disk::{Name, Request};
use crate::key::Mixer;
use crate::people::Program;
use crate::records;
use crate::scenario::{Expected, Scenario, Start};
use crate::state::{Dir, Ghost, Inode, NONE, OVER, Process, State};
use crate::tree::Tree;
use crate::world::{Step, World};

pub struct Found {
    pub scenario: Scenario,
    pub states: usize,
    /// Orders of steps and faults from the start to a state in which all is over.
    pub histories: u128,
    pub took: Duration,
    pub violation: Option<(&'static str, Vec<String>)>,
}

impl Found {
    pub fn is_expected(&self) -> bool {
        self.violation.is_some() == (self.scenario.expected == Expected::Violation)
    }
}

/// No more states than these: a scenario that reaches them has not been searched.
const LIMIT: usize = 5_000_000;

pub fn search(tree: &mut Tree, scenario: &Scenario) -> Found {
    let began = Instant::now();
    let start = start(tree, scenario);
    let mut world = World { tree, scenario, memo: crate::checks::Memo::default(), last: None };
    let mut known: HashMap<u64, u32, Mixer> = HashMap::with_hasher(Mixer);
    let mut graph = Graph::default();
    known.insert(start.key(), 0);
    graph.states.push((0, 0));
    let mut queue = VecDeque::from([start]);
    let mut violation = None;
    while let Some(state) = queue.pop_front() {
        let from = graph.ends.len();
        if let Some(words) = world.fault(&state) {
            violation = Some((words, trace(&mut world, &graph, from)));
            break;
        }
        graph.over.push(state.is_over());
        for (order, (next, _)) in successors(&mut world, &state).into_iter().enumerate() {
            let number = u32::try_from(known.len()).unwrap();
            let to = *known.entry(next.key()).or_insert_with(|| {
                graph.states.push((u32::try_from(from).unwrap(), u16::try_from(order).unwrap()));
                queue.push_back(next);
                number
            });
            graph.edges.push(to);
        }
        graph.ends.push(graph.edges.len());
        if known.len() > LIMIT {
            violation = Some(("TOO MANY STATES: not searched to its end", Vec::new()));
            break;
        }
    }
    let histories = if violation.is_none() { graph.histories() } else { 0 };
    Found { scenario: scenario.clone(), states: known.len(), histories, took: began.elapsed(), violation }
}

/// Every next state, in an order that is always the same.
fn successors(world: &mut World<'_>, state: &State) -> Vec<(State, Step)> {
    let mut out = Vec::new();
    let mut moved = false;
    for who in 0..state.processes.len() {
        if state.processes[who].node != OVER {
            let before = out.len();
            world.advance(state, who, &mut out);
            moved |= out.len() > before && state.processes[who].started;
        }
    }
    let stuck = !moved && state.processes.iter().any(|process| process.started && process.node != OVER);
    world.befalls(state, &mut out);
    for (next, _) in &mut out {
        next.tidy();
        sort_twins(next, &world.scenario.processes);
    }
    if stuck {
        let mut next = state.clone();
        next.ghost.violation = Some("nobody can go on");
        out.push((next, Step::ClockOn));
    }
    out
}

/// Two logins of one kind: which is which does not matter.
fn sort_twins(state: &mut State, programs: &[Program]) {
    for first in 0..programs.len().saturating_sub(1) {
        let second = first + 1;
        if programs[first] == programs[second] && programs[first].is_login() && state.processes[first] > state.processes[second] {
            state.processes.swap(first, second);
            for holder in &mut state.holders {
                match usize::from(*holder) {
                    who if who == first => *holder = second as u8,
                    who if who == second => *holder = first as u8,
                    _ => {}
                }
            }
        }
    }
}

/// The step up to which a floor ahead refuses: past all that happens here.
const AHEAD: u8 = 200;

fn start(tree: &mut Tree, scenario: &Scenario) -> State {
    let (last, not_before) = match scenario.start {
        Start::LastAhead => (AHEAD, 0),
        Start::NotBeforeAhead | Start::BadAndAhead => (0, AHEAD),
        Start::BothAhead => (AHEAD, AHEAD),
        _ => (0, 0),
    };
    let last = records::at(last);
    let journal = Journal { sequence: 1, set: countersign::rules::journal::SetId(1), last, last_period: 30, ..Journal::default() };
    let mut record = records::fresh_record(1, 1, not_before);
    let mut ghost = Ghost { wrongs: Some(0), ..Ghost::default() };
    if scenario.start == Start::Confirmed {
        record.not_before = records::at(1) + 1;
        ghost.accepted = scenario.key(Program::Login { secret: 0, step: 1 }, 1);
    }
    let mut blocks = tree.blocks.borrow_mut();
    let record = blocks.blob(record.to_text().as_bytes());
    let mut file = |stands| blocks.journal(&Journal { record: stands, ..journal.clone() }.file(records::UID));
    let (with, beside_none) = (file(true), file(false));
    drop(blocks);
    let (record_stands, journal) = match scenario.start {
        Start::Enrolled | Start::Confirmed | Start::LastAhead | Start::NotBeforeAhead | Start::BothAhead => (true, Some(with)),
        Start::New => (false, None),
        Start::Gone => (false, Some(beside_none)),
        Start::Lost => (true, None),
        Start::Bad | Start::BadAndAhead => (true, Some(Content::DAMAGED)),
    };
    let contents = [(Name::Record, record_stands.then_some(record)), (Name::Journal, journal)];
    let (mut dir, mut inodes) = (Dir { names: [NONE; 4], version: u8::from(scenario.start != Start::New) }, Vec::new());
    for (name, content) in contents.into_iter().filter_map(|(name, content)| Some((name, content?))) {
        dir.names[name as usize] = inodes.len() as u8;
        inodes.push(Inode { cache: content, platter: content });
    }
    ghost.damaged = matches!(scenario.start, Start::Lost | Start::Bad | Start::BadAndAhead);
    ghost.stands = record_stands;
    ghost.records = if scenario.budget.restores > 0 { vec![record] } else { Vec::new() };
    State {
        dir,
        base: dir,
        pending: Vec::new(),
        inodes,
        lock: 0,
        holders: [NONE; 3],
        processes: scenario.processes.iter().map(|program| Process::new(tree.root(*program, scenario.habit))).collect(),
        ghost,
        budget: scenario.budget,
        step: scenario.steps.0,
        full: false,
    }
}

/// The states that were met: how each was first met, and where each leads.
#[derive(Default)]
struct Graph {
    states: Vec<(u32, u16)>,
    over: Vec<bool>,
    edges: Vec<u32>,
    ends: Vec<usize>,
}

impl Graph {
    fn next(&self, state: usize) -> &[u32] {
        let first = if state == 0 { 0 } else { self.ends[state - 1] };
        &self.edges[first..self.ends[state]]
    }

    /// How many ways lead from the start to states in which all is over: summed up from the end (no state leads back to
    /// itself: every step uses something up).
    fn histories(&self) -> u128 {
        const OPEN: u128 = u128::MAX;
        let mut ways = vec![None; self.ends.len()];
        let mut stack = vec![0_usize];
        while let Some(state) = stack.pop() {
            match ways[state] {
                None => {
                    ways[state] = Some(OPEN);
                    stack.push(state);
                    let open = self.next(state).iter().map(|next| *next as usize).filter(|next| ways[*next].is_none());
                    stack.extend(open);
                }
                Some(OPEN) => {
                    let sum = self.next(state).iter().fold(0_u128, |sum, next| {
                        let ways = ways[*next as usize].filter(|ways| *ways != OPEN);
                        sum.saturating_add(ways.expect("no state leads back to itself"))
                    });
                    ways[state] = Some(sum.saturating_add(u128::from(self.over[state])).min(OPEN - 1));
                }
                Some(_) => {}
            }
        }
        ways[0].unwrap_or(0)
    }
}

/// The way to a state, made anew from the start.
fn trace(world: &mut World<'_>, graph: &Graph, to: usize) -> Vec<String> {
    let mut way = Vec::new();
    let mut place = to;
    while place != 0 {
        let (from, order) = graph.states[place];
        way.push(usize::from(order));
        place = from as usize;
    }
    let mut state = start(world.tree, world.scenario);
    let mut lines = vec![describe(world, &state, None)];
    for order in way.into_iter().rev() {
        let (next, step) = successors(world, &state).swap_remove(order);
        lines.push(describe(world, &next, Some((step, &state))));
        state = next;
    }
    lines
}

fn describe(world: &World<'_>, state: &State, step: Option<(Step, &State)>) -> String {
    let mut text = match step {
        Some((Step::Process { who, request, answer }, before)) => {
            let program = world.scenario.processes[who];
            let next = state.processes[who].node;
            let then = if next == OVER { "ends".to_owned() } else { format!("next {:?}", world.tree.node(next).request) };
            let was = if before.processes[who].started { "" } else { "comes: " };
            format!("{program:?}#{who} {was}{}: {answer:?}; {then}", brief(request))
        }
        Some((Step::Kill(who), _)) => format!("KILL {:?}#{who}", world.scenario.processes[who]),
        Some((Step::BitFlip(slot), _)) => format!("BIT FLIP in slot {slot}"),
        Some((step, _)) => format!("{step:?}").to_uppercase(),
        None => "start".to_owned(),
    };
    let blocks = world.tree.blocks.borrow();
    for (title, dir) in [("cache", &state.dir), ("platter", &state.base)] {
        let _ = write!(text, "\n          {title:8}");
        for name in [Name::Record, Name::Journal] {
            let Some(inode) = dir.at(name) else { continue };
            let inode = state.inodes[usize::from(inode)];
            let content = if title == "cache" { inode.cache } else { inode.platter };
            if name == Name::Record {
                let _ = write!(text, "record {:?} ", blocks.facts(content));
            } else {
                for slot in [0, 1] {
                    let line = blocks.pair(Content::DAMAGED.with(slot, content.0[slot]));
                    let words = line.map(|pair| pair.journal).map(|journal| {
                        let last = (journal.last - records::at(0)) / 30;
                        format!(
                            "seq {} set {} spent {:x} last {last} stands {}",
                            journal.sequence, journal.set.0, journal.spent, journal.record
                        )
                    });
                    let _ = write!(text, "[{}] ", words.unwrap_or_else(|| "bad".to_owned()));
                }
            }
        }
    }
    text
}

fn brief(request: Request) -> String {
    match request {
        Request::WriteNew(..) => "WriteNew".to_owned(),
        Request::WriteSlot(_, slot, _) => format!("WriteSlot {slot}"),
        other => format!("{other:?}"),
    }
}
