//! A change of one person's second factor: whom it talks to, and what it comes to in the log.
#![forbid(unsafe_code)]

use countersign::flows::refusal::{self, Kind, Refusal};
use countersign::flows::{Author, Failure, Gone, Leftover, Means, Why, World};
use countersign::rules::address::Entry;
use countersign::rules::audit::Change as Line;
use countersign::store::{Folder, NotCommitted, Trouble};
use countersign::sys;

use crate::answer::{self, Answer};
use crate::arguments::Output;
use crate::caller::Caller;
use crate::conversation::{Conversation, Person};
use crate::files::Files;
use crate::log;
use crate::people::Subject;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::terminal::{self, Terminal};

/// A command that changes something.
pub(crate) struct Change<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) caller: &'a Caller,
    pub(crate) subject: &'a Subject<'a>,
    /// The command, and what the log calls it.
    pub(crate) command: &'static str,
    pub(crate) action: &'static str,
    /// What an app calls the entry that is made.
    pub(crate) entry: Entry,
}

/// How secrets are handed over.
pub(crate) struct HandOver<'a> {
    pub(crate) output: &'a Output,
    /// Whether proof is asked for that they are kept.
    pub(crate) confirm: bool,
    pub(crate) json: bool,
    /// Nothing would be left to show.
    pub(crate) all_in_files: bool,
}

impl<'a> Change<'a> {
    pub(crate) fn new(settings: &'a Settings, caller: &'a Caller, subject: &'a Subject<'a>, command: &'static str) -> Self {
        let whom = subject.whom();
        Self { settings, caller, subject, command, action: command, entry: Entry::new(whom.host, whom.name) }
    }

    /// A conversation at this terminal. `without`: what to run where there is none.
    pub(crate) fn at_terminal(&self, json: bool, without: &str) -> Result<Conversation<'_>, Refusal> {
        self.handing_over(&Output::default(), Files::default(), json, without)
    }

    /// The same with what is shown and handed over in files.
    fn handing_over(&self, output: &Output, files: Files, json: bool, without: &str) -> Result<Conversation<'_>, Refusal> {
        let none = || Refusal::new(Kind::NoTerminal, format!("{} needs a terminal", self.command), without.to_owned());
        let signals = Signals::held().map_err(|_| none())?;
        let mut terminal = Terminal::open(signals).ok_or_else(none)?;
        terminal.ask_who_is_meant(self.caller)?;
        Ok(Conversation::new(Person::At(terminal), self.subject.whom(), json, output, files))
    }

    /// A conversation in which nothing is asked or shown, but who is meant, where behind sudo that was not said.
    pub(crate) fn with_nobody(&self, json: bool) -> Result<Conversation<'_>, Refusal> {
        let signals = || Signals::held().map_err(|_| Refusal::new(Kind::StoreUnavailable, "signals can't be held back", "try again"));
        if let Some(user) = self.caller.mistaken() {
            let mut terminal = Terminal::open(signals()?).filter(|_| !json).ok_or_else(|| terminal::whose(user))?;
            terminal.ask_who_is_meant(self.caller)?;
        }
        let (output, files) = Default::default();
        Ok(Conversation::new(Person::Nobody(signals()?), self.subject.whom(), json, &output, files))
    }

    /// A conversation in which secrets are handed over: at a terminal, or where nothing is asked and all goes to files or
    /// to standard output, with nobody.
    pub(crate) fn with_secrets(&self, hand_over: &HandOver<'_>, without: &str) -> Result<Conversation<'_>, Refusal> {
        let HandOver { output, confirm, json, all_in_files } = *hand_over;
        // From here on a signal ends nothing in the middle: a file that was made is removed again.
        let _held = Signals::held();
        let files = Files::claimed(output)?;
        if confirm || !(json || all_in_files) {
            return self.handing_over(output, files, json, without);
        }
        let nobody = self.with_nobody(json)?;
        Ok(Conversation::new(nobody.person, nobody.whom, json, output, files))
    }

    /// Runs a flow, and logs one that may have been done.
    pub(crate) fn run<T>(
        &self,
        talk: &mut Conversation<'_>,
        flow: impl FnOnce(&mut Conversation<'_>, &Means<'_, Folder>) -> Result<T, Failure>,
    ) -> Result<T, NotDone> {
        let whom = self.subject.whom();
        let store = self.subject.store().map_err(NotDone::Refused)?;
        let world = World {
            now: &sys::now,
            random: &sys::random,
            clock_unsynchronised: &sys::clock_unsynchronised,
            // Root is asked for no code, so none is judged.
            log: &|_| {},
        };
        let author = Author { by: self.caller.by(), proof: None };
        let means = Means { store: &store, whom: &whom, author: &author, world: &world };
        let done = flow(talk, &means);
        if matches!(&done, Ok(_) | Err(Failure { why: Why::Maybe(_), .. })) {
            talk.files.committed();
        }
        done.map_err(|failure| self.not_done(&failure, talk))
    }

    fn not_done(&self, failure: &Failure, talk: &mut Conversation<'_>) -> NotDone {
        if let Why::Maybe(trouble) = &failure.why {
            self.log(Line { errno: Some(errno_of(trouble)), ..self.line() });
        }
        let of_file = talk.refusal.take();
        let has_value = talk.has_told && !matches!(failure.why, Why::Gone(Gone::Output(_)));
        let is_seen = has_value || matches!(talk.person, Person::At(_));
        let failure = Failure { why: failure.why.clone(), leftover: if is_seen { failure.leftover } else { Leftover::Nothing } };
        let refusal = of_file.unwrap_or_else(|| refusal::flow(&failure, &self.subject.whom(), &self.entry, self.subject.folder));
        if talk.has_told { NotDone::Told(refusal) } else { NotDone::Refused(refusal) }
    }

    pub(crate) fn line(&self) -> Line<'_> {
        self.caller.change(self.action, self.subject.account)
    }

    pub(crate) fn log(&self, line: Line<'_>) {
        log::write(&line.line(self.settings.config.log.format));
    }
}

/// A change that did not come to its end.
pub(crate) enum NotDone {
    Refused(Refusal),
    /// Its value is on standard output already.
    Told(Refusal),
}

impl NotDone {
    pub(crate) fn answer(self) -> Result<Answer, Refusal> {
        match self {
            Self::Refused(refusal) => Err(refusal),
            Self::Told(refusal) => Ok(Answer::not_after_all(refusal)),
        }
    }
}

/// A reset or an unlock: what was left half done is done by a second one.
pub(crate) fn not_done(not: &NotCommitted, subject: &Subject<'_>) -> Refusal {
    match not {
        NotCommitted::Nothing(trouble) => subject.refusal(trouble),
        NotCommitted::Maybe(trouble) => {
            Refusal { next: "mend that and run it again".to_owned(), ..refusal::maybe(trouble, &subject.whom(), subject.folder) }
        }
    }
}

/// What failed, for the log; 0 where no system call did.
pub(crate) fn errno_of(trouble: &Trouble) -> i32 {
    match trouble {
        Trouble::NotWritten { errno, .. } | Trouble::CantRead { errno, .. } => *errno,
        _ => 0,
    }
}

/// An answer in words whose value, with `--json`, was printed before the change.
pub(crate) fn told(text: String, talk: &Conversation<'_>) -> Answer {
    if talk.json {
        return Answer::told_before();
    }
    if let Person::At(terminal) = &talk.person {
        // It is done: that the empty line can't be shown changes nothing.
        let _ = terminal.write("\n");
    }
    let done = answer::but_done(&text);
    Answer::text(text).done(done)
}
