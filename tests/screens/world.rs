//! A world for the tool: a mount and host name space of its own with users, PAM files, a log and a store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign::rules::code::{RecoveryCode, Slot};
use countersign::rules::journal::Journal;
use countersign::rules::record::{Record, RecordId, Rescue, StoredCode};
use countersign::rules::recovery::Hashed;
use countersign::store::{Began, Folder, Store};

pub const TOOL: &str = env!("CARGO_BIN_EXE_countersign-setup");

/// Where a world's files are for whoever is inside: the same place on every screen.
pub const STORE: &str = "/mnt/store";
pub const CONFIG: &str = "/mnt/config.toml";

/// Run as `sh -c ENTER sh FOLDER PROGRAM...`: nothing of it is seen outside.
const ENTER: &str = r#"
set -e
world=$1; shift
echo web1 > /proc/sys/kernel/hostname
mount --bind $world /mnt
mount --bind $world/passwd /etc/passwd
mount --bind $world/nsswitch.conf /etc/nsswitch.conf
mount --bind $world/pam.d /etc/pam.d
mount -t tmpfs none $world/dev
for node in null full zero random urandom tty; do : > $world/dev/$node; mount --bind /dev/$node $world/dev/$node; done
: > $world/dev/log; mount --bind $world/log $world/dev/log
mount --move $world/dev /dev
exec "$@"
"#;

const USERS: &str = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n4711:x:1002:1002::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";

pub struct World {
    folder: PathBuf,
    log: UnixDatagram,
}

impl World {
    /// A store in which nobody is enrolled, and a configuration with these lines below `store`.
    pub fn new(lines: &str) -> Self {
        let world = Self::without_store(lines);
        let made = world.run(&["init", "--force"]);
        assert!(made.status.success(), "{made:?}");
        world
    }

    pub fn without_store(lines: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("countersign-screens-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        for part in ["", "dev", "pam.d"] {
            fs::create_dir(folder.join(part)).unwrap();
        }
        fs::write(folder.join("passwd"), USERS).unwrap();
        fs::write(folder.join("nsswitch.conf"), "passwd: files\n").unwrap();
        let log = UnixDatagram::bind(folder.join("log")).unwrap();
        log.set_nonblocking(true).unwrap();
        let world = Self { folder, log };
        world.configure(lines);
        world
    }

    pub fn configure(&self, lines: &str) {
        fs::write(self.config(), format!("store = {STORE:?}\n{lines}\n")).unwrap();
    }

    /// A PAM service's file.
    pub fn service(&self, name: &str, text: &str) {
        fs::write(self.folder.join("pam.d").join(name), text).unwrap();
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// From outside; inside it is `STORE`.
    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// From outside; inside it is `CONFIG`.
    pub fn config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// The command line that runs a program in here.
    pub fn inside(&self, program: &[&str]) -> Vec<String> {
        let folder = self.folder.to_str().unwrap();
        let enter = ["unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", ENTER, "sh", folder];
        enter.iter().chain(program).map(|&word| word.to_owned()).collect()
    }

    /// The same for the tool, with this world's configuration.
    pub fn tool(&self, arguments: &[&str]) -> Vec<String> {
        let mut program = vec![TOOL, "--config", CONFIG];
        program.extend(arguments);
        self.inside(&program)
    }

    /// The tool without a terminal.
    pub fn command(&self, arguments: &[&str]) -> Command {
        command(&self.tool(arguments))
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A shell in here, without a terminal; `$TOOL` is the tool with this world's configuration, `$BARE` without.
    pub fn shell(&self, script: &str) -> Output {
        let tool = format!("{TOOL} --config {CONFIG}");
        command(&self.inside(&["sh", "-c", script])).env("TOOL", tool).env("BARE", TOOL).output().unwrap()
    }

    /// The lines that were logged since the last call.
    pub fn logged(&self) -> Vec<String> {
        let mut buffer = vec![0; 65536];
        let lines =
            std::iter::from_fn(|| self.log.recv(&mut buffer).ok().map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned()));
        lines.collect()
    }

    pub fn is_enrolled(&self, uid: u32) -> bool {
        Store::new(Folder::open(self.store().to_str().unwrap()).unwrap()).is_enrolled(uid).unwrap()
    }

    /// A journal without a record, as a clock that was once ahead has left it.
    pub fn raise_floor(&self, uid: u32, last: i64) {
        let journal = Journal { sequence: 7, last, last_period: 30, ..Journal::default() };
        let path = self.store().join(format!("{uid}.state"));
        fs::write(&path, journal.file(uid)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// One more line of the user database.
    pub fn add_user(&self, name: &str, uid: u32) {
        let path = self.folder.join("passwd");
        let users = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{users}{name}:x:{uid}:{uid}::/:/bin/sh\n")).unwrap();
    }

    /// The account has another name from now on.
    pub fn rename(&self, name: &str, new: &str) {
        let path = self.folder.join("passwd");
        let users = fs::read_to_string(&path).unwrap();
        fs::write(path, users.replace(&format!("\n{name}:"), &format!("\n{new}:"))).unwrap();
    }

    /// The record, committed with that change as any flow commits.
    pub fn change_record(&self, uid: u32, change: impl FnOnce(&mut Record)) {
        let store = Store::new(Folder::open(self.store().to_str().unwrap()).unwrap());
        let locked = store.lock(uid).unwrap();
        let mut record = locked.record().unwrap().unwrap();
        let began = Began::With(record.id);
        record.id = RecordId(record.id.0 ^ 1);
        change(&mut record);
        locked.commit(began, &record).unwrap();
    }

    /// The journal, made anew with that change.
    pub fn change_journal(&self, uid: u32, change: impl FnOnce(&mut Journal)) {
        let store = Store::new(Folder::open(self.store().to_str().unwrap()).unwrap());
        let mut journal = store.lock(uid).unwrap().journal().unwrap().unwrap();
        change(&mut journal);
        fs::write(self.store().join(format!("{uid}.state")), journal.file(uid)).unwrap();
    }

    /// What the store holds, if there is one, but for the locks.
    pub fn held(&self) -> Vec<(String, Vec<u8>)> {
        let files = fs::read_dir(self.store()).into_iter().flatten().map(|entry| entry.unwrap());
        let mut held: Vec<_> = files
            .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap_or_default()))
            .filter(|(name, _)| !name.ends_with(".lock"))
            .collect();
        held.sort();
        held
    }

    /// All bytes of the store.
    pub fn stored(&self) -> Vec<u8> {
        fs::read_dir(self.store()).unwrap().flat_map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
    }
}

/// A rescue code as root, for bob, issues it; what it opens with is nobody's business.
pub fn rescue_code(created_at: i64, not_after: i64) -> StoredCode {
    let code = RecoveryCode::made(Slot::new(24).unwrap(), &[5; 14]);
    let rescue = Rescue { not_after, created_at, created_by: "root (bob)".to_owned() };
    StoredCode { slot: code.slot(), hashed: Hashed::new(&code, [1; 16]).unwrap(), rescue: Some(rescue) }
}

pub fn command(line: &[String]) -> Command {
    let mut command = Command::new("setsid");
    command.arg("--wait").args(line).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.folder).unwrap();
        }
    }
}
