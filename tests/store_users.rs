//! Whose files they are: names and uids, two people at once, and a record that is gone or changes hands.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use countersign::rules::code::Slot;
use countersign::rules::record::{RecordId, Rescue};
use countersign::store::{Ahead, Anew, Folder, NotCommitted, Removed, Store, Trouble};
use driver::{Enrolled, NOW, World, answer};
use nix::sys::stat::{Mode, umask};
use pam::constants::PamResultCode::{PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED, PAM_SUCCESS};

const ANEW: Anew = Anew { sequence: 1 << 40, now: NOW };

fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    world.configure("[policy]\nunenrolled = \"skip\"\n");
    let alice = world.enroll("alice");
    (world, alice)
}

fn store(world: &World) -> Store<Folder> {
    Store::new(Folder::open(world.store().to_str().unwrap()).unwrap())
}

/// Lines of the world's user database.
fn edit_users(world: &World, edit: impl Fn(String) -> String) {
    let path = world.folder().join("etc/passwd");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, edit(text)).unwrap();
}

fn add_user(world: &World, name: &str, uid: u32, rest: &str) {
    edit_users(world, |text| format!("{text}{name}:x:{uid}:{rest}\n"));
}

/// A user of any name and uid with a secret of their own, and its code now.
fn enroll_as(world: &World, name: &str, uid: u32) -> String {
    world.enroll_as(name, uid, &uid.to_be_bytes().repeat(5)).code(NOW)
}

#[test]
fn d_12_one_users_lock_delays_no_one_else() {
    let (world, alice) = enrolled();
    let bob = world.enroll("bob");
    let lock = File::open(world.store().join("1000.lock")).unwrap();
    lock.lock().unwrap();
    let held = world.login("test").types(alice.code(NOW)).start();
    let begun = Instant::now();
    assert_eq!(*world.login("test").user("bob").types(bob.code(NOW)).run().code(), PAM_SUCCESS);
    assert_eq!(*world.login("test").user("carol").run().code(), PAM_PERM_DENIED, "ignored");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    // And who waits goes on as soon as it is free.
    drop(lock);
    assert_eq!(*held.end().code(), PAM_SUCCESS);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn d_13_files_are_roots_alone_whatever_the_umask() {
    for mask in [0, 0o777] {
        // The mask of this thread alone.
        let thread = std::thread::spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).unwrap();
            let world = World::new();
            umask(Mode::from_bits_truncate(mask));
            let alice = world.enroll("alice");
            umask(Mode::from_bits_truncate(0o022));
            for file in ["1000.lock", "1000.state", "1000.toml"] {
                let found = fs::metadata(world.store().join(file)).unwrap();
                assert_eq!(found.permissions().mode(), 0o100_600, "{file} under {mask:o}");
                assert_eq!((std::os::unix::fs::MetadataExt::uid(&found), std::os::unix::fs::MetadataExt::gid(&found)), (0, 0));
            }
            fs::remove_file(world.store().join("1000.lock")).unwrap();
            assert_eq!(*world.login("test").umask(mask).types(alice.code(NOW)).run().code(), PAM_SUCCESS);
            assert_eq!(fs::metadata(world.store().join("1000.lock")).unwrap().permissions().mode(), 0o100_600);
        });
        thread.join().unwrap();
    }
}

#[test]
fn d_17_hostile_names_have_files_of_their_own_or_none() {
    let (world, alice) = enrolled();
    let long = "x".repeat(256);
    // A number that is another's uid, names that are ways elsewhere, options, spellings of alice.
    let names =
        ["1000", "0", "../x", "../1000", "a/b", ".", "..", "DOM\\alice", "alice@corp", "ALICE", "\u{e4}lice", "al ice", "%n%s", &long];
    for (uid, name) in (2000..).zip(names) {
        add_user(&world, name, uid, &format!("{uid}::/:/bin/sh"));
        assert_eq!(*world.login("test").user(name).run().code(), PAM_PERM_DENIED, "{name}: not enrolled, ignored");
        let code = enroll_as(&world, name, uid);
        assert!(world.store().join(format!("{uid}.toml")).exists());
        let run = world.login("test").user(name).types(alice.code(NOW)).run();
        assert_eq!((run.code(), run.reason()), (&PAM_AUTH_ERR, "wrong"), "{name}: {run:#?}");
        let run = world.login("test").user(name).types(code).run();
        assert_eq!(*run.code(), PAM_SUCCESS, "{name}: {run:#?}");
        assert!(run.logged()[0].contains(&format!(" uid={uid} ")), "{run:#?}");
    }
    // Each three files in the store, and nothing beside it.
    assert_eq!(fs::read_dir(world.store()).unwrap().count(), 1 + 3 * (1 + names.len()));
    assert_eq!(fs::read_dir(world.folder()).unwrap().count(), 7);
    // Options and lines are in no database of files.
    for name in ["-n", "--", "alice\nx", "+alice"] {
        let run = world.login("test").user(name).run();
        assert_eq!((run.code(), run.reason()), (&PAM_AUTH_ERR, "unknown_user"), "{run:#?}");
    }
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
}

