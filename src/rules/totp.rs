//! Codes from the app: RFC 6238 over RFC 4226, SHA-1 or SHA-256, 6 or 8 digits, steps of 30 or 60 seconds.
//!
//! Times are unix seconds; a step is named by the second it starts at, so that steps of different periods compare.
#![forbid(unsafe_code)]

use std::fmt::Write;

use subtle::{ConditionallySelectable, ConstantTimeGreater};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::code::Digits;
use super::journal::LATEST;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    Sha1,
    Sha256,
}

impl Algorithm {
    /// Its name in the record, on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256].into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// What both sides of an authenticator have agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    pub algorithm: Algorithm,
    /// 6 or 8.
    pub digits: u8,
    /// Seconds a step lasts: 30 or 60.
    pub period: u8,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { algorithm: Algorithm::Sha1, digits: 6, period: 30 }
    }
}

/// The shared secret of an authenticator: 16 to 64 bytes (RFC 4226 R6 asks for at least 128 bits). On the heap: a value
/// that is moved leaves its bytes behind where it was.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret {
    bytes: Box<[u8]>,
}

impl Secret {
    pub fn new(secret: &[u8]) -> Option<Self> {
        (16..=64).contains(&secret.len()).then(|| Self { bytes: secret.into() })
    }

    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// The same secret once more, for the record that takes the place of this one.
    pub fn again(&self) -> Self {
        Self { bytes: self.bytes.clone() }
    }
}

/// The code of the step that starts at `start`; none before 1970, nor past what the journal can hold.
pub fn code(secret: &Secret, parameters: Parameters, start: i64) -> Option<Digits> {
    if start > LATEST {
        return None;
    }
    let algorithm = match parameters.algorithm {
        Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
        Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
    };
    let totp = totp_rs::Builder::new()
        .with_algorithm(algorithm)
        .with_digits(parameters.digits)
        .with_step_duration(u64::from(parameters.period))
        .with_skew(0)
        .with_secret(secret.expose())
        .build()
        .ok()?;
    let mut text = Text { bytes: [0; 8], length: 0 };
    write!(text, "{}", totp.generate(u64::try_from(start).ok()?)).ok()?;
    Digits::new(text.bytes.get(..text.length)?)
}

/// A token's digits without a trip over the heap.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Text {
    bytes: [u8; 8],
    length: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length.checked_add(text.len()).ok_or(std::fmt::Error)?;
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// The start of the step that `now` lies in. `None` before 1970.
pub fn step_start(now: i64, period: u8) -> Option<i64> {
    if now < 0 {
        return None;
    }
    now.checked_sub(now.checked_rem(i64::from(period))?)
}

/// Where a typed code matches in the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Match {
    /// The lowest matching step above the floor.
    Fresh(i64),
    /// Only steps at or below the floor match.
    Used,
    None,
}

/// Looks for a code in the steps `-window..=window` around `now`. A step is used if it starts before `not_before`, or
/// not after `last`. The work does not depend on which step matches: every step is computed and compared in constant
/// time, and the choice among them is arithmetic (RFC 6238 5.2 allows one step of delay; never more here).
pub fn find(secret: &Secret, parameters: Parameters, typed: &Digits, now: i64, window: u8, floor: Floor) -> Match {
    let mut fresh = u64::MAX;
    let mut used = subtle::Choice::from(0);
    let period = i64::from(parameters.period);
    let window = i64::from(window);
    for distance in window.saturating_neg()..=window {
        let Some(start) = step_start(now, parameters.period).and_then(|start| start.checked_add(distance.checked_mul(period)?)) else {
            continue;
        };
        let (Some(code), Ok(place)) = (code(secret, parameters, start), u64::try_from(start)) else { continue };
        let same = code.same(typed);
        let above = subtle::Choice::from(u8::from(floor.is_below(start)));
        used |= same & !above;
        fresh.conditional_assign(&place, same & above & fresh.ct_gt(&place));
    }
    match i64::try_from(fresh) {
        Ok(start) => Match::Fresh(start),
        Err(_) if bool::from(used) => Match::Used,
        Err(_) => Match::None,
    }
}

/// Which steps are used already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Floor {
    /// From the record: a step that starts before this is refused.
    pub not_before: i64,
    /// From the journal: the start of the newest step ever accepted for this uid.
    pub last: i64,
}

impl Floor {
    /// Rule 5, *floor*: whatever else the two files say.
    pub fn is_below(self, start: i64) -> bool {
        start >= self.not_before && start > self.last
    }

