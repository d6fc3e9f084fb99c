//! A code opens one door once: at the same time, later, in other services, and never the code that confirmed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs;

use countersign::flows::{self, Author, Change, Dialogue, Gone, Kept, Made, Means, Options, Whom};
use countersign::rules::address::Entry;
use countersign::rules::totp::{self, Parameters, Secret};
use countersign::store::{Folder, Store};
use countersign::sys;
use driver::{Login, NOW, Run, World, answer, at_once};
use pam::constants::PamResultCode::{PAM_AUTH_ERR, PAM_SUCCESS};
use zeroize::Zeroizing;

const STACK: &str = "auth required pam_countersign.so\n";
const REPLAY: &str = "\ncountersign: a code was used just now, wait for the next one";

fn with_services() -> World {
    let world = World::new();
    for service in ["sshd", "sudo", "su", "login"] {
        world.service(service, STACK);
    }
    world
}

/// One gets in, and all others are told that a code was used just now.
#[track_caller]
fn expect_one(runs: &[Run]) {
    let let_in = runs.iter().filter(|run| *run.code() == PAM_SUCCESS);
    assert_eq!(let_in.count(), 1, "{runs:#?}");
    for run in runs.iter().filter(|run| *run.code() != PAM_SUCCESS) {
        assert_eq!((run.code(), run.ends(), run.messages()), (&PAM_AUTH_ERR, vec!["replay"], vec![REPLAY]), "{run:#?}");
    }
}

#[test]
fn a_01_of_two_logins_at_once_with_one_code_one_gets_in() {
    let world = with_services();
    let alice = world.enroll("alice");
    for round in 0..40 {
        let now = NOW + 30 * round;
        let login = |service: &str| world.login(service).at(now).answers(answer(alice.code(now)).waits());
        // Over ssh and at sudo: two lanes of the throttle, one lock. Then two of one service.
        let second = if round % 2 == 0 { login("sudo") } else { login("sshd").rhost("192.0.2.7") };
        expect_one(&at_once([login("sshd").rhost("198.51.100.9"), second]));
    }
}

#[test]
fn a_02_of_sixty_four_logins_at_once_with_one_code_one_gets_in() {
    let world = with_services();
    let alice = world.enroll("alice");
    for round in 0..2 {
        let now = NOW + 30 * round;
        let services = ["sshd", "sudo", "su", "login"];
        let login = |number: usize| world.login(services[number % 4]).at(now).answers(answer(alice.code(now)).waits());
        expect_one(&at_once((0..64).map(login)));
    }
}

#[test]
fn a_03_a_used_code_is_refused_in_every_service_until_its_window_ends() {
    let world = with_services();
    let alice = world.enroll("alice");
    let code = alice.code(NOW);
    assert_eq!(*world.login("sshd").rhost("192.0.2.7").at(NOW - 30).types(&code).run().code(), PAM_SUCCESS);
    // A reboot leaves what is on disk.
    let _ = fs::remove_dir_all(world.folder().join("run"));
    fs::remove_file(world.store().join("1000.lock")).unwrap();
    for now in [NOW - 30, NOW - 1, NOW, NOW + 29, NOW + 30, NOW + 59] {
        for service in ["sshd", "sudo", "su", "login"] {
            let run = world.login(service).at(now).types(&code).run();
            assert_eq!((run.code(), run.ends(), run.messages()), (&PAM_AUTH_ERR, vec!["replay"], vec![REPLAY]), "{now} {run:#?}");
        }
    }
    assert_eq!(world.login("sudo").at(NOW + 60).types(&code).run().ends(), ["wrong"]);
}

#[test]
fn a_04_when_a_step_has_logged_in_the_one_before_it_does_not() {
    let world = with_services();
    let alice = world.enroll("alice");
    let attempt = |step: i64| world.login("sudo").types(alice.code(NOW + 30 * step)).run();
    assert_eq!(*attempt(0).code(), PAM_SUCCESS);
    let before = attempt(-1);
    assert_eq!((before.code(), before.ends()), (&PAM_AUTH_ERR, vec!["replay"]));
    assert_eq!(*attempt(1).code(), PAM_SUCCESS);
    for step in [-1, 0, 1] {
        assert_eq!(attempt(step).ends(), ["replay"], "{step}");
    }
}

/// Someone with a phone: types the code of that moment, and a recovery code from the sheet.
struct Phone {
    now: i64,
    secret: Option<Vec<u8>>,
    sheet: String,
}

impl Phone {
    fn code(&self, at: i64) -> String {
        let secret = Secret::new(self.secret.as_ref().unwrap()).unwrap();
        let start = totp::step_start(at, 30).unwrap();
        String::from_utf8(totp::code(&secret, Parameters::default(), start).unwrap().expose().to_vec()).unwrap()
    }
}

impl Dialogue for Phone {
    fn tell(&mut self, _: &str) -> Result<(), Gone> {
        Ok(())
    }