#[test]
fn d_18_a_uid_that_changed_hands_is_refused_until_adopt_or_reset() {
    for renamed_to_another_uid in [false, true] {
        let (world, alice) = enrolled();
        edit_users(&world, |text| text.replace("alice:x:1000:", if renamed_to_another_uid { "alice:x:1500:" } else { "gone:x:1500:" }));
        add_user(&world, "dave", 1000, "1000::/:/bin/sh");
        let before = fs::read(world.store().join("1000.state")).unwrap();
        for typed in [alice.code(NOW), alice.wrong_code(NOW), alice.recovery[0].clone()] {
            let run = world.login("test").user("dave").types(typed).run();
            assert_eq!((run.code(), run.reason()), (&PAM_AUTHINFO_UNAVAIL, "other_name"), "{run:#?}");
            let line = run.logged()[0];
            assert!(line.contains("found=\"alice\""), "{line}");
            assert!(line.contains("countersign-setup adopt dave") && line.contains("countersign-setup reset dave"), "{line}");
            assert_eq!(run.messages(), ["\ncountersign: enrolled under another name, not checked; ask an administrator"]);
        }
        assert_eq!(fs::read(world.store().join("1000.state")).unwrap(), before);
        assert_eq!(store(&world).lock(1000).unwrap().reset(ANEW, Ahead::Keep), Ok(Removed::Record));
        assert_eq!(*world.login("test").user("dave").run().code(), PAM_PERM_DENIED, "not enrolled, ignored");
    }
}

