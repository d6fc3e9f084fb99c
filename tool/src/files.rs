//! What an enrollment leaves in files: a picture of the QR code, the sheet of recovery codes.
//!
//! - A file MUST be new: what stands at its name, a link too, is not opened, followed or replaced.
//! - It MUST be its maker's alone (0600) before anything is in it, whatever the umask.
//! - It and its folder MUST be on the disk before anything is active.
//! - It MUST go if nothing becomes active; what others have put in its place MUST stay.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use countersign::flows::refusal::{Kind, Refusal, errno, quoted};
use countersign::sys;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::Mode;
use nix::unistd::UnlinkatFlags;

use crate::arguments::Output;
use crate::qr::Code;
use crate::qr::picture::{self, Format};

/// The files that were asked for; gone with this value, unless `committed` has been called.
#[derive(Default)]
pub(crate) struct Files {
    picture: Option<(Format, NewFile)>,
    codes: Option<NewFile>,
}

impl Files {
    /// Makes them, empty: who wants another name hears it before anything is asked or shown.
    pub(crate) fn claimed(output: &Output) -> Result<Self, Refusal> {
        let format = output.qr_file.as_deref().map(|path| Ok((format_of(path)?, path))).transpose()?;
        let claimed = |path: &Path| NewFile::claimed(path).map_err(|not| not.refusal(path));
        Ok(Self {
            picture: format.map(|(format, path)| Ok((format, claimed(path)?))).transpose()?,
            codes: output.codes_file.as_deref().map(claimed).transpose()?,
        })
    }

    pub(crate) fn wants_picture(&self) -> bool {
        self.picture.is_some()
    }

    /// Its name, where one was asked for. All of it is on the disk when this returns.
    pub(crate) fn draw(&mut self, code: &Code) -> Result<Option<&Path>, NotWritten> {
        let Some((format, file)) = &mut self.picture else { return Ok(None) };
        let failed = |error: io::Error| NotWritten::new(&file.path, &error);
        let picture = picture::drawn(code, *format).map_err(failed)?;
        file.write(&picture).map(|()| Some(file.path.as_path()))
    }

    /// The same for the sheet of recovery codes.
    pub(crate) fn keep(&mut self, sheet: &str) -> Result<Option<&Path>, NotWritten> {
        let Some(file) = &mut self.codes else { return Ok(None) };
        file.write(sheet.as_bytes()).map(|()| Some(file.path.as_path()))
    }

    /// What was written stays: it is active, or may be.
    pub(crate) fn committed(&mut self) {
        for file in self.picture.iter_mut().map(|(_, file)| file).chain(&mut self.codes) {
            file.stays = file.is_whole;
        }
    }
}

fn format_of(path: &Path) -> Result<Format, Refusal> {
    let wrong = || {
        let fact = format!("{} ends in neither .png nor .svg", named(path));
        Refusal::new(Kind::Usage, fact, "see: countersign-setup enroll -h")
    };
    Format::of(path).ok_or_else(wrong)
}

/// A file that was not there before.
struct NewFile {
    /// As it was asked for.
    path: PathBuf,
    folder: File,
    file: File,
    is_whole: bool,
    stays: bool,
}

