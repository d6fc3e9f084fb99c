//! The store's files as an attacker, a restore or a broken disk may leave them: every one that is not as ours are is
//! refused at once, named in the log, and left as it is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use countersign::store::MARKER;
use driver::{Enrolled, NOW, Run, World, login_driver};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use pam::constants::PamResultCode::{PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED, PAM_SUCCESS};
use sha2::{Digest, Sha256};

const RECORD: &str = "1000.toml";
const JOURNAL: &str = "1000.state";
const LOCK: &str = "1000.lock";

/// alice enrolled, in a policy that lets past whoever is not.
fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    world.configure("[policy]\nunenrolled = \"skip\"\n");
    let alice = world.enroll("alice");
    (world, alice)
}

/// Names, kinds, modes, sizes and, of small regular files, bytes.
fn files(world: &World) -> Vec<(String, u32, u64, Vec<u8>)> {
    let mut all: Vec<(String, u32, u64, Vec<u8>)> = fs::read_dir(world.store())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let found = fs::symlink_metadata(&path).unwrap();
            let bytes = if found.is_file() && found.len() < 1_000_000 { fs::read(&path).unwrap() } else { Vec::new() };
            (path.file_name().unwrap().to_str().unwrap().to_owned(), found.mode(), found.len(), bytes)
        })
        .collect();
    all.sort();
    all
}

/// A right code is refused within a second, the file is named with what was found, and nothing is written.
#[track_caller]
fn refusal(world: &World, alice: &Enrolled, file: &str) -> Run {
    refusal_within_a_second(world, alice, file, true)
}

#[track_caller]
fn refusal_within_a_second(world: &World, alice: &Enrolled, file: &str, can_be_quicker: bool) -> Run {
    login_driver();
    let before = files(world);
    let begun = Instant::now();
    let run = world.login("test").types(alice.code(NOW)).run();
    let took = begun.elapsed();
    // Once more where the machine was busy with others: what blocks, blocks again.
    if took >= Duration::from_secs(1) && can_be_quicker {
        return refusal_within_a_second(world, alice, file, false);
    }
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(*run.code(), PAM_AUTHINFO_UNAVAIL, "{run:#?}");
    assert!(["store_unavailable", "damaged", "newer_format"].contains(&run.reason()), "{run:#?}");
    let path = if file.is_empty() { world.store() } else { world.store().join(file) };
    assert!(run.logged()[0].contains(&format!(" path=\"{}\" ", path.display())), "{file}: {run:#?}");
    assert_eq!(files(world), before);
    run
}

#[track_caller]
fn refused(world: &World, alice: &Enrolled, file: &str) {
    drop(refusal(world, alice, file));
}

/// What the log says was found there.
fn found(run: &Run) -> &str {
    run.logged()[0].split_once(" found=\"").map_or("", |(_, rest)| rest.split('"').next().unwrap())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn d_01_another_owner_or_a_wider_mode_is_refused_with_what_was_found_and_wanted() {
    for file in [RECORD, JOURNAL, LOCK] {
        let (world, alice) = enrolled();
        let path = world.store().join(file);
        for mode in [0o640, 0o644, 0o604, 0o660, 0o666, 0o610, 0o601, 0o4600, 0o2600, 0o1600] {
            set_mode(&path, mode);
            assert_eq!(found(&refusal(&world, &alice, file)), format!("mode {mode:04o}, wanted mode 0600"));
        }
        set_mode(&path, 0o600);
        for owner in [1000, 65_534] {
            chown(&path, Some(owner), None).unwrap();
            assert_eq!(found(&refusal(&world, &alice, file)), format!("owner {owner}, wanted owner root"));
        }
        chown(&path, Some(0), Some(1000)).unwrap();
        assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS, "a group without rights is no harm");
    }
}

/// What can stand in a file's place; the good file has been moved to the second path.
type Kind = fn(&Path, &Path);

const KINDS: [(&str, Kind); 9] = [
    ("a symbolic link", |path, aside| symlink(aside, path).unwrap()),
    ("a symbolic link to nothing", |path, _| symlink("/nonexistent", path).unwrap()),
    ("a hard link", |path, aside| fs::hard_link(aside, path).unwrap()),
    ("a fifo", |path, _| nix::unistd::mkfifo(path, Mode::from_bits_truncate(0o600)).unwrap()),
    ("a socket", |path, _| {
        drop(UnixListener::bind(path).unwrap());
        set_mode(path, 0o600);
    }),
    ("a terminal", |path, _| node(path, SFlag::S_IFCHR, 5, 0)),
    ("a device", |path, _| node(path, SFlag::S_IFCHR, 1, 3)),
    ("a disk", |path, _| node(path, SFlag::S_IFBLK, 7, 250)),
    ("a folder", |path, _| {
        fs::create_dir(path).unwrap();
        set_mode(path, 0o700);
    }),
];

