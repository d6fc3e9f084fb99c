//! The pages of `-h`, each ending in examples. They list what is there, and nothing else.
#![forbid(unsafe_code)]

pub(crate) const PAGE: &str = "\
usage: countersign-setup [--user NAME] [--json] COMMAND [OPTIONS]
The second factor of logins on this machine. Without a command: yours.
For you (root: for anyone, with --user NAME)
  enroll         set up an authenticator and recovery codes
  status         what is set up, what is left, what the policy says
  recovery       ten new recovery codes in place of all old ones
  verify         check a code as a login does, and use it up
  remove LABEL   remove one authenticator
  disable        remove the whole second factor
For root: people
  rescue NAME    one login for NAME, whose phone is at home
  reset NAME     remove the second factor of NAME
  unlock NAME    end waits and stops of NAME
  adopt NAME     NAME is the new name of an account that was renamed
  list           everyone enrolled; --missing: who has to, and is not
For root: this machine
  init           make the store and the configuration
  doctor         find what locks people out
  explain        what is wrong with the configuration
  --json         one JSON value on stdout, secrets included
  --config FILE  [default: /etc/countersign/config.toml]
  -h, -V         this page (COMMAND -h: its own), the version
Exit: 0 done, 1 the answer is no, 2 usage, 3 could not be done, 130 interrupted

Examples
  countersign-setup enroll --replace                        a new phone
  countersign-setup enroll --add --label tablet             a tablet too
  sudo countersign-setup enroll --user alice                root, for alice
  sudo countersign-setup reset alice --reason \"lost phone\"
";

/// A command's own page.
pub(crate) fn page(command: &str) -> Option<&'static str> {
    Some(match command {
        "enroll" => ENROLL,
        "status" => STATUS,
        "recovery" => RECOVERY,
        "verify" => VERIFY,
        "remove" => REMOVE,
        "disable" => DISABLE,
        "rescue" => RESCUE,
        "reset" => RESET,
        "unlock" => UNLOCK,
        "adopt" => ADOPT,
        "list" => LIST,
        "init" => INIT,
        "doctor" => DOCTOR,
        "explain" => EXPLAIN,
        _ => return None,
    })
}

const ENROLL: &str = "\
usage: countersign-setup enroll [--add | --replace] [OPTIONS]
Shows a QR code, asks for a code from the app, shows recovery codes once and
asks for one of them back. Only then is anything active.
  --add               another authenticator beside the others
  --replace           a new secret for the one named by --label, or the only one
  --label TEXT        name of the authenticator [default: phone, phone-2, ...]
  --issuer TEXT, --account TEXT   as the app shows it [default: host, user]
  --digits 6|8        [default: 6]
  --algorithm sha1|sha256         [default: sha1]
  --period 30|60      seconds a code lasts [default: 30]
  --codes N           recovery codes, 0 to 20 [default: 10]
  --codes-file FILE   write them there, mode 0600, instead of showing them
  --qr auto|utf8|ascii|none       [default: auto]
  --invert            for a light screen without colours
  --qr-file FILE      a picture too, .png or .svg, mode 0600
  --secret-stdin      use this secret: base32, 128 to 512 bits
  --no-confirm        root: ask nothing, active at once

Examples
  countersign-setup enroll --add --label tablet
  countersign-setup enroll --qr-file qr.png --codes-file codes.txt
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

const RECOVERY: &str = "\
usage: countersign-setup recovery [OPTIONS]
Shows new recovery codes once and asks for one of them back. Then all old ones
stop working, in one step; the authenticators stay.
  --codes N           how many, 1 to 20 [default: 10]
  --codes-file FILE   write them there, mode 0600, instead of showing them
  --no-confirm        root: ask nothing, active at once

Examples
  sudo countersign-setup recovery --user alice
  sudo countersign-setup recovery --user alice --codes-file codes.txt
";

const VERIFY: &str = "\
usage: countersign-setup verify
Asks for a code, or a recovery code, and checks it as a login does: a right one
is used up, a wrong one counts. Exit 1 if it is not accepted.

Examples
  sudo countersign-setup verify --user alice
";

const REMOVE: &str = "\
usage: countersign-setup remove LABEL
Removes the authenticator of that label; the others and the recovery codes
stay. The only one goes with: countersign-setup disable

Examples
  sudo countersign-setup remove tablet --user alice
";

const DISABLE: &str = "\
usage: countersign-setup disable
Removes the whole second factor, authenticators and recovery codes. Refused
where the policy requires one. For a new phone: countersign-setup enroll -h

Examples
  sudo countersign-setup disable --user alice
";

const RESCUE: &str = "\
usage: countersign-setup rescue NAME [--valid TIME]
Shows a rescue code: one more recovery code for NAME, with an end, for a phone
that is at home. It works once, for a login or a change of the second factor,
and ends the rescue code before it. Nothing else changes; NAME is told. Be sure
that it is NAME who asks.
  --valid TIME        1m to 24h, such as 90s, 30m, 2h [default: 30m]

Examples
  sudo countersign-setup rescue alice
  sudo countersign-setup rescue alice --valid 8h
";

const RESET: &str = "\
usage: countersign-setup reset NAME [--reason TEXT]
Removes the second factor of NAME, and its waits and stops. A second time there
is nothing to remove, which is no error. The log says who did it, and why.
  --reason TEXT       for the log

Examples
  sudo countersign-setup reset alice --reason \"lost phone\"
";

const UNLOCK: &str = "\
usage: countersign-setup unlock NAME
Ends the waits and stops of NAME; authenticators and recovery codes stay. Where
codes are refused because the clock was once ahead, asks about the clock. A
journal that is lost or damaged is made anew: all recovery codes are then used
up, and the answer says so.

Examples
  sudo countersign-setup unlock alice
";

const ADOPT: &str = "\
usage: countersign-setup adopt NAME
After an account was renamed to NAME its codes are refused. Shows the name that
they were made for, asks whether that is the same person, and then takes NAME.
For another person: countersign-setup reset NAME

Examples
  sudo countersign-setup adopt bob
";

const LIST: &str = "\
usage: countersign-setup list [--missing]
Lists everyone enrolled: since when, authenticators, recovery codes left, waits
and stops, last use.
  --missing           who is required to enroll and has not; exit 1 if any

Examples
  sudo countersign-setup list
  sudo countersign-setup list --missing
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
finding comes with what to change. Exit 1 if there is a problem.

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
