//! A clock that is set back, was ahead, stands at the ends of time, or is shown in another zone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use countersign::rules::record::{Record, RecordId};
use countersign::store::{Ahead, Anew, Removed, Rewritten, Unlocked};
use driver::{Enrolled, Login, NOW, Run, World, answer};
use pam::constants::PamResultCode::{PAM_AUTH_ERR, PAM_SUCCESS};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;
const QUESTION: &str = "Verification code: ";

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll("alice");
    (world, alice)
}

fn attempt(world: &World, now: i64, typed: impl AsRef<[u8]>) -> Run {
    world.login("test").at(now).types(typed).run()
}

/// Wrong codes at these times, each of which must be looked at.
#[track_caller]
fn guess(world: &World, alice: &Enrolled, times: impl IntoIterator<Item = i64>) {
    let run = world.login("test").attempts(times.into_iter().map(|now| answer(alice.wrong_code(now)).at(now))).run();
    assert!(run.ends().iter().all(|end| *end == "wrong"), "{:?}", run.ends());
}

#[test]
fn g_01_a_clock_set_back_gives_no_step_back_and_says_so() {
    for (back, shown) in [(NOW - HOUR, "2026-11-24 08:20 UTC"), (NOW - DAY, "2026-11-23 09:20 UTC"), (1, "1970-01-01 00:00 UTC")] {
        let (world, alice) = enrolled();
        assert_eq!(*attempt(&world, NOW, alice.code(NOW)).code(), PAM_SUCCESS);
        let before = world.files();
        // The used code, the one that the app shows, and a wrong one.
        for typed in [alice.code(NOW), alice.code(back), alice.wrong_code(back)] {
            let run = attempt(&world, back, typed);
            assert_eq!((run.code(), run.ends()), (&PAM_AUTH_ERR, vec!["clock_behind"]), "{run:#?}");
            assert_eq!(run.questions(), ["The clock here is behind, use a recovery code. Verification code: "]);
            assert_eq!(run.messages(), [format!("\ncountersign: clock behind ({shown}); only a recovery code works")]);
        }
        assert_eq!(world.files(), before);
        assert_eq!(*attempt(&world, back, &alice.recovery[0]).code(), PAM_SUCCESS);
        // Corrected, and the step is still used.
        assert_eq!(attempt(&world, NOW + 1, alice.code(NOW)).ends(), ["replay"]);
        assert_eq!(*attempt(&world, NOW + 30, alice.code(NOW + 30)).code(), PAM_SUCCESS);
    }
}

#[test]
fn g_01_a_clock_set_back_by_little_gives_no_step_back_either() {
    let (world, alice) = enrolled();
    assert_eq!(*attempt(&world, NOW, alice.code(NOW)).code(), PAM_SUCCESS);
    for back in 1..=120 {
        let now = NOW - back;
        if back % 15 == 0 {
            assert_eq!(attempt(&world, now, alice.code(now)).ends(), ["replay"], "{back}");
        }
    }
}

#[test]
fn g_01_a_clock_before_the_enrollment_is_behind_too() {
    let (world, alice) = enrolled();
    let before = NOW - 31 * DAY;
    let run = attempt(&world, before, alice.code(before));
    assert_eq!((run.ends(), run.questions()), (vec!["clock_behind"], vec![QUESTION]), "{run:#?}");
    assert!(run.messages()[0].contains("clock behind (2026-10-24 09:20 UTC)"), "{run:#?}");
    assert_eq!(*attempt(&world, before, &alice.recovery[0]).code(), PAM_SUCCESS);
}

#[test]
fn g_02_wrong_codes_of_a_clock_once_ahead_lock_nobody_out() {
    let (world, alice) = enrolled();
    guess(&world, &alice, [NOW + 10 * YEAR; 5].into_iter().chain([NOW + 10 * YEAR + 60]));
    // Corrected: one full wait, and not ten years.
    let run = attempt(&world, NOW, alice.code(NOW));
    assert_eq!((run.ends(), run.questions()), (vec!["waiting"], vec!["Wait 2 min, or use a recovery code. Verification code: "]));
    assert_eq!(attempt(&world, NOW + 119, alice.code(NOW + 119)).ends(), ["waiting"]);
    assert_eq!(*attempt(&world, NOW + 120, alice.code(NOW + 120)).code(), PAM_SUCCESS);
}

