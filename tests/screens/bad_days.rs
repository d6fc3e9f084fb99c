//! Every changing command on a bad day: no terminal, nowhere to write, a store or a person that can't be used.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::golden;
use super::sheet::{enroll, json, session_without_terminal, unbroken, without_colours};
use super::talk::{CODE, Says, YES, command};
use super::terminal::{KINDS, Kind, Terminal, USUAL};
use super::world::{CONFIG, TOOL, World};

/// What hands a secret over before it is in force.
const OF_SECRETS: [&str; 4] = [
    "enroll --user alice --no-confirm --add",
    "enroll --user alice --no-confirm --replace --label phone",
    "recovery --user alice --no-confirm",
    "rescue alice",
];
const OTHERS: [&str; 4] = ["remove --user alice tablet", "disable --user alice", "unlock alice", "reset alice"];

/// Alice has two authenticators, and may go without any.
fn world() -> World {
    let world = World::new("[policy]\nunenrolled = \"skip\"\n");
    enroll(&world, "alice");
    let tablet = ["--json", "enroll", "--user", "alice", "--no-confirm", "--add", "--label", "tablet"];
    assert!(world.run(&tablet).status.success());
    world
}

#[test]
fn without_a_terminal_the_way_without_one_is_told() {
    let world = world();
    let before = world.held();
    let commands = [
        "enroll --user bob",
        "enroll --user bob --no-confirm",
        "enroll --user alice --add",
        "enroll --user alice --replace --label phone",
        "recovery --user alice",
        "recovery --user alice --no-confirm",
        "rescue alice",
        "adopt alice",
        "verify --user alice",
        "--json enroll --user bob",
        "--json recovery --user alice",
        "--json adopt alice",
    ];
    golden::compare("no-terminal", &session_without_terminal(&world, &commands));
    assert!(world.held() == before);
}

#[test]
fn j_06_what_could_not_be_handed_over_is_not_in_force() {
    let world = world();
    let before = world.held();
    world.logged();
    for line in OF_SECRETS {
        for (redirection, fact) in [
            (">&-", "standard output is closed, nothing was changed; open it and start again"),
            (">/dev/full", "can't write to standard output (no space left on device), nothing was changed; mend that and start again"),
            ("| true", ""),
        ] {
            // The other end of the pipe is closed before the tool writes.
            let wait = if fact.is_empty() { "sleep 0.3; " } else { "" };
            let run = world.shell(&format!("({wait}$TOOL --json {line}; echo $? >/mnt/status) {redirection}"));
            let (told, status) = (unbroken(&run.stderr), fs::read_to_string(world.folder().join("status")).unwrap());
            let fact = if fact.is_empty() {
                "can't write to standard output (broken pipe), nothing was changed; mend that and start again"
            } else {
                fact
            };
            assert_eq!(status, "3\n", "{line} {redirection}: {told}");
            assert!(told.ends_with(&format!("countersign-setup: {fact}\n")), "{line} {redirection}: {told}");
            assert!(world.held() == before, "{line} {redirection}");
        }
    }
    assert!(!world.logged().iter().any(|line| line.contains("result=changed")));
}

#[test]
fn j_06_what_was_done_is_said_on_standard_error_where_the_answer_is_lost() {
    for line in OTHERS {
        for json in ["", "--json "] {
            let world = world();
            let before = world.held();
            let run = world.shell(&format!("$TOOL {json}{line} >&-"));
            assert_eq!(
                unbroken(&run.stderr),
                "countersign-setup: standard output is closed, nothing was changed; open it and start again\n"
            );
            assert!(run.status.code() == Some(3) && world.held() == before, "{line}");
            let run = world.shell(&format!("$TOOL {json}{line} >/dev/full"));
            let told = unbroken(&run.stderr);
            assert_eq!(run.status.code(), Some(3), "{line}: {told}");
            let start = "countersign-setup: can't write to standard output (no space left on device); but it was done: alice on web1: ";
            assert!(told.starts_with(start), "{line}: {told}");
            assert!(world.held() != before, "{line}");
            assert_eq!(world.logged().iter().filter(|line| line.contains("result=changed")).count(), 3, "{line}");
        }
    }
}

