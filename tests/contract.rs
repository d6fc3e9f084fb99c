//! PAM's contract with its hosts, through libpam and the module as it ships: what it exports, loads and answers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use driver::{Enrolled, Login, NOW, PASSWORD, Run, World, again, answer, code, failed, failed_with, null, release_module, untouched};
use pam::constants::PamResultCode::{
    self, PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_BUF_ERR, PAM_CONV_ERR, PAM_IGNORE, PAM_INCOMPLETE, PAM_PERM_DENIED, PAM_SERVICE_ERR,
    PAM_SUCCESS, PAM_USER_UNKNOWN,
};
use sha2::{Digest, Sha256};

const DAY: i64 = 86_400;
const QUESTION: &str = "Verification code: ";

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll("alice");
    (world, alice)
}

/// The module's own answer, the reason it logged, and whether it asked.
#[track_caller]
fn expect(run: &Run, code: PamResultCode, reason: &str, asked: bool) {
    // In a stack of ours alone libpam makes PAM_PERM_DENIED of PAM_IGNORE.
    let code = if code == PAM_IGNORE { PAM_PERM_DENIED } else { code };
    assert_eq!(*run.code(), code, "{run:#?}");
    let reasons: Vec<&str> = run.logged().into_iter().filter(|line| line.starts_with("result=")).collect();
    assert_eq!(reasons.len(), 1, "{run:#?}");
    assert!(reasons[0].contains(&format!(" reason={reason} ")), "{run:#?}");
    assert_eq!(!run.questions().is_empty(), asked, "{run:#?}");
    for line in run.log.iter().filter(|line| line.by.starts_with("pam_countersign(")) {
        assert_eq!(line.facility, 10, "authpriv: {line:?}");
    }
}

/// An answer that is refused, and judged not to be a guess: nothing is written.
#[track_caller]
fn expect_uncharged(world: &World, login: Login<'_>, code: PamResultCode, reason: &str) {
    let before = world.files();
    expect(&login.run(), code, reason, true);
    assert_eq!(world.files(), before);
}

// What it is.

#[test]
fn it_exports_the_six_hooks_and_nothing_else() {
    let names = Command::new("nm").args(["-D", "--defined-only"]).arg(release_module()).output().unwrap();
    let names = String::from_utf8(names.stdout).unwrap();
    let mut names: Vec<&str> = names.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    names.sort_unstable();
    let hooks = ["acct_mgmt", "authenticate", "chauthtok", "close_session", "open_session", "setcred"];
    assert_eq!(names, hooks.map(|hook| format!("pam_sm_{hook}")));
}

#[test]
fn it_loads_libpam_and_libc_alone() {
    let dynamic = Command::new("readelf").arg("-d").arg(release_module()).output().unwrap();
    let dynamic = String::from_utf8(dynamic.stdout).unwrap();
    let mut needed: Vec<&str> = dynamic.lines().filter_map(|line| line.split_once("(NEEDED)")?.1.split(['[', ']']).nth(1)).collect();
    needed.retain(|name| !name.starts_with("ld-linux"));
    needed.sort_unstable();
    assert_eq!(needed, ["libc.so.6", "libpam.so.0"]);
}

#[test]
fn i_05_the_other_phases_touch_nothing() {
    let world = World::new();
    world.service("all", "auth required pam_countersign.so\naccount required pam_countersign.so\nsession required pam_countersign.so\npassword required pam_countersign.so\n");
    // Neither configuration nor store is there: whoever looked at them would fail.
    fs::remove_file(world.config()).unwrap();
    fs::remove_dir_all(world.store()).unwrap();
    let phases = ["setcred", "account", "open_session", "close_session", "chauthtok"];
    let run = world.login("all").phases(&phases).run();
    let codes: Vec<&PamResultCode> = run.codes.iter().map(|(_, code)| code).collect();
    assert_eq!(codes, [&PAM_SUCCESS, &PAM_PERM_DENIED, &PAM_PERM_DENIED, &PAM_PERM_DENIED, &PAM_PERM_DENIED]);
    assert!(run.log.is_empty() && run.said.is_empty(), "{run:#?}");
}

#[test]
fn i_05_the_other_phases_are_neutral_beside_others() {
    let (world, alice) = enrolled();
    world.service(
        "all",
        "auth required pam_countersign.so\naccount required pam_countersign.so\naccount required pam_permit.so\n\
         session required pam_countersign.so\nsession required pam_permit.so\n",
    );
    let phases = ["authenticate", "setcred", "account", "open_session", "close_session"];
    let run = world.login("all").phases(&phases).types(alice.code(NOW)).run();
    assert!(run.codes.iter().all(|(_, code)| *code == PAM_SUCCESS), "{run:#?}");
}

