//! What is known of one person.
#![forbid(unsafe_code)]

use countersign::flows::refusal::Refusal;
use countersign::rules::journal::{Failed, Journal};
use countersign::rules::judge;
use countersign::rules::notice;
use countersign::rules::policy::{self, Decision, Facts};
use countersign::rules::record::{Authenticator, Record, Rescue};
use countersign::rules::throttle::{Gate, Lane};
use countersign::store::{Folder, Store, Trouble};
use countersign::{sys, verify};

use crate::caller::Caller;
use crate::people::Subject;
use crate::settings::Settings;

/// What the store holds of one uid, read under the lock.
pub(crate) struct Found {
    pub(crate) record: Option<Record>,
    journal: Journal,
    /// The path of a journal of which one slot is bad and the other good.
    pub(crate) bad_slot: Option<String>,
}

impl Found {
    pub(crate) fn read(store: &Store<Folder>, uid: u32) -> Result<Self, Trouble> {
        let locked = store.lock(uid)?;
        match locked.standing() {
            Ok(standing) => {
                let (journal, bad_slot) = (standing.journal().clone(), standing.bad_slot());
                Ok(Self { record: Some(standing.record), journal, bad_slot })
            }
            Err(Trouble::NotEnrolled) => Ok(Self { record: None, journal: locked.journal()?.unwrap_or_default(), bad_slot: None }),
            Err(trouble) => Err(trouble),
        }
    }
}

/// The same beside clock and policy.
pub(crate) struct State {
    pub(crate) record: Option<Record>,
    journal: Journal,
    pub(crate) now: i64,
    pub(crate) decision: Decision,
}

/// A rescue code, as far as it matters to whoever looks.
pub(crate) struct RescueCode<'a> {
    pub(crate) rescue: &'a Rescue,
    pub(crate) is_used: bool,
    pub(crate) has_ended: bool,
}

impl State {
    /// `subject` under the recorded name; policy goes by the name that was asked for.
    pub(crate) fn read(subject: &Subject<'_>, settings: &Settings, caller: &Caller) -> Result<Self, Refusal> {
        let store = subject.store()?;
        let found = Found::read(&store, subject.account.uid).and_then(|found| match &found.record {
            Some(record) => verify::is_made_for(&record.name, &[&subject.account.name]).map(|()| found),
            None => Ok(found),
        });
        Ok(Self::new(found.map_err(|trouble| subject.refusal(&trouble))?, &caller.whom.name, settings))
    }

    pub(crate) fn new(found: Found, name: &str, settings: &Settings) -> Self {
        let Found { record, journal, .. } = found;
        let now = sys::now();
        let facts = Facts { config: &settings.config, account: Some(name), enrolled: true, now, config_changed: settings.changed };
        let decision = if record.is_some() { policy::decide(&facts) } else { settings.unenrolled(name, now).decision };
        Self { record, journal, now, decision }
    }

    pub(crate) fn codes_left(&self) -> usize {
        self.record.as_ref().map_or(0, |record| record.codes_left(self.journal.spent_of(record.recovery.id)))
    }

    /// When that authenticator was last used; a use before it was made is another's.
    pub(crate) fn last_used(&self, device: &Authenticator) -> Option<i64> {
        let used = self.journal.used.get(usize::from(device.number).saturating_sub(1)).copied();
        used.filter(|used| *used >= device.created_at)
    }

    /// When a recovery code was last used, of whichever set, since this person is enrolled.
    pub(crate) fn last_recovered(&self) -> Option<i64> {
        let record = self.record.as_ref()?;
        Some(self.journal.recovered).filter(|used| *used >= record.created_at.max(1))
    }

    pub(crate) fn rescue_code(&self) -> Option<RescueCode<'_>> {
        let recovery = &self.record.as_ref()?.recovery;
        let all = recovery.codes.iter().filter_map(|code| Some((code.slot, code.rescue.as_ref()?)));
        // Those before it stand there for their notices alone.
        let (slot, rescue) = all.max_by_key(|(_, rescue)| rescue.created_at)?;
        let has_ended = judge::has_ended(rescue, &self.journal, self.now);
        Some(RescueCode { rescue, is_used: self.journal.is_spent(recovery.id, slot), has_ended })
    }

    /// Until when no code of the app can be right: the floor lies ahead of the clock.
    pub(crate) fn refused_until(&self) -> Option<i64> {
        judge::refused_until(judge::floor(self.record.as_ref()?, &self.journal), self.now)
    }

    /// A stop that all lanes together have made dates from the last failure of any.
    pub(crate) fn gate(&self, lane: Lane) -> Gate {
        match self.journal.throttle.gate(lane, self.now) {
            Gate::Stopped { since: 0 } => {
                let since = Lane::ALL.into_iter().map(|lane| self.journal.throttle.of(lane).last_failure).max();
                Gate::Stopped { since: since.unwrap_or(0) }
            }
            gate => gate,
        }
    }

    /// Wrong codes in a row, of one lane.
    pub(crate) fn streak(&self, lane: Lane) -> u16 {
        self.journal.throttle.of(lane).streak
    }

    pub(crate) fn budget_left(&self, lane: Lane) -> u16 {
        self.journal.throttle.budget_left(lane, self.now)
    }

    /// The failures that have not been told three times.
    pub(crate) fn failures(&self) -> Option<&Failed> {
        notice::failures(&self.journal, self.now).map(|_| &self.journal.failed)
    }
}
