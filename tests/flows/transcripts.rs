//! What a person is told and asked in a flow, word by word, beside golden files: with the questions that only a user gets.

use std::cell::RefCell;
use std::path::Path;

use super::driver::{Enrolled, NOW, PASSWORD, World};
use super::person::Person;
use super::{Draws, Flow, options, run, told};

/// `COUNTERSIGN_BLESS=1` writes the files anew, `COUNTERSIGN_SHOW=1` prints each text and whether its file is the same.
fn compare(name: &str, found: &str) {
    let file = format!("tests/flows/{name}.txt");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if std::env::var_os("COUNTERSIGN_SHOW").is_some() {
        let beside = if found == expected { format!("same as {file}") } else { format!("{file}:\n{expected}") };
        println!("=== {name}, golden file {file}\n{found}{beside}");
    }
    assert!(found == expected, "{name}: found\n{found}\nexpected\n{expected}");
}

/// The talk, how it ended, and what the log has of it.
fn talk(world: &World, flow: Flow, mut person: Person<'_>, proof: Option<()>) -> String {
    let (random, log) = (Draws::new(u64::MAX), RefCell::default());
    let ended = run(world, flow, &mut person, proof, &options(flow), &|bytes| random.draw(bytes), &log);
    let ended = ended.map_or_else(|failure| told(&failure), |()| "done\n".to_owned());
    let log: String = log.take().iter().map(|line| format!("log: {line}\n")).collect();
    format!("{}{ended}{log}", person.transcript)
}

/// Each user's flow with the right password and the app's code.
#[test]
fn a_user_is_asked_for_the_password_and_a_code() {
    for flow in Flow::OF_USERS {
        let (world, alice) = flow.world();
        // The next code: where a flow went before, this one is used up.
        let code = alice.as_ref().map(|alice| alice.code(NOW + 30));
        let answers: Vec<&str> = [PASSWORD].into_iter().chain(code.as_deref()).collect();
        compare(&format!("user-{flow:?}").to_lowercase(), &talk(&world, flow, Person::answering(&answers), Some(())));
    }
}

#[test]
fn root_is_asked_for_neither() {
    for flow in Flow::ALL {
        let (world, _) = flow.world();
        let answers: &[&str] = if flow == Flow::Adopt { &["y"] } else { &[] };
        compare(&format!("root-{flow:?}").to_lowercase(), &talk(&world, flow, Person::answering(answers), None));
    }
}

#[test]
fn a_recovery_code_proves_as_much_and_is_used_up() {
    let (world, alice) = Flow::Replace.world();
    let answers = [PASSWORD, &alice.unwrap().recovery[3]];
    let talks = [
        talk(&world, Flow::Replace, Person::answering(&answers), Some(())),
        talk(&world, Flow::Recovery, Person::answering(&answers), Some(())),
    ];
    compare("recovery-code", &talks.join("---\n"));
}

#[test]
fn what_is_not_accepted_is_said_with_what_to_do() {
    let (world, alice) = Flow::Replace.world();
    let alice = alice.unwrap();
    let replace = |answers: &[&str]| talk(&world, Flow::Replace, Person::answering(answers), Some(()));
    let mut typo = alice.recovery[4].clone();
    let last = if typo.pop() == Some('2') { '3' } else { '2' };
    typo.push(last);
    let mut talks = vec![replace(&["wrong horse"]), replace(&[PASSWORD, "hello"]), replace(&[PASSWORD, &typo])];
    talks.push(talk(&world, Flow::Remove, Person::answering(&[PASSWORD]), Some(())));
    talks.push(replace(&[PASSWORD, &wrong(&alice)]));
    talks.extend(guesses(&world, &alice, 4));
    talks.push(replace(&[PASSWORD, &alice.code(NOW)]));
    compare("refused", &talks.join("---\n"));
}

fn wrong(alice: &Enrolled) -> String {
    alice.wrong_code(NOW)
}

/// So many wrong codes more: the last of them begins a wait.
fn guesses(world: &World, alice: &Enrolled, count: usize) -> Vec<String> {
    let one = || talk(world, Flow::Replace, Person::answering(&[PASSWORD, &wrong(alice)]), Some(()));
    (0..count).map(|_| one()).skip(count - 1).collect()
}

#[test]
fn what_stands_in_the_way_is_said_before_anything_is_asked() {
    let (world, _) = Flow::Add.world();
    let mut talks = Vec::new();
    let mut add = |label: Option<&str>, flow: Flow| {
        let random = Draws::new(u64::MAX);
        let options = super::options(flow);
        let options = countersign::flows::Options { label: label.map(str::to_owned), ..options };
        let mut person = Person::default();
        let ended = run(&world, flow, &mut person, None, &options, &|bytes| random.draw(bytes), &RefCell::default());
        talks.push(ended.map_or_else(|failure| person.transcript.clone() + &told(&failure), |()| format!("{flow:?}: done\n")));
    };
    add(Some("phone"), Flow::Add);
    add(Some("nothing"), Flow::Replace);
    for _ in 0..4 {
        add(None, Flow::Add);
    }
    add(None, Flow::Replace);
    add(Some("phone-3"), Flow::Replace);
    compare("in-the-way", &talks.join("---\n"));
}
