//! What is in the tool's memory at a later question, and after a change: no more of a secret than is needed still.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use data_encoding::BASE32_NOPAD;
use nix::fcntl::FcntlArg;
use nix::unistd::Pid;

use super::phone::{self, BACK};
use super::sheet::enroll;
use super::talk::{self, DIGITS, Says, said};
use super::terminal::{Terminal, USUAL};
use super::world::{CONFIG, World};

/// All that a process can write to, but for empty pages.
struct Image(Vec<u8>);

impl Image {
    fn of(pid: Pid) -> Self {
        let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let mut image = Vec::new();
        for line in maps.lines() {
            let (range, rest) = line.split_once(' ').unwrap();
            let (from, to) = range.split_once('-').unwrap();
            let mut bytes = vec![0; usize::try_from(number(to) - number(from)).unwrap()];
            if rest.starts_with("rw") && memory.read_exact_at(&mut bytes, number(from)).is_ok() {
                bytes.chunks(PAGE.len()).filter(|page| *page != PAGE).for_each(|page| image.extend_from_slice(page));
            }
        }
        let image = Self(image);
        assert!(image.count(CONFIG.as_bytes()) > 0, "{pid}: what it must hold is found");
        image
    }

    fn count(&self, needle: &[u8]) -> usize {
        self.count_where(needle, |byte| byte)
    }

    /// The same where only that of each byte counts.
    fn count_where(&self, needle: &[u8], part: impl Fn(u8) -> u8) -> usize {
        let mut count = 0;
        for at in 0..self.0.len() - needle.len() {
            if part(self.0[at]) == needle[0] && needle.iter().zip(&self.0[at..]).all(|(wanted, byte)| part(*byte) == *wanted) {
                count += 1;
            }
        }
        count
    }
}

const PAGE: [u8; 4096] = [0; 4096];

/// Half of a secret in each of the forms that it takes on its way to a person, and in how many places it may be.
fn forms(secret: &[u8], raw: usize) -> Vec<(&'static str, Vec<u8>, usize)> {
    let base32 = BASE32_NOPAD.encode(secret);
    let groups: Vec<&str> = (0..4).map(|group| &base32[group * 4..group * 4 + 4]).collect();
    vec![
        ("its beginning", secret[..12].to_vec(), raw),
        ("its end", secret[8..].to_vec(), raw),
        // So it stands in the address, too, and in the record.
        ("base32", base32.as_bytes()[..16].to_vec(), 0),
        ("base32, its end", base32.as_bytes()[16..].to_vec(), 0),
        ("as it is typed in", groups.join(" ").into_bytes(), 0),
        ("in the bytes of a QR code", in_a_qr_code(&base32.as_bytes()[..16]), 0),
    ]
}

/// There the text begins behind four bits of its kind and eight of its length.
fn in_a_qr_code(text: &[u8]) -> Vec<u8> {
    text.windows(2).map(|pair| pair[0] << 4 | pair[1] >> 4).collect()
}

/// What is there of the secret and of the codes on the screen: the bytes of each in so many places, and no text of any.
#[track_caller]
fn holds(image: &Image, screen: &str, secrets: usize, codes: usize) {
    if screen.contains("Type it in: ") {
        for (form, bytes, wanted) in forms(phone::secret(screen).expose(), secrets) {
            assert_eq!(image.count(&bytes), wanted, "the secret, {form}");
        }
    }
    let sheet = phone::sheet(screen);
    assert_eq!(sheet.len(), 10);
    for code in sheet {
        for text in [code.clone(), code.replace('-', ""), code.replace('-', " ").to_lowercase()] {
            assert_eq!(image.count(text.as_bytes()), 0, "{text}");
        }
        let symbols: Vec<u8> = code.bytes().filter_map(|letter| u8::try_from(ALPHABET.find(char::from(letter))?).ok()).collect();
        // Without slot and check symbol: the random bytes that it was made of, too.
        assert_eq!(image.count_where(&symbols[1..15], |byte| byte & 31), codes, "the symbols of {code}");
    }
}

const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[test]
fn h_04_at_the_question_for_a_recovery_code_memory_holds_what_the_commit_needs_once() {
    let world = World::new("");
    let mut terminal = Terminal::start(&world.tool(&["enroll", "--user", "alice"]), USUAL);
    said(&mut terminal, DIGITS);
    terminal.wait_for(BACK);
    holds(&Image::of(terminal.pid()), &terminal.text(), 1, 1);
}

#[test]
fn h_04_after_an_enrollment_memory_holds_no_secret_and_no_code() {
    at_its_end(&World::new(""), "enroll --user alice", &[DIGITS, talk::BACK]);
}

#[test]
fn h_04_after_new_recovery_codes_memory_holds_none_of_them() {
    let world = World::new("");
    enroll(&world, "alice");
    at_its_end(&world, "recovery --user alice", &[talk::BACK]);
}

/// The change is made, and its answer held up by a pipe that is full.
fn at_its_end(world: &World, line: &str, answers: &[(&str, Says<'_>)]) {
    let (_reader, writer) = nix::unistd::pipe().unwrap();
    let mut writer = File::from(writer);
    let room = nix::fcntl::fcntl(&writer, FcntlArg::F_GETPIPE_SZ).unwrap();
    writer.write_all(&vec![0; usize::try_from(room).unwrap()]).unwrap();
    world.logged();
    let mut terminal = Terminal::start_with(&world.tool(&line.split(' ').collect::<Vec<_>>()), USUAL, Some(writer), None);
    answers.iter().for_each(|answer| said(&mut terminal, *answer));
    let end = Instant::now() + Duration::from_secs(20);
    while !world.logged().iter().any(|line| line.contains("result=changed")) {
        assert!(Instant::now() < end, "{}", terminal.text());
        std::thread::sleep(Duration::from_millis(20));
    }
    // From that line to the answer is nothing that waits.
    std::thread::sleep(Duration::from_secs(1));
    holds(&Image::of(terminal.pid()), &terminal.text(), 0, 0);
}
