//! The other commands, without a terminal: standard output, standard error and exit status beside golden files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::golden;
use super::sheet::{at_terminals, enroll, json, session, session_without_terminal, shown, titled, unbroken};
use super::world::{CONFIG, TOOL, World};

#[test]
fn help_lists_what_there_is() {
    let world = World::new("");
    let list = world.run(&["-h"]).stdout;
    let list = String::from_utf8_lossy(&list).into_owned();
    let names = list.lines().take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  ") && !line.starts_with("  -"));
    let pages: Vec<_> = names.map(|line| format!("{} -h", line.split_whitespace().next().unwrap())).collect();
    let all: Vec<_> = ["-h"].into_iter().chain(pages.iter().map(String::as_str)).chain(["-V"]).collect();
    golden::compare("help", &session(&world, &all));
}

#[test]
fn usage_errors() {
    let world = World::new("");
    let wrong = [
        "frobnicate",
        "enroll --frobnicate",
        "enroll --add --replace",
        "enroll --replace --codes 5",
        "enroll --digits 7",
        "enroll --label ü",
        "enroll --label a --label b",
        "enroll --account alice:bob",
        "enroll --qr-file qr.jpg",
        "rescue alice --valid 2d",
        "recovery --codes 0",
        "remove",
        "status --force",
        "status bob",
        "reset",
        "--json --user",
        "reset alcie",
        "reset 1000",
    ];
    golden::compare("usage", &session(&world, &wrong));
}

#[test]
fn an_enrollment_for_a_program() {
    let world = World::new("");
    let value = enroll(&world, "alice");
    let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let documented = "user uid label issuer account digits algorithm period secret uri recovery_codes enrolled_at first_code_at";
    assert_eq!(keys, documented.split(' ').collect::<Vec<_>>());
    assert_eq!(value["recovery_codes"].as_array().unwrap().len(), 10);
    let secret = value["secret"].as_str().unwrap();
    assert_eq!(value["uri"], format!("otpauth://totp/web1:alice?secret={secret}&issuer=web1"));
    let again = world.run(&["enroll", "--user", "alice", "--no-confirm", "--json"]);
    assert_eq!((json(&again)["error"]["kind"].as_str(), again.status.code()), (Some("already_enrolled"), Some(1)));
    golden::compare("enroll-no-terminal", &session_without_terminal(&world, &["enroll --user bob", "enroll --user alice"]));
    let logged = world.logged();
    let line = logged.iter().find(|line| line.contains("action=enroll")).unwrap();
    assert!(line.contains("countersign-setup[") && line.contains("result=changed action=enroll user=alice uid=1000 by=root"), "{line}");
    assert!(line.contains("authenticator=\"phone\" codes_left=10"), "{line}");
    assert!(!logged.join("").contains(secret));
}

#[test]
fn j_05_a_reset_is_durable_idempotent_and_logged_and_a_number_is_a_name() {
    let world = World::new("");
    enroll(&world, "alice");
    enroll(&world, "bob");
    enroll(&world, "4711");
    golden::compare(
        "reset",
        &session(&world, &["reset alice --reason lost", "reset alice", "--json reset bob", "reset 1000", "reset 4711"]),
    );
    assert!(![1000, 1001, 1002].into_iter().any(|uid| world.is_enrolled(uid)));
    let logged = world.logged();
    let line = logged.iter().find(|line| line.contains("action=reset user=alice")).unwrap();
    assert!(line.contains("by=root loginuid=") && line.ends_with("why=\"lost\""), "{line}");
    // An account may be gone before its record.
    enroll(&world, "bob");
    let passwd = world.folder().join("passwd");
    let without = fs::read_to_string(&passwd).unwrap().replace("bob:x:1001:1001::/:/bin/sh\n", "");
    fs::write(&passwd, without).unwrap();
    assert!(world.run(&["reset", "bob"]).status.success());
    assert!(!world.is_enrolled(1001));
}

#[test]
fn f_13_a_lock_that_is_held_is_named_with_its_holder() {
    let world = World::new("");
    enroll(&world, "alice");
    let run = world
        .shell("flock /mnt/store/1000.lock sleep 8 & sleep 0.3; $TOOL status --user alice; echo $?; $TOOL --json reset alice; kill $!");
    // With a short number of a process it is one line.
    let err = unbroken(&run.stderr);
    assert!(err.contains("countersign-setup: busy: held by process ") && err.contains(" (flock, uid 0); end it: kill -9 "), "{err}");
    assert!(String::from_utf8_lossy(&run.stdout).contains("\"kind\":\"busy\""));
    assert!(world.is_enrolled(1000));
}

