//! The other commands, without a terminal: standard output, standard error and exit status beside golden files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::Value;

use super::golden;
use super::world::World;

fn shown(world: &World, output: &Output) -> String {
    let text = |bytes: &[u8]| golden::marked(&String::from_utf8_lossy(bytes), world.folder());
    let err = if output.stderr.is_empty() { String::new() } else { format!("--- standard error\n{}", text(&output.stderr)) };
    format!("{}{err}exit {}\n", text(&output.stdout), output.status.code().unwrap())
}

/// Several commands on one sheet.
fn session(world: &World, commands: &[&str]) -> String {
    let mut sheet = String::new();
    for command in commands {
        let run = world.run(&command.split_whitespace().collect::<Vec<_>>());
        let line = format!("$ countersign-setup {command}");
        sheet.push_str(&format!("{}\n{}", line.trim_end(), shown(world, &run)));
    }
    sheet
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {output:?}"))
}

fn enroll(world: &World, name: &str) -> Value {
    let run = world.run(&["--json", "enroll", "--user", name, "--no-confirm"]);
    assert!(run.status.success(), "{run:?}");
    json(&run)
}

#[test]
fn help_lists_what_there_is() {
    let world = World::new("");
    let pages = ["-h", "enroll -h", "status -h", "verify -h", "reset -h", "init -h", "doctor -h", "explain -h", "-V"];
    golden::compare("help", &session(&world, &pages));
    let list = world.run(&["-h"]).stdout;
    for line in String::from_utf8_lossy(&list).lines().filter(|line| line.starts_with("  ") && !line.starts_with("  -")) {
        let name = line.split_whitespace().next().unwrap();
        if name != "sudo" {
            assert!(world.run(&[name, "-h"]).stdout.starts_with(format!("usage: countersign-setup {name}").as_bytes()), "{name}");
        }
    }
}

#[test]
fn usage_errors() {
    let world = World::new("");
    let wrong = ["frobnicate", "enroll --replace", "status --force", "status bob", "reset", "--json --user", "reset alcie", "reset 1000"];
    golden::compare("usage", &session(&world, &wrong));
}

#[test]
fn without_a_command_and_status() {
    for (policy, name) in [("skip", "skip"), ("2126-12-01", "date"), ("deny", "deny")] {
        let world = World::new(&format!("[policy]\nunenrolled = \"{policy}\"\n"));
        if policy == "deny" {
            for service in ["sshd", "login"] {
                world.service(service, "auth requisite pam_countersign.so\n");
            }
        }
        let text = session(&world, &["", "--user alice", "--user alice status"]);
        let days = text.split("(in ").nth(1).map(|rest| format!("(in {}", rest.split(')').next().unwrap()));
        golden::compare(&format!("status-{name}"), &days.map_or(text.clone(), |days| text.replace(&days, "(in [DAYS]")));
    }
    let world = World::new("[policy]\nexempt_users = [\"bob\"]\n");
    for name in ["alice", "bob"] {
        enroll(&world, name);
    }
    golden::compare("status", &session(&world, &["--user alice", "--user alice status", "--user bob status"]));
    let value = json(&world.run(&["status", "--json", "--user", "alice"]));
    assert_eq!((&value["user"], &value["uid"], &value["enrolled"]), (&Value::from("alice"), &Value::from(1000), &Value::from(true)));
    assert_eq!(value["recovery_codes_left"], 10);
    assert_eq!(value["throttle"]["remote"], serde_json::json!({"state": "ready", "streak": 0, "until": null, "budget_left": 60}));
    assert_eq!(value["failures"], serde_json::json!({"count": 0, "since": null, "last_from": null}));
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
    golden::compare("enroll-no-terminal", &session(&world, &["enroll --user bob", "enroll --user alice"]));
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
    let err = String::from_utf8_lossy(&run.stderr);
    assert!(err.contains("countersign-setup: busy: held by process ") && err.contains(" (flock, uid 0);\n  end it: kill -9 "), "{err}");
    assert!(String::from_utf8_lossy(&run.stdout).contains("\"kind\":\"busy\""));
    assert!(world.is_enrolled(1000));
}

#[test]
fn a_plain_user_is_told_whom_to_ask() {
    let world = World::new("");
    let as_alice = |command: &str| {
        let run = world.shell(&format!("setpriv --reuid 1000 --regid 1000 --clear-groups $TOOL {command}"));
        format!("{}\n{}", format!("$ countersign-setup {command}").trim_end(), shown(&world, &run))
    };
    fs::set_permissions(world.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let commands = ["", "enroll", "status", "enroll --user bob", "reset bob", "doctor", "--json status"];
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
fn doctor_finds_what_locks_people_out() {
    let doctor = |world: &World, state: u8| {
        let inject =
            format!("strace -f -o /dev/null -e trace=adjtimex,clock_adjtime -e inject=adjtimex,clock_adjtime:retval={state} $TOOL");
        format!("$ countersign-setup doctor\n{}", shown(world, &world.shell(&format!("{inject} doctor"))))
    };
    let world = World::new("");
    for name in ["alice", "bob", "4711"] {
        enroll(&world, name);
    }
    let mut sheet = doctor(&world, 0);
    sheet.push_str(&doctor(&world, 5));
    let file = |name: &str| world.store().join(name);
    fs::write(file("1000.state"), "not a journal").unwrap();
    let passwd = fs::read_to_string(world.folder().join("passwd")).unwrap();
    fs::write(world.folder().join("passwd"), passwd.replace("bob:", "robert:")).unwrap();
    fs::set_permissions(file("1002.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    sheet.push_str(&doctor(&world, 0));
    fs::set_permissions(world.store(), fs::Permissions::from_mode(0o770)).unwrap();
    sheet.push_str(&doctor(&world, 0));
    fs::set_permissions(world.store(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_file(file(".countersign-store")).unwrap();
    sheet.push_str(&doctor(&world, 0));
    sheet.push_str(&session(&world, &["enroll --user alice --json --no-confirm", "reset alice"]));
    golden::compare("doctor", &sheet);
    let value = json(&world.run(&["doctor", "--json"]));
    assert_eq!(value["findings"][0]["check"], "store");
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
