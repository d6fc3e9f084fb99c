//! Whether a login is asked for a code: facts -> decision. First match:
//!
//! 1. `require_prior` is not met: refused, and nothing is asked. Before all that can end in PAM_IGNORE.
//! 2. `skip = true` for this service: not asked, before the user database and the store are touched.
//! 3. `exempt_users`: not asked, before the store is touched. By the canonical name of the account, never by what was
//!    typed; a name that no account has is never exempt.
//! 4. Whoever has a record is asked.
//! 5. Others as `unenrolled` says; an unknown user as someone who is not enrolled, and never let past.
#![forbid(unsafe_code)]

use std::fmt;

use super::config::{Config, Origin, Prior, Unenrolled};
use super::date::Date;
use super::throttle::Lane;

/// All that a decision hangs on, once the record has been looked for.
pub struct Facts<'a> {
    pub config: &'a Config,
    /// The canonical name; `None` is a user that the user database doesn't know.
    pub account: Option<&'a str>,
    pub enrolled: bool,
    /// Unix seconds.
    pub now: i64,
    /// When the configuration file was last changed, if there is one.
    pub config_changed: Option<i64>,
}

#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Ask and judge.
    Ask,
    /// Ask, so that nobody learns who is enrolled or known, and refuse.
    AskAndRefuse {
        reason: &'static str,
        rule: Origin,
    },
    Skip(Skip),
    /// An unknown user where no one without a record is asked: a question would tell who is unknown.
    RefuseUnasked {
        reason: &'static str,
    },
}

/// Not asked: PAM_IGNORE.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skip {
    /// As the log names it: service, exempt_users, unenrolled.
    pub reason: &'static str,
    pub rule: Origin,
    /// When logins are refused from then on: the person is told.
    pub end: Option<End>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    pub date: Date,
    /// Seconds until it.
    pub left: i64,
}

/// Step 1. `service` is PAM's service name, `auth_info` the variable SSH_AUTH_INFO_0 of PAM's own environment.
pub fn prior_met(config: &Config, service: &[u8], auth_info: Option<&[u8]>) -> Result<(), NoPrior> {
    match config.policy.require_prior.value {
        Prior::Nothing => Ok(()),
        // The variable means something where sshd set it. Only the service name tells the host, and sshd's is fixed
        // at "sshd" unless its own configuration says otherwise: refusing that one is the safe side.
        Prior::PublicKey if service != b"sshd" => Err(NoPrior::NotSshd),
        // sshd writes a line for each method that has succeeded, the method's name first (sshd_config, ExposeAuthInfo).
        Prior::PublicKey => match auth_info.unwrap_or_default().split(|byte| *byte == b'\n').any(names_a_key) {
            true => Ok(()),
            false => Err(NoPrior::NoKey),
        },
    }
}

fn names_a_key(line: &[u8]) -> bool {
    line.strip_prefix(b"publickey ").is_some_and(|key| key.first().is_some_and(u8::is_ascii_graphic))
}

/// Why what must come before the module has not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoPrior {
    NotSshd,
    NoKey,
}

impl fmt::Display for NoPrior {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotSshd => "the service is not sshd",
            Self::NoKey => "no public key before this",
        })
    }
}

/// Step 2.
pub fn service_skipped(config: &Config) -> Option<Skip> {
    config.skip.clone().map(|rule| Skip { reason: "service", rule, end: None })
}

/// Step 3. `name` is the account's canonical name.
pub fn user_exempt(config: &Config, name: &str) -> Option<Skip> {
    let exempt = &config.policy.exempt_users;
    let is_exempt = exempt.value.iter().any(|exempt| exempt == name);
    is_exempt.then(|| Skip { reason: "exempt_users", rule: exempt.origin.clone(), end: None })
}

