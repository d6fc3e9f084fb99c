//! What strace sees of a login: how files are opened, what an answer costs, and that nothing else is touched.
#![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs;

use countersign::rules::code::{RecoveryCode, Slot};
use driver::{Enrolled, Login, NOW, PASSWORD, Run, World};
use pam::constants::PamResultCode::{PAM_AUTH_ERR, PAM_SUCCESS};

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll("alice");
    (world, alice)
}

/// The login, and its calls of those names: one a line, without the number of the process.
fn traced(world: &World, calls: &str, login: Login<'_>) -> (Run, Vec<String>) {
    let file = world.folder().join("trace");
    let run = login.under(&["/usr/bin/strace", "-f", "-y", "-s", "0", "-o", file.to_str().unwrap(), "-e", &format!("trace={calls}")]).run();
    let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
    let lines: Vec<String> = text.lines().map(|line| line.split_once(' ').unwrap().1.trim_start().to_owned()).collect();
    assert!(!lines.is_empty());
    assert!(!text.contains("resumed"), "one thread");
    (run, lines)
}

const FILES: &str = "%file,fstat,pread64,pwrite64,flock,close";

/// The paths of the lines that open one.
fn opened(lines: &[String]) -> Vec<String> {
    let opens = lines.iter().filter(|line| line.starts_with("open"));
    let paths = opens.filter_map(|line| Some(line.rsplit_once(" = ")?.1.split_once('<')?.1.trim_end_matches('>').to_owned()));
    paths.filter(|path| !path.starts_with("/proc/")).collect()
}

#[test]
fn d_08_no_path_of_the_store_is_opened_through_a_link_or_left_to_a_child() {
    let (world, alice) = enrolled();
    let store = world.store().to_str().unwrap().to_owned();
    for typed in [alice.code(NOW), alice.wrong_code(NOW), alice.recovery[0].clone()] {
        // With the lock to be made, too.
        fs::remove_file(world.store().join("1000.lock")).unwrap();
        let (_, lines) = traced(&world, FILES, world.login("test").types(typed));
        let of_store = |line: &String| line.contains(&store) && !line.starts_with("mount(");
        let mut openings = 0;
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| of_store(line)) {
            match line.split_once('(').unwrap().0 {
                "openat2" => {
                    assert!(line.contains("RESOLVE_NO_SYMLINKS") && line.contains("O_NOFOLLOW") && line.contains("O_CLOEXEC"), "{line}");
                    assert!(line.contains(&format!("\"{store}\"")), "{line}");
                }
                "openat" => {
                    assert!(line.contains(&format!("<{store}>, \"")), "by descriptor: {line}");
                    assert!(line.contains("O_NOFOLLOW") && line.contains("O_CLOEXEC") && line.contains("O_NONBLOCK"), "{line}");
                    if let Some(fd) = line.rsplit_once(" = ").unwrap().1.split_once('<') {
                        openings += 1;
                        is_looked_at_before_it_is_used(&lines[number + 1..], fd.0, line);
                    }
                }
                // The marker, and the lock's name, are looked at and not opened.
                "newfstatat" => {
                    let on_descriptor = line.contains(", \"\", ") && line.contains("AT_EMPTY_PATH");
                    assert!(on_descriptor || line.contains("AT_SYMLINK_NOFOLLOW"), "{line}");
                }
                "fstat" | "pread64" | "pwrite64" | "flock" | "close" => {}
                _ => panic!("{line}"),
            }
        }
        assert!(openings >= 4, "record, journal, lock, record, journal: {openings}");
    }
}

fn is_looked_at_before_it_is_used(rest: &[String], fd: &str, opening: &str) {
    for line in rest {
        let (call, arguments) = line.split_once('(').unwrap();
        if arguments.split_once('<').is_some_and(|(here, _)| here == fd) {
            match call {
                "fstat" => return,
                "newfstatat" if arguments.contains(", \"\", ") => return,
                _ => panic!("{call} before fstat: {opening}"),
            }
        }
    }
    panic!("never looked at: {opening}");
}