#[test]
fn g_02_after_a_right_code_of_a_clock_once_ahead_a_recovery_code_opens() {
    let (world, alice) = enrolled();
    let ahead = NOW + 10 * YEAR;
    assert_eq!(*attempt(&world, ahead, alice.code(ahead)).code(), PAM_SUCCESS);
    let run = attempt(&world, NOW, alice.code(NOW));
    assert_eq!((run.code(), run.ends()), (&PAM_AUTH_ERR, vec!["clock_behind"]));
    for (days, recovery) in (0..).zip(&alice.recovery) {
        assert_eq!(*attempt(&world, NOW + days * DAY, recovery).code(), PAM_SUCCESS);
    }
}

#[test]
fn g_02_after_a_reset_that_brings_the_floor_down_a_new_enrollment_opens() {
    for (ahead, end) in [(Ahead::BringDown, "accepted"), (Ahead::Keep, "clock_behind")] {
        let (world, alice) = enrolled();
        let wrong = NOW + 10 * YEAR;
        assert_eq!(*attempt(&world, wrong, alice.code(wrong)).code(), PAM_SUCCESS);
        let removed = world.under_lock(1000, |locked| locked.reset(Anew { sequence: 1, now: NOW }, ahead));
        assert_eq!(removed, Ok(Removed::Record));
        let alice = world.enroll("alice");
        // What the window held when the floor came down stays used.
        assert_ne!(attempt(&world, NOW + 1, alice.code(NOW)).ends(), ["accepted"]);
        assert_eq!(attempt(&world, NOW + 60, alice.code(NOW + 60)).ends(), [end]);
    }
}

#[test]
fn g_02_after_an_unlock_that_brings_the_floor_down_the_app_opens() {
    let (wrong, rewritten) = (NOW + 10 * YEAR, Rewritten { id: RecordId(77), by: "carol" });
    for (ahead, end) in [(Ahead::BringDown, "accepted"), (Ahead::Keep, "clock_behind")] {
        let (world, alice) = enrolled();
        world.change_record(1000, |record| record.not_before = wrong);
        assert_eq!(*attempt(&world, wrong, alice.code(wrong)).code(), PAM_SUCCESS);
        let floor = world.under_lock(1000, |locked| locked.floor().unwrap());
        assert_eq!((floor.not_before, floor.last), (wrong, wrong - wrong % 30));
        let record = || world.under_lock(1000, |locked| locked.record().unwrap().unwrap());
        let before = record();
        let unlocked = world.under_lock(1000, |locked| locked.unlock(Anew { sequence: 1, now: NOW }, ahead, rewritten));
        assert_eq!(unlocked, Ok(Unlocked::Cleared));
        let expected = match ahead {
            Ahead::Keep => before,
            // The newest step of the window may have confirmed the enrollment: it is used, the next one is not.
            Ahead::BringDown => {
                let (id, changed_by, not_before) = (rewritten.id, rewritten.by.to_owned(), NOW - NOW % 30 + 31);
                Record { id, changed_at: NOW, changed_by, not_before, ..before }
            }
        };
        assert_eq!(*record().to_text(), *expected.to_text());
        for used in [NOW - 30, NOW, NOW + 30] {
            assert_ne!(attempt(&world, NOW + 1, alice.code(used)).ends(), ["accepted"]);
        }
        assert_eq!(attempt(&world, NOW + 60, alice.code(NOW + 60)).ends(), [end]);
    }
}

#[test]
fn g_03_the_ends_of_time_crash_no_login() {
    const LATEST: i64 = 99_999_999_999;
    let times = [30, 59, 60, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, 1 << 33, LATEST];
    for now in times {
        let (world, alice) = enrolled();
        world.change_record(1000, |record| record.not_before = 0);
        assert_eq!(attempt(&world, now, alice.wrong_code(now)).ends(), ["wrong"], "{now}");
        assert_eq!(*attempt(&world, now, alice.code(now)).code(), PAM_SUCCESS, "{now}");
        assert_eq!(attempt(&world, now, alice.code(now)).ends(), ["replay"], "{now}");
    }
    for now in [i64::MIN, i64::MIN + 1, -31, -30, -1, 1, 29, LATEST + 30, i64::MAX - 120, i64::MAX - 1, i64::MAX] {
        let (world, alice) = enrolled();
        world.change_record(1000, |record| record.not_before = 0);
        for typed in ["123456", &alice.code(0), &alice.code(30)] {
            let run = attempt(&world, now, typed);
            // The start of time is never: no code of the first step logs in.
            let is_second_step = typed == alice.code(30) && (1..30).contains(&now);
            assert_eq!(*run.code(), if is_second_step { PAM_SUCCESS } else { PAM_AUTH_ERR }, "{now} {run:#?}");
        }
        assert_eq!(*attempt(&world, now, &alice.recovery[0]).code(), PAM_SUCCESS, "{now}");
        assert_eq!(attempt(&world, now, &alice.recovery[0]).ends(), ["replay"], "{now}");
    }
}

