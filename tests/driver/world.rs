//! A world of its own for each test: users, a store, a configuration, PAM's service files.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use countersign::rules::code::{RecoveryCode, Slot};
use countersign::rules::journal::{Journal, SetId};
use countersign::rules::record::{Authenticator, Record, RecordId, RecoverySet, StoredCode};
use countersign::rules::recovery::Hashed;
use countersign::rules::totp::{self, Parameters, Secret};
use countersign::store::{Began, Folder, Locked, MARKER, Store};

use super::{Login, NOW};

/// Users of every world, with the password `PASSWORD`.
pub const USERS: [(&str, u32); 3] = [("alice", 1000), ("bob", 1001), ("carol", 1002)];
pub const PASSWORD: &str = "correct horse";
/// `PASSWORD`, SHA-256 crypt with the fewest rounds: the tests check it often.
const HASHED: &str = "$5$rounds=1000$testsalt$QhDrd5CKQ/9/gD4F4bVY25qRSt1cRtWJ5D8EG5dnnN3";

pub struct World {
    folder: PathBuf,
}

impl World {
    /// A store in which nobody is enrolled, the built-in configuration, and the service `test`, which asks for a code alone.
    pub fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("countersign-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let world = Self { folder: std::env::temp_dir().join(name) };
        for folder in ["", "etc", "dev", "services", "store"] {
            fs::create_dir(world.folder.join(folder)).unwrap();
        }
        fs::set_permissions(world.store(), Permissions::from_mode(0o700)).unwrap();
        File::create(world.store().join(MARKER)).unwrap();
        File::create(world.module()).unwrap();
        world.install(release_module());
        world.write_users();
        world.configure("");
        world.service("other", "# libpam looks for it\n");
        world.service("test", "auth required pam_countersign.so\n");
        world
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    pub fn config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// The module's name within the world's logins.
    pub fn module(&self) -> PathBuf {
        self.folder.join("pam_countersign.so")
    }

    /// From now on logins load that file as the module.
    pub fn install(&self, module: &Path) {
        fs::write(self.folder.join("mounts"), format!("{} {}\n", module.display(), self.module().display())).unwrap();
    }

    /// The configuration: these lines below `store` and `run`. Last changed a month before `NOW`.
    pub fn configure(&self, text: &str) {
        let run = self.folder.join("run");
        fs::write(self.config(), format!("store = {:?}\nrun = {run:?}\n{text}", self.store())).unwrap();
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(NOW - 30 * 86_400).unwrap());
        File::options().append(true).open(self.config()).unwrap().set_modified(changed).unwrap();
    }

    /// A service's stack, written as on a real machine: `pam_countersign.so` becomes the module's path and `config=`.
    pub fn service(&self, name: &str, stack: &str) {
        let module = format!("{} config={}", self.module().display(), self.config().display());
        fs::write(self.folder.join("services").join(name), stack.replace("pam_countersign.so", &module)).unwrap();
    }

    pub fn enroll(&self, user: &str) -> Enrolled {
        let (name, uid) = *USERS.iter().find(|(name, _)| *name == user).unwrap();
        let seed = u8::try_from(uid % 200).unwrap();
        self.enroll_as(name, uid, &(seed..seed + 20).collect::<Vec<u8>>())
    }

    /// A user enrolled a month before `NOW`: one authenticator, ten recovery codes.
    pub fn enroll_as(&self, name: &str, uid: u32, secret: &[u8]) -> Enrolled {
        let seed = u8::try_from(uid % 200).unwrap();
        let code = |slot: u8| RecoveryCode::made(Slot::new(slot).unwrap(), &[seed.wrapping_add(slot); 14]);
        let made = NOW - 30 * 86_400;
        let record = Record {
            id: RecordId(u128::from(uid)),
            uid,
            name: name.to_owned(),
            created_at: made,
            changed_at: made,
            changed_by: "root".to_owned(),
            not_before: made,
            authenticators: vec![Authenticator {
                number: 1,
                label: "phone".to_owned(),
                secret: Secret::new(secret).unwrap(),
                parameters: Parameters::default(),
                created_at: made,
                created_by: "root".to_owned(),
                replaced: false,
            }],
            recovery: RecoverySet {
                id: SetId(u64::from(uid)),
                created_at: made,
                codes: (1..=10)
                    .map(|slot| {
                        let hashed = Hashed::new(&code(slot), [slot; 16]).unwrap();
                        StoredCode { slot: Slot::new(slot).unwrap(), hashed, rescue: None }
                    })
                    .collect(),
            },
        };
        let store = Store::new(Folder::open(self.store().to_str().unwrap()).unwrap());
        let locked = store.lock(uid).unwrap();
        let began = locked.begin_enrollment(u64::from(uid)).unwrap();
        locked.commit(began, &record).unwrap();
        Enrolled { uid, secret: secret.to_vec(), recovery: (1..=10).map(|slot| code(slot).grouped().to_string()).collect() }
    }

