//! How often a guess is looked at: waits, stops and budgets by lane, and the recovery code that none of them holds up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use countersign::rules::code::{self, RecoveryCode, Slot};
use countersign::rules::journal::Source;
use countersign::rules::judge::Finding;
use countersign::rules::record::RecordId;
use countersign::rules::throttle::{Lane, Throttle};
use countersign::rules::totp::Secret;
use countersign::store::{Ahead, Anew, Began, Folder, Rewritten, Store, Unlocked};
use countersign::verify::{Checked, Question, verify};
use driver::{Answer, Enrolled, Login, NOW, World, answer, at_once};
use pam::constants::PamResultCode::{PAM_AUTH_ERR, PAM_SUCCESS};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll("alice");
    (world, alice)
}

fn at(world: &World, lane: Lane) -> Login<'_> {
    let login = world.login("test");
    if lane == Lane::Remote { login.rhost("198.51.100.9") } else { login }
}

/// Wrong codes at these times, each of which must be looked at.
#[track_caller]
fn guess(world: &World, alice: &Enrolled, lane: Lane, times: impl IntoIterator<Item = i64>) {
    let run = at(world, lane).attempts(times.into_iter().map(|now| answer(alice.wrong_code(now)).at(now))).run();
    assert!(run.ends().iter().all(|end| *end == "wrong"), "{:?}", run.ends());
}

/// 40 hours of guessing: the lane is stopped when they are over.
fn stop(world: &World, alice: &Enrolled, lane: Lane) {
    guess(world, alice, lane, (0..40).map(|hour| NOW + hour * HOUR));
}

const STOPPED: i64 = NOW + 40 * HOUR;

/// A quarter of an hour in which guesses and the owner's logins take turns: the budget is spent, the streak is short.
fn spend(world: &World, alice: &Enrolled, lane: Lane) {
    let round = |round: i64| {
        let now = NOW + 60 * round;
        let wrong = std::iter::repeat_n(alice.wrong_code(now), 4);
        wrong.chain([alice.code(now)]).map(move |typed| answer(typed).at(now))
    };
    let run = at(world, lane).attempts((0..15).flat_map(round).take(74)).run();
    assert_eq!(run.ends(), ["wrong", "wrong", "wrong", "wrong", "accepted"].repeat(15)[..74]);
}

const SPENT: i64 = NOW + 15 * 60;

/// Of the form of a recovery code, and none.
fn wrong_recovery_code(slot: u8, seed: u8) -> String {
    RecoveryCode::made(Slot::new(slot).unwrap(), &[seed; 14]).grouped().to_string()
}

type Hold = fn(&World, &Enrolled, Lane);

/// What keeps codes of the app from being looked at, and a time when it does.
const HOLDS: [(&str, Hold, i64); 3] = [
    ("waiting", |world, alice, lane| guess(world, alice, lane, [NOW; 5].into_iter().chain([NOW + 60])), NOW + 61),
    ("budget", spend, SPENT),
    ("stopped", stop, STOPPED),
];

#[test]
fn b_02_failures_five_to_eleven_wait_from_a_minute_to_an_hour() {
    let (world, alice) = enrolled();
    let attempt = |now: i64| world.login("test").at(now).types(alice.wrong_code(now)).run();
    guess(&world, &alice, Lane::Local, [NOW; 5]);
    let mut failed = NOW;
    for wait in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        for now in [failed, failed + wait - 1] {
            assert_eq!(attempt(now).ends(), ["waiting"], "{wait}");
        }
        failed += wait;
        assert_eq!(attempt(failed).ends(), ["wrong"], "{wait}");
    }
}