// The table of return values.

#[test]
fn i_03_a_right_code_lets_in_once_and_its_state_is_written() {
    let (world, alice) = enrolled();
    let before = world.files();
    let run = world.login("test").types(alice.code(NOW)).run();
    assert_eq!(*run.code(), PAM_SUCCESS);
    assert_eq!(run.questions(), [QUESTION]);
    assert!(run.logged()[0].starts_with("result=accepted method=totp user=alice uid=1000 service=test "), "{run:#?}");
    assert_eq!(run.logged().len(), 1);
    assert_ne!(world.files(), before);
    expect(&world.login("test").types(alice.code(NOW)).run(), PAM_AUTH_ERR, "replay", true);
}

#[test]
fn a_03_a_used_code_is_refused_for_the_rest_of_its_window_in_every_service() {
    let (world, alice) = enrolled();
    world.service("other-service", "auth required pam_countersign.so\n");
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    for now in [NOW, NOW + 29, NOW + 59] {
        expect(&world.login("other-service").at(now).types(alice.code(NOW)).run(), PAM_AUTH_ERR, "replay", true);
    }
    expect(&world.login("other-service").at(NOW + 60).types(alice.code(NOW)).run(), PAM_AUTH_ERR, "wrong", true);
}

#[test]
fn a_04_after_a_step_the_one_before_it_is_refused() {
    let (world, alice) = enrolled();
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    expect(&world.login("test").types(alice.code(NOW - 30)).run(), PAM_AUTH_ERR, "replay", true);
    assert_eq!(*world.login("test").types(alice.code(NOW + 30)).run().code(), PAM_SUCCESS);
}

#[test]
fn k_01_a_recovery_code_lets_in_once() {
    let (world, alice) = enrolled();
    let typed = alice.recovery[3].to_lowercase().replace('-', " ");
    let run = world.login("test").types(typed).run();
    assert_eq!(*run.code(), PAM_SUCCESS, "{run:#?}");
    assert!(run.logged()[0].contains("method=recovery") && run.logged()[0].contains("codes_left=9"), "{run:#?}");
    expect(&world.login("test").types(&alice.recovery[3]).run(), PAM_AUTH_ERR, "replay", true);
    assert_eq!(*world.login("test").types(&alice.recovery[4]).run().code(), PAM_SUCCESS);
}

#[test]
fn i_03_a_wrong_code_is_refused_with_two_lines() {
    let (world, alice) = enrolled();
    let run = world.login("test").rhost("192.0.2.7").tty("ssh").ruser("eve").types(alice.wrong_code(NOW)).run();
    expect(&run, PAM_AUTH_ERR, "wrong", true);
    assert_eq!(run.logged()[0], "authentication failure; logname= uid=0 euid=0 tty=ssh ruser=eve rhost=192.0.2.7  user=alice");
    assert_eq!(run.logged().len(), 2);
    // 2 s, which libpam spreads by half to either side.
    assert!(matches!(run.delays[..], [1_000_000..=3_000_000]), "{run:#?}");
}

#[test]
fn c_01_what_is_no_answer_is_malformed_and_not_charged() {
    let (world, _) = enrolled();
    for nothing in [answer(""), answer("   "), null()] {
        expect_uncharged(&world, world.login("test").answers(nothing), PAM_AUTH_ERR, "malformed");
    }
}

#[test]
fn c_02_any_bytes_are_malformed_and_not_logged() {
    let (world, _) = enrolled();
    let all: Vec<u8> = (1..=255).collect();
    let junk = "\u{8}\n\r\u{7f}INCORRECT";
    let typed = [
        answer(all),
        answer(b"\xff\xfe\xfd".as_slice()),
        answer("12345"),
        answer("1234567"),
        answer("１２３４５６"),
        answer(junk),
        answer(&junk[..6]),
        answer("1").times(511),
        answer("1").times(512),
        answer("1").times(513),
    ];
    for typed in typed {
        let before = world.files();
        let run = world.login("test").answers(typed).run();
        expect(&run, PAM_AUTH_ERR, "malformed", true);
        assert!(run.logged().iter().all(|line| !line.contains("INCORRECT") && !line.contains("11111")), "{run:#?}");
        assert_eq!(world.files(), before);
    }
}

