//! What the shipped code does, learned: for each process a tree of requests and answers.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use countersign::store::Store;

use crate::blocks::Blocks;
use crate::disk::{Answer, Name, Opening, Request, Run, Sim};
use crate::key::Mixer;
use crate::people::{self, Habit, Program};

pub type NodeId = u32;

/// What a process has done so far, as far as a rule or a check asks.
#[derive(Clone, Copy, Default, Debug)]
pub struct Past {
    /// Between the look that the lock's name still leads to it, and its closing.
    pub inside: bool,
    /// How many files it has opened: the next one's number.
    pub opened: u8,
    pub begun: bool,
    pub opened_new_record: bool,
    pub opened_new_journal: bool,
    pub renamed_record: bool,
    pub renamed_journal: bool,
    pub unlinked_record: bool,
    /// A write of a slot has failed, and its old bytes are not back yet.
    pub write_failed: bool,
    pub slots_written: u8,
}

#[derive(Clone, Copy)]
pub struct Node {
    pub request: Request,
    pub past: Past,
    /// A bit for each file that is open.
    pub open: u16,
    pub program: Program,
    habit: Habit,
    parent: Option<(NodeId, Answer)>,
}

pub struct Tree {
    pub blocks: Rc<RefCell<Blocks>>,
    nodes: Vec<Node>,
    roots: HashMap<(Program, Habit), NodeId>,
    children: HashMap<(NodeId, Answer), NodeId, Mixer>,
}

impl Tree {
    pub fn new() -> Self {
        let blocks = Rc::new(RefCell::new(Blocks::new()));
        Self { blocks, nodes: Vec::new(), roots: HashMap::new(), children: HashMap::with_hasher(Mixer) }
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    pub fn root(&mut self, program: Program, habit: Habit) -> NodeId {
        if let Some(root) = self.roots.get(&(program, habit)) {
            return *root;
        }
        let root = self.learn(program, habit, None, Past::default());
        self.roots.insert((program, habit), root);
        root
    }

    /// The node that this answer leads to.
    pub fn child(&mut self, id: NodeId, answer: Answer) -> NodeId {
        if let Some(child) = self.children.get(&(id, answer)) {
            return *child;
        }
        let node = *self.node(id);
        let past = node.past.then(node.request, answer);
        let child = self.learn(node.program, node.habit, Some((id, answer)), past);
        self.children.insert((id, answer), child);
        child
    }

    /// Runs the shipped code over the answers on the way, to see what it asks next.
    fn learn(&mut self, program: Program, habit: Habit, parent: Option<(NodeId, Answer)>, past: Past) -> NodeId {
        let mut script = Vec::new();
        let mut way = parent;
        while let Some((id, answer)) = way {
            script.push(answer);
            way = self.node(id).parent;
        }
        script.reverse();
        let run = Rc::new(RefCell::new(Run::new(script)));
        let outcome = people::run(program, habit, &Store::new(Sim::new(Rc::clone(&run), Rc::clone(&self.blocks))));
        let run = run.borrow();
        self.nodes.push(Node { request: run.request(outcome), past, open: run.open, program, habit, parent });
        NodeId::try_from(self.nodes.len() - 1).unwrap()
    }
}

impl Past {
    fn then(self, request: Request, answer: Answer) -> Self {
        let failed = matches!(answer, Answer::Fails(_));
        let mut next = self;
        match request {
            Request::LeadsTo(_) => next.inside = answer == Answer::Is(true),
            Request::Close(_) => next.inside = false,
            Request::Open(name, opening) if !failed => {
                next.opened += 1;
                next.opened_new_record |= name == Name::NewRecord && opening == Opening::New;
                next.opened_new_journal |= name == Name::NewJournal && opening == Opening::New;
            }
            Request::Begun => next.begun = true,
            Request::Rename(_, Name::Record) if !failed => next.renamed_record = true,
            Request::Rename(_, Name::Journal) if !failed => next.renamed_journal = true,
            Request::Unlink(Name::Record) if !failed => next.unlinked_record = true,
            Request::WriteSlot(..) => {
                next.write_failed = failed && !self.write_failed;
                next.slots_written += u8::from(!failed);
            }
            _ => {}
        }
        next
    }
}