    pub fn login(&self, service: &str) -> Login<'_> {
        Login::new(self, service)
    }

    /// One more line of the user database.
    pub fn add_user(&self, name: &str, uid: u32) {
        let mut users = File::options().append(true).open(self.folder.join("etc/passwd")).unwrap();
        writeln!(users, "{name}:x:{uid}:{uid}::/:/bin/sh").unwrap();
    }

    /// What root's commands do, under the user's lock.
    pub fn under_lock<T>(&self, uid: u32, work: impl FnOnce(&Locked<'_, Folder>) -> T) -> T {
        let store = Store::new(Folder::open(self.store().to_str().unwrap()).unwrap());
        let locked = store.lock(uid).unwrap();
        work(&locked)
    }

    pub fn journal(&self, uid: u32) -> Journal {
        self.under_lock(uid, |locked| locked.journal().unwrap().unwrap())
    }

    /// The record, committed with that change as any flow commits.
    pub fn change_record(&self, uid: u32, change: impl FnOnce(&mut Record)) {
        self.under_lock(uid, |locked| {
            let mut record = locked.record().unwrap().unwrap();
            let began = Began::With(record.id);
            record.id = RecordId(record.id.0 + 1);
            change(&mut record);
            locked.commit(began, &record).unwrap();
        });
    }

    /// Everything in the store, byte for byte.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<(String, Vec<u8>)> = fs::read_dir(self.store())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect();
        all.sort();
        all
    }

    /// A program with this world's users, /dev and module, but the machine's clock.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(login_driver());
        command.arg("--enter").arg(&self.folder).arg(program);
        command
    }

    /// The machine's users and ours; the database is files alone.
    fn write_users(&self) {
        let etc = self.folder.join("etc");
        let ours = |line: &str| USERS.iter().any(|(name, uid)| line.split(':').any(|field| field == *name || field == uid.to_string()));
        let merge = |file: &str, line: fn(&str, u32) -> String| {
            let old = fs::read_to_string(Path::new("/etc").join(file)).unwrap();
            let kept = old.lines().filter(|line| !ours(line)).map(str::to_owned);
            let all: Vec<String> = kept.chain(USERS.iter().map(|(name, uid)| line(name, *uid))).collect();
            fs::write(etc.join(file), all.join("\n") + "\n").unwrap();
        };
        merge("passwd", |name, uid| format!("{name}:x:{uid}:{uid}::/home/{name}:/bin/sh"));
        merge("shadow", |name, _| format!("{name}:{HASHED}:20000:0:99999:7:::"));
        merge("group", |name, uid| format!("{name}:x:{uid}:"));
        fs::set_permissions(etc.join("shadow"), Permissions::from_mode(0o600)).unwrap();
        if Path::new("/etc/nsswitch.conf").exists() {
            fs::write(etc.join("nsswitch.conf"), "passwd: files\nshadow: files\ngroup: files\n").unwrap();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// What an enrolled user has at hand.
pub struct Enrolled {
    pub uid: u32,
    pub secret: Vec<u8>,
    /// As printed.
    pub recovery: Vec<String>,
}

impl Enrolled {
    /// What the app shows at that time.
    pub fn code(&self, at: i64) -> String {
        self.shown(at).unwrap()
    }

    /// Nothing before 1970, nor at the end of time.
    fn shown(&self, at: i64) -> Option<String> {
        let parameters = Parameters::default();
        let code = totp::code(&Secret::new(&self.secret)?, parameters, totp::step_start(at, parameters.period)?)?;
        String::from_utf8(code.expose().to_vec()).ok()
    }

    /// Six digits that no step near that time has.
    pub fn wrong_code(&self, at: i64) -> String {
        let near: Vec<String> = (-5..=5).filter_map(|step| self.shown(at + 30 * step)).collect();
        (0..).map(|number: u32| format!("{number:06}")).find(|code| !near.contains(code)).unwrap()
    }
}

/// The module as it ships, built from the sources as they are now.
pub fn release_module() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        cargo(&["rustc", "--release", "--lib", "--crate-type", "cdylib", "-p", "pam-countersign"]);
        target().join("release/libcountersign.so")
    })
}

/// The tool as it ships.
pub fn tool() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        cargo(&["build", "--release", "-p", "countersign-setup"]);
        target().join("release/countersign-setup")
    })
}

pub fn login_driver() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        cargo(&["build", "--example", "login-driver", "-p", "pam-countersign"]);
        target().join("debug/examples/login-driver")
    })
}

pub fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

fn cargo(arguments: &[&str]) {
    let built = Command::new(env!("CARGO")).args(arguments).arg("--quiet").current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
    assert!(built.success(), "cargo {arguments:?}");
}
