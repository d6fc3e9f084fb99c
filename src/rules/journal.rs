//! `<uid>.state`, the journal: what logins change, as a value.
//!
//! 8192 bytes: two slots, each at the start of a 4 KiB block, each one line of 512 ASCII bytes in fixed columns. The
//! newest good slot is the journal; the other is overwritten next. The line ends in a checksum over uid, slot number
//! and line, so a slot that was torn, flipped or copied to another place is no slot.
#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};

use super::code::Slot;
use super::throttle::{Count, Throttle};

/// The size of the file.
pub const SIZE: usize = 8192;
/// Where the second slot starts.
pub const BLOCK: usize = 4096;
/// The length of a slot's line, the newline included.
pub const LINE: usize = 512;
/// The latest time that fits a column.
pub const LATEST: i64 = 99_999_999_999;

const NAME: &str = "countersign-state";
const FORMAT: u32 = 1;
const FROM: usize = 64;
const SUM: usize = 16;

/// Which set of recovery codes: random, new with every new set; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SetId(pub u64);

/// The journal. Times are unix seconds, 0 is never.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Journal {
    pub sequence: u64,
    pub set: SetId,
    /// A bit for each slot symbol of `set` whose recovery code is spent.
    pub spent: u32,
    /// Start of the newest step ever accepted for this uid.
    pub last: i64,
    /// The period of that step in seconds: 30, 60, or 0.
    pub last_period: u8,
    /// When authenticators 1 to 4 were last used.
    pub used: [i64; 4],
    /// When a recovery code was last used.
    pub recovered: i64,
    /// Whether a record should stand beside this journal.
    pub record: bool,
    pub throttle: Throttle,
    pub failed: Failed,
    /// The last three successes that could show notices, oldest first.
    pub told: [i64; 3],
}

/// The failures to report.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Failed {
    pub count: u32,
    pub first: i64,
    pub last: i64,
    /// Where the last one came from; empty is unknown.
    pub from: Source,
}

/// Where an attempt came from: at most 64 printable ASCII characters without a space.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Source(String);

impl Source {
    /// What cannot stand in the column becomes `?`.
    pub fn new(text: &[u8]) -> Self {
        Self(text.iter().take(FROM).map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' }).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why there is no journal to be had from the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// Two bad slots, equal sequences, or another size.
    Damaged,
    /// Written by a newer Countersign.
    Newer,
}

/// Both slots, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair {
    /// The newest good one.
    pub journal: Journal,
    /// Which slot it stands in: 0 or 1.
    pub newest: usize,
    /// The other slot is bad: no loss, but worth a line in the log.
    pub other_bad: bool,
}

impl Pair {
    pub fn parse(uid: u32, file: &[u8]) -> Result<Self, Unreadable> {
        if file.len() != SIZE {
            return Err(Unreadable::Damaged);
        }
        let first = line_at(file, 0).and_then(|line| parse_line(uid, 0, line))?;
        let second = line_at(file, 1).and_then(|line| parse_line(uid, 1, line))?;
        match (first, second) {
            (Some(first), Some(second)) if first.sequence == second.sequence => Err(Unreadable::Damaged),
            (Some(first), Some(second)) if first.sequence > second.sequence => Ok(Self { journal: first, newest: 0, other_bad: false }),
            (Some(_), Some(second)) => Ok(Self { journal: second, newest: 1, other_bad: false }),
            (Some(first), None) => Ok(Self { journal: first, newest: 0, other_bad: true }),
            (None, Some(second)) => Ok(Self { journal: second, newest: 1, other_bad: true }),
            (None, None) => Err(Unreadable::Damaged),
        }
    }
}

/// A slot's line out of the file's bytes.
pub fn line_at(file: &[u8], slot: usize) -> Result<&[u8], Unreadable> {
    let start = if slot == 0 { 0 } else { BLOCK };
    file.get(start..).and_then(|rest| rest.get(..LINE)).ok_or(Unreadable::Damaged)
}

impl Journal {
    /// The spent marks as they count for that set (rule 6, *set*): another set is unspent.
    pub fn spent_of(&self, set: SetId) -> u32 {
        if self.set == set { self.spent } else { 0 }
    }

    pub fn is_spent(&self, set: SetId, slot: Slot) -> bool {
        self.spent_of(set) & slot.mark() != 0
    }

