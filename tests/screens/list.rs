//! `list`: everyone, whatever is wrong with anyone; and `list --missing`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use countersign::rules::throttle::{Lane, Throttle};
use countersign::sys;
use serde_json::json;

use super::golden;
use super::sheet::{at_terminals, enroll, json, session};
use super::world::{CONFIG, TOOL, World};

/// 2026-03-02 10:04:11 UTC.
const ENROLLED: i64 = 1_772_445_851;

/// These people, with uids from 2000 on, all enrolled on one day of spring.
fn world(names: &[&str]) -> World {
    let world = World::new("");
    for (name, uid) in names.iter().zip(2000..) {
        world.add_user(name, uid);
        enroll(&world, name);
        world.change_record(uid, |record| {
            record.created_at = ENROLLED;
            record.authenticators[0].created_at = ENROLLED;
        });
    }
    world
}

#[test]
fn nobody_is_enrolled() {
    let world = World::new("");
    golden::compare("list-nobody", &session(&world, &["list", "--json list"]));
}

#[test]
fn everyone_is_listed_with_the_worst_lanes_state() {
    let world = world(&["anna", "ben", "chris", "dora", "emil", "fritz"]);
    let now = sys::now();
    let wrong = |lane: Lane, count: u16| (0..count).fold(Throttle::default(), |throttle, _| throttle.failed(lane, now));
    world.change_journal(2000, |journal| {
        journal.used[0] = 1_795_510_290;
        journal.recovered = 1_795_510_000;
        journal.spent = 0b1110;
    });
    world.change_journal(2001, |journal| journal.throttle = wrong(Lane::Remote, 6));
    world.change_journal(2002, |journal| journal.throttle = Throttle { remote: wrong(Lane::Remote, 6).remote, ..wrong(Lane::Own, 20) });
    world.change_journal(2003, |journal| journal.last = now + 86_400);
    // A recovery code is a use as well; one before the enrollment is another's.
    world.change_journal(2004, |journal| journal.recovered = 1_795_510_000);
    world.change_journal(2005, |journal| journal.recovered = ENROLLED - 1);
    golden::compare("list", &session(&world, &["list"]));
    let value = json(&world.run(&["list", "--json"]));
    let all = value.as_array().unwrap();
    assert_eq!(
        all.iter().map(|entry| entry["user"].as_str().unwrap()).collect::<Vec<_>>(),
        ["anna", "ben", "chris", "dora", "emil", "fritz"]
    );
    for entry in all {
        let mut of_status = json(&world.run(&["status", "--json", "--user", entry["user"].as_str().unwrap()]));
        of_status["error"] = json!(null);
        assert_eq!(*entry, of_status);
    }
}

#[test]
fn d_10_one_users_trouble_hides_no_other() {
    let names =
        ["good", "renamed", "gone", "cut", "lost", "newer", "open", "unjournaled", "hidden", "a-name-of-a-directory-service@example.org"];
    let world = world(&names);
    let file = |name: &str| world.store().join(name);
    let passwd = world.folder().join("passwd");
    let users = fs::read_to_string(&passwd).unwrap();
    let users = users
        .replace("\nrenamed:", "\nnewname:")
        .replace("\ngone:x:2002:2002::/:/bin/sh", "")
        .replace("\nhidden:x:2008:2008::/:/bin/sh", "");
    fs::write(&passwd, users).unwrap();
    // A name that would clear the screen.
    world.change_record(2002, |record| record.name = "go\x1b[2Jne".to_owned());
    fs::write(file("2003.state"), "not a journal").unwrap();
    fs::remove_file(file("2004.toml")).unwrap();
    // A format of tomorrow, with its checksum over uid, format and the rest.
    fs::write(file("2005.toml"), "format = 2\nsum = \"fa6d2d59af866d6d\"\nwhatever\n").unwrap();
    fs::set_permissions(file("2006.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(file("2007.state")).unwrap();
    fs::write(file("2008.toml"), "nonsense").unwrap();
    let held = format!("flock -o /mnt/store/2000.lock sleep 6 >/dev/null 2>&1 & sleep 0.3; {TOOL} --config {CONFIG} list; kill $!");
    golden::compare("list-trouble", &at_terminals(&world, &world.inside(&["sh", "-c", &held])));
    let value = json(&world.run(&["--json", "list"]));
    let kinds: Vec<_> =
        value.as_array().unwrap().iter().map(|entry| (&entry["user"], &entry["error"]["kind"], entry.get("throttle").is_some())).collect();
    let expected = [
        (json!("a-name-of-a-directory-service@example.org"), json!(null), true),
        (json!("cut"), json!("damaged"), false),
        (json!("go\x1b[2Jne"), json!("no_such_user"), true),
        (json!("good"), json!(null), true),
        (json!("lost"), json!("damaged"), false),
        (json!("newer"), json!("newer_format"), false),
        (json!("open"), json!("store_unavailable"), false),
        (json!("renamed"), json!("other_name"), true),
        (json!(null), json!("damaged"), false),
        (json!("unjournaled"), json!("damaged"), false),
    ];
    assert_eq!(kinds, expected.iter().map(|(user, kind, known)| (user, kind, *known)).collect::<Vec<_>>());
    // A user database that gives no answer hides nobody.
    fs::write(world.folder().join("nsswitch.conf"), "passwd: no-such-database\n").unwrap();
    golden::compare("list-no-database", &session(&world, &["list", "list --missing"]));
    let findings = json(&world.run(&["--json", "doctor"]))["findings"].clone();
    assert_eq!(findings.as_array().unwrap().iter().filter(|finding| finding["check"] == "user_database").count(), 1);
}

#[test]
fn whoever_has_to_be_enrolled_and_is_not_is_missing() {
    let mut sheet = String::new();
    for policy in ["skip", "2126-12-01", "deny"] {
        let world = World::new(&format!("[policy]\nunenrolled = \"{policy}\"\nexempt_users = [\"nobody\"]\n"));
        world.add_user("ALICE", 1000);
        fs::write(
            world.folder().join("passwd"),
            fs::read_to_string(world.folder().join("passwd")).unwrap() + "git:x:3000:3000::/:/usr/bin/git-shell\n",
        )
        .unwrap();
        enroll(&world, "bob");
        sheet.push_str(&session(&world, &["list --missing", "--json list --missing"]));
        for name in ["root", "alice", "4711"] {
            enroll(&world, name);
        }
        sheet.push_str(&session(&world, &["list --missing"]));
    }
    let days = sheet.split("(in ").nth(1).map(|rest| format!("(in {}", rest.split(')').next().unwrap())).unwrap();
    golden::compare("list-missing", &sheet.replace(&days, "(in [DAYS]"));
}
