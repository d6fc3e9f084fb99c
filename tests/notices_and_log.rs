//! What each outcome says: the question, the message, the lines of the log; and the notices at a success.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use countersign::rules::code::{RecoveryCode, Slot};
use countersign::rules::record::{Rescue, StoredCode};
use countersign::rules::recovery::Hashed;
use data_encoding::HEXLOWER;
use driver::{Enrolled, Login, NOW, Run, World, answer, failed};
use pam::constants::PamResultCode::{
    self, PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_CONV_ERR, PAM_PERM_DENIED, PAM_SERVICE_ERR, PAM_SUCCESS, PAM_USER_UNKNOWN,
};
use sha2::{Digest, Sha256};

const DAY: i64 = 86_400;
const QUESTION: &str = "Verification code: ";
const STACK: &str = "auth required pam_countersign.so\n";
/// What pam_unix says of the login that the table is about.
const AS_PAM_UNIX: &str = "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=198.51.100.9  user=alice";
const OF_ALICE: &str = "user=alice uid=1000 service=sshd tty=ssh rhost=198.51.100.9";

/// A world whose notices have all been told.
fn enrolled() -> (World, Enrolled) {
    let world = World::new();
    world.service("sshd", STACK);
    let alice = world.enroll("alice");
    for ago in [3, 2, 1] {
        let now = NOW - ago * DAY;
        assert_eq!(*world.login("sshd").at(now).types(alice.code(now)).run().code(), PAM_SUCCESS);
    }
    (world, alice)
}

fn ssh(world: &World) -> Login<'_> {
    world.login("sshd").tty("ssh").rhost("198.51.100.9")
}

#[track_caller]
fn guess(world: &World, alice: &Enrolled, times: impl IntoIterator<Item = i64>) {
    let run = ssh(world).attempts(times.into_iter().map(|now| answer(alice.wrong_code(now)).at(now))).run();
    assert!(run.ends().iter().all(|end| *end == "wrong"), "{:?}", run.ends());
}

/// The line but for what the machine's own clock adds to a refusal.
fn line(text: &str) -> &str {
    text.strip_suffix(" clock=unsynchronised").unwrap_or(text)
}

/// One outcome: PAM's value, what stands in front of the question (`None`: not asked), the message, the lines of the log.
#[track_caller]
fn expect(world: &World, login: Login<'_>, code: PamResultCode, front: Option<&str>, message: &str, log: &[(u8, &str)]) {
    let run = login.run();
    assert_eq!(*run.code(), code, "{run:#?}");
    assert_eq!(run.questions(), front.iter().map(|front| format!("{front}{QUESTION}")).collect::<Vec<_>>());
    let message = if message.is_empty() { vec![] } else { vec![format!("\ncountersign: {message}")] };
    assert_eq!(run.messages(), message);
    let filled = |text: &str| {
        text.replace("...", OF_ALICE).replace("STORE", world.store().to_str().unwrap()).replace("CONFIG", world.config().to_str().unwrap())
    };
    let wanted: Vec<(u8, u8, String, String)> =
        log.iter().map(|(level, text)| (10, *level, "pam_countersign(sshd:auth)".to_owned(), filled(text))).collect();
    let found: Vec<(u8, u8, String, String)> =
        run.log.iter().map(|logged| (logged.facility, logged.level, logged.by.clone(), line(&logged.text).to_owned())).collect();
    assert_eq!(found, wanted);
}

const ERROR: u8 = 3;
const NOTICE: u8 = 5;
const INFO: u8 = 6;

