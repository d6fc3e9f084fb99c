//! `enroll`: an authenticator and recovery codes for a person who has none; one more authenticator, or another secret in
//! the place of one.
#![forbid(unsafe_code)]

use super::begun::Begun;
use super::{Dialogue, Failure, Gone, Leftover, Made, Means, New, TRIES, Whom, Why, World, drawn, is_yes, proof, sheet};
use crate::rules::address::Entry;
use crate::rules::judge;
use crate::rules::phone;
use crate::rules::record::{AUTHENTICATORS, Authenticator, Record};
use crate::rules::totp::{self, Floor, Parameters, Secret};
use crate::store::{Ahead, Began, Disk, Locked, Trouble};
use crate::verify;
use crate::words::enroll as words;

/// What is to become of the authenticators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// There is none yet.
    First,
    /// One more.
    Add,
    /// A new secret for one of them.
    Replace,
}

pub struct Options {
    pub change: Change,
    /// Of the new authenticator; of the one to be replaced.
    pub label: Option<String>,
    /// As the app names it.
    pub entry: Entry,
    pub parameters: Parameters,
    /// Made elsewhere; else one is drawn.
    pub secret: Option<Secret>,
    /// Ask for a code and for a recovery code; else all is active at once.
    pub confirm: bool,
    /// How many recovery codes a first enrollment makes: 0 to 20.
    pub codes: u8,
    /// Steps to either side of now: 0 or 1.
    pub window: u8,
}

/// An enrollment, as it was committed or is about to be.
pub struct Enrolled {
    pub new: New,
    pub change: Change,
    /// Unix seconds.
    pub at: i64,
    /// Recovery codes that stay, or that were made.
    pub codes_left: usize,
    /// When the first code logs in, where that is not simply the app's next: the secret is from elsewhere, and no code
    /// of it was asked for.
    pub first_code_at: Option<i64>,
}

/// The whole flow.
pub fn enroll<D: Disk>(person: &mut impl Dialogue, means: &Means<'_, D>, options: &Options) -> Result<Enrolled, Failure> {
    let Means { whom, author, world, .. } = *means;
    let before = |why| Leftover::Nothing.with(why);
    let made = New::made(options, world).map_err(before)?;
    let place = Place::found(means, options).map_err(before)?;
    let new = New { label: place.label.clone(), ..made };
    let ahead = floor(person, &place, means).map_err(before)?;
    if options.confirm {
        person.tell(&words::opening(whom)).map_err(|gone| before(gone.into()))?;
    }
    match &place.began {
        Start::None(_) => proof::password(person, author),
        Start::With(_) => proof::password_and_code(person, means),
    }
    .map_err(before)?;
    let after = |why| if options.change == Change::First { Leftover::Entry.with(why) } else { Leftover::NewEntry.with(why) };
    let not_before = show(person, &new, whom, options, world).map_err(after)?;
    sheet::hand_over(person, &new.codes, whom, options.confirm.then_some(words::RECOVERY_CODES), world).map_err(after)?;
    let enrolled = place.enrolled(new, options, not_before, (world.now)());
    person.done(&Made::Authenticator(&enrolled)).map_err(|gone| after(gone.into()))?;
    ToRecord { enrolled: &enrolled, number: place.number, whom, by: &author.by, not_before }.commit(means, &place, ahead).map_err(after)?;
    Ok(enrolled)
}

/// Where the new authenticator goes.
struct Place {
    began: Start,
    number: u8,
    label: String,
    /// The floor, if it lies ahead of the clock.
    ahead: Option<i64>,
}

enum Start {
    None(Began),
    With(Begun),
}

impl Place {
    fn found<D: Disk>(means: &Means<'_, D>, options: &Options) -> Result<Self, Why> {
        match options.change {
            Change::First => Self::first(means, options),
            Change::Add => Self::beside(Begun::read(means)?, options, means.world),
            Change::Replace => Self::instead(Begun::read(means)?, options, means.world),
        }
    }

