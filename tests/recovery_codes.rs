//! Recovery codes and rescue codes at the door: once, forgiving of how they are typed, never charged for a typing error.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use countersign::rules::code::{RecoveryCode, Slot};
use countersign::rules::record::{Rescue, StoredCode};
use countersign::rules::recovery::Hashed;
use driver::{Answer, Enrolled, NOW, Run, World, answer, at_once};
use pam::constants::PamResultCode::{PAM_AUTH_ERR, PAM_SUCCESS};

const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TYPO: &str = "\ncountersign: typing error in the recovery code, not counted; type it again";
const USED: &str = "\ncountersign: recovery code already used, take another";

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll("alice");
    (world, alice)
}

fn attempt(world: &World, typed: impl AsRef<[u8]>) -> Run {
    world.login("test").types(typed).run()
}

fn made(slot: u8, symbols: [u8; 14]) -> RecoveryCode {
    RecoveryCode::made(Slot::new(slot).unwrap(), &symbols)
}

/// One more code of alice's set, as it is printed; with a beginning and an end it is a rescue code.
fn add(world: &World, code: &RecoveryCode, valid: Option<(i64, i64)>) -> String {
    let rescue = valid.map(|(created_at, not_after)| Rescue { not_after, created_at, created_by: "root (bob)".to_owned() });
    let stored = StoredCode { slot: code.slot(), hashed: Hashed::new(code, [9; 16]).unwrap(), rescue };
    world.change_record(1000, |record| {
        record.recovery.codes.retain(|other| other.slot != code.slot());
        record.recovery.codes.push(stored);
    });
    code.grouped().to_string()
}

#[test]
fn k_01_of_eight_logins_at_once_with_one_recovery_code_one_gets_in() {
    for _ in 0..2 {
        let (world, alice) = enrolled();
        for recovery in &alice.recovery {
            let login = |number: u32| {
                let login = world.login("test").answers(answer(recovery).waits());
                if number.is_multiple_of(2) { login } else { login.rhost("198.51.100.9") }
            };
            let runs = at_once((0..8).map(login));
            assert_eq!(runs.iter().filter(|run| *run.code() == PAM_SUCCESS).count(), 1, "{runs:#?}");
            for run in runs.iter().filter(|run| *run.code() != PAM_SUCCESS) {
                assert_eq!((run.code(), run.ends(), run.messages()), (&PAM_AUTH_ERR, vec!["replay"], vec![USED]));
            }
        }
        assert_eq!(world.journal(1000).spent.count_ones(), 10);
    }
}

#[test]
fn k_02_every_wrong_symbol_and_every_swap_of_neighbours_is_a_typing_error_and_not_charged() {
    let (world, _) = enrolled();
    let code = add(&world, &made(11, [3, 17, 30, 0, 1, 9, 31, 22, 5, 12, 28, 7, 19, 2]), None).replace('-', "");
    let symbols: Vec<char> = code.chars().collect();
    let mut typos: Vec<String> = Vec::new();
    for (place, right) in symbols.iter().enumerate() {
        for wrong in ALPHABET.chars().filter(|wrong| wrong != right) {
            let mut typed = symbols.clone();
            typed[place] = wrong;
            typos.push(typed.into_iter().collect());
        }
    }
    for place in 1..symbols.len() {
        let mut typed = symbols.clone();
        typed.swap(place - 1, place);
        assert_ne!(typed, symbols);
        typos.push(typed.into_iter().collect());
    }
    assert_eq!(typos.len(), 16 * 31 + 15);
    let before = world.files();
    let run = world.login("test").attempts(typos.iter().map(answer)).run();
    assert_eq!(run.ends(), vec!["typo"; typos.len()]);
    assert_eq!(run.messages(), vec![TYPO; typos.len()]);
    assert!(run.codes.iter().all(|(_, code)| *code == PAM_AUTH_ERR));
    assert_eq!(world.files(), before);
    assert_eq!(*attempt(&world, code).code(), PAM_SUCCESS);
}

