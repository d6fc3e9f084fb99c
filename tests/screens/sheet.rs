//! Commands that ask nothing, as sheets: what was typed, standard output, standard error and exit status.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Output};

use serde_json::Value;

use super::golden;
use super::terminal::{KINDS, Terminal, USUAL};
use super::world::{World, command};

pub fn shown(world: &World, output: &Output) -> String {
    let text = |bytes: &[u8]| golden::marked(&String::from_utf8_lossy(bytes), world.folder());
    let err = if output.stderr.is_empty() { String::new() } else { format!("--- standard error\n{}", text(&output.stderr)) };
    format!("{}{err}exit {}\n", text(&output.stdout), output.status.code().unwrap())
}

/// What was shown, the lines that a sentence was broken into as one.
pub fn unbroken(text: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(text.as_ref()).replace("\n  ", " ")
}

/// Several commands on one sheet, each at terminals.
pub fn session(world: &World, commands: &[&str]) -> String {
    commands.iter().map(|command| titled(command, &at_terminals(world, &world.tool(&words(command))))).collect()
}

/// The same without a terminal, where something else is shown.
pub fn session_without_terminal(world: &World, commands: &[&str]) -> String {
    commands.iter().map(|command| titled(command, &shown(world, &world.run(&words(command))))).collect()
}

fn words(command: &str) -> Vec<&str> {
    command.split_whitespace().collect()
}

pub fn titled(command: &str, shown: &str) -> String {
    format!("{}\n{shown}", format!("$ countersign-setup {command}").trim_end())
}

/// What a command line shows at an ordinary terminal. What changes nothing is run at terminals of every kind, and without
/// one, and shows the same text there. A change whose answer is for a program is made without a terminal.
pub fn at_terminals(world: &World, line: &[String]) -> String {
    let before = world.held();
    let is_for_a_program = line.iter().any(|word| word == "--json");
    let first = if is_for_a_program { command(line).output().unwrap() } else { at_a_terminal(world, line) };
    let sheet = shown(world, &first);
    if world.held() == before {
        assert_eq!(shown(world, &command(line).output().unwrap()), sheet, "without a terminal: {line:?}");
        // A sentence on standard error goes before an answer.
        let both = String::from_utf8([first.stderr, first.stdout].concat()).unwrap();
        let expected = format!("{}exit {}\n", golden::marked(&both, world.folder()), first.status.code().unwrap());
        for kind in KINDS {
            let mut ended = Terminal::start(line, kind).end();
            let has_colours = ended.screen.contains('\x1b');
            assert!(!has_colours || !kind.environment.iter().any(|(name, _)| *name == "NO_COLOR"), "{line:?}: {}", ended.screen);
            ended.screen = without_colours(&ended.screen);
            assert_eq!(golden::screen(&ended, world.folder()), expected, "{} columns, {:?}: {line:?}", kind.columns, kind.environment);
        }
    }
    sheet
}

/// With standard error apart.
fn at_a_terminal(world: &World, line: &[String]) -> Output {
    let err = world.folder().join("standard-error");
    let ended = Terminal::start_with(line, USUAL, None, Some(File::create(&err).unwrap())).end();
    let status = ExitStatus::from_raw(ended.status << 8);
    Output { status, stdout: without_colours(&ended.screen).into_bytes(), stderr: fs::read(&err).unwrap() }
}

pub fn without_colours(screen: &str) -> String {
    ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"].iter().fold(screen.to_owned(), |text, colour| text.replace(colour, ""))
}

pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {output:?}"))
}

/// All keys of an object, in their order.
pub fn keys(value: &Value) -> String {
    value.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

pub fn enroll(world: &World, name: &str) -> Value {
    let run = world.run(&["--json", "enroll", "--user", name, "--no-confirm"]);
    assert!(run.status.success(), "{run:?}");
    json(&run)
}
