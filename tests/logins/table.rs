//! The table: every program, every end that a login can have.
#![forbid(unsafe_code)]

use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use crate::etc;
use crate::programs::{At, Door, Login, Program, SOMEONE, STRANGER};
use crate::world::World;

/// Most of a login is waiting for delays.
const AT_ONCE: usize = 12;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Row {
    Right,
    Wrong,
    Replayed,
    RecoveryCode,
    ReusedRecoveryCode,
    WrongPassword,
    UnknownUser,
    TwoAtOnce,
    UnenrolledDeny,
    UnenrolledSkip,
}

impl Row {
    const ALL: [Self; 10] = [
        Self::Right,
        Self::Wrong,
        Self::Replayed,
        Self::RecoveryCode,
        Self::ReusedRecoveryCode,
        Self::WrongPassword,
        Self::UnknownUser,
        Self::TwoAtOnce,
        Self::UnenrolledDeny,
        Self::UnenrolledSkip,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Right => "right code",
            Self::Wrong => "wrong code",
            Self::Replayed => "the same code again",
            Self::RecoveryCode => "recovery code",
            Self::ReusedRecoveryCode => "the same recovery code again",
            Self::WrongPassword => "wrong password (ssh-key: wrong key)",
            Self::UnknownUser => "unknown user",
            Self::TwoAtOnce => "two at once with one code",
            Self::UnenrolledDeny => "not enrolled, unenrolled = deny",
            Self::UnenrolledSkip => "not enrolled, unenrolled = skip",
        }
    }

    /// How it has to end.
    fn expected(self, program: Program) -> Outcome {
        match self {
            Self::Right | Self::RecoveryCode => Outcome::In,
            Self::Wrong | Self::Replayed | Self::ReusedRecoveryCode | Self::UnenrolledDeny => Outcome::Refused,
            Self::WrongPassword | Self::UnknownUser => Outcome::NotAsked,
            Self::TwoAtOnce => Outcome::OneIn,
            // A stack without a password says `unenrolled=deny` on its own line, whatever the file says.
            Self::UnenrolledSkip if program == Program::SshKey => Outcome::Refused,
            Self::UnenrolledSkip => Outcome::InUnasked,
        }
    }

    /// What the person reads after the answer.
    fn told(self, program: Program) -> Option<&'static str> {
        match self {
            Self::Replayed => Some("countersign: a code was used just now, wait for the next one"),
            Self::ReusedRecoveryCode => Some("countersign: recovery code already used, take another"),
            _ if self.expected(program) == Outcome::Refused => {
                Some("countersign: not accepted; try the next code, a recovery code, or ask for help")
            }
            _ => None,
        }
    }

    /// What our line in the log has to say of it. Nothing: there is no such line.
    fn logged(self, program: Program) -> Option<&'static str> {
        match self {
            Self::Right | Self::TwoAtOnce => Some("result=accepted method=totp"),
            Self::Wrong => Some("result=refused reason=wrong"),
            Self::Replayed | Self::ReusedRecoveryCode => Some("result=refused reason=replay"),
            Self::RecoveryCode => Some("result=accepted method=recovery"),
            Self::WrongPassword | Self::UnknownUser => None,
            Self::UnenrolledSkip if program != Program::SshKey => Some("result=skipped reason=unenrolled"),
            Self::UnenrolledDeny | Self::UnenrolledSkip => Some("result=refused reason=unenrolled"),
        }
    }

    /// Whose login it is: one person a cell, since a code logs in once.
    fn user(self, program: Program) -> String {
        match self {
            Self::UnknownUser => STRANGER.to_owned(),
            _ => format!("{}-{}", program.name(), format!("{self:?}").to_lowercase()),
        }
    }
}

/// How a login ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    In,
    InUnasked,
    Refused,
    NotAsked,
    OneIn,
    BothIn,
    /// A step on the way to the cell was not as it has to be.
    Broken,
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::In => "in",
            Self::InUnasked => "in, unasked",
            Self::Refused => "refused",
            Self::NotAsked => "not asked",
            Self::OneIn => "one in",
            Self::BothIn => "both in",
            Self::Broken => "broken",
        })
    }
}

/// Everybody whom the table needs.
pub fn names() -> Vec<String> {
    let users = Row::ALL.into_iter().filter(|row| *row != Row::UnknownUser);
    users.flat_map(|row| Program::ALL.map(|program| row.user(program))).chain([SOMEONE.to_owned()]).collect()
}

/// Plays the whole table, prints it, and fails if a cell is not as it has to be.
pub fn play(world: &World) {
    let mut cells = play_rows(world, &Row::ALL[..9]);
    etc::policy("unenrolled = \"skip\"");
    cells.extend(play_rows(world, &Row::ALL[9..]));
    eprint!("{}", drawn(&cells));
    let faults: String = cells.iter().filter_map(|cell| cell.fault.as_deref()).collect();
    assert!(faults.is_empty(), "{faults}");
}

struct Cell {
    row: Row,
    program: Program,
    got: Outcome,
    fault: Option<String>,
}