/// At a terminal the secrets are shown there, and standard output has the outcome alone.
#[test]
fn j_06_at_a_terminal_the_outcome_alone_is_lost() {
    for (line, done) in [
        ("enroll --user alice --add --no-confirm", "alice on web1: authenticator \"phone-2\" added. "),
        ("recovery --user alice --no-confirm", "10 new recovery codes. All old ones have stopped working.\n"),
    ] {
        let world = world();
        let out = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let words: Vec<_> = line.split(' ').collect();
        let ended = Terminal::start_with(&world.tool(&words), USUAL, Some(out), None).end();
        let told = unbroken(&ended.screen);
        let start = "countersign-setup: can't write to standard output (no space left on device); but it was done: ";
        assert!(ended.status == 3 && told.contains(&format!("{start}{done}")), "{line}: {told}");
    }
    // With --json the value is what could not be handed over.
    let world = world();
    let before = world.held();
    let out = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let words = ["--json", "enroll", "--user", "alice", "--add"];
    let mut terminal = Terminal::start_with(&world.tool(&words), USUAL, Some(out), None);
    super::talk::said(&mut terminal, super::talk::DIGITS);
    let ended = terminal.end();
    let told = "countersign-setup: can't write to standard output (no space left on device), nothing was changed; \
                mend that, delete the new entry \"web1: alice\" from the app and start again\n";
    assert!(ended.status == 3 && unbroken(&ended.screen).ends_with(told), "{}", ended.screen);
    assert!(world.held() == before);
}

/// A shell's lines that put alice, enrolled with two authenticators, on a small file system of her own.
pub const SMALL: &str = "mount -t tmpfs -o size=64k none /mnt/store; $TOOL init --force >/dev/null
    $TOOL --json enroll --user alice --no-confirm >/dev/null
    $TOOL --json enroll --user alice --no-confirm --add --label tablet >/dev/null
    dd if=/dev/zero of=/mnt/store/fill bs=1k 2>/dev/null; cat /mnt/store/1000.* >/mnt/before\n";

#[test]
fn j_06_on_a_full_disk_what_needs_room_is_not_done_and_what_frees_some_is() {
    let world = World::new("[policy]\nunenrolled = \"skip\"\n");
    let after = "; status=$?; cat /mnt/store/1000.* >/mnt/after; exit $status";
    let told_nothing = "countersign-setup: no space left in \"/mnt/store\", nothing was changed; ";
    for line in OF_SECRETS.into_iter().chain(["remove --user alice tablet"]) {
        let run = world.shell(&format!("{SMALL}$TOOL --json {line}{after}"));
        let told = unbroken(&run.stderr);
        let next = match line.split(' ').next().unwrap() {
            "enroll" => "free some, delete the new entry from the app and start again\n",
            "recovery" => "throw the new codes away (the old ones still work), then free some and start again\n",
            "rescue" => "forget the code above (it does not work), then free some and start again\n",
            _ => "free some and start again\n",
        };
        assert_eq!((run.status.code(), told), (Some(3), format!("{told_nothing}{next}")), "{line}");
        let read = |name: &str| fs::read(world.folder().join(name)).unwrap();
        assert!(read("before") == read("after"), "{line}");
    }
    for line in ["disable --user alice", "unlock alice", "reset alice"] {
        let run = world.shell(&format!("{SMALL}$TOOL --json {line}"));
        assert_eq!(run.status.code(), Some(0), "{line}: {run:?}");
    }
    // Adoption asks at a terminal.
    let rename = "sed s/^alice:/zoe:/ /etc/passwd >/mnt/renamed; cat /mnt/renamed >/etc/passwd";
    let script = format!("TOOL='{TOOL} --config {CONFIG}'\n{SMALL}{rename}; exec $TOOL adopt zoe");
    let mut terminal = Terminal::start(&world.inside(&["sh", "-c", &script]), USUAL);
    super::talk::said(&mut terminal, (YES, Says::Line("y")));
    let ended = terminal.end();
    assert!(
        ended.status == 3 && unbroken(&ended.screen).ends_with(&format!("{told_nothing}free some and start again\n")),
        "{}",
        ended.screen
    );
}

