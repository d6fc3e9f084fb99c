//! The people of a world, and what they carry: a password, an app's secret, recovery codes.
#![forbid(unsafe_code)]

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use countersign::rules::journal::Pair;
use countersign::rules::throttle::Count;
use countersign::rules::totp::{Algorithm, Parameters, Secret, code, step_start};
use serde_json::Value;

use crate::etc::CONFIG;
use crate::world::TOOL;

pub const HOST: &str = "web1";
pub const FIRST_UID: u32 = 2001;
pub const GROUP: u32 = 2000;
pub const PASSWORD: &str = "tulips on the 4th floor";
/// crypt(3) of it.
pub const PASSWORD_HASH: &str =
    "$6$rounds=1000$worldoftests$ZGQfoRGpUHejdQHegXP/cmweqLsHhUsU3mIYj6/nPZzCOxv6SlVii2lOzyWuUL9MFWzoREMZ1JseNaHEcEgk8/";

/// A password that has the form of a code, and crypt(3) of it.
pub const SIX_DIGITS: &str = "482915";
pub const SIX_DIGITS_HASH: &str =
    "$6$rounds=1000$worldoftests$UwDjJNbrejzxHYPWAYOeb5uPQuMWaJiwjm2MylFOpoD2Xkujskc5Kt9hLX9EtbiNn4W.W/E0mKjU2mHwU2hd8/";

const PARAMETERS: Parameters = Parameters { algorithm: Algorithm::Sha1, digits: 6, period: 30 };

/// Someone enrolled.
pub struct Person {
    pub uid: u32,
    pub secret: String,
    enrolled_at: i64,
    pub recovery_codes: Vec<String>,
}

impl Person {
    /// Root enrolls them with the tool, as a provisioning script does.
    pub fn enroll(name: &str) -> Self {
        let arguments = ["--config", CONFIG, "--json", "enroll", "--user", name, "--no-confirm"];
        let run = Command::new(TOOL).args(arguments).output().unwrap();
        assert!(run.status.success(), "enroll {name}: {}", String::from_utf8_lossy(&run.stderr));
        let said: Value = serde_json::from_slice(&run.stdout).unwrap();
        let codes = said["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        Self { uid: uid_of(name), secret: said["secret"].as_str().unwrap().to_owned(), enrolled_at: now(), recovery_codes: codes }
    }

    /// What the app shows now. In the step of the enrollment, whose code doesn't log in, what it shows next: the window takes
    /// that from a phone whose clock is ahead.
    pub fn code(&self) -> String {
        let started = step_start(now(), PARAMETERS.period).unwrap();
        self.code_at(if started < self.enrolled_at { 1 } else { 0 })
    }

    /// Six digits that are no code of theirs, now or near.
    pub fn wrong_code(&self) -> String {
        let right: Vec<_> = (-3..=3).map(|steps| self.code_at(steps)).collect();
        (0..).map(|number| format!("{number:06}")).find(|number| !right.contains(number)).unwrap()
    }

    /// What the app shows so many steps from now.
    pub fn code_at(&self, steps: i64) -> String {
        let secret = Secret::new(&data_encoding::BASE32_NOPAD.decode(self.secret.as_bytes()).unwrap()).unwrap();
        let start = step_start(now(), PARAMETERS.period).unwrap() + steps * i64::from(PARAMETERS.period);
        String::from_utf8(code(&secret, PARAMETERS, start).unwrap().expose().to_vec()).unwrap()
    }

    /// Makes their last so many remote logins failures, the newest of them now.
    pub fn fail_remotely(&self, times: u16) {
        let file = self.file("state");
        let mut journal = Pair::parse(self.uid, &fs::read(&file).unwrap()).unwrap().journal;
        journal.throttle.remote = Count { streak: times, last_failure: now(), ..journal.throttle.remote };
        fs::write(file, journal.file(self.uid)).unwrap();
    }

    /// Their record and their journal, byte by byte.
    pub fn state(&self) -> [Vec<u8>; 2] {
        ["toml", "state"].map(|kind| fs::read(self.file(kind)).unwrap())
    }

    fn file(&self, kind: &str) -> String {
        format!("/var/lib/countersign/{}.{kind}", self.uid)
    }
}

/// The uid of a person of this world, enrolled or not.
pub fn uid_of(name: &str) -> u32 {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name)).unwrap();
    line.split(':').nth(2).unwrap().parse().unwrap()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}
