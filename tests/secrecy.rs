//! What must not be seen: secrets, codes and passwords in the log, in memory, on disk, or in the time an answer takes.
#![allow(unsafe_code, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs;

use countersign::rules::code::{self, Digits, Typed};
use countersign::rules::record::Record;
use countersign::rules::recovery::Cost;
use countersign::rules::totp::{self, Floor, Match, Parameters, Secret};
use data_encoding::HEXLOWER;
use driver::{Enrolled, Image, NOW, PASSWORD, Run, SECRET, Stopped, World, answer, base32, forms_of_the_secret, null};
use pam::constants::PamResultCode::{PAM_AUTH_ERR, PAM_SUCCESS};

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll_as("alice", 1000, SECRET);
    (world, alice)
}

// In the log and on the screen.

#[test]
fn h_01_no_secret_code_or_password_is_logged_said_or_printed() {
    let (world, alice) = enrolled();
    world.service(
        "all",
        "auth required pam_unix.so nodelay\nauth required pam_countersign.so debug\nauth optional pam_unix.so nodelay try_first_pass\n",
    );
    let wrong = alice.wrong_code(NOW);
    let typo = alice.recovery[1].replace('-', "").to_lowercase().replace('2', "3");
    let typed = [
        alice.code(NOW),
        alice.code(NOW),
        wrong.clone(),
        alice.recovery[0].clone(),
        alice.recovery[0].clone(),
        typo.clone(),
        "hunter2 and more".to_owned(),
        PASSWORD.to_owned(),
    ];
    let mut never: Vec<String> = vec![base32(), HEXLOWER.encode(SECRET), PASSWORD.to_owned(), "hunter2".to_owned(), wrong, typo];
    never.extend([alice.code(NOW), alice.code(NOW - 30), alice.code(NOW + 30)]);
    never.extend(alice.recovery.iter().flat_map(|code| [code.clone(), code.to_lowercase(), code.replace('-', "")]));
    let mut steps = 0;
    for typed in typed {
        let mut login = world.login("all").tty("tty1").rhost("192.0.2.7").types(PASSWORD).answers(answer(typed).waits()).start();
        login.at_question();
        let file = |name: &str| String::from_utf8_lossy(&fs::read(format!("/proc/{}/{name}", login.pid())).unwrap()).into_owned();
        let process = file("cmdline") + &file("environ") + &file("comm");
        login.go_on();
        let run = login.end();
        steps += run.logged().iter().filter(|line| line.starts_with("step=")).count();
        let everything = format!("{process} {run:?}");
        for secret in &never {
            assert!(!everything.contains(secret), "{secret}: {run:#?}");
        }
    }
    assert!(steps >= 8 * 4, "debug says more");
    for entry in fs::read_dir(world.store()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(never.iter().all(|secret| !name.contains(secret)));
    }
}

// In memory.

#[track_caller]
fn holds_no_secret(image: &Image, world: &World) {
    // The image is the process's own: what it must hold is found.
    assert!(image.holds(world.store().to_str().unwrap().as_bytes()));
    for (form, bytes) in forms_of_the_secret() {
        assert!(!image.holds(&bytes), "{form}");
    }
}

#[test]
fn h_02_memory_holds_no_secret_at_the_question_nor_afterwards() {
    let (world, alice) = enrolled();
    // In one transaction after another answer, and in the next transaction after pam_end.
    let now = |round: i64| NOW + 30 * round;
    for (round, typed) in [alice.code(now(0)), alice.wrong_code(now(1)), alice.recovery[0].clone(), "x".to_owned()].into_iter().enumerate()
    {
        for same_transaction in [true, false] {
            let login = world.login("test").at(now(i64::try_from(round).unwrap()));
            let login = login.answers(answer(&typed).waits()).answers(null().waits());
            let login = if same_transaction { login.phases(&["authenticate", "authenticate"]) } else { login.cycles(2) };
            let mut login = login.start();
            login.at_question();
            holds_no_secret(&Image::of(login.pid()), &world);
            login.go_on();
            login.at_question();
            holds_no_secret(&Image::of(login.pid()), &world);
            login.go_on();
            drop(login.end());
        }
    }
    // The search finds what is there.
    for (form, bytes) in forms_of_the_secret().into_iter().filter(|(_, bytes)| !bytes.contains(&0)) {
        let mut login = world.login("test").at(NOW + 600).tty(&bytes).answers(null().waits()).start();
        login.at_question();
        assert!(Image::of(login.pid()).holds(&bytes), "{form}");
        login.kill();
    }
}

