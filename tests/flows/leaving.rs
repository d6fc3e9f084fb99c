//! A flow that ends early, or that somebody else is quicker than: nothing of it is in force.

use std::cell::RefCell;

use countersign::flows::{Denial, Failure, Gone, Options, Why};
use countersign::store::{Ahead, Anew, Trouble};

use super::driver::{Enrolled, NOW, PASSWORD, World};
use super::person::Person;
use super::{Draws, Flow, flow, options, run, with_options};

/// Every flow as root runs it, and those of users with the proof that is asked of them.
fn cases() -> impl Iterator<Item = (Flow, Option<()>)> {
    Flow::ALL.into_iter().map(|flow| (flow, None)).chain(Flow::OF_USERS.into_iter().map(|flow| (flow, Some(()))))
}

/// Who answers rightly, and what stands before.
fn begun(which: Flow, proof: Option<()>) -> (World, Person<'static>) {
    let (world, alice) = which.world();
    let person = match proof {
        // The next code: where a flow went before, this one is used up.
        Some(()) => Person::answering(&[PASSWORD].into_iter().chain(code(alice.as_ref()).as_deref()).collect::<Vec<_>>()),
        None => Person::answering(answers(which)),
    };
    (world, person)
}

fn code(alice: Option<&Enrolled>) -> Option<String> {
    alice.map(|alice| alice.code(NOW + 30))
}

fn answers(flow: Flow) -> &'static [&'static str] {
    if flow == Flow::Adopt { &["y"] } else { &[] }
}

/// How many calls a whole flow makes.
fn calls(which: Flow, proof: Option<()>) -> usize {
    let (world, mut person) = begun(which, proof);
    flow(&world, which, &mut person, proof).unwrap();
    assert!(person.answers.is_empty(), "{which:?}");
    person.calls
}

/// The call at which a current code is asked for, if one is.
fn code_asked_at(which: Flow, proof: Option<()>) -> Option<usize> {
    if proof.is_none() || which == Flow::Enroll {
        return None;
    }
    let (world, _) = which.world();
    let mut person = Person::answering(&[PASSWORD, "no code"]);
    assert!(matches!(flow(&world, which, &mut person, proof).unwrap_err().why, Why::Denied(_)));
    Some(person.calls - 1)
}

/// What the store holds, but for the lock.
fn held(world: &World) -> Vec<(String, Vec<u8>)> {
    world.files().into_iter().filter(|(name, _)| !name.ends_with(".lock")).collect()
}

/// Nothing is changed: but for a first enrollment's empty journal, and for the code that was typed, which is used up.
fn assert_unchanged(world: &World, before: &[(String, Vec<u8>)], which: Flow, is_code_typed: bool, case: &str) {
    let (is, was): (Vec<_>, _) = (held(world), before.to_vec());
    let (journal, rest): (Vec<_>, Vec<_>) = is.into_iter().partition(|(name, _)| name == "1000.state");
    let (old_journal, old_rest): (Vec<_>, Vec<_>) = was.into_iter().partition(|(name, _)| name == "1000.state");
    assert!(rest == old_rest, "{case}");
    if which != Flow::Enroll {
        assert_eq!(journal != old_journal, is_code_typed, "{case}: the journal");
    }
}

#[test]
fn j_01_whenever_the_person_leaves_nothing_is_changed() {
    for (which, proof) in cases() {
        let code_asked_at = code_asked_at(which, proof);
        for leaves_at in 0..calls(which, proof) {
            let case = format!("{which:?} {proof:?} {leaves_at}");
            let (world, person) = begun(which, proof);
            let before = held(&world);
            let failure = flow(&world, which, &mut Person { leaves_at, ..person }, proof).unwrap_err();
            assert_eq!(failure.why, Why::Gone(Gone::Interrupted), "{case}");
            assert_unchanged(&world, &before, which, code_asked_at.is_some_and(|at| at < leaves_at), &case);
        }
    }
}

#[test]
fn e_09_without_random_bytes_nothing_is_changed() {
    for (which, proof) in cases() {
        let asks_code = code_asked_at(which, proof).is_some();
        // As many draws as the flow makes; a first enrollment draws the most.
        for draws in 0.. {
            let case = format!("{which:?} {proof:?} {draws}");
            let (world, mut person) = begun(which, proof);
            let before = held(&world);
            let random = Draws::new(draws);
            let ended = run(&world, which, &mut person, proof, &options(which), &|bytes| random.draw(bytes), &RefCell::default());
            match ended {
                Ok(()) => break,
                Err(Failure { why, .. }) => assert_eq!(why, Why::NoRandom, "{case}"),
            }
            assert_unchanged(&world, &before, which, asks_code && person.answers.is_empty(), &case);
            assert!(draws < 40, "{which:?}");
        }
    }
}

#[test]
fn j_10_a_flow_begun_before_a_reset_or_another_commit_changes_nothing() {
    for (which, proof) in cases() {
        let code_asked_at = code_asked_at(which, proof);
        for at in 0..calls(which, proof) {
            for other in [None, Some(Flow::Recovery), Some(Flow::Replace), Some(Flow::Rescue), Some(Flow::Adopt)] {
                // Where nobody is enrolled, and where the record bears another name, the other flows don't begin.
                let begins = match (which, other) {
                    (_, None) => true,
                    (Flow::Enroll, Some(_)) => false,
                    (Flow::Adopt, Some(other)) => other == Flow::Adopt,
                    (_, Some(other)) => other != Flow::Adopt,
                };
                if begins {
                    overtaken((which, proof), at, other, code_asked_at.is_some_and(|code| at <= code));
                }
            }
        }
    }
}

/// `None`: a reset. `before_code`: the current code is typed afterwards.
fn overtaken((which, proof): (Flow, Option<()>), at: usize, other: Option<Flow>, before_code: bool) {
    let case = format!("{which:?} {proof:?} {at} {other:?}");
    let (world, person) = begun(which, proof);
    let after = RefCell::new(Vec::new());
    let meddle = || {
        match other {
            None => drop(world.under_lock(1000, |locked| locked.reset(Anew { sequence: 1, now: NOW }, Ahead::Keep)).unwrap()),
            Some(other) => {
                let options = Options { label: Some("phone".to_owned()), ..options(other) };
                with_options(&world, other, &mut Person::answering(answers(other)), None, options).unwrap();
            }
        }
        *after.borrow_mut() = held(&world);
    };
    let mut person = Person { meddler: Some((at, &meddle)), ..person };
    let why = flow(&world, which, &mut person, proof).unwrap_err().why;
    match other {
        // The code is judged by what stands then: nothing, or the secret of a new phone.
        None if before_code => assert_eq!(why, Why::Trouble(Trouble::NotEnrolled), "{case}"),
        Some(Flow::Replace) if before_code => assert_eq!(why, Why::Denied(Denial::Wrong), "{case}"),
        _ => assert_eq!(why, Why::Trouble(Trouble::Changed), "{case}"),
    }
    let is_judged = before_code && other.is_some();
    assert_unchanged(&world, &after.borrow(), if which == Flow::Enroll { Flow::Adopt } else { which }, is_judged, &case);
}
