//! `init`: makes the store (a folder, 0700, with its marker) and the configuration file, where they are missing.
//!
//! The marker MUST be made here alone, and only in an empty folder: it is what tells a store in which nobody is enrolled
//! from a file system that is not mounted.
#![forbid(unsafe_code)]

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use countersign::flows::refusal::{Kind, Refusal, errno, quoted};
use countersign::store::{Folder, MARKER, Store};
use countersign::sys;
use nix::sys::statfs::{self, FsType, statfs};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::settings::{self, Settings};

/// The configuration that is shipped; it lets those pass who are not enrolled yet.
const DEFAULT: &str = include_str!("../../config/config.toml");
const SKIP: &str = "\nunenrolled = \"skip\"\n";
const DENY: &str = "\nunenrolled = \"deny\"\n";

pub(crate) fn run(config: Option<&str>, force: bool) -> Result<Answer, Refusal> {
    answer::can_be_done()?;
    let path = settings::path(config);
    let is_configured = fs::symlink_metadata(path).is_ok();
    let settings = if is_configured { Settings::read(config)? } else { Settings::built_in() };
    let store = &settings.config.store;
    let made_marker = make_store(store, force)?;
    let has_records = has_records(store)?;
    if !is_configured {
        make_config(path, has_records)?;
    }
    let unenrolled = if has_records { "deny" } else { "skip" };
    let mut text = String::new();
    if made_marker && is_configured {
        text.push_str(&format!(
            "{} names this store, and there was none:\nif people were enrolled, look whether its file system is mounted.\n",
            quoted(path)
        ));
    }
    if !is_configured {
        text.push_str(&format!("{} is made, with unenrolled = \"{unenrolled}\".\n", quoted(path)));
    }
    text.push_str(&format!("Store {} is there. Next: countersign-setup doctor\n", quoted(store)));
    let value = json!({
        "store": store,
        "store_made": made_marker,
        "config": path,
        "config_made": !is_configured,
        "unenrolled": if is_configured { None } else { Some(unenrolled) },
    });
    let done = answer::but_done(&text);
    Ok(Answer::new(text, value, false).done(done))
}

/// Makes the folder and its marker; `false` if the store is there already.
fn make_store(path: &str, force: bool) -> Result<bool, Refusal> {
    let failed = |error: io::Error| cant_make(path, &error);
    if fs::symlink_metadata(Path::new(path).join(MARKER)).is_ok() {
        return Ok(false);
    }
    let found = fs::symlink_metadata(path).ok();
    if found.as_ref().is_some_and(|found| !found.is_dir()) {
        return Err(Refusal::new(Kind::StoreUnavailable, format!("{} is no folder", quoted(path)), "move it away"));
    }
    let is_new = found.is_none();
    let nearest = if is_new { Path::new(path).parent().unwrap_or(Path::new("/")) } else { Path::new(path) };
    let kind = statfs(nearest).map_err(|errno| failed(errno.into()))?.filesystem_type();
    if let (Some(name), false) = (unsuitable(kind), force) {
        let next = "take a local disk, or: countersign-setup init --force";
        return Err(Refusal::new(Kind::StoreUnavailable, format!("{} is on {name}", quoted(path)), next));
    }
    if is_new {
        DirBuilder::new().mode(0o700).create(path).map_err(failed)?;
    } else if !is_empty(path).map_err(failed)? {
        return Err(Refusal::new(Kind::StoreUnavailable, format!("{} is not empty and not a store", quoted(path)), "move it away"));
    }
    mark(path, kind == statfs::BTRFS_SUPER_MAGIC).map_err(failed)?;
    if is_new {
        File::open(nearest).and_then(|folder| folder.sync_all()).map_err(failed)?;
    }
    Ok(true)
}

/// A file system made for this folder alone has a `lost+found`.
fn is_empty(path: &str) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        if entry?.file_name() != "lost+found" {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Owner, mode, attribute and marker, in this order: the marker says that all is there.
fn mark(path: &str, copies_on_write: bool) -> io::Result<()> {
    let folder = File::open(path)?;
    fchown(&folder, Some(sys::effective_uid()), None)?;
    folder.set_permissions(Permissions::from_mode(0o700))?;
    if copies_on_write {
        sys::forbid_copy_on_write(folder.as_fd())?;
    }
    let marker = Path::new(path).join(MARKER);
    let file = File::options().write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(marker)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.sync_all()?;
    folder.sync_all()
}

/// File systems on which a lock, a write in place or a flush is not what the store needs, or that forget.
fn unsuitable(kind: FsType) -> Option<&'static str> {
    // linux/magic.h; those that nix has no name for.
    const CIFS: u32 = 0xFF53_4D42;
    const SMB2: u32 = 0xFE53_4D42;
    const RAMFS: u32 = 0x8584_58F6;
    #[allow(clippy::useless_conversion, reason = "the number has 32 bits on some architectures")]
    let is = |magic: u32| i64::from(magic) == i64::from(kind.0) & 0xFFFF_FFFF;
    match kind {
        statfs::NFS_SUPER_MAGIC => Some("nfs"),
        statfs::SMB_SUPER_MAGIC => Some("smb"),
        statfs::FUSE_SUPER_MAGIC => Some("fuse"),
        statfs::TMPFS_MAGIC => Some("tmpfs"),
        _ if is(CIFS) || is(SMB2) => Some("cifs"),
        _ if is(RAMFS) => Some("ramfs"),
        _ => None,
    }
}

fn has_records(path: &str) -> Result<bool, Refusal> {
    let nobody = sys::Account { uid: 0, name: "root".to_owned() };
    let whom = countersign::flows::Whom { uid: nobody.uid, name: &nobody.name, host: "", named: true };
    let store = Folder::open(path).map(Store::new);
    let uids = store.and_then(|store| store.enrolled_uids());
    uids.map(|uids| !uids.is_empty()).map_err(|trouble| countersign::flows::refusal::trouble(&trouble, &whom, path))
}

fn make_config(path: &str, has_records: bool) -> Result<(), Refusal> {
    let failed = |error: io::Error| cant_make(path, &error);
    let text = if has_records { DEFAULT.replacen(SKIP, DENY, 1) } else { DEFAULT.to_owned() };
    if let Some(folder) = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        fs::create_dir(folder).and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o755))).map_err(failed)?;
    }
    // Written beside and linked into place: half a configuration would refuse everyone.
    let beside = format!("{path}.new");
    let _ = fs::remove_file(&beside);
    let whole = write_whole(&beside, &text).and_then(|()| fs::hard_link(&beside, path));
    let _ = fs::remove_file(&beside);
    whole.and_then(|()| sync_folder_of(path)).map_err(failed)
}

fn write_whole(path: &str, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o644).custom_flags(libc::O_NOFOLLOW).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()
}

fn sync_folder_of(path: &str) -> io::Result<()> {
    let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn cant_make(path: &str, error: &io::Error) -> Refusal {
    let number = error.raw_os_error().unwrap_or(0);
    let kind = if number == libc::ENOSPC { Kind::NoSpace } else { Kind::StoreUnavailable };
    Refusal::new(kind, format!("can't make {} ({})", quoted(path), errno(number)), "mend that and start again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_configuration_lets_the_unenrolled_pass_in_one_line() {
        assert_eq!(DEFAULT.matches(SKIP).count(), 1);
        assert!(DEFAULT.replacen(SKIP, DENY, 1).contains(DENY));
    }
}
