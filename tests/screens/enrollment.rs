//! `enroll` on a terminal, whole screens.

use std::fs::File;

use countersign::store::{Folder, Store};
use countersign::sys;

use super::golden;
use super::phone::{self, BACK, DIGITS};
use super::picture;
use super::terminal::{KINDS, Kind, NARROW, Terminal, USUAL};
use super::world::{CONFIG, TOOL, World};

/// The tool under strace, whose kernel says that its clock is (0), or is not (5), synchronised.
pub fn with_clock(world: &World, state: u8, arguments: &[&str]) -> Vec<String> {
    let inject = format!("inject=adjtimex,clock_adjtime:retval={state}");
    let mut program =
        vec!["strace", "-f", "-o", "/dev/null", "-e", "trace=adjtimex,clock_adjtime", "-e", &inject, TOOL, "--config", CONFIG];
    program.extend(arguments);
    world.inside(&program)
}

/// On an ordinary clock.
fn enroll(world: &World, kind: Kind) -> Terminal {
    Terminal::start(&with_clock(world, 0, &["enroll", "--user", "alice"]), kind)
}

/// All three steps without a mistake.
fn whole(world: &World, kind: Kind) -> String {
    let mut terminal = enroll(world, kind);
    phone::confirm(&mut terminal);
    phone::prove(&mut terminal);
    let ended = terminal.end();
    assert!(world.is_enrolled(1000));
    golden::screen(&ended, world.folder())
}

#[test]
fn an_enrollment_without_a_mistake() {
    let world = World::new("");
    world.service("sshd", "@include common-auth\n");
    world.service("common-auth", "auth requisite pam_unix.so\nauth requisite pam_countersign.so\n");
    golden::compare("enroll", &whole(&world, USUAL));
}

#[test]
fn an_enrollment_with_every_mistake() {
    let world = World::new("");
    let mut terminal = enroll(&world, USUAL);
    terminal.wait_for(DIGITS);
    phone::early_in_a_step();
    let late = phone::digits(&terminal.text(), -90);
    terminal.type_line(&late);
    terminal.wait_for("(2 tries left): ");
    let wrong = phone::wrong_digits(&terminal.text());
    terminal.type_line(&wrong);
    terminal.wait_for("(1 try left): ");
    let right = phone::digits(&terminal.text(), 0);
    terminal.type_line(&right);
    terminal.wait_for(BACK);
    let right = phone::asked_back(&terminal.text());
    terminal.type_line(&phone::mistyped(&right));
    terminal.wait_for("(2 tries left): ");
    let sheet = phone::sheet(&terminal.text());
    let another = sheet.iter().map(|code| code.replace('-', " ").to_lowercase()).find(|code| *code != right).unwrap();
    terminal.type_line(&another);
    terminal.wait_for("(1 try left): ");
    terminal.type_line(&right);
    golden::compare("enroll-mistakes", &golden::screen(&terminal.end(), world.folder()));
    assert!(world.is_enrolled(1000));
}

#[test]
fn three_wrong_answers_end_an_enrollment() {
    let world = World::new("");
    let mut terminal = Terminal::start(&with_clock(&world, 5, &["enroll", "--user", "alice"]), USUAL);
    terminal.wait_for(DIGITS);
    phone::early_in_a_step();
    let text = terminal.text();
    terminal.type_line(&phone::digits(&text, -3600));
    terminal.wait_for("(2 tries left): ");
    terminal.type_line(&phone::digits(&text, 7200));
    terminal.wait_for("(1 try left): ");
    terminal.type_line(&phone::wrong_digits(&text));
    golden::compare("enroll-no-right-answer", &golden::screen(&terminal.end(), world.folder()));
    assert!(!world.is_enrolled(1000));
}

