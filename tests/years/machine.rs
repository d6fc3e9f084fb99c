//! A machine and its one person: `verify` and the store as they ship, over a disk in memory.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use countersign::rules::code::{self, RecoveryCode, Slot, Typed};
use countersign::rules::journal::{SetId, Source};
use countersign::rules::judge::Finding;
use countersign::rules::record::{Authenticator, Record, RecordId, RecoverySet, StoredCode};
use countersign::rules::recovery::{Cost, Hashed};
use countersign::rules::throttle::{Lane, Throttle};
use countersign::rules::totp::{self, Parameters, Secret};
use countersign::store::{Began, Disk, Mode, Stat, Store};
use countersign::verify::{Checked, Question, verify};
use zeroize::Zeroizing;

use crate::habits::START;

const UID: u32 = 1000;
const CODES: u8 = 10;

pub struct Machine {
    store: Store<Memory>,
    record: u128,
    secret: u8,
    set: u8,
    codes_left: u8,
}

impl Machine {
    pub fn new() -> Self {
        let store = Store::new(Memory::default());
        let locked = store.lock(UID).unwrap();
        let began = locked.begin_enrollment(7).unwrap();
        locked.commit(began, &record(1, 1, 1)).unwrap();
        drop(locked);
        Self { store, record: 1, secret: 1, set: 1, codes_left: CODES }
    }

    /// A code that no step near now has.
    pub fn guess(&mut self, lane: Lane, now: i64) -> Finding {
        let shown: Vec<_> = (-2..=2).filter_map(|step| app(self.secret, now + 30 * step)).collect();
        let wrong = (0..).map(|number| code::read(format!("{number:06}").as_bytes()));
        let is_shown = |typed: &Typed| matches!(typed, Typed::Digits(digits) if shown.iter().any(|code| code.same(digits).into()));
        let typed = wrong.into_iter().find(|typed| !is_shown(typed)).unwrap();
        self.answer(lane, now, typed)
    }

    pub fn app(&mut self, lane: Lane, now: i64) -> Finding {
        let typed = Typed::Digits(app(self.secret, now).unwrap());
        self.answer(lane, now, typed)
    }

    /// A recovery code of the person's; after the last one there is a new set.
    pub fn recovery(&mut self, lane: Lane, now: i64) -> Finding {
        let finding = self.answer(lane, now, Typed::Recovery(recovery_code(self.set, self.codes_left)));
        self.codes_left -= 1;
        if self.codes_left == 0 {
            self.set = if self.set == 1 { 2 } else { 1 };
            self.codes_left = CODES;
            self.commit(|locked, began, record| locked.commit(began, record).unwrap());
        }
        finding
    }

    /// A recovery code that opens nothing.
    pub fn wrong_recovery(&mut self, lane: Lane, now: i64) -> Finding {
        self.answer(lane, now, Typed::Recovery(RecoveryCode::made(Slot::new(1).unwrap(), &[31; 14])))
    }

    /// The person replaces the authenticator.
    pub fn replace(&mut self) {
        self.secret = if self.secret == 1 { 2 } else { 1 };
        self.commit(|locked, began, record| locked.commit_and_end_streaks(began, record).unwrap());
    }

