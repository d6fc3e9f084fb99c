//! An enrollment that does not come to its end: nothing is half done, and the person is told what is so.

use std::fs::File;

use nix::sys::signal::Signal;

use super::golden;
use super::phone::{self, BACK, DIGITS};
use super::sheet::unbroken;
use super::terminal::{Terminal, USUAL};
use super::world::World;

fn enroll(world: &World) -> Terminal {
    Terminal::start(&world.tool(&["enroll", "--user", "alice"]), USUAL)
}

/// Goes as far as the question of that number: 0 is step 2, 1 after a wrong code, 2 is step 3, 3 after a typing error.
fn as_far_as(terminal: &mut Terminal, question: u8) {
    terminal.wait_for(DIGITS);
    if question >= 1 {
        let wrong = phone::wrong_digits(&terminal.text());
        terminal.type_line(&wrong);
        terminal.wait_for("(2 tries left): ");
    }
    if question >= 2 {
        phone::early_in_a_step();
        let right = phone::digits(&terminal.text(), 0);
        terminal.type_line(&right);
        terminal.wait_for(BACK);
    }
    if question >= 3 {
        let mistyped = phone::mistyped(&phone::asked_back(&terminal.text()));
        terminal.type_line(&mistyped);
        terminal.wait_for("(2 tries left): ");
    }
}

const TOLD: &str = "\ncountersign-setup: interrupted, nothing was changed;\n  delete the entry \"web1: alice\" from the app\n";