#[test]
fn l_01_what_is_accepted() {
    let (world, alice) = enrolled();
    let accepted = (INFO, "result=accepted method=totp ... authenticator=\"phone\" streak=0 codes_left=10");
    expect(&world, ssh(&world).types(alice.code(NOW)), PAM_SUCCESS, Some(""), "", &[accepted]);
    let rescue = issue_rescue_code(&world);
    let accepted = (NOTICE, "result=accepted method=rescue ... authenticator=- streak=0 codes_left=10");
    let next = Some("Next code in 30 s. ");
    let issued = "rescue code issued 2026-11-24 09:20 UTC by root (bob), used\n\
                  countersign: if you did not ask for it, tell an administrator";
    expect(&world, ssh(&world).types(rescue), PAM_SUCCESS, next, issued, &[accepted]);
    let accepted = (NOTICE, "result=accepted method=recovery ... authenticator=- streak=0 codes_left=9");
    let used = "recovery code used 2026-11-24 09:20 UTC, 9 left\ncountersign: phone lost? countersign-setup enroll --replace";
    let both = format!("{used}\ncountersign: {issued}");
    expect(&world, ssh(&world).types(&alice.recovery[0]), PAM_SUCCESS, next, &both, &[accepted]);
}

/// A rescue code that root, for bob, issued to alice at `NOW` for half an hour.
fn issue_rescue_code(world: &World) -> String {
    let code = RecoveryCode::made(Slot::new(24).unwrap(), &[5; 14]);
    let valid = Rescue { not_after: NOW + 1800, created_at: NOW, created_by: "root (bob)".to_owned() };
    let stored = StoredCode { slot: code.slot(), hashed: Hashed::new(&code, [1; 16]).unwrap(), rescue: Some(valid) };
    world.change_record(1000, |record| record.recovery.codes.push(stored));
    code.grouped().to_string()
}

#[test]
fn l_01_l_05_an_answer_that_is_refused() {
    let (world, alice) = enrolled();
    let not_accepted = "not accepted; try the next code, a recovery code, or ask for help";
    let expect = |typed: &str, front: &str, message: &str, line: &str| {
        let log = [(NOTICE, AS_PAM_UNIX), (NOTICE, line)];
        expect(&world, ssh(&world).at(NOW + 12).types(typed), PAM_AUTH_ERR, Some(front), message, &log);
    };
    let wrong = "result=refused reason=wrong method=totp ... lane=remote streak=1 budget_left=59";
    expect(&alice.wrong_code(NOW), "", not_accepted, wrong);
    let unknown = RecoveryCode::made(Slot::new(3).unwrap(), &[5; 14]).grouped();
    let wrong = "result=refused reason=wrong method=recovery ... lane=remote streak=1 budget_left=59";
    expect(&unknown, "", not_accepted, wrong);
    let malformed = "result=refused reason=malformed method=- ... lane=remote streak=- budget_left=-";
    expect("4711", "", "that is not a code: digits from the app, or a recovery code", malformed);
    let typo = "result=refused reason=typo method=recovery ... lane=remote streak=- budget_left=-";
    let typed = alice.recovery[0].replacen('1', "2", 1);
    expect(&typed, "", "typing error in the recovery code, not counted; type it again", typo);

    assert_eq!(*ssh(&world).types(&alice.recovery[0]).run().code(), PAM_SUCCESS);
    let replay = "result=refused reason=replay method=recovery ... lane=remote streak=1 budget_left=59";
    expect(&alice.recovery[0], "", "recovery code already used, take another", replay);
    assert_eq!(*ssh(&world).types(alice.code(NOW)).run().code(), PAM_SUCCESS);
    let replay = "result=refused reason=replay method=totp ... lane=remote streak=0 budget_left=59";
    expect(&alice.code(NOW), "Next code in 18 s. ", "a code was used just now, wait for the next one", replay);
}

#[test]
fn l_01_l_05_codes_that_are_not_looked_at() {
    let (world, alice) = enrolled();
    let held = |now: i64| [alice.code(now), alice.wrong_code(now)].map(|typed| ssh(&world).at(now).types(typed));
    guess(&world, &alice, [NOW; 5].into_iter().chain([NOW + 60, NOW + 180]));
    for login in held(NOW + 241) {
        let waiting = (INFO, "result=refused reason=waiting method=- ... lane=remote until=2026-11-24T09:27:00Z");
        let (front, message) = ("Wait 3 min, or use a recovery code. ", "not checked; wait 3 min, or use a recovery code");
        expect(&world, login, PAM_AUTH_ERR, Some(front), message, &[waiting]);
    }
    guess(&world, &alice, (1..=33).map(|hour| NOW + hour * 3600));
    let now = NOW + 34 * 3600;
    for login in held(now) {
        let next = "next=\"countersign-setup unlock alice\"";
        let stopped = format!("result=refused reason=stopped method=- ... lane=remote since=2026-11-25T18:20:00Z {next}");
        let (front, message) = ("Codes are stopped, use a recovery code. ", "not checked; codes are stopped, use a recovery code");
        expect(&world, login, PAM_AUTH_ERR, Some(front), message, &[(NOTICE, &stopped)]);
    }
    for login in held(NOW - 5 * DAY) {
        let behind = "result=refused reason=clock_behind method=totp ... lane=remote streak=40 budget_left=25";
        let (front, message) =
            ("The clock here is behind, use a recovery code. ", "clock behind (2026-11-19 09:20 UTC); only a recovery code works");
        expect(&world, login, PAM_AUTH_ERR, Some(front), message, &[(NOTICE, AS_PAM_UNIX), (NOTICE, behind)]);
    }
}