    /// The line of this journal for that uid in that slot.
    pub fn line(&self, uid: u32, slot: usize) -> [u8; LINE] {
        let mut text = format!(
            "{NAME} {FORMAT} seq={:020} set={:016x} spent={:08x} last={:011}/{:02} used={:011},{:011},{:011},{:011},{:011} record={} remote={} local={} self={} failed={:05},{:011},{:011},{:<64} told={:011},{:011},{:011}",
            self.sequence,
            self.set.0,
            self.spent,
            column(self.last),
            self.last_period.min(99),
            column(self.used[0]),
            column(self.used[1]),
            column(self.used[2]),
            column(self.used[3]),
            column(self.recovered),
            u8::from(self.record),
            lane(&self.throttle.remote),
            lane(&self.throttle.local),
            lane(&self.throttle.own),
            self.failed.count.min(99_999),
            column(self.failed.first),
            column(self.failed.last),
            if self.failed.from.0.is_empty() { "-" } else { &self.failed.from.0 },
            column(self.told[0]),
            column(self.told[1]),
            column(self.told[2]),
        );
        let sum = checksum(uid, slot, text.as_bytes());
        text.push_str(" sum=");
        text.push_str(&sum);
        let mut line = [b' '; LINE];
        for (place, byte) in line.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        if let Some(last) = line.last_mut() {
            *last = b'\n';
        }
        line
    }

    /// A whole new file: two good slots, this journal and the same with the next sequence.
    pub fn file(&self, uid: u32) -> Vec<u8> {
        let second = Self { sequence: self.sequence.saturating_add(1), ..self.clone() };
        let mut file = vec![0; SIZE];
        for (place, byte) in file.iter_mut().zip(self.line(uid, 0)) {
            *place = byte;
        }
        for (place, byte) in file.iter_mut().skip(BLOCK).zip(second.line(uid, 1)) {
            *place = byte;
        }
        file
    }
}

fn column(time: i64) -> i64 {
    time.clamp(0, LATEST)
}

fn lane(count: &Count) -> String {
    format!("{:03},{:011},{:02},{:011}", count.streak.min(999), column(count.last_failure), count.bucket.min(99), column(count.drained_at))
}

/// 16 hex digits of SHA-256 over uid, slot number and line.
fn checksum(uid: u32, slot: usize, line: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{uid}\n{slot}\n"));
    hash.update(line);
    let mut sum = data_encoding::HEXLOWER.encode(&hash.finalize());
    sum.truncate(SUM);
    sum
}

/// One slot: good, bad (`None`), or of a higher format. Every format keeps to ending the line in the checksum: so a
/// flipped bit in the format's digits is a bad slot, and a higher format never is.
fn parse_line(uid: u32, slot: usize, line: &[u8]) -> Result<Option<Journal>, Unreadable> {
    let Ok(text) = std::str::from_utf8(line) else { return Ok(None) };
    let Some((columns, sum)) = text.rsplit_once(" sum=") else { return Ok(None) };
    if sum.trim_end() != checksum(uid, slot, columns.as_bytes()) {
        return Ok(None);
    }
    let Some(rest) = columns.strip_prefix(NAME).and_then(|rest| rest.strip_prefix(' ')) else { return Ok(None) };
    match rest.split(' ').next().and_then(|format| format.parse::<u32>().ok()) {
        Some(FORMAT) => {}
        Some(higher) if higher > FORMAT => return Err(Unreadable::Newer),
        Some(_) | None => return Ok(None),
    }
    // Reading is writing back: what does not come out the same, byte for byte, is no good slot.
    Ok(parse_columns(text).filter(|journal| journal.line(uid, slot) == line))
}

fn parse_columns(text: &str) -> Option<Journal> {
    let mut words = Columns(text);
    words.skip(&format!("{NAME} {FORMAT}"))?;
    let sequence = words.named(" seq=", 20)?.parse().ok()?;
    let set = SetId(u64::from_str_radix(words.named(" set=", 16)?, 16).ok()?);
    let spent = u32::from_str_radix(words.named(" spent=", 8)?, 16).ok()?;
    let last = words.time(" last=")?;
    let last_period = words.named("/", 2)?.parse().ok()?;
    let used = [words.time(" used=")?, words.time(",")?, words.time(",")?, words.time(",")?];
    let recovered = words.time(",")?;
    let record = words.named(" record=", 1)? == "1";
    let throttle = Throttle { remote: words.lane(" remote=")?, local: words.lane(" local=")?, own: words.lane(" self=")? };
    let count = words.named(" failed=", 5)?.parse().ok()?;
    let (first, last_failure) = (words.time(",")?, words.time(",")?);
    let from = match words.named(",", FROM)?.trim_end_matches(' ') {
        "-" => Source::default(),
        from => Source(from.to_owned()),
    };
    let told = [words.time(" told=")?, words.time(",")?, words.time(",")?];
    let failed = Failed { count, first, last: last_failure, from };
    Some(Journal { sequence, set, spent, last, last_period, used, recovered, record, throttle, failed, told })
}

/// The rest of a line whose columns are being read.
struct Columns<'a>(&'a str);

