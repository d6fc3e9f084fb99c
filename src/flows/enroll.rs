//! `enroll`: a new authenticator and recovery codes, for a person who has none.
#![forbid(unsafe_code)]

use zeroize::Zeroizing;

use super::{Dialogue, Failure, Gone, TRIES, Whom, Why, World, sheet};
use crate::rules::address::{self, Entry};
use crate::rules::code::{RecoveryCode, Slot};
use crate::rules::journal::SetId;
use crate::rules::judge;
use crate::rules::phone::{self, Shown};
use crate::rules::record::{Authenticator, Record, RecordId, RecoverySet, StoredCode};
use crate::rules::recovery::Hashed;
use crate::rules::totp::{Floor, Parameters, Secret};
use crate::store::{Ahead, Began, Disk, Store, Trouble};
use crate::verify;
use crate::words::enroll as words;

pub struct Options {
    /// Ask for a code and for a recovery code; else all is active at once.
    pub confirm: bool,
    /// How many recovery codes: 0 to 20.
    pub codes: u8,
    /// Steps to either side of now: 0 or 1.
    pub window: u8,
    /// Who enrolls, as the notice at the next login names it.
    pub by: String,
}

/// An enrollment, as it was committed or is about to be.
pub struct Enrolled {
    pub new: New,
    /// Unix seconds.
    pub at: i64,
}

/// What an enrollment makes. All that is random is drawn at once, before anything is shown.
pub struct New {
    pub label: &'static str,
    pub entry: Entry,
    pub parameters: Parameters,
    pub secret: Secret,
    /// As they are shown, once.
    pub codes: Vec<RecoveryCode>,
    stored: Vec<StoredCode>,
    record: RecordId,
    set: SetId,
}

/// The whole flow.
pub fn enroll<D: Disk>(
    person: &mut impl Dialogue,
    store: &Store<D>,
    whom: &Whom<'_>,
    options: &Options,
    world: &World<'_>,
) -> Result<Enrolled, Failure> {
    let before = |why| Failure { why, entry_shown: false };
    let new = New::made(whom, options.codes, world).map_err(before)?;
    let (began, last) = begin(store, whom, world).map_err(before)?;
    let ahead = ahead(person, last, world).map_err(before)?;
    if options.confirm {
        person.tell(&words::opening(whom)).map_err(|gone| before(Why::Gone(gone)))?;
    }
    let after = |why| Failure { why, entry_shown: true };
    let not_before = show(person, &new, whom, options, world).map_err(after)?;
    sheet::hand_over(person, &new, whom, options.confirm, world).map_err(after)?;
    let enrolled = Enrolled { new, at: (world.now)() };
    person.done(&enrolled).map_err(|gone| after(Why::Gone(gone)))?;
    let record = enrolled.record(whom, &options.by, not_before);
    let locked = store.lock(whom.uid).map_err(|trouble| after(Why::Trouble(trouble)))?;
    let committed = match ahead {
        Ahead::Keep => locked.commit(began, &record),
        Ahead::BringDown => locked.commit_and_lower_floor(began, &record, (world.now)()),
    };
    committed.map_err(|not| after(not.into()))?;
    Ok(enrolled)
}

/// A floor that a clock once ahead has left would refuse every code of the new app for as long: root says whether the
/// clock is right now.
fn ahead(person: &mut impl Dialogue, last: i64, world: &World<'_>) -> Result<Ahead, Why> {
    let now = (world.now)();
    if !judge::is_clock_behind(Floor { not_before: 0, last }, now) {
        return Ok(Ahead::Keep);
    }
    match person.ask(&words::floor_ahead(last, now), true) {
        Ok(answer) if answer.trim_ascii().eq_ignore_ascii_case(b"y") => Ok(Ahead::BringDown),
        Ok(_) | Err(Gone::Closed(libc::ENOTTY)) => Err(Why::FloorAhead { last }),
        Err(gone) => Err(gone.into()),
    }
}