#[test]
fn l_01_l_05_a_spent_budget() {
    let (world, alice) = enrolled();
    for round in 0..15 {
        let now = NOW + 60 * round;
        if round > 0 {
            assert_eq!(*ssh(&world).at(now).types(alice.code(now)).run().code(), PAM_SUCCESS);
        }
        guess(&world, &alice, [now; 4]);
    }
    let now = NOW + 15 * 60;
    for typed in [alice.code(now), alice.wrong_code(now)] {
        let budget = (INFO, "result=refused reason=budget method=- ... lane=remote until=2026-11-24T15:20:00Z");
        let (front, message) = ("Wait 6 h, or use a recovery code. ", "not checked; wait 6 h, or use a recovery code");
        expect(&world, ssh(&world).at(now).types(typed), PAM_AUTH_ERR, Some(front), message, &[budget]);
    }
}

#[test]
fn l_01_l_05_nobody_who_could_answer() {
    let (world, _) = enrolled();
    let not_accepted = "not accepted; try the next code, a recovery code, or ask for help";
    let of_bob = "user=bob uid=1001 service=sshd tty=ssh rhost=198.51.100.9 lane=remote streak=- budget_left=-";
    let unenrolled = format!("result=refused reason=unenrolled method=- {of_bob}");
    let as_pam_unix = AS_PAM_UNIX.replace("user=alice", "user=bob");
    let log = [(NOTICE, as_pam_unix.as_str()), (NOTICE, unenrolled.as_str())];
    expect(&world, ssh(&world).user("bob").types("123456"), PAM_AUTH_ERR, Some(""), not_accepted, &log);
    let of_nobody = "user=? uid=- service=sshd tty=ssh rhost=198.51.100.9 lane=remote streak=- budget_left=-";
    let unknown = format!("result=refused reason=unknown_user method=- {of_nobody}");
    let as_pam_unix = AS_PAM_UNIX.replace("user=alice", "user=?");
    let log = [(NOTICE, as_pam_unix.as_str()), (NOTICE, unknown.as_str())];
    expect(&world, ssh(&world).user("hunter2").types("123456"), PAM_AUTH_ERR, Some(""), not_accepted, &log);
}

#[test]
fn l_01_l_05_a_lock_that_is_not_had() {
    let (world, alice) = enrolled();
    let lock = fs::File::open(world.store().join("1000.lock")).unwrap();
    lock.lock().unwrap();
    let busy =
        format!("result=refused reason=busy method=- ... lane=remote streak=- budget_left=- holder={} holder_uid=0", std::process::id());
    let log = [(NOTICE, AS_PAM_UNIX), (NOTICE, busy.as_str())];
    expect(&world, ssh(&world).types(alice.code(NOW)), PAM_AUTH_ERR, Some(""), "busy, nothing was counted; try again", &log);
}

