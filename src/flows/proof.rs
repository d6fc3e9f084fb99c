//! What a person proves before a change of their own second factor: the password, and where they are enrolled a code,
//! which is judged as at a login and used up. Root is asked for neither.
#![forbid(unsafe_code)]

use super::{Author, Dialogue, Means, Why};
use crate::rules::audit::{Event, Level, Method};
use crate::rules::code;
use crate::rules::journal::Source;
use crate::rules::judge::Finding;
use crate::rules::throttle::Lane;
use crate::store::Disk;
use crate::verify::{self, Checked, Question};
use crate::words::change as words;

/// How a person's answers are checked.
pub struct Proof<'a> {
    pub password: &'a dyn Fn(&[u8]) -> bool,
    /// Steps to either side of now: 0 or 1.
    pub window: u8,
    /// Where a failure is reported from.
    pub from: Source,
}

/// Why a code was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denial {
    Wrong,
    Used,
    RecoveryUsed,
    Typo,
    Malformed,
    /// Unix seconds, as below.
    Waiting {
        until: i64,
        now: i64,
    },
    Stopped {
        since: i64,
    },
    ClockBehind {
        now: i64,
    },
}

impl Denial {
    /// `None`: accepted.
    pub fn of(finding: &Finding, now: i64) -> Option<Self> {
        Some(match finding {
            Finding::Accepted(_) => return None,
            Finding::Wrong(_) => Self::Wrong,
            Finding::Replay(Method::Totp) => Self::Used,
            Finding::Replay(Method::Recovery | Method::Rescue) => Self::RecoveryUsed,
            Finding::Waiting { until } | Finding::Spent { until } => Self::Waiting { until: *until, now },
            Finding::Stopped { since } => Self::Stopped { since: *since },
            Finding::ClockBehind => Self::ClockBehind { now },
        })
    }
}

/// The password alone: before a first enrollment.
pub(super) fn password(person: &mut impl Dialogue, author: &Author<'_>) -> Result<(), Why> {
    let Some(proof) = &author.proof else { return Ok(()) };
    let password = person.ask(words::PASSWORD, false)?;
    if (proof.password)(&password) { Ok(()) } else { Err(Why::WrongPassword) }
}

/// The password and a code: before a change.
pub(super) fn password_and_code<D: Disk>(person: &mut impl Dialogue, means: &Means<'_, D>) -> Result<(), Why> {
    let Means { store, whom, author, world } = means;
    let Some(proof) = &author.proof else { return Ok(()) };
    password(person, author)?;
    let typed = person.ask(words::CURRENT_CODE, true)?;
    let question = Question {
        uid: whom.uid,
        names: &[whom.name],
        lane: Lane::Own,
        from: proof.from.clone(),
        window: proof.window,
        shows_notices: false,
    };
    let denial = match verify::verify(store, &question, code::read(&typed), world.now)? {
        Checked::Settled { verdict, bad_slot } => {
            if let Some(path) = bad_slot {
                (world.log)(&Event::Noted { level: Level::Notice, reason: "bad_slot", path: Some(&path), found: None });
            }
            (world.log)(&verdict.event());
            Denial::of(&verdict.finding, (world.now)())
        }
        Checked::Typo => {
            (world.log)(&Event::NotCounted { reason: "typo", method: Some(Method::Recovery) });
            Some(Denial::Typo)
        }
        Checked::Malformed => {
            (world.log)(&Event::NotCounted { reason: "malformed", method: None });
            Some(Denial::Malformed)
        }
    };
    denial.map_or(Ok(()), |denial| Err(denial.into()))
}