    fn first<D: Disk>(means: &Means<'_, D>, options: &Options) -> Result<Self, Why> {
        let Means { store, whom, world, .. } = *means;
        let sequence = u64::from_le_bytes(drawn(world)?) >> 1;
        let locked = store.lock(whom.uid)?;
        let began = match locked.begin_enrollment(sequence) {
            Err(Trouble::Enrolled) => {
                if let Some(record) = locked.record()? {
                    verify::is_made_for(&record.name, &[whom.name])?;
                }
                return Err(Trouble::Enrolled.into());
            }
            other => other?,
        };
        let last = locked.journal()?.map_or(0, |journal| journal.last);
        let ahead = judge::refused_until(Floor { not_before: 0, last }, (world.now)());
        Ok(Self { began: Start::None(began), number: 1, label: options.label.clone().unwrap_or_else(|| DEFAULT_LABEL.to_owned()), ahead })
    }

    fn beside(begun: Begun, options: &Options, world: &World<'_>) -> Result<Self, Why> {
        let is_free = |number: &u8| begun.authenticators.iter().all(|(taken, _)| taken != number);
        let most = u8::try_from(AUTHENTICATORS).unwrap_or(u8::MAX);
        let number = (1..=most).find(is_free).ok_or(Why::TooMany)?;
        let label = match &options.label {
            Some(label) if begun.has(label) => return Err(Why::LabelTaken(label.clone())),
            Some(label) => label.clone(),
            None => free_label(&begun),
        };
        let ahead = begun.floor_ahead((world.now)());
        Ok(Self { began: Start::With(begun), number, label, ahead })
    }

    fn instead(begun: Begun, options: &Options, world: &World<'_>) -> Result<Self, Why> {
        let found = match (&options.label, begun.authenticators.as_slice()) {
            (Some(label), all) => all.iter().find(|(_, one)| one == label),
            (None, [only]) => Some(only),
            (None, _) => return Err(Why::Several(begun.labels())),
        };
        let Some((number, label)) = found.cloned() else {
            let label = options.label.clone().unwrap_or_default();
            return Err(Why::NoSuchLabel { label, there: begun.labels() });
        };
        let ahead = begun.floor_ahead((world.now)());
        Ok(Self { began: Start::With(begun), number, label, ahead })
    }

    fn enrolled(&self, new: New, options: &Options, not_before: i64, at: i64) -> Enrolled {
        let codes_left = match &self.began {
            Start::None(_) => new.codes.codes.len(),
            Start::With(begun) => begun.codes_left,
        };
        let is_unproven = options.secret.is_some() && !options.confirm;
        let first_code_at = is_unproven.then_some(not_before);
        Enrolled { new, change: options.change, at, codes_left, first_code_at }
    }
}

const DEFAULT_LABEL: &str = "phone";

/// `phone`, `phone-2` ...
fn free_label(begun: &Begun) -> String {
    let labels = (2_u8..).map(|number| format!("{DEFAULT_LABEL}-{number}"));
    std::iter::once(DEFAULT_LABEL.to_owned()).chain(labels).find(|label| !begun.has(label)).unwrap_or_default()
}

/// A floor that a clock once ahead has left would refuse every code of the new app for as long: root says whether the
/// clock is right now. Beside a record it is `unlock` that brings it down.
fn floor<D>(person: &mut impl Dialogue, place: &Place, means: &Means<'_, D>) -> Result<Ahead, Why> {
    let Some(last) = place.ahead else { return Ok(Ahead::Keep) };
    let enrolled = matches!(place.began, Start::With(_));
    let refused = Err(Why::FloorAhead { last, enrolled });
    if enrolled || means.author.proof.is_some() {
        return refused;
    }
    match person.ask(&words::floor_ahead(last, (means.world.now)()), true) {
        Ok(answer) if is_yes(&answer) => Ok(Ahead::BringDown),
        Ok(_) | Err(Gone::Closed(libc::ENOTTY)) => refused,
        Err(gone) => Err(gone.into()),
    }
}

