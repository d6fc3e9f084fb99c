//! The account phase: neutral, but with `enforce` nobody gets past whom authentication has not let past.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod driver;

use driver::{Enrolled, NOW, Run, World, answer};
use pam::constants::PamResultCode::{self, PAM_AUTH_ERR, PAM_PERM_DENIED, PAM_SERVICE_ERR, PAM_SUCCESS};

const AUTH_THEN_ACCOUNT: [&str; 2] = ["authenticate", "account"];

/// alice is enrolled; the account phase has these lines. libpam makes PAM_SUCCESS of our PAM_IGNORE and the permit below it.
fn world(account: &str) -> (World, Enrolled) {
    let world = World::new();
    let alice = world.enroll("alice");
    let auth = "auth required pam_countersign.so\nauth required pam_permit.so\n";
    world.service("test", &format!("{auth}{account}"));
    (world, alice)
}

const ENFORCED: &str = "account required pam_countersign.so enforce\naccount required pam_permit.so\n";

/// The account phase's answer, the last one's.
fn account(run: &Run) -> &PamResultCode {
    let (phase, code) = run.codes.last().unwrap();
    assert_eq!(phase, "account");
    code
}

#[track_caller]
fn expect_denied(run: &Run, user: &str) {
    assert_eq!(*account(run), PAM_PERM_DENIED, "{run:#?}");
    let last = run.log.last().unwrap();
    assert_eq!((last.by.as_str(), last.facility), ("pam_countersign(test:account)", 10), "{run:#?}");
    assert!(last.text.starts_with(&format!("result=refused reason=enforce method=- {user} service=test ")), "{run:#?}");
}

#[test]
fn enforce_refuses_an_account_phase_that_stands_alone_and_logs_whom() {
    let (world, _) = world(ENFORCED);
    let run = world.login("test").phases(&["account"]).run();
    expect_denied(&run, "user=alice uid=1000");
    assert_eq!((run.log.len(), run.said.len()), (1, 0), "{run:#?}");
}

#[test]
fn enforce_does_not_log_a_name_that_nobody_has() {
    let (world, _) = world(ENFORCED);
    for name in [b"correct horse".as_slice(), b"\xff\xfe", &[b'x'; 1025]] {
        expect_denied(&world.login("test").user(name).phases(&["account"]).run(), "user=? uid=-");
    }
}

#[test]
fn enforce_refuses_when_the_user_database_fails() {
    let (world, _) = world(ENFORCED);
    std::fs::write(world.folder().join("etc/nsswitch.conf"), "passwd: no-such-database\n").unwrap();
    let run = world.login("test").phases(&["account"]).run();
    expect_denied(&run, "user=? uid=-");
    assert_eq!(run.log.len(), 1, "{run:#?}");
}

#[test]
fn enforce_lets_past_whom_a_code_let_in() {
    let (world, alice) = world(ENFORCED);
    let run = world.login("test").phases(&AUTH_THEN_ACCOUNT).types(alice.code(NOW)).run();
    assert_eq!(*account(&run), PAM_SUCCESS, "{run:#?}");
    assert_eq!(run.logged().len(), 1, "{run:#?}");
    let run = world.login("test").phases(&AUTH_THEN_ACCOUNT).types(&alice.recovery[0]).run();
    assert_eq!(*account(&run), PAM_SUCCESS, "{run:#?}");
}

#[test]
fn enforce_refuses_after_a_wrong_code() {
    let (world, alice) = world(ENFORCED);
    let run = world.login("test").phases(&AUTH_THEN_ACCOUNT).types(alice.wrong_code(NOW)).run();
    assert_eq!(*run.code(), PAM_AUTH_ERR);
    expect_denied(&run, "user=alice uid=1000");
}

