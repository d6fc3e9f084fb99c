//! `<uid>.toml`, the record: what enrollments and changes write and logins only read, as a value.
//!
//! The file opens with the format and a checksum over uid and the rest, so a record that was edited, cut or copied to
//! another uid is refused. The rest is the TOML that `to_text` writes, byte for byte.
#![forbid(unsafe_code)]

use std::fmt::Write;

use sha2::{Digest, Sha256};
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::code::Slot;
use super::journal::SetId;
use super::recovery::{Cost, Hashed};
use super::totp::{Algorithm, Parameters, Secret};

/// The largest file that is read.
pub const LARGEST: usize = 65_536;
/// The most authenticators of a user.
pub const AUTHENTICATORS: usize = 4;

const FORMAT: u32 = 1;
const SUM: usize = 16;

/// New with every write: what a flow remembers, to change nothing that another has changed meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordId(pub u128);

pub struct Record {
    pub id: RecordId,
    pub uid: u32,
    /// The canonical user name this record was made for.
    pub name: String,
    /// Unix seconds, as all times here.
    pub created_at: i64,
    pub changed_at: i64,
    pub changed_by: String,
    /// A step that starts before this is refused.
    pub not_before: i64,
    pub authenticators: Vec<Authenticator>,
    pub recovery: RecoverySet,
}

pub struct Authenticator {
    /// 1 to 4; never moves: the journal's columns are numbered by it.
    pub number: u8,
    pub label: String,
    pub secret: Secret,
    pub parameters: Parameters,
    pub created_at: i64,
    pub created_by: String,
    /// Made in place of an earlier one.
    pub replaced: bool,
}

#[derive(Clone)]
pub struct RecoverySet {
    pub id: SetId,
    pub created_at: i64,
    pub codes: Vec<StoredCode>,
}

/// One recovery code as it is kept: never the code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCode {
    pub slot: Slot,
    pub hashed: Hashed,
    pub rescue: Option<Rescue>,
}

/// What makes a recovery code a rescue code: an end, and who issued it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rescue {
    pub not_after: i64,
    pub created_at: i64,
    pub created_by: String,
}

/// Why a file is no record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoRecord {
    /// Cut, edited, copied from elsewhere: the checksum does not fit, or a key is missing, unknown, twice or of another
    /// kind. Names the key where there is one.
    Damaged(Option<String>),
    /// Written by a newer Countersign.
    Newer,
}

impl Record {
    /// The recovery codes that are left under those spent marks; a rescue code is not counted.
    pub fn codes_left(&self, spent: u32) -> usize {
        self.recovery.codes.iter().filter(|code| code.rescue.is_none() && spent & code.slot.mark() == 0).count()
    }
}

/// A label of an authenticator: 1 to 32 of A-Z a-z 0-9 space . _ -, not beginning or ending with a space.
pub fn is_label(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.trim() == text
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ._-".contains(&byte))
}

impl Record {
    /// The file of this record.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut body = Zeroizing::new(String::with_capacity(8192));
        // Writing to a String cannot fail.
        let _ = self.write_body(&mut body);
        let mut text = Zeroizing::new(String::with_capacity(body.len().saturating_add(64)));
        let _ = write!(text, "format = {FORMAT}\nsum = \"{}\"\n", checksum(self.uid, &FORMAT.to_string(), &body));
        text.push_str(&body);
        text
    }

    fn write_body(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "record_id = \"{:032x}\"", self.id.0)?;
        writeln!(out, "uid = {}", self.uid)?;
        writeln!(out, "name = {}", quoted(&self.name))?;
        writeln!(out, "created_at = {}", self.created_at)?;
        writeln!(out, "changed_at = {}", self.changed_at)?;
        writeln!(out, "changed_by = {}", quoted(&self.changed_by))?;
        writeln!(out, "not_before = {}", self.not_before)?;
        writeln!(out, "recovery_set = \"{:016x}\"", self.recovery.id.0)?;
        writeln!(out, "recovery_set_made_at = {}", self.recovery.created_at)?;
        for authenticator in &self.authenticators {
            authenticator.write(out)?;
        }
        self.recovery.codes.iter().try_for_each(|code| code.write(out))
    }
}

