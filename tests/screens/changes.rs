//! Changes of a second factor that stands, at terminals of several kinds.

use countersign::rules::date::rfc3339;
use countersign::rules::throttle::{Lane, Throttle};
use countersign::sys;

use super::enrollment::with_clock;
use super::golden;
use super::sheet::{enroll, json, session, session_without_terminal};
use super::talk::{BACK, CODE, Command, DIGITS, SHOWN, Says, YES, command, said, sheet};
use super::terminal::{KINDS, Kind, NARROW, NOT_UTF_8, Terminal, USUAL};
use super::world::World;

/// One more app, a new phone, new codes, and a login for someone whose phone is at home.
const CHANGES: [Command<'_>; 4] = [
    command("enroll --user alice --add --label tablet", &[DIGITS]),
    command("enroll --user alice --replace --label phone", &[DIGITS]),
    command("recovery --user alice", &[BACK]),
    command("rescue alice --valid 30m", &[]),
];

fn changes(kind: Kind) -> String {
    let world = World::new("");
    enroll(&world, "alice");
    sheet(&world, kind, &CHANGES)
}

#[test]
fn changes_at_an_ordinary_terminal() {
    golden::compare("changes", &changes(USUAL));
}

#[test]
fn changes_at_a_narrow_terminal() {
    golden::compare("changes-small", &changes(NARROW));
}

#[test]
fn changes_where_the_locale_is_not_utf_8() {
    golden::compare("changes-ascii", &changes(NOT_UTF_8));
}

#[test]
fn changes_without_colours() {
    for environment in [
        &[("TERM", "xterm"), ("LC_ALL", "C.UTF-8"), ("NO_COLOR", "1")][..],
        &[("TERM", "dumb"), ("LC_ALL", "C.UTF-8")],
        &[("LC_ALL", "C.UTF-8")],
    ] {
        let screen = changes(Kind { environment, ..USUAL });
        assert!(!screen.contains('\x1b'));
        golden::compare("changes-no-color", &screen);
    }
}

#[test]
fn one_more_authenticator_and_one_too_many() {
    for kind in KINDS {
        golden::compare("add", &added(kind));
    }
}

fn added(kind: Kind) -> String {
    let world = World::new("");
    enroll(&world, "alice");
    sheet(
        &world,
        kind,
        &[
            command("enroll --user alice", &[]),
            command("enroll --user alice --add --label phone", &[]),
            command("enroll --user alice --replace --label tablet", &[]),
            command("enroll --user alice --replace --qr none", &[DIGITS]),
            command("enroll --user alice --add --qr none", &[DIGITS]),
            command("enroll --user alice --replace", &[]),
            command("enroll --user alice --replace --label tablet", &[]),
            command("enroll --user alice --add --qr none --label key --no-confirm", &[]),
            command("enroll --user alice --add --qr none --label key.2 --digits 8 --algorithm sha256 --period 60", &[DIGITS]),
            command("enroll --user alice --add", &[]),
            command("enroll --user alice --replace --qr none --label key --issuer Example --account al@example.org", &[DIGITS]),
            command("enroll --user bob --add", &[]),
        ],
    )
}

#[test]
fn an_authenticator_or_the_whole_second_factor_is_removed() {
    let world = World::new("[policy]\nunenrolled = \"skip\"\n");
    enroll(&world, "alice");
    assert!(world.run(&["--json", "enroll", "--user", "alice", "--no-confirm", "--add", "--label", "tablet"]).status.success());
    assert!(world.run(&["--json", "enroll", "--user", "alice", "--no-confirm", "--add", "--label", "key"]).status.success());
    let mut found = session(
        &world,
        &[
            "remove --user alice laptop",
            "remove --user alice key",
            "--json remove --user alice tablet",
            "remove --user alice phone",
            "remove --user alice tablet",
            "remove --user bob phone",
            "disable --user alice",
            "disable --user alice",
        ],
    );
    enroll(&world, "alice");
    found.push_str(&session(&world, &["--json disable --user alice"]));
    enroll(&world, "alice");
    world.configure("[policy]\nunenrolled = \"deny\"\n");
    found.push_str(&session(&world, &["disable --user alice", "--json disable --user alice"]));
    assert!(world.is_enrolled(1000));
    golden::compare("remove", &found);
}