#[test]
fn b_03_while_held_a_right_code_looks_like_a_wrong_one() {
    for lane in [Lane::Remote, Lane::Local] {
        for (reason, hold, now) in HOLDS {
            let (world, alice) = enrolled();
            hold(&world, &alice, lane);
            let before = world.files();
            let right = at(&world, lane).at(now).types(alice.code(now)).run();
            let wrong = at(&world, lane).at(now).types(alice.wrong_code(now)).run();
            assert_eq!((right.code(), right.ends()), (&PAM_AUTH_ERR, vec![reason]), "{right:#?}");
            assert_eq!((&right.said, &right.log, &right.codes), (&wrong.said, &wrong.log, &wrong.codes));
            assert_eq!(right.delays.len(), wrong.delays.len());
            assert_eq!(world.files(), before, "{reason}");
        }
    }
}

#[test]
fn b_03_a_last_failure_in_the_future_is_written_as_now_once() {
    let attempted = |is_right: bool| {
        let (world, alice) = enrolled();
        guess(&world, &alice, Lane::Local, [NOW; 5]);
        let back = NOW - HOUR;
        let typed = if is_right { alice.code(back) } else { alice.wrong_code(back) };
        let attempt = |now: i64| world.login("test").at(now).types(&typed).run();
        let before = world.files();
        let first = attempt(back);
        let written = world.files();
        assert_ne!(written, before);
        assert_eq!((world.journal(1000).throttle.local.last_failure, world.journal(1000).throttle.local.streak), (back, 5));
        let second = attempt(back + 1);
        assert_eq!(world.files(), written);
        assert_eq!((first.ends(), second.ends()), (vec!["waiting"], vec!["waiting"]));
        ([first, second].map(|run| (run.said, run.log, run.codes)), written.into_iter().find(|(name, _)| name == "1000.state"))
    };
    assert_eq!(attempted(true), attempted(false));
}

#[test]
fn b_04_attempts_during_a_wait_do_not_extend_it() {
    let (world, alice) = enrolled();
    guess(&world, &alice, Lane::Local, [NOW; 5]);
    let times = (0..60).map(|second| NOW + second);
    let run = world.login("test").attempts(times.map(|now| answer(alice.wrong_code(now)).at(now))).run();
    assert_eq!(run.ends(), ["waiting"; 60]);
    let until = run.logged().into_iter().filter(|line| line.contains(" until=2026-11-24T09:21:00Z"));
    assert_eq!(until.count(), 60, "{run:#?}");
    assert_eq!(*world.login("test").at(NOW + 60).types(alice.code(NOW + 60)).run().code(), PAM_SUCCESS);
}

#[test]
fn b_05_of_two_hundred_guesses_at_once_five_are_looked_at() {
    let (world, alice) = enrolled();
    let runs = at_once((0..200).map(|_| world.login("test").answers(answer(alice.wrong_code(NOW)).waits())));
    let ends: Vec<&str> = runs.iter().flat_map(|run| run.ends()).collect();
    let count = |end: &str| ends.iter().filter(|found| **found == end).count();
    assert_eq!((count("wrong"), count("waiting")), (5, 195), "{ends:?}");
    assert!(runs.iter().all(|run| *run.code() == PAM_AUTH_ERR));
    assert_eq!(world.journal(1000).throttle.local.streak, 5);
}

#[test]
fn b_06_of_sixty_sessions_held_at_the_question_five_are_looked_at() {
    let (world, alice) = enrolled();
    // They were all asked before any of them failed, and answer ten minutes later.
    let later = NOW + 600;
    let session = |_| at(&world, Lane::Remote).answers(answer(alice.wrong_code(later)).at(later).waits());
    let runs = at_once((0..60).map(session));
    assert!(runs.iter().all(|run| run.questions() == ["Verification code: "]));
    let wrong = runs.iter().filter(|run| run.ends() == ["wrong"]).count();
    let waiting = runs.iter().filter(|run| run.ends() == ["waiting"]).count();
    assert_eq!((wrong, waiting), (5, 55));
}

