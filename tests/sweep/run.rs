//! One run of a change, as a person or a program makes it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use serde_json::Value;

use super::changes::Change;
use super::phone::{self, BACK, DIGITS};
use super::place::{CONFIG, HOME};

const TOOL: &str = env!("CARGO_BIN_EXE_countersign-setup");

/// What came of it: exit status (a signal's number is negative), what was said on standard error or on the screen.
pub struct Ended {
    pub status: i32,
    pub says: String,
    pub new: HandedOver,
}

/// What the person or the program has in hand now.
#[derive(Default)]
pub struct HandedOver {
    pub secret: Option<Vec<u8>>,
    pub codes: Vec<String>,
}

/// The change, under that program where there is one (strace).
pub fn run(change: &Change, under: &[String]) -> Ended {
    let line = line(change.command, under);
    let mut ended = if change.at_terminal { at_terminal(&line) } else { without_terminal(&line) };
    if let Ok(sheet) = fs::read_to_string(format!("{HOME}/codes.txt")) {
        ended.new.codes.extend(phone::sheet(&sheet));
    }
    ended
}

pub fn line(command: &[&str], under: &[String]) -> Vec<String> {
    let tool = [TOOL, "--config", CONFIG];
    under.iter().cloned().chain(tool.iter().chain(command).map(|&word| word.to_owned())).collect()
}

pub fn without_terminal(line: &[String]) -> Ended {
    let run = program("setsid").args(line).stdin(Stdio::null()).output().unwrap();
    let value: Value = serde_json::from_slice(&run.stdout).unwrap_or_default();
    let codes = value["recovery_codes"].as_array().into_iter().flatten().chain(value.get("rescue_code"));
    let new = HandedOver {
        secret: value["secret"].as_str().map(|secret| data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap()),
        codes: codes.map(|code| code.as_str().unwrap().to_owned()).collect(),
    };
    Ended { status: number(run.status), says: String::from_utf8(run.stderr).unwrap(), new }
}

/// All questions are answered rightly.
fn at_terminal(line: &[String]) -> Ended {
    let pair = openpty(Some(&Winsize { ws_row: 50, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }), None).unwrap();
    let (mut keyboard, slave) = (File::from(pair.master), File::from(pair.slave));
    fcntl(&keyboard, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    let end = || Stdio::from(slave.try_clone().unwrap());
    let mut child = program("setsid").arg("--ctty").args(line).stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    drop(slave);
    let (mut screen, mut looked_at) = (String::new(), 0);
    let mut bytes = [0; 4096];
    // It ends in an error when nobody holds the other side any more.
    while let Ok(length @ 1..) = keyboard.read(&mut bytes) {
        screen.push_str(&String::from_utf8_lossy(&bytes[..length]).replace('\r', ""));
        if let Some(answer) = answer(&screen, &screen[looked_at..]) {
            looked_at = screen.len();
            let _ = keyboard.write_all(format!("{answer}\n").as_bytes());
        }
    }
    let status = number(child.wait().unwrap());
    let secret = screen.contains(" (time-based)").then(|| phone::secret(&screen).expose().to_vec());
    Ended { status, new: HandedOver { secret, codes: phone::sheet(&screen) }, says: screen }
}

fn answer(screen: &str, new: &str) -> Option<String> {
    if new.ends_with("[y/N] ") {
        return Some("y".to_owned());
    }
    if new.ends_with(DIGITS) {
        return Some(phone::digits(screen, 0));
    }
    new.ends_with(BACK).then(|| phone::asked_back(screen))
}

fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env_clear().envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C.UTF-8"), ("NO_COLOR", "1"), ("TERM", "xterm")]);
    command
}

fn number(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| -status.signal().unwrap())
}