#[test]
fn a_rescue_code_takes_the_place_of_the_one_before() {
    for kind in KINDS {
        golden::compare("rescue", &rescued(kind));
    }
}

fn rescued(kind: Kind) -> String {
    let world = World::new("");
    enroll(&world, "alice");
    let mut found = session_without_terminal(&world, &["rescue alice", "rescue bob", "--json rescue bob"]);
    found.push_str(&sheet(
        &world,
        kind,
        &[command("rescue alice", &[]), command("rescue alice --valid 1m", &[]), command("rescue bob", &[])],
    ));
    found.push_str(&session(&world, &["status --user alice"]));
    // Every symbol is taken by a code that is used up.
    world.change_journal(1000, |journal| journal.spent = u32::MAX);
    world.change_record(1000, |record| record.recovery.codes.retain(|code| code.rescue.is_none()));
    found.push_str(&session(&world, &["--json rescue alice"]));
    found.push_str(&sheet(&world, kind, &[command("rescue alice", &[])]));
    let logged = world.logged();
    assert_eq!(
        logged.iter().filter(|line| line.contains("result=changed action=rescue user=alice uid=1000 by=root")).count(),
        2,
        "{logged:#?}"
    );
    found
}

#[test]
fn k_05_a_rescue_code_for_a_program_opens_once() {
    let world = World::new("");
    enroll(&world, "alice");
    let value = json(&world.run(&["--json", "rescue", "alice", "--valid", "90s"]));
    let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["user", "uid", "rescue_code", "until"]);
    let renewed = json(&world.run(&["--json", "recovery", "--user", "alice", "--no-confirm", "--codes", "2"]));
    assert_eq!(renewed.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>(), ["user", "uid", "recovery_codes", "made_at"]);
    assert_eq!(renewed["recovery_codes"].as_array().unwrap().len(), 2);
    // The new set has no rescue code: what was issued before is no more.
    drop(value);
    for kind in KINDS {
        let value = json(&world.run(&["--json", "rescue", "alice", "--valid", "90s"]));
        let code = value["rescue_code"].as_str().unwrap();
        // The next free symbol, where the last one is used up.
        assert_eq!(code.starts_with('R'), kind == USUAL, "{code}");
        let answers = [(CODE, Says::Line(code))];
        let verify = command("verify --user alice", &answers);
        golden::compare("verify-rescue", &sheet(&world, kind, &[verify, verify]));
    }
}

#[test]
fn an_account_that_was_renamed_is_adopted() {
    for kind in KINDS {
        golden::compare("adopt", &adopted(kind));
    }
}

fn adopted(kind: Kind) -> String {
    let world = World::new("");
    enroll(&world, "alice");
    let mut found = sheet(&world, kind, &[command("adopt alice", &[]), command("adopt bob", &[]), command("adopt zoe", &[])]);
    world.rename("alice", "zoe");
    found.push_str(&session_without_terminal(&world, &["enroll --user zoe --add --no-confirm --json", "adopt zoe"]));
    for answer in ["n", "", "nay", "Yes"] {
        found.push_str(&sheet(&world, kind, &[command("adopt zoe", &[(YES, Says::Line(answer))])]));
    }
    found.push_str(&session(&world, &["status --user zoe"]));
    found.push_str(&sheet(&world, kind, &[command("adopt zoe", &[])]));
    world.rename("zoe", "alice");
    found.push_str(&sheet(&world, kind, &[command("--json adopt alice", &[(YES, Says::Line("y"))])]));
    found
}

/// So many wrong codes in a row.
fn wrong(count: u16) -> Throttle {
    (0..count).fold(Throttle::default(), |throttle, _| throttle.failed(Lane::Remote, sys::now()))
}

/// 2090: whatever year the tests run in.
const AHEAD: i64 = 3_800_000_010;

