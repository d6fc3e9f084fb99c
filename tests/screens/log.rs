//! What the log keeps of a change: who did it for whom, and never a secret.

use serde_json::Value;

use super::sheet::{enroll, json};
use super::talk::{Says, YES, command};
use super::terminal::{Kind, USUAL};
use super::world::World;

/// A change, what stands before it, and what its line ends in.
struct Change {
    line: &'static str,
    before: fn(&World),
    user: &'static str,
    action: &'static str,
    own: &'static str,
}

const BY_BOB: Kind = Kind { environment: &[("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("SUDO_USER", "bob")], ..USUAL };

fn alice(world: &World) {
    enroll(world, "alice");
}

fn alice_with_a_tablet(world: &World) {
    alice(world);
    let add = ["--json", "enroll", "--user", "alice", "--no-confirm", "--add", "--label", "tablet"];
    assert!(world.run(&add).status.success());
}

const CHANGES: [Change; 10] = [
    Change {
        line: "--json enroll --user alice --no-confirm --label key --codes 7",
        before: |_| {},
        user: "alice",
        action: "enroll",
        own: r#" authenticator="key" codes_left=7"#,
    },
    Change {
        line: "--json enroll --user alice --no-confirm --add",
        before: alice,
        user: "alice",
        action: "add",
        own: r#" authenticator="phone-2" codes_left=10"#,
    },
    Change {
        line: "--json enroll --user alice --no-confirm --replace",
        before: alice,
        user: "alice",
        action: "replace",
        own: r#" authenticator="phone" codes_left=10"#,
    },
    Change {
        line: "--json recovery --user alice --no-confirm --codes 12",
        before: alice,
        user: "alice",
        action: "recovery",
        own: " codes_left=12",
    },
    Change {
        line: "remove tablet --user alice",
        before: alice_with_a_tablet,
        user: "alice",
        action: "remove",
        own: r#" authenticator="tablet" codes_left=10"#,
    },
    Change { line: "disable --user alice", before: alice, user: "alice", action: "disable", own: "" },
    Change { line: "--json rescue alice", before: alice, user: "alice", action: "rescue", own: "" },
    Change {
        line: "adopt zoe",
        before: |world| {
            alice(world);
            world.rename("alice", "zoe");
        },
        user: "zoe",
        action: "adopt",
        own: "",
    },
    Change { line: "unlock alice", before: alice, user: "alice", action: "unlock", own: "" },
    Change { line: "reset alice --reason lost", before: alice, user: "alice", action: "reset", own: r#" why="lost""# },
];

#[test]
fn j_05_each_change_leaves_one_line_that_names_who_did_it_and_no_secret() {
    let loginuid = std::fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    let loginuid = loginuid.trim().parse::<u32>().ok().filter(|uid| *uid != u32::MAX).map_or_else(|| "-".to_owned(), |uid| uid.to_string());
    for Change { line, before, user, action, own } in CHANGES {
        let world = World::new("[policy]\nunenrolled = \"skip\"\n");
        before(&world);
        let old = secrets_of_record(&world);
        world.logged();
        let mut secrets = if line == "adopt zoe" {
            let ended = command(line, &[(YES, Says::Line("y"))]).ended(&world, BY_BOB);
            assert_eq!(ended.status, 0, "{}", ended.screen);
            Vec::new()
        } else {
            let run = world.command(&line.split(' ').collect::<Vec<_>>()).env("SUDO_USER", "bob").output().unwrap();
            assert!(run.status.success(), "{line}: {run:?}");
            if line.starts_with("--json") { handed_over(&json(&run)) } else { Vec::new() }
        };
        assert_eq!(secrets.is_empty(), !line.starts_with("--json"), "{line}");
        secrets.extend(old);
        let logged = world.logged();
        let changed: Vec<_> = logged.iter().filter(|text| text.contains("result=")).collect();
        let [changed] = changed.as_slice() else { panic!("{line}: {logged:#?}") };
        let expected = format!("result=changed action={action} user={user} uid=1000 by=root loginuid={loginuid} sudo_user=\"bob\"{own}");
        assert_eq!(changed.split_once(": ").unwrap().1, expected, "{line}");
        for secret in secrets {
            assert!(!logged.iter().any(|text| text.contains(&secret)), "{line}: {secret} is in {logged:#?}");
        }
    }
}

/// All of a value that nobody else may know: the secret, the address, codes with hyphens and without.
fn handed_over(value: &Value) -> Vec<String> {
    let codes = value["recovery_codes"].as_array().into_iter().flatten().chain(value.get("rescue_code"));
    let codes = codes.map(|code| code.as_str().unwrap().to_owned()).flat_map(|code| [code.replace('-', ""), code]);
    let known = ["secret", "uri"].into_iter().filter_map(|key| Some(value[key].as_str()?.to_owned()));
    known.chain(codes).collect()
}

/// The secrets that stand in the record.
fn secrets_of_record(world: &World) -> Vec<String> {
    let record = std::fs::read_to_string(world.store().join("1000.toml")).unwrap_or_default();
    let values = record.lines().filter_map(|line| line.strip_prefix("secret = "));
    values.map(|value| value.trim_matches('"').to_owned()).collect()
}