#[test]
fn c_02_ten_megabytes_are_malformed_in_no_time() {
    let (world, _) = enrolled();
    let begun = std::time::Instant::now();
    expect_uncharged(&world, world.login("test").answers(answer("1").times(10_000_000)), PAM_AUTH_ERR, "malformed");
    assert!(begun.elapsed().as_secs() < 2);
}

#[test]
fn c_05_the_password_is_no_answer() {
    let (world, _) = enrolled();
    world.service("password", "auth requisite pam_unix.so nodelay\nauth required pam_countersign.so\n");
    let login = world.login("password").types(PASSWORD).types(PASSWORD);
    let before = world.files();
    let run = login.run();
    assert_eq!(*run.code(), PAM_AUTH_ERR);
    assert!(run.log.iter().all(|line| !line.text.contains(PASSWORD)), "{run:#?}");
    assert_eq!(world.files(), before);
}

#[test]
fn b_12_a_wrong_password_never_reaches_the_module() {
    let (world, _) = enrolled();
    world.service("password", "auth requisite pam_unix.so nodelay\nauth required pam_countersign.so\n");
    let before = world.files();
    let run = world.login("password").types("wrong").run();
    assert_eq!((run.questions(), run.logged()), (vec!["Password: "], vec![]), "{run:#?}");
    assert_eq!(world.files(), before);
}

#[test]
fn i_03_who_waits_is_asked_and_gets_one_line() {
    let (world, alice) = enrolled();
    for _ in 0..5 {
        expect(&world.login("test").types(alice.wrong_code(NOW)).run(), PAM_AUTH_ERR, "wrong", true);
    }
    let before = world.files();
    for typed in [alice.wrong_code(NOW), alice.code(NOW)] {
        let run = world.login("test").types(typed).run();
        expect(&run, PAM_AUTH_ERR, "waiting", true);
        assert_eq!(run.logged().len(), 1, "{run:#?}");
        assert!(run.questions()[0].starts_with("Wait 1 min, or use a recovery code. "), "{run:#?}");
    }
    assert_eq!(world.files(), before);
    // Malformed in every state.
    expect_uncharged(&world, world.login("test").types("x"), PAM_AUTH_ERR, "malformed");
    assert_eq!(*world.login("test").types(&alice.recovery[0]).run().code(), PAM_SUCCESS);
    assert_eq!(*world.login("test").at(NOW + 60).types(alice.code(NOW + 60)).run().code(), PAM_SUCCESS);
}

#[test]
fn i_03_after_forty_wrong_codes_the_app_is_stopped_and_a_recovery_code_opens() {
    let (world, alice) = enrolled();
    let mut now = NOW;
    for _ in 0..40 {
        expect(&world.login("test").at(now).types(alice.wrong_code(now)).run(), PAM_AUTH_ERR, "wrong", true);
        now += 3600;
    }
    let run = world.login("test").at(now).types(alice.code(now)).run();
    expect(&run, PAM_AUTH_ERR, "stopped", true);
    assert_eq!(run.logged().len(), 1, "{run:#?}");
    assert!(run.questions()[0].starts_with("Codes are stopped, use a recovery code. "), "{run:#?}");
    assert_eq!(*world.login("test").at(now).types(&alice.recovery[0]).run().code(), PAM_SUCCESS);
    // The other lane is another's.
    assert_eq!(*world.login("test").at(now).rhost("192.0.2.7").types(alice.code(now)).run().code(), PAM_SUCCESS);
}

#[test]
fn i_03_a_service_that_is_skipped_is_ignored_before_user_and_store() {
    let world = World::new();
    world.configure("[service.test]\nskip = true\n");
    fs::remove_dir_all(world.store()).unwrap();
    expect(&world.login("test").no_user().run(), PAM_IGNORE, "service", false);
}

#[test]
fn i_03_an_exempt_user_is_ignored() {
    let (world, _) = enrolled();
    world.configure("[policy]\nexempt_users = [\"alice\"]\n");
    expect(&world.login("test").run(), PAM_IGNORE, "exempt_users", false);
}