#[test]
fn c_07_an_answer_is_wiped() {
    let (world, alice) = enrolled();
    let right = alice.recovery[0].clone();
    let wrong = "4KFB-F5KZ-NWJ4-7TAN".to_owned();
    let malformed = "a rather long answer that is no code at all".to_owned();
    for typed in [right, wrong, malformed] {
        let login = world.login("test").phases(&["authenticate", "authenticate"]);
        let mut login = login.answers(answer(&typed)).answers(answer("another rather long answer").waits()).start();
        login.at_question();
        let image = Image::of(login.pid());
        let plain = typed.replace('-', "");
        for form in [typed.as_str(), &typed[4..], plain.as_str(), &plain[3..]] {
            assert!(!image.holds(form.as_bytes()), "{form}");
        }
        login.go_on();
        drop(login.end());
    }
}

// In a core dump.

#[test]
fn h_03_wherever_a_login_dies_its_core_dump_holds_no_secret() {
    let (world, alice) = enrolled();
    let forms = forms_of_the_secret();
    let (mut points, mut in_memory) = (0, 0);
    let mut now = NOW;
    // From where on it is looked at: while the record is read, and while the code is judged. So many points lie within
    // so many instructions each, the others where an interrupt finds it.
    for (file, stepped, instructions, recovery_code) in [("1000.toml", 20, 500, 0), ("1000.state", 100, 2000, 1)] {
        for typed in [alice.wrong_code(now), alice.recovery[recovery_code].clone(), alice.code(now + 90)] {
            now += 30;
            let login = world.login("test").at(now).phases(&["authenticate", "authenticate"]);
            let mut login = login.answers(answer(&typed).waits()).answers(null().waits()).start();
            login.at_question();
            let stopped = Stopped::at_the_question(login.pid(), &world.store());
            login.go_on();
            stopped.until_open(&world.store().join(file));
            for number in 0.. {
                if number < stepped {
                    stopped.step(random(instructions));
                } else {
                    stopped.run(random(60));
                }
                let image = Image::of(login.pid());
                for (form, bytes) in &forms {
                    assert!(!image.dump_holds(bytes), "{form}, {typed}");
                }
                if stopped.has_written() {
                    break;
                }
                points += 1;
                in_memory += u32::from(forms.iter().any(|(_, bytes)| image.holds(bytes)));
            }
            stopped.let_go();
            login.at_question();
            login.go_on();
            drop(login.end());
        }
    }
    assert!(in_memory >= 100, "{in_memory} of {points}");
}

fn random(below: u32) -> u32 {
    let mut bytes = [0; 4];
    countersign::sys::random(&mut bytes).unwrap();
    u32::from_ne_bytes(bytes) % below
}

// On disk.

#[test]
fn h_07_recovery_codes_are_on_disk_as_salted_hashes_alone() {
    let (world, alice) = enrolled();
    assert_eq!(*world.login("test").types(&alice.recovery[2]).run().code(), PAM_SUCCESS);
    let bytes = fs::read(world.store().join("1000.toml")).unwrap();
    let codes = Record::parse(1000, &bytes).unwrap().recovery.codes;
    assert_eq!(codes.len(), 10);
    for (number, stored) in codes.iter().enumerate() {
        assert_eq!(stored.hashed.cost, Cost::NEW);
        for (other, printed) in alice.recovery.iter().enumerate() {
            let Typed::Recovery(code) = code::read(printed.as_bytes()) else { panic!("{printed}") };
            assert_eq!(stored.hashed.opens(&code).unwrap(), number == other);
        }
        assert!(codes.iter().enumerate().all(|(other, code)| number == other || code.hashed.salt != stored.hashed.salt));
    }
    for name in ["1000.toml", "1000.state", "1000.lock"] {
        let file = String::from_utf8(fs::read(world.store().join(name)).unwrap()).unwrap().to_uppercase();
        for code in &alice.recovery {
            let plain = code.replace('-', "");
            // Slot and check symbol aside, what is random in it.
            assert!(!file.contains(code) && !file.contains(&plain) && !file.contains(&plain[1..13]), "{name}: {code}");
        }
        assert_eq!(file.contains(&base32()), name == "1000.toml", "{name}");
    }
}

