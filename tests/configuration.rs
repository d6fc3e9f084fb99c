//! The configuration at the door of a login: whose file it is, what stands in it, and what the module's own line says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use driver::{Enrolled, NOW, Run, World, login_driver};
use nix::sys::stat::Mode;
use pam::constants::PamResultCode::{PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED, PAM_SERVICE_ERR, PAM_SUCCESS};

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll("alice");
    (world, alice)
}

/// Refused unasked, with one line that names file and fault, and one message.
#[track_caller]
fn misconfigured(world: &World, service: &str) -> Run {
    let run = world.login(service).run();
    assert_eq!((run.code(), run.reason()), (&PAM_SERVICE_ERR, "configuration"), "{run:#?}");
    assert_eq!((run.questions().len(), run.logged().len()), (0, 1), "{run:#?}");
    assert_eq!(run.messages(), ["\ncountersign: configuration error; as root run: countersign-setup explain"]);
    assert_eq!((run.log[0].facility, run.log[0].level), (10, 3));
    run
}

#[test]
fn the_file_is_roots_and_nobody_else_writes_it() {
    let (world, alice) = enrolled();
    for mode in [0o664, 0o646, 0o666, 0o620, 0o602] {
        fs::set_permissions(world.config(), Permissions::from_mode(mode)).unwrap();
        let run = misconfigured(&world, "test");
        assert!(run.logged()[0].contains(&format!("has mode {mode:04o}")), "{run:#?}");
        assert!(run.logged()[0].contains(&format!("path=\"{}\"", world.config().display())), "{run:#?}");
    }
    // Anyone may read it.
    fs::set_permissions(world.config(), Permissions::from_mode(0o644)).unwrap();
    chown(world.config(), Some(1000), None).unwrap();
    assert!(misconfigured(&world, "test").logged()[0].contains("owned by uid 1000"));
    chown(world.config(), Some(0), Some(1000)).unwrap();
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
}

#[test]
fn what_is_no_file_in_its_place_is_refused_at_once() {
    let kinds: [fn(&Path, &Path); 5] = [
        |path, aside| symlink(aside, path).unwrap(),
        |path, _| nix::unistd::mkfifo(path, Mode::from_bits_truncate(0o600)).unwrap(),
        |path, _| fs::create_dir(path).unwrap(),
        |path, _| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
        |_, _| {},
    ];
    login_driver();
    for (number, place) in kinds.into_iter().enumerate() {
        let world = World::new();
        let aside = world.folder().join("aside");
        fs::rename(world.config(), &aside).unwrap();
        place(&world.config(), &aside);
        let begun = Instant::now();
        drop(misconfigured(&world, "test"));
        assert!(begun.elapsed() < Duration::from_secs(2), "{number}");
    }
}

#[test]
fn too_large_or_no_text_is_refused() {
    let (world, _) = enrolled();
    world.configure(&"# \n".repeat(30_000));
    assert!(misconfigured(&world, "test").logged()[0].contains("bytes"));
    fs::write(world.config(), b"# \xff\n").unwrap();
    drop(misconfigured(&world, "test"));
    fs::write(world.config(), "[policy]\nunenrolled = \"skip\"\n\0").unwrap();
    drop(misconfigured(&world, "test"));
}

#[test]
fn a_bad_line_is_named_and_its_value_is_not() {
    let (world, _) = enrolled();
    // The first two lines are the world's.
    for (text, line) in [
        ("unknown = \"s3cr3t-value\"\n", 3),
        ("[policy]\nunenrolled = \"s3cr3t-value\"\n", 4),
        ("[policy]\n\nunenrolled = s3cr3t-value\n", 5),
        ("[policy]\nunenrolled = \"skip\"\nunenrolled = \"deny\"\n", 5),
        ("[code]\nwindow = 2\n", 4),
        ("[prompt]\ntext = \"s3cr3t\\u001b-value: \"\n", 4),
        ("[service.other]\nskip = \"s3cr3t-value\"\n", 4),
        ("[log]\nformat = \"s3cr3t-value\"\n", 4),
        ("[s3cr3t-value\n", 3),
        // Of several, the first: `explain` shows them all.
        ("[code]\nwindow = 2\n[log]\nformat = 1\n", 4),
    ] {
        world.configure(text);
        let run = misconfigured(&world, "test");
        let logged = run.logged()[0];
        assert!(logged.contains(&format!("path=\"{}\" line={line} ", world.config().display())), "{text}: {logged}");
        assert!(!logged.contains("s3cr3t-value") && !logged.contains('\u{1b}'), "{logged}");
    }
}

