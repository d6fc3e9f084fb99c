//! A guest in the host's process: stacks of every form, panics, descriptors, folders, coming and going.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs::{self, File};

use driver::{Answer, Enrolled, NOW, World, answer, failed, null};
use pam::constants::PamResultCode::{PAM_ABORT, PAM_SUCCESS};

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll("alice");
    (world, alice)
}

#[test]
fn i_01_a_panic_in_the_depth_of_a_login_is_an_abort_of_the_login_alone() {
    let (world, alice) = enrolled();
    let lock = File::open(world.store().join("1000.lock")).unwrap();
    lock.lock().unwrap();
    // A sleep that fails for another reason than a signal is a panic in Rust's own library: here while the lock is waited for.
    let strace = ["/usr/bin/strace", "-f", "-o", "/dev/null", "-e", "trace=clock_nanosleep", "-e", "inject=clock_nanosleep:error=EINVAL"];
    let before = fs::read(world.store().join("1000.state")).unwrap();
    // `run` sees to it that the process lives, prints nothing, and is as it was.
    for typed in [alice.code(NOW), alice.recovery[0].clone()] {
        let run = world.login("test").types(typed).under(&strace).run();
        assert_eq!(*run.code(), PAM_ABORT, "{run:#?}");
        assert_eq!(fs::read(world.store().join("1000.state")).unwrap(), before);
    }
    drop(lock);
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
}

/// Stacks in which a code decides: the module first, last, alone and in between.
const STACKS: [&str; 14] = [
    "auth required pam_countersign.so\n",
    "auth requisite pam_countersign.so\n",
    "auth required pam_countersign.so\nauth required pam_permit.so\n",
    "auth requisite pam_countersign.so\nauth required pam_permit.so\n",
    "auth required pam_permit.so\nauth required pam_countersign.so\n",
    "auth required pam_permit.so\nauth requisite pam_countersign.so\n",
    "auth required pam_permit.so\nauth required pam_countersign.so\nauth required pam_permit.so\n",
    "auth required pam_countersign.so\nauth sufficient pam_permit.so\n",
    "auth optional pam_permit.so\nauth required pam_countersign.so\nauth optional pam_permit.so\n",
    "auth sufficient pam_countersign.so\nauth required pam_deny.so\n",
    "auth [success=1 default=ignore] pam_countersign.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
    "auth [success=done default=die] pam_countersign.so\nauth required pam_permit.so\n",
    "auth [success=ok default=bad] pam_countersign.so\nauth required pam_permit.so\n",
    "auth substack inner\nauth required pam_permit.so\n",
];

/// libpam looks for a substack in /etc/pam.d, unless its path is given.
fn make_stack(world: &World, stack: &str) {
    world.service("inner", "auth required pam_countersign.so\n");
    world.service("stack", &stack.replace("inner", world.folder().join("services/inner").to_str().unwrap()));
}

#[test]
fn i_04_no_stack_in_which_a_code_decides_admits_without_one() {
    let (world, alice) = enrolled();
    let bob = world.enroll("bob");
    let wrong = alice.wrong_code(NOW);
    let mut now = NOW;
    assert_eq!(*world.login("test").types(&alice.recovery[0]).run().code(), PAM_SUCCESS);
    for stack in STACKS {
        make_stack(&world, stack);
        // A stack that never admits would prove nothing.
        now += 3600;
        let right = alice.code(now);
        let run = world.login("stack").at(now).types(&right).run_anyhow();
        assert_eq!(*run.code(), PAM_SUCCESS, "{stack}: {run:#?}");
        let no_codes: [Answer; 8] = [
            answer(&right),
            answer(bob.code(now)),
            answer(&wrong),
            answer(&alice.recovery[0]),
            answer(&bob.recovery[0]),
            answer(""),
            null(),
            failed(),
        ];
        for (number, no_code) in no_codes.into_iter().enumerate() {
            let run = world.login("stack").at(now).answers(no_code).run();
            assert_ne!(*run.code(), PAM_SUCCESS, "{stack} {number}: {run:#?}");
        }
        // Not enrolled where that is required, and nobody at all.
        for user in ["carol", "nobody-here"] {
            let run = world.login("stack").at(now).user(user).types(&right).run();
            assert_ne!(*run.code(), PAM_SUCCESS, "{stack} {user}: {run:#?}");
        }
        let run = world.login("stack").at(now).no_function().run();
        assert_ne!(*run.code(), PAM_SUCCESS, "{stack}: {run:#?}");
    }
}

#[test]
fn i_04_no_such_stack_admits_where_the_store_or_the_configuration_is_gone() {
    type Spoil = fn(&World);
    let spoils: [Spoil; 4] = [
        |world| fs::remove_dir_all(world.store()).unwrap(),
        |world| fs::remove_file(world.store().join("1000.state")).unwrap(),
        |world| fs::remove_file(world.config()).unwrap(),
        |world| world.configure("nonsense = 1\n"),
    ];
    for spoil in spoils {
        let (world, alice) = enrolled();
        world.configure("[policy]\nunenrolled = \"skip\"\n");
        spoil(&world);
        for stack in STACKS {
            make_stack(&world, stack);
            let run = world.login("stack").types(alice.code(NOW)).run_anyhow();
            assert_ne!(*run.code(), PAM_SUCCESS, "{stack}: {run:#?}");
        }
    }
}