#[test]
fn b_08_failures_and_a_spent_budget_of_one_lane_do_not_delay_the_other() {
    for (lane, other) in [(Lane::Remote, Lane::Local), (Lane::Local, Lane::Remote)] {
        let (world, alice) = enrolled();
        guess(&world, &alice, lane, (0..39).map(|hour| NOW + hour * HOUR));
        let now = NOW + 38 * HOUR;
        assert_eq!(at(&world, lane).at(now).types(alice.code(now)).run().ends(), ["waiting"]);
        let run = at(&world, other).at(now).types(alice.code(now)).run();
        assert_eq!((run.code(), run.questions()), (&PAM_SUCCESS, vec!["Verification code: "]));

        let (world, alice) = enrolled();
        spend(&world, &alice, lane);
        assert_eq!(at(&world, lane).at(SPENT).types(alice.code(SPENT)).run().ends(), ["budget"]);
        let run = at(&world, other).at(SPENT).types(alice.code(SPENT)).run();
        assert_eq!((run.code(), run.questions()), (&PAM_SUCCESS, vec!["Verification code: "]));
    }
}

fn streaks(throttle: &Throttle) -> [u16; 3] {
    Lane::ALL.map(|lane| throttle.of(lane).streak)
}

#[test]
fn b_08_consecutive_failures_of_all_lanes_end_at_a_hundred() {
    let (world, alice) = enrolled();
    stop(&world, &alice, Lane::Remote);
    stop(&world, &alice, Lane::Local);
    // What the sockets will judge for callers who are not root: the same half of the sentence.
    let store = Store::new(Folder::open(world.store().to_str().unwrap()).unwrap());
    let question = Question { uid: 1000, names: &["alice"], lane: Lane::Own, from: Source::default(), window: 1, shows_notices: false };
    for hour in 0..30 {
        let now = NOW + hour * HOUR;
        let checked = verify(&store, &question, code::read(alice.wrong_code(now).as_bytes()), || now);
        let Ok(Checked::Settled { verdict, .. }) = checked else { panic!("{hour}") };
        assert!(if hour < 20 { matches!(verdict.finding, Finding::Wrong(_)) } else { matches!(verdict.finding, Finding::Stopped { .. }) });
    }
    for lane in [Lane::Remote, Lane::Local] {
        assert_eq!(at(&world, lane).at(NOW + DAY * 30).types(alice.wrong_code(NOW + DAY * 30)).run().ends(), ["stopped"]);
    }
    assert_eq!(streaks(&world.journal(1000).throttle), [40, 40, 20]);
}

#[test]
fn b_09_at_forty_the_app_is_off_until_root_unlocks() {
    let (world, alice) = enrolled();
    stop(&world, &alice, Lane::Remote);
    let attempt = |now: i64, typed: &str| at(&world, Lane::Remote).at(now).types(typed).run();
    // No time and no reboot ends it, and a recovery code opens without ending it.
    for (now, recovery) in [STOPPED, STOPPED + DAY, STOPPED + 10 * YEAR].into_iter().zip(&alice.recovery) {
        let run = attempt(now, &alice.code(now));
        assert_eq!((run.code(), run.ends()), (&PAM_AUTH_ERR, vec!["stopped"]), "{run:#?}");
        assert!(run.logged()[0].contains(" since=2026-11-26T00:20:00Z next=\"countersign-setup unlock alice\""), "{run:#?}");
        assert_eq!(*attempt(now, recovery).code(), PAM_SUCCESS);
    }
    let now = STOPPED + 10 * YEAR + 60;
    let rewritten = Rewritten { id: RecordId(7), by: "root" };
    let unlocked = world.under_lock(1000, |locked| locked.unlock(Anew { sequence: 1, now }, Ahead::Keep, rewritten));
    assert_eq!(unlocked, Ok(Unlocked::Cleared));
    let run = attempt(now, &alice.code(now));
    assert_eq!((run.code(), run.questions()), (&PAM_SUCCESS, vec!["Verification code: "]), "{run:#?}");
}

