//! `status` in every state, and the bare command.

use countersign::rules::code::Slot;
use countersign::rules::date::{minutes, rfc3339};
use countersign::rules::journal::{Failed, Journal, Source};
use countersign::rules::record::{Authenticator, Record};
use countersign::rules::throttle::{Lane, Throttle};
use countersign::rules::totp::{Algorithm, Parameters, Secret};
use countersign::sys;
use serde_json::{Value, json};

use super::golden;
use super::sheet::{enroll, json, keys, session};
use super::terminal::{Terminal, USUAL};
use super::world::{World, rescue_code};

const DAY: i64 = 86_400;

#[test]
fn without_a_command_and_status() {
    for (policy, name) in [("skip", "skip"), ("2126-12-01", "date"), ("deny", "deny")] {
        let world = World::new(&format!("[policy]\nunenrolled = \"{policy}\"\n"));
        if policy == "deny" {
            for service in ["sshd", "login"] {
                world.service(service, "auth requisite pam_countersign.so\n");
            }
        }
        let text = session(&world, &["", "--user alice", "--user alice status"]);
        let days = text.split("(in ").nth(1).map(|rest| format!("(in {}", rest.split(')').next().unwrap()));
        golden::compare(&format!("status-{name}"), &days.map_or(text.clone(), |days| text.replace(&days, "(in [DAYS]")));
    }
    let world = World::new("[policy]\nexempt_users = [\"bob\"]\n");
    for name in ["alice", "bob"] {
        enroll(&world, name);
    }
    golden::compare("status", &session(&world, &["--user alice", "--user alice status", "--user bob status"]));
    let value = json(&world.run(&["status", "--json", "--user", "alice"]));
    assert_eq!((&value["user"], &value["uid"], &value["enrolled"]), (&Value::from("alice"), &Value::from(1000), &Value::from(true)));
    assert_eq!(value["recovery_codes_left"], 10);
    assert_eq!(value["throttle"]["remote"], serde_json::json!({"state": "ready", "streak": 0, "until": null, "budget_left": 60}));
    assert_eq!(value["failures"], serde_json::json!({"count": 0, "since": null, "last_from": null}));
    let documented = "user uid enrolled enrolled_at authenticators recovery_codes_left recovery_codes_made_at rescue_code throttle failures \
                      policy refused_until";
    assert_eq!(keys(&value), documented);
    assert_eq!(keys(&json(&world.run(&["status", "--json", "--user", "4711"]))), documented, "not enrolled");
    assert_eq!(keys(&value["authenticators"][0]), "label digits algorithm period created_at last_used_at");
    assert_eq!(keys(&value["throttle"]), "remote local self");
    for lane in ["remote", "local", "self"] {
        assert_eq!(keys(&value["throttle"][lane]), "state streak until budget_left");
    }
    assert_eq!(keys(&value["policy"]), "decision rule until");
}

/// alice's status, as a sheet and as a value, and whether it says all of these times.
fn status_saying(times: &[i64], record: impl FnOnce(&mut Record), journal: impl FnOnce(&mut Journal)) -> (String, Value) {
    let world = World::new("");
    enroll(&world, "alice");
    world.change_record(1000, record);
    world.change_journal(1000, journal);
    let text = String::from_utf8(world.run(&["--user", "alice", "status"]).stdout).unwrap();
    assert!(times.iter().all(|time| text.contains(&minutes(*time))) && !text.contains(" 1970-"), "{times:?} {text}");
    (session(&world, &["--user alice status"]), json(&world.run(&["--json", "--user", "alice", "status"])))
}

fn status(record: impl FnOnce(&mut Record), journal: impl FnOnce(&mut Journal)) -> (String, Value) {
    status_saying(&[], record, journal)
}

/// That many wrong codes in a row, the last one then.
fn wrong(throttle: Throttle, lane: Lane, count: u16, then: i64) -> Throttle {
    (0..count).fold(throttle, |throttle, _| throttle.failed(lane, then))
}

