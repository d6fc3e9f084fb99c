//! OpenSSH's server, one for each way of asking, each on its own port.
#![forbid(unsafe_code)]

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::etc::{self, AUTHORIZED_KEY, PAM_AFTER_KEY};
use crate::mounts;

/// A key that logs everybody in, and one that logs nobody in.
pub const KEY: &str = "/etc/ssh/key";
pub const STRANGERS_KEY: &str = "/etc/ssh/strangers_key";

const SSHD: &str = "/usr/sbin/sshd";
const HOST_KEY: &str = "/etc/ssh/host_key";

pub struct Sshd {
    program: Child,
}

impl Sshd {
    /// Asks for the password, then for the code.
    pub fn password_and_code(port: u16) -> Self {
        Self::start(port, "PasswordAuthentication no\nKbdInteractiveAuthentication yes\n", None)
    }

    /// Wants a key, then asks for the code.
    pub fn key_and_code(port: u16) -> Self {
        let lines = "AuthenticationMethods publickey,keyboard-interactive\nPasswordAuthentication no\nKbdInteractiveAuthentication yes\n";
        Self::start(port, lines, Some(PAM_AFTER_KEY))
    }

    /// Starts it with `lines` in its configuration, and `pam` in place of `/etc/pam.d`.
    pub fn start(port: u16, lines: &str, pam: Option<&'static str>) -> Self {
        fs::create_dir_all("/etc/ssh").unwrap();
        for key in [HOST_KEY, KEY, STRANGERS_KEY] {
            make_key(key);
        }
        fs::create_dir_all("/run/sshd").unwrap();
        fs::copy(format!("{KEY}.pub"), AUTHORIZED_KEY).unwrap();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {HOST_KEY}\nPidFile none\nUsePAM yes\nMaxStartups 100\nAuthorizedKeysFile {AUTHORIZED_KEY}\n{lines}"
        );
        let file = format!("/etc/ssh/sshd_{port}");
        etc::put(&format!("ssh/sshd_{port}"), &format!("{text}{}", without_penalties(&text)));
        let run = move || {
            if let Some(folder) = pam {
                mounts::see_instead("/etc/pam.d", folder);
            }
            Command::new(SSHD).args(["-D", "-f", &file]).stdin(Stdio::null()).spawn().unwrap()
        };
        let program = thread::spawn(run).join().unwrap();
        wait_for(port);
        Self { program }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// From 9.8 on sshd makes an address wait that failed often, and here all come from one; older ones don't know the line.
fn without_penalties(text: &str) -> &'static str {
    const LINE: &str = "PerSourcePenalties no\n";
    etc::put("ssh/sshd_try", &format!("{text}{LINE}"));
    let known = Command::new(SSHD).args(["-t", "-f", "/etc/ssh/sshd_try"]).stderr(Stdio::null()).status().unwrap().success();
    if known { LINE } else { "" }
}

fn make_key(path: &str) {
    if !fs::exists(path).unwrap() {
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path]).status().unwrap();
        assert!(made.success());
    }
}

fn wait_for(port: u16) {
    let end = Instant::now() + Duration::from_secs(10);
    while let Err(why) = TcpStream::connect(("127.0.0.1", port)) {
        assert!(Instant::now() < end, "sshd on port {port}: {why}");
        thread::sleep(Duration::from_millis(20));
    }
}
