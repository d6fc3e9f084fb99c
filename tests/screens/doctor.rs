//! `doctor`: what it finds, with what to change, and what it notes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use countersign::sys;

use super::enrollment::with_clock;
use super::golden;
use super::sheet::{at_terminals, enroll, json, keys, session, titled};
use super::world::World;

/// On a machine whose kernel says that its clock is (0), or is not (5), synchronised.
fn doctor(world: &World, state: u8) -> String {
    titled("doctor", &at_terminals(world, &with_clock(world, state, &["doctor"])))
}

#[test]
fn doctor_finds_what_locks_people_out() {
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
    assert_eq!(keys(&value), "problems notes findings");
    for finding in value["findings"].as_array().unwrap() {
        assert_eq!(keys(finding), "severity check file line message change");
    }
}

#[test]
fn g_02_a_floor_ahead_of_the_clock_locks_out() {
    let world = World::new("");
    enroll(&world, "alice");
    enroll(&world, "bob");
    world.change_journal(1000, |journal| journal.last = sys::now() + 3650 * 86_400);
    // Of somebody who is not enrolled it locks nobody out: enrolling asks about the clock.
    world.raise_floor(1002, sys::now() + 3650 * 86_400);
    golden::compare("doctor-floor", &doctor(&world, 0));
    let value = json(&world.run(&["doctor", "--json"]));
    assert_eq!((&value["findings"][0]["severity"], &value["findings"][0]["check"]), (&"locks_out".into(), &"floor".into()));
}

#[test]
fn what_locks_nobody_out_is_a_note() {
    let world = World::new("");
    for name in ["alice", "bob", "4711"] {
        enroll(&world, name);
    }
    let path = world.store().join("1000.state");
    let mut journal = fs::read(&path).unwrap();
    journal[100] ^= 1;
    fs::write(&path, journal).unwrap();
    let passwd = world.folder().join("passwd");
    let users = fs::read_to_string(&passwd).unwrap();
    // bob's account is gone; 4711's too, and another one has its name now.
    fs::write(&passwd, users.replace("bob:x:1001:1001::/:/bin/sh\n", "").replace("4711:x:1002:1002:", "4711:x:3000:3000:")).unwrap();
    let mut sheet = doctor(&world, 0);
    fs::remove_file(world.store().join("1001.state")).unwrap();
    sheet.push_str(&doctor(&world, 0));
    golden::compare("doctor-notes", &sheet);
    // The one command that it names where it can.
    world.run(&["unlock", "alice"]);
    assert_eq!(json(&world.run(&["doctor", "--json"]))["notes"], 1);
}
