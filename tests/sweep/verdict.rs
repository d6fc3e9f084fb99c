//! One case: a change with one fault, what is so afterwards, what was said, and what comes next.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Mutex;

use super::changes::Change;
use super::fault::{self, Call, Fault};
use super::people::ALICE;
use super::place::{Files, HOME, Place, STORE};
use super::run::{self, Ended};
use super::standing::{self, Enrolled, Standing};

pub struct Case {
    pub change: &'static str,
    pub fault: Fault,
    /// `None`: neither.
    pub is: Option<Is>,
    /// Files of the person's that a killed program left behind, while nothing or not all was done.
    pub files_left: usize,
    pub violations: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Is {
    Old,
    New,
    /// Removed, and refused until a reset.
    Refused,
}

pub fn tried(place: &Place, change: &Change, fault: Fault, call: &Call) -> Case {
    place.name(change.user);
    place.put(STORE, &change.before);
    place.put(HOME, &Vec::new());
    let ended = run::run(change, &fault.strace(call));
    let after = place.files(STORE);
    // To the byte what was there before: the old state, from which any run starts.
    let is_untouched = after == change.before;
    let standing = if is_untouched { change.old } else { standing::found(place, &after, change.user, &ended.new) };
    let is = what_is(change, &standing);
    let mut wrong = Vec::new();
    wrong.extend(is.is_none().then(|| format!("neither old nor new: {standing:?}")));
    wrong.extend(unreadable(change, &after, &standing));
    wrong.extend(others_changed(&change.before, &after));
    match fault {
        Fault::Kill => wrong.extend((ended.status != -9).then(|| format!("not killed: {}", ended.status))),
        Fault::Error(_) => {
            wrong.extend((!fault::trace().contains("(INJECTED)")).then(|| "the call was not made".to_owned()));
            wrong.extend(untrue(&ended, is));
            wrong.extend(left_behind(&after, &ended, is));
        }
    }
    wrong.extend(open_to_others());
    wrong.extend(unasked(change));
    let left = if fault == Fault::Kill && is != Some(Is::New) { place.files(HOME) } else { Files::new() };
    if !left.is_empty() && is_first_so(change, &left) {
        wrong.extend(told_of_left(place, change, &left));
    }
    if !is_untouched {
        wrong.extend(is.and_then(|is| next_run(place, change, is)));
    }
    let case = |what: &String| format!("{} {} {} {}: {what}\n  {}", change.name, fault.name(), call.name, call.number, ended.says.trim());
    Case { change: change.name, fault, is, files_left: left.len(), violations: wrong.iter().map(case).collect() }
}

fn what_is(change: &Change, standing: &Standing) -> Option<Is> {
    match standing {
        _ if *standing == change.old => Some(Is::Old),
        _ if *standing == change.new => Some(Is::New),
        Standing { enrolled: Enrolled::Refused, phone: false, tablet: false, paper: false, new_app: false, new_code: false } => {
            change.removes.then_some(Is::Refused)
        }
        _ => None,
    }
}

/// A record without a journal that can be read beside it, where there was one.
fn unreadable(change: &Change, after: &Files, standing: &Standing) -> Option<String> {
    let stands = after.iter().any(|(name, _)| *name == format!("{ALICE}.toml"));
    let refused = standing.enrolled == Enrolled::Refused && change.old.enrolled != Enrolled::Refused;
    (stands && refused).then(|| "a record that can't be judged by".to_owned())
}

/// The store's other users.
fn others_changed(before: &Files, after: &Files) -> Option<String> {
    let others = |files: &Files| -> Files { files.iter().filter(|(name, _)| !name.contains("1000")).cloned().collect() };
    (others(before) != others(after)).then(|| "another user's files are changed".to_owned())
}

/// Words and exit status beside what is so.
fn untrue(ended: &Ended, is: Option<Is>) -> Option<String> {
    let says = unfolded(ended);
    let told = |words: &str| says.contains(words);
    let sentences = says.matches("countersign-setup: ").count();
    let is_true = match ended.status {
        // What was kept back is told.
        0 => is == Some(Is::New) || told("are refused still"),
        1..=3 | 130 if sentences == 0 => return Some("no sentence".to_owned()),
        1..=3 | 130 if told("but it was done") => is == Some(Is::New) && !told("nothing was changed"),
        1..=3 | 130 if told("it may have been done") => !told("nothing was changed"),
        1..=3 | 130 => is == Some(Is::Old),
        _ => return Some(format!("it died: {}", ended.status)),
    };
    (!is_true).then(|| format!("{is:?}, and exit {}", ended.status))
}

/// Sentences break where a line is full.
fn unfolded(ended: &Ended) -> String {
    ended.says.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// After an error: temporary files, or files of the person's that belong to nothing.
fn left_behind(after: &Files, ended: &Ended, is: Option<Is>) -> Option<String> {
    let store = after.iter().find(|(name, _)| name.ends_with(".new")).map(|(name, _)| name.clone());
    let stays = is == Some(Is::New) || unfolded(ended).contains("it may have been done");
    let home = if stays { None } else { fs::read_dir(HOME).unwrap().next().map(|entry| format!("{:?}", entry.unwrap().path())) };
    store.or(home).map(|name| format!("left behind: {name}"))
}

/// What is left may hold secrets: its owner's alone.
fn open_to_others() -> Option<String> {
    let entries = [STORE, HOME].into_iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap());
    let open = entries.map(|entry| entry.path()).find(|path| fs::metadata(path).unwrap().permissions().mode() & 0o7077 != 0);
    open.map(|path| format!("others can read {path:?}"))
}

/// What is in the person's folder was asked for, and is a file of root's alone.
fn unasked(change: &Change) -> Option<String> {
    let mut paths = fs::read_dir(HOME).unwrap().map(|entry| entry.unwrap().path());
    let is_asked = |path: &std::path::Path| {
        let found = fs::symlink_metadata(path).unwrap();
        change.asks_for(path.to_str().unwrap()) && found.is_file() && (found.mode() & 0o7777, found.uid()) == (0o600, 0)
    };
    paths.find(|path| !is_asked(path)).map(|path| format!("not as it was asked for: {path:?}"))
}

/// Which files are left decides, and whether something is in them: each such case once.
fn is_first_so(change: &Change, left: &Files) -> bool {
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let left: Vec<_> = left.iter().map(|(name, bytes)| (name, bytes.is_empty())).collect();
    SEEN.lock().unwrap().insert(format!("{} {left:?}", change.name))
}

/// The same command while what was left is still there: it asks for another name, and touches nothing.
fn told_of_left(place: &Place, change: &Change, left: &Files) -> Option<String> {
    let before = place.files(STORE);
    let ended = run::run(change, &[]);
    let is_told = ended.status == 3 && unfolded(&ended).contains("is there already; give another name");
    let is_kept = place.files(HOME) == *left && place.files(STORE) == before;
    (!is_told || !is_kept).then(|| format!("beside what was left: exit {}: {}", ended.status, ended.says.trim()))
}

/// The same command once more, undisturbed: it succeeds, or says that it has been done; and nothing is left behind then.
fn next_run(place: &Place, change: &Change, is: Is) -> Option<String> {
    place.put(HOME, &Vec::new());
    let ended = run::run(change, &[]);
    let wanted = if is == Is::New { change.again } else { 0 };
    if is == Is::Refused && ended.status == 3 && unfolded(&ended).contains("countersign-setup reset alice") {
        // What `disable` left half done is root's to mend, as the words say.
        let reset = run::without_terminal(&run::line(&["reset", "alice"], &[]));
        return (reset.status != 0)
            .then(|| format!("a reset does not mend it: {}", reset.says))
            .or_else(|| after_all(place, change, &reset));
    }
    if ended.status != wanted {
        return Some(format!("a second run: exit {} and not {wanted}: {}", ended.status, ended.says));
    }
    after_all(place, change, &ended)
}

fn after_all(place: &Place, change: &Change, ended: &Ended) -> Option<String> {
    let files = place.files(STORE);
    if let Some((name, _)) = files.iter().find(|(name, _)| name.ends_with(".new")) {
        return Some(format!("after a second run there is {name}"));
    }
    let known = ["toml", "state", "lock"].map(|end| format!("{ALICE}.{end}"));
    if let Some((name, _)) = files.iter().find(|(name, _)| !known.contains(name) && !change.before.iter().any(|(old, _)| old == name)) {
        return Some(format!("after a second run there is {name}"));
    }
    let standing = standing::found(place, &files, change.user, &ended.new);
    let is_new = if ended.status == 0 { standing == change.new } else { standing.enrolled == change.new.enrolled };
    (!is_new).then(|| format!("after a second run: {standing:?}"))
}
