//! What takes both: the module refuses, root's command at a terminal mends it, and the module lets in.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use countersign::sys;
use driver::{Enrolled, Run, World, tool};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::openpty;
use pam::constants::PamResultCode::{PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_SUCCESS};

const YEAR: i64 = 365 * 86_400;

/// The tool at a terminal where that is typed; what the screen shows, and the exit status.
fn at_terminal(world: &World, arguments: &[&str], typed: &str) -> (String, i32) {
    let pair = openpty(None, None).unwrap();
    let (mut keyboard, slave) = (File::from(pair.master), File::from(pair.slave));
    fcntl(&keyboard, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    keyboard.write_all(typed.as_bytes()).unwrap();
    let inside = world.command(tool().to_str().unwrap());
    let end = || Stdio::from(slave.try_clone().unwrap());
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(inside.get_program()).args(inside.get_args());
    command.arg("--config").arg(world.config()).args(arguments).env_clear();
    let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    drop((command, slave));
    let mut screen = Vec::new();
    // It ends in an error when nobody holds the other side any more.
    let _ = keyboard.read_to_end(&mut screen);
    (String::from_utf8(screen).unwrap().replace('\r', ""), child.wait().unwrap().code().unwrap())
}

/// The machine's clock is the tool's; the logins are given theirs.
fn attempt(world: &World, user: &str, now: i64, typed: impl AsRef<[u8]>) -> Run {
    world.login("test").user(user).at(now).types(typed).run()
}

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll("alice");
    (world, alice)
}

#[test]
fn j_12_after_an_unlock_of_a_lost_journal_nothing_used_is_accepted_and_the_next_code_is() {
    let damages: [fn(&Path); 6] = [
        |journal| fs::remove_file(journal).unwrap(),
        |journal| fs::write(journal, vec![b'x'; 8192]).unwrap(),
        |journal| fs::write(journal, vec![0; 8192]).unwrap(),
        |journal| fs::write(journal, &fs::read(journal).unwrap()[..4096]).unwrap(),
        |journal| fs::write(journal, [fs::read(journal).unwrap(), vec![b'\n']].concat()).unwrap(),
        |journal| fs::write(journal, "").unwrap(),
    ];
    for damage in damages {
        let (world, alice) = enrolled();
        let now = sys::now();
        assert_eq!(*attempt(&world, "alice", now, alice.code(now)).code(), PAM_SUCCESS);
        assert_eq!(*attempt(&world, "alice", now, &alice.recovery[0]).code(), PAM_SUCCESS);
        damage(&world.store().join("1000.state"));
        let run = attempt(&world, "alice", now + 30, alice.code(now + 30));
        assert_eq!((run.code(), run.reason()), (&PAM_AUTHINFO_UNAVAIL, "damaged"), "{run:#?}");
        assert!(run.logged()[0].contains("countersign-setup unlock alice"), "{run:#?}");
        let (screen, status) = at_terminal(&world, &["unlock", "alice"], "");
        assert!(status == 0 && screen.contains("journal made anew. All recovery codes are used up."), "{screen}");
        let after = sys::now();
        for typed in [alice.code(now), alice.code(now - 30)] {
            assert_eq!(*attempt(&world, "alice", now, typed).code(), PAM_AUTH_ERR);
        }
        // Whatever the window held when it was made anew may have been used.
        for later in [0, 30] {
            assert_ne!(*attempt(&world, "alice", now + later, alice.code(now + later)).code(), PAM_SUCCESS);
        }
        for recovery in &alice.recovery {
            assert_eq!(attempt(&world, "alice", after, recovery).ends(), ["replay"]);
        }
        let next = after + 60;
        assert_eq!(*attempt(&world, "alice", next, alice.code(next)).code(), PAM_SUCCESS);
        assert_eq!(attempt(&world, "alice", next, alice.code(next)).ends(), ["replay"]);
    }
}

#[test]
fn j_12_a_renamed_account_is_refused_until_its_record_is_adopted() {
    let (world, alice) = enrolled();
    let now = sys::now();
    let passwd = world.folder().join("etc/passwd");
    let users = fs::read_to_string(&passwd).unwrap();
    // As `usermod -l dora alice` leaves it.
    fs::write(&passwd, users.replace("alice:x:1000:1000::/home/alice:", "dora:x:1000:1000::/home/alice:")).unwrap();
    let refused = || {
        for typed in [alice.code(now), alice.recovery[0].clone()] {
            let run = attempt(&world, "dora", now, typed);
            assert_eq!((run.code(), run.reason()), (&PAM_AUTHINFO_UNAVAIL, "other_name"), "{run:#?}");
            let line = run.logged()[0];
            assert!(line.contains("countersign-setup adopt dora") && line.contains("countersign-setup reset dora"), "{line}");
        }
    };
    refused();
    let (screen, status) = at_terminal(&world, &["adopt", "dora"], "n\n");
    assert!(status == 1 && screen.contains("was made for \"alice\". Is dora the same person?\n[y/N] "), "{screen}");
    refused();
    let (screen, status) = at_terminal(&world, &["adopt", "dora"], "y\n");
    assert!(status == 0 && screen.contains("the second factor of \"alice\" is now that of \"dora\"."), "{screen}");
    assert_eq!(*attempt(&world, "dora", now, alice.code(now)).code(), PAM_SUCCESS);
    assert_eq!(*attempt(&world, "dora", now, &alice.recovery[0]).code(), PAM_SUCCESS);
    assert_eq!(attempt(&world, "dora", now, alice.code(now)).ends(), ["replay"]);
}

#[test]
fn g_02_after_a_right_code_of_a_clock_once_ahead_roots_unlock_brings_the_app_back() {
    let (world, alice) = enrolled();
    let now = sys::now();
    let ahead = now + 10 * YEAR;
    assert_eq!(*attempt(&world, "alice", ahead, alice.code(ahead)).code(), PAM_SUCCESS);
    let refused = |now: i64, recovery: &str| {
        let run = attempt(&world, "alice", now, alice.code(now));
        assert_eq!((run.code(), run.ends()), (&PAM_AUTH_ERR, vec!["clock_behind"]), "{run:#?}");
        assert_eq!(*attempt(&world, "alice", now, recovery).code(), PAM_SUCCESS);
    };
    refused(now, &alice.recovery[0]);
    // The clock is asked about; a no leaves the floor where it is.
    let (screen, status) = at_terminal(&world, &["unlock", "alice"], "n\n");
    assert!(status == 0 && screen.contains("Is that right? [y/N] ") && screen.contains("are refused still"), "{screen}");
    refused(now + 90, &alice.recovery[1]);
    let (screen, status) = at_terminal(&world, &["unlock", "alice"], "y\n");
    assert!(status == 0 && screen.contains("remote and local logins are ready"), "{screen}");
    assert_ne!(*attempt(&world, "alice", now, alice.code(now)).code(), PAM_SUCCESS, "what the window held stays used");
    let next = sys::now() + 60;
    assert_eq!(*attempt(&world, "alice", next, alice.code(next)).code(), PAM_SUCCESS);
    assert_eq!(attempt(&world, "alice", next, alice.code(next)).ends(), ["replay"]);
    assert_eq!(*attempt(&world, "alice", next, &alice.recovery[2]).code(), PAM_SUCCESS);
}
