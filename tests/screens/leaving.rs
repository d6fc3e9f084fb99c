//! A change that a person leaves before its end, at each of its questions: nothing is changed, and it is said what to do
//! with what was shown.

use std::fs::File;

use nix::sys::signal::Signal;

use super::phone::{self, BACK};
use super::sheet::{enroll, unbroken};
use super::talk::{Command, SHOWN, Says, YES, command, said};
use super::terminal::{Kind, Terminal, USUAL};
use super::world::{CONFIG, TOOL, World};

const AGAIN: &str = "(2 tries left): ";
/// 2090: whatever year the tests run in.
const AHEAD: i64 = 3_800_000_010;

/// A change, what stands before it, its question (with how to make it ask again), and what is said in the end.
struct Left {
    line: &'static str,
    before: fn(&World),
    question: &'static str,
    again: Option<fn(&str) -> String>,
    next: &'static str,
}

fn alice(world: &World) {
    enroll(world, "alice");
}

const LEFT: [Left; 7] = [
    Left {
        line: "enroll --user alice --add",
        before: alice,
        question: SHOWN,
        again: Some(phone::wrong_digits),
        next: "delete the new entry \"web1: alice\" from the app",
    },
    Left {
        line: "enroll --user alice --replace",
        before: alice,
        question: SHOWN,
        again: Some(phone::wrong_digits),
        next: "delete the new entry \"web1: alice\" from the app",
    },
    Left {
        line: "recovery --user alice",
        before: alice,
        question: BACK,
        again: Some(|screen| phone::mistyped(&phone::asked_back(screen))),
        next: "throw the new codes away (the old ones still work)",
    },
    Left {
        line: "adopt zoe",
        before: |world| {
            enroll(world, "alice");
            world.rename("alice", "zoe");
        },
        question: YES,
        again: None,
        next: "start again",
    },
    Left {
        line: "unlock alice",
        before: |world| {
            enroll(world, "alice");
            world.change_journal(1000, |journal| journal.last = AHEAD);
        },
        question: YES,
        again: None,
        next: "start again",
    },
    Left { line: "reset alice", before: |world| world.raise_floor(1000, AHEAD), question: YES, again: None, next: "start again" },
    Left { line: "enroll --user alice", before: |world| world.raise_floor(1000, AHEAD), question: YES, again: None, next: "start again" },
];

impl Left {
    /// At its question, the first time or again.
    fn begun(&self, world: &World, again: bool, stderr: Option<File>) -> Terminal {
        let words: Vec<_> = self.line.split_whitespace().collect();
        let mut terminal = Terminal::start_with(&world.tool(&words), USUAL, None, stderr);
        terminal.wait_for(self.question);
        if let (true, Some(wrong)) = (again, self.again) {
            let wrong = wrong(&terminal.text());
            said(&mut terminal, ("", Says::Line(&wrong)));
            terminal.wait_for(AGAIN);
        }
        terminal
    }
}

