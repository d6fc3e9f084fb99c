//! The user's records, secrets and codes, and the clock that the codes go by.
#![forbid(unsafe_code)]

use countersign::rules::code::{RecoveryCode, Slot, Typed};
use countersign::rules::journal::SetId;
use countersign::rules::record::{Authenticator, Record, RecordId, RecoverySet, Rescue, StoredCode};
use countersign::rules::recovery::{Cost, Hashed};
use countersign::rules::totp::{self, Parameters, Secret};

use crate::people::Program;

pub const UID: u32 = 1000;
const BASE: i64 = 1_800_000_000;

/// The unix time of a step's start.
pub fn at(step: u8) -> i64 {
    BASE + 30 * i64::from(step)
}

/// The clock in the course of a step.
pub fn now(step: u8) -> i64 {
    at(step) + 7
}

fn secret_of(number: u8) -> Secret {
    Secret::new(&[number.wrapping_mul(37).wrapping_add(11); 20]).unwrap()
}

pub fn code_of(secret: u8, step: u8) -> Typed {
    Typed::Digits(totp::code(&secret_of(secret), Parameters::default(), at(step)).unwrap())
}

pub fn recovery_code(set: u8) -> RecoveryCode {
    RecoveryCode::made(Slot::new(1).unwrap(), &[set; 14])
}

/// The symbols that a rescue code may have here.
pub const RESCUE_SLOTS: [u8; 2] = [2, 3];

/// The code that `Rescue(who)` gives out at that symbol.
pub fn rescue_code(who: u8, slot: u8) -> RecoveryCode {
    RecoveryCode::made(Slot::new(slot).unwrap(), &[16 + who; 14])
}

/// In place of the rescue code before it.
pub fn with_rescue_code(mut record: Record, who: u8, slot: Slot) -> Record {
    let value = RESCUE_SLOTS.into_iter().find(|value| Slot::new(*value) == Some(slot)).unwrap();
    let rescue = Rescue { not_after: at(250), created_at: at(0), created_by: "root".to_owned() };
    record.id = RecordId(600 + u128::from(who));
    record.recovery.codes.retain(|code| code.rescue.is_none());
    record.recovery.codes.push(StoredCode { slot, hashed: hashed(&rescue_code(who, value), RESCUE_SALT + who), rescue: Some(rescue) });
    record
}

const RESCUE_SALT: u8 = 100;

/// As the shipped code hashes, at the lowest cost that it bears: a checker pays for thousands.
fn hashed(code: &RecoveryCode, salt: u8) -> Hashed {
    let cost = Cost { memory_kib: 8, passes: 1 };
    let mut hash = [0; 32];
    argon2::Argon2::new(
        argon2::Algorithm::Argon2id,
        argon2::Version::V0x13,
        argon2::Params::new(cost.memory_kib, cost.passes, 1, Some(32)).unwrap(),
    )
    .hash_password_into(code.expose().as_bytes(), &[salt; 16], &mut hash)
    .unwrap();
    Hashed { salt: [salt; 16], hash, cost }
}

fn recovery_set(set: u8) -> RecoverySet {
    let code = StoredCode { slot: Slot::new(1).unwrap(), hashed: hashed(&recovery_code(set), set), rescue: None };
    RecoverySet { id: SetId(u64::from(set)), created_at: BASE, codes: vec![code] }
}

fn authenticator(number: u8, secret: u8) -> Authenticator {
    Authenticator {
        number,
        label: format!("phone {number}"),
        secret: secret_of(secret),
        parameters: Parameters::default(),
        created_at: BASE,
        created_by: "root".to_owned(),
        replaced: false,
    }
}

/// A record of one authenticator with secret 0.
pub fn fresh_record(id: u128, set: u8, from: u8) -> Record {
    Record {
        id: RecordId(id),
        uid: UID,
        name: "alice".to_owned(),
        created_at: BASE,
        changed_at: BASE,
        changed_by: "root".to_owned(),
        not_before: at(from),
        authenticators: vec![authenticator(1, 0)],
        recovery: recovery_set(set),
    }
}

/// The record after a flow; `None` where it has nothing to do.
pub fn changed(mut record: Record, program: Program) -> Option<Record> {
    match program {
        Program::Add(who) => {
            record.id = RecordId(100 + u128::from(who));
            let number = record.authenticators.iter().fold(0, |highest, device| device.number.max(highest)) + 1;
            record.authenticators.push(authenticator(number, ADDED + who));
        }
        Program::Renew(who) => {
            record.id = RecordId(200 + u128::from(who));
            record.recovery = recovery_set(program.new_set());
        }
        Program::Replace(who) => {
            record.id = RecordId(300 + u128::from(who));
            if let Some(first) = record.authenticators.first_mut() {
                *first = authenticator(1, program.new_secret());
            }
        }
        Program::Remove(who) => {
            record.id = RecordId(500 + u128::from(who));
            if record.authenticators.len() < 2 {
                return None;
            }
            record.authenticators.remove(0);
        }
        Program::Adopt(who) => {
            record.id = RecordId(700 + u128::from(who));
            record.name = "alicia".to_owned();
        }
        _ => {}
    }
    Some(record)
}

/// The secrets that `Add(who)` brings are numbered from here on.
pub const ADDED: u8 = 20;

/// Which of the checker's secrets and sets a record has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Of the first authenticator.
    pub secret: u8,
    pub set: u8,
    pub rescue: Option<Program>,
    pub not_before: i64,
}

impl Facts {
    pub fn of(record: &Record) -> Self {
        let first = record.authenticators.first().map(|device| device.secret.expose().to_vec());
        let secret = (0..=255).find(|number| Some(secret_of(*number).expose()) == first.as_deref()).unwrap();
        let rescue = record.recovery.codes.iter().find(|code| code.rescue.is_some()).map(|code| Program::Rescued {
            who: code.hashed.salt[0] - RESCUE_SALT,
            slot: RESCUE_SLOTS.into_iter().find(|value| Slot::new(*value) == Some(code.slot)).unwrap(),
        });
        Self { secret, set: u8::try_from(record.recovery.id.0).unwrap(), rescue, not_before: record.not_before }
    }
}