fn node(path: &Path, kind: SFlag, major: u64, minor: u64) {
    mknod(path, kind, Mode::from_bits_truncate(0o600), makedev(major, minor)).unwrap();
}

#[test]
fn d_02_what_is_no_file_of_ours_is_refused_at_once() {
    for file in [RECORD, JOURNAL, LOCK] {
        for (kind, place) in KINDS {
            let (world, alice) = enrolled();
            let (path, aside) = (world.store().join(file), world.store().join("aside"));
            fs::rename(&path, &aside).unwrap();
            place(&path, &aside);
            eprintln!("{kind} for {file}");
            let run = refusal(&world, &alice, file);
            match kind {
                "a symbolic link" | "a symbolic link to nothing" => assert_eq!(found(&run), "a symbolic link, wanted a regular file"),
                "a hard link" => assert_eq!(found(&run), "2 links, wanted 1 link"),
                "a fifo" => assert_eq!(found(&run), "no regular file, wanted a regular file"),
                _ => assert_eq!(run.reason(), "store_unavailable"),
            }
        }
    }
}

#[test]
fn d_02_a_store_is_marked_by_a_file_of_roots_alone() {
    for (kind, place) in KINDS.into_iter().filter(|(kind, _)| *kind != "a hard link") {
        let (world, alice) = enrolled();
        let (path, aside) = (world.store().join(MARKER), world.store().join("aside"));
        fs::rename(&path, &aside).unwrap();
        place(&path, &aside);
        eprintln!("{kind} as the marker");
        assert_eq!(found(&refusal(&world, &alice, "")), "no marker");
    }
    let (world, alice) = enrolled();
    chown(world.store().join(MARKER), Some(1000), None).unwrap();
    refused(&world, &alice, "");
}

/// A world whose store lies three folders deep: `a/b/store` in its folder.
fn deep() -> (World, Enrolled, PathBuf) {
    let (world, alice) = enrolled();
    let deep = world.folder().join("a/b");
    fs::create_dir_all(&deep).unwrap();
    fs::rename(world.store(), deep.join("store")).unwrap();
    let config = fs::read_to_string(world.config()).unwrap();
    fs::write(world.config(), config.replace(world.store().to_str().unwrap(), deep.join("store").to_str().unwrap())).unwrap();
    (world, alice, deep.join("store"))
}

#[test]
fn d_02_a_link_anywhere_on_the_way_to_the_store_is_refused() {
    // The second time the kernel has no openat2, and the way is walked.
    for old_kernel in [false, true] {
        let login = |world: &World, alice: &Enrolled| {
            let login = world.login("test").types(alice.code(NOW));
            let strace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=openat2", "-e", "inject=openat2:error=ENOSYS"];
            (if old_kernel { login.under(&strace) } else { login }).run()
        };
        let (world, alice, _) = deep();
        assert_eq!(*login(&world, &alice).code(), PAM_SUCCESS);
        for linked in ["a", "a/b", "a/b/store"] {
            let (world, alice, store) = deep();
            let (path, aside) = (world.folder().join(linked), world.folder().join("aside"));
            fs::rename(&path, &aside).unwrap();
            symlink(&aside, &path).unwrap();
            assert!(store.join(RECORD).exists());
            let run = login(&world, &alice);
            assert_eq!((run.code(), run.reason()), (&PAM_AUTHINFO_UNAVAIL, "store_unavailable"), "{linked}: {run:#?}");
        }
    }
}

#[test]
fn d_03_another_size_is_refused() {
    for file in [RECORD, JOURNAL] {
        for size in [0, 65_537, 1 << 30] {
            let (world, alice) = enrolled();
            File::options().write(true).open(world.store().join(file)).unwrap().set_len(size).unwrap();
            refused(&world, &alice, file);
        }
    }
    for size in [8191, 8193] {
        let (world, alice) = enrolled();
        File::options().write(true).open(world.store().join(JOURNAL)).unwrap().set_len(size).unwrap();
        refused(&world, &alice, JOURNAL);
    }
    let (world, alice) = enrolled();
    File::options().write(true).open(world.store().join(LOCK)).unwrap().set_len(1 << 30).unwrap();
    refused(&world, &alice, LOCK);
}

