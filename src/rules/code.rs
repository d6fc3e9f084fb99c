//! What a person typed: digits from the app, or a recovery code.
//!
//! A recovery code is `XXXX-XXXX-XXXX-XXXX` in Crockford Base32: one slot symbol (which of the codes), 14 random
//! symbols (70 bits), one check symbol. The check is a parity over GF(32) (x^5+x^2+1, alpha its root): the sum of
//! alpha^i times symbol i over all sixteen is 0. Every single wrong symbol and every swap of two neighbours breaks
//! it, so a typing error is told from a guess, is not counted and costs no hash.
#![forbid(unsafe_code)]

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The most bytes of an answer that are looked at; a longer one is malformed.
pub const LONGEST: usize = 64;

/// An answer to "Verification code:", read.
pub enum Typed {
    Digits(Digits),
    Recovery(RecoveryCode),
    /// The form of a recovery code, but the check symbol says that a symbol is wrong.
    Typo,
    /// No code at all: another length or alphabet.
    Malformed,
}

/// Reads an answer. Case, spaces and hyphens are forgiven, and I, L and O of a recovery code.
pub fn read(answer: &[u8]) -> Typed {
    let answer = answer.trim_ascii();
    if answer.len() > LONGEST {
        return Typed::Malformed;
    }
    let mut kept: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(LONGEST));
    kept.extend(answer.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != b'-'));
    if let Some(digits) = Digits::new(&kept) {
        return Typed::Digits(digits);
    }
    match symbols(&kept) {
        Some(symbols) => RecoveryCode::checked(symbols).map_or(Typed::Typo, Typed::Recovery),
        None => Typed::Malformed,
    }
}

/// Six or eight digits. Always a guess, whatever lengths the record has.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Digits {
    text: [u8; 8],
    length: usize,
}

impl Digits {
    /// Six or eight ASCII digits, or nothing.
    pub fn new(text: &[u8]) -> Option<Self> {
        if !matches!(text.len(), 6 | 8) || !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut digits = Self { text: [0; 8], length: text.len() };
        digits.text.get_mut(..text.len())?.copy_from_slice(text);
        Some(digits)
    }

    /// Whether both are the same code, in constant time.
    pub fn same(&self, other: &Self) -> subtle::Choice {
        self.text.ct_eq(&other.text)
    }

    /// The digits, for the one who computes them for a person or compares them with a password.
    pub fn expose(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}

/// The alphabet of recovery codes: Crockford Base32, without I, L, O and U.
const ALPHABET: [u8; 32] = *b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Which code of its set a recovery code is: the value (0 to 31) of its first symbol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Slot(u8);

impl Slot {
    /// The slot of that value, 0 to 31.
    pub fn new(value: u8) -> Option<Self> {
        (value < 32).then_some(Self(value))
    }

    /// The slot of that symbol, upper case.
    pub fn of_symbol(symbol: char) -> Option<Self> {
        let byte = u8::try_from(symbol).ok()?;
        let place = ALPHABET.iter().position(|known| *known == byte)?;
        Self::new(u8::try_from(place).ok()?)
    }

    pub fn value(self) -> u8 {
        self.0
    }

    pub fn symbol(self) -> char {
        char::from(ALPHABET.get(usize::from(self.0)).copied().unwrap_or(b'0'))
    }

    /// Its bit among the 32 spent marks of the journal.
    pub fn mark(self) -> u32 {
        1_u32.checked_shl(u32::from(self.0)).unwrap_or(0)
    }
}

/// A recovery code whose check symbol fits.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode {
    symbols: [u8; 16],
}

impl RecoveryCode {
    /// The code of that slot over 14 symbols (each byte's low five bits), with its check symbol.
    pub fn made(slot: Slot, random: &[u8; 14]) -> Self {
        let mut symbols = [0_u8; 16];
        for (place, value) in symbols.iter_mut().zip(std::iter::once(slot.0).chain(random.iter().map(|byte| byte & 31))) {
            *place = value;
        }
        // The last symbol stands at alpha^15: it is the one value that brings the sum to 0.
        let open = sum(&symbols);
        let check = (0..32).find(|value| times_alpha(*value, 15) == open).unwrap_or(0);
        if let Some(last) = symbols.last_mut() {
            *last = check;
        }
        Self { symbols }
    }

    fn checked(symbols: [u8; 16]) -> Option<Self> {
        (sum(&symbols) == 0).then_some(Self { symbols })
    }

    pub fn slot(&self) -> Slot {
        Slot(self.symbols.first().copied().unwrap_or(0))
    }

    /// The sixteen symbols as letters: what is hashed, and what is shown in groups of four.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(16));
        for value in self.symbols {
            text.push(Slot(value).symbol());
        }
        text
    }

    /// The code as it is printed: four groups of four.
    pub fn grouped(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(19));
        for (place, value) in self.symbols.into_iter().enumerate() {
            if place > 0 && place.is_multiple_of(4) {
                text.push('-');
            }
            text.push(Slot(value).symbol());
        }
        text
    }

    /// Whether both are the same code, in constant time.
    pub fn same(&self, other: &Self) -> bool {
        self.symbols.ct_eq(&other.symbols).into()
    }
}

