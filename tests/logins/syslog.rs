//! The log of a world: everything that its programs send to `/dev/log`.
#![forbid(unsafe_code)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub struct Syslog {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Syslog {
    pub fn listen() -> Self {
        let socket = UnixDatagram::bind("/dev/log").unwrap();
        fs::set_permissions("/dev/log", Permissions::from_mode(0o666)).unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        thread::spawn(move || {
            let mut datagram = [0; 65536];
            while let Ok(length) = socket.recv(&mut datagram) {
                kept.lock().unwrap().push(String::from_utf8_lossy(&datagram[..length]).into_owned());
            }
        });
        Self { lines }
    }

    /// All lines so far that hold each of `parts`.
    pub fn lines_with(&self, parts: &[&str]) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|line| parts.iter().all(|part| line.contains(part))).cloned().collect()
    }

    /// Whether a line with all of `parts` is there, or comes within two seconds: programs go on while their lines are under way.
    pub fn comes(&self, parts: &[&str]) -> bool {
        let end = Instant::now() + Duration::from_secs(2);
        while self.lines_with(parts).is_empty() {
            if Instant::now() > end {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    }
}