fn play_rows(world: &World, rows: &[Row]) -> Vec<Cell> {
    let to_do = Mutex::new(rows.iter().flat_map(|row| Program::ALL.map(|program| (*row, program))));
    let done = Mutex::new(Vec::new());
    let next = || to_do.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((row, program)) = next() {
                    let cell = play_cell(world, row, program);
                    done.lock().unwrap().push(cell);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

fn play_cell(world: &World, row: Row, program: Program) -> Cell {
    let name = row.user(program);
    let played = catch_unwind(AssertUnwindSafe(|| ended(world, row, program, &name)));
    let (got, screen) = played.unwrap_or((Outcome::Broken, "broken off, see above".to_owned()));
    let expected = row.expected(program);
    let mut faults = Vec::new();
    if got != expected {
        faults.push(format!("{got}, has to be: {expected}"));
    }
    faults.extend(fault_of_screen(row, program, &screen));
    faults.extend(fault_of_log(world, row, program, &name));
    let fault = faults.join("; ");
    let fault = (!fault.is_empty()).then(|| format!("{row:?} with {program:?}: {fault}\n{screen}\n"));
    Cell { row, program, got, fault }
}

/// sudo is silent by default: what it must not show, all others must.
fn fault_of_screen(row: Row, program: Program, screen: &str) -> Option<String> {
    let told = row.told(program)?;
    (screen.contains(told) == (program == Program::Sudo)).then(|| format!("\"{told}\" is to be shown by all but sudo"))
}

fn fault_of_log(world: &World, row: Row, program: Program, name: &str) -> Option<String> {
    let ours = format!("pam_countersign({}:auth): ", program.service());
    let user = format!("user={name}");
    let Some(words) = row.logged(program) else {
        return (!world.log.lines_with(&[&ours, &user]).is_empty()).then(|| "the module was reached".to_owned());
    };
    // fail2ban's stock filters know a refusal by pam_unix's words.
    let refused = !words.contains("refused") || world.log.comes(&[&ours, "authentication failure; ", &user]);
    let said = world.log.comes(&[&ours, words, &format!("{user} ")]);
    (!refused || !said).then(|| format!("the log doesn't say \"{words}\":\n{}", world.log.lines_with(&[name]).join("\n")))
}

/// Plays one cell; says how it ended, and what stood on the screen.
fn ended(world: &World, row: Row, program: Program, name: &str) -> (Outcome, String) {
    let door = || program.door(name);
    match row {
        Row::UnknownUser => attempt(door(), "000000"),
        Row::UnenrolledDeny | Row::UnenrolledSkip => attempt(door(), "000000"),
        Row::Right => attempt(door(), &world.enroll(name).code()),
        Row::Wrong => {
            let code = world.enroll(name).wrong_code();
            world.keep_out_of_the_log(&code);
            attempt(door(), &code)
        }
        Row::Replayed => again(door, &world.enroll(name).code()),
        Row::RecoveryCode => attempt(door(), &world.enroll(name).recovery_codes[3]),
        Row::ReusedRecoveryCode => again(door, &world.enroll(name).recovery_codes[3]),
        Row::WrongPassword => {
            let person = world.enroll(name);
            let before = person.state();
            let end = attempt(program.door_with_wrong_password(name), &person.code());
            assert!(person.state() == before, "a wrong password has changed the state of {name}");
            end
        }
        Row::TwoAtOnce => {
            let code = world.enroll(name).code();
            at_once([door(), door()], &code)
        }
    }
}

/// One login from beginning to end, with `code` where a code is asked for.
pub fn attempt(door: Door, code: &str) -> (Outcome, String) {
    let mut login = Login::begin(door);
    let outcome = match login.go_on() {
        At::In => Outcome::InUnasked,
        At::Out => Outcome::NotAsked,
        At::Question => {
            login.answer(code);
            if login.go_on() == At::In { Outcome::In } else { Outcome::Refused }
        }
    };
    (outcome, login.screen().to_owned())
}

/// Two logins, one after the other, with the same code: how the second ended, after a first that got in.
fn again(door: impl Fn() -> Door, code: &str) -> (Outcome, String) {
    let (first, screen) = attempt(door(), code);
    assert_eq!(first, Outcome::In, "{screen}");
    attempt(door(), code)
}

/// Two logins that both wait at the question, and then get the same code at the same moment.
pub fn at_once(doors: [Door; 2], code: &str) -> (Outcome, String) {
    let mut logins = doors.map(Login::begin);
    for login in &mut logins {
        assert_eq!(login.go_on(), At::Question, "{}", login.screen());
    }
    logins.iter_mut().for_each(|login| login.answer(code));
    let ends = logins.each_mut().map(Login::go_on);
    let outcome = match ends.iter().filter(|end| **end == At::In).count() {
        0 => Outcome::Refused,
        1 => Outcome::OneIn,
        _ => Outcome::BothIn,
    };
    (outcome, logins.map(|login| login.screen().to_owned()).join("\n----\n"))
}

fn drawn(cells: &[Cell]) -> String {
    let mut table = format!("\n{:36}", "");
    Program::ALL.iter().for_each(|program| write!(table, "{:13}", program.name()).unwrap());
    for row in Row::ALL {
        write!(table, "\n{:36}", row.title()).unwrap();
        for program in Program::ALL {
            let cell = cells.iter().find(|cell| cell.row == row && cell.program == program).unwrap();
            let mark = if cell.fault.is_some() { "!" } else { "" };
            write!(table, "{:13}", format!("{mark}{}", cell.got)).unwrap();
        }
    }
    let wrong = cells.iter().filter(|cell| cell.fault.is_some()).count();
    format!("{table}\n\n{} logins to be told apart, {wrong} not as they have to be (!)\n", cells.len())
}
