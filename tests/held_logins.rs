//! Logins that are held at the question and at the lock while the second factor is taken away, changed or made anew.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod driver;

use std::collections::HashSet;
use std::time::Duration;

use countersign::flows::{self, Author, Change, Dialogue, Gone, Kept, Made, Means, Options, Whom};
use countersign::rules::address::Entry;
use countersign::rules::totp::Parameters;
use countersign::store::{Ahead, Anew, Folder, Store};
use countersign::sys;
use driver::{Enrolled, NOW, Run, Running, World, answer};
use pam::constants::PamResultCode::PAM_SUCCESS;
use zeroize::Zeroizing;

const WHOM: Whom<'_> = Whom { uid: 1000, name: "alice", host: "web1", named: true };

/// Root at a program: nothing is asked, and all that is made is kept.
#[derive(Default)]
struct Program {
    secret: Vec<u8>,
    codes: Vec<String>,
}

impl Dialogue for Program {
    fn tell(&mut self, _: &str) -> Result<(), Gone> {
        Ok(())
    }

    fn ask(&mut self, question: &str, _: bool) -> Result<Zeroizing<Vec<u8>>, Gone> {
        panic!("{question}");
    }

    fn show(&mut self, _: &str) -> Result<(), Gone> {
        Ok(())
    }

    fn keep(&mut self, _: &str, _: &str) -> Result<Kept, Gone> {
        Ok(Kept::Shown)
    }

    fn done(&mut self, made: &Made<'_>) -> Result<(), Gone> {
        let codes = match made {
            Made::Authenticator(made) => {
                self.secret = made.new.secret.expose().to_vec();
                &made.new.codes.codes
            }
            Made::Codes(new) => &new.codes,
            Made::Rescue(_) | Made::Nothing => return Ok(()),
        };
        self.codes = codes.iter().map(|code| code.grouped().to_string()).collect();
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Reset,
    Disable,
    Recovery,
    Reenroll,
}

/// When the held logins go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    /// After the change.
    Question,
    /// They stand at the lock, and the change with them.
    Lock,
    /// They stand at the lock under which the record is removed.
    BehindAReset,
}

/// alice's factor at that time, changed by the flows.
struct Factor<'w> {
    store: Store<Folder>,
    world: &'w World,
    now: i64,
}

impl Factor<'_> {
    fn enroll(&self) -> Enrolled {
        let options = Options {
            change: Change::First,
            label: None,
            entry: Entry::new("web1", "alice"),
            parameters: Parameters::default(),
            secret: None,
            confirm: false,
            codes: 10,
            window: 1,
        };
        let mut program = Program::default();
        let made = self.flow(|means| flows::enroll(&mut program, means, &options).is_ok());
        assert!(made);
        Enrolled { uid: 1000, secret: program.secret, recovery: program.codes }
    }

    /// The change; what is in force afterwards.
    fn change(&self, way: Way, old: Enrolled) -> Option<Enrolled> {
        let mut program = Program::default();
        match way {
            Way::Reset => self.reset(),
            Way::Disable => {
                assert!(self.flow(|means| flows::disable(&mut program, means, None).is_ok()));
            }
            Way::Recovery => {
                assert!(self.flow(|means| flows::recovery(&mut program, means, 10, false).is_ok()));
                return Some(Enrolled { recovery: program.codes, ..old });
            }
            Way::Reenroll => {
                self.reset();
                return Some(self.enroll());
            }
        }
        None
    }

    fn reset(&self) {
        self.store.lock(1000).unwrap().reset(Anew { sequence: 1, now: self.now }, Ahead::Keep).unwrap();
    }

    fn flow<T>(&self, flow: impl FnOnce(&Means<'_, Folder>) -> T) -> T {
        let now = self.now;
        let world = flows::World { now: &|| now, random: &sys::random, clock_unsynchronised: &|| false, log: &|_| {} };
        let author = Author { by: "root".to_owned(), proof: None };
        flow(&Means { store: &self.store, whom: &WHOM, author: &author, world: &world })
    }

    /// A minute on, so that the app's code is a fresh one.
    fn login_time(&self) -> i64 {
        self.now + 60
    }

    fn at_the_question(&self, answers: &[String]) -> Vec<Running> {
        let login = |(number, typed): (usize, &String)| {
            let login = self.world.login("test").at(self.login_time()).answers(answer(typed).waits());
            if number % 2 == 0 { login } else { login.rhost("198.51.100.9") }.start()
        };
        let mut held: Vec<Running> = answers.iter().enumerate().map(login).collect();
        held.iter_mut().for_each(|login| drop(login.at_question()));
        held
    }
}

