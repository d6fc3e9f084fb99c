//! Changes of a second factor as functions over a `Dialogue`, with a scripted person, as the tool and a service run them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests"
)]

#[path = "../driver/mod.rs"]
mod driver;

mod criteria;
mod leaving;
mod person;
mod transcripts;

use std::cell::{Cell, RefCell};

use countersign::flows::{self, Author, Change, Failure, Means, Options, Proof, Whom, refusal};
use countersign::rules::address::Entry;
use countersign::rules::audit::{Event, Login};
use countersign::rules::code;
use countersign::rules::fields::Format;
use countersign::rules::journal::Source;
use countersign::rules::judge::Finding;
use countersign::rules::throttle::Lane;
use countersign::rules::totp::Parameters;
use countersign::store::{Folder, Store, Trouble};
use countersign::sys::RandomFailed;
use countersign::verify::{self, Checked, Question};

use driver::{Enrolled, NOW, PASSWORD, World};
use person::Person;

pub const ALICE: Whom<'_> = Whom { uid: 1000, name: "alice", host: "web1", named: false };

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    Enroll,
    Add,
    Replace,
    Recovery,
    Remove,
    Disable,
    Rescue,
    Adopt,
}

impl Flow {
    pub const ALL: [Self; 8] =
        [Self::Enroll, Self::Add, Self::Replace, Self::Recovery, Self::Remove, Self::Disable, Self::Rescue, Self::Adopt];
    /// Those that a user may run.
    pub const OF_USERS: [Self; 6] = [Self::Enroll, Self::Add, Self::Replace, Self::Recovery, Self::Remove, Self::Disable];

    /// What has to stand before: two authenticators, another name, nobody.
    pub fn world(self) -> (World, Option<Enrolled>) {
        let world = World::new();
        if self == Self::Enroll {
            return (world, None);
        }
        let alice = world.enroll_as(if self == Self::Adopt { "alicia" } else { "alice" }, 1000, &[7; 20]);
        if self == Self::Remove {
            flow(&world, Self::Add, &mut Person::default(), None).unwrap();
        }
        (world, Some(alice))
    }
}

/// A person's own proof, with the right password; else root.
pub fn flow(world: &World, flow: Flow, person: &mut Person<'_>, proof: Option<()>) -> Result<(), Failure> {
    with_options(world, flow, person, proof, options(flow))
}

pub fn options(flow: Flow) -> Options {
    Options {
        change: match flow {
            Flow::Add => Change::Add,
            Flow::Replace => Change::Replace,
            _ => Change::First,
        },
        label: (flow == Flow::Add).then(|| "tablet".to_owned()),
        entry: Entry::new("web1", "alice"),
        parameters: Parameters::default(),
        secret: None,
        confirm: true,
        codes: 10,
        window: 1,
    }
}

pub fn with_options(world: &World, flow: Flow, person: &mut Person<'_>, proof: Option<()>, options: Options) -> Result<(), Failure> {
    run(world, flow, person, proof, &options, &countersign::sys::random, &RefCell::default())
}

pub fn run(
    world: &World,
    flow: Flow,
    person: &mut Person<'_>,
    proof: Option<()>,
    options: &Options,
    random: &dyn Fn(&mut [u8]) -> Result<(), RandomFailed>,
    log: &RefCell<Vec<String>>,
) -> Result<(), Failure> {
    let store = store(world);
    let write = |event: &Event<'_>| log.borrow_mut().extend(event.lines(&login(), Format::Text).into_iter().map(|line| line.text));
    let outside = flows::World { now: &|| NOW, random, clock_unsynchronised: &|| false, log: &write };
    let password = |typed: &[u8]| typed == PASSWORD.as_bytes();
    let proof = proof.map(|()| Proof { password: &password, window: 1, from: Source::new(b"countersignd") });
    let by = if proof.is_some() { "alice" } else { "root (bob)" }.to_owned();
    let author = Author { by, proof };
    let means = Means { store: &store, whom: &ALICE, author: &author, world: &outside };
    match flow {
        Flow::Enroll | Flow::Add | Flow::Replace => flows::enroll(person, &means, options).map(drop),
        Flow::Recovery => flows::recovery(person, &means, options.codes, options.confirm).map(drop),
        Flow::Remove => flows::remove(person, &means, "phone").map(drop),
        Flow::Disable => flows::disable(person, &means, None).map(drop),
        Flow::Rescue => flows::rescue(person, &means, 1800).map(drop),
        Flow::Adopt => flows::adopt(person, &means).map(drop),
    }
}

fn login() -> Login<'static> {
    Login {
        user: Some(b"alice"),
        uid: Some(1000),
        service: b"countersignd",
        tty: b"",
        ruser: b"",
        rhost: b"",
        real_uid: 0,
        effective_uid: 0,
        logname: b"",
        lane: Lane::Own,
        unsynchronised: false,
    }
}

pub fn store(world: &World) -> Store<Folder> {
    Store::new(Folder::open(world.store().to_str().unwrap()).unwrap())
}

/// Random bytes that are the same in every run, for so many draws.
pub struct Draws {
    left: Cell<u64>,
    drawn: Cell<u64>,
}

impl Draws {
    pub fn new(left: u64) -> Self {
        Self { left: Cell::new(left), drawn: Cell::new(0x9e37_79b9_7f4a_7c15) }
    }

    pub fn draw(&self, bytes: &mut [u8]) -> Result<(), RandomFailed> {
        self.left.set(self.left.get().checked_sub(1).ok_or(RandomFailed)?);
        for byte in bytes {
            // An xorshift: the bytes only have to differ.
            let mut next = self.drawn.get();
            next ^= next << 13;
            next ^= next >> 7;
            next ^= next << 17;
            self.drawn.set(next);
            *byte = next.to_le_bytes()[4];
        }
        Ok(())
    }
}

/// What becomes of an answer at that time, as at a login from elsewhere.
pub fn judged(world: &World, answer: &str, now: i64) -> Result<Finding, Trouble> {
    let question =
        Question { uid: 1000, names: &["alice"], lane: Lane::Remote, from: Source::new(b"192.0.2.7"), window: 1, shows_notices: true };
    match verify::verify(&store(world), &question, code::read(answer.as_bytes()), || now)? {
        Checked::Settled { verdict, .. } => Ok(verdict.finding),
        Checked::Typo | Checked::Malformed => panic!("{answer} is no code"),
    }
}

pub fn lets_in(world: &World, answer: &str, now: i64) -> bool {
    matches!(judged(world, answer, now), Ok(Finding::Accepted(_)))
}

/// The sentence of a failure.
pub fn told(failure: &Failure) -> String {
    refusal::flow(failure, &ALICE, &Entry::new("web1", "alice"), "/var/lib/countersign").line("countersign-setup: ")
}