#[test]
fn k_03_case_spaces_hyphens_and_likenesses_are_forgiven() {
    let (world, _) = enrolled();
    let typed: [fn(&str) -> String; 9] = [
        str::to_lowercase,
        |code| code.replace('-', ""),
        |code| code.replace('-', " "),
        |code| format!("  {}\t ", code.to_lowercase().replace('-', " - ")),
        |code| code.replace('1', "I"),
        |code| code.replace('1', "l"),
        |code| code.replace('0', "O"),
        |code| code.replace('0', "o").replace('1', "i").replace('-', ""),
        |code| code.chars().flat_map(|symbol| [symbol, ' ']).collect(),
    ];
    for (slot, typed) in (1..).zip(typed) {
        let code = add(&world, &made(slot, [0, 1, slot, 1, 0, 20, 30, 1, 1, 0, 0, 7, 1, 0]), None);
        let typed = typed(&code);
        assert_ne!(typed, code);
        assert_eq!(*attempt(&world, &typed).code(), PAM_SUCCESS, "{typed}");
        assert_eq!(attempt(&world, &code).ends(), ["replay"], "{code}");
    }
    let code = add(&world, &made(11, [27; 14]), None);
    assert_eq!(code.matches('V').count(), 14);
    assert_eq!(attempt(&world, code.replacen('V', "U", 1)).ends(), ["malformed"]);
    assert_eq!(attempt(&world, code.replace('V', "u")).ends(), ["malformed"]);
    assert_eq!(*attempt(&world, code).code(), PAM_SUCCESS);
}

#[test]
fn k_04_the_count_left_is_told_with_a_warning_from_three_on_and_at_none_the_app_still_works() {
    let (world, alice) = enrolled();
    for (left, recovery) in (0..10).rev().zip(&alice.recovery) {
        let run = attempt(&world, recovery);
        assert_eq!(*run.code(), PAM_SUCCESS, "{run:#?}");
        assert!(run.logged()[0].ends_with(&format!(" codes_left={left}")), "{run:#?}");
        let wanted = match left {
            0 => "\ncountersign: LAST recovery code used; new ones: countersign-setup recovery\
                  \ncountersign: phone lost? ask an administrator for a reset"
                .to_owned(),
            1..=3 => format!(
                "\ncountersign: recovery code used 2026-11-24 09:20 UTC, {left} left\ncountersign: new ones: countersign-setup recovery"
            ),
            _ => format!(
                "\ncountersign: recovery code used 2026-11-24 09:20 UTC, {left} left\ncountersign: phone lost? countersign-setup enroll --replace"
            ),
        };
        assert!(run.messages()[0].ends_with(&wanted), "{run:#?}");
    }
    let run = attempt(&world, alice.code(NOW));
    assert_eq!(*run.code(), PAM_SUCCESS);
    assert!(run.logged()[0].ends_with(" codes_left=0"), "{run:#?}");
    assert_eq!(attempt(&world, &alice.recovery[9]).ends(), ["replay"]);
}

#[test]
fn k_04_a_set_without_codes_leaves_the_app() {
    let (world, alice) = enrolled();
    world.change_record(1000, |record| record.recovery.codes.clear());
    assert_eq!(attempt(&world, &alice.recovery[0]).ends(), ["wrong"]);
    assert_eq!(*attempt(&world, alice.code(NOW)).code(), PAM_SUCCESS);
}

const RESCUE: u8 = 24;
const END: i64 = NOW + 1800;

fn rescue(world: &World, seed: u8, until: i64) -> String {
    add(world, &made(RESCUE, [seed; 14]), Some((NOW, until)))
}

/// Wrong codes at these times, each of which must be looked at.
#[track_caller]
fn guess(world: &World, alice: &Enrolled, times: impl IntoIterator<Item = i64>) {
    let run = world.login("test").attempts(times.into_iter().map(|now| answer(alice.wrong_code(now)).at(now))).run();
    assert!(run.ends().iter().all(|end| *end == "wrong"), "{:?}", run.ends());
}

#[test]
fn k_05_a_rescue_code_opens_once_and_leaves_the_factor_as_it_is() {
    let (world, _) = enrolled();
    let code = rescue(&world, 3, END);
    assert!(code.starts_with('R'));
    let run = attempt(&world, &code);
    assert_eq!(*run.code(), PAM_SUCCESS, "{run:#?}");
    let line = "result=accepted method=rescue user=alice uid=1000 service=test tty=- rhost=- authenticator=- streak=0 codes_left=10";
    assert_eq!(run.logged(), [line]);
    let again = attempt(&world, &code);
    assert_eq!((again.code(), again.ends(), again.messages()), (&PAM_AUTH_ERR, vec!["replay"], vec![USED]));
}