#[test]
fn e_11_the_user_database_is_asked_once_or_twice_where_names_differ() {
    let (world, alice) = enrolled();
    let passwd = world.folder().join("etc/passwd");
    fs::write(&passwd, fs::read_to_string(&passwd).unwrap() + "ALICE:x:1000:1000::/:/bin/sh\n").unwrap();
    for (user, now, asked) in [("alice", NOW, 1), ("ALICE", NOW + 30, 2), ("bob", NOW, 1), ("nobody-here", NOW, 1)] {
        let login = world.login("test").user(user).at(now).types(alice.code(now));
        let (_, lines) = traced(&world, "%file", login);
        assert_eq!(opened(&lines).iter().filter(|path| *path == "/etc/passwd").count(), asked, "{user}");
    }
}

#[test]
fn f_06_the_environment_opens_no_file() {
    let (world, alice) = enrolled();
    let plain = traced(&world, "%file", world.login("test").types(alice.wrong_code(NOW)));
    let hostile = world
        .login("test")
        .types(alice.wrong_code(NOW))
        .environment("RUST_BACKTRACE", "full")
        .environment("RUST_LOG", "trace")
        .environment("HOME", "/root/hostile")
        .environment("TMPDIR", "/root/hostile")
        .environment("XDG_CONFIG_HOME", "/root/hostile")
        .environment("XDG_RUNTIME_DIR", "/root/hostile")
        .environment("LANG", "xx_XX.UTF-8")
        .environment("LC_ALL", "xx_XX.UTF-8")
        .environment("COUNTERSIGN_CONFIG", "/root/hostile")
        .environment("PATH", "/root/hostile");
    let hostile = traced(&world, "%file", hostile);
    assert_eq!(hostile.0.said, plain.0.said);
    assert_eq!(opened(&hostile.1), opened(&plain.1));
    assert!(hostile.1.iter().all(|line| !line.contains("hostile")));
}

#[test]
fn h_01_no_process_is_started_and_no_name_is_made_from_an_answer() {
    let (world, alice) = enrolled();
    for typed in [alice.code(NOW), alice.recovery[0].clone()] {
        let (_, lines) = traced(&world, "%process,%file", world.login("test").types(&typed));
        let started = ["execve(", "execveat(", "fork(", "vfork(", "clone(", "clone3("];
        let starts = lines.iter().filter(|line| started.iter().any(|call| line.starts_with(call))).count();
        assert_eq!(starts, 1, "the login itself: {lines:#?}");
        let made = lines.iter().filter(|line| line.contains("O_CREAT") || line.starts_with("mkdir") || line.starts_with("rename"));
        assert!(
            made.clone().all(|line| line.contains("\"/dev/") || line.contains(world.folder().join("dev").to_str().unwrap())),
            "{:#?}",
            made.collect::<Vec<_>>()
        );
    }
}

/// What an answer costs: the calls from the store's second opening until the log asks for the kernel's clock, with
/// descriptors and lengths, without bytes and addresses.
fn cost(world: &World, login: Login<'_>) -> (Run, Vec<String>) {
    let (run, lines) = traced(world, "all", login);
    let from = lines.iter().rposition(|line| line.starts_with("openat2(")).unwrap();
    let until = from + lines[from..].iter().position(|line| line.starts_with("clock_adjtime(")).unwrap();
    let costs = lines[from..until].iter().map(|line| {
        let words = line.split([' ', ',']).map(|word| if word.contains("0x") { "ADDRESS" } else { word });
        words.collect::<Vec<_>>().join(" ")
    });
    (run, costs.collect())
}

#[test]
fn b_07_h_06_right_wrong_and_used_codes_cost_the_same_calls_up_to_the_log() {
    let (world, alice) = enrolled();
    let (run, wrong) = cost(&world, world.login("test").types(alice.wrong_code(NOW)));
    assert_eq!(run.reason(), "wrong");
    let (run, right) = cost(&world, world.login("test").types(alice.code(NOW)));
    assert_eq!(*run.code(), PAM_SUCCESS);
    let (run, used) = cost(&world, world.login("test").types(alice.code(NOW)));
    assert_eq!(run.reason(), "replay");
    assert!(wrong.iter().filter(|line| line.starts_with("pwrite64(")).count() == 1, "{wrong:#?}");
    same(&slots(&right), &slots(&wrong));
    same(&slots(&used), &slots(&wrong));
}