/// Of the app two codes, one of them twice; of the paper three, one of them three times.
fn answers(factor: &Factor<'_>, old: &Enrolled) -> Vec<String> {
    let app = [0, 0, -30].map(|later| old.code(factor.login_time() + later));
    let paper = [0, 0, 0, 1, 2].map(|number: usize| old.recovery[number].clone());
    app.into_iter().chain(paper).collect()
}

fn rounds() -> usize {
    std::env::var("COUNTERSIGN_ROUNDS").ok().map_or(96, |rounds| rounds.parse().unwrap())
}

#[test]
fn j_09_no_code_of_a_removed_record_and_no_code_twice_opens_for_logins_that_were_held() {
    let world = World::new();
    let store = || Store::new(Folder::open(world.store().to_str().unwrap()).unwrap());
    let ways = [Way::Reset, Way::Recovery, Way::Reenroll, Way::Disable];
    let holds = [Held::Question, Held::Lock, Held::BehindAReset];
    let mut in_force: Option<Enrolled> = None;
    let mut accepted = HashSet::new();
    for round in 0..rounds() {
        let factor = Factor { store: store(), world: &world, now: NOW + 90 * i64::try_from(round).unwrap() };
        let (held, way) = (holds[round % 3], ways[round / 3 % 4]);
        let old = in_force.take().unwrap_or_else(|| factor.enroll());
        let answers = answers(&factor, &old);
        // Of all that was typed, what the change takes away.
        let dead: Vec<String> = if way == Way::Recovery && held != Held::BehindAReset { answers[3..].to_vec() } else { answers.clone() };
        let logins = factor.at_the_question(&answers);
        let runs = match held {
            Held::Question => {
                in_force = factor.change(way, old);
                go_on(logins)
            }
            Held::Lock => {
                let other = Factor { store: store(), ..factor };
                let lock = factor.store.lock(1000).unwrap();
                std::thread::scope(|scope| {
                    let change = scope.spawn(|| other.change(way, old));
                    let runs = scope.spawn(|| go_on(logins));
                    std::thread::sleep(Duration::from_millis(60));
                    drop(lock);
                    in_force = change.join().unwrap();
                    runs.join().unwrap()
                })
            }
            Held::BehindAReset => {
                let lock = factor.store.lock(1000).unwrap();
                std::thread::scope(|scope| {
                    let runs = scope.spawn(|| go_on(logins));
                    std::thread::sleep(Duration::from_millis(60));
                    lock.reset(Anew { sequence: 1, now: factor.now }, Ahead::Keep).unwrap();
                    drop(lock);
                    runs.join().unwrap()
                })
            }
        };
        let after_the_change = held != Held::Lock;
        for (typed, run) in answers.iter().zip(&runs).filter(|(_, run)| *run.code() == PAM_SUCCESS) {
            assert!(!(after_the_change && dead.contains(typed)), "{round} {held:?} {way:?}: a removed code opened: {run:#?}");
            assert!(accepted.insert((round, typed.clone())), "{round} {held:?} {way:?}: twice: {run:#?}");
        }
        // Whatever the order was: from now on none of them opens.
        let later = world.login("test").attempts(dead.iter().map(|typed| answer(typed).at(factor.login_time()))).run_anyhow();
        assert!(later.codes.iter().all(|(_, code)| *code != PAM_SUCCESS), "{round} {held:?} {way:?}: {later:#?}");
        if let Some(new) = &in_force {
            let run = world.login("test").at(factor.login_time()).types(&new.recovery[9]).run();
            assert_eq!(*run.code(), PAM_SUCCESS, "{round} {held:?} {way:?}: what is in force opens: {run:#?}");
        }
    }
    assert!(!accepted.is_empty(), "some were quicker than the change");
}

fn go_on(mut logins: Vec<Running>) -> Vec<Run> {
    logins.iter_mut().for_each(Running::go_on);
    logins.into_iter().map(Running::end).collect()
}