#[test]
fn l_01_who_is_not_asked() {
    let (world, _) = enrolled();
    let of_bob = "user=bob uid=1001 service=sshd tty=ssh rhost=198.51.100.9";
    let skipped = |policy: &str, login: Login<'_>, message: &str, line: &str| {
        world.configure(policy);
        expect(&world, login, PAM_PERM_DENIED, None, message, &[(INFO, line)]);
    };
    let rule = "rule=\"config.toml:4\"";
    let of_nobody_yet = "user=? uid=- service=sshd tty=ssh rhost=198.51.100.9";
    let line = format!("result=skipped reason=service method=- {of_nobody_yet} {rule}");
    skipped("[service.sshd]\nskip = true\n", ssh(&world), "", &line);
    let line = format!("result=skipped reason=exempt_users method=- ... {rule}");
    skipped("[policy]\nexempt_users = [\"alice\"]\n", ssh(&world), "", &line);
    let line = format!("result=skipped reason=unenrolled method=- {of_bob} {rule}");
    skipped("[policy]\nunenrolled = \"skip\"\n", ssh(&world).user("bob"), "", &line);
    let line = format!("result=skipped reason=unenrolled method=- {of_bob} until=2026-12-01");
    let date = "from 2026-12-01 (in 7 days) logins need a second factor\ncountersign: set it up: countersign-setup enroll";
    skipped("[policy]\nunenrolled = 2026-12-01\n", ssh(&world).user("bob"), date, &line);

    world.configure("");
    world.service("sshd", "auth required pam_countersign.so require_prior=publickey\n");
    let line = "result=refused reason=require_prior method=- user=? uid=- service=sshd tty=ssh rhost=198.51.100.9 found=\"no public key before this\"";
    expect(&world, ssh(&world), PAM_AUTH_ERR, None, "", &[(NOTICE, line)]);
    world.service("sshd", STACK);
    let line = "result=refused reason=not_root method=- ...";
    expect(&world, ssh(&world).uids(1000, 1000, 1000), PAM_AUTH_ERR, None, "", &[(NOTICE, line)]);
}

#[test]
fn l_01_a_conversation_that_ends() {
    let (world, alice) = enrolled();
    let conversation = (NOTICE, "result=refused reason=conversation method=- ...");
    expect(&world, ssh(&world).answers(failed()), PAM_CONV_ERR, Some(""), "", &[conversation]);
    let changed = (NOTICE, "result=refused reason=user_changed method=- ...");
    expect(&world, ssh(&world).answers(answer(alice.code(NOW)).with_user("bob")), PAM_AUTH_ERR, Some(""), "", &[changed]);
    let run = ssh(&world).no_user().types("").run();
    let line = "result=refused reason=no_user method=- user=? uid=- service=sshd tty=ssh rhost=198.51.100.9";
    assert_eq!((run.code(), run.logged().iter().map(|text| self::line(text)).collect::<Vec<_>>()), (&PAM_USER_UNKNOWN, vec![line]));
}

type Spoil = fn(&World);

/// As record and journal bear it, in every format: over uid, format or slot, and the rest.
fn checksum(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text))[..16].to_owned()
}

