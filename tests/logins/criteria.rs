//! What only real programs show, beyond the table.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::etc::{self, PAM_AFTER_KEY, PAM_ALL_PHASES};
use crate::people::{PASSWORD, PASSWORD_HASH, SIX_DIGITS, SIX_DIGITS_HASH, uid_of};
use crate::programs::{ASK_ME, At, Door, KEY_PORT, Login, PASSWORD_PORT, Program, SOMEONE, WHO, ssh, words};
use crate::sshd::{KEY, Sshd};
use crate::table::{Outcome, at_once, attempt};
use crate::world::inside;

const ASKED: &str = "Verification code: ";
const CTRL_C: &str = "\x03";
const CTRL_BACKSLASH: &str = "\x1c";
const CTRL_D: &str = "\x04";
const HANG_UP: &str = "";

#[test]
fn a_01_of_ssh_and_sudo_at_once_with_one_code_one_gets_in() {
    let names = ["ann", "ben", "cem", "dee", "eva", "fay", "gil", "hal"];
    inside(&names, |world| {
        let _sshd = Sshd::password_and_code(PASSWORD_PORT);
        let run = |name| {
            let code = world.enroll(name).code();
            let (end, screens) = at_once([Program::Ssh.door(name), Program::Sudo.door(name)], &code);
            assert_eq!(end, Outcome::OneIn, "{name}\n{screens}");
        };
        thread::scope(|scope| names.map(|name| scope.spawn(move || run(name))).map(|run| run.join().unwrap()));
    });
}

#[test]
fn b_12_wrong_passwords_never_reach_the_second_question() {
    inside(&["alice"], |world| {
        let _sshd = Sshd::password_and_code(PASSWORD_PORT);
        let alice = world.enroll("alice");
        let before = alice.state();
        let try_three_times = || {
            let mut login = Login::begin(Door { tries: 3, ..Program::Ssh.door_with_wrong_password("alice") });
            assert_eq!(login.go_on(), At::Out);
            assert_eq!(login.screen().matches("Password: ").count(), 3, "{}", login.screen());
            assert!(!login.screen().contains(ASKED), "{}", login.screen());
        };
        thread::scope(|scope| (0..10).for_each(|_| drop(scope.spawn(try_three_times))));
        assert!(alice.state() == before);
        assert_eq!(world.log.lines_with(&["pam_countersign("]), [""; 0]);
        assert_eq!(attempt(Program::Ssh.door("alice"), &alice.code()).0, Outcome::In);
    });
}

#[test]
fn b_16_who_waits_or_is_stopped_is_asked_again_and_gives_a_recovery_code() {
    inside(&["waiting", "stopped"], |world| {
        let _sshd = Sshd::password_and_code(PASSWORD_PORT);
        for (name, failures, told, reason) in [
            ("waiting", 5, ", or use a recovery code. ", "reason=waiting"),
            ("stopped", 40, "Codes are stopped, use a recovery code. ", "reason=stopped"),
        ] {
            let person = world.enroll(name);
            person.fail_remotely(failures);
            let mut login = Login::begin(Door { tries: 2, ..Program::Ssh.door(name) });
            assert_eq!(login.go_on(), At::Question);
            login.answer(&person.code());
            assert_eq!(login.go_on(), At::Question, "{}", login.screen());
            login.answer(&person.recovery_codes[0]);
            assert_eq!(login.go_on(), At::In, "{}", login.screen());
            assert_eq!(login.screen().matches(&format!("{told}{ASKED}")).count(), 2, "{}", login.screen());
            assert!(world.log.comes(&["result=refused", reason, &format!("user={name} ")]));
        }
    });
}