#[test]
fn a_clock_of_our_own_that_is_not_synchronised_is_named() {
    let world = World::new("");
    let mut terminal = Terminal::start(&with_clock(&world, 5, &["enroll", "--user", "alice"]), USUAL);
    terminal.wait_for(DIGITS);
    terminal.type_line("000 000 0");
    terminal.wait_for("(2 tries left): ");
    terminal.press(b"\x03");
    golden::compare("enroll-own-clock", &golden::screen(&terminal.end(), world.folder()));
}

#[test]
fn a_terminal_that_is_too_small_gets_words_in_place_of_the_qr_code() {
    golden::compare("enroll-small", &whole(&World::new(""), NARROW));
}

#[test]
fn a_locale_without_utf_8_gets_ascii_twice_as_wide() {
    let environment: &[_] = &[("TERM", "xterm"), ("LC_ALL", "C")];
    golden::compare("enroll-ascii", &whole(&World::new(""), Kind { columns: 82, rows: 50, environment }));
    golden::compare("enroll-ascii-small", &whole(&World::new(""), Kind { environment, ..USUAL }));
}

#[test]
fn no_colours_where_none_are_wanted() {
    let no_color: &[_] = &[("TERM", "xterm"), ("LC_ALL", "C.UTF-8"), ("NO_COLOR", "1")];
    let dumb: &[_] = &[("TERM", "dumb"), ("LANG", "en_US.utf8")];
    let ascii: &[_] = &[("TERM", "dumb"), ("LC_ALL", "POSIX"), ("LANG", "en_US.UTF-8")];
    for environment in [no_color, dumb] {
        let screen = whole(&World::new(""), Kind { environment, ..USUAL });
        assert!(!screen.contains('\x1b'));
        golden::compare("enroll-no-color", &screen);
    }
    golden::compare("enroll-ascii-no-color", &whole(&World::new(""), Kind { columns: 100, rows: 60, environment: ascii }));
}

#[test]
fn the_printed_qr_code_is_the_address() {
    for (environment, columns, rows) in [
        (USUAL.environment, 80, 24),
        (&[("NO_COLOR", "1"), ("TERM", "xterm"), ("LC_ALL", "C.UTF-8")], 80, 24),
        (&[("TERM", "xterm"), ("LC_ALL", "C")], 90, 50),
        (&[("TERM", "dumb"), ("LC_ALL", "C")], 90, 50),
    ] {
        let world = World::new("");
        let mut terminal = enroll(&world, Kind { columns, rows, environment });
        terminal.wait_for(DIGITS);
        let text = terminal.text();
        let (address, ..) = picture::read(&picture::lines(&text), world.folder());
        let secret = data_encoding::BASE32_NOPAD.encode(phone::secret(&text).expose());
        assert_eq!(address, format!("otpauth://totp/web1:alice?secret={secret}&issuer=web1"));
    }
}

#[test]
fn g_02_a_floor_ahead_of_the_clock_is_asked_about() {
    let world = World::new("");
    // 2090: whatever year the tests run in.
    world.raise_floor(1000, 3_800_000_010);
    let ask = |kind: Kind, arguments: &[&str], answer: &str| {
        let mut terminal = Terminal::start(&with_clock(&world, 0, arguments), kind);
        terminal.wait_for("Is that right? [y/N] ");
        terminal.type_line(answer);
        terminal
    };
    let json = world.run(&["--json", "enroll", "--user", "alice", "--no-confirm"]);
    assert_eq!(json.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&json.stdout).contains("are refused here, nothing was changed"));
    let reset = world.run(&["reset", "alice"]);
    assert!(reset.status.success() && String::from_utf8_lossy(&reset.stdout).contains("are refused still"), "{reset:?}");
    for kind in KINDS {
        golden::compare("enroll-floor-no", &golden::screen(&ask(kind, &["enroll", "--user", "alice"], "").end(), world.folder()));
    }
    assert!(!world.is_enrolled(1000));
    let mut terminal = ask(USUAL, &["enroll", "--user", "alice"], "y");
    phone::confirm(&mut terminal);
    phone::prove(&mut terminal);
    golden::compare("enroll-floor", &golden::screen(&terminal.end(), world.folder()));
    // Down to what the window holds now, and no further.
    let last = Store::new(Folder::open(world.store().to_str().unwrap()).unwrap()).glance(1000).unwrap().last;
    assert!((0..=60).contains(&(last - sys::now() + 30)), "{last}");
    for kind in KINDS {
        world.raise_floor(1001, 3_800_000_010);
        golden::compare("reset-floor", &golden::screen(&ask(kind, &["reset", "bob"], "y").end(), world.folder()));
    }
}