impl Authenticator {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let secret = Zeroizing::new(data_encoding::BASE32_NOPAD.encode(self.secret.expose()));
        writeln!(out, "\n[[authenticator]]\nnumber = {}\nlabel = {}", self.number, quoted(&self.label))?;
        writeln!(out, "secret = \"{}\"\nalgorithm = \"{}\"", *secret, self.parameters.algorithm.name())?;
        writeln!(out, "digits = {}\nperiod = {}", self.parameters.digits, self.parameters.period)?;
        writeln!(out, "created_at = {}\ncreated_by = {}\nreplaced = {}", self.created_at, quoted(&self.created_by), self.replaced)
    }
}

impl StoredCode {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n[[code]]\nslot = \"{}\"", self.slot.symbol())?;
        writeln!(out, "salt = \"{}\"", data_encoding::HEXLOWER.encode(&self.hashed.salt))?;
        writeln!(out, "hash = \"{}\"", data_encoding::HEXLOWER.encode(&self.hashed.hash))?;
        writeln!(out, "memory_kib = {}\npasses = {}", self.hashed.cost.memory_kib, self.hashed.cost.passes)?;
        match &self.rescue {
            Some(rescue) => writeln!(
                out,
                "not_after = {}\ncreated_at = {}\ncreated_by = {}",
                rescue.not_after,
                rescue.created_at,
                quoted(&rescue.created_by)
            ),
            None => Ok(()),
        }
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// 16 hex digits of SHA-256 over uid, format and the rest of the file.
fn checksum(uid: u32, format: &str, body: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{uid}\n{format}\n"));
    hash.update(body);
    let mut sum = data_encoding::HEXLOWER.encode(&hash.finalize());
    sum.truncate(SUM);
    sum
}

impl Record {
    /// Reads the file of that uid.
    pub fn parse(uid: u32, file: &[u8]) -> Result<Self, NoRecord> {
        let damaged = || NoRecord::Damaged(None);
        let text = std::str::from_utf8(file).map_err(|_| damaged())?;
        let (format, rest) = text.strip_prefix("format = ").and_then(|rest| rest.split_once('\n')).ok_or_else(damaged)?;
        let (sum, body) = rest
            .strip_prefix("sum = \"")
            .and_then(|rest| rest.split_at_checked(SUM))
            .and_then(|(sum, rest)| Some((sum, rest.strip_prefix("\"\n")?)))
            .ok_or_else(damaged)?;
        // Every format keeps to this head: so a flipped bit in the format's digits is damage, and not a newer format.
        if sum != checksum(uid, format, body) {
            return Err(damaged());
        }
        match format.parse::<u32>() {
            Ok(FORMAT) => {}
            Ok(higher) if higher > FORMAT => return Err(NoRecord::Newer),
            _ => return Err(damaged()),
        }
        let table = DeTable::parse(body).map_err(|error| NoRecord::Damaged(twice(body, &error)))?;
        let mut keys = Keys { table: table.get_ref(), taken: Vec::new() };
        let record = keys.record()?;
        keys.all_taken()?;
        if record.uid == uid && record.is_whole() { Ok(record) } else { Err(damaged()) }
    }

    /// What no single key shows: authenticators within their number, each number and label once, each slot once.
    fn is_whole(&self) -> bool {
        let devices = &self.authenticators;
        let once = |count: &dyn Fn(&Authenticator) -> usize| devices.iter().all(|device| count(device) == 1);
        (1..=AUTHENTICATORS).contains(&devices.len())
            && once(&|one| devices.iter().filter(|other| other.number == one.number).count())
            && once(&|one| devices.iter().filter(|other| other.label == one.label).count())
            && self
                .recovery
                .codes
                .iter()
                .try_fold(0_u32, |seen, code| (seen & code.slot.mark() == 0).then_some(seen | code.slot.mark()))
                .is_some()
    }
}

