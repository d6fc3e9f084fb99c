//! What is so, as logins find it: with the app and the paper from before, and with what a change handed over.

use countersign::rules::code::{self, RecoveryCode};
use countersign::rules::journal::Source;
use countersign::rules::judge::Finding;
use countersign::rules::throttle::Lane;
use countersign::rules::totp::{self, Parameters, Secret};
use countersign::store::{Folder, Store, Trouble};
use countersign::sys;
use countersign::verify::{self, Checked, Question};

use super::people::{ALICE, PHONE, TABLET, paper};
use super::place::{Files, Place};
use super::run::HandedOver;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    pub enrolled: Enrolled,
    /// Whether codes of the app and the recovery codes from before let in.
    pub phone: bool,
    pub tablet: bool,
    pub paper: bool,
    /// And what the change handed over.
    pub new_app: bool,
    pub new_code: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Enrolled {
    No,
    Yes,
    /// Whatever is typed.
    Refused,
}

/// Two minutes on: a step that was used by an enrollment, or for a journal made anew, is past.
const LATER: i64 = 120;

const COPY: &str = "/mnt/copy";

/// Each login on a copy of its own.
pub fn found(place: &Place, files: &Files, user: &str, new: &HandedOver) -> Standing {
    let at = sys::now() + LATER;
    let opens = |answer: &[u8]| opens(place, files, user, answer, at);
    let app = |secret: &[u8]| opens(&shown(secret, at));
    let on_paper = |code: &RecoveryCode| opens(code.grouped().as_bytes());
    Standing {
        enrolled: enrolled(place, files, user),
        phone: app(&PHONE),
        tablet: app(&TABLET),
        paper: on_paper(&paper(1)) || on_paper(&paper(10)),
        new_app: new.secret.as_deref().is_some_and(app),
        new_code: [new.codes.first(), new.codes.last()].into_iter().flatten().any(|code| opens(code.as_bytes())),
    }
}

fn enrolled(place: &Place, files: &Files, user: &str) -> Enrolled {
    place.put(COPY, files);
    let store = store();
    let locked = store.lock(ALICE).unwrap();
    match locked.standing() {
        Ok(standing) if standing.record.name == user => Enrolled::Yes,
        Err(Trouble::NotEnrolled) => Enrolled::No,
        Ok(_) | Err(_) => Enrolled::Refused,
    }
}

fn opens(place: &Place, files: &Files, user: &str, answer: &[u8], at: i64) -> bool {
    place.put(COPY, files);
    let question =
        Question { uid: ALICE, names: &[user], lane: Lane::Remote, from: Source::new(b"192.0.2.7"), window: 1, shows_notices: false };
    let checked = verify::verify(&store(), &question, code::read(answer), || at);
    matches!(checked, Ok(Checked::Settled { verdict, .. }) if matches!(verdict.finding, Finding::Accepted(_)))
}

fn store() -> Store<Folder> {
    Store::new(Folder::open(COPY).unwrap())
}

fn shown(secret: &[u8], at: i64) -> Vec<u8> {
    let step = totp::step_start(at, 30).unwrap();
    totp::code(&Secret::new(secret).unwrap(), Parameters::default(), step).unwrap().expose().to_vec()
}