#[test]
fn j_06_a_store_that_can_only_be_read_is_told() {
    let world = world();
    let before = world.held();
    let read_only = "mount --bind /mnt/store /mnt/store; mount -o remount,bind,ro /mnt/store; ";
    for line in OF_SECRETS.into_iter().chain(OTHERS).chain(["enroll --user bob --no-confirm"]) {
        let run = world.shell(&format!("{read_only}$TOOL --json {line}"));
        let fact = "can't write \"/mnt/store\" (read-only file system), nothing was changed";
        assert_eq!(unbroken(&run.stderr), format!("countersign-setup: {fact}; mend that and start again\n"), "{line}");
        assert_eq!((run.status.code(), &json(&run)["error"]["message"]), (Some(3), &Value::from(fact)), "{line}");
    }
    assert!(world.held() == before);
}

/// Every command about a person; `NAME` is theirs.
const ABOUT: [&str; 13] = [
    "--user NAME",
    "status --user NAME",
    "verify --user NAME",
    "enroll --user NAME --no-confirm",
    "enroll --user NAME --no-confirm --add",
    "enroll --user NAME --no-confirm --replace --label phone",
    "recovery --user NAME --no-confirm",
    "remove --user NAME phone",
    "disable --user NAME",
    "rescue NAME",
    "adopt NAME",
    "unlock NAME",
    "reset NAME",
];

/// What each of them shows at a terminal: those that show the same, together.
fn about(world: &World, kind: Kind, trouble: &str, name: &str) -> String {
    let mut shown: Vec<(String, Vec<&str>)> = Vec::new();
    for line in ABOUT {
        let mut terminal = command(&line.replace("NAME", name), &[]).begun(world, kind);
        // Some of it is met when the answer is judged, or is no trouble for what is asked.
        if terminal.comes(if line.starts_with("verify") { CODE } else { YES }) {
            terminal.type_line("000000");
        }
        let mut ended = terminal.end();
        ended.screen = without_colours(&ended.screen);
        let screen = golden::screen(&ended, world.folder());
        match shown.iter_mut().find(|(text, _)| *text == screen) {
            Some((_, lines)) => lines.push(line),
            None => shown.push((screen, vec![line])),
        }
    }
    let told = |(screen, lines): &(String, Vec<&str>)| {
        lines.iter().map(|line| format!("$ countersign-setup {}\n", line.replace("NAME", name))).collect::<String>() + screen
    };
    format!("## {trouble}\n{}", shown.iter().map(told).collect::<String>())
}

#[test]
fn what_is_in_the_way_is_told_by_every_command() {
    for kind in KINDS {
        golden::compare("in-the-way", &in_the_way(kind));
    }
}

fn in_the_way(kind: Kind) -> String {
    let mut found = about(&World::without_store(""), kind, "no store", "alice");
    let world = world();
    enroll(&world, "bob");
    found.push_str(&about(&world, kind, "no such user", "alcie"));
    let file = |name: &str| world.store().join(name);
    // A format of tomorrow, with its checksum over uid, format and the rest.
    fs::write(file("1001.toml"), "format = 2\nsum = \"a52d97ccf329634d\"\nwhatever\n").unwrap();
    found.push_str(&about(&world, kind, "a record of a newer format", "bob"));
    assert!(fs::read_to_string(file("1001.toml")).unwrap().ends_with("whatever\n"));
    world.configure("[code]\nwindow = 7\n");
    found.push_str(&about(&world, kind, "a configuration error", "alice"));
    found
}

