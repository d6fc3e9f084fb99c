//! `/etc` of a world, written from nothing: its people, the PAM stacks as the product documents them, sshd, sudo, our own
//! configuration.
#![forbid(unsafe_code)]

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::people::{FIRST_UID, GROUP, HOST, PASSWORD_HASH};
use crate::world::MODULE;

pub const CONFIG: &str = "/etc/countersign/config.toml";
/// In place of `/etc/pam.d` for an sshd that wants a key first.
pub const PAM_AFTER_KEY: &str = "/etc/pam-after-key.d";
/// The same for an sshd that calls us in every phase.
pub const PAM_ALL_PHASES: &str = "/etc/pam-all-phases.d";
pub const AUTHORIZED_KEY: &str = "/etc/ssh/authorized_key";

pub fn write(names: &[&str]) {
    write_people(names);
    put("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n");
    put("hosts", &format!("127.0.0.1 localhost {HOST}\n"));
    put("shells", "/bin/sh\n");
    put("login.defs", "MAIL_DIR /var/mail\nLOGIN_TIMEOUT 60\nENV_PATH PATH=/usr/bin:/bin\nENV_SUPATH PATH=/usr/sbin:/usr/bin:/sbin:/bin\n");
    put("sudoers", "Defaults env_reset, use_pty, lecture = never\nDefaults:carol targetpw\nALL ALL = (ALL:ALL) ALL\n");
    fs::set_permissions("/etc/sudoers", Permissions::from_mode(0o440)).unwrap();
    put(
        "pam.d/other",
        "auth required pam_deny.so\naccount required pam_deny.so\npassword required pam_deny.so\nsession required pam_deny.so\n",
    );
    for service in ["sshd", "sudo", "login"] {
        put(&format!("pam.d/{service}"), &after_password(""));
    }
    put("pam.d/su", &after_password("auth sufficient pam_rootok.so\n"));
    put("pam-after-key.d/sshd", &after_key());
    put("pam-all-phases.d/sshd", &all_phases());
    policy("unenrolled = \"deny\"");
}

/// The lines of our `[policy]`, from the next login on.
pub fn policy(lines: &str) {
    let text = format!("store = \"/var/lib/countersign\"\nrun = \"/run/countersign\"\n\n[policy]\n{lines}\n");
    put("countersign/new.toml", &text);
    fs::rename("/etc/countersign/new.toml", CONFIG).unwrap();
}

/// One file below `/etc`, with its folder.
pub fn put(name: &str, text: &str) {
    let path = std::path::Path::new("/etc").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
}

fn after_password(before: &str) -> String {
    format!("{before}auth requisite pam_unix.so\nauth requisite {MODULE}\naccount required pam_unix.so\nsession required pam_unix.so\n")
}

fn after_key() -> String {
    format!(
        "auth [success=1 ignore=1 default=die] {MODULE} require_prior=publickey unenrolled=deny\nauth requisite pam_deny.so\nauth required pam_permit.so\naccount required {MODULE} enforce\naccount required pam_unix.so\nsession required pam_unix.so\n"
    )
}

fn all_phases() -> String {
    let ours = ["account", "password", "session"].map(|phase| format!("{phase} required {MODULE}\n")).concat();
    format!("{}{ours}", after_password(""))
}

fn write_people(names: &[&str]) {
    let mut passwd = String::from(
        "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n",
    );
    let mut shadow = String::from("root:*:19700:0:99999:7:::\nnobody:*:19700:0:99999:7:::\nsshd:!:19700::::::\n");
    for (name, uid) in names.iter().zip(FIRST_UID..) {
        writeln!(passwd, "{name}:x:{uid}:{GROUP}::/home/{name}:/bin/sh").unwrap();
        writeln!(shadow, "{name}:{PASSWORD_HASH}:19700:0:99999:7:::").unwrap();
    }
    put("passwd", &passwd);
    put("shadow", &shadow);
    fs::set_permissions("/etc/shadow", Permissions::from_mode(0o600)).unwrap();
    put("group", &format!("root:x:0:\ntty:x:5:\nmail:x:8:\nutmp:x:43:\npeople:x:{GROUP}:\nnogroup:x:65534:\n"));
}