#[test]
fn j_01_an_interrupt_at_any_question_changes_nothing_and_says_so() {
    let world = World::new("");
    type Way = (&'static str, fn(&mut Terminal));
    let ways: [Way; 6] = [
        ("Ctrl-C", |terminal| terminal.press(b"\x03")),
        ("Ctrl-\\", |terminal| terminal.press(b"\x1c")),
        ("Ctrl-D", |terminal| terminal.press(b"\x04")),
        ("SIGTERM", |terminal| terminal.send(Signal::SIGTERM)),
        ("SIGHUP", |terminal| terminal.send(Signal::SIGHUP)),
        ("half a line", |terminal| terminal.press(b"12\x03")),
    ];
    for question in 0..=3 {
        for (way, interrupt) in ways {
            let mut terminal = enroll(&world);
            as_far_as(&mut terminal, question);
            interrupt(&mut terminal);
            let ended = terminal.end();
            assert_eq!(ended.status, 130, "{way} at {question}: {}", ended.screen);
            let last_line_of_its_own = ended.screen.ends_with(TOLD);
            assert!(last_line_of_its_own, "{way} at {question}: {}", ended.screen);
            assert!(!world.is_enrolled(1000), "{way} at {question}");
        }
    }
    assert!(!world.logged().iter().any(|line| line.contains("action=enroll")));
}

#[test]
fn j_01_a_terminal_that_is_closed_changes_nothing() {
    let world = World::new("");
    for question in 0..=3 {
        let err = world.folder().join("err");
        let stderr = File::create(&err).unwrap();
        let mut terminal = Terminal::start_with(&world.tool(&["enroll", "--user", "alice"]), USUAL, None, Some(stderr));
        as_far_as(&mut terminal, question);
        terminal.hang_up();
        assert_eq!(terminal.end().status, 130);
        assert!(std::fs::read_to_string(&err).unwrap().contains("nothing was changed"));
        assert!(!world.is_enrolled(1000));
    }
}

#[test]
fn c_03_ctrl_z_gives_the_terminal_back_and_the_question_comes_again() {
    let world = World::new("");
    let made = world.run(&["--json", "enroll", "--user", "alice", "--no-confirm"]);
    assert!(made.status.success());
    let mut terminal = Terminal::start(&world.tool(&["verify", "--user", "alice"]), USUAL);
    terminal.wait_for("Verification code: ");
    assert!(!terminal.has_echo());
    terminal.press(b"\x1a");
    let is_stopped = |terminal: &Terminal| {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", terminal.pid())).unwrap();
        status.rsplit(") ").next().unwrap().starts_with('T')
    };
    while !is_stopped(&terminal) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(terminal.has_echo());
    terminal.send(Signal::SIGCONT);
    terminal.wait_for("Verification code: ");
    assert!(!terminal.has_echo());
    terminal.press(b"\x03");
    let ended = terminal.end();
    assert_eq!(ended.status, 130);
    assert!(ended.screen.ends_with("\ncountersign-setup: interrupted, nothing was checked; start again\n"), "{}", ended.screen);
}

#[test]
fn j_03_of_two_enrollments_at_once_one_wins() {
    let world = World::new("");
    let mut both = [enroll(&world), enroll(&world)];
    for terminal in &mut both {
        phone::confirm(terminal);
        terminal.wait_for(BACK);
    }
    for terminal in &mut both {
        let answer = phone::asked_back(&terminal.text());
        terminal.type_line(&answer);
    }
    let mut ended: Vec<_> = both.into_iter().map(Terminal::end).collect();
    ended.sort_by_key(|ended| ended.status);
    assert_eq!((ended[0].status, ended[1].status), (0, 1));
    golden::compare("enroll-changed-meanwhile", &golden::screen(&ended[1], world.folder()));
    // The record is the winner's.
    let secret = data_encoding::BASE32_NOPAD.encode(phone::secret(&ended[0].screen).expose());
    assert!(String::from_utf8_lossy(&world.stored()).contains(&secret));
}

#[test]
fn j_10_a_reset_ends_an_open_enrollment() {
    let world = World::new("");
    let mut terminal = enroll(&world);
    phone::confirm(&mut terminal);
    terminal.wait_for(BACK);
    assert!(world.run(&["reset", "alice"]).status.success());
    let answer = phone::asked_back(&terminal.text());
    terminal.type_line(&answer);
    let ended = terminal.end();
    assert_eq!(ended.status, 1);
    assert!(unbroken(&ended.screen).contains("changed meanwhile, nothing was done"), "{}", ended.screen);
    assert!(!world.is_enrolled(1000));
}

#[test]
fn j_06_a_standard_output_that_takes_nothing_leaves_nothing_half_done() {
    let world = World::new("");
    let says = |output: &std::process::Output| unbroken(&output.stderr);
    for redirection in [">&-", ">/dev/full"] {
        let run = world.shell(&format!("$TOOL --json enroll --user alice --no-confirm {redirection}"));
        assert_eq!(run.status.code(), Some(3), "{redirection}: {}", says(&run));
        assert!(says(&run).contains("nothing was changed"), "{}", says(&run));
        assert!(!world.is_enrolled(1000), "{redirection}");
    }
    let (reader, writer) = nix::unistd::pipe().unwrap();
    drop(reader);
    let run = world.command(&["--json", "enroll", "--user", "alice", "--no-confirm"]).stdout(writer).output().unwrap();
    assert_eq!(run.status.code(), Some(3));
    assert!(says(&run).contains("(broken pipe), nothing was changed"), "{}", says(&run));
    assert!(!world.is_enrolled(1000));

    assert!(world.run(&["--json", "enroll", "--user", "alice", "--no-confirm"]).status.success());
    for command in ["status --user alice", "doctor", "explain", "-h"] {
        for redirection in [">&-", ">/dev/full"] {
            assert_eq!(world.shell(&format!("$TOOL {command} {redirection}")).status.code(), Some(3), "{command} {redirection}");
        }
    }
    // A reset that can't be told is not made; one whose words are lost has been made, and standard error says so.
    let run = world.shell("$TOOL reset alice >&-");
    assert_eq!(run.status.code(), Some(3));
    assert!(world.is_enrolled(1000));
    let run = world.shell("$TOOL reset alice >/dev/full");
    assert_eq!(run.status.code(), Some(3));
    assert!(says(&run).contains("but it was done: alice on web1: second factor removed"), "{}", says(&run));
    assert!(!world.is_enrolled(1000));
}

#[test]
fn j_06_a_full_disk_leaves_nothing_half_done() {
    let world = World::without_store("");
    let run = world.shell(
        "mkdir /mnt/store; mount -t tmpfs -o size=64k none /mnt/store; $TOOL init --force >/dev/null
         $TOOL --json enroll --user bob --no-confirm >/dev/null; $TOOL reset bob >/dev/null
         dd if=/dev/zero of=/mnt/store/fill bs=1k 2>/dev/null
         $TOOL --json enroll --user alice --no-confirm; echo alice $?
         $TOOL --json enroll --user bob --no-confirm; echo bob $?
         $TOOL status --user bob >/dev/null; echo status $?
         rm /mnt/store/fill; $TOOL --json enroll --user bob --no-confirm >/dev/null; echo again $?",
    );
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr).into_owned());
    for line in ["alice 3", "bob 3", "status 1", "again 0"] {
        assert!(out.lines().any(|found| found == line), "{line}: {out}{err}");
    }
    let told = "countersign-setup: no space left in \"/mnt/store\", nothing was changed;\n  free some";
    assert_eq!(err.matches(told).count(), 2, "{err}");
}