/// Sixteen letters of the alphabet as values; Crockford's likenesses (I and L for 1, O for 0) are forgiven.
fn symbols(text: &[u8]) -> Option<[u8; 16]> {
    let mut values = [0_u8; 16];
    if text.len() != values.len() {
        return None;
    }
    for (place, letter) in values.iter_mut().zip(text) {
        let letter = match letter.to_ascii_uppercase() {
            b'I' | b'L' => b'1',
            b'O' => b'0',
            other => other,
        };
        *place = Slot::of_symbol(char::from(letter))?.0;
    }
    Some(values)
}

/// The sum of alpha^i times symbol i.
fn sum(symbols: &[u8; 16]) -> u8 {
    symbols.iter().zip(0..).fold(0, |sum, (symbol, place)| sum ^ times_alpha(*symbol, place))
}

/// alpha^power times a value of GF(32).
fn times_alpha(value: u8, power: u8) -> u8 {
    (0..power).fold(value, |value, _| {
        let doubled = value << 1;
        if doubled & 32 == 0 { doubled } else { (doubled ^ 0b10_0101) & 31 }
    })
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    /// The codes of a sheet, as printed.
    fn sheet() -> Vec<String> {
        (1..=10_u8).map(|value| made(value, value.wrapping_mul(97)).grouped().to_string()).collect()
    }

    fn made(slot: u8, seed: u8) -> RecoveryCode {
        let random = std::array::from_fn(|place| seed.wrapping_add(u8::try_from(place).unwrap().wrapping_mul(37)));
        RecoveryCode::made(Slot::new(slot).unwrap(), &random)
    }

    fn kind(answer: &str) -> &'static str {
        match read(answer.as_bytes()) {
            Typed::Digits(_) => "digits",
            Typed::Recovery(_) => "recovery",
            Typed::Typo => "typo",
            Typed::Malformed => "malformed",
        }
    }

    #[test]
    fn printed_codes_are_read() {
        for (code, slot) in sheet().iter().zip(1..) {
            let Typed::Recovery(read) = read(code.as_bytes()) else { panic!("{code}") };
            assert_eq!(read.slot().value(), slot);
            assert_eq!(read.grouped().as_str(), *code);
            assert_eq!(code.len(), 19);
        }
    }

    #[test]
    fn the_check_is_a_sum_over_gf_32_with_the_first_symbol_at_alpha_0() {
        assert_eq!((times_alpha(1, 5), times_alpha(16, 1), times_alpha(1, 31)), (0b0_0101, 0b0_0101, 1));
        let code = RecoveryCode::made(Slot::new(1).unwrap(), &[0; 14]);
        assert_eq!(times_alpha(*code.symbols.last().unwrap(), 15), 1);
    }

    #[test]
    fn k_02_every_single_wrong_symbol_and_every_swap_of_neighbours_is_a_typo() {
        for code in sheet() {
            let letters: Vec<u8> = code.bytes().filter(|byte| *byte != b'-').collect();
            for place in 0..16 {
                for symbol in ALPHABET.into_iter().filter(|symbol| *symbol != letters[place]) {
                    let mut wrong = letters.clone();
                    wrong[place] = symbol;
                    assert_eq!(kind(std::str::from_utf8(&wrong).unwrap()), "typo");
                }
                if place < 15 && letters[place] != letters[place + 1] {
                    let mut swapped = letters.clone();
                    swapped.swap(place, place + 1);
                    assert_eq!(kind(std::str::from_utf8(&swapped).unwrap()), "typo");
                }
            }
        }
    }

    #[test]
    fn k_03_case_spaces_hyphens_and_likenesses_are_forgiven_and_u_is_not() {
        let code = RecoveryCode::made(Slot::new(1).unwrap(), &[0; 14]).grouped().to_string();
        assert!(code.starts_with("1000-0000"));
        for likeness in ["i", "I", "l", "L"] {
            assert_eq!(kind(&format!("{likeness}{}", &code[1..])), "recovery");
        }
        for written in [
            code.replace('0', "o"),
            code.replace('0', "O"),
            code.replace('-', ""),
            code.replace('-', " "),
            format!("  {}\n", code.to_lowercase()),
        ] {
            assert_eq!(kind(&written), "recovery", "{written}");
        }
        assert_eq!(kind(&code.replacen('0', "U", 1)), "malformed");
        assert_eq!(kind(&code[..18]), "malformed");
        assert_eq!(kind(&format!("{code}0")), "malformed");
    }

    #[test]
    fn codes_made_are_codes_read() {
        for slot in 0..32 {
            for seed in 0..=255 {
                let made = made(slot, seed);
                let Typed::Recovery(read) = read(made.grouped().as_bytes()) else { panic!("{slot}") };
                assert!(read.same(&made));
            }
        }
    }

    #[test]
    fn only_six_or_eight_digits_are_digits() {
        for (answer, expected) in [
            ("123456", "digits"),
            ("123 456", "digits"),
            ("1234-5678", "digits"),
            ("000000", "digits"),
            ("", "malformed"),
            ("12345", "malformed"),
            ("1234567", "malformed"),
            ("123456789", "malformed"),
            ("+12345", "malformed"),
            ("12345a", "malformed"),
            ("١٢٣٤٥٦", "malformed"),
            ("\u{8}\n\r\u{7f}INCORRECT", "malformed"),
        ] {
            assert_eq!(kind(answer), expected, "{answer:?}");
        }
        assert_eq!(kind(&"1".repeat(65)), "malformed");
        assert_eq!(kind(&format!("{}123456", " ".repeat(1000))), "digits");
    }
}