/// Two, as long after each other as they can be: labels, algorithms and uses of different lengths.
fn two_authenticators(record: &mut Record) {
    record.authenticators.push(Authenticator {
        number: 3,
        label: "old tablet".to_owned(),
        secret: Secret::new(&[7; 20]).unwrap(),
        parameters: Parameters { algorithm: Algorithm::Sha256, digits: 8, period: 60 },
        created_at: 1_772_445_851,
        created_by: "alice".to_owned(),
        replaced: false,
    });
}

#[test]
fn several_authenticators_stand_below_one_another() {
    let (text, value) = status_saying(&[1_795_510_290], two_authenticators, |journal| journal.used = [1_772_445_850, 0, 1_795_510_290, 0]);
    golden::compare("status-authenticators", &text);
    assert_eq!(value["authenticators"][1]["last_used_at"], "2026-11-24T08:51:30Z");
    // A use before it was made is another's.
    assert_eq!(value["authenticators"][0]["last_used_at"], Value::Null);
}

#[test]
fn who_waits_or_is_stopped_is_told_until_when_and_what_works() {
    let now = sys::now();
    let waiting = |journal: &mut Journal| journal.throttle = wrong(Throttle::default(), Lane::Remote, 6, now);
    let (text, value) = status_saying(&[now + 120], |_| {}, waiting);
    golden::compare("status-waiting", &text);
    let remote = json!({"state": "waiting", "streak": 6, "until": rfc3339(now + 120), "budget_left": 54});
    assert_eq!(value["throttle"]["remote"], remote);
    let own = |journal: &mut Journal| journal.throttle = wrong(Throttle::default(), Lane::Own, 6, now);
    golden::compare("status-own-programs", &status(|_| {}, own).0);
    let stopped = |journal: &mut Journal| journal.throttle = wrong(Throttle::default(), Lane::Local, 40, now - 7 * DAY);
    let (text, value) = status_saying(&[now - 7 * DAY], |_| {}, stopped);
    golden::compare("status-stopped", &text);
    assert_eq!(value["throttle"]["local"]["state"], "stopped");
    // A hundred over all lanes stop the one that has had none, too.
    let all = |journal: &mut Journal| {
        let throttle = wrong(Throttle::default(), Lane::Remote, 80, now - 7 * DAY);
        journal.throttle = wrong(throttle, Lane::Own, 20, now - 7 * DAY);
    };
    golden::compare("status-stopped-over-all", &status_saying(&[now - 7 * DAY], |_| {}, all).0);
}

#[test]
fn one_who_looks_at_what_is_theirs_is_told_how_to_help_themselves() {
    let world = World::new("");
    enroll(&world, "root");
    world.change_journal(0, |journal| {
        journal.throttle = wrong(Throttle::default(), Lane::Remote, 40, sys::now() - 7 * DAY);
        journal.spent = 0x7f << 1;
    });
    golden::compare("status-own", &session(&world, &["status"]));
}

#[test]
fn k_04_few_recovery_codes_and_none() {
    for (left, name) in [(4, "status-codes-four"), (3, "status-codes-few"), (0, "status-codes-none")] {
        let spent = |journal: &mut Journal| journal.spent = (left + 1..=10).map(|slot| Slot::new(slot).unwrap().mark()).sum();
        let (text, value) = status(|_| {}, spent);
        golden::compare(name, &text);
        assert_eq!(value["recovery_codes_left"], left);
    }
}

#[test]
fn l_03_failures_are_told_until_they_have_been_told_three_times() {
    let failed = Failed { count: 6, first: 1_795_509_602, last: 1_795_509_900, from: Source::new(b"198.51.100.9") };
    let (text, value) = status_saying(&[failed.first], |_| {}, |journal| journal.failed = failed.clone());
    golden::compare("status-failures", &text);
    assert_eq!(value["failures"], json!({"count": 6, "since": "2026-11-24T08:40:02Z", "last_from": "198.51.100.9"}));
    let told = |journal: &mut Journal| {
        journal.failed = failed.clone();
        journal.told = [1_795_509_901, 1_795_509_902, 1_795_509_903];
    };
    assert!(!status(|_| {}, told).0.contains("failures"));
}

