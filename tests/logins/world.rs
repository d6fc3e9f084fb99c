//! A world for real logins: namespaces of its own, in which the test runs once more as process 1. The machine's files are
//! not touched, and when that process ends the kernel ends everything that it started.
#![forbid(unsafe_code)]

use std::fs::{self, Permissions};
use std::io::{Read, stdin};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::people::{GROUP, HOST, PASSWORD, Person, uid_of};
use crate::syslog::Syslog;
use crate::{etc, machine, mounts};

/// Where a world has the module and the tool.
pub const MODULE: &str = "/run/pam_countersign.so";
pub const TOOL: &str = "/run/countersign-setup";

/// Set for the run inside.
const INSIDE: &str = "COUNTERSIGN_TEST_WORLD";
/// Said inside at the end: a run that found no test would succeed as well.
const CAME_TO_ITS_END: &str = "world: came to its end\n";
/// A world that has not come to its end by then has hung.
const LIFE: Duration = Duration::from_secs(240);

pub struct World {
    pub log: Syslog,
    secrets: Mutex<Vec<String>>,
}

/// Runs `body`, a closure of the test that calls this, in a new world where `names` have accounts.
pub fn inside<Body: FnOnce(&World)>(names: &[&str], body: Body) {
    if std::env::var_os(INSIDE).is_none() {
        return run_again_inside(test_of::<Body>());
    }
    end_with_the_outside();
    let world = World::begin(names);
    body(&world);
    world.assert_nothing_secret_logged();
    eprint!("{CAME_TO_ITS_END}");
}

/// The test's name as the harness knows it: that of its closure without crate and `{{closure}}`.
fn test_of<Body>() -> &'static str {
    let name = std::any::type_name::<Body>();
    let (_crate, path) = name.split_once("::").unwrap();
    path.split("::{{").next().unwrap()
}

fn run_again_inside(test: &str) {
    assert!(nix::unistd::geteuid().is_root(), "real logins need root");
    let before = machine::fingerprint();
    let mut run = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "--net", "--uts", "--ipc", "--propagation", "unchanged"])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _while_open = run.stdin.take();
    let end = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&end.stderr);
    print!("{}", said.replace(CAME_TO_ITS_END, ""));
    assert_eq!(machine::fingerprint(), before, "the machine's own files have changed");
    assert!(end.status.success() && said.contains(CAME_TO_ITS_END), "{test} failed inside its world: {}", end.status);
}

/// Process 1 doesn't die of an interrupt: it ends when the outside is gone, and at the latest after its time.
fn end_with_the_outside() {
    thread::spawn(|| {
        let _ = stdin().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    thread::spawn(|| {
        thread::sleep(LIFE);
        eprintln!("this world has outlived its time");
        std::process::exit(1);
    });
}

impl World {
    fn begin(names: &[&str]) -> Self {
        let built = [("libcountersign.so", MODULE), ("countersign-setup", TOOL)].map(|(file, place)| (read_built(file), place));
        let loader_cache = fs::read("/etc/ld.so.cache").ok();
        mounts::lay();
        fs::write("/proc/sys/kernel/hostname", HOST).unwrap();
        if let Some(cache) = loader_cache {
            fs::write("/etc/ld.so.cache", cache).unwrap();
        }
        etc::write(names);
        for (bytes, place) in built {
            fs::write(place, bytes).unwrap();
            fs::set_permissions(place, Permissions::from_mode(0o755)).unwrap();
        }
        for file in ["/run/utmp", "/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog"] {
            fs::write(file, "").unwrap();
        }
        for name in names {
            let home = Path::new("/home").join(name);
            fs::create_dir(&home).unwrap();
            chown(&home, Some(uid_of(name)), Some(GROUP)).unwrap();
        }
        let world = Self { log: Syslog::listen(), secrets: Mutex::new(vec![PASSWORD.to_owned()]) };
        let init = Command::new(TOOL).args(["--config", etc::CONFIG, "init", "--force"]).output().unwrap();
        assert!(init.status.success(), "init: {}", String::from_utf8_lossy(&init.stderr));
        world
    }

    pub fn enroll(&self, name: &str) -> Person {
        let person = Person::enroll(name);
        let codes = (-12..=12).map(|steps| person.code_at(steps));
        self.secrets.lock().unwrap().extend(codes.chain(person.recovery_codes.iter().cloned()).chain([person.secret.clone()]));
        person
    }

    /// Has `text` looked for in the log at the end.
    pub fn keep_out_of_the_log(&self, text: &str) {
        self.secrets.lock().unwrap().push(text.to_owned());
    }

    fn assert_nothing_secret_logged(&self) {
        let log = self.log.lines_with(&[]);
        assert!(!log.is_empty(), "nothing at all was logged");
        for secret in self.secrets.lock().unwrap().iter() {
            let found = log.iter().find(|line| stands_alone(secret, line));
            assert_eq!(found, None, "a secret in the log");
        }
    }
}

/// Whether `secret` is in `line` as a word of its own: six digits within a longer number are no code.
fn stands_alone(secret: &str, line: &str) -> bool {
    line.match_indices(secret).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + secret.len()..].chars().next();
        ![before, after].into_iter().flatten().any(|next| next.is_ascii_alphanumeric())
    })
}

fn read_built(file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/release").join(file);
    fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}; ./tests/run builds it", path.display()))
}
