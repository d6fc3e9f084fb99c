//! What changes do to codes: criteria of enrollment, recovery codes and the throttle.

use std::sync::Barrier;
use std::thread;

use countersign::flows::{Options, Why};
use countersign::rules::audit::Method;
use countersign::rules::judge::Finding;
use countersign::rules::notice::Notice;
use countersign::rules::record::RecordId;
use countersign::rules::throttle::Lane;
use countersign::store::{Ahead, Anew, Rewritten, Trouble};
use pam::constants::PamResultCode::PAM_SUCCESS;

use super::driver::{NOW, PASSWORD, World};
use super::person::Person;
use super::{Flow, flow, judged, lets_in, options, with_options};

/// The app's next code, when it is shown.
const NEXT: i64 = NOW + 30;

#[test]
fn j_02_without_a_code_a_recovery_code_or_root_nothing_is_changed_and_attempts_count() {
    for which in Flow::OF_USERS.into_iter().filter(|flow| *flow != Flow::Enroll) {
        let (world, alice) = which.world();
        let alice = alice.unwrap();
        let record = || world.files().into_iter().find(|(name, _)| name == "1000.toml");
        let before = record();
        let attempt = |answers: &[&str]| {
            let ended = flow(&world, which, &mut Person::answering(answers), Some(()));
            assert!(record() == before, "{which:?}");
            ended.unwrap_err().why
        };
        assert_eq!(attempt(&["another horse"]), Why::WrongPassword);
        for _ in 0..5 {
            assert!(matches!(attempt(&[PASSWORD, &alice.wrong_code(NOW)]), Why::Denied(_)));
        }
        assert_eq!(world.journal(1000).throttle.of(Lane::Own).streak, 5);
        // The sixth waits, and is not evaluated; other lanes are not touched.
        attempt(&[PASSWORD, &alice.code(NOW)]);
        assert_eq!(world.journal(1000).throttle.of(Lane::Own).streak, 5);
        assert_eq!(world.journal(1000).throttle.of(Lane::Remote).streak, 0);
        assert!(lets_in(&world, &alice.code(NEXT), NEXT), "{which:?}");
        // A recovery code proves as much, waiting or not.
        flow(&world, which, &mut Person::answering(&[PASSWORD, &alice.recovery[0]]), Some(())).unwrap();
        assert!(record() != before);
    }
}