#[test]
fn k_05_a_rescue_code_opens_whatever_the_lanes_say() {
    let (world, alice) = enrolled();
    guess(&world, &alice, [NOW; 5]);
    let code = rescue(&world, 3, END);
    assert_eq!(attempt(&world, alice.code(NOW)).ends(), ["waiting"]);
    assert_eq!(*attempt(&world, code).code(), PAM_SUCCESS);

    let (world, alice) = enrolled();
    guess(&world, &alice, (0..40).map(|hour| NOW - 40 * 3600 + hour * 3600));
    let code = rescue(&world, 3, END);
    assert_eq!(attempt(&world, alice.code(NOW)).ends(), ["stopped"]);
    assert_eq!(*attempt(&world, code).code(), PAM_SUCCESS);
}

#[test]
fn k_05_a_rescue_code_ends_and_begins_on_time() {
    let (world, _) = enrolled();
    let code = rescue(&world, 3, END);
    for now in [NOW - 1, END + 1, END + 3600] {
        let run = world.login("test").at(now).types(&code).run();
        assert_eq!((run.code(), run.ends()), (&PAM_AUTH_ERR, vec!["wrong"]), "{now}");
    }
    assert_eq!(*world.login("test").at(END).types(&code).run().code(), PAM_SUCCESS);
}

#[test]
fn k_05_a_second_rescue_code_ends_the_first() {
    let (world, _) = enrolled();
    let first = rescue(&world, 3, END);
    let second = rescue(&world, 4, END);
    assert_eq!(attempt(&world, first).ends(), ["wrong"]);
    assert_eq!(*attempt(&world, second).code(), PAM_SUCCESS);
}

#[test]
fn k_05_a_clock_set_back_does_not_open_a_rescue_code_again() {
    // What tells that its end is over: a login, or a failure in any lane.
    let after: [fn(&World, &Enrolled); 3] = [
        |world, alice| {
            let now = END + 60;
            assert_eq!(*world.login("test").at(now).types(alice.code(now)).run().code(), PAM_SUCCESS);
        },
        |world, alice| guess(world, alice, [END + 1]),
        |world, alice| {
            let run = world.login("test").rhost("198.51.100.9").at(END + 1).types(alice.wrong_code(END + 1)).run();
            assert_eq!(run.ends(), ["wrong"]);
        },
    ];
    for after in after {
        let (world, alice) = enrolled();
        let code = rescue(&world, 3, END);
        after(&world, &alice);
        assert_eq!(attempt(&world, code).ends(), ["wrong"]);
        assert_eq!(*attempt(&world, &alice.recovery[0]).code(), PAM_SUCCESS);
    }
}

#[test]
fn k_06_every_attempt_with_a_recovery_code_costs_one_hash_and_no_other_answer_does() {
    let (world, alice) = enrolled();
    let rescue = rescue(&world, 3, END);
    let hashes = |typed: Answer, end: &str| {
        let run = world.login("test").answers(typed).run();
        assert_eq!(run.ends(), [end]);
        run.large_allocations
    };
    let of_a_known_slot = made(2, [99; 14]).grouped().to_string();
    let of_no_slot = made(30, [99; 14]).grouped().to_string();
    for (typed, end) in [
        (&alice.recovery[0], "accepted"),
        (&alice.recovery[0], "replay"),
        (&rescue, "accepted"),
        (&rescue, "replay"),
        (&of_a_known_slot, "wrong"),
        (&of_no_slot, "wrong"),
    ] {
        assert_eq!(hashes(answer(typed), end), 1, "{typed} {end}");
    }
    let typo = alice.recovery[1].replacen('2', "3", 1);
    for (typed, end) in [(alice.code(NOW), "accepted"), (alice.code(NOW), "replay"), (alice.wrong_code(NOW), "wrong"), (typo, "typo")] {
        assert_eq!(hashes(answer(&typed), end), 0, "{typed} {end}");
    }
    assert_eq!(hashes(answer("x"), "malformed"), 0);
    // With an ended rescue code too, and while waiting.
    guess(&world, &alice, [END + 60; 4]);
    assert_eq!(hashes(answer(made(RESCUE, [8; 14]).grouped().as_str()).at(END + 60), "wrong"), 1);
    assert_eq!(hashes(answer(&of_no_slot).at(END + 60), "wrong"), 1);
    assert_eq!(hashes(answer(&alice.recovery[3]).at(END + 60), "accepted"), 1);
}