#[test]
fn i_03_who_is_not_enrolled_is_ignored_where_policy_permits() {
    let world = World::new();
    world.configure("[policy]\nunenrolled = \"skip\"\n");
    expect(&world.login("test").run(), PAM_IGNORE, "unenrolled", false);
    world.configure("[policy]\nunenrolled = 2026-12-01\n");
    let run = world.login("test").run();
    expect(&run, PAM_IGNORE, "unenrolled", false);
    assert_eq!(run.messages().len(), 1);
    expect(&world.login("test").at(NOW + 7 * DAY).types("123456").run(), PAM_AUTH_ERR, "unenrolled", true);
}

#[test]
fn i_04_ignore_is_no_success_in_any_stack() {
    let world = World::new();
    world.configure("[policy]\nunenrolled = \"skip\"\n");
    for (stack, wanted) in [
        ("auth sufficient pam_countersign.so\nauth required pam_deny.so\n", PAM_AUTH_ERR),
        ("auth [success=1 default=ignore] pam_countersign.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n", PAM_AUTH_ERR),
        ("auth required pam_countersign.so\nauth required pam_deny.so\n", PAM_AUTH_ERR),
        ("auth requisite pam_countersign.so\n", PAM_PERM_DENIED),
        ("auth required pam_countersign.so\nauth required pam_permit.so\n", PAM_SUCCESS),
    ] {
        world.service("stack", stack);
        assert_eq!(*world.login("stack").run().code(), wanted, "{stack}");
    }
}

#[test]
fn i_04_no_stack_admits_without_a_code() {
    let (world, alice) = enrolled();
    for stack in [
        "auth required pam_countersign.so\nauth required pam_permit.so\n",
        "auth requisite pam_countersign.so\nauth required pam_permit.so\n",
        "auth required pam_permit.so\nauth required pam_countersign.so\n",
        "auth [success=1 default=ignore] pam_countersign.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
        "auth sufficient pam_countersign.so\nauth required pam_deny.so\n",
    ] {
        world.service("stack", stack);
        let run = world.login("stack").types(alice.wrong_code(NOW)).run();
        assert_eq!(*run.code(), PAM_AUTH_ERR, "{stack}");
        let run = world.login("stack").types("").run();
        assert_eq!(*run.code(), PAM_AUTH_ERR, "{stack}");
    }
}

#[test]
fn i_03_the_services_own_password_check_is_ignored_before_everything() {
    let world = World::new();
    world.service("countersign", "auth required pam_countersign.so nonsense\n");
    fs::remove_file(world.config()).unwrap();
    let run = world.login("countersign").run();
    assert_eq!(*run.code(), PAM_PERM_DENIED);
    assert!(run.logged().is_empty() && run.said.is_empty(), "{run:#?}");
}

#[test]
fn i_12_without_the_key_that_must_come_before_nobody_is_asked() {
    let (world, alice) = enrolled();
    world.configure("[policy]\nunenrolled = \"skip\"\nexempt_users = [\"carol\"]\n");
    let stack = "auth required pam_countersign.so require_prior=publickey\nauth required pam_permit.so\n";
    world.service("sshd", stack);
    world.service("login", stack);
    for user in ["alice", "bob", "carol", "nobody-here"] {
        expect(&world.login("sshd").user(user).run(), PAM_AUTH_ERR, "require_prior", false);
    }
    let key = "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA";
    expect(&world.login("login").variable(key).run(), PAM_AUTH_ERR, "require_prior", false);
    let run = world.login("sshd").variable(key).types(alice.code(NOW)).run();
    assert_eq!(*run.code(), PAM_SUCCESS, "{run:#?}");
}

#[test]
fn i_03_who_can_not_answer_is_asked_the_same_and_refused() {
    let world = World::new();
    let unenrolled = world.login("test").types("123456").run();
    expect(&unenrolled, PAM_AUTH_ERR, "unenrolled", true);
    for name in [b"nobody-here".as_slice(), b"\xff\xfealice", &[b'x'; 1024], b"../alice", b"alice\nbob", b"-n", b".", b"DOM\\alice"] {
        let unknown = world.login("test").user(name).types("123456").run();
        expect(&unknown, PAM_AUTH_ERR, "unknown_user", true);
        assert_eq!((unknown.said, unknown.delays.len()), (unenrolled.said.clone(), unenrolled.delays.len()));
        assert!(unknown.log.iter().all(|line| line.text.contains("user=?")), "{:#?}", unknown.log);
    }
}

#[test]
fn i_03_an_unknown_user_is_refused_where_others_are_ignored() {
    let world = World::new();
    world.configure("[policy]\nunenrolled = \"skip\"\n");
    expect(&world.login("test").user("nobody-here").run(), PAM_AUTH_ERR, "unknown_user", false);
}