/// Steps 2 to 5.
pub fn decide(facts: &Facts<'_>) -> Decision {
    let config = facts.config;
    if let Some(skip) = service_skipped(config).or_else(|| facts.account.and_then(|name| user_exempt(config, name))) {
        return Decision::Skip(skip);
    }
    if facts.account.is_some() && facts.enrolled {
        return Decision::Ask;
    }
    let reason = if facts.account.is_some() { "unenrolled" } else { "unknown_user" };
    let rule = config.policy.unenrolled.origin.clone();
    let skipped = |end| match facts.account {
        Some(_) => Decision::Skip(Skip { reason, rule: rule.clone(), end }),
        None => Decision::RefuseUnasked { reason },
    };
    match config.policy.unenrolled.value {
        Unenrolled::Skip => skipped(None),
        Unenrolled::Deny => Decision::AskAndRefuse { reason, rule },
        Unenrolled::DenyFrom(date) => match date.start().saturating_sub(later_of(facts.now, facts.config_changed)) {
            left if left > 0 => skipped(Some(End { date, left })),
            _ => Decision::AskAndRefuse { reason, rule },
        },
    }
}

/// The clock, or the file's own time where that is later: a clock set back does not bring back a time when nobody was
/// asked. A file from more than a day ahead tells of a clock once wrong, and nothing of now.
pub fn later_of(now: i64, config_changed: Option<i64>) -> i64 {
    const DAY: i64 = 86_400;
    config_changed.filter(|changed| changed.saturating_sub(now) <= DAY).map_or(now, |changed| changed.max(now))
}

/// Which lane an attempt counts in when the host has effective uid 0.
pub fn lane(config: &Config, rhost: &[u8]) -> Lane {
    config.lane.unwrap_or(if rhost.is_empty() { Lane::Local } else { Lane::Remote })
}

#[cfg(test)]
mod tests {
    use super::super::config::Arguments;
    use super::*;

    fn config(text: &str, service: &str) -> Config {
        Config::read("/etc/countersign/config.toml", Some(text.as_bytes()), &Arguments::default(), service.as_bytes()).unwrap()
    }

    fn decided(text: &str, service: &str, account: Option<&str>, enrolled: bool) -> Decision {
        decide(&Facts { config: &config(text, service), account, enrolled, now: 0, config_changed: None })
    }

    fn line(line: usize) -> Origin {
        Origin::File { path: "/etc/countersign/config.toml".to_owned(), line }
    }

    fn skip(reason: &'static str, rule: Origin) -> Decision {
        Decision::Skip(Skip { reason, rule, end: None })
    }

    const SOME: Option<&str> = Some("alice");

    #[test]
    fn who_has_a_record_is_asked_unless_skipped_or_exempt() {
        let text =
            "policy.exempt_users = ['root']\npolicy.unenrolled = 'skip'\n[service.su]\nskip = true\n[service.sudo]\nexempt_users = []";
        for (service, account, enrolled, expected) in [
            ("sshd", SOME, true, Decision::Ask),
            ("sshd", Some("root"), true, skip("exempt_users", line(1))),
            ("sshd", Some("root"), false, skip("exempt_users", line(1))),
            ("sshd", Some("ROOT"), true, Decision::Ask),
            ("sudo", Some("root"), true, Decision::Ask),
            ("su", SOME, true, skip("service", line(4))),
            ("su", None, false, skip("service", line(4))),
            ("sshd", SOME, false, skip("unenrolled", line(2))),
            ("sshd", None, false, Decision::RefuseUnasked { reason: "unknown_user" }),
            ("sshd", None, true, Decision::RefuseUnasked { reason: "unknown_user" }),
        ] {
            assert_eq!(decided(text, service, account, enrolled), expected, "{service} {account:?} {enrolled}");
        }
    }

    #[test]
    fn under_deny_who_has_no_record_and_who_is_unknown_is_asked_and_refused() {
        let refused = |reason, rule| Decision::AskAndRefuse { reason, rule };
        assert_eq!(decided("", "sshd", SOME, false), refused("unenrolled", Origin::BuiltIn));
        assert_eq!(decided("policy.unenrolled = 'deny'", "sshd", None, false), refused("unknown_user", line(1)));
        assert_eq!(decided("", "sshd", SOME, true), Decision::Ask);
    }