#[test]
fn j_06_whatever_write_of_the_commit_fails_the_person_is_told_what_is_so() {
    let mut seen = Vec::new();
    for (call, most) in [("pwrite64", 4), ("fsync", 7), ("renameat", 3), ("unlinkat", 3)] {
        for number in 1..=most {
            let world = World::new("");
            let script = format!(
                "strace -f -o /dev/null -e trace={call} -e inject={call}:error=EIO:when={number} \
                 $TOOL --json enroll --user alice --no-confirm"
            );
            let run = world.shell(&script);
            let err = unbroken(&run.stderr);
            let (status, enrolled) = (run.status.code().unwrap(), world.run(&["status", "--user", "alice"]).status.code().unwrap());
            // One value, whatever became of it: the exit status tells.
            assert_eq!(String::from_utf8_lossy(&run.stdout).lines().count(), 1, "{call} {number}");
            match (status, enrolled) {
                (0, 0) => {}
                (3, 1) => assert!(err.contains("nothing was changed") || err.contains("it may have been done"), "{call} {number}: {err}"),
                (3, _) => assert!(err.contains("it may have been done"), "{call} {number}: {err}"),
                other => panic!("{call} {number}: {other:?} {err}"),
            }
            seen.push((status, enrolled));
            assert!(!std::fs::read_dir(world.store()).unwrap().any(|entry| entry.unwrap().file_name() == ".1000.toml.new"));
            // And it can be mended by the commands that were named.
            assert!(world.run(&["reset", "alice"]).status.success());
            assert!(world.run(&["--json", "enroll", "--user", "alice", "--no-confirm"]).status.success());
        }
    }
    // Each of the three ends has been there.
    assert!([(0, 0), (3, 1), (3, 0)].iter().all(|end| seen.contains(end)), "{seen:?}");
}

/// Every signal that would end a program, and that no fault of its own sends.
fn endings() -> impl Iterator<Item = Signal> {
    let others = [
        Signal::SIGKILL,
        Signal::SIGSTOP,
        Signal::SIGTSTP,
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGILL,
        Signal::SIGFPE,
        Signal::SIGTRAP,
        Signal::SIGSYS,
        Signal::SIGABRT,
        Signal::SIGCHLD,
        Signal::SIGCONT,
        Signal::SIGWINCH,
        Signal::SIGURG,
        Signal::SIGTTIN,
        Signal::SIGTTOU,
        // The language's run time has it ignored.
        Signal::SIGPIPE,
    ];
    Signal::iterator().filter(move |signal| !others.contains(signal))
}

#[test]
fn c_03_whatever_ends_a_question_without_echo_the_echo_comes_back() {
    let world = World::new("");
    assert!(world.run(&["--json", "enroll", "--user", "alice", "--no-confirm"]).status.success());
    let before = world.stored();
    let mut count = 0;
    for signal in endings() {
        let mut terminal = Terminal::start(&world.tool(&["verify", "--user", "alice"]), USUAL);
        terminal.wait_for("Verification code: ");
        terminal.send(signal);
        // The modes of the terminal are compared at its end.
        let ended = terminal.end();
        assert_eq!(ended.status, 130, "{signal}: {}", ended.screen);
        assert!(ended.screen.ends_with("countersign-setup: interrupted, nothing was checked; start again\n"), "{signal}: {}", ended.screen);
        count += 1;
    }
    assert!(count >= 14, "{count}");
    assert!(world.stored() == before);
    for ending in [b"\x04".as_slice(), b"\x1c", b"\x03", b"12\x03"] {
        let mut terminal = Terminal::start(&world.tool(&["verify", "--user", "alice"]), USUAL);
        terminal.wait_for("Verification code: ");
        terminal.press(ending);
        assert_eq!(terminal.end().status, 130);
    }
}