#[test]
fn j_03_of_two_enrollments_at_once_one_wins() {
    for round in 0..30 {
        let world = World::new();
        let both = Barrier::new(2);
        // Both have begun before either commits.
        let enroll = || {
            let meddle = || {
                both.wait();
            };
            let mut person = Person { meddler: Some((5, &meddle)), ..Person::default() };
            match flow(&world, Flow::Enroll, &mut person, None) {
                Ok(()) => true,
                Err(failure) => {
                    assert_eq!(failure.why, Why::Trouble(Trouble::Changed));
                    false
                }
            }
        };
        let won = thread::scope(|scope| {
            let both = [scope.spawn(enroll), scope.spawn(enroll)];
            both.into_iter().map(|one| one.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(won, 1, "{round}");
        assert_eq!(world.under_lock(1000, |locked| locked.standing().unwrap().record.recovery.codes.len()), 10);
    }
}

#[test]
fn j_04_new_recovery_codes_end_all_old_ones() {
    let (world, alice) = Flow::Recovery.world();
    let alice = alice.unwrap();
    assert!(lets_in(&world, &alice.recovery[0], NOW));
    let mut person = Person::default();
    flow(&world, Flow::Recovery, &mut person, None).unwrap();
    let new = person.codes;
    assert_eq!(new.len(), 10);
    for code in &alice.recovery {
        assert!(matches!(judged(&world, code, NOW), Ok(Finding::Wrong(Method::Recovery))));
    }
    for code in &new {
        assert!(lets_in(&world, code, NOW));
        assert!(matches!(judged(&world, code, NOW), Ok(Finding::Replay(Method::Recovery))));
    }
    assert!(lets_in(&world, &alice.code(NOW), NOW), "the app's codes are the same");
}

#[test]
fn add_and_replace_keep_the_recovery_codes_and_remove_and_disable_take_away() {
    let (world, alice) = Flow::Add.world();
    let alice = alice.unwrap();
    assert!(lets_in(&world, &alice.recovery[0], NOW));
    let mut tablet = Person::default();
    flow(&world, Flow::Add, &mut tablet, None).unwrap();
    // The code that confirmed does not log in, the next one of either does.
    assert!(!lets_in(&world, &tablet.code(NOW), NOW));
    assert!(lets_in(&world, &tablet.code(NEXT), NEXT));
    assert!(lets_in(&world, &alice.code(NEXT + 30), NEXT + 30));
    assert!(matches!(judged(&world, &alice.recovery[0], NOW), Ok(Finding::Replay(_))), "what is spent stays spent");
    let mut phone = Person::default();
    let replace = Options { label: Some("phone".to_owned()), ..options(Flow::Replace) };
    with_options(&world, Flow::Replace, &mut phone, None, replace).unwrap();
    assert!(!lets_in(&world, &alice.code(NEXT + 60), NEXT + 60), "the old secret is gone");
    assert!(lets_in(&world, &phone.code(NEXT + 60), NEXT + 60));
    assert!(lets_in(&world, &alice.recovery[1], NOW));
    flow(&world, Flow::Remove, &mut Person::default(), None).unwrap();
    assert!(!lets_in(&world, &phone.code(NEXT + 90), NEXT + 90));
    assert!(lets_in(&world, &tablet.code(NEXT + 90), NEXT + 90));
    flow(&world, Flow::Disable, &mut Person::default(), None).unwrap();
    assert!(matches!(judged(&world, &tablet.code(NEXT + 120), NEXT + 120), Err(Trouble::NotEnrolled)));
    assert!(matches!(judged(&world, &alice.recovery[2], NOW), Err(Trouble::NotEnrolled)));
}

#[test]
fn b_09_at_forty_wrong_codes_a_recovery_code_and_replace_bring_the_app_back() {
    let world = World::new();
    let alice = world.enroll("alice");
    let ssh = |code: &str, now: i64| world.login("test").rhost("192.0.2.7").at(now).types(code).run();
    let mut now = NOW;
    for _ in 0..40 {
        assert_eq!(ssh(&alice.wrong_code(now), now).ends(), ["wrong"]);
        now += 6 * 3600;
    }
    assert_eq!(ssh(&alice.code(now), now).ends(), ["stopped"]);
    assert_eq!(*ssh(&alice.recovery[0], now).code(), PAM_SUCCESS);
    assert_eq!(ssh(&alice.code(now), now).ends(), ["stopped"], "a recovery code clears no stop");
    // In by a recovery code, and with another one a new secret.
    let mut person = Person::answering(&[PASSWORD, &alice.recovery[1]]);
    flow(&world, Flow::Replace, &mut person, Some(())).unwrap();
    assert_eq!(*ssh(&person.code(now), now).code(), PAM_SUCCESS);
    assert_eq!(world.journal(1000).throttle.remote.streak, 0);
}

#[test]
fn k_05_a_rescue_code_opens_once_until_its_end() {
    let (world, alice) = Flow::Rescue.world();
    let alice = alice.unwrap();
    let issue = || {
        let mut person = Person::default();
        flow(&world, Flow::Rescue, &mut person, None).unwrap();
        person.codes.remove(0)
    };
    let code = issue();
    assert!(code.starts_with('R'));
    // It has an end, and a beginning that no clock set back comes before.
    for now in [NOW - 1, NOW + 1801] {
        assert!(matches!(judged(&world, &code, now), Ok(Finding::Wrong(_))), "{now}");
    }
    // A second one ends the first.
    let second = issue();
    assert!(second.starts_with('S'), "{second}");
    assert!(matches!(judged(&world, &code, NOW), Ok(Finding::Wrong(_))));
    // Whatever the lanes say, and codes_left stays.
    for _ in 0..5 {
        assert!(matches!(judged(&world, &alice.wrong_code(NOW), NOW), Ok(Finding::Wrong(_))));
    }
    assert!(matches!(judged(&world, &alice.code(NOW), NOW), Ok(Finding::Waiting { .. })));
    let Ok(Finding::Accepted(accepted)) = judged(&world, &second, NOW + 1800) else { panic!() };
    assert_eq!((accepted.method(), accepted.codes_left), (Method::Rescue, 10));
    let told = |notice: &Notice| matches!(notice, Notice::Rescue { at, by, used: true } if *at == NOW && by == "root (bob)");
    assert!(accepted.notices.iter().any(told), "{:?}", accepted.notices);
    assert!(matches!(judged(&world, &second, NOW + 1800), Ok(Finding::Replay(Method::Rescue))));
    let third = issue();
    assert!(third.starts_with('R'), "{third}");
    // Whatever a clock set back, an end that was passed stays passed.
    assert!(lets_in(&world, &alice.code(NOW + 7200), NOW + 7200));
    assert!(matches!(judged(&world, &third, NOW), Ok(Finding::Wrong(_))));
}

#[test]
fn k_05_new_recovery_codes_end_a_rescue_code() {
    for renews in [false, true] {
        let (world, _) = Flow::Rescue.world();
        let mut person = Person::default();
        flow(&world, Flow::Rescue, &mut person, None).unwrap();
        if renews {
            flow(&world, Flow::Recovery, &mut Person::default(), None).unwrap();
        }
        assert_eq!(lets_in(&world, &person.codes[0], NOW), !renews);
    }
}

#[test]
fn k_05_a_rescue_code_that_would_have_ended_already_is_not_shown() {
    let (world, alice) = Flow::Rescue.world();
    // Typed while the clock was a year ahead.
    let ahead = NOW + 365 * 86_400;
    assert!(matches!(judged(&world, &alice.unwrap().wrong_code(ahead), ahead), Ok(Finding::Wrong(_))));
    let mut person = Person::default();
    let failure = flow(&world, Flow::Rescue, &mut person, None).unwrap_err();
    assert_eq!((failure.why, person.transcript.as_str()), (Why::TimeAhead { newest: ahead }, ""));
    let anew = Anew { sequence: 7, now: NOW };
    world.under_lock(1000, |locked| locked.unlock(anew, Ahead::Keep, Rewritten { id: RecordId(7), by: "root" }).unwrap());
    flow(&world, Flow::Rescue, &mut person, None).unwrap();
    assert!(lets_in(&world, &person.codes[0], NOW));
}

#[test]
fn k_05_the_use_of_a_rescue_code_is_told_though_another_one_was_issued() {
    let (world, alice) = Flow::Rescue.world();
    for _ in 0..2 {
        let mut person = Person::default();
        flow(&world, Flow::Rescue, &mut person, None).unwrap();
        if world.journal(1000).spent == 0 {
            assert!(lets_in(&world, &person.codes[0], NOW));
        }
    }
    let Ok(Finding::Accepted(accepted)) = judged(&world, &alice.unwrap().code(NOW), NOW) else { panic!() };
    let used: Vec<bool> = accepted
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Rescue { used, .. } => Some(*used),
            _ => None,
        })
        .collect();
    assert_eq!(used, [true, false]);
}

#[test]
fn k_05_no_symbol_is_used_twice_in_a_set() {
    let (world, _) = Flow::Rescue.world();
    let mut symbols = Vec::new();
    loop {
        let mut person = Person::default();
        match flow(&world, Flow::Rescue, &mut person, None) {
            Ok(()) => {}
            Err(failure) => break assert_eq!(failure.why, Why::CodesFull),
        }
        assert!(lets_in(&world, &person.codes[0], NOW));
        symbols.push(person.codes[0].chars().next().unwrap());
    }
    assert_eq!(symbols.into_iter().collect::<String>(), "RSTVWXYZ0BCDEFGHJKMNPQ");
}

#[test]
fn a_secret_from_elsewhere_that_no_code_confirmed_begins_after_the_window() {
    let secret = || countersign::rules::totp::Secret::new(&[9; 20]);
    let world = World::new();
    let options = Options { secret: secret(), confirm: false, ..options(Flow::Enroll) };
    let mut person = Person::default();
    with_options(&world, Flow::Enroll, &mut person, None, options).unwrap();
    for step in [-30, 0, 30] {
        assert!(!lets_in(&world, &person.code(NOW + step), NOW));
    }
    assert!(lets_in(&world, &person.code(NOW + 60), NOW + 60));
}

#[test]
fn an_authenticator_of_other_parameters_logs_in() {
    use countersign::rules::totp::{Algorithm, Parameters};
    let (world, alice) = Flow::Add.world();
    let parameters = Parameters { algorithm: Algorithm::Sha256, digits: 8, period: 60 };
    let mut person = Person::default();
    with_options(&world, Flow::Add, &mut person, None, Options { parameters, ..options(Flow::Add) }).unwrap();
    assert_eq!(person.code(NOW).len(), 8);
    assert!(lets_in(&world, &person.code(NOW + 60), NOW + 60));
    assert!(lets_in(&world, &alice.unwrap().code(NOW + 150), NOW + 150));
}