    #[test]
    fn a_date_skips_until_its_first_second() {
        let config = config("policy.unenrolled = 2026-12-01", "sshd");
        let start = 1_796_083_200;
        let date = Date::new(2026, 12, 1).unwrap();
        let on = |now, config_changed, account| decide(&Facts { config: &config, account, enrolled: false, now, config_changed });
        let until = |left| Decision::Skip(Skip { reason: "unenrolled", rule: line(1), end: Some(End { date, left }) });
        let refused = Decision::AskAndRefuse { reason: "unenrolled", rule: line(1) };
        assert_eq!(on(start - 1, None, SOME), until(1));
        assert_eq!(on(start - 7 * 86_400, Some(0), SOME), until(7 * 86_400));
        assert_eq!(on(start, None, SOME), refused);
        assert_eq!(on(i64::MAX, None, SOME), refused);
        assert_eq!(on(start - 1, None, None), Decision::RefuseUnasked { reason: "unknown_user" });
        assert_eq!(on(start, None, None), Decision::AskAndRefuse { reason: "unknown_user", rule: line(1) });
        // A clock that was set back, and a file from the future.
        assert_eq!(on(start - 100, Some(start), SOME), refused);
        assert_eq!(on(start - 86_400, Some(start), SOME), refused);
        assert_eq!(on(start - 86_401, Some(start), SOME), until(86_401));
        assert!(matches!(on(i64::MIN, Some(i64::MAX), SOME), Decision::Skip(_)));
    }

    #[test]
    fn require_prior_wants_a_key_that_sshd_has_seen() {
        let key = config("policy.require_prior = 'publickey'", "sshd");
        let seen = b"publickey ssh-ed25519 AAAAC3Nz\n".as_slice();
        for (service, auth_info, expected) in [
            (b"sshd".as_slice(), Some(seen), Ok(())),
            (b"sshd", Some(b"keyboard-interactive\npublickey ssh-rsa AAAA"), Ok(())),
            (b"sshd", None, Err(NoPrior::NoKey)),
            (b"sshd", Some(b""), Err(NoPrior::NoKey)),
            (b"sshd", Some(b"publickey "), Err(NoPrior::NoKey)),
            (b"sshd", Some(b"publickey"), Err(NoPrior::NoKey)),
            (b"sshd", Some(b"publickey \nx"), Err(NoPrior::NoKey)),
            (b"sshd", Some(b"password\n"), Err(NoPrior::NoKey)),
            (b"sshd", Some(b"hostbased publickey ssh-rsa AAAA"), Err(NoPrior::NoKey)),
            (b"sshd", Some(b" publickey ssh-rsa AAAA"), Err(NoPrior::NoKey)),
            (b"sshd", Some(b"publickeys ssh-rsa AAAA"), Err(NoPrior::NoKey)),
            (b"sudo", Some(seen), Err(NoPrior::NotSshd)),
            (b"SSHD", Some(seen), Err(NoPrior::NotSshd)),
            (b"", Some(seen), Err(NoPrior::NotSshd)),
        ] {
            assert_eq!(prior_met(&key, service, auth_info), expected, "{service:?} {auth_info:?}");
        }
        assert_eq!(prior_met(&config("", "sudo"), b"sudo", None), Ok(()));
    }

    #[test]
    fn a_host_name_or_the_section_makes_an_attempt_remote() {
        let plain = config("", "sshd");
        assert_eq!((lane(&plain, b""), lane(&plain, b"localhost")), (Lane::Local, Lane::Remote));
        assert_eq!(lane(&config("[service.ftp]\nlane = 'remote'", "ftp"), b""), Lane::Remote);
    }
}