#[test]
fn g_02_waits_stops_and_floors_end_by_unlock() {
    let world = World::new("");
    enroll(&world, "alice");
    let mut found = session(&world, &["unlock bob", "--json unlock bob", "unlock alcie", "unlock alice", "--json unlock alice"]);
    for state in ["waiting", "stopped"] {
        world.change_journal(1000, |journal| journal.throttle = wrong(if state == "waiting" { 6 } else { 40 }));
        assert!(session(&world, &["status --user alice"]).contains(state));
        found.push_str(&session(&world, &["unlock alice"]));
        assert!(!session(&world, &["status --user alice"]).contains(state));
    }
    world.change_journal(1000, |journal| journal.last = AHEAD);
    let unasked = ["unlock alice", "--json unlock alice", "enroll --user alice --add --no-confirm --json"];
    found.push_str(&session_without_terminal(&world, &unasked));
    let asked = floor_asked(&world, USUAL);
    found.push_str(&asked);
    for kind in KINDS {
        let world = World::new("");
        enroll(&world, "alice");
        world.change_journal(1000, |journal| journal.last = AHEAD);
        assert_eq!(floor_asked(&world, kind), asked);
    }
    found.push_str(&session(&world, &["unlock alice"]));
    std::fs::remove_file(world.store().join("1000.state")).unwrap();
    found.push_str(&session(&world, &["status --user alice", "unlock alice"]));
    std::fs::write(world.store().join("1000.state"), "not a journal").unwrap();
    found.push_str(&session(&world, &["--json unlock alice", "status --user alice"]));
    // Without a record there is still a throttle.
    assert!(world.run(&["reset", "alice"]).status.success());
    found.push_str(&session(&world, &["unlock alice"]));
    golden::compare("unlock", &found.replace(&rfc3339(AHEAD), "[AHEAD]"));
}

/// Whether the clock is right: first it is not.
fn floor_asked(world: &World, kind: Kind) -> String {
    let answered = |answer| sheet(world, kind, &[command("unlock alice", &[(YES, Says::Line(answer))])]);
    answered("n") + &answered("y")
}

#[test]
fn the_bare_command_tells_the_state_and_the_next_step() {
    let world = World::new("[policy]\nunenrolled = \"deny\"\n");
    let commands = ["", "--user alice"];
    let mut found = session(&world, &commands);
    enroll(&world, "alice");
    enroll(&world, "root");
    assert!(world.run(&["--json", "enroll", "--user", "alice", "--no-confirm", "--add"]).status.success());
    world.change_record(1000, |record| record.recovery.codes.truncate(1));
    found.push_str(&session(&world, &commands));
    golden::compare("bare", &found);
}

#[test]
fn three_wrong_answers_end_a_change() {
    let world = World::new("");
    enroll(&world, "alice");
    let before = world.held();
    let mut found = String::new();
    for line in ["enroll --user alice --add --qr none", "enroll --user alice --replace --qr none"] {
        let words: Vec<_> = line.split(' ').collect();
        let mut terminal = Terminal::start(&with_clock(&world, 0, &words), USUAL);
        for (question, answer) in [(SHOWN, "hello"), ("(2 tries left): ", ""), ("(1 try left): ", "not a code")] {
            said(&mut terminal, (question, Says::Line(answer)));
        }
        found.push_str(&golden::screen(&terminal.end(), world.folder()));
    }
    let mut terminal = command("recovery --user alice", &[]).begun(&world, USUAL);
    terminal.wait_for(BACK.0);
    let codes = super::phone::sheet(&terminal.text());
    let right = super::phone::asked_back(&terminal.text()).replace(' ', "-").to_uppercase();
    let another = codes.iter().find(|code| **code != right).unwrap();
    terminal.type_line(another);
    terminal.wait_for("That is another code. Code ");
    for left in ["(2 tries left): ", "(1 try left): "] {
        terminal.wait_for(left);
        terminal.type_line("x");
    }
    let ended = terminal.end();
    assert_eq!(ended.status, 1);
    found.push_str(&golden::screen(&ended, world.folder()));
    assert!(world.held() == before);
    golden::compare("changes-no-right-answer", &found);
}