#[test]
fn i_03_no_name_is_an_unknown_user() {
    let (world, alice) = enrolled();
    expect(&world.login("test").no_user().types("").run(), PAM_USER_UNKNOWN, "no_user", true);
    expect(&world.login("test").user([b'x'; 1025]).types("123456").run(), PAM_AUTH_ERR, "unknown_user", true);
    let run = world.login("test").no_user().types("alice").types(alice.code(NOW)).run();
    assert_eq!(*run.code(), PAM_SUCCESS, "{run:#?}");
    assert_eq!(*world.login("test").no_user().answers(again()).run().code(), PAM_INCOMPLETE);
    expect(&world.login("test").no_user().answers(failed()).run(), PAM_CONV_ERR, "conversation", true);
}

#[test]
fn e_11_a_user_database_that_fails_is_no_unknown_user() {
    let (world, _) = enrolled();
    world.configure("[policy]\nunenrolled = \"skip\"\n");
    fs::write(world.folder().join("etc/nsswitch.conf"), "passwd: no-such-database\n").unwrap();
    expect(&world.login("test").run(), PAM_AUTHINFO_UNAVAIL, "user_database", false);
}

#[test]
fn d_01_a_record_or_store_in_a_bad_state_is_asked_all_the_same() {
    type Spoil = fn(&World);
    let spoil: [(&str, Spoil); 8] = [
        ("damaged", |world| fs::write(world.store().join("1000.toml"), "format = 1\n").unwrap()),
        ("damaged", |world| fs::write(world.store().join("1000.state"), vec![b' '; 8192]).unwrap()),
        ("damaged", |world| fs::remove_file(world.store().join("1000.toml")).unwrap()),
        ("store_unavailable", |world| fs::set_permissions(world.store().join("1000.toml"), fs::Permissions::from_mode(0o640)).unwrap()),
        ("store_unavailable", |world| chown(world.store().join("1000.toml"), Some(1000), None).unwrap()),
        ("store_unavailable", |world| fs::set_permissions(world.store(), fs::Permissions::from_mode(0o770)).unwrap()),
        ("store_unavailable", |world| fs::remove_dir_all(world.store()).unwrap()),
        ("newer_format", |world| {
            // A higher format keeps to the head: its checksum is over uid, format and the rest.
            let rest = "whatever comes then\n";
            let sum = data_encoding::HEXLOWER.encode(&Sha256::digest(format!("1000\n2\n{rest}")));
            let newer = format!("format = 2\nsum = \"{}\"\n{rest}", &sum[..16]);
            fs::write(world.store().join("1000.toml"), newer).unwrap();
        }),
    ];
    for (number, (reason, spoil)) in spoil.into_iter().enumerate() {
        let (world, alice) = enrolled();
        world.configure("[policy]\nunenrolled = \"skip\"\n");
        spoil(&world);
        let run = world.login("test").types(alice.code(NOW)).run();
        assert_eq!(*run.code(), PAM_AUTHINFO_UNAVAIL, "{number}: {run:#?}");
        expect(&run, PAM_AUTHINFO_UNAVAIL, reason, true);
    }
}

#[test]
fn b_17_what_can_not_be_written_is_refused_alike_whatever_the_answer_was() {
    for errno in [libc::ENOSPC, libc::EIO, libc::EDQUOT, libc::EFBIG] {
        let (world, alice) = enrolled();
        let before = world.files();
        let right = world.login("test").failing_writes(errno).types(alice.code(NOW)).run();
        let wrong = world.login("test").failing_writes(errno).types(alice.wrong_code(NOW)).run();
        expect(&right, PAM_AUTHINFO_UNAVAIL, "not_written", true);
        assert_eq!((&right.said, &right.log), (&wrong.said, &wrong.log));
        assert_eq!(right.codes, wrong.codes);
        assert_eq!(right.messages().len(), 1);
        assert!(right.logged()[0].contains(&format!("errno={errno}")), "{right:#?}");
        assert_eq!(world.files(), before);
        assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    }
}

#[test]
fn f_13_a_lock_that_is_held_is_busy_and_its_holder_is_logged() {
    let (world, alice) = enrolled();
    let lock = fs::File::open(world.store().join("1000.lock")).unwrap();
    lock.lock().unwrap();
    let before = world.files();
    let run = world.login("test").types(alice.code(NOW)).run();
    expect(&run, PAM_AUTH_ERR, "busy", true);
    assert!(run.logged().last().unwrap().contains(&format!("holder={} holder_uid=0", std::process::id())), "{run:#?}");
    assert_eq!(world.files(), before);
    drop(lock);
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
}

