//! Names and terminals that want to deceive, and what is pasted or resized while a question is open.

use super::golden;
use super::phone::{self, BACK};
use super::sheet::{enroll, unbroken};
use super::talk::{CODE, DIGITS, Says, YES, command, said};
use super::terminal::{Ended, Kind, Terminal, USUAL};
use super::world::{CONFIG, TOOL, World};

/// The tool on a machine of that name.
fn on_host(world: &World, host: &str, arguments: &[&str], kind: Kind) -> Terminal {
    let script = "printf %s \"$1\" >/proc/sys/kernel/hostname; shift; exec \"$@\"";
    let line = [&["sh", "-c", script, "sh", host, TOOL, "--config", CONFIG][..], arguments].concat();
    Terminal::start(&world.inside(&line), kind)
}

/// Printable ASCII and newlines alone.
fn is_plain(ended: &Ended) -> bool {
    ended.screen.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
}

const NO_COLOUR: Kind = Kind { environment: &[("NO_COLOR", "1"), ("TERM", "xterm"), ("LC_ALL", "C.UTF-8")], ..USUAL };

#[test]
fn j_07_a_hostile_host_is_escaped_on_every_screen() {
    let world = World::new("");
    let host = "w\u{1b}[2J\u{202e}";
    let mut terminal = on_host(&world, host, &["enroll", "--user", "alice", "--qr", "none"], NO_COLOUR);
    said(&mut terminal, ("shows now: ", Says::Keys(b"\x03")));
    let left = terminal.end();
    let mut terminal = on_host(&world, host, &["enroll", "--user", "alice", "--qr", "none"], NO_COLOUR);
    said(&mut terminal, DIGITS);
    phone::prove(&mut terminal);
    let mut sheet = String::new();
    for ended in [
        left,
        terminal.end(),
        on_host(&world, host, &["rescue", "alice"], NO_COLOUR).end(),
        on_host(&world, host, &["--user", "alice"], NO_COLOUR).end(),
        on_host(&world, host, &["unlock", "alice"], NO_COLOUR).end(),
        on_host(&world, host, &["reset", "alice"], NO_COLOUR).end(),
    ] {
        assert!(is_plain(&ended), "{}", ended.screen);
        sheet.push_str(&golden::screen(&ended, world.folder()));
    }
    golden::compare("hostile-host", &sheet);
}

#[test]
fn j_07_issuer_and_account_are_escaped_where_they_are_printed() {
    let world = World::new("");
    for (issuer, account) in [("Bücher & Söhne", "日本語 يونيكود"), ("100% \"it's\" \\n", "a b?c=d&e#f/../")] {
        let line = ["enroll", "--user", "alice", "--qr", "none", "--codes", "0", "--issuer", issuer, "--account", account];
        let mut terminal = Terminal::start(&world.tool(&line), NO_COLOUR);
        said(&mut terminal, DIGITS);
        let ended = terminal.end();
        assert!(ended.status == 0 && is_plain(&ended), "{}", ended.screen);
        assert!(world.run(&["reset", "alice"]).status.success());
    }
    // What turns text round, is unseen, or separates the two is refused, in plain words.
    for text in ["a\u{202e}b", "a\u{200b}b", "a\u{1b}[2Jb", "a\nb", "a:b", ""] {
        for option in ["--issuer", "--account", "--label"] {
            let ended = Terminal::start(&world.tool(&["enroll", "--user", "alice", option, text]), USUAL).end();
            assert!(ended.status == 2 && is_plain(&ended), "{option} {text:?}: {}", ended.screen);
        }
    }
    assert!(!world.is_enrolled(1000));
}

#[test]
fn names_of_a_record_and_of_the_command_line_are_escaped() {
    let world = World::new("");
    enroll(&world, "alice");
    world.change_record(1000, |record| {
        record.name = "\u{202e}ecila \u{1b}]0;x\u{7} 日本".to_owned();
        record.changed_by = "root (\u{1b}[31m)".to_owned();
    });
    let escaped = "\\xe2\\x80\\xaeecila \\x1b]0;x\\x07 \\xe6\\x97\\xa5\\xe6\\x9c\\xac";
    let mut terminal = command("adopt alice", &[(YES, Says::Keys(b""))]).begun(&world, NO_COLOUR);
    assert!(unbroken(terminal.text()).contains(escaped), "{}", terminal.text());
    terminal.type_line("y");
    let ended = terminal.end();
    assert!(ended.status == 0 && is_plain(&ended) && ended.screen.contains(escaped), "{}", ended.screen);
    for line in [
        &["status", "--user", "\u{1b}[2J\u{202e}"][..],
        &["rescue", "\u{1b}[2J"],
        &["adopt", "日本"],
        &["reset", "al\nice"],
        &["\u{1b}[2J"],
        &["--\u{1b}[2J"],
        &["remove", "--user", "alice", "\u{1b}[2J"],
        &["enroll", "--user", "alice", "--add", "--no-confirm", "--qr-file", "/\u{1b}[2J/x.png"],
        &["--config", "/\u{1b}[2J", "status"],
        &["rescue", "alice", "--valid", "\u{1b}[2J"],
    ] {
        let ended = Terminal::start(&world.tool(line), NO_COLOUR).end();
        assert!(ended.status != 0 && is_plain(&ended), "{line:?}: {}", ended.screen);
    }
}

#[test]
fn a_terminals_type_is_never_printed() {
    for term in ["\u{1b}[2Jx", "../../../etc/passwd", "dumb\u{1b}[31m", "%s%n"] {
        let (world, set) = (World::new(""), format!("TERM={term}"));
        let line = [&["env", &set, TOOL, "--config", CONFIG][..], &["enroll", "--user", "alice", "--qr", "none", "--codes", "0"]].concat();
        let mut terminal = Terminal::start(&world.inside(&line), USUAL);
        said(&mut terminal, DIGITS);
        let ended = terminal.end();
        assert!(ended.status == 0 && !ended.screen.contains(term) && !ended.screen.contains("[2J"), "{}", ended.screen);
    }
}

