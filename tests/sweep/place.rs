//! Where a change is tried: mounts and a host name of this thread's own, and all files in memory.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};

/// Names and bytes of a folder, sorted.
pub type Files = Vec<(String, Vec<u8>)>;

pub const STORE: &str = "/mnt/store";
pub const CONFIG: &str = "/mnt/config.toml";
/// Where a person has files.
pub const HOME: &str = "/mnt/home";

/// No /dev/log, so nothing reaches the machine's, and PAM files that name no module.
const ENTER: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=0755 none /mnt
mkdir -p /mnt/dev/pts /mnt/pam.d /mnt/home
: > /mnt/passwd
echo 'passwd: files' > /mnt/nsswitch.conf
printf 'store = "/mnt/store"\n[policy]\nunenrolled = "skip"\n' > /mnt/config.toml
mount --bind /mnt/passwd /etc/passwd
mount --bind /mnt/nsswitch.conf /etc/nsswitch.conf
mount --bind /mnt/pam.d /etc/pam.d
for node in null full zero random urandom tty; do : > /mnt/dev/$node; mount --bind /dev/$node /mnt/dev/$node; done
mount --bind /dev/pts /mnt/dev/pts
ln -s pts/ptmx /mnt/dev/ptmx
mount --rbind /mnt/dev /dev
"#;

pub struct Place(());

impl Place {
    /// From now on this thread and the programs that it starts are there.
    pub fn enter() -> Self {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS).unwrap();
        nix::unistd::sethostname("web1").unwrap();
        assert!(Command::new("sh").args(["-c", ENTER]).status().unwrap().success());
        Self(())
    }

    /// The user database: uid 1000 under that name, and another.
    pub fn name(&self, user: &str) {
        let users = format!("root:x:0:0::/root:/bin/sh\n{user}:x:1000:1000::/:/bin/sh\nrob:x:1001:1001::/:/bin/sh\n");
        fs::write("/mnt/passwd", users).unwrap();
    }

    /// A folder with these files and no others, each its owner's alone.
    pub fn put(&self, folder: &str, files: &Files) {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir(folder).unwrap();
        fs::set_permissions(folder, Permissions::from_mode(0o700)).unwrap();
        for (name, bytes) in files {
            let path = Path::new(folder).join(name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
    }

    pub fn files(&self, folder: &str) -> Files {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut files: Files = entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect();
        files.sort();
        files
    }
}
