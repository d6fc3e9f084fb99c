//! The logins of packaging/try: three conversations with the private stack in a folder, through libpam. A person answers
//! in the terminal, or this program does: then it also enrolls, reading the screen of countersign-setup on a terminal of
//! its own, as an app and its owner would.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a terminal")]

use std::env::args_os;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{str, thread, time};

use countersign::pam::application::{Code, Conversation, Reply, Style, Transaction};
use countersign::rules::code::Slot;
use countersign::rules::totp::{self, Parameters, Secret};
use countersign::sys;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{User, getuid};
use zeroize::Zeroizing;

type Trial<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = args_os().skip(1).map(PathBuf::from).collect();
    let done = match arguments.as_slice() {
        [auto, folder, tool] if auto == Path::new("--auto") => answered_here(folder, tool),
        [folder] => answered_by_a_person(folder),
        _ => Err("usage: try FOLDER | try --auto FOLDER COUNTERSIGN-SETUP".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("try: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answered_by_a_person(folder: &Path) -> Trial<()> {
    let until = [
        ("1 of 3: type the app's next code. It logs in.", true),
        ("2 of 3: type the same code again. It is refused, it opened its one door.", false),
        ("3 of 3: type one of the recovery codes, as if the phone were lost. It logs in.", true),
    ];
    for (task, promised) in until {
        let mut tries = 3;
        while login(folder, task, Box::new(AtTerminal))? != promised {
            tries = u8::checked_sub(tries, 1).filter(|left| *left > 0).ok_or("three times something else than what was asked for")?;
            println!("== that is not what this step shows; once more:");
        }
    }
    Ok(())
}

fn answered_here(folder: &Path, tool: &Path) -> Trial<()> {
    let enrolled = enroll(folder, tool)?;
    wait_for_the_next_code();
    let code = code_now(&enrolled.secret)?;
    let recovery_code = enrolled.recovery_codes.first().ok_or("no recovery codes on the sheet")?.clone();
    let logins = [
        ("1 of 3: the app's next code. It logs in.", &code, true),
        ("2 of 3: the same code again. It is refused, it opened its one door.", &code, false),
        ("3 of 3: a recovery code, as if the phone were lost. It logs in.", &recovery_code, true),
    ];
    for (task, answer, promised) in logins {
        if login(folder, task, Box::new(Ready { answer: Some(answer.clone()) }))? != promised {
            return Err(format!("login {task} And that is not what happened").into());
        }
    }
    Ok(())
}

/// One transaction; whether it let in.
fn login(folder: &Path, task: &str, person: Box<dyn Conversation>) -> Trial<bool> {
    println!("\n== login {task}");
    let mut transaction =
        Transaction::start(b"try", Some(user()?.as_bytes()), Some(&folder.join("pam.d")), person).map_err(|code| code.to_string())?;
    let answer = transaction.authenticate(0).and_then(|()| transaction.account(0));
    match answer {
        Ok(()) => println!("== let in"),
        Err(PAM_CONV_ERR) => return Err("no answer, so no login".into()),
        Err(code) => println!("== refused: {code}"),
    }
    Ok(answer.is_ok())
}

/// The conversation failed: Ctrl-D.
const PAM_CONV_ERR: Code = Code(19);

fn user() -> Trial<String> {
    Ok(User::from_uid(getuid())?.ok_or("who runs this has no name in the user database")?.name)
}

struct AtTerminal;

impl Conversation for AtTerminal {
    fn answer(&mut self, style: Style, message: &[u8]) -> Reply {
        let answer = match style {
            Style::Text | Style::Error => show(message, "\n").map(|()| None),
            Style::Hidden | Style::Shown => ask(message, style == Style::Shown).map(Some),
        };
        match answer {
            Ok(None) => Reply::Nothing,
            Ok(Some(answer)) => Reply::Text(answer),
            Err(_) => Reply::Failed,
        }
    }
}

fn show(message: &[u8], end: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(message)?;
    out.write_all(end.as_bytes())?;
    out.flush()
}

/// If this is killed meanwhile, packaging/try switches the echo on again.
fn ask(question: &[u8], echo: bool) -> io::Result<Zeroizing<Vec<u8>>> {
    let input = io::stdin();
    let before = tcgetattr(&input)?;
    let mut during = before.clone();
    during.local_flags.set(LocalFlags::ECHO, echo);
    tcsetattr(&input, SetArg::TCSAFLUSH, &during)?;
    show(question, "")?;
    let mut line = Zeroizing::new(Vec::new());
    let read = input.lock().read_until(b'\n', &mut line);
    tcsetattr(&input, SetArg::TCSANOW, &before)?;
    if read? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.retain(|byte| *byte != b'\n');
    show(b"", if echo { "" } else { "\n" })?;
    Ok(line)
}

/// Who has the one answer ready.
struct Ready {
    answer: Option<String>,
}

impl Conversation for Ready {
    fn answer(&mut self, style: Style, message: &[u8]) -> Reply {
        let answer = match style {
            Style::Text | Style::Error => None,
            Style::Hidden | Style::Shown => self.answer.take(),
        };
        match (show(message, answer.as_deref().unwrap_or_default()).and_then(|()| show(b"", "\n")), answer, style) {
            (Ok(()), Some(answer), _) => Reply::Text(Zeroizing::new(answer.into_bytes())),
            (Ok(()), None, Style::Text | Style::Error) => Reply::Nothing,
            (Ok(()), None, _) | (Err(_), ..) => Reply::Failed,
        }
    }
}

struct Enrolled {
    secret: Secret,
    recovery_codes: Vec<String>,
}

fn enroll(folder: &Path, tool: &Path) -> Trial<Enrolled> {
    println!("== enrolling, on a terminal of 80 columns and 24 rows:");
    let pty = openpty(Some(&Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }), None)?;
    let mut command = Command::new("setsid"); // util-linux: the new terminal becomes the one of the tool
    command.args(["--ctty", "--wait"]).arg(tool).arg("--config").arg(folder.join("config.toml"));
    command.args(["enroll", "--user", &user()?]).env("TERM", "xterm");
    command.stdin(pty.slave.try_clone()?).stdout(pty.slave.try_clone()?).stderr(pty.slave);
    let mut child = command.spawn()?;
    drop(command); // the last of our copies of the terminal's other end
    let mut screen = Screen { terminal: pty.master.into(), seen: Vec::new() };

    let secret = secret_on(&screen.until("(time-based")?)?;
    screen.until("shows now: ")?;
    screen.answer(&code_now(&secret)?)?;
    let sheet = screen.until("type code ")?;
    let recovery_codes: Vec<String> = sheet.split_whitespace().filter(|word| is_recovery_code(word)).map(str::to_owned).collect();
    let wanted = screen.until("): ")?;
    // A code's first symbol is its number on the sheet: 1 to 9, and A for 10.
    let slot = wanted.split(' ').next().and_then(|number| Slot::new(number.parse().ok()?)).ok_or("no number of a code")?;
    let copy = recovery_codes.iter().find(|code| code.starts_with(slot.symbol())).ok_or("no such code on the sheet")?;
    screen.answer(copy)?;
    screen.until_the_end()?;
    if !child.wait()?.success() {
        return Err("the enrollment failed".into());
    }
    Ok(Enrolled { secret, recovery_codes })
}

fn secret_on(screen: &str) -> Trial<Secret> {
    let (_, shown) = screen.split_once("Type it in: ").ok_or("no secret on the screen")?;
    let base32: String = shown.split_whitespace().take_while(|word| !word.starts_with('(')).collect();
    let bytes = data_encoding::BASE32_NOPAD.decode(base32.as_bytes())?;
    Secret::new(&bytes).ok_or_else(|| "the secret on the screen is none".into())
}

fn is_recovery_code(word: &str) -> bool {
    word.len() == 19 && word.split('-').filter(|group| group.len() == 4).count() == 4
}

fn code_now(secret: &Secret) -> Trial<String> {
    let period = Parameters::default().period;
    let code = totp::step_start(sys::now(), period).and_then(|start| totp::code(secret, Parameters::default(), start));
    Ok(str::from_utf8(code.ok_or("the clock is before 1970")?.expose())?.to_owned())
}

/// The code that confirmed the enrollment does not log in.
fn wait_for_the_next_code() {
    let period = i64::from(Parameters::default().period);
    let seconds = period.saturating_sub(sys::now().rem_euclid(period));
    println!("\n== waiting {seconds} s for the app's next code: the one typed above does not log in");
    thread::sleep(time::Duration::from_secs(seconds.unsigned_abs()));
}

/// What the tool's terminal shows.
struct Screen {
    terminal: File,
    /// Shown, and not yet given to `until`'s caller.
    seen: Vec<u8>,
}

impl Screen {
    /// What is shown up to and with this text.
    fn until(&mut self, text: &str) -> Trial<String> {
        loop {
            let shown = plain(&self.seen);
            if let Some(at) = shown.find(text) {
                let (before, after) = shown.split_at(at.saturating_add(text.len()));
                self.seen = after.as_bytes().to_vec();
                return Ok(before.to_owned());
            }
            if !self.more()? {
                return Err(format!("the tool ended before it showed \"{text}\"").into());
            }
        }
    }

    fn until_the_end(&mut self) -> Trial<()> {
        while self.more()? {}
        Ok(())
    }

    fn answer(&mut self, text: &str) -> Trial<()> {
        Ok(writeln!(self.terminal, "{text}")?)
    }

    /// False once the tool has closed the terminal.
    fn more(&mut self) -> Trial<bool> {
        let mut ready = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::from(60_000_u16))? == 0 {
            return Err("the tool has shown nothing for a minute".into());
        }
        let mut part = [0; 4096];
        let count = match self.terminal.read(&mut part) {
            Err(error) if error.raw_os_error() == Some(libc::EIO) => 0,
            other => other?,
        };
        let part = part.get(..count).unwrap_or_default();
        io::stdout().write_all(part)?;
        io::stdout().flush()?;
        self.seen.extend_from_slice(part);
        Ok(count > 0)
    }
}

/// The text without a terminal's colours.
fn plain(shown: &[u8]) -> String {
    let text = String::from_utf8_lossy(shown);
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').get(1..).unwrap_or_default())
}