    fn commit(&mut self, put: impl FnOnce(&countersign::store::Locked<'_, Memory>, Began, &Record)) {
        let began = Began::With(RecordId(self.record));
        self.record += 1;
        put(&self.store.lock(UID).unwrap(), began, &record(self.record, self.secret, self.set));
    }

    fn answer(&mut self, lane: Lane, now: i64, typed: Typed) -> Finding {
        let question = Question { uid: UID, names: &["alice"], lane, from: Source::default(), window: 1, shows_notices: true };
        let checked = verify(&self.store, &question, typed, || now).unwrap();
        match checked {
            Checked::Settled { verdict, bad_slot: None } => verdict.finding,
            Checked::Settled { .. } | Checked::Typo | Checked::Malformed => panic!("a good journal, and a code"),
        }
    }

    /// The thief reads the journal too.
    pub fn throttle(&self) -> Throttle {
        self.store.glance(UID).unwrap().throttle
    }
}

fn secret(number: u8) -> Secret {
    Secret::new(&[number.wrapping_mul(37).wrapping_add(11); 20]).unwrap()
}

fn app(number: u8, now: i64) -> Option<code::Digits> {
    totp::code(&secret(number), Parameters::default(), totp::step_start(now, 30)?)
}

fn recovery_code(set: u8, number: u8) -> RecoveryCode {
    RecoveryCode::made(Slot::new(number).unwrap(), &[16 * (set % 2) + number; 14])
}

fn record(id: u128, secret_number: u8, set: u8) -> Record {
    let codes = (1..=CODES).map(|number| {
        let slot = Slot::new(number).unwrap();
        StoredCode { slot, hashed: hashed(&recovery_code(set, number), number), rescue: None }
    });
    let device = Authenticator {
        number: 1,
        label: "phone".to_owned(),
        secret: secret(secret_number),
        parameters: Parameters::default(),
        created_at: START,
        created_by: "alice".to_owned(),
        replaced: false,
    };
    Record {
        id: RecordId(id),
        uid: UID,
        name: "alice".to_owned(),
        created_at: START,
        changed_at: START,
        changed_by: "alice".to_owned(),
        not_before: 0,
        authenticators: vec![device],
        recovery: RecoverySet { id: SetId(set.into()), created_at: START, codes: codes.collect() },
    }
}

/// As the shipped code hashes, at the lowest cost that a record may name: there are years to pay for.
fn hashed(code: &RecoveryCode, salt: u8) -> Hashed {
    let cost = Cost { memory_kib: 8, passes: 1 };
    let parameters = argon2::Params::new(cost.memory_kib, cost.passes, 1, Some(32)).unwrap();
    let mut hash = [0; 32];
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters)
        .hash_password_into(code.expose().as_bytes(), &[salt; 16], &mut hash)
        .unwrap();
    Hashed { salt: [salt; 16], hash, cost }
}

/// A disk on which nothing fails.
#[derive(Default)]
struct Memory {
    files: RefCell<BTreeMap<String, Content>>,
}

type Content = Rc<RefCell<Vec<u8>>>;

impl Disk for Memory {
    type File = Content;

    fn open(&self, name: &str, mode: Mode) -> io::Result<Content> {
        let mut files = self.files.borrow_mut();
        match mode {
            Mode::Read | Mode::Journal => files.get(name).map(Rc::clone).ok_or_else(|| io::ErrorKind::NotFound.into()),
            Mode::Lock | Mode::New => Ok(Rc::clone(files.entry(name.to_owned()).or_default())),
        }
    }

    fn stat(&self, file: &Content) -> io::Result<Stat> {
        let size = u64::try_from(file.borrow().len()).unwrap();
        Ok(Stat { regular: true, ours: true, owner: 0, mode: 0o600, links: 1, size })
    }

    fn leads_to(&self, _: &str, _: &Content) -> io::Result<bool> {
        Ok(true)
    }

    fn stands(&self, name: &str) -> io::Result<bool> {
        Ok(self.files.borrow().contains_key(name))
    }

    fn try_lock(&self, _: &Content) -> io::Result<bool> {
        Ok(true)
    }

    fn rest(&self, _: u32) -> bool {
        false
    }

    fn holder(&self, _: &Content) -> Option<countersign::sys::Holder> {
        None
    }

    fn read(&self, file: &Content, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        let bytes = file.borrow();
        Ok(Zeroizing::new(bytes[..most.min(bytes.len())].to_vec()))
    }

    fn write(&self, file: &Content, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut content = file.borrow_mut();
        let start = usize::try_from(offset).unwrap();
        let end = start + bytes.len();
        let size = content.len().max(end);
        content.resize(size, 0);
        content[start..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self, _: &Content) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files.borrow_mut();
        let content = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.files.borrow_mut().remove(name);
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.borrow().keys().cloned().collect())
    }

    fn path(&self, name: &str) -> String {
        name.to_owned()
    }
}