#[test]
fn d_19_a_record_that_was_lost_is_refused_until_it_is_restored_or_reset() {
    let (world, alice) = enrolled();
    let record = world.store().join("1000.toml");
    let aside = world.folder().join("record");
    // A reset that was killed between unlink and column leaves the same.
    fs::rename(&record, &aside).unwrap();
    for typed in [alice.code(NOW), alice.recovery[0].clone()] {
        let run = world.login("test").types(typed).run();
        assert_eq!((run.code(), run.reason()), (&PAM_AUTHINFO_UNAVAIL, "damaged"), "{run:#?}");
        let line = run.logged()[0];
        assert!(line.contains("restore") && line.contains("countersign-setup reset alice"), "{line}");
    }
    fs::copy(&aside, &record).unwrap();
    assert_eq!(*world.login("test").types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    fs::remove_file(&record).unwrap();
    let run = world.login("test").types(alice.code(NOW + 30)).run();
    assert_eq!(run.reason(), "damaged", "{run:#?}");
    assert_eq!(store(&world).lock(1000).unwrap().reset(ANEW, Ahead::Keep), Ok(Removed::Mended));
    assert_eq!(*world.login("test").run().code(), PAM_PERM_DENIED, "not enrolled, ignored");
    assert_eq!(store(&world).lock(1000).unwrap().reset(ANEW, Ahead::Keep), Ok(Removed::Nothing), "again");
    assert_eq!(*world.login("test").run().code(), PAM_PERM_DENIED, "not enrolled, ignored");
}

#[test]
fn j_10_what_has_changed_since_a_flow_began_it_neither_takes_away_nor_undoes() {
    let (world, alice) = enrolled();
    let store = store(&world);
    let record = || store.lock(1000).unwrap().record().unwrap().unwrap();
    let slots: Vec<Slot> = record().recovery.codes.iter().map(|code| code.slot).collect();
    let changed = Err(NotCommitted::Nothing(Trouble::Changed));
    let began = record().id;
    world.change_record(1000, |record| record.name = "alice".to_owned());
    let files = world.files();
    assert_eq!(store.lock(1000).unwrap().disable(began), changed);
    let before = record();
    assert_eq!(store.lock(1000).unwrap().commit_rescue(began, &before, slots[3]), changed);
    assert_eq!(files, world.files());
    // A rescue code whose symbol was spent meanwhile would open nothing.
    assert_eq!(*world.login("test").types(&alice.recovery[3]).run().code(), PAM_SUCCESS);
    let began = record().id;
    let mut rescued = record();
    rescued.id = RecordId(77);
    rescued.recovery.codes[3].rescue = Some(Rescue { not_after: NOW + 1800, created_at: NOW, created_by: "root".to_owned() });
    let files = world.files();
    assert_eq!(store.lock(1000).unwrap().commit_rescue(began, &rescued, slots[3]), changed);
    assert_eq!(files, world.files());
    rescued.recovery.codes[3].rescue = None;
    rescued.recovery.codes[4].rescue = Some(Rescue { not_after: NOW + 1800, created_at: NOW, created_by: "root".to_owned() });
    assert_eq!(store.lock(1000).unwrap().commit_rescue(began, &rescued, slots[4]), Ok(()));
    assert_eq!(*world.login("test").types(&alice.recovery[4]).run().code(), PAM_SUCCESS);
    assert_eq!(store.lock(1000).unwrap().disable(RecordId(77)), Ok(()));
    assert_eq!(*world.login("test").run().code(), PAM_PERM_DENIED, "not enrolled, ignored");
}

#[test]
fn j_10_no_flow_goes_past_damage() {
    let (world, _) = enrolled();
    let began = world.under_lock(1000, |locked| locked.record().unwrap().unwrap().id);
    for name in ["1000.state", "1000.toml"] {
        let path = world.store().join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, vec![b'x'; whole.len()]).unwrap();
        let files = world.files();
        let disabled = store(&world).lock(1000).unwrap().disable(began);
        assert!(matches!(&disabled, Err(NotCommitted::Nothing(Trouble::Damaged { .. }))), "{disabled:?}");
        assert_eq!(files, world.files());
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(store(&world).lock(1000).unwrap().disable(began), Ok(()));
}

#[test]
fn d_19_a_record_that_goes_while_its_user_thinks_ends_in_a_refusal() {
    let (world, alice) = enrolled();
    let mut login = world.login("test").answers(answer(alice.code(NOW)).waits()).start();
    login.at_question();
    assert_eq!(store(&world).lock(1000).unwrap().reset(ANEW, Ahead::Keep), Ok(Removed::Record));
    login.go_on();
    let run = login.end();
    assert_eq!((run.code(), run.reason()), (&PAM_AUTH_ERR, "unenrolled"), "{run:#?}");
    // A watermark stays: the code that was asked for is not the next record's.
    assert_eq!(*world.login("test").run().code(), PAM_PERM_DENIED, "not enrolled, ignored");
}

#[test]
fn i_11_unusual_users_are_users() {
    let world = World::new();
    world.configure("[policy]\nunenrolled = \"skip\"\n");
    let largest = u32::MAX - 1;
    for (name, uid, rest) in [
        ("root", 0, ""),
        ("daemon", 1, ""),
        ("large", largest, "0::/:/bin/sh"),
        ("homeless", 3000, "3000:::/bin/sh"),
        ("shellless", 3001, "3001::/:"),
        ("bare", 3002, "3002:::"),
        ("nologin", 3003, "3003::/:/usr/sbin/nologin"),
    ] {
        if !rest.is_empty() {
            add_user(&world, name, uid, rest);
        }
        assert_eq!(*world.login("test").user(name).run().code(), PAM_PERM_DENIED, "{name}: not enrolled, ignored");
        let code = enroll_as(&world, name, uid);
        let run = world.login("test").user(name).types("000000").run();
        assert_eq!((run.code(), run.reason()), (&PAM_AUTH_ERR, "wrong"), "{name}: {run:#?}");
        let run = world.login("test").user(name).types(code).run();
        assert_eq!(*run.code(), PAM_SUCCESS, "{name}: {run:#?}");
    }
}
