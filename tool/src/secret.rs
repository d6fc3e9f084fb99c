//! `--secret-stdin`: a secret that exists already, as base32 on standard input. What was read is never repeated.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use countersign::flows::refusal::{Kind, Refusal, errno};
use countersign::rules::totp::Secret;
use data_encoding::BASE32_NOPAD;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use zeroize::Zeroizing;

/// The most that is read: 512 bits are 103 letters.
const MOST: usize = 1024;

/// Reads to the end. To be called before signals are held back, so that Ctrl-C ends the wait.
pub(crate) fn from_stdin() -> Result<Secret, Refusal> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Wrong::Terminal.refusal());
    }
    read(stdin.as_fd()).and_then(|text| meant(&text)).map_err(Wrong::refusal)
}

/// Past `std::io::Stdin`, whose buffer is not wiped.
fn read(stdin: impl AsFd) -> Result<Zeroizing<Vec<u8>>, Wrong> {
    let mut text = Zeroizing::new(vec![0; MOST.saturating_add(1)]);
    let mut length = 0_usize;
    loop {
        let room = text.get_mut(length..).unwrap_or_default();
        if room.is_empty() {
            return Err(Wrong::TooMuch);
        }
        match nix::unistd::read(&stdin, room) {
            Ok(0) => break,
            Ok(more) => length = length.saturating_add(more),
            Err(Errno::EAGAIN) => {
                let _ = nix::poll::poll(&mut [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE);
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Wrong::Unread(io::Error::from(errno).raw_os_error().unwrap_or(0))),
        }
    }
    text.truncate(length);
    Ok(text)
}

/// RFC 4648 6, as people copy it: in groups, on several lines, in small letters, padded or not. Bits behind the last
/// byte MUST be zero (RFC 4648 3.5 leaves it open): most often a copy that was cut short has others.
fn meant(text: &[u8]) -> Result<Secret, Wrong> {
    let padding = |byte: &u8| *byte == b'=' || byte.is_ascii_whitespace();
    let end = text.iter().rposition(|byte| !padding(byte)).map_or(0, |last| last.saturating_add(1));
    let text = text.get(..end).unwrap_or_default();
    let mut letters = Zeroizing::new(Vec::with_capacity(text.len()));
    letters.extend(text.iter().filter(|byte| **byte != b'-' && !byte.is_ascii_whitespace()).map(u8::to_ascii_uppercase));
    if letters.is_empty() {
        return Err(Wrong::Nothing);
    }
    let room = BASE32_NOPAD.decode_len(letters.len()).map_err(|_| Wrong::NotBase32)?;
    let mut bytes = Zeroizing::new(vec![0; room]);
    let length = BASE32_NOPAD.decode_mut(&letters, &mut bytes).map_err(|_| Wrong::NotBase32)?;
    Secret::new(bytes.get(..length).unwrap_or_default()).ok_or(Wrong::Length { bits: length.saturating_mul(8) })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wrong {
    Terminal,
    /// errno
    Unread(i32),
    Nothing,
    TooMuch,
    NotBase32,
    Length {
        bits: usize,
    },
}

impl Wrong {
    fn refusal(self) -> Refusal {
        let fact = match self {
            Self::Terminal => "--secret-stdin reads a file or a pipe, not a terminal".to_owned(),
            Self::Unread(number) => format!("can't read standard input ({})", errno(number)),
            Self::Nothing => "there is no secret on standard input".to_owned(),
            Self::TooMuch => format!("there is more than a secret on standard input (over {MOST} bytes)"),
            Self::NotBase32 => "what is on standard input is not base32 (A to Z, 2 to 7), or is cut short".to_owned(),
            Self::Length { bits } => format!("the secret on standard input has {bits} bits, wanted: 128 to 512"),
        };
        Refusal::new(Kind::Usage, fact, "put base32 in a file and run it again with: < FILE")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";
    const TEXT: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn a_secret_is_read_as_people_copy_it() {
        for text in [
            TEXT.to_owned(),
            format!("{TEXT}\n"),
            format!("\n  {}\r\n\r\n", TEXT.to_lowercase()),
            "GEZD GNBV GY3T QOJQ\nGEZD GNBV GY3T QOJQ".to_owned(),
            "gezd-gnbv-gy3t-qojq\tgezd-gnbv-gy3t-qojq".to_owned(),
            format!("{TEXT}======"),
            format!("{TEXT}== ==\n=\n"),
        ] {
            assert_eq!(meant(text.as_bytes()).unwrap_or_else(|wrong| panic!("{text:?}: {wrong:?}")).expose(), SECRET);
        }
    }

    #[test]
    fn from_128_to_512_bits() {
        for length in 1..=80_usize {
            let bytes: Vec<u8> = (0..length).map(|byte| u8::try_from(byte).unwrap()).collect();
            let meant = meant(BASE32_NOPAD.encode(&bytes).as_bytes());
            if (16..=64).contains(&length) {
                assert_eq!(meant.ok().unwrap().expose(), bytes);
            } else {
                assert_eq!(meant.err().unwrap(), Wrong::Length { bits: length * 8 });
            }
        }
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        let wrong = |text: &[u8]| meant(text).err().unwrap();
        for empty in ["", "\n", " \t\r\n", "====", "- - -", "-="] {
            assert_eq!(wrong(empty.as_bytes()), Wrong::Nothing, "{empty:?}");
        }
        for text in [
            // 0, 1, 8, 9 are no letters of base32, nor is what an otpauth address or another alphabet has.
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1",
            "otpauth://totp/web1:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "GEZDGNBVGY3TQOJQ=GEZDGNBVGY3TQOJQ",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ\0",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJé",
            // Cut short: 27 letters are of no length, in 26 the last has bits that belong to the next byte.
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3",
            "GEZDGNBVGY3TQOJQGEZDGNBVGZ",
        ] {
            assert_eq!(wrong(text.as_bytes()), Wrong::NotBase32, "{text:?}");
            let line = Wrong::NotBase32.refusal().line("countersign-setup: ");
            assert!(!line.contains("GEZD") && line.is_ascii(), "{line}");
        }
        assert_eq!(Wrong::NotBase32.refusal().kind.exit(), 2);
        assert_eq!(
            wrong(b"GEZDGNBVGY3TQOJQ").refusal().line("countersign-setup: "),
            "countersign-setup: the secret on standard input has 80 bits, wanted: 128 to 512;\n  \
             put base32 in a file and run it again with: < FILE\n"
        );
    }

    fn piped(parts: &'static [&'static [u8]]) -> Result<Zeroizing<Vec<u8>>, Wrong> {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK).unwrap();
        let writing = std::thread::spawn(move || {
            let mut writer = File::from(writer);
            for part in parts {
                std::thread::sleep(std::time::Duration::from_millis(20));
                writer.write_all(part).unwrap();
            }
        });
        let text = read(&reader);
        writing.join().unwrap();
        text
    }

    #[test]
    fn standard_input_is_read_to_its_end_and_no_further_than_a_secret_can_be() {
        assert_eq!(**piped(&[b"GEZD", b"GNBV", b"\n"]).unwrap(), *b"GEZDGNBV\n");
        assert_eq!(**piped(&[]).unwrap(), *b"");
        assert_eq!(piped(&[&[b'A'; MOST]]).unwrap().len(), MOST);
        assert_eq!(piped(&[&[b'A'; MOST], b"A"]).err().unwrap(), Wrong::TooMuch);
        assert_eq!(read(File::open("/dev/zero").unwrap()).err().unwrap(), Wrong::TooMuch);
        assert_eq!(read(File::open("/").unwrap()).err().unwrap(), Wrong::Unread(libc::EISDIR));
    }
}