#[test]
fn b_09_a_replaced_authenticator_ends_the_stop_and_not_the_budget() {
    let (world, mut alice) = enrolled();
    stop(&world, &alice, Lane::Remote);
    let before = world.journal(1000).throttle;
    alice.secret = vec![77; 20];
    world.under_lock(1000, |locked| {
        let mut record = locked.record().unwrap().unwrap();
        let began = Began::With(record.id);
        record.id.0 += 1;
        record.authenticators[0].secret = Secret::new(&alice.secret).unwrap();
        locked.commit_and_end_streaks(began, &record).unwrap();
    });
    let after = world.journal(1000).throttle;
    assert_eq!((streaks(&after), after.remote.bucket), ([0, 0, 0], before.remote.bucket));
    assert_eq!(*at(&world, Lane::Remote).at(STOPPED).types(alice.code(STOPPED)).run().code(), PAM_SUCCESS);
}

#[test]
fn b_10_a_recovery_code_opens_whatever_holds_the_app() {
    for lane in [Lane::Remote, Lane::Local] {
        for (reason, hold, now) in HOLDS {
            let (world, alice) = enrolled();
            hold(&world, &alice, lane);
            let before = world.journal(1000).throttle;
            let run = at(&world, lane).at(now).types(&alice.recovery[0]).run();
            assert_eq!((run.code(), run.ends()), (&PAM_SUCCESS, vec!["accepted"]), "{reason}: {run:#?}");
            assert_eq!(world.journal(1000).throttle, before, "{reason}");
            assert_eq!(at(&world, lane).at(now).types(alice.code(now)).run().ends(), [reason]);
        }
    }
}

#[test]
fn b_10_fifty_wrong_recovery_codes_change_no_counter_and_are_one_written_failure_a_minute() {
    let (world, alice) = enrolled();
    guess(&world, &alice, Lane::Local, [NOW; 5]);
    let before = world.journal(1000);
    for minute in 1..=2_u8 {
        let now = NOW + 60 * i64::from(minute);
        let typed = (0..50).map(|seed| answer(wrong_recovery_code(seed % 12, 100 + seed)).at(now + i64::from(seed)));
        let run = world.login("test").attempts(typed).run();
        assert_eq!(run.ends(), ["wrong"; 50]);
        assert_eq!(run.logged().iter().filter(|line| line.contains(" method=recovery ")).count(), 50);
        assert!(run.messages().iter().all(|message| message.contains("not accepted")));
        let after = world.journal(1000);
        assert_eq!(after.throttle, before.throttle);
        assert_eq!((after.sequence, after.failed.count), (before.sequence + u64::from(minute), 5 + u32::from(minute)));
    }
    let now = NOW + 180;
    assert_eq!(*world.login("test").at(now).types(&alice.recovery[9]).run().code(), PAM_SUCCESS);
    assert_eq!(*world.login("test").at(now).types(alice.code(now)).run().code(), PAM_SUCCESS);
}