#[test]
fn i_07_an_argument_that_is_not_understood_is_refused_and_named() {
    let (world, _) = enrolled();
    for (arguments, named) in [
        ("nonsense", "argument 2"),
        ("nonsense=1", "argument 2"),
        ("debug nonsense", "argument 3"),
        ("debug=1", "argument 2"),
        ("debug debug", "argument 3"),
        ("unenrolled", "argument 2"),
        ("unenrolled=", "argument 2"),
        ("unenrolled=SKIP", "argument 2"),
        ("Unenrolled=skip", "argument 2"),
        ("unenrolled=skip unenrolled=skip", "argument 3"),
        ("require_prior=nothing-known", "argument 2"),
        ("config=/etc/other.toml", "argument 2"),
        ("skip=true", "argument 2"),
        ("store=/tmp", "argument 2"),
        ("window=1", "argument 2"),
        ("try_first_pass", "argument 2"),
        ("\u{e4}", "argument 2"),
    ] {
        // Beside a line that lets everyone in: never ignored.
        world.service("stack", &format!("auth required pam_countersign.so {arguments}\nauth required pam_permit.so\n"));
        let run = misconfigured(&world, "stack");
        assert!(run.logged()[0].contains(&format!("path=\"{named}\"")), "{arguments}: {run:#?}");
    }
    // A line without our own `config=`: relative, empty and missing files.
    for config in ["config=config.toml", "config=", "config", "config=/nonexistent/config.toml"] {
        fs::write(world.folder().join("services/bare"), format!("auth required {} {config}\n", world.module().display())).unwrap();
        drop(misconfigured(&world, "bare"));
    }
}

/// A world whose logins see an /etc of its own, a /var/lib of its own, and a service whose line names no file.
fn at_the_default_path() -> (World, Enrolled, PathBuf) {
    let (world, alice) = enrolled();
    let etc = world.folder().join("whole-etc");
    fs::create_dir_all(etc.join("countersign")).unwrap();
    for entry in fs::read_dir(world.folder().join("etc")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), etc.join(entry.file_name())).unwrap();
    }
    fs::copy("/etc/ld.so.cache", etc.join("ld.so.cache")).unwrap();
    let lib = world.folder().join("lib");
    fs::create_dir(&lib).unwrap();
    fs::rename(world.store(), lib.join("countersign")).unwrap();
    let mounts = world.folder().join("mounts");
    let text = fs::read_to_string(&mounts).unwrap();
    fs::write(mounts, format!("{text}{} /etc\n{} /var/lib\n", etc.display(), lib.display())).unwrap();
    fs::write(world.folder().join("services/bare"), format!("auth required {}\n", world.module().display())).unwrap();
    (world, alice, etc.join("countersign/config.toml"))
}

#[test]
fn without_a_file_the_built_in_values_hold_and_a_line_says_so() {
    let (world, alice, config) = at_the_default_path();
    let run = world.login("bare").types(alice.code(NOW)).run();
    assert_eq!(*run.code(), PAM_SUCCESS, "{run:#?}");
    let missing: Vec<&driver::Logged> = run.log.iter().filter(|line| line.text.contains("reason=no_configuration")).collect();
    assert_eq!(missing.len(), 1, "{run:#?}");
    assert_eq!(missing[0].level, 3);
    assert!(missing[0].text.contains("path=\"/etc/countersign/config.toml\""), "{run:#?}");
    // Built in: who is not enrolled is refused.
    let run = world.login("bare").user("bob").types("123456").run();
    assert_eq!((run.code(), run.questions().len()), (&PAM_AUTH_ERR, 1), "{run:#?}");
    // And where the file is, it holds, and nothing is said of it.
    fs::write(&config, "[policy]\nunenrolled = \"skip\"\n").unwrap();
    let run = world.login("bare").user("bob").run();
    assert_eq!((run.code(), run.reason()), (&PAM_PERM_DENIED, "unenrolled"), "ignored: {run:#?}");
    // One that is there and can't be read is an error, not a missing one.
    fs::set_permissions(&config, Permissions::from_mode(0o666)).unwrap();
    drop(misconfigured(&world, "bare"));
    fs::remove_file(&config).unwrap();
    symlink("/nonexistent", &config).unwrap();
    drop(misconfigured(&world, "bare"));
    fs::remove_dir_all(config.parent().unwrap()).unwrap();
    fs::write(config.parent().unwrap(), "").unwrap();
    drop(misconfigured(&world, "bare"));
}

#[test]
fn d_06_the_built_in_store_that_is_not_there_refuses_everybody() {
    let (world, alice, config) = at_the_default_path();
    fs::write(config, "[policy]\nunenrolled = \"skip\"\n").unwrap();
    fs::remove_dir_all(world.folder().join("lib/countersign")).unwrap();
    for user in ["alice", "bob"] {
        let run = world.login("bare").user(user).types(alice.code(NOW)).run();
        assert_eq!((run.code(), run.reason()), (&PAM_AUTHINFO_UNAVAIL, "store_unavailable"), "{run:#?}");
        assert!(run.logged()[0].contains("path=\"/var/lib/countersign\""), "{run:#?}");
    }
}
