//! The pages of `-h`, each ending in examples. They list what is there, and nothing else.
#![forbid(unsafe_code)]

pub(crate) const PAGE: &str = "\
usage: countersign-setup [--user NAME] [--json] COMMAND [OPTIONS]
The second factor of logins on this machine. Without a command: yours.
For you (root: for anyone, with --user NAME)
  enroll         set up an authenticator and recovery codes
  status         what is set up, what is left, what the policy says
  verify         check a code as a login does, and use it up
For root: people
  reset NAME     remove the second factor of NAME
For root: this machine
  init           make the store and the configuration
  doctor         find what locks people out
  explain        what is wrong with the configuration
  --json         one JSON value on stdout, secrets included
  --config FILE  [default: /etc/countersign/config.toml]
  -h, -V         this page (COMMAND -h: its own), the version
Exit: 0 done, 1 the answer is no, 2 usage, 3 could not be done, 130 interrupted

Examples
  sudo countersign-setup enroll --user alice
  sudo countersign-setup reset alice --reason \"lost phone\"
";

/// A command's own page.
pub(crate) fn page(command: &str) -> Option<&'static str> {
    Some(match command {
        "enroll" => ENROLL,
        "status" => STATUS,
        "verify" => VERIFY,
        "reset" => RESET,
        "init" => INIT,
        "doctor" => DOCTOR,
        "explain" => EXPLAIN,
        _ => return None,
    })
}

const ENROLL: &str = "\
usage: countersign-setup enroll [OPTIONS]
Shows a QR code, asks for a code from the app, shows recovery codes once and
asks for one of them back. Only then is anything active.
  --no-confirm        root: ask nothing, active at once

Examples
  sudo countersign-setup enroll --user alice
  sudo countersign-setup --json enroll --user alice --no-confirm
";

const STATUS: &str = "\
usage: countersign-setup status
Says what is set up, what is left, who waits, and what the policy says. Never a
secret. Exit 1 if not enrolled.

Examples
  sudo countersign-setup status --user alice
  sudo countersign-setup --json status --user alice
";

const VERIFY: &str = "\
usage: countersign-setup verify
Asks for a code, or a recovery code, and checks it as a login does: a right one
is used up, a wrong one counts. Exit 1 if it is not accepted.

Examples
  sudo countersign-setup verify --user alice
";

const RESET: &str = "\
usage: countersign-setup reset NAME [--reason TEXT]
Removes the second factor of NAME, and its waits and stops. A second time there
is nothing to remove, which is no error. The log says who did it, and why.
  --reason TEXT       for the log

Examples
  sudo countersign-setup reset alice --reason \"lost phone\"
";

const INIT: &str = "\
usage: countersign-setup init [--force]
Makes the store and the configuration file where they are missing.
  --force             on a file system that the store is not safe on, too

Examples
  sudo countersign-setup init
";

const DOCTOR: &str = "\
usage: countersign-setup doctor
Finds what locks people out: the configuration, the store, the clock. Each
finding comes with what to change. Exit 1 if there is any.

Examples
  sudo countersign-setup doctor
  sudo countersign-setup --json doctor
";

const EXPLAIN: &str = "\
usage: countersign-setup explain
Lists every error of the configuration, as FILE:LINE: MESSAGE. One error refuses
every login. Exit 1 if there is any.

Examples
  sudo countersign-setup explain
  sudo countersign-setup explain --config new.toml
";
