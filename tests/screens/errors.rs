//! Errors for programs that only another person, another caller or a full disk brings about.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::bad_days::SMALL;
use super::sheet::{enroll, json, keys, unbroken};
use super::talk::{self, BACK, DIGITS, Says, YES};
use super::terminal::{Terminal, USUAL};
use super::world::World;

/// One error as a value, which standard error says in a sentence.
fn is_error(value: &Value, told: &str, kind: &str, exit: i32, line: &str) {
    let error = &value["error"];
    assert_eq!((keys(value).as_str(), keys(error).as_str()), ("error", "kind message next exit"), "{line}");
    assert_eq!((&error["kind"], &error["exit"]), (&json!(kind), &json!(exit)), "{line}");
    let sentence = format!("countersign-setup: {}; {}\n", error["message"].as_str().unwrap(), error["next"].as_str().unwrap());
    assert!(unbroken(told).ends_with(&sentence), "{line}: {told}");
}

#[test]
fn a_program_that_is_not_roots_is_told_so() {
    let world = World::new("");
    enroll(&world, "alice");
    fs::set_permissions(world.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    for (line, kind) in
        [("reset alice", "not_root"), ("list", "not_root"), ("status --user bob", "not_root"), ("status", "service_unavailable")]
    {
        let run = world.shell(&format!("setpriv --reuid 1000 --regid 1000 --clear-groups $TOOL --json {line}"));
        assert_eq!(run.status.code(), Some(3), "{line}");
        is_error(&json(&run), &String::from_utf8_lossy(&run.stderr), kind, 3, line);
    }
    assert!(world.is_enrolled(1000));
}

#[test]
fn a_full_disk_is_told_to_a_program() {
    let world = World::new("");
    // What has no value of its own yet when the disk turns out to be full.
    let line = "remove --user alice tablet";
    let run = world.shell(&format!("{SMALL}$TOOL --json {line}"));
    assert_eq!(run.status.code(), Some(3));
    is_error(&json(&run), &String::from_utf8_lossy(&run.stderr), "no_space", 3, line);
}

#[test]
fn j_10_a_program_that_was_overtaken_is_told_so() {
    let asked = [
        ("enroll --user alice --add", DIGITS, "recovery --user alice --no-confirm"),
        ("recovery --user alice", BACK, "recovery --user alice --no-confirm"),
        ("adopt zoe", (YES, Says::Line("y")), "reset zoe"),
    ];
    for (slow, (question, answer), quick) in asked {
        let world = World::new("");
        enroll(&world, "alice");
        if slow.contains("zoe") {
            world.rename("alice", "zoe");
        }
        let out = world.folder().join("out");
        let words: Vec<_> = ["--json"].into_iter().chain(slow.split(' ')).collect();
        let mut terminal = Terminal::start_with(&world.tool(&words), USUAL, Some(File::create(&out).unwrap()), None);
        terminal.wait_for(question);
        let overtaking = world.shell(&format!("$TOOL --json {quick}"));
        assert!(overtaking.status.success(), "{overtaking:?}");
        let held = world.held();
        talk::said(&mut terminal, ("", answer));
        let ended = terminal.end();
        assert_eq!(ended.status, 1, "{slow}: {}", ended.screen);
        let value: Value = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
        if slow.contains("zoe") {
            is_error(&value, &ended.screen, "changed_meanwhile", 1, slow);
        } else {
            // A secret is handed over before the change: the exit status and the sentence say that it is none.
            assert!(value.get("error").is_none() && value["recovery_codes"].is_array(), "{slow}");
            let told = "countersign-setup: the second factor of alice was changed meanwhile, nothing was done; ";
            assert!(unbroken(&ended.screen).contains(told), "{slow}: {}", ended.screen);
        }
        assert!(world.held() == held, "{slow}");
    }
}
