//! Answers that could not be written: what was done is said on standard error, and the exit status is 3.

use std::fs;

use super::sheet::{enroll, unbroken};
use super::talk::{CODE, Says, YES, said};
use super::terminal::{Terminal, USUAL};
use super::world::World;

const FULL: &str = "countersign-setup: can't write to standard output (no space left on device); but it was done: ";
const BROKEN: &str = "countersign-setup: can't write to standard output (broken pipe); ";

/// With standard output on a disk that is full.
fn on_a_full_disk(world: &World, line: &str, (question, answer): (&str, &str)) -> String {
    let out = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut terminal = Terminal::start_with(&world.tool(&line.split(' ').collect::<Vec<_>>()), USUAL, Some(out), None);
    said(&mut terminal, (question, Says::Line(answer)));
    let ended = terminal.end();
    assert_eq!(ended.status, 3, "{line}: {}", ended.screen);
    unbroken(&ended.screen)
}

#[test]
fn j_06_verify_and_adopt_on_a_full_disk() {
    for json in ["", "--json "] {
        let world = World::new("");
        let codes = enroll(&world, "alice")["recovery_codes"].clone();
        let verify = format!("{json}verify --user alice");
        let told = on_a_full_disk(&world, &verify, (CODE, codes[2].as_str().unwrap()));
        assert!(told.ends_with(&format!("{FULL}accepted (recovery code); this code is now used up\n")), "{told}");
        assert!(world.logged().iter().any(|line| line.contains("result=accepted method=recovery")));
        // Used up it is: a second time the answer is no, with or without a place to write it to.
        let mut terminal = Terminal::start(&world.tool(&["verify", "--user", "alice"]), USUAL);
        said(&mut terminal, (CODE, Says::Line(codes[2].as_str().unwrap())));
        assert_eq!(terminal.end().status, 1);
        world.rename("alice", "zoe");
        let told = on_a_full_disk(&world, &format!("{json}adopt zoe"), (YES, "y"));
        assert!(told.ends_with(&format!("{FULL}uid 1000 on web1: the second factor of \"alice\" is now that of \"zoe\".\n")), "{told}");
        assert!(world.run(&["status", "--user", "zoe"]).status.success());
    }
}

#[test]
fn j_06_a_reader_that_is_gone() {
    for json in ["", "--json "] {
        let lines = [
            ("remove --user alice tablet", "but it was done: alice on web1: authenticator \"tablet\" removed. "),
            ("disable --user alice", "but it was done: alice on web1: second factor removed. "),
            ("unlock alice", "but it was done: alice on web1: remote and local logins are ready."),
            ("status --user alice", "mend that and start again\n"),
            ("list", "mend that and start again\n"),
        ];
        for (line, next) in lines {
            let world = World::new("[policy]\nunenrolled = \"skip\"\n");
            enroll(&world, "alice");
            assert!(world.run(&["--json", "enroll", "--user", "alice", "--no-confirm", "--add", "--label", "tablet"]).status.success());
            let before = world.held();
            // The other end of the pipe is closed before the tool writes.
            let run = world.shell(&format!("(sleep 0.3; $TOOL {json}{line}; echo $? >/mnt/status) | true"));
            let told = unbroken(&run.stderr);
            assert!(told.starts_with(&format!("{BROKEN}{next}")), "{line}: {told}");
            assert_eq!(fs::read_to_string(world.folder().join("status")).unwrap(), "3\n", "{line}");
            assert_eq!(world.held() != before, next.starts_with("but it was done"), "{line}");
        }
    }
}