#[test]
fn l_01_l_05_a_store_that_can_not_be_judged_by() {
    let unavailable = "store unavailable, nothing was accepted; ask an administrator";
    let other_name = "enrolled under another name, not checked; ask an administrator";
    let in_front = "Store unavailable, ask an administrator. ";
    let cases: [(Spoil, &str, &str, &str); 13] = [
        (
            |world| fs::remove_file(world.store().join(".countersign-store")).unwrap(),
            in_front,
            unavailable,
            "reason=store_unavailable method=- ... path=\"STORE\" found=\"no marker\" next=\"countersign-setup doctor\"",
        ),
        (
            |world| fs::remove_dir_all(world.store()).unwrap(),
            in_front,
            unavailable,
            "reason=store_unavailable method=- ... path=\"STORE\" errno=2 next=\"countersign-setup doctor\"",
        ),
        (
            |world| fs::set_permissions(world.store(), Permissions::from_mode(0o777)).unwrap(),
            in_front,
            unavailable,
            "reason=store_unavailable method=- ... path=\"STORE\" found=\"mode 0777, wanted mode 0700\" next=\"countersign-setup doctor\"",
        ),
        (
            |world| fs::set_permissions(world.store().join("1000.toml"), Permissions::from_mode(0o644)).unwrap(),
            "",
            unavailable,
            "reason=store_unavailable method=- ... path=\"STORE/1000.toml\" found=\"mode 0644, wanted mode 0600\" next=\"countersign-setup doctor\"",
        ),
        (
            |world| {
                fs::remove_file(world.store().join("1000.state")).unwrap();
                fs::create_dir(world.store().join("1000.state")).unwrap();
            },
            "",
            unavailable,
            "reason=store_unavailable method=- ... path=\"STORE/1000.state\" errno=21 next=\"countersign-setup doctor\"",
        ),
        (
            |world| fs::write(world.store().join("1000.toml"), "format = 1\n").unwrap(),
            "",
            unavailable,
            "reason=damaged method=- ... path=\"STORE/1000.toml\" next=\"countersign-setup reset alice\"",
        ),
        (
            |world| fs::remove_file(world.store().join("1000.toml")).unwrap(),
            "",
            unavailable,
            "reason=damaged method=- ... path=\"STORE/1000.toml\" found=\"nothing\" next=\"restore it from a backup, or countersign-setup reset alice\"",
        ),
        (
            |world| fs::write(world.store().join("1000.state"), "x").unwrap(),
            "",
            unavailable,
            "reason=damaged method=- ... path=\"STORE/1000.state\" next=\"countersign-setup unlock alice\"",
        ),
        (
            |world| fs::remove_file(world.store().join("1000.state")).unwrap(),
            "",
            unavailable,
            "reason=damaged method=- ... path=\"STORE/1000.state\" found=\"nothing\" next=\"countersign-setup unlock alice\"",
        ),
        (
            |world| {
                let sum = checksum("1000\n2\nwhatever comes then\n");
                let newer = format!("format = 2\nsum = \"{sum}\"\nwhatever comes then\n");
                fs::write(world.store().join("1000.toml"), newer).unwrap();
            },
            "",
            unavailable,
            "reason=newer_format method=- ... path=\"STORE/1000.toml\" found=\"written by a newer Countersign\" next=\"install the newer Countersign\"",
        ),
        (
            |world| {
                let mut journal = fs::read(world.store().join("1000.state")).unwrap();
                let columns = "countersign-state 2 whatever=comes then";
                let newer = format!("{columns} sum={}", checksum(&format!("1000\n0\n{columns}")));
                journal[..512].copy_from_slice(format!("{newer:511}\n").as_bytes());
                fs::write(world.store().join("1000.state"), journal).unwrap();
            },
            "",
            unavailable,
            "reason=newer_format method=- ... path=\"STORE/1000.state\" found=\"written by a newer Countersign\" next=\"install the newer Countersign\"",
        ),
        (
            |world| world.change_record(1000, |record| record.name = "zoe".to_owned()),
            "",
            other_name,
            "reason=other_name method=- ... found=\"zoe\" next=\"countersign-setup adopt alice, or countersign-setup reset alice\"",
        ),
        (
            |world| world.change_record(1000, |record| record.name = "bob".to_owned()),
            "",
            other_name,
            "reason=other_name method=- ... found=\"bob\" next=\"countersign-setup adopt alice, or countersign-setup reset alice\"",
        ),
    ];
    for (spoil, front, message, line) in cases {
        for is_right in [true, false] {
            let (world, alice) = enrolled();
            spoil(&world);
            let typed = if is_right { alice.code(NOW) } else { alice.wrong_code(NOW) };
            let line = format!("result=refused {line}");
            expect(&world, ssh(&world).types(typed), PAM_AUTHINFO_UNAVAIL, Some(front), message, &[(ERROR, &line)]);
        }
    }
}