#[test]
fn g_04_no_time_zone_locale_or_leap_second_has_an_effect() {
    // In the hour in which New York's clocks are put back.
    let now = 1_793_512_800 + 600;
    let login_in = |zone: &str, locale: &str| {
        let (world, alice) = enrolled();
        world.configure("[policy]\nunenrolled = 2026-11-01\n");
        let as_there = |login: Login<'_>| login.environment("TZ", zone).environment("LC_ALL", locale).environment("LANG", locale).run();
        let login = |now: i64, typed: &str| as_there(world.login("test").at(now).types(typed));
        let mut runs = vec![login(now, &alice.code(now)), login(now - HOUR, &alice.code(now - HOUR))];
        runs.extend((0..6).map(|_| login(now, &alice.wrong_code(now))));
        let midnight = now - now % DAY;
        runs.push(as_there(world.login("test").user("bob").at(midnight - 1)));
        runs.push(as_there(world.login("test").user("bob").at(midnight).types("123456")));
        runs.into_iter().map(|run| (run.said, run.log, run.codes)).collect::<Vec<_>>()
    };
    let usual = login_in("UTC", "C");
    let ends: Vec<String> = usual.iter().map(|(_, log, _)| log.last().unwrap().text.chars().take(40).collect()).collect();
    assert!(ends[0].starts_with("result=accepted") && ends[1].contains("clock_behind") && ends[7].contains("waiting"), "{ends:?}");
    assert!(ends[8].contains("skipped") && ends[9].contains("refused reason=unenrolled"), "{ends:?}");
    for zone in ["America/New_York", "EST5EDT,M3.2.0,M11.1.0", "Asia/Kolkata", "right/UTC", "XXX-24", "", ":/etc/shadow", "\u{ff}"] {
        assert_eq!(login_in(zone, "tr_TR.UTF-8"), usual, "{zone}");
    }
    // A second that comes twice.
    let (world, alice) = enrolled();
    assert_eq!(*attempt(&world, NOW, alice.code(NOW)).code(), PAM_SUCCESS);
    assert_eq!(attempt(&world, NOW - 1, alice.code(NOW)).ends(), ["replay"]);
    assert_eq!(attempt(&world, NOW, alice.code(NOW)).ends(), ["replay"]);
}

#[test]
fn g_06_a_clock_set_back_or_a_jump_does_not_shorten_a_wait() {
    for back in [1, 59, HOUR, DAY, 29 * DAY] {
        let (world, alice) = enrolled();
        guess(&world, &alice, [NOW; 5].into_iter().chain([NOW + 60]));
        let now = NOW + 60 - back;
        for later in [0, 1, 60, 119] {
            assert_eq!(attempt(&world, now + later, alice.code(now + later)).ends(), ["waiting"], "{back} {later}");
        }
        assert_eq!(*attempt(&world, now + 120, alice.code(now + 120)).code(), PAM_SUCCESS, "{back}");
    }
    // A failure that the jump let through counts when the clock is corrected.
    let (world, alice) = enrolled();
    guess(&world, &alice, [NOW; 5].into_iter().chain([NOW + YEAR]));
    assert_eq!(attempt(&world, NOW + 1, alice.code(NOW)).ends(), ["waiting"]);
    assert_eq!(attempt(&world, NOW + 120, alice.code(NOW + 120)).ends(), ["waiting"]);
    assert_eq!(*attempt(&world, NOW + 121, alice.code(NOW + 121)).code(), PAM_SUCCESS);
}

#[test]
fn g_06_no_clock_ends_a_stop() {
    let (world, alice) = enrolled();
    guess(&world, &alice, (0..40).map(|hour| NOW + hour * HOUR));
    for now in [NOW + 39 * HOUR, NOW, NOW - 29 * DAY, NOW + 100 * YEAR, NOW + 40 * HOUR] {
        assert_eq!(attempt(&world, now, alice.code(now)).ends(), ["stopped"], "{now}");
        assert_eq!(world.journal(1000).throttle.local.streak, 40);
    }
}