#[test]
fn b_11_a_success_ends_the_streak_of_its_lane_and_no_budget() {
    let (world, alice) = enrolled();
    guess(&world, &alice, Lane::Remote, [NOW; 4]);
    guess(&world, &alice, Lane::Local, [NOW; 3]);
    let counts = || {
        let throttle = world.journal(1000).throttle;
        (streaks(&throttle), Lane::ALL.map(|lane| throttle.budget_left(lane, NOW)))
    };
    assert_eq!(counts(), ([4, 3, 0], [56, 57, 60]));
    assert_eq!(*at(&world, Lane::Remote).types(&alice.recovery[0]).run().code(), PAM_SUCCESS);
    assert_eq!(counts(), ([4, 3, 0], [56, 57, 60]));
    assert_eq!(*at(&world, Lane::Remote).types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    assert_eq!(counts(), ([0, 3, 0], [56, 57, 60]));
    assert_eq!(*at(&world, Lane::Local).types(alice.code(NOW + 30)).run().code(), PAM_SUCCESS);
    assert_eq!(counts(), ([0, 0, 0], [56, 57, 60]));
}

#[test]
fn b_13_all_names_of_a_uid_share_its_counters_and_its_codes() {
    let (world, alice) = enrolled();
    let names = ["alice", "Alice", "alice-admin", "ALICE", "zoe"];
    for name in &names[1..] {
        world.add_user(name, 1000);
    }
    for name in names {
        let run = world.login("test").user(name).types(alice.wrong_code(NOW)).run();
        assert_eq!(run.ends(), ["wrong"], "{name}: {run:#?}");
    }
    assert_eq!(world.journal(1000).throttle.local.streak, 5);
    for name in names {
        assert_eq!(world.login("test").user(name).types(alice.code(NOW)).run().ends(), ["waiting"], "{name}");
    }
    let later = NOW + 60;
    assert_eq!(*world.login("test").user("Alice").at(later).types(alice.code(later)).run().code(), PAM_SUCCESS);
    assert_eq!(world.login("test").user("alice").at(later).types(alice.code(later)).run().ends(), ["replay"]);
}

#[test]
fn b_14_malformed_answers_are_not_charged_a_thousand_times_over() {
    let malformed = ["", " ", "12345", "1234567", "123456789", "abcdef", "12345a", "+123456", "0x1234", "UUUU-UUUU-UUUU-UUUU"];
    let (world, alice) = enrolled();
    let before = world.files();
    let run = world.login("test").attempts((0..1000).map(|number| answer(malformed[number % malformed.len()]))).run();
    assert_eq!(run.ends(), ["malformed"; 1000]);
    assert!(run.codes.iter().all(|(_, code)| *code == PAM_AUTH_ERR));
    assert_eq!(world.files(), before);
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    for (reason, hold, now) in HOLDS {
        let (world, alice) = enrolled();
        hold(&world, &alice, Lane::Local);
        let before = world.files();
        let run = world.login("test").at(now).attempts(malformed.map(answer)).run();
        assert_eq!(run.ends(), ["malformed"; 10], "{reason}");
        assert_eq!(world.files(), before);
    }
}

#[test]
fn b_18_while_a_thief_with_the_password_guesses_a_recovery_code_opens_at_the_first_try() {
    let (world, alice) = enrolled();
    let thief = |now: i64, number: u8| -> Answer {
        let typed = match number % 3 {
            0 => wrong_recovery_code(number % 12, 100 + number),
            1 => alice.wrong_code(now),
            _ => "not a code".to_owned(),
        };
        answer(typed).at(now)
    };
    // 48 hours, as fast as the lanes let the thief be; the owner comes ten times, while fifteen of the thief's sessions answer.
    for (visit, recovery) in (1..).zip(&alice.recovery) {
        let now = NOW + visit * 48 * HOUR / 10;
        let lanes = [Lane::Remote, Lane::Local];
        for lane in lanes {
            let times = (0..10).map(|step| now - HOUR * 4 + step * HOUR / 3);
            let run = at(&world, lane)
                .attempts(times.flat_map(|time| (0..6).map(move |number| (time, number))).map(|(time, number)| thief(time, number)))
                .run();
            assert!(run.codes.iter().all(|(_, code)| *code == PAM_AUTH_ERR));
        }
        let owner = at(&world, lanes[usize::try_from(visit).unwrap() % 2]).answers(answer(recovery).at(now).waits());
        let thieves = (0..15).map(|number| at(&world, lanes[usize::from(number) % 2]).answers(thief(now, number).waits()));
        let mut runs = at_once(std::iter::once(owner).chain(thieves));
        assert_eq!(*runs.remove(0).code(), PAM_SUCCESS, "{visit}");
        assert!(runs.iter().all(|run| *run.code() == PAM_AUTH_ERR), "{runs:#?}");
    }
    let last = NOW + 50 * HOUR;
    assert!(at(&world, Lane::Remote).at(last).types(alice.code(last)).run().ends() != ["accepted"]);
}