#[test]
fn without_recovery_codes_there_is_no_third_step() {
    let world = World::new("[recovery]\ncodes = 0\n");
    let mut terminal = enroll(&world, USUAL);
    phone::confirm(&mut terminal);
    golden::compare("enroll-no-codes", &golden::screen(&terminal.end(), world.folder()));
    assert!(world.is_enrolled(1000));
}

#[test]
fn nothing_is_asked_with_no_confirm() {
    let world = World::new("");
    world.service("sudo", "auth include other\n");
    world.service("other", "auth requisite pam_countersign.so\n");
    let terminal = Terminal::start(&with_clock(&world, 0, &["enroll", "--user", "alice", "--no-confirm"]), USUAL);
    golden::compare("enroll-no-confirm", &golden::screen(&terminal.end(), world.folder()));
    assert!(world.is_enrolled(1000));
}

#[test]
fn a_program_gets_its_json_when_the_person_has_answered() {
    let world = World::new("");
    let out = world.folder().join("out");
    let line = world.tool(&["--json", "enroll", "--user", "alice"]);
    let mut terminal = Terminal::start_with(&line, USUAL, Some(File::create(&out).unwrap()), None);
    phone::confirm(&mut terminal);
    terminal.wait_for(BACK);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "");
    let answer = phone::asked_back(&terminal.text());
    terminal.type_line(&answer);
    let ended = terminal.end();
    assert_eq!(ended.status, 0);
    let value: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let codes: Vec<_> = value["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(codes, phone::sheet(&ended.screen));
}

#[test]
fn status_has_colours_on_a_terminal_alone() {
    let world = World::new("");
    let shown = |kind: Kind| Terminal::start(&world.tool(&["--user", "alice", "status"]), kind).end().screen;
    assert!(world.run(&["--json", "enroll", "--user", "alice", "--no-confirm"]).status.success());
    let (colours, plain) = (shown(USUAL), shown(Kind { environment: &[("TERM", "xterm"), ("NO_COLOR", "1")], ..USUAL }));
    assert!(colours.contains("local logins    \x1b[32mready\x1b[0m\n"), "{colours}");
    assert!(!plain.contains('\x1b') && plain == colours.replace("\x1b[32m", "").replace("\x1b[0m", ""));
    assert_eq!(plain.as_bytes(), world.run(&["--user", "alice", "status"]).stdout);
}

#[test]
fn behind_sudo_root_is_asked_whether_root_is_meant() {
    let world = World::new("");
    for kind in KINDS {
        let mut terminal = Terminal::start(&world.inside(&["env", "SUDO_USER=alice", TOOL, "--config", CONFIG, "enroll"]), kind);
        terminal.wait_for("[y/N] ");
        terminal.type_line("n");
        golden::compare("enroll-sudo", &golden::screen(&terminal.end(), world.folder()));
    }
    assert!(!world.is_enrolled(0));
    let json = world.command(&["--json", "enroll", "--no-confirm"]).env("SUDO_USER", "alice").output().unwrap();
    assert_eq!(json.status.code(), Some(2));
    let named = world.command(&["--json", "enroll", "--no-confirm", "--user", "root"]).env("SUDO_USER", "alice").output().unwrap();
    assert_eq!(named.status.code(), Some(0));
    assert!(
        world.logged().iter().any(|line| line.contains("action=enroll user=root uid=0 by=root") && line.contains("sudo_user=\"alice\""))
    );
}

