//! `unlock NAME`: ends waits, stops and budgets, brings down a floor that lies ahead of the clock, and makes a lost or
//! damaged journal anew.
#![forbid(unsafe_code)]

use countersign::flows::refusal::{Kind, Refusal};
use countersign::rules::audit::Change as Line;
use countersign::rules::record::RecordId;
use countersign::store::{Ahead, NotCommitted, Rewritten, Trouble, Unlocked};
use countersign::sys::{self, Account};
use countersign::words::change as words;
use countersign::words::enroll::{folded, printed};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::caller::Caller;
use crate::change::{Change, errno_of, not_done};
use crate::people::{self, Subject};
use crate::reset::{anew, find};
use crate::settings::Settings;
use crate::signals::Signals;
use crate::{floor, json};

pub(crate) fn run(settings: &Settings, caller: &Caller, name: &str, json: bool) -> Result<Answer, Refusal> {
    answer::can_be_done()?;
    // A change is not left in the middle, and what is so is told: Ctrl-C comes too late for these milliseconds.
    let _held = Signals::held();
    let (store, account) = find(settings, name)?;
    let subject = Subject::new(&account, settings);
    let change = Change::new(settings, caller, &subject, "unlock");
    let floor = floor::seen(&store, account.uid).map_err(|trouble| subject.refusal(&trouble))?;
    let ahead = match floor {
        Some(last) if !json => floor::asked(last)?,
        Some(_) | None => Ahead::Keep,
    };
    let mut id = [0; 16];
    sys::random(&mut id).map_err(|error| Refusal::new(Kind::StoreUnavailable, error.to_string(), "try again"))?;
    let (id, by) = (RecordId(u128::from_le_bytes(id)), caller.by());
    let locked = store.lock(account.uid).map_err(|trouble| subject.refusal(&trouble))?;
    // Where the record is lost every login is refused, whatever else is ended.
    if let Err(lost @ Trouble::Lost { .. }) = locked.standing() {
        return Err(subject.refusal(&lost));
    }
    let unlocked = locked.unlock(anew()?, ahead, Rewritten { id, by: &by });
    drop(locked);
    let unlocked = unlocked.map_err(|not| {
        if let NotCommitted::Maybe(trouble) = &not {
            change.log(Line { errno: Some(errno_of(trouble)), ..change.line() });
        }
        not_done(&not, &subject)
    })?;
    let text = match unlocked {
        Unlocked::Cleared => words::unlocked(&subject.whom()),
        Unlocked::Anew => words::journal_made_anew(&subject.whom()),
        Unlocked::NothingThere => {
            let fact = format!("{} has no record and no journal", printed(&account.name));
            return Err(Refusal::new(Kind::NotEnrolled, fact, "see: countersign-setup list"));
        }
    };
    change.log(change.line());
    let still_ahead = floor.filter(|_| ahead == Ahead::Keep);
    let text = text + &still_ahead.map(floor::stays).unwrap_or_default() + &still_refused(&account, settings);
    let value = json!({
        "user": account.name,
        "uid": account.uid,
        "journal_made_anew": unlocked == Unlocked::Anew,
        "refused_until": still_ahead.map(json::time),
    });
    let done = answer::but_done(&text);
    Ok(Answer::new(text, value, false).done(done))
}

/// A record that bears another name is not mended by this: every login is refused still.
fn still_refused(account: &Account, settings: &Settings) -> String {
    match people::as_recorded(account, settings) {
        Err(Refusal { kind: Kind::OtherName, fact, next }) => folded(&format!("But {fact}; {next}\n")),
        Ok(_) | Err(_) => String::new(),
    }
}