impl NewFile {
    fn claimed(path: &Path) -> Result<Self, NotMade> {
        let (folder, name) = parts(path);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let folder = File::from(nix::fcntl::open(folder, flags, Mode::empty()).map_err(not_made)?);
        if name.is_empty() {
            return Err(NotMade::Stands);
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = nix::fcntl::openat(&folder, name, flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(not_made)?;
        // From here on it is removed whatever goes wrong.
        let new = Self { path: path.to_owned(), folder, file: File::from(file), is_whole: false, stays: false };
        new.make_private()?;
        Ok(new)
    }

    /// Some file systems (FAT) have no owners and modes, and do not always say so.
    fn make_private(&self) -> Result<(), NotMade> {
        let set = self.file.set_permissions(Permissions::from_mode(0o600));
        let found = self.file.metadata().map_err(|error| NotMade::Errno(number(&error)))?;
        let mode = found.mode() & 0o7777;
        if set.is_err() || mode != 0o600 || found.uid() != sys::effective_uid() {
            return Err(NotMade::Open { mode, uid: found.uid() });
        }
        Ok(())
    }

    fn write(&mut self, content: &[u8]) -> Result<(), NotWritten> {
        // Past `ulimit -f` the kernel would end this process, and the file would be left behind.
        if u64::try_from(content.len()).is_ok_and(|length| length > sys::file_size_limit()) {
            return Err(NotWritten { path: self.path.clone(), errno: libc::EFBIG });
        }
        let written = self.file.write_all(content).and_then(|()| self.file.sync_all()).and_then(|()| self.sync_folder());
        written.map_err(|error| NotWritten::new(&self.path, &error))?;
        if !self.is_there() {
            return Err(NotWritten { path: self.path.clone(), errno: libc::ENOENT });
        }
        self.is_whole = true;
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        match self.folder.sync_all() {
            // A file system that has no such thing.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            other => other,
        }
    }

    /// Whether its name still leads to it.
    fn is_there(&self) -> bool {
        let there = nix::sys::stat::fstatat(&self.folder, parts(&self.path).1, AtFlags::AT_SYMLINK_NOFOLLOW);
        let ours = nix::sys::stat::fstat(self.file.as_fd());
        matches!((there, ours), (Ok(there), Ok(ours)) if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.stays && self.is_there() {
            let _ = nix::unistd::unlinkat(&self.folder, parts(&self.path).1, UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// Folder and name. `Path` would take `codes/` and `codes/.` for the name of a file.
fn parts(path: &Path) -> (&Path, &OsStr) {
    let bytes = path.as_os_str().as_bytes();
    let start = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash.saturating_add(1));
    let (folder, name) = bytes.split_at_checked(start).unwrap_or_default();
    let folder = if folder.is_empty() && !name.is_empty() { b"." } else { folder };
    (Path::new(OsStr::from_bytes(folder)), OsStr::from_bytes(name))
}

/// Why there is no file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NotMade {
    /// Something stands there.
    Stands,
    /// Others may read it, or own it, whatever is said.
    Open {
        mode: u32,
        uid: u32,
    },
    Errno(i32),
}

impl NotMade {
    fn refusal(self, path: &Path) -> Refusal {
        let path = named(path);
        match self {
            Self::Stands => Refusal::new(Kind::FileExists, format!("{path} is there already"), "give another name"),
            Self::Open { mode, uid } => Refusal::new(
                Kind::StoreUnavailable,
                format!("{path} can't be kept from others there (it gets mode {mode:04o}, owner {uid})"),
                "give a name on another file system",
            ),
            Self::Errno(libc::ENOSPC | libc::EDQUOT) => no_space(&path, ""),
            Self::Errno(number) => {
                let next = match number {
                    libc::ENOENT | libc::ENOTDIR => "make its folder, or give another name",
                    libc::EACCES | libc::EPERM | libc::EROFS => "give a name in a folder of your own",
                    _ => "give another name",
                };
                Refusal::new(Kind::StoreUnavailable, format!("can't make {path} ({})", errno(number)), next)
            }
        }
    }
}

fn not_made(errno: nix::errno::Errno) -> NotMade {
    match errno {
        nix::errno::Errno::EEXIST => NotMade::Stands,
        errno => NotMade::Errno(number(&io::Error::from(errno))),
    }
}

/// A file that could not be filled, or was taken away meanwhile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NotWritten {
    path: PathBuf,
    pub(crate) errno: i32,
}

impl NotWritten {
    fn new(path: &Path, error: &io::Error) -> Self {
        Self { path: path.to_owned(), errno: number(error) }
    }

    /// `entry_shown`: the app may have an entry by now that is good for nothing.
    pub(crate) fn refusal(&self, entry_shown: bool) -> Refusal {
        let path = named(&self.path);
        let delete = if entry_shown { DELETE } else { "" };
        match self.errno {
            libc::ENOSPC | libc::EDQUOT => no_space(&path, delete),
            number => Refusal::new(
                Kind::StoreUnavailable,
                format!("can't write {path} ({}), nothing was changed", errno(number)),
                format!("mend that{delete} and start again"),
            ),
        }
    }
}

const DELETE: &str = ", delete the new entry from the app";

fn no_space(path: &str, delete: &str) -> Refusal {
    Refusal::new(Kind::NoSpace, format!("no space left for {path}, nothing was changed"), format!("free some{delete} and start again"))
}

/// A path in a sentence.
pub(crate) fn named(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

fn number(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};

    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("countersign-files-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// In a thread whose umask, working folder and mounts are its own.
    fn apart<T: Send>(flags: CloneFlags, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                unshare(flags | CloneFlags::CLONE_FS).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }

    fn both(place: &Place) -> Output {
        Output { qr_file: Some(place.at("qr.png")), codes_file: Some(place.at("codes.txt")), ..Output::default() }
    }

    fn fact(claimed: Result<Files, Refusal>) -> String {
        claimed.err().unwrap().line("")
    }

    fn codes(path: impl Into<PathBuf>) -> Output {
        Output { codes_file: Some(path.into()), ..Output::default() }
    }

    #[test]
    fn what_was_committed_stays_and_is_its_makers_alone() {
        for umask in [0o000, 0o022, 0o777] {
            let place = Place::new(&format!("mode-{umask}"));
            apart(CloneFlags::empty(), || {
                nix::sys::stat::umask(Mode::from_bits_truncate(umask));
                let mut files = Files::claimed(&both(&place)).unwrap();
                assert_eq!(place.names(), ["codes.txt", "qr.png"], "claimed at once");
                for name in place.names() {
                    let found = fs::metadata(place.at(&name)).unwrap();
                    assert_eq!((found.mode() & 0o7777, found.uid(), found.len()), (0o600, sys::effective_uid(), 0), "{umask:o}");
                }
                assert_eq!(files.keep("the sheet\n").unwrap(), Some(place.at("codes.txt").as_path()));
                assert_eq!(files.draw(&Code::of("x").unwrap()).unwrap(), Some(place.at("qr.png").as_path()));
                files.committed();
            });
            assert_eq!(fs::read_to_string(place.at("codes.txt")).unwrap(), "the sheet\n");
            assert!(fs::read(place.at("qr.png")).unwrap().starts_with(b"\x89PNG"));
            assert!(place.names().iter().all(|name| fs::metadata(place.at(name)).unwrap().mode() & 0o7777 == 0o600));
        }
    }

    #[test]
    fn without_a_commit_nothing_stays() {
        let place = Place::new("nothing");
        drop(Files::claimed(&both(&place)).unwrap());
        assert!(place.names().is_empty());
        let mut files = Files::claimed(&both(&place)).unwrap();
        files.keep("the sheet\n").unwrap();
        files.draw(&Code::of("x").unwrap()).unwrap();
        drop(files);
        assert!(place.names().is_empty());
        // Nor does an empty file after one.
        let mut files = Files::claimed(&both(&place)).unwrap();
        files.keep("the sheet\n").unwrap();
        files.committed();
        drop(files);
        assert_eq!(place.names(), ["codes.txt"]);
    }

    #[test]
    fn what_stands_at_the_name_is_refused_and_left_as_it_is() {
        let place = Place::new("stands");
        fs::write(place.at("file"), "old").unwrap();
        fs::create_dir(place.at("folder")).unwrap();
        symlink("file", place.at("link")).unwrap();
        symlink("nowhere", place.at("dangling")).unwrap();
        nix::unistd::mkfifo(&place.at("fifo"), Mode::S_IRUSR).unwrap();
        let before = place.names();
        let path = |name: &str| place.at(name).to_str().unwrap().to_owned();
        let names = ["file", "folder", "folder/", "folder/.", "folder/..", ".", "", "link", "dangling", "fifo"];
        for path in names.map(path).into_iter().chain(["/dev/full", "/dev/stdout", "/dev/null", "/", ".", ".."].map(str::to_owned)) {
            let refusal = Files::claimed(&codes(&path)).err().unwrap();
            assert_eq!(refusal.fact, format!("\"{path}\" is there already"));
            assert_eq!(refusal.next, "give another name");
            assert_eq!((refusal.kind.name(), refusal.kind.exit()), ("file_exists", 3));
        }
        assert_eq!(place.names(), before);
        assert_eq!(fs::read_to_string(place.at("file")).unwrap(), "old");
        // One refused takes the other one with it, and one name isn't had twice.
        let twice = Output { qr_file: Some(place.at("a.png")), codes_file: Some(place.at("a.png")), ..Output::default() };
        assert!(fact(Files::claimed(&twice)).contains("a.png\" is there already"));
        assert_eq!(place.names(), before);
    }

    #[test]
    fn what_cannot_be_made_says_why_and_what_to_do() {
        let place = Place::new("cannot");
        fs::write(place.at("file"), "").unwrap();
        apart(CloneFlags::empty(), || {
            nix::unistd::chdir(&place.0).unwrap();
            let says = |path: &str| fact(Files::claimed(&codes(path)));
            assert_eq!(
                says("no/codes.txt"),
                "can't make \"no/codes.txt\" (no such file or directory);\n  make its folder, or give another name\n"
            );
            assert_eq!(
                says("file/codes.txt"),
                "can't make \"file/codes.txt\" (not a directory);\n  make its folder, or give another name\n"
            );
            assert_eq!(says(""), "can't make \"\" (no such file or directory); make its folder, or give another name\n");
            assert_eq!(says(&"x".repeat(256)).lines().last(), Some("  (file name too long); give another name"));
            assert_eq!(says("/proc/codes.txt").lines().next(), Some("can't make \"/proc/codes.txt\" (no such file or directory);"));
            assert!(says("a\x1b[2J/b").starts_with("can't make \"a\\x1b[2J/b\""));
            let picture = |path: &str| Output { qr_file: Some(path.into()), codes_file: Some("codes.txt".into()), ..Output::default() };
            let refusal = Files::claimed(&picture("qr.jpeg")).err().unwrap();
            assert_eq!((refusal.kind.exit(), refusal.fact.as_str()), (2, "\"qr.jpeg\" ends in neither .png nor .svg"));
        });
        assert_eq!(place.names(), ["file"]);
    }

    #[test]
    fn what_others_put_in_its_place_is_not_removed() {
        let place = Place::new("place");
        let mut files = Files::claimed(&codes(place.at("codes.txt"))).unwrap();
        fs::rename(place.at("codes.txt"), place.at("away")).unwrap();
        fs::write(place.at("codes.txt"), "another's").unwrap();
        let not = files.keep("the sheet\n").unwrap_err();
        assert_eq!(not.errno, libc::ENOENT);
        assert_eq!(not.refusal(true).next, "mend that, delete the new entry from the app and start again");
        files.committed();
        drop(files);
        assert_eq!(fs::read_to_string(place.at("codes.txt")).unwrap(), "another's");
        // A link to it is no place of its own.
        let files = Files::claimed(&codes(place.at("new"))).unwrap();
        fs::rename(place.at("new"), place.at("moved")).unwrap();
        symlink("moved", place.at("new")).unwrap();
        drop(files);
        assert!(place.names().contains(&"new".to_owned()));
    }

    #[test]
    fn the_folder_is_the_one_it_was_made_in() {
        let place = Place::new("folder");
        apart(CloneFlags::empty(), || {
            nix::unistd::chdir(&place.0).unwrap();
            fs::create_dir(place.at("a")).unwrap();
            let files = Files::claimed(&codes("a/codes.txt")).unwrap();
            fs::rename(place.at("a"), place.at("b")).unwrap();
            fs::create_dir(place.at("a")).unwrap();
            fs::write(place.at("a/codes.txt"), "another's").unwrap();
            nix::unistd::chdir("/").unwrap();
            drop(files);
        });
        assert!(!place.at("b/codes.txt").exists());
        assert!(place.at("a/codes.txt").exists());
    }

    #[test]
    fn j_06_a_full_disk_leaves_no_file() {
        let place = Place::new("full");
        apart(CloneFlags::CLONE_NEWNS, || {
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
            mount(Some("none"), &place.0, Some("tmpfs"), MsFlags::empty(), Some("size=8k,nr_inodes=3")).unwrap();
            let mut files = Files::claimed(&both(&place)).unwrap();
            assert_eq!(fact(Files::claimed(&codes(place.at("x")))).lines().last(), Some("  free some and start again"));
            let not = files.keep(&"x".repeat(20_000)).unwrap_err();
            assert_eq!((not.errno, not.refusal(false).kind), (libc::ENOSPC, Kind::NoSpace));
            assert_eq!(not.refusal(true).next, "free some, delete the new entry from the app and start again");
            files.committed();
            drop(files);
            assert!(place.names().is_empty());
            mount(None::<&str>, &place.0, None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, None::<&str>).unwrap();
            assert!(fact(Files::claimed(&both(&place))).contains("(read-only file system);\n  give a name in a folder of your own"));
        });
    }
}
