//! A floor that lies ahead of the clock: left by a clock that was once ahead, or the clock is behind now. Root says which.
#![forbid(unsafe_code)]

use countersign::flows::is_yes;
use countersign::flows::refusal::{Kind, Refusal};
use countersign::rules::date::minutes;
use countersign::rules::judge;
use countersign::store::{Ahead, Folder, Store, Trouble};
use countersign::sys;
use countersign::words::enroll::{floor_ahead, folded};

use crate::signals::Signals;
use crate::terminal::Terminal;

/// Until when every code is refused. What is damaged has no floor, and is met again by the change; what only can't be
/// read just now may be whole, and nothing is written after that.
pub(crate) fn seen(store: &Store<Folder>, uid: u32) -> Result<Option<i64>, Trouble> {
    match store.lock(uid)?.floor() {
        Ok(floor) => Ok(judge::refused_until(floor, sys::now())),
        Err(Trouble::Damaged { .. } | Trouble::BadFile { .. } | Trouble::Newer { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Whether it comes down. Without a terminal it stays: the answer says so.
pub(crate) fn asked(last: i64) -> Result<Ahead, Refusal> {
    let Some(mut terminal) = Signals::held().ok().and_then(Terminal::open) else { return Ok(Ahead::Keep) };
    match terminal.ask(&floor_ahead(last, sys::now()), true) {
        Ok(answer) if is_yes(&answer) => Ok(Ahead::BringDown),
        // The clock is wrong now: the floor may be right. What has to be done is done all the same.
        Ok(_) => Ok(Ahead::Keep),
        Err(_) => Err(Refusal::new(Kind::Interrupted, "interrupted, nothing was changed", "start again")),
    }
}

/// What is said of a floor that stays.
pub(crate) fn stays(last: i64) -> String {
    folded(&format!("Codes up to {} are refused still. When the clock is right, run this again in a terminal.\n", minutes(last)))
}
