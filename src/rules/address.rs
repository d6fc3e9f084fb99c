//! The otpauth address that a QR code holds: `otpauth://totp/ISSUER:ACCOUNT?secret=BASE32&issuer=ISSUER`.
//!
//! algorithm, digits and period stand in it only where they differ from SHA-1, 6 and 30, which every app takes for
//! granted: so the code of an ordinary address has 33 modules and fits a terminal of 24 rows.
#![forbid(unsafe_code)]

use std::fmt::Write;

use zeroize::Zeroizing;

use super::outside::is_printable;
use super::totp::{Algorithm, Parameters, Secret};

/// How an app names an entry: `web1: alice`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub issuer: String,
    pub account: String,
}

/// The longest issuer or account, in characters.
const LONGEST: usize = 64;

impl Entry {
    /// The entry of that user on that machine. A colon parts the two in the address, so none stands in either; nor does
    /// what an app would not show.
    pub fn new(host: &str, user: &str) -> Self {
        Self { issuer: plain(host), account: plain(user) }
    }
}

fn plain(text: &str) -> String {
    text.chars().take(LONGEST).map(|letter| if letter != ':' && is_printable(letter) { letter } else { '_' }).collect()
}

/// Base32 without padding, upper case.
pub fn base32(secret: &Secret) -> Zeroizing<String> {
    Zeroizing::new(data_encoding::BASE32_NOPAD.encode(secret.expose()))
}

pub fn address(entry: &Entry, secret: &Secret, parameters: Parameters) -> Zeroizing<String> {
    let (issuer, account) = (percent(&entry.issuer), percent(&entry.account));
    // Enough for all, so that no copy of the secret is left behind by a growing buffer.
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let usual = Parameters::default();
    // Writing to a String cannot fail.
    let _ = write!(text, "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}", *base32(secret));
    if parameters.algorithm != usual.algorithm {
        let _ = write!(text, "&algorithm={}", upper(parameters.algorithm));
    }
    if parameters.digits != usual.digits {
        let _ = write!(text, "&digits={}", parameters.digits);
    }
    if parameters.period != usual.period {
        let _ = write!(text, "&period={}", parameters.period);
    }
    text
}

fn upper(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Sha1 => "SHA1",
        Algorithm::Sha256 => "SHA256",
    }
}

/// RFC 3986 2.1: all but the unreserved characters as %XX of their UTF-8 bytes.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new(b"12345678901234567890").unwrap()
    }

    /// RFC 3986, strictly: scheme, authority, path and query of nothing but what may stand there; decoded.
    fn read(address: &str) -> (String, String, Vec<(String, String)>) {
        assert!(address.bytes().all(|byte| byte.is_ascii_graphic()), "{address}");
        let (path, query) = address.strip_prefix("otpauth://totp/").unwrap().split_once('?').unwrap();
        assert!(!query.contains('?') && !path.contains(['/', '&', '=', '#', '@']));
        let (issuer, account) = path.split_once(':').unwrap();
        assert!(!account.contains(':'));
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap()).map(|(key, value)| (key.to_owned(), decoded(value)));
        (decoded(issuer), decoded(account), pairs.collect())
    }

    fn decoded(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let pair = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).unwrap());
            } else {
                assert!(byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
                bytes.push(byte);
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_ordinary_address_has_only_what_differs() {
        let entry = Entry::new("web1", "alice");
        let text = address(&entry, &secret(), Parameters::default());
        assert_eq!(*text, "otpauth://totp/web1:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=web1");
        let other = Parameters { algorithm: Algorithm::Sha256, digits: 8, period: 60 };
        assert!(address(&entry, &secret(), other).ends_with("&issuer=web1&algorithm=SHA256&digits=8&period=60"));
    }

    #[test]
    fn j_07_hostile_names_come_back_from_a_strict_reader() {
        for (host, user) in [
            ("web1", "alice"),
            ("web1.example.org", "DOM\\alice"),
            ("a b", "alice@corp"),
            ("x?secret=A&issuer=B#c", "../../x"),
            ("100%", "%3a%00"),
            ("høst", "jürgen 日本"),
            ("", ""),
        ] {
            let (issuer, account, pairs) = read(&address(&Entry::new(host, user), &secret(), Parameters::default()));
            assert_eq!((issuer.as_str(), account.as_str()), (host, user));
            assert_eq!(pairs.len(), 2);
            assert_eq!(pairs[1], ("issuer".to_owned(), host.to_owned()));
        }
        for (hostile, shown) in [("a:b", "a_b"), ("a\nb\x1b[2J", "a_b_[2J"), ("a\u{202e}b\u{200b}", "a_b_"), ("\0", "_")] {
            assert_eq!(Entry::new(hostile, hostile), Entry { issuer: shown.to_owned(), account: shown.to_owned() });
        }
        assert_eq!(Entry::new(&"x".repeat(1000), "").issuer.len(), 64);
    }
}