#[test]
fn what_is_pasted_is_taken_with_its_spaces_and_line_by_line() {
    let world = World::new("");
    let mut terminal = command("enroll --user alice --qr none", &[]).begun(&world, USUAL);
    terminal.wait_for("shows now: ");
    phone::early_in_a_step();
    let digits = phone::digits(&terminal.text(), 0);
    terminal.press(format!("  {} {}\t\n", &digits[..3], &digits[3..]).as_bytes());
    // Two lines at once: the first answers, the second is an answer to what is asked next.
    terminal.wait_for(BACK);
    let code = phone::asked_back(&terminal.text());
    terminal.press(format!("\n   {}  \n", code.replace(' ', " - ")).as_bytes());
    let ended = terminal.end();
    assert_eq!(ended.status, 0, "{}", ended.screen);
    assert!(ended.screen.contains("There is a typing error in it. Code "), "{}", ended.screen);
    let sheet = phone::sheet(&ended.screen);
    // What is not echoed is not taken from what was typed ahead.
    let mut terminal = Terminal::start(&world.tool(&["verify", "--user", "alice"]), USUAL);
    terminal.wait_for(CODE);
    terminal.press(format!(" {} \nrm -rf x\n", sheet[1].replace('-', "  ").to_lowercase()).as_bytes());
    let ended = terminal.end();
    assert!(ended.status == 0 && !ended.screen.contains("rm -rf"), "{}", ended.screen);
    // A line longer than any answer is one wrong answer.
    let mut terminal = Terminal::start(&world.tool(&["verify", "--user", "alice"]), USUAL);
    terminal.wait_for(CODE);
    terminal.press(format!("{}\n", "7".repeat(3000)).as_bytes());
    let ended = terminal.end();
    assert!(ended.status == 1 && ended.screen.contains("that is not a code"), "{}", ended.screen);
}

#[test]
fn a_window_that_is_resized_while_a_question_is_open_ends_nothing() {
    let world = World::new("");
    let mut terminal = command("enroll --user alice", &[]).begun(&world, USUAL);
    terminal.wait_for("shows now: ");
    for (columns, rows) in [(20, 5), (200, 60), (1, 1), (38, 24)] {
        terminal.resize(columns, rows);
        terminal.send(nix::sys::signal::Signal::SIGWINCH);
    }
    said(&mut terminal, ("", Says::Digits));
    phone::prove(&mut terminal);
    assert_eq!(terminal.end().status, 0);
}

#[test]
fn h_04_secrets_of_changes_go_to_the_terminal_alone() {
    let world = World::new("");
    enroll(&world, "alice");
    for line in
        ["enroll --user alice --add --label tablet", "enroll --user alice --replace --label phone", "recovery --user alice", "rescue alice"]
    {
        let [out, err, trace] = ["out", "err", "trace"].map(|name| world.folder().join(name));
        let strace = ["strace", "-f", "-v", "-s", "4096", "-o", trace.to_str().unwrap(), "-e", "trace=execve,prctl"];
        let words: Vec<_> = line.split(' ').collect();
        let program = world.inside(&[&strace[..], &[TOOL, "--config", CONFIG], &words].concat());
        let [stdout, stderr] = [&out, &err].map(|path| std::fs::File::create(path).unwrap());
        let mut terminal = Terminal::start_with(&program, USUAL, Some(stdout), Some(stderr));
        if line.contains("enroll") {
            said(&mut terminal, DIGITS);
        } else if line.contains("recovery") {
            phone::prove(&mut terminal);
        }
        let ended = terminal.end();
        assert_eq!(ended.status, 0, "{}", ended.screen);
        let mut secrets = phone::sheet(&ended.screen);
        if line.contains("enroll") {
            secrets.push(data_encoding::BASE32_NOPAD.encode(phone::secret(&ended.screen).expose()));
        }
        assert!(!secrets.is_empty());
        let read = |path| std::fs::read_to_string(path).unwrap();
        let traced = read(&trace);
        let elsewhere = format!("{}{}{traced}{}", read(&out), read(&err), world.logged().join("\n"));
        for secret in &secrets {
            assert!(!elsewhere.contains(secret.as_str()) && !elsewhere.contains(&secret.replace('-', "")), "{line}");
        }
        assert!(traced.contains("prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE) = 0"));
        // No program is run but the tool itself.
        assert_eq!(traced.matches("execve(").count(), 1, "{traced}");
    }
}

#[test]
fn h_04_another_process_of_the_same_user_can_not_look_into_the_running_tool() {
    // As anybody without rights over others: root as well has to be what the process is.
    let dropped = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"].map(str::to_owned);
    let without_rights = |program: &[String]| [&dropped[..], program].concat();
    let world = World::new("");
    let mut terminal = Terminal::start(&without_rights(&world.tool(&["enroll", "--user", "alice"])), USUAL);
    terminal.wait_for("shows now: ");
    let mut other = Terminal::start(&without_rights(&world.inside(&["sh", "-c", "echo ready; read line"])), USUAL);
    other.wait_for("ready");
    // Whoever could trace a process can read where its program lies.
    let can_trace = |terminal: &Terminal| {
        let line = without_rights(&["readlink".to_owned(), format!("/proc/{}/exe", terminal.pid())]);
        std::process::Command::new(&line[0]).args(&line[1..]).output().unwrap().status.success()
    };
    assert!(can_trace(&other) && !can_trace(&terminal));
}