#[test]
fn a_05_the_code_that_confirmed_does_not_log_in() {
    for kind in KINDS {
        codes_are_checked(kind);
    }
}

fn codes_are_checked(kind: Kind) {
    let world = World::new("");
    let mut terminal = enroll(&world, kind);
    terminal.wait_for(DIGITS);
    phone::early_in_a_step();
    let digits = phone::digits(&terminal.text(), 0);
    terminal.type_line(&digits);
    phone::prove(&mut terminal);
    let screen = terminal.end().screen;
    let mut logged = world.logged();
    let mut check = |answer: &str| {
        let mut terminal = Terminal::start(&world.tool(&["verify", "--user", "alice"]), kind);
        terminal.wait_for("Verification code: ");
        assert!(!terminal.has_echo());
        terminal.type_line(answer);
        let ended = terminal.end();
        logged.extend(world.logged());
        golden::screen(&ended, world.folder())
    };
    golden::compare("verify-used", &check(&digits));
    golden::compare("verify-accepted", &check(&phone::digits(&screen, 30)));
    golden::compare("verify-wrong", &check(&phone::wrong_digits(&screen)));
    golden::compare("verify-clock", &check(&phone::digits(&screen, -300)));
    golden::compare("verify-typo", &check(&phone::mistyped(&phone::sheet(&screen)[3])));
    golden::compare("verify-malformed", &check("hello"));
    golden::compare("verify-recovery", &check(&phone::sheet(&screen)[3]));
    golden::compare("verify-recovery-used", &check(&phone::sheet(&screen)[3]));
    for words in
        ["result=accepted method=totp user=alice", "result=refused reason=replay", "reason=typo", "result=accepted method=recovery"]
    {
        assert!(logged.iter().any(|line| line.contains(words)), "{words}: {logged:#?}");
    }
}

#[test]
fn h_04_secrets_go_to_the_terminal_alone_and_no_core_is_dumped() {
    let world = World::new("");
    let [out, err] = ["out", "err"].map(|name| world.folder().join(name));
    let trace = world.folder().join("trace");
    let program = ["strace", "-f", "-o", trace.to_str().unwrap(), "-e", "trace=prctl,execve", TOOL, "--config", CONFIG];
    let line = world.inside(&[&program[..], &["enroll", "--user", "alice"]].concat());
    let mut terminal = Terminal::start_with(&line, USUAL, Some(File::create(&out).unwrap()), Some(File::create(&err).unwrap()));
    phone::confirm(&mut terminal);
    phone::prove(&mut terminal);
    let ended = terminal.end();
    assert_eq!(ended.status, 0);
    let (told, codes) = (std::fs::read_to_string(&out).unwrap(), phone::sheet(&ended.screen));
    assert!(told.starts_with("alice on web1 is enrolled: authenticator \"phone\", 10 recovery codes.\n"));
    assert_eq!((codes.len(), std::fs::read_to_string(&err).unwrap().as_str()), (10, ""));
    let secret = data_encoding::BASE32_NOPAD.encode(phone::secret(&ended.screen).expose());
    let elsewhere = format!("{told}{}{}", world.logged().join("\n"), std::fs::read_to_string(&trace).unwrap());
    for text in codes.iter().chain([&secret]) {
        assert!(!elsewhere.contains(text) && !elsewhere.contains(&text.replace('-', "")));
    }
    assert!(elsewhere.contains("prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE) = 0"), "{elsewhere}");
    // h_07: on disk the codes are hashes.
    let stored = String::from_utf8_lossy(&world.stored()).into_owned();
    assert!(stored.contains(&secret) && codes.iter().all(|code| !stored.contains(code) && !stored.contains(&code.replace('-', ""))));
}

#[test]
fn h_04_no_core_limit_is_left() {
    let world = World::new("");
    let mut terminal = Terminal::start(&world.tool(&["enroll", "--user", "alice"]), USUAL);
    terminal.wait_for(DIGITS);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", terminal.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
}
