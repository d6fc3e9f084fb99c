//! `enroll` with every option, whole screens.

use super::golden;
use super::talk::{BACK, Command, DIGITS, command, sheet};
use super::terminal::{KINDS, Kind, Terminal, USUAL};
use super::world::World;

/// Each in the place of the one before.
fn one_after_another(kind: Kind, commands: &[Command<'_>]) -> String {
    let world = World::new("");
    std::fs::create_dir(world.folder().join("home")).unwrap();
    let one = |command: &Command<'_>| {
        let screen = sheet(&world, kind, &[*command]);
        assert!(world.run(&["reset", "alice"]).status.success());
        screen
    };
    commands.iter().map(one).collect()
}

#[test]
fn names_kinds_of_codes_and_how_many_recovery_codes() {
    let commands = [
        command("enroll --user alice --qr none --label tablet.2 --issuer Example --account al@example.org", &[DIGITS, BACK]),
        command("enroll --user alice --qr none --digits 8 --algorithm sha256 --period 60", &[DIGITS, BACK]),
        command("enroll --user alice --codes 0", &[DIGITS]),
        command("enroll --user alice --codes 3", &[DIGITS, BACK]),
    ];
    golden::compare("enroll-options", &one_after_another(USUAL, &commands));
}

#[test]
fn forms_of_the_qr_code_and_files() {
    let commands = [
        command("enroll --user alice --codes 1 --qr none", &[DIGITS, BACK]),
        command("enroll --user alice --codes 1 --qr ascii", &[DIGITS, BACK]),
        command("enroll --user alice --codes 1 --qr utf8 --invert", &[DIGITS, BACK]),
        command("enroll --user alice --qr-file /mnt/home/qr.png --codes-file /mnt/home/codes.txt", &[DIGITS]),
        command("enroll --user alice --qr-file /mnt/home/qr.svg --codes 1", &[DIGITS, BACK]),
        command("enroll --user alice --no-confirm", &[]),
        command("enroll --user alice --qr-file /mnt/home/2.png --codes-file /mnt/home/2.txt --no-confirm", &[]),
    ];
    golden::compare("enroll-forms", &one_after_another(Kind { columns: 90, rows: 50, ..USUAL }, &commands));
}

/// 12345678901234567890, as RFC 6238 has it.
const SECRET: &str = "gezd gnbv gy3t qojq\ngezd gnbv gy3t qojq\n";

#[test]
fn a_secret_from_elsewhere_is_confirmed_or_begins_later() {
    let world = World::new("");
    std::fs::write(world.folder().join("secret"), SECRET).unwrap();
    let mut found = String::new();
    for (options, answers) in [("", &[DIGITS, BACK][..]), (" --no-confirm", &[]), (" --no-confirm --period 60 --codes 0", &[])] {
        let line = format!("enroll --user alice --secret-stdin{options}");
        let script = format!("exec {} --config {} {line} </mnt/secret", super::world::TOOL, super::world::CONFIG);
        let mut terminal = Terminal::start(&world.inside(&["sh", "-c", &script]), USUAL);
        answers.iter().for_each(|answer| super::talk::said(&mut terminal, *answer));
        let ended = terminal.end();
        assert!(ended.screen.contains("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"), "{}", ended.screen);
        found.push_str(&format!("$ countersign-setup {line} < secret\n{}", golden::screen(&ended, world.folder())));
        assert!(world.run(&["reset", "alice"]).status.success());
    }
    golden::compare("enroll-secret-stdin", &found);
}

#[test]
fn new_recovery_codes_in_every_way() {
    let commands = [
        command("recovery --user alice --codes 1", &[BACK]),
        command("recovery --user alice --codes 3 --no-confirm", &[]),
        command("recovery --user alice --codes-file /mnt/home/codes.txt", &[]),
        command("recovery --user alice --codes-file /mnt/home/codes.txt", &[]),
        command("recovery --user alice --codes-file /mnt/home/2.txt --no-confirm", &[]),
        command("recovery --user bob", &[]),
    ];
    for kind in KINDS {
        let world = World::new("[recovery]\ncodes = 0\n");
        std::fs::create_dir(world.folder().join("home")).unwrap();
        super::sheet::enroll(&world, "alice");
        golden::compare("recovery", &sheet(&world, kind, &commands));
    }
}
