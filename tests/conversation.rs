//! The conversation, where the person, the host or the password gets in its way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs;
use std::process::Command;

use driver::{Enrolled, NOW, World, answer, null, untouched};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pam::constants::PamResultCode::{PAM_AUTH_ERR, PAM_CONV_ERR, PAM_SUCCESS};

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll("alice");
    (world, alice)
}

fn journal(world: &World) -> Vec<u8> {
    fs::read(world.store().join("1000.state")).unwrap()
}

#[test]
fn c_03_a_signal_at_the_question_charges_nothing_and_leaves_no_lock() {
    let (world, alice) = enrolled();
    let before = journal(&world);
    let mut now = NOW;
    for signal in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGALRM, Signal::SIGKILL] {
        let mut login = world.login("test").answers(answer(alice.wrong_code(now)).waits()).start();
        login.at_question();
        kill(Pid::from_raw(i32::try_from(login.pid()).unwrap()), signal).unwrap();
        login.kill();
        assert_eq!(journal(&world), before, "{signal}");
    }
    for signals in [&[Signal::SIGTSTP, Signal::SIGCONT][..], &[Signal::SIGSTOP, Signal::SIGCONT], &[Signal::SIGWINCH]] {
        let mut login = world.login("test").at(now).answers(answer(alice.code(now)).waits()).start();
        login.at_question();
        for signal in signals {
            kill(Pid::from_raw(i32::try_from(login.pid()).unwrap()), *signal).unwrap();
        }
        // While it stands there, stopped or not, others of the same user go in and out.
        let run = world.login("test").at(now).types("x").run();
        assert_eq!(run.reason(), "malformed", "{run:#?}");
        login.go_on();
        assert_eq!(*login.end().code(), PAM_SUCCESS);
        now += 30;
    }
}

#[test]
fn c_06_a_password_that_looks_like_the_code_is_never_taken_for_it() {
    let (world, alice) = enrolled();
    let right = alice.code(NOW);
    let shadow = world.folder().join("etc/shadow");
    let hashed = Command::new("perl").args(["-e", "print crypt($ARGV[0], '$5$rounds=1000$testsalt$')", &right]).output().unwrap();
    let hashed = String::from_utf8(hashed.stdout).unwrap();
    assert!(hashed.starts_with("$5$"));
    let lines = fs::read_to_string(&shadow).unwrap();
    let lines = lines
        .lines()
        .map(|line| if line.starts_with("alice:") { format!("alice:{hashed}:20000:0:99999:7:::\n") } else { format!("{line}\n") });
    fs::write(&shadow, lines.collect::<String>()).unwrap();
    world.service("password", "auth requisite pam_unix.so nodelay\nauth required pam_countersign.so\n");
    let before = journal(&world);
    // The host answers every question with the password, or this one not at all: PAM_AUTHTOK holds the right code.
    let typed = world.login("password").types(&right).types(&right).run();
    assert_eq!((typed.code(), typed.reason()), (&PAM_AUTH_ERR, "malformed"), "{typed:#?}");
    let nothing = world.login("password").types(&right).answers(null()).run();
    assert_eq!((nothing.code(), nothing.reason()), (&PAM_AUTH_ERR, "malformed"), "{nothing:#?}");
    let untouched = world.login("password").types(&right).answers(untouched()).run();
    assert_eq!((untouched.code(), untouched.reason()), (&PAM_CONV_ERR, "conversation"), "{untouched:#?}");
    assert_eq!(journal(&world), before);
    // Where no password was asked for it is a code as any other.
    assert_eq!(*world.login("test").types(&right).run().code(), PAM_SUCCESS);
}

#[test]
fn c_06_what_sshd_answers_for_a_blocked_user_is_not_charged_at_any_length() {
    let (world, _) = enrolled();
    let before = journal(&world);
    let junk = b"\x08\n\r\x7fINCORRECT";
    // Cut to the password's length, or repeated up to it.
    for length in 1..=40 {
        let typed: Vec<u8> = junk.iter().copied().cycle().take(length).collect();
        let run = world.login("test").types(typed).run();
        assert_eq!((run.code(), run.reason()), (&PAM_AUTH_ERR, "malformed"), "{length}: {run:#?}");
    }
    assert_eq!(journal(&world), before);
}

#[test]
fn c_08_silence_hides_messages_and_changes_no_answer() {
    for typed in [0, 1, 2, 3] {
        let mut runs = Vec::new();
        for silent in [false, true] {
            let (world, alice) = enrolled();
            let typed = [alice.code(NOW), alice.wrong_code(NOW), "x".to_owned(), alice.recovery[0].clone()][typed].clone();
            let login = world.login("test").types(typed);
            let run = if silent { login.silent() } else { login }.run();
            assert!(!silent || run.messages().is_empty(), "{run:#?}");
            runs.push(format!("{:?} {:?} {:?}", run.codes, run.questions(), run.log));
        }
        assert_eq!(runs[0], runs[1]);
    }
}