#[test]
fn enforce_holds_to_the_last_authentication_of_the_transaction() {
    let (world, alice) = world(ENFORCED);
    let twice = ["authenticate", "authenticate", "account"];
    let (right, wrong) = (answer(alice.code(NOW)), answer(alice.wrong_code(NOW)));
    let run = world.login("test").phases(&twice).answers(right.clone()).answers(wrong.clone()).run();
    assert_eq!(run.codes[0].1, PAM_SUCCESS);
    expect_denied(&run, "user=alice uid=1000");
    let run = world.login("test").at(NOW + 30).phases(&twice).answers(wrong).answers(answer(alice.code(NOW + 30))).run();
    assert_eq!((&run.codes[0].1, account(&run)), (&PAM_AUTH_ERR, &PAM_SUCCESS), "{run:#?}");
}

#[test]
fn enforce_lets_past_whom_policy_does_not_ask() {
    let (world, _) = world(ENFORCED);
    for config in ["[policy]\nexempt_users = [\"alice\"]\n", "[service.test]\nskip = true\n"] {
        world.configure(config);
        let run = world.login("test").phases(&AUTH_THEN_ACCOUNT).run();
        assert_eq!(*account(&run), PAM_SUCCESS, "{config}: {run:#?}");
    }
    world.configure("[policy]\nunenrolled = \"skip\"\n");
    let run = world.login("test").user("bob").phases(&AUTH_THEN_ACCOUNT).run();
    assert_eq!(*account(&run), PAM_SUCCESS, "{run:#?}");
    // The exemption is authentication's to give: without one there is none.
    world.configure("[policy]\nexempt_users = [\"alice\"]\n");
    expect_denied(&world.login("test").phases(&["account"]).run(), "user=alice uid=1000");
}

#[test]
fn enforce_refuses_after_an_authentication_that_could_not_judge() {
    let (world, alice) = world(ENFORCED);
    world.configure("nonsense = 1\n");
    let run = world.login("test").phases(&AUTH_THEN_ACCOUNT).run();
    assert_eq!(*run.code(), PAM_SERVICE_ERR);
    expect_denied(&run, "user=alice uid=1000");
    world.configure("");
    let run = world.login("test").failing_writes(libc::EIO).phases(&AUTH_THEN_ACCOUNT).types(alice.code(NOW)).run();
    expect_denied(&run, "user=alice uid=1000");
}

#[test]
fn an_argument_that_is_not_understood_refuses_the_account_phase() {
    for argument in ["nonsense", "enforce=yes", "enforce enforce", "config=", "echo=2"] {
        let (world, alice) = world(&format!("account required pam_countersign.so {argument}\naccount required pam_permit.so\n"));
        let run = world.login("test").phases(&AUTH_THEN_ACCOUNT).types(alice.code(NOW)).run();
        assert_eq!((run.code(), account(&run)), (&PAM_SUCCESS, &PAM_SERVICE_ERR), "{argument}: {run:#?}");
        let own: Vec<_> = run.log.iter().filter(|line| line.by == "pam_countersign(test:account)").collect();
        assert_eq!(own.len(), 1, "{argument}: {run:#?}");
        assert!(own[0].level == 3 && own[0].text.starts_with("result=refused reason=configuration "), "{run:#?}");
        assert!(own[0].text.contains("path=\"argument "), "{run:#?}");
    }
}

#[test]
fn without_enforce_the_account_phase_is_neutral() {
    let (neutral, alice) = world("account required pam_countersign.so\naccount required pam_permit.so\n");
    let run = neutral.login("test").phases(&["account"]).run();
    assert_eq!((account(&run), run.log.len()), (&PAM_SUCCESS, 0), "{run:#?}");
    let run = neutral.login("test").phases(&AUTH_THEN_ACCOUNT).types(alice.wrong_code(NOW)).run();
    assert_eq!(*account(&run), PAM_SUCCESS, "{run:#?}");
    // Neutral, and no success: alone it lets nobody past.
    let (alone, alice) = world("account sufficient pam_countersign.so\naccount required pam_deny.so\n");
    let run = alone.login("test").phases(&AUTH_THEN_ACCOUNT).types(alice.code(NOW)).run();
    assert_ne!(*account(&run), PAM_SUCCESS, "{run:#?}");
}