#[test]
fn c_03_who_gives_up_at_the_question_is_not_charged_and_has_an_echo_again() {
    let cases = [
        (Program::Ssh, CTRL_C),
        (Program::Sudo, CTRL_C),
        (Program::Su, CTRL_C),
        (Program::Ssh, CTRL_D),
        (Program::Sudo, CTRL_D),
        (Program::Su, CTRL_D),
        (Program::Login, CTRL_D),
        (Program::Ssh, HANG_UP),
        (Program::Sudo, HANG_UP),
        (Program::Su, HANG_UP),
        (Program::Login, HANG_UP),
    ];
    let names: Vec<_> = (0..cases.len()).map(|case| format!("user{case}")).chain([SOMEONE.to_owned()]).collect();
    inside(&names.iter().map(String::as_str).collect::<Vec<_>>(), |world| {
        let _sshd = Sshd::password_and_code(PASSWORD_PORT);
        let give_up = |program: Program, keys, name| {
            let person = world.enroll(name);
            let before = person.state();
            let mut login = Login::begin(program.door(name));
            assert_eq!(login.go_on(), At::Question);
            assert!(!login.terminal.echoes(), "{program:?}: the code is shown");
            // ssh, between its prompt and its read, would miss the signal: nobody types as fast.
            thread::sleep(Duration::from_millis(500));
            login.terminal.press(keys);
            if keys != HANG_UP {
                assert_ne!(login.go_on(), At::In, "{program:?} {keys:?}");
                // su dies of Ctrl-C on the spot, at its own question as well.
                let restored = login.terminal.echoes() || login.screen().ends_with("Password: ");
                assert!(restored || (program, keys) == (Program::Su, CTRL_C), "{program:?} {keys:?}\n{}", login.screen());
            }
            drop(login);
            assert!(person.state() == before, "{program:?} {keys:?}");
            assert_eq!(attempt(program.door(name), &person.code()).0, Outcome::In, "{program:?} {keys:?}");
        };
        let give_up = &give_up;
        thread::scope(|scope| {
            cases.iter().zip(&names).for_each(|((program, keys), name)| drop(scope.spawn(move || give_up(*program, *keys, name))))
        });
    });
}

#[test]
fn c_05_sshd_that_answers_with_the_password_is_refused_uncharged() {
    inside(&["alice"], |world| {
        let lines = "PasswordAuthentication yes\nKbdInteractiveAuthentication no\n";
        let _sshd = Sshd::start(PASSWORD_PORT, lines, None);
        let alice = world.enroll("alice");
        let before = alice.state();
        let refused_with = |password: &str, reason, tries| {
            world.keep_out_of_the_log(password);
            let command = ssh("alice", PASSWORD_PORT, &["-o", "PreferredAuthentications=password"]);
            let mut login = Login::begin(Door { command, password: password.to_owned(), tries, ..Program::Ssh.door("alice") });
            assert_eq!(login.go_on(), At::Out, "{}", login.screen());
            assert!(world.log.comes(&["pam_countersign(sshd:auth): result=refused", reason, "user=alice "]));
            assert!(alice.state() == before);
        };
        refused_with(PASSWORD, "reason=malformed", 2);
        let shadow = fs::read_to_string("/etc/shadow").unwrap();
        fs::write("/etc/shadow", shadow.replace(PASSWORD_HASH, SIX_DIGITS_HASH)).unwrap();
        refused_with(SIX_DIGITS, "reason=malformed", 1);
    });
}

#[test]
fn i_06_called_in_every_phase_by_several_processes_of_sshd() {
    inside(&["alice"], |world| {
        let lines = "PasswordAuthentication no\nKbdInteractiveAuthentication yes\n";
        let _sshd = Sshd::start(PASSWORD_PORT, lines, Some(PAM_ALL_PHASES));
        let alice = world.enroll("alice");
        let (end, screen) = attempt(Program::Ssh.door("alice"), &alice.code());
        assert_eq!(end, Outcome::In, "{screen}");
    });
}

#[test]
fn i_12_without_authentication_methods_nobody_gets_in_without_a_key() {
    inside(&["enrolled", "unenrolled", "exempt"], |world| {
        etc::policy("unenrolled = \"skip\"\nexempt_users = [\"exempt\"]");
        let lines = "PasswordAuthentication no\nKbdInteractiveAuthentication yes\n";
        let _sshd = Sshd::start(KEY_PORT, lines, Some(PAM_AFTER_KEY));
        let code = world.enroll("enrolled").code();
        for name in ["enrolled", "unenrolled", "exempt"] {
            let door = Door { command: ssh(name, KEY_PORT, &ASK_ME), ..Program::Ssh.door(name) };
            let (end, screen) = attempt(door, &code);
            assert_eq!(end, Outcome::NotAsked, "{name}\n{screen}");
            assert!(world.log.comes(&["pam_countersign(sshd:auth): result=refused reason=require_prior"]));
        }
        // A key alone never asks PAM: the account line with enforce is what refuses it.
        for name in ["enrolled", "unenrolled", "exempt"] {
            let command = ssh(name, KEY_PORT, &["-i", KEY, "-o", "PreferredAuthentications=publickey"]);
            let (end, screen) = attempt(Door { command, ..Program::SshKey.door(name) }, &code);
            assert_eq!(end, Outcome::NotAsked, "{name}\n{screen}");
            assert!(world.log.comes(&["pam_countersign(sshd:account): result=refused reason=enforce", &format!("user={name} ")]));
        }
    });
}