    fn ask(&mut self, question: &str, _: bool) -> Result<Zeroizing<Vec<u8>>, Gone> {
        let number = question.split("code ").nth(1).map(|rest| rest.split(' ').next().unwrap());
        let answer = match number {
            None => self.code(self.now),
            Some(number) => {
                let words: Vec<&str> = self.sheet.split_whitespace().collect();
                let place = words.windows(2).position(|pair| pair[0] == number && pair[1].len() == 19).unwrap();
                words[place + 1].to_owned()
            }
        };
        Ok(Zeroizing::new(answer.into_bytes()))
    }

    fn show(&mut self, address: &str) -> Result<(), Gone> {
        let secret = address.split("secret=").nth(1).unwrap().split('&').next().unwrap();
        self.secret = Some(data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap());
        Ok(())
    }

    fn keep(&mut self, _: &str, sheet: &str) -> Result<Kept, Gone> {
        self.sheet = sheet.to_owned();
        Ok(Kept::Shown)
    }

    fn done(&mut self, _: &Made<'_>) -> Result<(), Gone> {
        Ok(())
    }
}

#[test]
fn a_05_the_code_that_confirmed_an_enrollment_does_not_log_in() {
    // The phone's clock is right, one step behind, one step ahead.
    for ahead in [0, -30, 30] {
        let world = with_services();
        let mut phone = Phone { now: NOW + ahead, secret: None, sheet: String::new() };
        let store = Store::new(Folder::open(world.store().to_str().unwrap()).unwrap());
        let whom = Whom { uid: 1000, name: "alice", host: "web1", named: false };
        let options = Options {
            change: Change::First,
            label: None,
            entry: Entry::new("web1", "alice"),
            parameters: Parameters::default(),
            secret: None,
            confirm: true,
            codes: 10,
            window: 1,
        };
        let outside = flows::World { now: &|| NOW, random: &sys::random, clock_unsynchronised: &|| false, log: &|_| {} };
        let author = Author { by: "alice".to_owned(), proof: None };
        let means = Means { store: &store, whom: &whom, author: &author, world: &outside };
        assert!(flows::enroll(&mut phone, &means, &options).is_ok());
        let login = |now: i64, step: i64| -> Login<'_> { world.login("sshd").at(now).types(phone.code(NOW + ahead + 30 * step)) };
        for now in [NOW, NOW + 29] {
            assert_eq!(login(now, 0).run().ends(), ["replay"], "{ahead}");
            if ahead >= 0 {
                assert_eq!(login(now, -1).run().ends(), ["replay"], "{ahead}");
            }
        }
        let later = NOW + ahead.max(0) + 30;
        assert_eq!(*login(later, 1).run().code(), PAM_SUCCESS, "{ahead}");
    }
}

#[test]
fn a_07_a_replay_has_words_of_its_own_and_changes_no_counter() {
    let world = with_services();
    let alice = world.enroll("alice");
    let ssh = || world.login("sshd").rhost("198.51.100.9");
    assert_eq!(*ssh().types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    for _ in 0..3 {
        assert_eq!(ssh().types(alice.wrong_code(NOW)).run().ends(), ["wrong"]);
    }
    let before = world.journal(1000);
    for _ in 0..7 {
        let run = ssh().types(alice.code(NOW)).run();
        assert_eq!((run.code(), run.messages()), (&PAM_AUTH_ERR, vec![REPLAY]), "{run:#?}");
        let line = "result=refused reason=replay method=totp user=alice uid=1000 service=sshd tty=- rhost=198.51.100.9 lane=remote streak=3 budget_left=57";
        assert_eq!(run.logged()[1].trim_end_matches(" clock=unsynchronised"), line);
    }
    let after = world.journal(1000);
    assert_eq!((after.throttle, &after.failed, after.last), (before.throttle, &before.failed, before.last));
    // The calls of right and used codes must not differ: a slot is written.
    assert_eq!(after.sequence, before.sequence + 7);
}

#[test]
fn a_08_a_code_that_two_steps_share_opens_the_lower_one_first() {
    // Found by search: under this secret the step that starts there and the next one have one code.
    const SHARED: i64 = 1_610_572_230;
    let world = with_services();
    let mut alice = world.enroll("alice");
    alice.secret = b"12345678901234567890".to_vec();
    world.change_record(1000, |record| {
        record.not_before = 0;
        record.authenticators[0].secret = Secret::new(&alice.secret).unwrap();
    });
    let code = alice.code(SHARED);
    assert_eq!(code, alice.code(SHARED + 30));
    let attempt = || world.login("sudo").at(SHARED + 30).types(&code).run();
    for last in [SHARED, SHARED + 30] {
        assert_eq!(*attempt().code(), PAM_SUCCESS);
        assert_eq!(world.journal(1000).last, last);
    }
    assert_eq!(attempt().ends(), ["replay"]);
}