/// What the flow begins with, and the start of the newest step ever accepted.
fn begin<D: Disk>(store: &Store<D>, whom: &Whom<'_>, world: &World<'_>) -> Result<(Began, i64), Why> {
    let sequence = i64::from_le_bytes(drawn(world)?).unsigned_abs() >> 1;
    let locked = store.lock(whom.uid)?;
    match locked.begin_enrollment(sequence) {
        Err(Trouble::Enrolled) => {
            if let Some(record) = locked.record()? {
                verify::is_made_for(&record, &[whom.name])?;
            }
            Err(Trouble::Enrolled.into())
        }
        other => Ok((other?, locked.journal()?.map_or(0, |journal| journal.last))),
    }
}

/// Shows the secret and has it confirmed; gives the time before which no step logs in.
fn show(person: &mut impl Dialogue, new: &New, whom: &Whom<'_>, options: &Options, world: &World<'_>) -> Result<i64, Why> {
    person.tell(&words::scan(&new.entry, options.confirm.then(|| new.steps())))?;
    person.show(&new.address())?;
    person.tell(&words::type_it_in(&new.secret_in_groups(), new.parameters))?;
    if options.confirm { confirmed(person, new, whom, options.window, world) } else { Ok((world.now)()) }
}

/// The code that confirms shall not log in too: its step is used up.
fn confirmed(person: &mut impl Dialogue, new: &New, whom: &Whom<'_>, window: u8, world: &World<'_>) -> Result<i64, Why> {
    let mut question = words::digits_now(new.parameters.digits, new.steps());
    for left in (0..TRIES).rev() {
        let answer = person.ask(&question, true)?;
        let now = (world.now)();
        let clock = (world.clock_unsynchronised)().then_some(now);
        question = match phone::judge(&new.secret, new.parameters, &answer, now, window) {
            Shown::Right { start } => return Ok(start.saturating_add(1)),
            Shown::Off { seconds } => words::clock_is_off(seconds, whom.host, clock, left),
            Shown::Other => words::no_code(&new.entry, whom.host, clock, left),
        };
    }
    Err(Why::NoRightAnswer)
}

impl New {
    fn made(whom: &Whom<'_>, codes: u8, world: &World<'_>) -> Result<Self, Why> {
        let secret = Zeroizing::new(drawn::<20>(world)?);
        let secret = Secret::new(secret.as_slice()).ok_or(Why::NoRandom)?;
        let codes = (1..=codes).filter_map(Slot::new).map(|slot| Ok(RecoveryCode::made(slot, &Zeroizing::new(drawn(world)?))));
        let codes = codes.collect::<Result<Vec<_>, Why>>()?;
        let stored = codes.iter().map(|code| {
            let hashed = Hashed::new(code, drawn(world)?).map_err(|_| Trouble::OutOfMemory)?;
            Ok(StoredCode { slot: code.slot(), hashed, rescue: None })
        });
        Ok(Self {
            label: "phone",
            entry: Entry::new(whom.host, whom.name),
            parameters: Parameters::default(),
            secret,
            stored: stored.collect::<Result<_, Why>>()?,
            codes,
            record: RecordId(u128::from_le_bytes(drawn(world)?)),
            set: SetId(u64::from_le_bytes(drawn(world)?)),
        })
    }

    /// Step 3 is the recovery codes'.
    fn steps(&self) -> u8 {
        if self.codes.is_empty() { 2 } else { 3 }
    }

    pub fn address(&self) -> Zeroizing<String> {
        address::address(&self.entry, &self.secret, self.parameters)
    }

    /// `GEZD GNBV ...`
    fn secret_in_groups(&self) -> Zeroizing<String> {
        let text = address::base32(&self.secret);
        let mut groups = Zeroizing::new(String::with_capacity(text.len().saturating_mul(2)));
        for (place, letter) in text.chars().enumerate() {
            if place > 0 && place.is_multiple_of(4) {
                groups.push(' ');
            }
            groups.push(letter);
        }
        groups
    }
}