#[test]
fn what_is_damaged_lost_or_anothers_is_told_by_every_command() {
    for kind in KINDS {
        golden::compare("damaged-commands", &damaged(kind));
    }
}

fn damaged(kind: Kind) -> String {
    let mut found = String::new();
    type Damage = fn(&World, &Path);
    let damages: [(&str, &str, Damage); 6] = [
        ("the record is damaged", "alice", |_, store| fs::write(store.join("1000.toml"), "nonsense").unwrap()),
        ("the record is lost", "alice", |_, store| fs::remove_file(store.join("1000.toml")).unwrap()),
        ("the journal is damaged", "alice", |_, store| fs::write(store.join("1000.state"), "not a journal").unwrap()),
        ("the journal is lost", "alice", |_, store| fs::remove_file(store.join("1000.state")).unwrap()),
        ("the record can be read by others", "alice", |_, store| {
            fs::set_permissions(store.join("1000.toml"), fs::Permissions::from_mode(0o644)).unwrap();
        }),
        ("the account was renamed", "zoe", |world, _| world.rename("alice", "zoe")),
    ];
    for (trouble, name, damage) in damages {
        let world = world();
        damage(&world, &world.store());
        found.push_str(&about(&world, kind, trouble, name));
    }
    found
}

#[test]
fn errors_for_programs_have_their_kinds_and_exit_statuses() {
    let world = world();
    world.configure("[policy]\nunenrolled = \"deny\"\n");
    enroll(&world, "bob");
    enroll(&world, "4711");
    let expect = |command: &str, kind: &str, exit: i32| {
        let run = world.shell(&format!("$TOOL --json {command}"));
        let error = json(&run)["error"].clone();
        let keys: Vec<_> = error.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["kind", "message", "next", "exit"], "{command}");
        assert_eq!((&error["kind"], &error["exit"]), (&Value::from(kind), &Value::from(exit)), "{command}");
        assert_eq!(run.status.code(), Some(exit), "{command}");
        let told = unbroken(&run.stderr);
        assert_eq!(told, format!("countersign-setup: {}; {}\n", error["message"].as_str().unwrap(), error["next"].as_str().unwrap()));
    };
    expect("frobnicate", "usage", 2);
    expect("enroll --user bob --replace", "no_terminal", 3);
    expect("enroll --user alcie --no-confirm", "no_such_user", 3);
    expect("remove --user alice laptop", "no_such_label", 1);
    expect("rescue nobody", "not_enrolled", 1);
    expect("enroll --user alice --no-confirm", "already_enrolled", 1);
    expect("enroll --user alice --no-confirm --add --label phone", "already_enrolled", 1);
    expect("enroll --user alice --no-confirm --replace", "usage", 2);
    expect("remove --user bob phone", "last_authenticator", 1);
    expect("disable --user bob", "required_by_policy", 3);
    for label in ["a", "b"] {
        assert!(world.run(&["--json", "enroll", "--user", "alice", "--no-confirm", "--add", "--label", label]).status.success());
    }
    expect("enroll --user alice --no-confirm --add", "too_many", 1);
    world.change_journal(1001, |journal| journal.spent = u32::MAX);
    expect("rescue bob", "codes_full", 3);
    world.change_journal(1001, |journal| journal.last = 3_800_000_010);
    expect("enroll --user bob --no-confirm --add", "not_accepted", 1);
    fs::write(world.folder().join("there"), "").unwrap();
    expect("recovery --user bob --codes-file /mnt/there --no-confirm", "file_exists", 3);
    fs::set_permissions(world.store().join("1002.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    expect("recovery --user 4711 --no-confirm", "store_unavailable", 3);
    fs::write(world.store().join("1002.toml"), "nonsense").unwrap();
    fs::set_permissions(world.store().join("1002.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    expect("recovery --user 4711 --no-confirm", "damaged", 3);
    fs::write(world.store().join("1001.toml"), "format = 2\nsum = \"a52d97ccf329634d\"\nwhatever\n").unwrap();
    expect("recovery --user bob --no-confirm", "newer_format", 3);
    world.rename("alice", "zoe");
    expect("recovery --user zoe --no-confirm", "other_name", 3);
    world.rename("zoe", "alice");
    world.configure("[code]\nwindow = 7\n");
    expect("recovery --user alice --no-confirm", "configuration", 3);
}

#[test]
fn a_program_is_told_of_an_interrupt_too() {
    let world = world();
    let out = world.folder().join("out");
    for line in ["--json enroll --user alice --add", "--json recovery --user alice"] {
        let words: Vec<_> = line.split(' ').collect();
        let stdout = fs::File::create(&out).unwrap();
        let mut terminal = Terminal::start_with(&world.tool(&words), USUAL, Some(stdout), None);
        terminal.wait_for(": ");
        terminal.wait_for(if line.contains("enroll") { "shows now: " } else { "use it up): " });
        terminal.press(b"\x03");
        assert_eq!(terminal.end().status, 130);
        let value: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
        assert_eq!((&value["error"]["kind"], &value["error"]["exit"]), (&Value::from("interrupted"), &Value::from(130)), "{line}");
    }
}

#[test]
fn f_01_a_low_file_size_limit_is_refused_before_anything_is_changed() {
    let world = World::new("");
    enroll(&world, "alice");
    let changing = [
        "--json enroll --user bob --no-confirm",
        "--json enroll --add --label tablet --user alice --no-confirm",
        "--json enroll --replace --user alice --no-confirm",
        "--json recovery --user alice --no-confirm",
        "remove phone --user alice",
        "disable --user alice",
        "--json rescue alice",
        "unlock alice",
        "adopt alice",
        "reset alice",
        "verify --user alice",
    ];
    let before = world.stored();
    for command in changing {
        // A record of the largest size is 128 of these blocks.
        let run = world.shell(&format!("ulimit -f 127; exec $TOOL {command}"));
        assert_eq!(run.status.code(), Some(3), "{command}: {run:?}");
        let told = "countersign-setup: file size limit too low, nothing was changed; raise it: ulimit -f unlimited\n";
        assert_eq!(unbroken(&run.stderr), told, "{command}");
        assert!(world.stored() == before, "{command}");
    }
    assert!(world.shell("ulimit -f 128; exec $TOOL reset alice").status.success());
}

#[test]
fn a_name_in_a_next_step_is_one_that_can_be_run() {
    let world = World::new("");
    let passwd = world.folder().join("passwd");
    let users = fs::read_to_string(&passwd).unwrap() + "CORP\\dora:x:2001:2001::/:/bin/sh\n";
    fs::write(&passwd, users).unwrap();
    let run = world.run(&["status", "--user", "CORP\\dora"]);
    let screen = String::from_utf8(run.stdout).unwrap();
    let next = screen.trim_end().rsplit("countersign-setup ").next().unwrap();
    assert_eq!(next, "enroll --user 'CORP\\dora'");
    let run = world.shell(&format!("$TOOL --json {next} --no-confirm"));
    assert!(run.status.success(), "{run:?}");
}

#[test]
fn a_lock_that_is_held_is_not_taken_for_nobody() {
    let world = World::new("");
    enroll(&world, "bob");
    let passwd = world.folder().join("passwd");
    let users = fs::read_to_string(&passwd).unwrap();
    fs::write(&passwd, users.replace("bob:x:1001:1001::/:/bin/sh\n", "")).unwrap();
    let run = world.shell("flock /mnt/store/1001.lock sleep 5 & sleep 0.3; $TOOL reset bob; status=$?; kill $!; exit $status");
    assert_eq!(run.status.code(), Some(3));
    assert!(unbroken(&run.stderr).contains("busy: held by process "), "{run:?}");
    assert!(world.run(&["reset", "bob"]).status.success());
}