/// Shows the secret and has it confirmed; gives the time before which no step logs in.
fn show(person: &mut impl Dialogue, new: &New, whom: &Whom<'_>, options: &Options, world: &World<'_>) -> Result<i64, Why> {
    person.tell(&words::scan(&new.entry, options.confirm.then(|| new.steps())))?;
    person.show(&new.address())?;
    person.tell(&words::type_it_in(&new.secret_in_groups(), new.parameters))?;
    if options.confirm {
        return confirmed(person, new, whom, options.window, world);
    }
    let now = (world.now)();
    // A secret from elsewhere may have shown its codes elsewhere: all that the window holds now are used.
    Ok(if options.secret.is_some() { after_window(options, now).unwrap_or(now) } else { now })
}

/// The start of the first step that the window does not hold now.
fn after_window(options: &Options, now: i64) -> Option<i64> {
    let period = options.parameters.period;
    let steps = i64::from(options.window).saturating_add(1);
    totp::step_start(now, period)?.checked_add(steps.checked_mul(i64::from(period))?)
}

/// The code that confirms shall not log in too: its step is used up.
fn confirmed(person: &mut impl Dialogue, new: &New, whom: &Whom<'_>, window: u8, world: &World<'_>) -> Result<i64, Why> {
    let mut question = words::digits_now(new.parameters.digits, new.steps());
    for left in (0..TRIES).rev() {
        let answer = person.ask(&question, true)?;
        let now = (world.now)();
        let clock = (world.clock_unsynchronised)().then_some(now);
        question = match phone::judge(&new.secret, new.parameters, &answer, now, window) {
            phone::Shown::Right { start } => return Ok(start.saturating_add(1)),
            phone::Shown::Off { seconds } => words::clock_is_off(seconds, whom.host, clock, left),
            phone::Shown::Other => words::no_code(&new.entry, whom.host, clock, left),
        };
    }
    Err(Why::NoRightAnswer)
}

/// What goes into the record.
struct ToRecord<'a> {
    enrolled: &'a Enrolled,
    number: u8,
    whom: &'a Whom<'a>,
    by: &'a str,
    not_before: i64,
}

impl ToRecord<'_> {
    fn commit<D: Disk>(&self, means: &Means<'_, D>, place: &Place, ahead: Ahead) -> Result<(), Why> {
        let begun = match &place.began {
            Start::With(begun) => begun,
            Start::None(began) => {
                let locked = means.store.lock(self.whom.uid)?;
                return Ok(match ahead {
                    Ahead::Keep => locked.commit(*began, &self.first()),
                    Ahead::BringDown => locked.commit_and_lower_floor(*began, &self.first(), (means.world.now)()),
                }?);
            }
        };
        let put = match self.enrolled.change {
            Change::Replace => |locked: &Locked<'_, D>, began, record: &Record| locked.commit_and_end_streaks(began, record),
            Change::First | Change::Add => |locked: &Locked<'_, D>, began, record: &Record| locked.commit(began, record),
        };
        begun.commit(means, |old| self.changed(old), put)
    }

    fn first(&self) -> Record {
        let (new, at) = (&self.enrolled.new, self.enrolled.at);
        Record {
            id: new.record,
            uid: self.whom.uid,
            name: self.whom.name.to_owned(),
            created_at: at,
            changed_at: at,
            changed_by: self.by.to_owned(),
            not_before: self.not_before,
            authenticators: vec![new.authenticator(self.number, at, self.by, false)],
            recovery: new.codes.kept(),
        }
    }

    /// The one with the same number gives way to the new one.
    fn changed(&self, old: Record) -> Record {
        let (new, at) = (&self.enrolled.new, self.enrolled.at);
        let is_replaced = self.enrolled.change == Change::Replace;
        let mut authenticators: Vec<Authenticator> = old.authenticators.into_iter().filter(|device| device.number != self.number).collect();
        authenticators.push(new.authenticator(self.number, at, self.by, is_replaced));
        authenticators.sort_by_key(|device| device.number);
        Record {
            id: new.record,
            changed_at: at,
            changed_by: self.by.to_owned(),
            not_before: old.not_before.max(self.not_before),
            authenticators,
            ..old
        }
    }
}