#[test]
fn l_01_l_05_what_can_not_be_written_or_configured() {
    let (world, alice) = enrolled();
    let unavailable = "store unavailable, nothing was accepted; ask an administrator";
    let line = (ERROR, "result=refused reason=not_written method=- ... path=\"STORE/1000.state\" errno=28");
    let login = ssh(&world).failing_writes(libc::ENOSPC).types(alice.code(NOW));
    expect(&world, login, PAM_AUTHINFO_UNAVAIL, Some(""), unavailable, &[line]);
    let line = (ERROR, "result=refused reason=file_size_limit method=- ...");
    let message = "file size limit too low, nothing was accepted; raise it: ulimit -f";
    expect(&world, ssh(&world).limit("fsize", 8191), PAM_AUTHINFO_UNAVAIL, None, message, &[line]);

    let message = "configuration error; as root run: countersign-setup explain";
    let of_nobody_yet = "user=? uid=- service=sshd tty=ssh rhost=198.51.100.9";
    let expect_configuration = |problem: &str| {
        let line = format!("result=refused reason=configuration method=- {of_nobody_yet} {problem} next=\"countersign-setup explain\"");
        expect(&world, ssh(&world), PAM_SERVICE_ERR, None, message, &[(ERROR, &line)]);
    };
    world.configure("\n\n[policy]\nunenrolled = \"perhaps\"\n");
    expect_configuration("path=\"CONFIG\" line=6");
    world.configure("");
    fs::set_permissions(world.config(), Permissions::from_mode(0o666)).unwrap();
    expect_configuration("path=\"CONFIG\" found=\"has mode 0666, wanted not writable by group and others\"");
}

#[test]
fn l_01_a_bad_slot_beside_a_good_one() {
    let (world, alice) = enrolled();
    let path = world.store().join("1000.state");
    let mut journal = fs::read(&path).unwrap();
    let newest = format!("seq={:020}", world.journal(1000).sequence);
    let older = if String::from_utf8_lossy(&journal[..512]).contains(&newest) { 4096 } else { 0 };
    journal[older + 100] ^= 1;
    fs::write(&path, journal).unwrap();
    let noted = (NOTICE, "result=noted reason=bad_slot method=- ... path=\"STORE/1000.state\"");
    let accepted = (INFO, "result=accepted method=totp ... authenticator=\"phone\" streak=0 codes_left=10");
    expect(&world, ssh(&world).types(alice.code(NOW)), PAM_SUCCESS, Some(""), "", &[noted, accepted]);
}