#[track_caller]
fn same(one: &[String], other: &[String]) {
    let differing = one.iter().zip(other).position(|(one, other)| one != other);
    assert!(differing.is_none(), "{:#?}\n{:#?}", one.get(differing.unwrap()..), other.get(differing.unwrap()..));
    assert_eq!(one.len(), other.len());
}

/// The two slots are written in turn.
fn slots(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| if line.starts_with("pwrite64(") { line.replace(" 4096)", " 0)") } else { line.clone() }).collect()
}

#[test]
fn h_06_recovery_codes_cost_the_same_whatever_is_wrong_with_them() {
    let (world, alice) = enrolled();
    let code = |slot: u8| RecoveryCode::made(Slot::new(slot).unwrap(), &[9; 14]).grouped().to_string();
    assert_eq!(*world.login("test").types(&alice.recovery[0]).run().code(), PAM_SUCCESS);
    // The first wrong one is the minute's failure to report.
    assert_eq!(*world.login("test").types(code(2)).run().code(), PAM_AUTH_ERR);
    let (run, mismatch) = cost(&world, world.login("test").types(code(3)));
    assert_eq!(run.reason(), "wrong");
    let (run, no_slot) = cost(&world, world.login("test").types(code(29)));
    assert_eq!(run.reason(), "wrong");
    let (run, used) = cost(&world, world.login("test").types(&alice.recovery[0]));
    assert_eq!(run.reason(), "replay");
    same(&no_slot, &mismatch);
    same(&used, &mismatch);
}

#[test]
fn h_06_until_the_last_message_every_answer_looks_the_same() {
    let (world, alice) = enrolled();
    let unknown_slot = RecoveryCode::made(Slot::new(29).unwrap(), &[9; 14]).grouped().to_string();
    let mismatch = RecoveryCode::made(Slot::new(2).unwrap(), &[9; 14]).grouped().to_string();
    let typed = [alice.wrong_code(NOW), unknown_slot, mismatch, "nonsense".to_owned(), PASSWORD.to_owned(), alice.code(NOW)];
    let runs: Vec<Run> = typed.into_iter().map(|typed| world.login("test").types(typed).run()).collect();
    for run in &runs {
        assert_eq!((run.said[0].0.as_str(), run.said[0].1.as_str()), ("Hidden", "Verification code: "));
        assert_eq!(run.delays.len(), usize::from(*run.code() != PAM_SUCCESS), "{run:#?}");
    }
    // Wrong code, unknown slot and mismatch differ in nothing at all but the log's words.
    for run in &runs[1..3] {
        assert_eq!((&run.said, &run.codes), (&runs[0].said, &runs[0].codes));
    }
}

#[test]
fn h_03_where_the_kernel_leaves_nothing_out_of_a_core_dump_a_login_ends_as_ever() {
    let (world, alice) = enrolled();
    let file = world.folder().join("trace");
    for (now, calls) in [(NOW, "trace=madvise"), (NOW + 30, "inject=madvise:error=EINVAL")] {
        let strace = ["/usr/bin/strace", "-f", "-o", file.to_str().unwrap(), "-e", "trace=madvise", "-e", calls];
        for (typed, code) in [(alice.wrong_code(now), PAM_AUTH_ERR), (alice.code(now), PAM_SUCCESS)] {
            assert_eq!(*world.login("test").at(now).types(typed).under(&strace).run().code(), code);
            let seen = fs::read_to_string(&file).unwrap();
            let given = |advice: &str| seen.lines().filter(|line| line.contains(advice)).count();
            // The reserve's pages and the stack's, and the stack's again.
            assert_eq!((given("MADV_DONTDUMP"), given("MADV_DODUMP")), (2, 1), "{seen}");
            assert_eq!(seen.contains("EINVAL"), calls.contains("EINVAL"), "{seen}");
        }
    }
}