    /// The earliest start that is above the floor.
    pub fn lowest(self) -> i64 {
        self.not_before.max(self.last.saturating_add(1))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    const OPEN: Floor = Floor { not_before: 0, last: -1 };

    fn typed(text: &str) -> Digits {
        Digits::new(text.as_bytes()).unwrap()
    }

    fn shown(secret: &Secret, parameters: Parameters, start: i64) -> String {
        String::from_utf8(code(secret, parameters, start).unwrap().expose().to_vec()).unwrap()
    }

    #[test]
    fn a_06_rfc_6238_appendix_b() {
        let sha1 = Secret::new(b"12345678901234567890").unwrap();
        let sha256 = Secret::new(b"12345678901234567890123456789012").unwrap();
        for (time, first, second) in [
            (59, "94287082", "46119246"),
            (1_111_111_109, "07081804", "68084774"),
            (1_111_111_111, "14050471", "67062674"),
            (1_234_567_890, "89005924", "91819424"),
            (2_000_000_000, "69279037", "90698825"),
            (20_000_000_000, "65353130", "77737706"),
        ] {
            for (secret, algorithm, expected) in [(&sha1, Algorithm::Sha1, first), (&sha256, Algorithm::Sha256, second)] {
                let eight = Parameters { algorithm, digits: 8, period: 30 };
                assert_eq!(shown(secret, eight, time), expected);
                assert_eq!(shown(secret, Parameters { digits: 6, ..eight }, time), expected[2..]);
                assert_eq!(find(secret, eight, &typed(expected), time, 0, OPEN), Match::Fresh(time - time % 30));
            }
        }
    }

    #[test]
    fn a_06_rfc_4226_appendix_d() {
        let secret = Secret::new(b"12345678901234567890").unwrap();
        let codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, expected) in (0..).zip(codes) {
            assert_eq!(shown(&secret, Parameters::default(), counter * 30), expected);
        }
    }

    #[test]
    fn a_08_the_lowest_unused_of_two_equal_steps_is_taken() {
        // Under this secret two neighbouring steps have one code; found by search, below.
        let secret = Secret::new(b"12345678901234567890").unwrap();
        let parameters = Parameters::default();
        let start = (0..4_000_000)
            .map(|step| step * 30)
            .find(|start| shown(&secret, parameters, *start) == shown(&secret, parameters, start + 30))
            .unwrap();
        let both = typed(&shown(&secret, parameters, start));
        let floor = |last| Floor { not_before: 0, last };
        assert_eq!(find(&secret, parameters, &both, start + 30, 1, floor(-1)), Match::Fresh(start));
        assert_eq!(find(&secret, parameters, &both, start + 30, 1, floor(start)), Match::Fresh(start + 30));
        assert_eq!(find(&secret, parameters, &both, start + 30, 1, floor(start + 30)), Match::Used);
    }

    #[test]
    fn a_04_the_window_and_the_floor() {
        let secret = Secret::new(&[7; 20]).unwrap();
        for period in [30, 60] {
            let parameters = Parameters { period, ..Parameters::default() };
            let step = i64::from(period);
            let now = 1_800_000_000 + 17;
            let base = now - now % step;
            for distance in -3..=3 {
                let start = base + distance * step;
                let code = typed(&shown(&secret, parameters, start));
                for window in [0, 1] {
                    let expected = if distance.abs() <= i64::from(window) { Match::Fresh(start) } else { Match::None };
                    assert_eq!(find(&secret, parameters, &code, now, window, OPEN), expected);
                }
                if distance.abs() <= 1 {
                    let floor = Floor { not_before: 0, last: base };
                    let expected = if distance == 1 { Match::Fresh(start) } else { Match::Used };
                    assert_eq!(find(&secret, parameters, &code, now, 1, floor), expected);
                    let floor = Floor { not_before: base + 1, last: -1 };
                    assert_eq!(find(&secret, parameters, &code, now, 1, floor), expected);
                }
            }
        }
    }

    #[test]
    fn g_03_no_time_overflows_or_panics() {
        let secret = Secret::new(&[9; 20]).unwrap();
        let guess = typed("123456");
        for time in [
            i64::MIN,
            -31,
            -1,
            0,
            1,
            29,
            30,
            (1 << 31) - 1,
            1 << 31,
            (1 << 31) + 1,
            (1 << 32) - 1,
            1 << 32,
            (1 << 32) + 1,
            1 << 33,
            i64::MAX,
        ] {
            for window in [0, 1] {
                for floor in [OPEN, Floor { not_before: i64::MAX, last: i64::MAX }, Floor { not_before: i64::MIN, last: i64::MIN }] {
                    let _ = find(&secret, Parameters::default(), &guess, time, window, floor);
                    let _ = floor.lowest();
                }
            }
        }
        let first = typed(&shown(&secret, Parameters::default(), 0));
        assert_eq!(find(&secret, Parameters::default(), &first, 0, 1, OPEN), Match::Fresh(0));
        assert_eq!(find(&secret, Parameters::default(), &first, 45, 1, OPEN), Match::Fresh(0));
        assert_eq!(find(&secret, Parameters::default(), &first, -1, 1, OPEN), Match::None);
    }
}