#[test]
fn l_01_as_json_the_same_keys_and_the_words_of_pam_unix() {
    let (world, alice) = enrolled();
    world.configure("[log]\nformat = \"json\"\n");
    let start = r#""user":"alice","uid":1000,"service":"sshd","tty":"ssh","rhost":"198.51.100.9""#;
    let wrong = format!(r#"{{"result":"refused","reason":"wrong","method":"totp",{start},"lane":"remote","streak":1,"budget_left":59"#);
    let run = ssh(&world).types(alice.wrong_code(NOW)).run();
    assert_eq!(run.logged()[0], AS_PAM_UNIX);
    assert!(run.logged()[1].starts_with(&wrong) && serde_json::from_str::<serde_json::Value>(run.logged()[1]).is_ok(), "{run:#?}");
    let accepted = format!(r#"{{"result":"accepted","method":"totp",{start},"authenticator":"phone","streak":0,"codes_left":10}}"#);
    assert_eq!(ssh(&world).types(alice.code(NOW)).run().logged(), [accepted]);
    let accepted = format!(r#"{{"result":"accepted","method":"recovery",{start},"authenticator":null,"streak":0,"codes_left":9}}"#);
    assert_eq!(ssh(&world).types(&alice.recovery[0]).run().logged(), [accepted]);
}

#[test]
fn l_02_a_thousand_attempts_while_waiting_are_a_line_each_and_nothing_grows() {
    let (world, alice) = enrolled();
    guess(&world, &alice, [NOW; 5]);
    let before = world.files();
    let typed = (0..1000).map(|number| if number % 2 == 0 { alice.code(NOW) } else { alice.wrong_code(NOW) });
    let run = ssh(&world).attempts(typed.map(answer)).run();
    assert_eq!(run.ends(), ["waiting"; 1000]);
    assert!(run.log.len() == 1000 && run.log.iter().all(|line| line.level == INFO), "{}", run.log.len());
    assert_eq!(world.files(), before);
}

/// The lines of the notices at a success in that service.
#[track_caller]
fn notices(run: &Run) -> Vec<String> {
    assert_eq!(*run.code(), PAM_SUCCESS, "{run:#?}");
    let message = run.messages().concat();
    message.split('\n').filter_map(|line| line.strip_prefix("countersign: ")).map(str::to_owned).collect()
}

const FAILURES: [&str; 2] =
    ["3 wrong codes since 2026-11-24 09:20 UTC, last from 198.51.100.9", "if that was not you, change your password: passwd"];

#[test]
fn l_03_failures_are_told_at_three_successes_in_any_service() {
    let (world, alice) = enrolled();
    world.service("sudo", STACK);
    guess(&world, &alice, [NOW; 3]);
    let success = |service: &str, minutes: i64| world.login(service).at(NOW + 60 * minutes).types(alice.code(NOW + 60 * minutes));
    assert_eq!(notices(&success("sudo", 1).run()), FAILURES);
    // Who is silent is told nothing, and it does not count as told.
    for minutes in 2..6 {
        assert_eq!(notices(&success("sudo", minutes).silent().run()), [""; 0]);
    }
    assert_eq!(notices(&success("sshd", 6).run()), FAILURES);
    assert_eq!(notices(&success("sshd", 7).run()), FAILURES);
    assert_eq!(notices(&success("sshd", 8).run()), [""; 0]);
    // Told three times, they are counted anew.
    let later = NOW + 10 * 60;
    assert_eq!(world.login("sudo").tty("/dev/tty1").at(later).types(alice.wrong_code(later)).run().ends(), ["wrong"]);
    assert_eq!(notices(&success("sudo", 11).run())[0], "1 wrong code since 2026-11-24 09:30 UTC, last from /dev/tty1");
}

#[test]
fn l_03_a_new_authenticator_is_told_for_seven_days_and_at_three_successes_in_any_case() {
    let told = |replaced: bool, ages: &[i64]| -> Vec<usize> {
        let (world, alice) = enrolled();
        world.change_record(1000, |record| {
            let phone = &mut record.authenticators[0];
            (phone.created_at, phone.created_by, phone.replaced) = (NOW, "root (bob)".to_owned(), replaced);
        });
        let done = if replaced { "replaced" } else { "added" };
        let wanted = [
            format!("authenticator \"phone\" {done} 2026-11-24 09:20 UTC by root (bob)"),
            "if that was not you, tell an administrator".to_owned(),
        ];
        let lines = ages.iter().map(|age| {
            let now = NOW + age;
            let lines = notices(&ssh(&world).at(now).types(alice.code(now)).run());
            assert!(lines.is_empty() || lines == wanted, "{lines:?}");
            lines.len()
        });
        lines.collect()
    };
    assert_eq!(told(false, &[60, 120, 180, 240, DAY, 6 * DAY, 7 * DAY - 30, 7 * DAY + 60]), [2, 2, 2, 2, 2, 2, 2, 0]);
    assert_eq!(told(true, &[8 * DAY, 9 * DAY, 30 * DAY, 31 * DAY]), [2, 2, 2, 0]);
}

#[test]
fn l_03_a_used_recovery_code_is_told_for_seven_days_and_at_three_successes_in_any_case() {
    let told = |ages: &[i64]| -> Vec<usize> {
        let (world, alice) = enrolled();
        let used = ["recovery code used 2026-11-24 09:20 UTC, 9 left", "phone lost? countersign-setup enroll --replace"];
        // Silent: the one who used it was not told.
        assert_eq!(notices(&ssh(&world).silent().types(&alice.recovery[0]).run()), [""; 0]);
        let lines = ages.iter().map(|age| {
            let lines = notices(&world.login("sshd").at(NOW + age).types(alice.code(NOW + age)).run());
            assert!(lines.is_empty() || lines == used, "{lines:?}");
            lines.len()
        });
        lines.collect()
    };
    assert_eq!(told(&[60, 120, 180, 240, 7 * DAY - 30, 7 * DAY + 60]), [2, 2, 2, 2, 2, 0]);
    assert_eq!(told(&[8 * DAY, 9 * DAY, 30 * DAY, 31 * DAY]), [2, 2, 2, 0]);
}

#[test]
fn k_05_who_issued_a_rescue_code_is_told_in_the_login_that_uses_it_and_after() {
    let told = |uses: bool, ages: &[i64]| -> Vec<usize> {
        let (world, alice) = enrolled();
        let code = issue_rescue_code(&world);
        let lines = |run: &Run, word: &str| {
            let first = format!("rescue code issued 2026-11-24 09:20 UTC by root (bob), {word}");
            let lines = notices(run);
            assert!(lines.is_empty() || lines == [&first, "if you did not ask for it, tell an administrator"], "{lines:?}");
            lines.len()
        };
        if uses {
            assert_eq!(lines(&ssh(&world).at(NOW + 30).types(&code).run(), "used"), 2);
        }
        let word = if uses { "used" } else { "not used" };
        let at = |age: &i64| ssh(&world).at(NOW + age).types(alice.code(NOW + age)).run();
        ages.iter().map(|age| lines(&at(age), word)).collect()
    };
    assert_eq!(told(true, &[60, 120, 180, 240, 7 * DAY - 30, 7 * DAY + 60]), [2, 2, 2, 2, 2, 0]);
    assert_eq!(told(false, &[60, 120, 7 * DAY - 30, 7 * DAY + 60]), [2, 2, 2, 0]);
    assert_eq!(told(false, &[8 * DAY, 9 * DAY, 30 * DAY, 31 * DAY]), [2, 2, 2, 0]);
    // The one who uses it silently, as sudo is, leaves the notice to the next.
    let (world, alice) = enrolled();
    let code = issue_rescue_code(&world);
    assert_eq!(notices(&ssh(&world).silent().types(&code).run()), [""; 0]);
    let lines = notices(&ssh(&world).at(NOW + 8 * DAY).types(alice.code(NOW + 8 * DAY)).run());
    assert_eq!(lines[0], "rescue code issued 2026-11-24 09:20 UTC by root (bob), used");
}

#[test]
fn l_04_hostile_names_are_one_escaped_line_also_where_unknown_ones_are_logged() {
    let (world, _) = enrolled();
    for format in ["text", "json"] {
        world.configure(&format!("[log]\nunknown_users = true\nformat = \"{format}\"\n"));
        for hostile in ["x\nuser=root", "%n%s%1000000x", "\u{1b}]0;x\u{7}", "a\"b\\c' user=alice", "\u{202e}ecila", "-", "?"] {
            let hostile = hostile.as_bytes();
            let run = world.login("sshd").user(hostile).tty(hostile).ruser(hostile).rhost(hostile).types("123456").run();
            assert_eq!((run.code(), run.logged().len()), (&PAM_AUTH_ERR, 2), "{run:#?}");
            for line in run.logged() {
                assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
            }
            let ours = run.logged()[1];
            let as_pam_unix = run.logged()[0];
            assert_eq!((as_pam_unix.matches(" user=").count(), as_pam_unix.matches(' ').count()), (1, 9), "{as_pam_unix}");
            if format == "json" {
                let value: serde_json::Value = serde_json::from_str(ours).unwrap();
                assert_eq!(value["user"].as_str().unwrap().as_bytes(), hostile);
            } else {
                assert_eq!(ours.matches("user=").count(), 1, "{ours}");
            }
        }
    }
}

#[test]
fn l_05_a_silent_host_shows_the_next_step_in_front_of_the_question() {
    let (world, alice) = enrolled();
    guess(&world, &alice, [NOW; 5]);
    let silent = |now: i64| ssh(&world).silent().at(now).types(alice.code(now)).run();
    let run = silent(NOW);
    let front = "Wait 1 min, or use a recovery code. Verification code: ";
    assert_eq!((run.code(), run.questions(), run.messages()), (&PAM_AUTH_ERR, vec![front], vec![]));
    guess(&world, &alice, (1..=35).map(|hour| NOW + hour * 3600));
    let run = silent(NOW + 36 * 3600);
    let front = "Codes are stopped, use a recovery code. Verification code: ";
    assert_eq!((run.code(), run.questions(), run.messages()), (&PAM_AUTH_ERR, vec![front], vec![]));
    let run = silent(NOW - 10 * DAY);
    let front = "The clock here is behind, use a recovery code. Verification code: ";
    assert_eq!((run.code(), run.questions(), run.messages()), (&PAM_AUTH_ERR, vec![front], vec![]));
}