/// The key that stands twice. Other errors may point at a value, and a value is not named.
fn twice(body: &str, error: &toml::de::Error) -> Option<String> {
    let key = body.get(error.span()?)?;
    (error.message() == "duplicate key").then(|| key.chars().take(64).collect())
}

/// A table whose keys are being read, each once.
struct Keys<'a> {
    table: &'a DeTable<'a>,
    taken: Vec<&'static str>,
}

impl<'a> Keys<'a> {
    fn take(&mut self, key: &'static str) -> Option<&'a DeValue<'a>> {
        self.taken.push(key);
        self.table.get(key).map(toml::Spanned::get_ref)
    }

    fn all_taken(&self) -> Result<(), NoRecord> {
        match self.table.keys().find(|key| !self.taken.contains(&key.get_ref().as_ref())) {
            Some(unknown) => Err(NoRecord::Damaged(Some(unknown.get_ref().chars().take(64).collect()))),
            None => Ok(()),
        }
    }

    fn text(&mut self, key: &'static str) -> Result<&'a str, NoRecord> {
        self.take(key).and_then(DeValue::as_str).ok_or(NoRecord::Damaged(Some(key.to_owned())))
    }

    fn number<T: std::str::FromStr>(&mut self, key: &'static str) -> Result<T, NoRecord> {
        let number = self.take(key).and_then(DeValue::as_integer).filter(|number| number.radix() == 10);
        number.and_then(|number| number.as_str().parse().ok()).ok_or(NoRecord::Damaged(Some(key.to_owned())))
    }

    fn flag(&mut self, key: &'static str) -> Result<bool, NoRecord> {
        self.take(key).and_then(DeValue::as_bool).ok_or(NoRecord::Damaged(Some(key.to_owned())))
    }

    /// A value of that key through `read`, or the key in the error.
    fn read<T>(&mut self, key: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, NoRecord> {
        read(self.text(key)?).ok_or(NoRecord::Damaged(Some(key.to_owned())))
    }

    fn tables(&mut self, key: &'static str, most: usize) -> Result<Vec<Keys<'a>>, NoRecord> {
        let wrong = || NoRecord::Damaged(Some(key.to_owned()));
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let array = value.as_array().filter(|array| array.len() <= most).ok_or_else(wrong)?;
        array.iter().map(|item| item.get_ref().as_table().map(|table| Keys { table, taken: Vec::new() }).ok_or_else(wrong)).collect()
    }

    fn record(&mut self) -> Result<Record, NoRecord> {
        let devices = self.tables("authenticator", AUTHENTICATORS)?;
        let codes = self.tables("code", 32)?;
        Ok(Record {
            id: RecordId(self.read("record_id", |text| (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok())?)?),
            uid: self.number("uid")?,
            name: self.text("name")?.to_owned(),
            created_at: self.number("created_at")?,
            changed_at: self.number("changed_at")?,
            changed_by: self.text("changed_by")?.to_owned(),
            not_before: self.number("not_before")?,
            authenticators: devices.into_iter().map(Keys::authenticator).collect::<Result<_, _>>()?,
            recovery: RecoverySet {
                id: SetId(self.read("recovery_set", |text| (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok())?)?),
                created_at: self.number("recovery_set_made_at")?,
                codes: codes.into_iter().map(Keys::code).collect::<Result<_, _>>()?,
            },
        })
    }

    fn authenticator(mut self) -> Result<Authenticator, NoRecord> {
        let device = Authenticator {
            number: self.number("number")?,
            label: self.read("label", |text| is_label(text).then(|| text.to_owned()))?,
            secret: self.read("secret", |text| {
                let bytes = Zeroizing::new(data_encoding::BASE32_NOPAD.decode(text.as_bytes()).ok()?);
                Secret::new(&bytes)
            })?,
            parameters: Parameters {
                algorithm: self.read("algorithm", Algorithm::named)?,
                digits: self.number("digits")?,
                period: self.number("period")?,
            },
            created_at: self.number("created_at")?,
            created_by: self.text("created_by")?.to_owned(),
            replaced: self.flag("replaced")?,
        };
        self.all_taken()?;
        let wrong = |key: &str| Err(NoRecord::Damaged(Some(key.to_owned())));
        match device {
            Authenticator { number, .. } if !(1..=4).contains(&number) => wrong("number"),
            Authenticator { parameters: Parameters { digits, .. }, .. } if !matches!(digits, 6 | 8) => wrong("digits"),
            Authenticator { parameters: Parameters { period, .. }, .. } if !matches!(period, 30 | 60) => wrong("period"),
            device => Ok(device),
        }
    }

    fn code(mut self) -> Result<StoredCode, NoRecord> {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).ok();
        let code = StoredCode {
            slot: self.read("slot", |text| {
                let mut letters = text.chars();
                Slot::of_symbol(letters.next().filter(|_| letters.next().is_none())?)
            })?,
            hashed: Hashed {
                salt: self.read("salt", |text| hex(text)?.try_into().ok())?,
                hash: self.read("hash", |text| hex(text)?.try_into().ok())?,
                cost: Cost { memory_kib: self.number("memory_kib")?, passes: self.number("passes")? },
            },
            rescue: if self.table.contains_key("not_after") {
                Some(Rescue {
                    not_after: self.number("not_after")?,
                    created_at: self.number("created_at")?,
                    created_by: self.text("created_by")?.to_owned(),
                })
            } else {
                None
            },
        };
        self.all_taken()?;
        if code.hashed.cost.is_bearable() { Ok(code) } else { Err(NoRecord::Damaged(Some("memory_kib".to_owned()))) }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    pub(super) fn sample() -> Record {
        let device = |number, label: &str, parameters| Authenticator {
            number,
            label: label.to_owned(),
            secret: Secret::new(&[number; 20]).unwrap(),
            parameters,
            created_at: 1_795_499_549,
            created_by: "alice".to_owned(),
            replaced: number == 3,
        };
        let code = |value, rescue| StoredCode {
            slot: Slot::new(value).unwrap(),
            hashed: Hashed { salt: [value; 16], hash: [9; 32], cost: Cost::NEW },
            rescue,
        };
        Record {
            id: RecordId(0xabc),
            uid: 1000,
            name: "DOM\\al\"ice\u{7f}é".to_owned(),
            created_at: 1_795_499_549,
            changed_at: 1_795_499_550,
            changed_by: "root (bob)".to_owned(),
            not_before: 1_795_499_551,
            authenticators: vec![
                device(1, "phone", Parameters::default()),
                device(3, "tablet 2.b_-", Parameters { algorithm: Algorithm::Sha256, digits: 8, period: 60 }),
            ],
            recovery: RecoverySet {
                id: SetId(77),
                created_at: 1_795_499_549,
                codes: vec![
                    code(1, None),
                    code(10, None),
                    code(24, Some(Rescue { not_after: 5, created_at: 4, created_by: "root".to_owned() })),
                ],
            },
        }
    }

    /// A body with a checksum that fits.
    fn sealed(body: &str) -> Vec<u8> {
        format!("format = 1\nsum = \"{}\"\n{body}", checksum(1000, "1", body)).into_bytes()
    }

    fn body() -> String {
        sample().to_text().splitn(3, '\n').nth(2).unwrap().to_owned()
    }

    fn error(file: &[u8]) -> NoRecord {
        Record::parse(1000, file).err().unwrap()
    }

    #[test]
    fn a_record_comes_back_as_written() {
        let text = sample().to_text();
        assert_eq!(*Record::parse(1000, text.as_bytes()).unwrap().to_text(), *text);
    }

    #[test]
    fn d_03_cut_or_flipped_anywhere_it_is_damaged() {
        let text = sample().to_text();
        for place in 0..text.len() {
            assert!(Record::parse(1000, &text.as_bytes()[..place]).is_err());
            let mut flipped = text.as_bytes().to_vec();
            flipped[place] ^= 4;
            assert!(Record::parse(1000, &flipped).is_err(), "{place}");
        }
        assert_eq!(error(&[text.as_bytes(), b"\n"].concat()), NoRecord::Damaged(None));
        assert!(Record::parse(1001, text.as_bytes()).is_err());
    }

    #[test]
    fn d_05_unknown_and_doubled_keys_are_refused_and_a_higher_format_is_newer() {
        assert_eq!(error(&sealed(&body().replacen("uid =", "extra = 1\nuid =", 1))), NoRecord::Damaged(Some("extra".to_owned())));
        assert_eq!(error(&sealed(&body().replacen("digits =", "colour = 1\ndigits =", 1))), NoRecord::Damaged(Some("colour".to_owned())));
        assert_eq!(error(&sealed(&body().replacen("uid =", "uid = 1000\nuid =", 1))), NoRecord::Damaged(Some("uid".to_owned())));
        assert_eq!(error(&sealed(&body().replacen("not_before", "not_befor", 1))), NoRecord::Damaged(Some("not_before".to_owned())));
        let newer = format!("format = 2\nsum = \"{}\"\nwhatever", checksum(1000, "2", "whatever"));
        assert_eq!(error(newer.as_bytes()), NoRecord::Newer);
        assert_eq!(error(b"format = 2\nwhatever"), NoRecord::Damaged(None));
        for format in ["0", "-1", "+2", "2x", "99999999999"] {
            assert_eq!(error(format!("format = {format}\n").as_bytes()), NoRecord::Damaged(None));
        }
    }

    #[test]
    fn values_out_of_bounds_are_refused_by_key() {
        for (from, to, key) in [
            ("number = 3", "number = 5", "number"),
            ("digits = 8", "digits = 7", "digits"),
            ("period = 60", "period = 0", "period"),
            ("sha256", "md5", "algorithm"),
            ("memory_kib = 1024", "memory_kib = 4000000", "memory_kib"),
            ("label = \"phone\"", "label = \"ph\\u001bone\"", "label"),
            ("slot = \"A\"", "slot = \"AB\"", "slot"),
            ("uid = 1000", "uid = \"1000\"", "uid"),
        ] {
            let changed = body().replacen(from, to, 1);
            assert_ne!(changed, body(), "{from}");
            assert_eq!(error(&sealed(&changed)), NoRecord::Damaged(Some(key.to_owned())));
        }
        for (from, to) in
            [("number = 3", "number = 1"), ("slot = \"A\"", "slot = \"1\""), ("tablet 2.b_-", "phone"), ("uid = 1000", "uid = 1001")]
        {
            assert_eq!(error(&sealed(&body().replacen(from, to, 1))), NoRecord::Damaged(None), "{from}");
        }
    }

    proptest::proptest! {
        #[test]
        fn names_and_makers_of_any_kind_come_back(name: String, by: String) {
            let record = Record { name, changed_by: by, ..sample() };
            let read = Record::parse(1000, record.to_text().as_bytes()).unwrap();
            proptest::prop_assert_eq!(read.name, record.name);
            proptest::prop_assert_eq!(read.changed_by, record.changed_by);
        }

        #[test]
        fn no_bytes_panic(junk: Vec<u8>) {
            proptest::prop_assert!(Record::parse(1000, &junk).is_err());
            let _ = Record::parse(1000, &sealed(&String::from_utf8_lossy(&junk)));
        }
    }
}
