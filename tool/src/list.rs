//! `list`: everyone who is enrolled, one line each; one user's trouble hides no other. `--missing`: who has to be and is
//! not.
#![forbid(unsafe_code)]

mod missing;

use countersign::flows::refusal::Refusal;
use countersign::rules::date::{Date, minutes};
use countersign::rules::throttle::{Gate, Lane};
use countersign::store::{Folder, Store, Trouble};
use countersign::sys::Account;
use countersign::words::enroll::printed;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::caller::Caller;
use crate::people::{self, Owner, Subject};
use crate::settings::Settings;
use crate::status::{self, Found, State};
use crate::table::table;

pub(crate) fn run(settings: &Settings, caller: &Caller, missing: bool) -> Result<Answer, Refusal> {
    let subject = Subject::new(&caller.whom, settings);
    let store = subject.store()?;
    if missing {
        return missing::run(settings, &store);
    }
    let uids = (|| {
        let mut uids = store.enrolled_uids()?;
        // A journal alone may tell of a record that was lost.
        uids.extend(store.known_uids()?);
        Ok(uids)
    })();
    let mut uids = uids.map_err(|trouble| subject.refusal(&trouble))?;
    uids.sort_unstable();
    uids.dedup();
    let mut entries: Vec<Entry> = uids.into_iter().filter_map(|uid| Entry::read(&store, uid, settings)).collect();
    entries.sort_by_key(Entry::user);
    Ok(Answer::new(told(&entries), entries.iter().map(Entry::value).collect(), false))
}

fn told(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "Nobody is enrolled.\nNext: countersign-setup enroll --user NAME\n".to_owned();
    }
    let rows: Vec<_> = entries.iter().map(Entry::row).collect();
    let table = table(["user", "enrolled", "authenticators", "codes", "state", "last used"], &rows);
    let next = if entries.iter().any(|entry| entry.mark.is_some()) { "Next: countersign-setup doctor\n" } else { "" };
    format!("{table}{next}")
}

/// One person of the list.
struct Entry {
    uid: u32,
    /// The recorded name; of a record that can't be read, the account's, if there is one.
    name: Option<String>,
    /// `None` can't be read.
    state: Option<State>,
    mark: Option<Mark>,
}

/// What keeps somebody from being judged at all: a word for the table, a sentence for programs.
struct Mark {
    word: &'static str,
    refusal: Refusal,
}

impl Entry {
    /// `None` is somebody who is not enrolled any more.
    fn read(store: &Store<Folder>, uid: u32, settings: &Settings) -> Option<Self> {
        let found = match Found::read(store, uid) {
            Ok(found) => found,
            Err(trouble) => return Some(Self::unreadable(uid, &trouble, settings)),
        };
        let name = found.record.as_ref()?.name.clone();
        let account = Account { uid, name: name.clone() };
        let mark = match Owner::find(&account, settings) {
            Owner::Theirs => None,
            Owner::OtherName { refusal, .. } => Some(Mark { word: "other name", refusal }),
            Owner::NoAccount(refusal) => Some(Mark { word: "no account", refusal }),
            Owner::Unknown(refusal) => Some(Mark { word: "unknown", refusal }),
        };
        Some(Self { uid, state: Some(State::new(found, &name, settings)), name: Some(name), mark })
    }

    fn unreadable(uid: u32, trouble: &Trouble, settings: &Settings) -> Self {
        let (name, refusal) = people::in_the_way(trouble, uid, settings);
        Self { uid, name, state: None, mark: Some(Mark { word: word(trouble), refusal }) }
    }

    /// As it is printed.
    fn user(&self) -> String {
        self.name.as_deref().map_or_else(|| format!("uid {}", self.uid), printed)
    }

    fn row(&self) -> [String; 6] {
        let known = self.state.as_ref().and_then(|state| Some((state, state.record.as_ref()?)));
        let [enrolled, authenticators, codes, used] = known.map_or_else(
            || ["-", "-", "-", "-"].map(str::to_owned),
            |(state, record)| {
                let enrolled = Date::of(record.created_at).to_string();
                [enrolled, record.authenticators.len().to_string(), state.codes_left().to_string(), last_used(state)]
            },
        );
        let word = match (&self.mark, &self.state) {
            (Some(mark), _) => mark.word,
            (None, Some(state)) => worst(state),
            (None, None) => "unknown",
        };
        [self.user(), enrolled, authenticators, codes, word.to_owned(), used]
    }

    /// As `status` has it, and `error`: null, or what keeps this person from being judged, as in an error of ours. What
    /// can't be read has `user`, `uid` and `error` alone.
    fn value(&self) -> Value {
        let account = self.name.as_ref().map(|name| Account { uid: self.uid, name: name.clone() });
        let mut value = match (&self.state, &account) {
            (Some(state), Some(account)) => status::value(state, account),
            (None, _) | (_, None) => json!({"user": self.name, "uid": self.uid}),
        };
        let error = self
            .mark
            .as_ref()
            .map(|Mark { refusal, .. }| json!({"kind": refusal.kind.name(), "message": refusal.fact, "next": refusal.next}));
        if let Some(keys) = value.as_object_mut() {
            keys.insert("error".to_owned(), error.unwrap_or_default());
        }
        value
    }
}

/// Of a user whose files are in no state to judge by.
fn word(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Busy { .. } => "busy",
        Trouble::Damaged { .. } | Trouble::NoJournal { .. } => "damaged",
        Trouble::Lost { .. } => "lost",
        Trouble::Newer { .. } => "newer",
        Trouble::NoStore { .. }
        | Trouble::BadFile { .. }
        | Trouble::CantRead { .. }
        | Trouble::NotWritten { .. }
        | Trouble::OutOfMemory
        | Trouble::NotEnrolled
        | Trouble::Enrolled
        | Trouble::OtherName { .. }
        | Trouble::Changed => "unreadable",
    }
}

/// The worst lane's; a floor ahead of the clock keeps codes out of all of them.
fn worst(state: &State) -> &'static str {
    let gates = Lane::ALL.map(|lane| state.gate(lane));
    if state.refused_until().is_some() {
        "refused"
    } else if gates.iter().any(|gate| matches!(gate, Gate::Stopped { .. })) {
        "stopped"
    } else if gates.iter().any(|gate| matches!(gate, Gate::Waiting { .. } | Gate::Spent { .. })) {
        "waiting"
    } else {
        "ready"
    }
}

/// The newest use of an authenticator or a recovery code.
fn last_used(state: &State) -> String {
    let devices = state.record.iter().flat_map(|record| &record.authenticators).filter_map(|device| state.last_used(device));
    let newest = devices.chain(state.last_recovered()).max();
    newest.map_or_else(|| "never".to_owned(), minutes)
}