#[test]
fn i_03_a_host_that_is_not_root_is_refused() {
    let (world, _) = enrolled();
    expect(&world.login("test").uids(1000, 1000, 1000).run(), PAM_AUTH_ERR, "not_root", false);
    let sudo = world.login("test").uids(1000, 0, 0).types("x").run();
    expect(&sudo, PAM_AUTH_ERR, "malformed", true);
}

#[test]
fn i_07_an_argument_or_configuration_that_is_not_understood_refuses() {
    let (world, _) = enrolled();
    for arguments in ["nonsense", "unenrolled", "unenrolled=perhaps", "enforce", "config=", "skip=true", "echo=2"] {
        world.service("stack", &format!("auth required pam_countersign.so {arguments}\nauth required pam_permit.so\n"));
        let run = world.login("stack").run();
        assert_eq!(*run.code(), PAM_SERVICE_ERR, "{arguments}: {run:#?}");
        assert_eq!(run.logged().len(), 1, "{run:#?}");
    }
    for text in ["nonsense = 1\n", "[policy]\nunenrolled = \"perhaps\"\n", "[policy\n", "[code]\nwindow = 99\n"] {
        world.configure(text);
        let run = world.login("test").run();
        assert_eq!(*run.code(), PAM_SERVICE_ERR, "{text}: {run:#?}");
        assert!(run.logged()[0].contains("config.toml"), "{run:#?}");
    }
    world.configure("");
    fs::set_permissions(world.config(), fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(*world.login("test").run().code(), PAM_SERVICE_ERR);
    fs::remove_file(world.config()).unwrap();
    assert_eq!(*world.login("test").run().code(), PAM_SERVICE_ERR);
}

#[test]
fn c_01_a_conversation_that_fails_is_not_charged() {
    let (world, alice) = enrolled();
    let right = alice.code(NOW);
    // PAM_SYSTEM_ERR, PAM_CONV_ERR with the right code beside it, none at all, a number that is no PAM code.
    for failing in [failed(), failed_with(&right), untouched(), code(4), code(-1)] {
        expect_uncharged(&world, world.login("test").answers(failing), PAM_CONV_ERR, "conversation");
    }
    expect(&world.login("test").no_function().run(), PAM_CONV_ERR, "conversation", false);
    expect_uncharged(&world, world.login("test").answers(code(5)), PAM_BUF_ERR, "memory");
}

#[test]
fn c_01_a_conversation_that_is_not_ready_comes_again() {
    let (world, alice) = enrolled();
    let before = world.files();
    let run = world.login("test").answers(again()).run();
    assert_eq!((run.code(), run.logged().len()), (&PAM_INCOMPLETE, 0), "{run:#?}");
    assert_eq!(world.files(), before);
    let run = world.login("test").phases(&["authenticate", "authenticate"]).answers(again()).types(alice.code(NOW)).run();
    assert_eq!(*run.code(), PAM_SUCCESS, "{run:#?}");
}

#[test]
fn i_03_a_user_that_changes_at_the_question_is_refused() {
    let (world, alice) = enrolled();
    let bob = world.enroll("bob");
    for code in [alice.code(NOW), bob.code(NOW)] {
        expect_uncharged(&world, world.login("test").answers(answer(code).with_user("bob")), PAM_AUTH_ERR, "user_changed");
    }
}

// Hosts as they are.

#[test]
fn c_04_time_is_read_after_the_answer() {
    let (world, alice) = enrolled();
    let late = NOW + 600;
    let run = world.login("test").answers(answer(alice.code(late)).at(late)).run();
    assert_eq!(*run.code(), PAM_SUCCESS, "{run:#?}");
    expect(&world.login("test").answers(answer(alice.code(NOW + 700)).at(NOW + 800)).run(), PAM_AUTH_ERR, "wrong", true);
}

#[test]
fn c_04_a_question_holds_no_lock() {
    let (world, alice) = enrolled();
    let mut first = world.login("test").answers(answer(alice.code(NOW)).waits()).start();
    assert_eq!(first.at_question(), QUESTION);
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    first.go_on();
    expect(&first.end(), PAM_AUTH_ERR, "replay", true);
}

#[test]
fn a_01_of_two_logins_at_once_one_gets_in() {
    let (world, alice) = enrolled();
    for round in 0..20 {
        let now = NOW + 30 * round;
        let start = || world.login("test").at(now).answers(answer(alice.code(now)).waits()).start();
        let mut logins = [start(), start()];
        logins.iter_mut().for_each(|login| drop(login.at_question()));
        logins.iter_mut().for_each(driver::Running::go_on);
        let codes: Vec<PamResultCode> = logins.map(|login| login.end()).into_iter().map(|mut run| run.codes.remove(0).1).collect();
        assert_eq!(codes.iter().filter(|code| **code == PAM_SUCCESS).count(), 1, "{codes:?}");
    }
}

#[test]
fn c_08_a_silent_host_is_told_nothing_and_decides_the_same() {
    let (world, alice) = enrolled();
    for (typed, wanted) in [(alice.wrong_code(NOW), PAM_AUTH_ERR), (alice.code(NOW), PAM_SUCCESS), (alice.code(NOW), PAM_AUTH_ERR)] {
        let run = world.login("test").silent().types(typed).run();
        assert_eq!((run.code(), run.messages()), (&wanted, vec![]));
        assert_eq!(run.questions().len(), 1);
    }
}

#[test]
fn a_host_that_can_not_show_texts_is_no_event() {
    let (world, alice) = enrolled();
    let run = world.login("test").texts_untouched().types(alice.wrong_code(NOW)).run();
    expect(&run, PAM_AUTH_ERR, "wrong", true);
    let run = world.login("test").texts_untouched().types(alice.code(NOW)).run();
    assert_eq!(*run.code(), PAM_SUCCESS, "{run:#?}");
}

#[test]
fn e_10_without_a_log_everything_is_as_with_one() {
    let (world, alice) = enrolled();
    let run = world.login("test").no_log().types(alice.wrong_code(NOW)).run();
    assert_eq!((run.code(), run.log.len()), (&PAM_AUTH_ERR, 0));
    assert_eq!(*world.login("test").no_log().types(alice.code(NOW)).run().code(), PAM_SUCCESS);
}

#[test]
fn f_04_closed_descriptors_are_not_taken() {
    let (world, alice) = enrolled();
    for (number, closed) in [[0].as_slice(), &[1, 2], &[0, 1, 2]].into_iter().enumerate() {
        let now = NOW + 60 * i64::try_from(number).unwrap();
        let mut held = world.login("test").at(now).closed(closed).answers(answer(alice.code(now)).waits()).start();
        held.at_question();
        for fd in closed {
            assert!(fs::read_link(format!("/proc/{}/fd/{fd}", held.pid())).is_err(), "a descriptor of the module is {fd}");
        }
        held.go_on();
        let run = held.end();
        assert_eq!((run.code(), &run.changed), (&PAM_SUCCESS, &serde_json::json!([])));
    }
}

#[test]
fn f_06_the_environment_has_no_effect() {
    let (world, alice) = enrolled();
    let run = world
        .login("test")
        .environment("RUST_BACKTRACE", "1")
        .environment("RUST_LOG", "trace")
        .environment("TZ", ":/etc/shadow")
        .environment("LANG", "\u{ff}.UTF-8")
        .environment(b"NOT\xffUTF8".as_slice(), b"\xfe".as_slice())
        .types(alice.code(NOW))
        .run();
    assert_eq!(*run.code(), PAM_SUCCESS, "{run:#?}");
}

#[test]
fn f_01_a_low_file_size_limit_refuses_before_the_question() {
    let (world, alice) = enrolled();
    for limit in [0, 1, 4096, 8191] {
        let run = world.login("test").limit("fsize", limit).run();
        expect(&run, PAM_AUTHINFO_UNAVAIL, "file_size_limit", false);
        expect(
            &world.login("test").limit("fsize", limit).ignored_signal(libc::SIGXFSZ).run(),
            PAM_AUTHINFO_UNAVAIL,
            "file_size_limit",
            false,
        );
    }
    assert_eq!(*world.login("test").limit("fsize", 8192).types(alice.code(NOW)).run().code(), PAM_SUCCESS);
}

#[test]
fn e_07_memory_that_is_out_at_any_allocation_kills_no_host() {
    let (world, alice) = enrolled();
    let mut let_in = 0;
    for allocations in 0..40 {
        let now = NOW + 7200 * i64::from(allocations);
        let login = |typed: String| world.login("test").at(now).answers(answer(typed).leaves_memory(allocations)).run();
        let wrong = login(alice.wrong_code(now));
        assert!([PAM_AUTH_ERR, PAM_BUF_ERR, PAM_AUTHINFO_UNAVAIL].contains(wrong.code()), "{allocations}: {wrong:#?}");
        let right = login(alice.code(now));
        assert!([PAM_SUCCESS, PAM_BUF_ERR, PAM_AUTHINFO_UNAVAIL].contains(right.code()), "{allocations}: {right:#?}");
        let_in += usize::from(*right.code() == PAM_SUCCESS);
    }
    assert!(let_in > 0);
}

#[test]
fn k_06_a_recovery_code_is_not_used_up_where_memory_is_out() {
    let (world, alice) = enrolled();
    let is_refused = |allocations: &u32| {
        let run = world.login("test").answers(answer(&alice.recovery[0]).leaves_memory(*allocations)).run();
        assert!([PAM_SUCCESS, PAM_BUF_ERR, PAM_AUTHINFO_UNAVAIL].contains(run.code()), "{allocations}: {run:#?}");
        *run.code() != PAM_SUCCESS
    };
    // Up to Argon2's own memory; with that it is used, for the first time.
    let refused = (0..100).take_while(is_refused).count();
    assert!((10..100).contains(&refused), "{refused}");
}

#[test]
fn f_02_few_descriptors_end_in_the_right_answer_or_a_refusal() {
    let (world, alice) = enrolled();
    let mut let_in = 0;
    for (round, limit) in (3..=16).enumerate() {
        let now = NOW + 3600 * i64::try_from(round).unwrap();
        let wrong = world.login("test").at(now).limit("nofile", limit).types(alice.wrong_code(now)).run_anyhow();
        assert_ne!(*wrong.code(), PAM_SUCCESS);
        let right = world.login("test").at(now).limit("nofile", limit).types(alice.code(now)).run_anyhow();
        let_in += usize::from(*right.code() == PAM_SUCCESS);
        assert!(right.printed.is_empty() && right.changed == serde_json::json!([]), "{right:#?}");
    }
    assert!((1..14).contains(&let_in), "{let_in}");
}

#[test]
fn f_05_the_umask_is_not_ours() {
    let (world, alice) = enrolled();
    for (round, umask) in [0, 0o777].into_iter().enumerate() {
        let _ = fs::remove_file(world.store().join("1000.lock"));
        let now = NOW + 60 * i64::try_from(round).unwrap();
        assert_eq!(*world.login("test").at(now).umask(umask).types(alice.code(now)).run().code(), PAM_SUCCESS);
        let mode = fs::metadata(world.store().join("1000.lock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
}

#[test]
fn f_11_the_factor_asked_for_is_the_users_not_the_askers() {
    let (world, alice) = enrolled();
    let bob = world.enroll("bob");
    let run = world.login("test").user("alice").ruser("bob").uids(1001, 0, 0).types(bob.code(NOW)).run();
    expect(&run, PAM_AUTH_ERR, "wrong", true);
    assert_eq!(*world.login("test").ruser("bob").uids(1001, 0, 0).types(alice.code(NOW)).run().code(), PAM_SUCCESS);
}

#[test]
fn g_01_a_clock_set_back_gives_no_code_back() {
    let (world, alice) = enrolled();
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    for back in [3600, DAY] {
        let run = world.login("test").at(NOW - back).types(alice.code(NOW - back)).run();
        assert_eq!(*run.code(), PAM_AUTH_ERR, "{run:#?}");
        assert!(run.questions()[0].starts_with("The clock here is behind"), "{run:#?}");
    }
    assert_eq!(*world.login("test").at(NOW - DAY).types(&alice.recovery[0]).run().code(), PAM_SUCCESS);
}

#[test]
fn l_04_what_comes_from_outside_is_one_escaped_line() {
    let (world, alice) = enrolled();
    let hostile = "x\n%n%s\u{1b}[2J user=root \\";
    let login = || world.login("test").tty(hostile).ruser(hostile).types(alice.wrong_code(NOW));
    for times in [1, 4000] {
        let run = login().rhost(hostile.repeat(times)).run();
        expect(&run, PAM_AUTH_ERR, "wrong", true);
        assert_eq!(run.logged().len(), 2);
        for line in run.logged() {
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && line.len() < 1024, "{line}");
            assert!(!line.contains(" user=root"), "{line}");
        }
    }
}