#[test]
fn f_11_the_factor_is_that_of_the_user_whom_pam_is_asked_about() {
    inside(&["alice", "bob", "carol"], |world| {
        let (alice, bob) = (world.enroll("alice"), world.enroll("bob"));
        let to_alice = |by: &str, command: &[&str]| Door { command: words(command), uid: uid_of(by), ..Program::Login.door("alice") };
        let sudo = ["sudo", "-k", "-u", "alice", "sh", "-c", WHO];
        let su = ["su", "alice", "-c", WHO];
        for (by, command, theirs, others) in
            [("bob", sudo.as_slice(), &bob, &alice), ("bob", &su, &alice, &bob), ("carol", &sudo, &alice, &bob)]
        {
            let (end, screen) = attempt(to_alice(by, command), &others.recovery_codes[0]);
            assert_eq!(end, Outcome::Refused, "{by}: {command:?}\n{screen}");
            let code = if by == "carol" { theirs.recovery_codes[1].clone() } else { theirs.code() };
            let (end, screen) = attempt(to_alice(by, command), &code);
            assert_eq!(end, Outcome::In, "{by}: {command:?}\n{screen}");
        }
    });
}

#[test]
fn h_03_su_that_is_killed_at_the_code_leaves_no_core_dump_for_who_killed_it() {
    let names: Vec<String> = (0..20).map(|number| format!("user{number}")).chain([SOMEONE.to_owned()]).collect();
    inside(&names.iter().map(String::as_str).collect::<Vec<_>>(), |world| {
        setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY).unwrap();
        let home = format!("/home/{SOMEONE}");
        let dumped = |program: &str| words(&["sh", "-c", &format!("ulimit -c unlimited; cd {home}; echo ready; exec {program}")]);
        let cores = || fs::read_dir(&home).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
        let machine = |setting: &str| fs::read_to_string(format!("/proc/sys/{setting}")).unwrap().trim().to_owned();

        // A program that is not setuid leaves one there, where the machine puts them.
        let mut own = Login::begin(Door { command: dumped("sleep 60"), ..Program::Su.door(SOMEONE) });
        own.terminal.wait_for(&["ready"]);
        own.terminal.press(CTRL_BACKSLASH);
        let made = own.terminal.end().core_dumped();
        if !machine("kernel/core_pattern").contains(['|', '/']) {
            assert!(made && !cores().is_empty());
        }
        cores().iter().for_each(|core| fs::remove_file(core).unwrap());

        let su = |name: &str| {
            let mut login = Login::begin(Door { command: dumped(&format!("su {name} -c :")), ..Program::Su.door(name) });
            assert_eq!(login.go_on(), At::Question, "{}", login.screen());
            login
        };
        let judged_in = {
            let someone = world.enroll(SOMEONE);
            let (before, mut login) = (someone.state(), su(SOMEONE));
            login.answer(&someone.wrong_code());
            let answered = Instant::now();
            while someone.state() == before {}
            answered.elapsed()
        };
        let mut written = 0;
        for name in &names[..20] {
            let person = world.enroll(name);
            // As many as are judged before the first wait.
            for _ in 0..5 {
                let (before, mut login) = (person.state(), su(name));
                login.answer(&person.wrong_code());
                thread::sleep(judged_in.mul_f64(f64::from(random()) / 256.0));
                login.terminal.press(CTRL_BACKSLASH);
                let end = login.terminal.end();
                assert_eq!(end.signal(), Some(libc::SIGQUIT), "{end}");
                assert!(!end.core_dumped() || machine("fs/suid_dumpable") == "2", "{end}");
                for core in cores() {
                    let file = fs::metadata(&core).unwrap();
                    assert_eq!((file.uid(), file.mode() & 0o777), (0, 0o600), "{core:?}");
                }
                written += u32::from(person.state() != before);
            }
        }
        // Some were killed before their failure was written, some after.
        assert!((1..100).contains(&written), "{written}");
    });
}

fn random() -> u8 {
    let mut byte = [0];
    countersign::sys::random(&mut byte).unwrap();
    byte[0]
}