impl Enrolled {
    fn record(&self, whom: &Whom<'_>, by: &str, not_before: i64) -> Record {
        let (new, at) = (&self.new, self.at);
        Record {
            id: new.record,
            uid: whom.uid,
            name: whom.name.to_owned(),
            created_at: at,
            changed_at: at,
            changed_by: by.to_owned(),
            not_before,
            authenticators: vec![Authenticator {
                number: 1,
                label: new.label.to_owned(),
                secret: new.secret.again(),
                parameters: new.parameters,
                created_at: at,
                created_by: by.to_owned(),
                replaced: false,
            }],
            recovery: RecoverySet { id: new.set, created_at: at, codes: new.stored.clone() },
        }
    }
}

fn drawn<const N: usize>(world: &World<'_>) -> Result<[u8; N], Why> {
    let mut bytes = [0; N];
    (world.random)(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::super::{Gone, Kept};
    use super::*;
    use crate::rules::code::{self, Typed};
    use crate::rules::totp;
    use crate::store::{Folder, MARKER};
    use crate::sys::RandomFailed;

    const WHOM: Whom<'_> = Whom { uid: 1000, name: "alice", host: "web1" };
    const NOW: i64 = 1_795_511_647;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("countersign-enroll-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
            fs::write(path.join(MARKER), "").unwrap();
            Self(path)
        }

        fn store(&self) -> Store<Folder> {
            Store::new(Folder::open(self.0.to_str().unwrap()).unwrap())
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Someone who answers rightly, and leaves at the call of that number.
    struct Someone<'a> {
        store: &'a Store<Folder>,
        calls: Vec<&'static str>,
        leaves_at: usize,
        secret: Option<Secret>,
        sheet: String,
    }

    impl<'a> Someone<'a> {
        fn new(store: &'a Store<Folder>, leaves_at: usize) -> Self {
            Self { store, calls: Vec::new(), leaves_at, secret: None, sheet: String::new() }
        }

        fn call(&mut self, name: &'static str) -> Result<(), Gone> {
            // Whatever is being said or asked: nothing is active yet.
            assert!(!self.store.is_enrolled(WHOM.uid).unwrap());
            if self.calls.len() == self.leaves_at {
                return Err(Gone::Interrupted);
            }
            self.calls.push(name);
            Ok(())
        }
    }

    impl Dialogue for Someone<'_> {
        fn tell(&mut self, _text: &str) -> Result<(), Gone> {
            self.call("tell")
        }

        fn ask(&mut self, question: &str, echo: bool) -> Result<Zeroizing<Vec<u8>>, Gone> {
            assert!(echo);
            self.call("ask")?;
            let answer = match question.split("type code ").nth(1) {
                Some(rest) => {
                    let number: usize = rest.split(' ').next().unwrap().parse().unwrap();
                    let is_code = |word: &&str| matches!(code::read(word.as_bytes()), Typed::Recovery(code) if usize::from(code.slot().value()) == number);
                    self.sheet.split_whitespace().find(is_code).unwrap().as_bytes().to_vec()
                }
                None => {
                    let start = totp::step_start(NOW, 30).unwrap();
                    totp::code(self.secret.as_ref().unwrap(), Parameters::default(), start).unwrap().expose().to_vec()
                }
            };
            Ok(Zeroizing::new(answer))
        }

        fn show(&mut self, address: &str) -> Result<(), Gone> {
            self.call("show")?;
            let text = address.split("secret=").nth(1).unwrap().split('&').next().unwrap();
            self.secret = Secret::new(&data_encoding::BASE32_NOPAD.decode(text.as_bytes()).unwrap());
            Ok(())
        }

        fn keep(&mut self, sheet: &str) -> Result<Kept, Gone> {
            self.call("keep")?;
            self.sheet = sheet.to_owned();
            Ok(Kept::Shown)
        }

        fn done(&mut self, _: &Enrolled) -> Result<(), Gone> {
            self.call("done")
        }
    }

    fn run(someone: &mut Someone<'_>, random: &dyn Fn(&mut [u8]) -> Result<(), RandomFailed>) -> Result<Enrolled, Failure> {
        let world = World { now: &|| NOW, random, clock_unsynchronised: &|| false };
        let options = Options { confirm: true, codes: 10, window: 1, by: "alice".to_owned() };
        let store = someone.store;
        enroll(someone, store, &WHOM, &options, &world)
    }

    const WHOLE: [&str; 9] = ["tell", "tell", "show", "tell", "ask", "tell", "keep", "ask", "done"];

    #[test]
    fn j_01_whenever_the_person_leaves_nothing_is_active() {
        let place = Place::new("leaves");
        let store = place.store();
        for leaves_at in 0..WHOLE.len() {
            let mut someone = Someone::new(&store, leaves_at);
            let failure = run(&mut someone, &crate::sys::random).err().unwrap();
            assert_eq!(failure, Failure { why: Why::Gone(Gone::Interrupted), entry_shown: leaves_at > 0 });
            assert_eq!(someone.calls, WHOLE[..leaves_at]);
            assert!(!store.is_enrolled(WHOM.uid).unwrap());
        }
        let mut someone = Someone::new(&store, usize::MAX);
        let enrolled = run(&mut someone, &crate::sys::random).unwrap();
        assert_eq!((someone.calls, enrolled.at), (WHOLE.to_vec(), NOW));
        let locked = store.lock(WHOM.uid).unwrap();
        let standing = locked.standing().unwrap();
        assert_eq!((standing.record.not_before, standing.record.recovery.codes.len()), (totp::step_start(NOW, 30).unwrap() + 1, 10));
    }

    #[test]
    fn e_09_without_random_bytes_nothing_is_shown_or_written() {
        let place = Place::new("random");
        let store = place.store();
        // One secret, ten codes with a salt each, two ids; then the sequence, for which nothing stands yet.
        for draws in 0..24 {
            let left = RefCell::new(draws);
            let random = |bytes: &mut [u8]| {
                let mut left = left.borrow_mut();
                *left = i32::checked_sub(*left, 1).filter(|left| *left >= 0).ok_or(RandomFailed)?;
                crate::sys::random(bytes)
            };
            let mut someone = Someone::new(&store, usize::MAX);
            let failure = run(&mut someone, &random).err().unwrap();
            assert_eq!(failure, Failure { why: Why::NoRandom, entry_shown: false }, "{draws}");
            assert!(someone.calls.is_empty());
            assert_eq!(fs::read_dir(&place.0).unwrap().count(), 1, "the marker alone");
        }
    }

    #[test]
    fn j_10_a_reset_or_another_enrollment_meanwhile_ends_the_flow() {
        struct Meddler<'a>(Someone<'a>, fn(&Store<Folder>));

        impl Dialogue for Meddler<'_> {
            fn tell(&mut self, text: &str) -> Result<(), Gone> {
                self.0.tell(text)
            }
            fn ask(&mut self, question: &str, echo: bool) -> Result<Zeroizing<Vec<u8>>, Gone> {
                self.0.ask(question, echo)
            }
            fn show(&mut self, address: &str) -> Result<(), Gone> {
                self.0.show(address)
            }
            fn keep(&mut self, sheet: &str) -> Result<Kept, Gone> {
                self.0.keep(sheet)
            }
            fn done(&mut self, enrolled: &Enrolled) -> Result<(), Gone> {
                self.0.done(enrolled)?;
                (self.1)(self.0.store);
                Ok(())
            }
        }

        let meddlings: [fn(&Store<Folder>); 2] = [
            |store| {
                let anew = crate::store::Anew { sequence: 1, now: NOW };
                store.lock(WHOM.uid).unwrap().reset(anew, Ahead::Keep).unwrap();
            },
            |store| {
                run(&mut Someone::new(store, usize::MAX), &crate::sys::random).unwrap();
            },
        ];
        for meddling in meddlings {
            let place = Place::new("meddled");
            let store = place.store();
            let mut meddler = Meddler(Someone::new(&store, usize::MAX), meddling);
            let world = World { now: &|| NOW, random: &crate::sys::random, clock_unsynchronised: &|| false };
            let options = Options { confirm: true, codes: 10, window: 1, by: "alice".to_owned() };
            let failure = enroll(&mut meddler, &store, &WHOM, &options, &world).err().unwrap();
            assert_eq!(failure, Failure { why: Why::Trouble(Trouble::Changed), entry_shown: true });
        }
    }
}