#[test]
fn d_03_a_file_that_is_cut_anywhere_is_refused() {
    for file in [RECORD, JOURNAL] {
        let (world, alice) = enrolled();
        let whole = fs::read(world.store().join(file)).unwrap();
        let steps = (0..whole.len()).step_by(whole.len() / 40).chain([1, 9, 10, 11, whole.len() - 2, whole.len() - 1]);
        for length in steps {
            fs::write(world.store().join(file), &whole[..length]).unwrap();
            refused(&world, &alice, file);
        }
    }
}

#[test]
fn d_03_a_record_with_a_flipped_byte_is_refused() {
    let (world, alice) = enrolled();
    let whole = fs::read(world.store().join(RECORD)).unwrap();
    for (number, place) in (0..whole.len()).step_by(whole.len() / 60).enumerate() {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (number % 8);
        fs::write(world.store().join(RECORD), flipped).unwrap();
        refused(&world, &alice, RECORD);
    }
}

#[test]
fn d_03_of_a_journal_with_one_bad_slot_the_other_is_used_and_it_is_logged() {
    let (world, alice) = enrolled();
    let whole = fs::read(world.store().join(JOURNAL)).unwrap();
    let places = [0, 4096].into_iter().flat_map(|slot| (slot..slot + 512).step_by(29).chain([slot + 511]));
    for (number, place) in places.enumerate() {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (number % 8);
        fs::write(world.store().join(JOURNAL), &flipped).unwrap();
        let run = world.login("test").types(alice.code(NOW)).run();
        assert_eq!(*run.code(), PAM_SUCCESS, "{place}: {run:#?}");
        let bad = run.logged().into_iter().filter(|line| line.contains(" reason=bad_slot ")).count();
        assert_eq!(bad, 1, "{place}: {run:#?}");
        // The same place in the other slot, and nothing is left to judge by.
        flipped[place ^ 4096] ^= 1 << (number % 8);
        fs::write(world.store().join(JOURNAL), &flipped).unwrap();
        refused(&world, &alice, JOURNAL);
    }
    for padding in [512, 4095, 4096 + 512, 8191] {
        let mut flipped = whole.clone();
        flipped[padding] ^= 1;
        fs::write(world.store().join(JOURNAL), &flipped).unwrap();
        assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    }
}

/// The record's text with another body, and a sum that fits.
fn summed(record: &str, edit: impl Fn(&str) -> String) -> String {
    let body = edit(record.splitn(3, '\n').nth(2).unwrap());
    of_format(1, &body)
}

fn of_format(format: u32, body: &str) -> String {
    format!("format = {format}\nsum = \"{}\"\n{body}", sum(&format!("1000\n{format}\n{body}")))
}

fn sum(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))[..16].to_owned()
}

#[test]
fn d_05_a_key_twice_or_unknown_is_refused_by_name() {
    let (world, alice) = enrolled();
    let path = world.store().join(RECORD);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, summed(&whole, str::to_owned)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    type Edit = fn(&str) -> String;
    let edits: [(&str, Edit); 6] = [
        ("not_before", |body| body.replacen("not_before = ", "not_before = 1\nnot_before = ", 1)),
        ("label", |body| body.replacen("label = ", "label = \"x\"\nlabel = ", 1)),
        ("extra", |body| format!("extra = 1\n{body}")),
        ("colour", |body| body.replacen("label = ", "colour = 1\nlabel = ", 1)),
        ("hint", |body| body.replacen("salt = ", "hint = 1\nsalt = ", 1)),
        ("period", |body| body.replacen("period = 30", "period = 31", 1)),
    ];
    for (key, edit) in edits {
        fs::write(&path, summed(&whole, edit)).unwrap();
        let run = refusal(&world, &alice, RECORD);
        assert_eq!((run.reason(), found(&run)), ("damaged", key));
    }
}

#[test]
fn d_05_a_higher_format_is_written_by_a_newer_countersign() {
    let (world, alice) = enrolled();
    let path = world.store().join(RECORD);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, of_format(2, whole.splitn(3, '\n').nth(2).unwrap())).unwrap();
    let run = refusal(&world, &alice, RECORD);
    assert_eq!((run.reason(), found(&run)), ("newer_format", "written by a newer Countersign"));

    let (world, alice) = enrolled();
    let path = world.store().join(JOURNAL);
    let mut bytes = fs::read(&path).unwrap();
    // One slot is enough: a newer version wrote it, and this one knows nothing better.
    let line = String::from_utf8(bytes[4096..4096 + 512].to_vec()).unwrap();
    let columns = line.split_once(" sum=").unwrap().0.replacen("countersign-state 1 ", "countersign-state 2 ", 1);
    let line = format!("{columns} sum={}", sum(&format!("1000\n1\n{columns}")));
    bytes[4096..4096 + line.len()].copy_from_slice(line.as_bytes());
    fs::write(&path, bytes).unwrap();
    let run = refusal(&world, &alice, JOURNAL);
    assert_eq!((run.reason(), found(&run)), ("newer_format", "written by a newer Countersign"));
}