#[test]
fn a_plain_user_is_told_whom_to_ask() {
    let world = World::new("");
    let as_alice = |command: &str| {
        let become_alice = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", TOOL, "--config", CONFIG];
        let line = become_alice.into_iter().chain(command.split_whitespace()).collect::<Vec<_>>();
        titled(command, &at_terminals(&world, &world.inside(&line)))
    };
    fs::set_permissions(world.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let commands = [
        "",
        "enroll",
        "enroll --replace",
        "status",
        "remove tablet",
        "recovery",
        "enroll --user bob",
        "reset bob",
        "rescue bob --valid 1h",
        "unlock --user bob",
        "list --missing",
        "doctor",
        "--json status",
    ];
    golden::compare("plain-user", &commands.map(as_alice).concat());
}

#[test]
fn init_makes_what_is_missing_and_nothing_else() {
    let world = World::without_store("");
    fs::remove_file(world.config()).unwrap();
    fs::create_dir(world.store()).unwrap();
    fs::write(world.store().join("letter"), "").unwrap();
    world.configure("");
    let mut sheet = session(&world, &["status", "init --force"]);
    fs::remove_file(world.store().join("letter")).unwrap();
    fs::create_dir(world.store().join("lost+found")).unwrap();
    sheet.push_str(&session(&world, &["init --force", "init", "--json init"]));
    golden::compare("init", &sheet);
    let mode = |path: &str| fs::metadata(world.store().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("."), mode(".countersign-store")), (0o700, 0o600));
}

#[test]
fn init_makes_the_shipped_configuration_and_denies_where_there_are_records() {
    let world = World::new("");
    let script = "mount -t tmpfs none /var/lib; mkdir -p /etc/countersign; mount -t tmpfs none /etc/countersign
        new=/etc/countersign/new/config.toml
        $BARE --config $new init --force; grep ^unenrolled $new; stat -c '%a %U' $new
        $BARE --config $new --json enroll --user alice --no-confirm >/dev/null; rm $new
        $BARE --config $new init; grep ^unenrolled $new; $BARE --config $new explain";
    let had_folder = std::path::Path::new("/etc/countersign").exists();
    let run = world.shell(script);
    if !had_folder {
        let _ = fs::remove_dir("/etc/countersign");
    }
    golden::compare("init-config", &shown(&world, &run));
}

#[test]
fn d_15_init_refuses_a_file_system_that_forgets() {
    let world = World::without_store("");
    let run = world.shell("mkdir /mnt/store; mount -t tmpfs none /mnt/store; $TOOL init; $TOOL --json init; $TOOL init --force");
    golden::compare("init-tmpfs", &shown(&world, &run));
}

#[test]
fn explain_lists_every_error_and_every_command_names_it() {
    let world = World::new("");
    let mut sheet = session(&world, &["explain"]);
    world.configure("[code]\nwindow = 7\n[policy]\nunenrolled = \"never\"\nunknown = 1\n");
    sheet.push_str(&session(&world, &["explain", "--json explain", "status --user alice", "doctor"]));
    fs::set_permissions(world.config(), fs::Permissions::from_mode(0o666)).unwrap();
    sheet.push_str(&session(&world, &["explain"]));
    fs::remove_file(world.config()).unwrap();
    sheet.push_str(&session(&world, &["explain"]));
    golden::compare("explain", &without_clock(&sheet));
}

/// What doctor says of the kernel's clock depends on the machine.
fn without_clock(sheet: &str) -> String {
    let clock = ["locks out  the clock is not", "  change   run a time service", "ok         clock synchronised"];
    let lines: Vec<_> = sheet.lines().filter(|line| !clock.iter().any(|start| line.starts_with(start))).collect();
    lines.join("\n") + "\n"
}

#[test]
fn what_is_damaged_is_told_with_the_way_out() {
    let world = World::new("");
    for name in ["alice", "bob", "4711"] {
        enroll(&world, name);
    }
    let file = |name: &str| world.store().join(name);
    fs::write(file("1000.state"), "not a journal").unwrap();
    // A format of tomorrow, with its checksum over uid, format and the rest.
    fs::write(file("1001.toml"), "format = 2\nsum = \"a52d97ccf329634d\"\nwhatever\n").unwrap();
    fs::remove_file(file("1002.toml")).unwrap();
    let commands = [
        "status --user alice",
        "status --user bob",
        "status --user 4711",
        "enroll --user 4711 --json --no-confirm",
        "reset bob",
        "reset alice",
        "reset 4711",
    ];
    golden::compare("damaged", &session(&world, &commands));
}
