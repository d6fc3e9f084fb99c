//! What an enrollment hands over besides the usual screen: the QR code in other forms, pictures of it, the sheet of
//! recovery codes in a file; and what becomes of the files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::phone::{self, BACK, DIGITS};
use super::picture;
use super::sheet::unbroken;
use super::terminal::{Kind, Terminal, USUAL};
use super::world::{CONFIG, TOOL, World};

const NO_COLOUR: &[(&str, &str)] = &[("NO_COLOR", "1"), ("TERM", "xterm"), ("LC_ALL", "C.UTF-8")];

/// Alice's enrollment by root, with these options.
fn enroll(world: &World, options: &[&str], kind: Kind) -> Terminal {
    let mut line = vec!["enroll", "--user", "alice"];
    line.extend(options);
    Terminal::start(&world.tool(&line), kind)
}

/// The same without a question, on a machine of that name; its value.
fn enroll_on(world: &World, host: &str, options: &[&str]) -> Value {
    let script = "printf %s \"$1\" >/proc/sys/kernel/hostname; shift; exec \"$@\"";
    let mut line = vec!["sh", "-c", script, "sh", host, TOOL, "--config", CONFIG, "--json", "enroll", "--user", "alice", "--no-confirm"];
    line.extend(options);
    let run = super::world::command(&world.inside(&line)).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    serde_json::from_slice(&run.stdout).unwrap()
}

/// What the code on the screen should hold.
fn address(screen: &str) -> String {
    let secret = data_encoding::BASE32_NOPAD.encode(phone::secret(screen).expose());
    format!("otpauth://totp/web1:alice?secret={secret}&issuer=web1")
}

