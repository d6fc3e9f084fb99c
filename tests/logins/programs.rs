//! The programs that log someone in, and how a login with each of them goes on a terminal.
#![forbid(unsafe_code)]

use crate::people::{FIRST_UID, GROUP, HOST, PASSWORD, uid_of};
use crate::sshd::{KEY, STRANGERS_KEY};
use crate::terminal::Terminal;

pub const PASSWORD_PORT: u16 = 22;
pub const KEY_PORT: u16 = 222;

/// A user id without an account.
const NO_ACCOUNT: u32 = FIRST_UID - 1;
/// The options of ssh for a login by password and code.
pub const ASK_ME: [&str; 2] = ["-o", "PreferredAuthentications=keyboard-interactive"];

/// What is run as the person who got in. Its words are not its output: a terminal's echo of it proves nothing.
pub const WHO: &str = "echo in=$(id -un)";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// OpenSSH, keyboard-interactive: password, then code.
    Ssh,
    /// OpenSSH, public key, then code.
    SshKey,
    Sudo,
    Su,
    Login,
}

impl Program {
    pub const ALL: [Self; 5] = [Self::Ssh, Self::SshKey, Self::Sudo, Self::Su, Self::Login];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::SshKey => "ssh-key",
            Self::Sudo => "sudo",
            Self::Su => "su",
            Self::Login => "login",
        }
    }

    /// The name of its PAM service.
    pub fn service(self) -> &'static str {
        match self {
            Self::Ssh | Self::SshKey => "sshd",
            Self::Sudo => "sudo",
            Self::Su => "su",
            Self::Login => "login",
        }
    }

    /// The login of `name` with this program, as it is begun.
    pub fn door(self, name: &str) -> Door {
        let mut door =
            Door { command: Vec::new(), uid: 0, into: name.to_owned(), name: name.to_owned(), password: PASSWORD.to_owned(), tries: 1 };
        match self {
            Self::Ssh => door.command = ssh(name, PASSWORD_PORT, &ASK_ME),
            Self::SshKey => door.command = ssh(name, KEY_PORT, &["-i", KEY]),
            Self::Sudo => {
                door.command = words(&["sudo", "-k", "sh", "-c", WHO]);
                door.uid = if name == STRANGER { NO_ACCOUNT } else { uid_of(name) };
                "root".clone_into(&mut door.into);
            }
            Self::Su => {
                door.command = words(&["su", name, "-c", WHO]);
                door.uid = uid_of(SOMEONE);
            }
            Self::Login => door.command = words(&["login"]),
        }
        door
    }

    /// The same with a wrong password; a wrong key where a key is the first step.
    pub fn door_with_wrong_password(self, name: &str) -> Door {
        let mut door = self.door(name);
        "roses on the 4th floor".clone_into(&mut door.password);
        if self == Self::SshKey {
            door.command = ssh(name, KEY_PORT, &["-i", STRANGERS_KEY]);
        }
        door
    }
}

/// A name that no account has.
pub const STRANGER: &str = "stranger";
/// Who runs su.
pub const SOMEONE: &str = "someone";

/// One login, not begun yet.
pub struct Door {
    pub command: Vec<String>,
    /// Who runs the command.
    pub uid: u32,
    /// Who it lets in as.
    pub into: String,
    /// What is typed where a name is asked for.
    pub name: String,
    pub password: String,
    /// How many times the password is typed before giving up.
    pub tries: usize,
}

/// What a program lets the person come to.
#[derive(PartialEq, Eq, Debug)]
pub enum At {
    Question,
    In,
    Out,
}

/// A login under way.
pub struct Login {
    pub terminal: Terminal,
    door: Door,
    named: bool,
}

impl Login {
    pub fn begin(door: Door) -> Self {
        let command: Vec<&str> = door.command.iter().map(String::as_str).collect();
        Self { terminal: Terminal::start(&command, door.uid, GROUP), door, named: false }
    }

    /// Gives name and password when asked, until the code is asked for, a command has run inside, or the program has had enough.
    pub fn go_on(&mut self) -> At {
        let inside = format!("in={}\r", self.door.into);
        let name_asked = format!("{HOST} login: ");
        let texts = [&inside, "Verification code: ", &name_asked, "$ ", "Password: ", "password for ", "'s password: "];
        loop {
            match self.terminal.wait_for(&texts) {
                Some(0) => return At::In,
                Some(1) => return At::Question,
                Some(2) if !self.named => {
                    self.named = true;
                    self.terminal.type_line(&self.door.name);
                }
                Some(3) => self.terminal.type_line(WHO),
                Some(4..) if self.door.tries > 0 => {
                    self.door.tries -= 1;
                    self.terminal.type_line(&self.door.password);
                }
                Some(_) | None => return At::Out,
            }
        }
    }

    pub fn answer(&mut self, code: &str) {
        self.terminal.type_line(code);
    }

    pub fn screen(&self) -> &str {
        self.terminal.screen()
    }
}

/// The client's command line. `options` say how to log in.
pub fn ssh(name: &str, port: u16, options: &[&str]) -> Vec<String> {
    let mut command = words(&["ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
    command.extend(words(&["-o", "IdentitiesOnly=yes", "-o", "NumberOfPasswordPrompts=3"]));
    command.extend(words(options));
    command.extend(words(&["-p", &port.to_string(), &format!("{name}@127.0.0.1"), WHO]));
    command
}

pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
