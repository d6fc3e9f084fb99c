//! Two changes of one person's second factor at once: one of them wins or both are done in order, and whoever was
//! overtaken is told.

use super::sheet::{enroll, json, unbroken};
use super::talk::{BACK, Command, DIGITS, Says, YES, command};
use super::terminal::USUAL;
use super::world::World;

/// Whatever runs to its end without a question.
const WHOLE: [&str; 9] = [
    "--json enroll --user alice --no-confirm --add",
    "--json enroll --user alice --no-confirm --replace --label phone",
    "--json recovery --user alice --no-confirm",
    "--json remove --user alice tablet",
    "--json disable --user alice",
    "--json rescue alice",
    "--json unlock alice",
    "--json reset alice",
    "--json enroll --user alice --no-confirm",
];

fn two_authenticators(world: &World) {
    enroll(world, "alice");
    let tablet = ["--json", "enroll", "--user", "alice", "--no-confirm", "--add", "--label", "tablet"];
    assert!(world.run(&tablet).status.success());
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn j_10_who_was_overtaken_while_being_asked_changes_nothing() {
    let asked: [Command<'_>; 3] = [
        command("enroll --user alice --add --label key", &[DIGITS]),
        command("enroll --user alice --replace --label phone", &[DIGITS]),
        command("recovery --user alice", &[BACK]),
    ];
    for slow in asked {
        for quick in &WHOLE[..8] {
            let world = World::new("[policy]\nunenrolled = \"skip\"\n");
            two_authenticators(&world);
            let (question, answer) = slow.answers[0];
            let mut terminal = Command { answers: &[(question, Says::Keys(b""))], ..slow }.begun(&world, USUAL);
            assert!(world.run(&words(quick)).status.success(), "{quick}");
            let held = world.held();
            super::talk::said(&mut terminal, ("", answer));
            let ended = terminal.end();
            if quick.contains("unlock") {
                assert_eq!(ended.status, 0, "{}, {quick}: {}", slow.line, ended.screen);
                continue;
            }
            let told = "countersign-setup: the second factor of alice was changed meanwhile, nothing was done; ";
            assert!(ended.status == 1 && unbroken(&ended.screen).contains(told), "{}, {quick}: {}", slow.line, ended.screen);
            assert!(world.held() == held, "{}, {quick}", slow.line);
        }
    }
}

#[test]
fn j_10_an_adoption_that_was_overtaken_changes_nothing() {
    for quick in ["--json reset zoe", "--json reset zoe; $TOOL --json enroll --user zoe --no-confirm"] {
        let world = World::new("");
        enroll(&world, "alice");
        world.rename("alice", "zoe");
        let mut terminal = command("adopt zoe", &[(YES, Says::Keys(b""))]).begun(&world, USUAL);
        assert!(world.shell(&format!("$TOOL {quick}")).status.success(), "{quick}");
        let held = world.held();
        terminal.type_line("y");
        let ended = terminal.end();
        assert_eq!(ended.status, 1, "{quick}: {}", ended.screen);
        let told = "the second factor of zoe was changed meanwhile, nothing was done; see: countersign-setup status --user zoe\n";
        assert!(unbroken(&ended.screen).ends_with(told), "{quick}: {}", ended.screen);
        assert!(world.held() == held, "{quick}");
    }
}

#[test]
fn j_03_any_two_at_once_leave_a_whole_store() {
    // Why the second may be refused after the first.
    let kinds = ["changed_meanwhile", "not_enrolled", "already_enrolled", "no_such_label", "last_authenticator"];
    let world = World::new("[policy]\nunenrolled = \"skip\"\n");
    for (place, one) in WHOLE.iter().enumerate() {
        for other in &WHOLE[place..] {
            if *one == WHOLE[8] {
                assert!(world.run(&["reset", "alice"]).status.success());
            } else if !world.is_enrolled(1000) {
                two_authenticators(&world);
            } else {
                assert!(world.run(&["reset", "alice"]).status.success());
                two_authenticators(&world);
            }
            let run = world.shell(&format!(
                "$TOOL {one} >/mnt/one 2>&1 & $TOOL {other} >/mnt/other 2>&1; echo $?; wait $!; echo $?; $TOOL --json status --user alice"
            ));
            let out = String::from_utf8_lossy(&run.stdout).into_owned();
            // Read, so that the log takes what comes next.
            world.logged();
            let mut lines = out.lines();
            let statuses: Vec<_> = lines.by_ref().take(2).collect();
            assert!(statuses.contains(&"0") && statuses.iter().all(|status| ["0", "1"].contains(status)), "{one} and {other}: {out}");
            for (file, status) in ["other", "one"].into_iter().zip(&statuses) {
                let text = std::fs::read_to_string(world.folder().join(file)).unwrap();
                // With a value out already, the sentence stands alone.
                let refused = kinds.iter().any(|kind| text.contains(&format!("\"kind\":\"{kind}\"")))
                    || unbroken(&text).contains("was changed meanwhile, nothing was done; ");
                assert_eq!(refused, *status == "1", "{one} and {other}: {text}");
            }
            let value: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
            assert!(value["enrolled"].is_boolean(), "{one} and {other}: {value}");
        }
    }
    // Nothing half made is left.
    assert!(!std::fs::read_dir(world.store()).unwrap().any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".new")));
    let _ = json(&world.run(&["--json", "list"]));
}