#[test]
fn i_04_where_the_stack_says_that_a_code_is_not_needed_none_is() {
    // What `sufficient` and `optional` mean to PAM, and what the manual warns of: nothing a module can do helps here.
    let (world, alice) = enrolled();
    for stack in [
        "auth sufficient pam_countersign.so\nauth required pam_permit.so\n",
        "auth required pam_permit.so\nauth sufficient pam_countersign.so\n",
        "auth required pam_permit.so\nauth optional pam_countersign.so\n",
    ] {
        world.service("stack", stack);
        let run = world.login("stack").types(alice.wrong_code(NOW)).run();
        assert_eq!((run.code(), run.reason()), (&PAM_SUCCESS, "wrong"), "{stack}: {run:#?}");
    }
}

#[test]
fn i_10_coming_and_going_leaves_nothing_behind() {
    let (world, alice) = enrolled();
    let cycles = 400;
    // Malformed, and wrong or waiting: through the store and back. What is left after each is looked at by `run`.
    for typed in ["x".to_owned(), alice.wrong_code(NOW)] {
        let mut login = world.login("test").cycles(cycles);
        for _ in 0..cycles {
            login = login.types(&typed);
        }
        let run = login.run();
        assert!(run.grown < 64 * 1024, "{} bytes in {} logins", run.grown, cycles / 2);
        assert!(!run.mapped);
    }
}

#[test]
fn f_04_descriptors_of_others_are_not_written_to_and_ours_reach_no_child() {
    let (world, alice) = enrolled();
    let file = world.folder().join("of-a-user");
    let untouched = "a user's own words\n".repeat(1000);
    fs::write(&file, &untouched).unwrap();
    let shell = format!("ulimit -n 4096; for fd in {{3..1003}}; do eval \"exec $fd<>{}\"; done; exec \"$@\"", file.display());
    for (round, typed) in [alice.code(NOW), alice.wrong_code(NOW), alice.recovery[0].clone()].into_iter().enumerate() {
        let login = world.login("test").under_shell(&shell).phases(&["authenticate", "authenticate"]);
        let mut login = login.answers(answer(typed)).answers(null().waits()).start();
        login.at_question();
        let open: Vec<(String, String)> = fs::read_dir(format!("/proc/{}/fd", login.pid()))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_link(path).unwrap().display().to_string()))
            .collect();
        assert!(open.iter().filter(|(_, path)| *path == file.display().to_string()).count() > 1000, "{round}");
        let store = world.store().display().to_string();
        let ours: Vec<&(String, String)> = open.iter().filter(|(_, path)| path.starts_with(&store)).collect();
        assert!(ours.iter().all(|(_, path)| *path == store), "a question holds no file: {ours:?}");
        // What a child of the host would have: 0 to 2, and what the shell has left open.
        let reaches_a_child = |fd: &str| {
            let info = fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", login.pid())).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
            u32::from_str_radix(flags, 8).unwrap() & 0o2_000_000 == 0
        };
        for (fd, path) in open.iter().filter(|(_, path)| *path != file.display().to_string()) {
            assert!(!reaches_a_child(fd) || matches!(fd.as_str(), "0" | "1" | "2"), "{fd} {path}");
        }
        login.go_on();
        drop(login.end());
        assert_eq!(fs::read_to_string(&file).unwrap(), untouched);
    }
}

#[test]
fn f_05_a_working_folder_that_is_gone_or_closed_has_no_effect() {
    let (world, alice) = enrolled();
    for (round, shell) in [
        "mkdir gone; cd gone; rmdir ../gone; exec \"$@\"",
        "mkdir -m 000 closed; cd closed; exec \"$@\"",
        "cd /proc/self/task; exec \"$@\"",
    ]
    .into_iter()
    .enumerate()
    {
        let now = NOW + 30 * i64::try_from(round).unwrap();
        let shell = format!("cd {}; {shell}", world.folder().display());
        let run = world.login("test").at(now).types(alice.code(now)).under_shell(&shell).run();
        assert_eq!(*run.code(), PAM_SUCCESS, "{shell}: {run:#?}");
    }
}

#[test]
fn f_12_the_process_is_after_every_end_what_it_was_before() {
    let (world, alice) = enrolled();
    world.service("broken", "auth required pam_countersign.so nonsense\n");
    // Ids, umask, signals, groups, capabilities, threads, folder, descriptors, locale, limits, environment: `run` compares them.
    let ends: Vec<String> = [
        world.login("test").types(alice.code(NOW)),
        world.login("test").types(alice.code(NOW)),
        world.login("test").types(alice.wrong_code(NOW)),
        world.login("test").types(&alice.recovery[0]),
        world.login("test").types("x"),
        world.login("test").answers(failed()),
        world.login("test").user("bob").types("123456"),
        world.login("test").user("nobody-here").types("123456"),
        world.login("broken"),
        world.login("test").failing_writes(libc::EIO).types(alice.code(NOW + 30)),
    ]
    .into_iter()
    .map(|login| login.umask(0o027).ignored_signal(libc::SIGPIPE).environment("LANG", "C.UTF-8").run())
    .map(|run| run.reason().to_owned())
    .collect();
    assert_eq!(
        ends,
        [
            "accepted",
            "replay",
            "wrong",
            "accepted",
            "malformed",
            "conversation",
            "unenrolled",
            "unknown_user",
            "configuration",
            "not_written"
        ]
    );
}