/// Each takes the store away.
const LOSSES: [fn(&World); 4] = [
    |world| fs::remove_file(world.store().join(MARKER)).unwrap(),
    |world| fs::remove_dir_all(world.store()).unwrap(),
    |world| {
        // As where the file system is not mounted: an empty folder.
        fs::rename(world.store(), world.folder().join("unmounted")).unwrap();
        fs::create_dir(world.store()).unwrap();
        set_mode(&world.store(), 0o700);
    },
    |world| {
        fs::remove_dir_all(world.store()).unwrap();
        File::create(world.store()).unwrap();
    },
];

#[test]
fn d_06_without_a_store_everyone_who_is_not_exempt_is_refused() {
    for (number, lose) in LOSSES.into_iter().enumerate() {
        let (world, alice) = enrolled();
        world.configure("[policy]\nunenrolled = \"skip\"\nexempt_users = [\"carol\"]\n");
        lose(&world);
        for user in ["alice", "bob", "root", "nobody-here"] {
            let run = world.login("test").user(user).types(alice.code(NOW)).run();
            assert_eq!((run.code(), run.reason()), (&PAM_AUTHINFO_UNAVAIL, "store_unavailable"), "{number} {user}: {run:#?}");
            assert!(run.questions()[0].starts_with("Store unavailable"), "{run:#?}");
            assert!(run.messages()[0].contains("store unavailable"), "{run:#?}");
            assert!(run.logged()[0].contains(world.store().to_str().unwrap()), "{run:#?}");
        }
        assert_eq!(*world.login("test").user("carol").run().code(), PAM_PERM_DENIED, "ignored");
    }
}

#[test]
fn d_07_a_folder_that_others_can_write_or_own_is_refused() {
    let (world, alice) = enrolled();
    for mode in [0o770, 0o720, 0o702, 0o777, 0o1777] {
        set_mode(&world.store(), mode);
        assert_eq!(found(&refusal(&world, &alice, "")), format!("mode {mode:04o}, wanted mode 0700"));
    }
    set_mode(&world.store(), 0o700);
    chown(world.store(), Some(1000), None).unwrap();
    assert_eq!(found(&refusal(&world, &alice, "")), "owner 1000, wanted owner root");
    chown(world.store(), Some(0), None).unwrap();
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
}

#[test]
fn d_10_one_users_damage_is_no_one_elses() {
    for spoil in [JOURNAL, RECORD, LOCK] {
        let (world, alice) = enrolled();
        let bob = world.enroll("bob");
        fs::remove_file(world.store().join(spoil)).unwrap();
        fs::create_dir(world.store().join(spoil)).unwrap();
        refused(&world, &alice, spoil);
        assert_eq!(*world.login("test").user("bob").types(bob.code(NOW)).run().code(), PAM_SUCCESS);
        assert_eq!(*world.login("test").user("carol").run().code(), PAM_PERM_DENIED, "ignored");
    }
}

#[test]
fn d_11_what_a_crash_left_behind_is_neither_read_nor_in_the_way() {
    let world = World::new();
    let left = [".1000.toml.new", ".1000.state.new"].map(|name| world.store().join(name));
    for path in &left {
        fs::write(path, "format = 1\nhalf a ").unwrap();
        // Whatever it is: it is unlinked, never opened.
        set_mode(path, 0o444);
    }
    let alice = world.enroll("alice");
    assert!(left.iter().all(|path| !path.exists()));
    // A whole and newer one, of a commit that never was: not a word of it counts.
    let record = fs::read_to_string(world.store().join(RECORD)).unwrap();
    fs::write(&left[0], summed(&record, |body| body.replace("name = \"alice\"", "name = \"eve\""))).unwrap();
    fs::write(&left[1], vec![b' '; 8192]).unwrap();
    let before = files(&world).len();
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    assert_eq!(files(&world).len(), before);
}

#[test]
fn d_14_nobody_else_reads_a_byte() {
    let (world, alice) = enrolled();
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    let as_nobody = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).arg(world.store()).uid(65_534).gid(65_534).current_dir("/").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(as_nobody("find", &[]).trim_end(), world.store().to_str().unwrap());
    assert_eq!(as_nobody("ls", &[]), "");
    // Nor where the folder itself stands open.
    set_mode(&world.store(), 0o755);
    assert_eq!(as_nobody("ls", &[]).lines().count(), 3);
    assert_eq!(as_nobody("grep", &["-r", "-l", "-a", "."]), "");
}
