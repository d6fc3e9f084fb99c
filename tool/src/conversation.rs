//! The other end of a flow: a person at the terminal, a program that reads standard output, or both; and the files that
//! were asked for.
#![forbid(unsafe_code)]

use countersign::flows::refusal::{Kind, Refusal};
use countersign::flows::{Dialogue, Gone, Kept, Made, Whom};
use countersign::words::enroll::{command, folded};
use zeroize::Zeroizing;

use crate::arguments::{Output, Qr};
use crate::files::{self, Files, NotWritten};
use crate::qr::Code;
use crate::signals::{Signals, Wanted};
use crate::terminal::Terminal;
use crate::{answer, environment, json, paint};

/// Whom a flow talks to: a person at a terminal, a program that reads standard output, or both.
pub(crate) struct Conversation<'a> {
    pub(crate) person: Person,
    /// `--json`: what was made goes to standard output before it is active.
    pub(crate) json: bool,
    /// The value is on standard output, or a part of it: no other follows, whatever comes.
    pub(crate) has_told: bool,
    pub(crate) whom: Whom<'a>,
    /// The command that an enrollment is begun with.
    pub(crate) again: &'a str,
    qr: Qr,
    invert: bool,
    pub(crate) files: Files,
    has_shown: bool,
    /// Why a file could not be written, where that has ended the flow.
    pub(crate) refusal: Option<Refusal>,
}

pub(crate) enum Person {
    At(Terminal),
    /// Nothing is asked or shown.
    Nobody(Signals),
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(person: Person, whom: Whom<'a>, json: bool, output: &Output, files: Files) -> Self {
        let Output { qr, invert, .. } = *output;
        Self { person, json, has_told: false, whom, again: "enroll", qr, invert, files, has_shown: false, refusal: None }
    }

    fn no_file(&mut self, not: &NotWritten) -> Gone {
        self.refusal = Some(not.refusal(self.has_shown));
        Gone::Output(not.errno)
    }

    fn no_code(&mut self) -> Result<(), Gone> {
        let fact = "the names are too long for a QR code";
        if self.files.wants_picture() {
            self.refusal =
                Some(Refusal::new(Kind::Usage, format!("{fact}, nothing was changed"), "give shorter ones: --issuer, --account"));
            return Err(Gone::Output(libc::EMSGSIZE));
        }
        self.tell("The names are too long for a QR code.\n")
    }
}

impl Dialogue for Conversation<'_> {
    fn tell(&mut self, text: &str) -> Result<(), Gone> {
        match &mut self.person {
            Person::At(terminal) if environment::wants_colours() => terminal.write(&paint::kept(text)),
            Person::At(terminal) => terminal.write(text),
            Person::Nobody(_) => Ok(()),
        }
    }

    fn ask(&mut self, question: &str, echo: bool) -> Result<Zeroizing<Vec<u8>>, Gone> {
        match &mut self.person {
            Person::At(terminal) => terminal.ask(question, echo),
            Person::Nobody(_) => Err(Gone::Closed(libc::ENOTTY)),
        }
    }

    fn show(&mut self, address: &str) -> Result<(), Gone> {
        let Ok(code) = Code::of(address) else { return self.no_code() };
        let picture = match self.files.draw(&code) {
            Ok(path) => path.map(files::named),
            Err(not) => return Err(self.no_file(&not)),
        };
        if let Person::At(terminal) = &self.person {
            self.has_shown = true;
            let command = picture.is_none().then(|| command(&format!("{} --qr-file qr.png", self.again), &self.whom));
            if let Some(screen) = terminal.screen(self.qr, self.invert) {
                terminal.draw(&code, screen, command.as_deref())?;
            }
        }
        match picture {
            Some(name) => self.tell(&folded(&format!("The QR code is in {name} (mode 0600). Scan it, then delete it.\n"))),
            None => Ok(()),
        }
    }

    fn keep(&mut self, intro: &str, sheet: &str) -> Result<Kept, Gone> {
        match self.files.keep(sheet) {
            Ok(Some(path)) => Ok(Kept::InFile(path.to_string_lossy().into_owned())),
            Ok(None) => self.tell(intro).and_then(|()| self.tell(sheet)).map(|()| Kept::Shown),
            Err(not) => Err(self.no_file(&not)),
        }
    }

    fn done(&mut self, made: &Made<'_>) -> Result<(), Gone> {
        let signals = match &self.person {
            Person::At(terminal) => &terminal.signals,
            Person::Nobody(signals) => signals,
        };
        while let Some(wanted) = signals.next() {
            match wanted {
                Wanted::End => return Err(Gone::Interrupted),
                Wanted::Stop => {}
            }
        }
        if self.json && !matches!(made, Made::Nothing) {
            let line = json::made(made, &self.whom).ok_or(Gone::Output(libc::ENOMEM))?;
            self.has_told = true;
            answer::print(&line).map_err(Gone::Output)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const WHOM: Whom<'_> = Whom { uid: 1000, name: "alice", host: "web1", named: true };

    fn nobody(folder: &Path) -> Conversation<'static> {
        fs::create_dir(folder).unwrap();
        let output = Output { qr_file: Some(folder.join("qr.svg")), codes_file: Some(folder.join("codes.txt")), ..Output::default() };
        let files = Files::claimed(&output).unwrap();
        Conversation::new(Person::Nobody(Signals::held().unwrap()), WHOM, true, &output, files)
    }

    #[test]
    fn a_program_gets_its_files_too() {
        let folder = std::env::temp_dir().join(format!("countersign-terminal-program-{}", std::process::id()));
        let mut talk = nobody(&folder);
        talk.show("otpauth://totp/x").unwrap();
        assert_eq!(talk.keep("", "the sheet\n").unwrap(), Kept::InFile(folder.join("codes.txt").to_str().unwrap().to_owned()));
        talk.files.committed();
        drop(talk);
        assert!(fs::read_to_string(folder.join("qr.svg")).unwrap().starts_with("<svg "));
        assert_eq!(fs::read_to_string(folder.join("codes.txt")).unwrap(), "the sheet\n");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_ends_the_flow_is_told_in_a_sentence_of_its_own() {
        let folder = std::env::temp_dir().join(format!("countersign-terminal-ends-{}", std::process::id()));
        let mut talk = nobody(&folder);
        // Longer than any QR code.
        assert!(matches!(talk.show(&"x".repeat(3000)), Err(Gone::Output(_))));
        assert_eq!(talk.refusal.take().unwrap().fact, "the names are too long for a QR code, nothing was changed");
        fs::remove_file(folder.join("codes.txt")).unwrap();
        assert_eq!(talk.keep("", "the sheet\n"), Err(Gone::Output(libc::ENOENT)));
        assert_eq!(talk.refusal.take().unwrap().next, "mend that and start again");
        drop(talk);
        fs::remove_dir(folder).unwrap();
    }
}