/// A folder of the person's own, which is `/mnt/home` inside.
fn home(world: &World) -> PathBuf {
    let home = world.folder().join("home");
    fs::create_dir_all(&home).unwrap();
    home
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const BOTH: [&str; 4] = ["--qr-file", "/mnt/home/qr.png", "--codes-file", "/mnt/home/codes.txt"];

#[test]
fn j_07_pictures_hold_the_address_whatever_the_machine_is_called() {
    let longest = "x".repeat(64);
    let hosts = [
        "web1",
        &longest,
        "a:b",
        "a b",
        "\"it's\"",
        "100%",
        "<script>alert(1)</script>",
        "\u{202e}1bew",
        "a\u{1b}[2Jb",
        "日本語のサーバー名",
    ];
    for host in hosts {
        let world = World::new("");
        let home = home(&world);
        let value = enroll_on(&world, host, &["--qr-file", "/mnt/home/qr.png"]);
        assert_eq!(picture::decoded(&home.join("qr.png")), value["uri"], "{host}");
        assert!(world.run(&["reset", "alice"]).status.success());
        let value = enroll_on(&world, host, &["--qr-file", "/mnt/home/qr.svg"]);
        assert_eq!(picture::decoded_svg(&home.join("qr.svg")), value["uri"], "{host}");
        for name in ["qr.png", "qr.svg"] {
            let found = fs::metadata(home.join(name)).unwrap();
            assert_eq!((found.mode() & 0o7777, found.uid()), (0o600, 0));
        }
    }
}

#[test]
fn the_form_of_the_qr_code_that_is_asked_for_is_shown() {
    let ascii_locale: &[_] = &[("TERM", "xterm"), ("LC_ALL", "C")];
    let wide = |environment| Kind { columns: 90, rows: 50, environment };
    for (options, kind, columns, is_light) in [
        (&["--qr", "auto"][..], wide(USUAL.environment), 41, false),
        (&["--qr", "utf8"], wide(ascii_locale), 41, false),
        (&["--qr", "ascii"], wide(USUAL.environment), 82, false),
        (&["--qr", "ascii"], wide(NO_COLOUR), 82, false),
        (&["--invert"], wide(NO_COLOUR), 41, true),
        (&["--invert", "--qr", "ascii"], wide(NO_COLOUR), 82, true),
        // Colours say black and white on any screen.
        (&["--invert"], wide(USUAL.environment), 41, false),
        (&["--invert"], wide(USUAL.environment), 41, true),
    ] {
        let world = World::new("");
        let mut terminal = enroll(&world, options, kind);
        terminal.wait_for(DIGITS);
        let text = terminal.text();
        let (read, found, _) = picture::read_on(&picture::lines(&text), world.folder(), is_light);
        assert_eq!((read, found), (address(&text), columns), "{options:?}");
    }
    let world = World::new("");
    let mut terminal = enroll(&world, &["--qr", "none"], Kind { columns: 30, ..USUAL });
    terminal.wait_for(DIGITS);
    let text = terminal.text();
    assert!(picture::lines(&text).is_empty() && !text.contains("needs") && text.contains("Type it in: "), "{text}");
}

#[test]
fn a_window_is_as_large_as_it_is_when_the_code_is_shown() {
    let world = World::new("");
    let environment: &[_] = &[("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("SUDO_USER", "bob")];
    let mut terminal = Terminal::start(&world.tool(&["enroll"]), Kind { columns: 38, environment, ..USUAL });
    terminal.wait_for("Go on? [y/N] ");
    terminal.resize(80, 24);
    terminal.type_line("y");
    terminal.wait_for(DIGITS);
    assert_eq!(picture::lines(&terminal.text()).len(), 21);
}

#[test]
fn a_picture_and_a_sheet_stay_after_the_commit() {
    let world = World::new("");
    let home = home(&world);
    let mut terminal = enroll(&world, &BOTH, Kind { columns: 38, ..USUAL });
    terminal.wait_for(DIGITS);
    assert_eq!(names(&home), ["codes.txt", "qr.png"], "claimed at once");
    phone::early_in_a_step();
    let digits = phone::digits(&terminal.text(), 0);
    terminal.type_line(&digits);
    let ended = terminal.end();
    assert_eq!(ended.status, 0, "{}", ended.screen);
    let screen = &ended.screen;
    assert!(screen.contains("The QR code is in \"/mnt/home/qr.png\" (mode 0600). Scan it, then delete it.\n"), "{screen}");
    assert!(screen.contains("10 recovery codes are in \"/mnt/home/codes.txt\" (mode 0600). Print it, then\ndelete it.\n"), "{screen}");
    // Neither a code nor words about a small window, and no recovery code, which none asks back.
    assert!(picture::lines(screen).is_empty() && !screen.contains("needs") && !screen.contains(BACK), "{screen}");
    assert!(phone::sheet(screen).is_empty());
    assert_eq!(picture::decoded(&home.join("qr.png")), address(screen));
    let sheet = fs::read_to_string(home.join("codes.txt")).unwrap();
    assert_eq!(phone::sheet(&sheet).len(), 10);
    assert!(sheet.starts_with("----") && sheet.ends_with("----\n") && sheet.is_ascii() && !sheet.contains('\x1b'));
    for name in names(&home) {
        assert_eq!(fs::metadata(home.join(name)).unwrap().mode() & 0o7777, 0o600);
    }
    // One of them opens the door.
    let code = phone::sheet(&sheet).swap_remove(3);
    let mut terminal = Terminal::start(&world.tool(&["verify", "--user", "alice"]), USUAL);
    terminal.wait_for("Verification code: ");
    terminal.type_line(&code);
    assert_eq!(terminal.end().status, 0);
}

#[test]
fn without_a_commit_no_file_stays() {
    let ends: [fn(&World, &mut Terminal); 5] = [
        |_, terminal| terminal.press(b"\x03"),
        |_, terminal| terminal.press(b"\x04"),
        |_, terminal| terminal.send(Signal::SIGTERM),
        |_, terminal| terminal.hang_up(),
        |world, terminal| {
            // Someone else has enrolled alice meanwhile.
            assert!(world.run(&["--json", "enroll", "--user", "alice", "--no-confirm"]).status.success());
            phone::early_in_a_step();
            let digits = phone::digits(&terminal.text(), 0);
            terminal.type_line(&digits);
        },
    ];
    for end in ends {
        let world = World::new("");
        let home = home(&world);
        let mut terminal = enroll(&world, &BOTH, USUAL);
        terminal.wait_for(DIGITS);
        assert!(fs::read(home.join("qr.png")).unwrap().starts_with(b"\x89PNG"));
        end(&world, &mut terminal);
        let ended = terminal.end();
        assert_ne!(ended.status, 0);
        assert!(names(&home).is_empty(), "{}", ended.screen);
    }
}

#[test]
fn a_file_of_somebody_else_in_its_place_stays() {
    let world = World::new("");
    let home = home(&world);
    let mut terminal = enroll(&world, &BOTH, USUAL);
    terminal.wait_for(DIGITS);
    fs::remove_file(home.join("codes.txt")).unwrap();
    fs::write(home.join("codes.txt"), "another's").unwrap();
    phone::early_in_a_step();
    let digits = phone::digits(&terminal.text(), 0);
    terminal.type_line(&digits);
    let ended = terminal.end();
    assert_eq!(ended.status, 3);
    let told = "countersign-setup: can't write \"/mnt/home/codes.txt\" (no such file or directory), nothing was changed; \
                mend that, delete the new entry from the app and start again\n";
    assert!(unbroken(&ended.screen).ends_with(told), "{}", ended.screen);
    assert!(!world.is_enrolled(1000));
    assert_eq!(names(&home), ["codes.txt"]);
    assert_eq!(fs::read_to_string(home.join("codes.txt")).unwrap(), "another's");
}

#[test]
fn what_stands_at_a_name_is_told_before_anything_is_asked() {
    let world = World::new("");
    let home = home(&world);
    fs::write(home.join("old.txt"), "old").unwrap();
    symlink("/mnt/home/nowhere", home.join("dangling.svg")).unwrap();
    symlink("/etc/passwd", home.join("link.txt")).unwrap();
    let before = names(&home);
    for (option, path) in [
        ("--codes-file", "/mnt/home/old.txt"),
        ("--codes-file", "/mnt/home/link.txt"),
        ("--codes-file", "/mnt/home"),
        ("--codes-file", "/dev/full"),
        ("--codes-file", "/proc/self/fd/1"),
        ("--qr-file", "/mnt/home/dangling.svg"),
    ] {
        let ended = enroll(&world, &[option, path], USUAL).end();
        assert_eq!(ended.status, 3);
        assert_eq!(ended.screen, format!("countersign-setup: \"{path}\" is there already; give another name\n"));
        let run = world.run(&["--json", "enroll", "--user", "alice", "--no-confirm", option, path]);
        let value: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!((run.status.code(), &value["error"]["kind"]), (Some(3), &Value::from("file_exists")));
    }
    assert_eq!(names(&home), before);
    assert_eq!(fs::read_to_string(home.join("old.txt")).unwrap(), "old");
    assert!(!world.is_enrolled(1000));
}

#[test]
fn j_06_a_file_that_cannot_be_written_ends_the_enrollment() {
    let world = World::new("");
    home(&world);
    let enroll = "$TOOL --json enroll --user alice --no-confirm --qr-file qr.png --codes-file codes.txt";
    for (before, told) in [
        ("mount -t tmpfs -o size=4k none .; cd .", "no space left for \"codes.txt\", nothing was changed;\n  free some and start again\n"),
        (
            "mount -t tmpfs -o nr_inodes=2 none .; cd /mnt/home",
            "no space left for \"codes.txt\", nothing was changed;\n  free some and start again\n",
        ),
        (
            "mount -t tmpfs -o ro none .; cd /mnt/home",
            "can't make \"qr.png\" (read-only file system);\n  give a name in a folder of your own\n",
        ),
        ("ulimit -f 0", "file size limit too low, nothing was changed; raise it: ulimit -f unlimited\n"),
    ] {
        let before = before.replace("cd .", "cd /mnt/home");
        let run = world.shell(&format!("cd /mnt/home; {before}; {enroll}; status=$?; ls -A >&2; exit $status"));
        let says = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(3), "{says}");
        assert!(says.replace(";\n  ", "; ").ends_with(&told.replace(";\n  ", "; ")), "{before}: {says}");
        assert!(!world.is_enrolled(1000));
    }
}

#[test]
fn files_are_new_and_on_the_disk_before_anything_is_active() {
    let world = World::new("");
    home(&world);
    let trace = "strace -f -y -o /mnt/trace -e trace=openat,fchmod,write,fsync,renameat,renameat2";
    let options = "--qr-file qr.svg --codes-file codes.txt";
    let run = world.shell(&format!("cd /mnt/home; {trace} $TOOL --json enroll --user alice --no-confirm {options}"));
    assert!(run.status.success(), "{run:?}");
    let trace = fs::read_to_string(world.folder().join("trace")).unwrap();
    let at = |what: &str| trace.lines().position(|line| line.contains(what)).unwrap_or_else(|| panic!("no {what} in\n{trace}"));
    let last = |what: &str| trace.lines().count() - trace.lines().rev().position(|line| line.contains(what)).unwrap();
    let active = at("1000.toml.new\", ");
    for name in ["qr.svg", "codes.txt"] {
        let made = at(&format!("\"{name}\", O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600)"));
        let on_disk = at(&format!("/home/{name}>)"));
        assert!(made < at(&format!("/home/{name}>, 0600)")) && made < on_disk && on_disk < active, "{trace}");
        assert!(last(&format!("/home/{name}>, \"")) <= on_disk, "{trace}");
    }
    let folder_on_disk = trace.lines().take(active).filter(|line| line.contains("fsync(") && line.contains("/home>)")).count();
    assert_eq!(folder_on_disk, 2, "{trace}");
}

#[test]
fn the_umask_of_the_caller_is_of_no_weight() {
    for umask in ["000", "777"] {
        let world = World::new("");
        let home = home(&world);
        let options = "--qr-file qr.svg --codes-file codes.txt";
        let run = world.shell(&format!("cd /mnt/home; umask {umask}; $TOOL --json enroll --user alice --no-confirm {options}"));
        assert!(run.status.success(), "{run:?}");
        for name in ["codes.txt", "qr.svg"] {
            assert_eq!(fs::metadata(home.join(name)).unwrap().permissions().mode() & 0o7777, 0o600, "{umask}");
        }
    }
}

#[test]
fn a_secret_that_is_none_is_refused_and_not_repeated() {
    let world = World::new("");
    let enroll = "$TOOL --json enroll --user alice --no-confirm --secret-stdin";
    for (input, fact) in [
        ("</dev/null", "there is no secret on standard input"),
        ("<&-", "there is no secret on standard input"),
        ("</dev/zero", "there is more than a secret on standard input (over 1024 bytes)"),
        ("<<E\nGEZDGNBVGY3TQOJQ\nE", "the secret on standard input has 80 bits, wanted: 128 to 512"),
        ("<<E\nGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1\nE", "what is on standard input is not base32 (A to Z, 2 to 7), or is cut short"),
        ("</mnt", "can't read standard input (is a directory)"),
    ] {
        let run = world.shell(&format!("{enroll} {input}"));
        let (value, says) = (serde_json::from_slice::<Value>(&run.stdout).unwrap(), run.stderr);
        assert_eq!((run.status.code(), &value["error"]["message"]), (Some(2), &Value::from(fact)));
        assert_eq!(unbroken(says), format!("countersign-setup: {fact}; put base32 in a file and run it again with: < FILE\n"));
    }
    let ended = self::enroll(&world, &["--secret-stdin"], USUAL).end();
    assert_eq!(ended.status, 2);
    assert!(ended.screen.starts_with("countersign-setup: --secret-stdin reads a file or a pipe, not a terminal;\n"), "{}", ended.screen);
    assert!(!world.is_enrolled(1000));
}
