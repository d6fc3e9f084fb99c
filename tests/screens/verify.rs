//! `verify` where no code can be right, and its values for programs.

use std::fs::File;

use countersign::rules::date::minutes;
use countersign::rules::journal::Journal;
use countersign::rules::throttle::{Lane, Throttle};
use countersign::rules::totp::{self, Parameters, Secret};
use countersign::sys;
use serde_json::{Value, json};

use super::golden;
use super::sheet::{enroll, keys};
use super::talk::{CODE, Says, command, sheet};
use super::terminal::{KINDS, Terminal, USUAL};
use super::world::World;

/// 2090: whatever year the tests run in.
const AHEAD: i64 = 3_800_000_010;

/// So many wrong codes in a row, just now.
fn failed(journal: &mut Journal, count: u16) {
    let now = sys::now();
    journal.throttle = (0..count).fold(Throttle::default(), |throttle, _| throttle.failed(Lane::Local, now));
}

#[test]
fn b_09_g_02_waiting_stopped_and_a_floor_ahead_are_told_with_what_works() {
    type State = (&'static str, fn(&mut Journal));
    let states: [State; 3] = [
        ("verify-waiting", |journal| failed(journal, 6)),
        ("verify-stopped", |journal| failed(journal, 40)),
        ("verify-floor", |journal| journal.last = AHEAD),
    ];
    for (name, state) in states {
        let world = World::new("");
        enroll(&world, "alice");
        for kind in KINDS {
            world.change_journal(1000, state);
            let before = world.held();
            golden::compare(name, &sheet(&world, kind, &[command("verify --user alice", &[(CODE, Says::Line("123456"))])]));
            assert!(world.held() == before, "{name}");
        }
    }
}

/// What `--json verify` prints for that answer, and its exit status.
fn value(world: &World, answer: &str) -> (Value, i32) {
    let out = world.folder().join("out");
    let mut terminal =
        Terminal::start_with(&world.tool(&["--json", "verify", "--user", "alice"]), USUAL, Some(File::create(&out).unwrap()), None);
    terminal.wait_for(CODE);
    terminal.type_line(answer);
    let status = terminal.end().status;
    (serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap(), status)
}

#[test]
fn a_program_is_told_whether_and_why() {
    let world = World::new("");
    let codes = enroll(&world, "alice")["recovery_codes"].clone();
    let code = codes[4].as_str().unwrap();
    let accepted = json!({"user": "alice", "uid": 1000, "accepted": true, "authenticator": null, "recovery_codes_left": 9});
    let (found, status) = value(&world, code);
    assert_eq!((&found, status), (&accepted, 0));
    assert_eq!(keys(&found), "user uid accepted authenticator recovery_codes_left");
    let refused = |answer: &str, kind: &str, message: &str, next: &str| {
        let (found, status) = value(&world, answer);
        let expected = json!({"user": "alice", "uid": 1000, "accepted": false, "kind": kind, "message": message, "next": next});
        assert_eq!((&found, status), (&expected, 1), "{answer}");
        assert_eq!(keys(&found), "user uid accepted kind message next");
    };
    refused(code, "already_used", "recovery code already used", "take another");
    refused("hello", "not_accepted", "that is not a code", "type the digits from the app, or a recovery code");
    world.change_journal(1000, |journal| failed(journal, 6));
    refused("123456", "waiting", "waiting 2 min after too many wrong codes", "a recovery code works now");
    let since = sys::now() - 60;
    world.change_journal(1000, |journal| {
        journal.throttle = (0..40).fold(Throttle::default(), |throttle, _| throttle.failed(Lane::Local, since));
    });
    let stopped = format!("codes are stopped since {} after too many wrong ones", minutes(since));
    refused("123456", "stopped", &stopped, "a recovery code works now");
    world.change_journal(1000, |journal| *journal = Journal { last: AHEAD, throttle: Throttle::default(), ..journal.clone() });
    let ahead = format!("codes up to {} are refused here, a recovery code works", minutes(AHEAD));
    refused("123456", "not_accepted", &ahead, "set the clock, or when it is right run: countersign-setup unlock alice");
}

/// The app's next code, as an enrollment that asks nothing uses up the one it shows now; then the same again.
#[test]
fn a_07_a_code_that_was_used_just_now_is_named_as_such() {
    let world = World::new("");
    let made = enroll(&world, "alice");
    let secret = Secret::new(&data_encoding::BASE32_NOPAD.decode(made["secret"].as_str().unwrap().as_bytes()).unwrap()).unwrap();
    super::phone::early_in_a_step();
    let start = totp::step_start(sys::now() + 30, 30).unwrap();
    let code = totp::code(&secret, Parameters::default(), start).unwrap();
    let digits = String::from_utf8(code.expose().to_vec()).unwrap();
    let (found, status) = value(&world, &digits);
    assert_eq!((&found["accepted"], &found["authenticator"], status), (&json!(true), &json!("phone"), 0));
    let (found, status) = value(&world, &digits);
    assert_eq!(
        (&found["accepted"], &found["kind"], &found["message"], status),
        (&json!(false), &json!("already_used"), &json!("a code was used just now"), 1)
    );
}
