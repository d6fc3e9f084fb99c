//! The recovery codes are handed over, and one of them is asked back as proof that they are kept.
#![forbid(unsafe_code)]

use super::codes::NewCodes;
use super::{Dialogue, Kept, TRIES, Whom, Why, World};
use crate::rules::code::{self, Typed};
use crate::words::enroll as words;

/// Hands over the sheet and waits for the proof. `intro`: what is said first; `None` where nothing is asked.
pub(super) fn hand_over(
    person: &mut impl Dialogue,
    new: &NewCodes,
    whom: &Whom<'_>,
    intro: Option<words::Intro>,
    world: &World<'_>,
) -> Result<(), Why> {
    if new.codes.is_empty() {
        return Ok(());
    }
    // The sheet is wiped before anything is asked.
    let kept = person.keep(intro.map_or("", |intro| intro.of_shown), &words::sheet(whom, &new.codes, new.at))?;
    match kept {
        Kept::Shown if intro.is_some() => ask_back(person, new, world),
        Kept::Shown => Ok(()),
        Kept::InFile(name) => {
            let lead = intro.map_or("", |intro| intro.of_file);
            Ok(person.tell(&format!("{lead}{}", words::in_file(new.codes.len(), &name)))?)
        }
    }
}

fn ask_back(person: &mut impl Dialogue, new: &NewCodes, world: &World<'_>) -> Result<(), Why> {
    let mut random = [0; 8];
    (world.random)(&mut random)?;
    let count = u64::try_from(new.codes.len()).unwrap_or(1);
    let chosen = usize::try_from(u64::from_le_bytes(random).checked_rem(count).unwrap_or(0)).unwrap_or(0);
    let (Some(wanted), number) = (new.codes.get(chosen), chosen.saturating_add(1)) else { return Err(Why::NoRightAnswer) };
    let mut question = words::code_back(number);
    for left in (0..TRIES).rev() {
        let answer = person.ask(&question, true)?;
        question = match code::read(&answer) {
            Typed::Recovery(code) if code.same(wanted) => return Ok(()),
            Typed::Recovery(_) => words::another_code(number, left),
            Typed::Typo | Typed::Malformed | Typed::Digits(_) => words::typing_error(number, left),
        };
    }
    Err(Why::NoRightAnswer)
}