fn left_at_each_question(lefts: &[Left]) {
    type Way = (&'static str, fn(&mut Terminal));
    let ways: [Way; 6] = [
        ("Ctrl-C", |terminal| terminal.press(b"\x03")),
        ("Ctrl-\\", |terminal| terminal.press(b"\x1c")),
        ("Ctrl-D", |terminal| terminal.press(b"\x04")),
        ("SIGTERM", |terminal| terminal.send(Signal::SIGTERM)),
        ("SIGHUP", |terminal| terminal.send(Signal::SIGHUP)),
        ("half a line", |terminal| terminal.press(b"y12\x03")),
    ];
    for left in lefts {
        let world = World::new("");
        (left.before)(&world);
        let before = world.held();
        let told = format!("\ncountersign-setup: interrupted, nothing was changed; {}\n", left.next);
        for again in [false, true] {
            if again && left.again.is_none() {
                continue;
            }
            for (way, leave) in ways {
                let mut terminal = left.begun(&world, again, None);
                leave(&mut terminal);
                let ended = terminal.end();
                assert_eq!(ended.status, 130, "{way} {}: {}", left.line, ended.screen);
                assert!(unbroken(&ended.screen).ends_with(&told), "{way} {}: {}", left.line, ended.screen);
                assert!(world.held() == before, "{way} {}", left.line);
            }
            let err = world.folder().join("err");
            let mut terminal = left.begun(&world, again, Some(File::create(&err).unwrap()));
            terminal.hang_up();
            assert_eq!(terminal.end().status, 130, "{}", left.line);
            assert_eq!(unbroken(std::fs::read(&err).unwrap()), told.trim_start(), "{}", left.line);
            assert!(world.held() == before, "closed terminal: {}", left.line);
        }
        assert!(!world.logged().iter().any(|line| line.contains("result=changed") && !line.contains("action=enroll")));
    }
}

#[test]
fn j_01_one_more_authenticator() {
    left_at_each_question(&LEFT[..1]);
}

#[test]
fn j_01_a_new_phone() {
    left_at_each_question(&LEFT[1..2]);
}

#[test]
fn j_01_new_recovery_codes() {
    left_at_each_question(&LEFT[2..3]);
}

#[test]
fn j_01_a_new_name_and_a_floor() {
    left_at_each_question(&LEFT[3..]);
}

#[test]
fn j_01_a_rescue_code_that_was_shown_and_not_committed_is_said_to_be_none() {
    let world = World::new("");
    enroll(&world, "alice");
    let before = world.held();
    // The lock is taken to see whose record it is, to begin, and to commit. A signal before the last word ends it.
    let trace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:signal=TERM:when=2"];
    let line = [&trace[..], &[TOOL, "--config", CONFIG, "rescue", "alice"]].concat();
    let ended = Terminal::start(&world.inside(&line), USUAL).end();
    assert_eq!(ended.status, 130, "{}", ended.screen);
    let told = "countersign-setup: interrupted, nothing was changed; forget the code above (it does not work)\n";
    assert!(unbroken(&ended.screen).ends_with(told), "{}", ended.screen);
    assert!(world.held() == before);
    assert!(!world.logged().iter().any(|line| line.contains("action=rescue")));
}

#[test]
fn j_01_whether_root_is_meant_is_asked_first() {
    let behind = Kind { environment: &[("TERM", "xterm"), ("LC_ALL", "C.UTF-8"), ("SUDO_USER", "bob")], ..USUAL };
    let world = World::new("[policy]\nunenrolled = \"skip\"\n");
    enroll(&world, "root");
    let before = world.held();
    for line in ["enroll --add", "enroll --replace", "recovery", "remove phone", "disable", "verify"] {
        for (says, status, told) in [
            (Says::Line("n"), 1, "countersign-setup: nothing was changed; for bob leave out sudo\n"),
            (Says::Line(""), 1, "countersign-setup: nothing was changed; for bob leave out sudo\n"),
            (Says::Keys(b"\x03"), 130, "countersign-setup: interrupted, nothing was changed; for bob leave out sudo\n"),
        ] {
            let answers = [("This is for root, not for bob. Go on? [y/N] ", says)];
            let ended = command(line, &answers).ended(&world, behind);
            assert_eq!(ended.status, status, "{line}: {}", ended.screen);
            assert!(ended.screen.ends_with(told), "{line}: {}", ended.screen);
        }
        let run = world.command(&line.split(' ').collect::<Vec<_>>()).env("SUDO_USER", "bob").output().unwrap();
        let expected = match line {
            "remove phone" | "disable" => {
                (2, "countersign-setup: this is for root, not for bob; say whom: --user root, or --user bob\n".to_owned())
            }
            _ => (3, format!("{} needs a terminal; ", line.split(' ').next().unwrap())),
        };
        let told = unbroken(&run.stderr);
        assert_eq!(run.status.code(), Some(expected.0), "{line}: {told}");
        assert!(told.contains(&expected.1), "{line}: {told}");
    }
    assert!(world.held() == before);
    for (line, answers) in [("enroll --add", &[(YES, Says::Line("y")), super::talk::DIGITS][..]), ("disable", &[(YES, Says::Line("Y"))])] {
        let ended = Command { line, answers }.ended(&world, behind);
        assert_eq!(ended.status, 0, "{}", ended.screen);
    }
    assert!(!world.is_enrolled(0));
}

#[test]
fn behind_sudo_a_person_who_is_named_is_meant() {
    let behind = Kind { environment: &[("TERM", "xterm"), ("LC_ALL", "C.UTF-8"), ("SUDO_USER", "bob")], ..USUAL };
    let world = World::new("");
    enroll(&world, "alice");
    for line in ["rescue alice", "unlock alice", "recovery --user alice --no-confirm", "reset alice"] {
        let ended = command(line, &[]).ended(&world, behind);
        assert!(ended.status == 0 && !ended.screen.contains("for root"), "{line}: {}", ended.screen);
    }
    enroll(&world, "alice");
    world.rename("alice", "zoe");
    let ended = command("adopt zoe", &[("same person?\r\n[y/N] ", Says::Line("y"))]).ended(&world, behind);
    assert_eq!(ended.status, 0, "{}", ended.screen);
}