impl<'a> Columns<'a> {
    fn skip(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn named(&mut self, name: &str, width: usize) -> Option<&'a str> {
        self.skip(name)?;
        let (value, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        Some(value)
    }

    fn time(&mut self, name: &str) -> Option<i64> {
        self.named(name, 11)?.parse().ok()
    }

    fn lane(&mut self, name: &str) -> Option<Count> {
        let streak = self.named(name, 3)?.parse().ok()?;
        let last_failure = self.time(",")?;
        let bucket = self.named(",", 2)?.parse().ok()?;
        Some(Count { streak, last_failure, bucket, drained_at: self.time(",")? })
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    pub(super) fn sample() -> Journal {
        Journal {
            sequence: 41,
            set: SetId(0x1234_5678_9abc_def0),
            spent: 0b1010,
            last: 1_795_499_550,
            last_period: 30,
            used: [1_795_499_551, 0, 0, 7],
            recovered: 1_795_000_000,
            record: true,
            throttle: Throttle {
                remote: Count { streak: 3, last_failure: 1_795_499_000, bucket: 17, drained_at: 1_795_490_000 },
                ..Throttle::default()
            },
            failed: Failed { count: 3, first: 5, last: 6, from: Source::new(b"198.51.100.9") },
            told: [1, 2, 3],
        }
    }

    #[test]
    fn a_journal_comes_back_as_written() {
        for journal in [sample(), Journal::default()] {
            let pair = Pair::parse(1000, &journal.file(1000)).unwrap();
            assert_eq!(pair, Pair { journal: Journal { sequence: journal.sequence + 1, ..journal }, newest: 1, other_bad: false });
        }
    }

    #[test]
    fn a_line_is_ascii_in_fixed_columns() {
        let line = sample().line(1000, 0);
        let text = std::str::from_utf8(&line).unwrap();
        assert!(text.is_ascii() && text.ends_with('\n') && text.trim_end().len() < LINE);
        let full = Journal {
            failed: Failed { count: 99_999, first: LATEST, last: LATEST, from: Source::new(&[b'x'; 300]) },
            sequence: u64::MAX,
            ..sample()
        };
        assert_eq!(std::str::from_utf8(&full.line(u32::MAX, 1)).unwrap().trim_end().len(), text.trim_end().len());
    }

    #[test]
    fn d_03_every_flipped_byte_of_a_slot_is_a_bad_slot_and_the_other_is_used() {
        let file = sample().file(1000);
        for place in 0..SIZE {
            let in_a_slot = place % BLOCK < LINE;
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[place] ^= 1 << bit;
                match Pair::parse(1000, &flipped) {
                    Ok(pair) if in_a_slot => {
                        assert!(pair.other_bad);
                        assert_eq!(pair.newest, usize::from(place < BLOCK));
                    }
                    Ok(pair) => assert!(!pair.other_bad),
                    Err(error) => panic!("{place} {bit} {error:?}"),
                }
            }
        }
    }

    #[test]
    fn d_03_another_size_two_bad_slots_and_equal_sequences_are_damage() {
        let file = sample().file(1000);
        for length in (0..SIZE).step_by(37) {
            assert_eq!(Pair::parse(1000, &file[..length]), Err(Unreadable::Damaged));
        }
        assert_eq!(Pair::parse(1000, &[&file[..], b"x"].concat()), Err(Unreadable::Damaged));
        assert_eq!(Pair::parse(1001, &file), Err(Unreadable::Damaged));
        assert_eq!(Pair::parse(1000, &[0; SIZE]), Err(Unreadable::Damaged));
        let mut equal = file.clone();
        equal[BLOCK..BLOCK + LINE].copy_from_slice(&sample().line(1000, 1));
        assert_eq!(Pair::parse(1000, &equal), Err(Unreadable::Damaged));
        let mut copied = file.clone();
        copied.copy_within(..LINE, BLOCK);
        assert!(Pair::parse(1000, &copied).unwrap().other_bad);
    }

    #[test]
    fn d_05_a_higher_format_is_newer_never_a_bad_slot() {
        let line = "countersign-state 2 whatever=comes then";
        let mut file = sample().file(1000);
        let newer = format!("{line} sum={}", checksum(1000, 0, line.as_bytes()));
        file[..LINE].copy_from_slice(format!("{newer:511}\n").as_bytes());
        assert_eq!(Pair::parse(1000, &file), Err(Unreadable::Newer));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic_and_what_is_read_is_written_back(junk: Vec<u8>, place in 0..SIZE, from: Vec<u8>, sequence: u64, spent: u32, last: i64) {
            let journal = Journal { sequence: sequence / 2, spent, last: last.clamp(0, LATEST), failed: Failed { from: Source::new(&from), ..Failed::default() }, ..sample() };
            let mut file = journal.file(7);
            let written = Pair::parse(7, &file).unwrap();
            proptest::prop_assert_eq!(&written.journal, &Journal { sequence: journal.sequence + 1, ..journal.clone() });
            for (byte, junk) in file.iter_mut().skip(place).zip(junk) { *byte = junk; }
            if let Ok(pair) = Pair::parse(7, &file) {
                proptest::prop_assert!(pair.journal.sequence >= journal.sequence);
            }
        }
    }
}