#[test]
fn l_03_k_05_a_rescue_code_is_told_with_who_issued_it() {
    let now = sys::now();
    let issue = |until: i64| move |record: &mut Record| record.recovery.codes.push(rescue_code(now - 3600, until));
    let mark = Slot::new(24).unwrap().mark();
    let (text, value) = status_saying(&[now + 1800], issue(now + 1800), |_| {});
    golden::compare("status-rescue", &text);
    assert_eq!(value["recovery_codes_left"], 10);
    let (text, used) = status(issue(now + 1800), |journal| journal.spent = mark);
    golden::compare("status-rescue-used", &text);
    let (text, ended) = status_saying(&[now - 60], issue(now - 60), |_| {});
    golden::compare("status-rescue-ended", &text);
    // A login tells the end, whatever the clock says since.
    let (_, ended_before) = status(issue(now + 1800), |journal| journal.throttle = wrong(Throttle::default(), Lane::Own, 1, now + 1801));
    for (value, is_used, has_ended) in [(value, false, false), (used, true, false), (ended, false, true), (ended_before, false, true)] {
        let code = &value["rescue_code"];
        assert_eq!(keys(code), "until by used issued_at ended");
        assert_eq!((&code["by"], &code["used"], &code["ended"]), (&json!("root (bob)"), &json!(is_used), &json!(has_ended)));
    }
}

#[test]
fn g_02_a_floor_ahead_of_the_clock_is_told_with_what_brings_it_down() {
    let ahead = sys::now() + 3650 * DAY;
    let (text, value) = status_saying(&[ahead], |_| {}, |journal| journal.last = ahead);
    golden::compare("status-floor", &text);
    assert_eq!(value["refused_until"], rfc3339(ahead));
    assert_eq!(status(|_| {}, |_| {}).1["refused_until"], Value::Null);
    let (text, _) = status_saying(&[ahead], |record| record.not_before = ahead, |_| {});
    assert!(text.contains("codes           refused until "), "{text}");
}

#[test]
fn b_13_another_spelling_of_the_account_is_the_same_person_and_another_name_is_not() {
    let world = World::new("");
    world.add_user("ALICE", 1000);
    let codes = enroll(&world, "alice")["recovery_codes"].clone();
    let commands = ["--user ALICE", "--user ALICE status", "enroll --user ALICE --no-confirm --json"];
    golden::compare("alias", &session(&world, &commands));
    let value = json(&world.run(&["--json", "--user", "ALICE", "status"]));
    assert_eq!((&value["user"], &value["uid"]), (&json!("alice"), &json!(1000)));
    let mut terminal = Terminal::start(&world.tool(&["verify", "--user", "ALICE"]), USUAL);
    terminal.wait_for("Verification code: ");
    terminal.type_line(codes[0].as_str().unwrap());
    let ended = terminal.end();
    assert!(ended.status == 0 && ended.screen.contains("accepted (recovery code)"), "{}", ended.screen);
    // The account of that name is gone, or is another's: the uid was renamed or is used again.
    for name in ["zoe", "bob"] {
        world.change_record(1000, |record| record.name = name.to_owned());
        golden::compare(&format!("other-name-{name}"), &session(&world, &[&commands[..], &["--user alice status"]].concat()));
        let ended = Terminal::start(&world.tool(&["verify", "--user", "alice"]), USUAL).end();
        assert!(ended.status == 3 && ended.screen.contains("adopt alice"), "{}", ended.screen);
    }
    assert_eq!(world.logged().iter().filter(|line| line.contains("action=enroll") && line.contains("user=alice")).count(), 1);
}
