//! A command at a terminal with a person's answers, and several of them on one sheet.

use super::golden;
use super::phone;
use super::terminal::{Ended, Kind, Terminal};
use super::world::World;

/// What a person does at a question.
#[derive(Clone, Copy)]
pub enum Says<'a> {
    Line(&'a str),
    /// The digits that the app shows now.
    Digits,
    /// The recovery code that is asked back.
    Back,
    Keys(&'a [u8]),
}

/// The ends of questions.
pub const SHOWN: &str = " digits the app shows now: ";
pub const YES: &str = "[y/N] ";
pub const CODE: &str = "Verification code: ";

pub const DIGITS: (&str, Says<'_>) = (SHOWN, Says::Digits);
pub const BACK: (&str, Says<'_>) = (phone::BACK, Says::Back);

/// A command whose questions, which end like that, are answered like that.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    pub line: &'a str,
    pub answers: &'a [(&'a str, Says<'a>)],
}

pub const fn command<'a>(line: &'a str, answers: &'a [(&'a str, Says<'a>)]) -> Command<'a> {
    Command { line, answers }
}

impl Command<'_> {
    /// At its last question.
    pub fn begun(&self, world: &World, kind: Kind) -> Terminal {
        let mut terminal = Terminal::start(&world.tool(&self.line.split_whitespace().collect::<Vec<_>>()), kind);
        self.answers.iter().for_each(|answer| said(&mut terminal, *answer));
        terminal
    }

    pub fn ended(&self, world: &World, kind: Kind) -> Ended {
        self.begun(world, kind).end()
    }
}

/// Waits for the question and answers it.
pub fn said(terminal: &mut Terminal, (question, says): (&str, Says<'_>)) {
    terminal.wait_for(question);
    match says {
        Says::Line(line) => terminal.type_line(line),
        Says::Keys(keys) => terminal.press(keys),
        Says::Digits => {
            phone::early_in_a_step();
            let digits = phone::digits(&terminal.text(), 0);
            terminal.type_line(&digits);
        }
        Says::Back => {
            let code = phone::asked_back(&terminal.text());
            terminal.type_line(&code);
        }
    }
}

/// Whole screens of commands, one after another.
pub fn sheet(world: &World, kind: Kind, commands: &[Command<'_>]) -> String {
    let shown = |command: &Command<'_>| {
        let screen = golden::screen(&command.ended(world, kind), world.folder());
        format!("$ countersign-setup {}\n{screen}", command.line)
    };
    commands.iter().map(shown).collect()
}