// In time.

/// How many instructions that takes: a child of this process is stepped through it. The first time is not counted, so
/// that nothing is made ready within.
fn instructions(work: impl Fn()) -> u64 {
    // SAFETY: the child computes, and ends by _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        work();
        // SAFETY: this process is its own.
        unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
        // SAFETY: the parent goes on with us.
        unsafe { libc::raise(libc::SIGSTOP) };
        work();
        // SAFETY: no destructor of the tests is run.
        unsafe { libc::_exit(0) };
    }
    let mut count = 0;
    let mut status = 0;
    loop {
        // SAFETY: the status is ours.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        if libc::WIFEXITED(status) {
            return count;
        }
        assert!(libc::WIFSTOPPED(status));
        count += 1;
        // SAFETY: the child is stopped, and ours.
        assert_eq!(unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, child, 0, 0) }, 0);
    }
}

#[test]
fn h_05_a_code_costs_the_same_wherever_in_the_window_it_matches() {
    let secret = Secret::new(SECRET).unwrap();
    let parameters = Parameters::default();
    let floor = Floor { not_before: 0, last: NOW - 3600 };
    let spent = Floor { not_before: 0, last: NOW + 3600 };
    let code = |start: i64| totp::code(&secret, parameters, start).unwrap();
    let find = |typed: &Digits, floor: Floor| totp::find(&secret, parameters, typed, NOW, 1, floor);
    let cost = |typed: &Digits, floor: Floor| {
        instructions(|| {
            let _: Match = find(typed, floor);
        })
    };
    // No step has it, not even its first digit.
    let near: Vec<u8> = [-30, 0, 30].iter().map(|away| code(NOW + away).expose()[0]).collect();
    let other = (b'0'..=b'9').find(|digit| !near.contains(digit)).unwrap();
    let wrong = Digits::new(&[other; 6]).unwrap();
    assert_eq!(find(&wrong, floor), Match::None);
    let of_wrong = cost(&wrong, floor);
    assert!(of_wrong > 3000, "three steps are computed: {of_wrong}");
    for away in [-30, 0, 30] {
        let right = code(NOW + away);
        assert_eq!(find(&right, floor), Match::Fresh(NOW + away));
        // The same work, but for what the answer is made of.
        assert!(cost(&right, floor).abs_diff(of_wrong) < 30, "{away}: {} {of_wrong}", cost(&right, floor));
        assert_eq!(find(&right, spent), Match::Used);
        assert!(cost(&right, spent).abs_diff(of_wrong) < 30, "{away}, used: {} {of_wrong}", cost(&right, spent));
    }
    // Wrong in the first digit, or in the last alone: exactly the same.
    for place in [0, 5] {
        let mut digits = code(NOW).expose().to_vec();
        digits[place] = if digits[place] == b'9' { b'8' } else { b'9' };
        let typed = Digits::new(&digits).unwrap();
        assert_eq!(find(&typed, floor), Match::None);
        assert_eq!(cost(&typed, floor), cost(&wrong, floor), "{place}");
    }
}

#[test]
fn h_06_nobody_learns_from_the_answer_who_is_enrolled() {
    let (world, alice) = enrolled();
    // bob is not, and nobody knows the last one.
    for typed in [alice.wrong_code(NOW), "1234-5678-9ABC-DEFG".to_owned(), "nonsense".to_owned(), String::new()] {
        let runs: Vec<Run> = ["alice", "bob", "nobody-here"].map(|user| world.login("test").user(user).types(&typed).run()).into();
        for run in &runs {
            assert_eq!(*run.code(), PAM_AUTH_ERR);
            assert_eq!(run.said, runs[0].said);
            assert_eq!(run.delays.len(), 1);
        }
    }
}
