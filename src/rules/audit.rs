//! What the log says: an event, and the escaped lines it becomes.
//!
//! - One line an event. A refused answer that ends in PAM_AUTH_ERR has a line of pam_unix's words before it: filters
//!   of others are anchored at that line's end, so nothing MUST stand after its `user=`.
//! - Our line is `key=value`, or one JSON object of the same keys (`-` is null there). Keys keep their order; later
//!   versions add, and never rename.
//! - No text from outside makes a second line, a second key, or anything that a terminal acts on: it is bounded and
//!   escaped, and quoted where it is more than a plain word.
//! - No secret, no code and nothing that was typed as an answer has a place in an event.
#![forbid(unsafe_code)]

use super::config::Origin;
use super::date::{self, Date};
use super::fields::{Field, Format, Value, is_plain, optional, print};
use super::outside::{MOST, escaped_but};
use super::throttle::Lane;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Error,
    Notice,
    Info,
    Debug,
}

/// A line for the log, complete but for what syslog puts in front.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    pub level: Level,
    pub text: String,
}

/// Whose login, and through what. Bytes from outside, escaped when printed.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// `None` is printed `?`: an unknown user's name is not logged unless told otherwise, because a password typed in
    /// place of the name is common.
    pub user: Option<&'a [u8]>,
    pub uid: Option<u32>,
    pub service: &'a [u8],
    pub tty: &'a [u8],
    pub ruser: &'a [u8],
    pub rhost: &'a [u8],
    pub real_uid: u32,
    pub effective_uid: u32,
    pub logname: &'a [u8],
    pub lane: Lane,
    /// The kernel says that its clock is not synchronised: a refusal names it.
    pub unsynchronised: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    Totp,
    Recovery,
    Rescue,
}

/// Who holds a lock that was not had in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    pub pid: u32,
    /// The real uid of that process.
    pub uid: u32,
}

/// What happened at a login.
pub enum Event<'a> {
    Accepted {
        method: Method,
        authenticator: Option<&'a str>,
        streak: u16,
        codes_left: usize,
    },
    /// An answer was refused: pam_unix's line, then ours. `reason`: wrong, replay, clock_behind.
    Refused {
        reason: &'static str,
        method: Option<Method>,
        streak: u16,
        budget_left: u16,
    },
    /// Lock not had in time: pam_unix's line, then ours.
    Busy {
        holder: Option<Holder>,
    },
    /// An answer that is no guess was refused. malformed, typo: pam_unix's line, then ours.
    NotCounted {
        reason: &'static str,
        method: Option<Method>,
    },
    /// Asked and refused without a record. unenrolled, unknown_user: pam_unix's line, then ours.
    NotEnrolled {
        reason: &'static str,
    },
    /// waiting, budget: our line alone, so that nobody who waits is banned for it.
    Waiting {
        reason: &'static str,
        until: i64,
    },
    /// Our line alone; it names the user's unlocking.
    Stopped {
        since: i64,
    },
    /// Refused without an answer that could be judged: require_prior, not_root, unknown_user (not asked),
    /// conversation, user_changed. Our line alone.
    NotJudged {
        reason: &'static str,
        found: Option<&'a str>,
    },
    /// Policy: PAM_IGNORE. The date at which that ends, or else the line of the configuration that says so.
    Skipped {
        reason: &'static str,
        rule: &'a Origin,
        until: Option<Date>,
    },
    /// store_unavailable, damaged, other_name, newer_format, not_written, user_database, file_size_limit, memory ...
    Failed {
        reason: &'static str,
        path: Option<&'a str>,
        found: Option<&'a str>,
        errno: Option<i32>,
        next: Option<&'a str>,
    },
    /// A line of the configuration, or (without a line) a file or an argument of the stack. `problem` is our own
    /// sentence; it is printed only where no line number leads to it.
    Configuration {
        path: &'a str,
        line: Option<usize>,
        problem: &'a str,
    },
    /// Nothing is refused for it, but root wants to know: a bad slot beside a good one, no configuration file.
    Noted {
        level: Level,
        reason: &'static str,
        path: Option<&'a str>,
        found: Option<&'a str>,
    },
}

impl Event<'_> {
    /// The lines of this event, in their order.
    pub fn lines(&self, login: &Login<'_>, format: Format) -> Vec<Line> {
        let mut lines = Vec::with_capacity(2);
        if matches!(self, Self::Refused { .. } | Self::NotCounted { .. } | Self::Busy { .. } | Self::NotEnrolled { .. }) {
            lines.push(Line { level: Level::Notice, text: login.as_pam_unix() });
        }
        lines.push(Line { level: self.level(), text: print(&self.fields(login), format) });
        lines
    }

    fn level(&self) -> Level {
        match self {
            Self::Accepted { method: Method::Totp, .. } | Self::Waiting { .. } | Self::Skipped { .. } => Level::Info,
            Self::Accepted { method: Method::Recovery | Method::Rescue, .. }
            | Self::Refused { .. }
            | Self::NotCounted { .. }
            | Self::Busy { .. }
            | Self::NotEnrolled { .. }
            | Self::Stopped { .. }
            | Self::NotJudged { .. } => Level::Notice,
            Self::Failed { .. } | Self::Configuration { .. } => Level::Error,
            Self::Noted { level, .. } => *level,
        }
    }

    fn fields(&self, login: &Login<'_>) -> Vec<Field> {
        let opening = |result, reason: Option<&'static str>, method: Option<Method>| {
            let mut fields = vec![("result", Value::word(result))];
            fields.extend(reason.map(|reason| ("reason", Value::word(reason))));
            fields.push(("method", method.map_or(Value::None, |method| Value::word(method.name()))));
            fields.extend(login.fields());
            fields
        };
        let mut fields = match self {
            Self::Accepted { method, .. } => opening("accepted", None, Some(*method)),
            Self::Refused { reason, method, .. } | Self::NotCounted { reason, method } => opening("refused", Some(reason), *method),
            Self::Busy { .. } => opening("refused", Some("busy"), None),
            Self::NotEnrolled { reason } | Self::Waiting { reason, .. } | Self::NotJudged { reason, .. } | Self::Failed { reason, .. } => {
                opening("refused", Some(reason), None)
            }
            Self::Stopped { .. } => opening("refused", Some("stopped"), None),
            Self::Configuration { .. } => opening("refused", Some("configuration"), None),
            Self::Skipped { reason, .. } => opening("skipped", Some(reason), None),
            Self::Noted { reason, .. } => opening("noted", Some(reason), None),
        };
        fields.extend(self.particulars(login));
        if login.unsynchronised && !matches!(self, Self::Accepted { .. } | Self::Skipped { .. } | Self::Noted { .. }) {
            fields.push(("clock", Value::word("unsynchronised")));
        }
        fields
    }

    /// What stands behind the login's own keys.
    fn particulars(&self, login: &Login<'_>) -> Vec<Field> {
        let lane = ("lane", Value::word(login.lane.name()));
        let counts = |streak, budget_left| vec![lane.clone(), ("streak", streak), ("budget_left", budget_left)];
        match self {
            Self::Accepted { authenticator, streak, codes_left, .. } => vec![
                ("authenticator", Value::quoted(*authenticator)),
                ("streak", Value::number(*streak)),
                ("codes_left", Value::number(*codes_left)),
            ],
            Self::Refused { streak, budget_left, .. } => counts(Value::number(*streak), Value::number(*budget_left)),
            Self::NotCounted { .. } | Self::NotEnrolled { .. } => counts(Value::None, Value::None),
            Self::Busy { holder } => {
                let mut fields = counts(Value::None, Value::None);
                fields.push(("holder", holder.map_or(Value::None, |holder| Value::number(holder.pid))));
                fields.push(("holder_uid", holder.map_or(Value::None, |holder| Value::number(holder.uid))));
                fields
            }
            Self::Waiting { until, .. } => vec![lane, ("until", Value::Word(date::rfc3339(*until)))],
            Self::Stopped { since } => {
                let user = login.user.map_or_else(|| "NAME".to_owned(), |user| escaped_but(user, MOST, is_plain));
                let next = format!("countersign-setup unlock {user}");
                vec![lane, ("since", Value::Word(date::rfc3339(*since))), ("next", Value::quoted(Some(&next)))]
            }
            Self::NotJudged { found, .. } => optional([("found", *found)]),
            Self::Skipped { rule, until, .. } => vec![match until {
                Some(date) => ("until", Value::Word(date.to_string())),
                None => ("rule", Value::quoted(Some(&rule.to_string()))),
            }],
            Self::Failed { path, found, errno, next, .. } => {
                let mut fields = optional([("path", *path), ("found", *found)]);
                fields.extend(errno.map(|errno| ("errno", Value::number(errno))));
                fields.extend(optional([("next", *next)]));
                fields
            }
            Self::Configuration { path, line, problem } => {
                // Our sentences quote names; quotes within quotes would come out as \x22.
                let problem = problem.replace('"', "'");
                let mut fields = optional([("path", Some(path))]);
                fields.push(match line {
                    Some(line) => ("line", Value::number(*line)),
                    None => ("found", Value::quoted(Some(&problem))),
                });
                fields.extend(optional([("next", Some("countersign-setup explain"))]));
                fields
            }
            Self::Noted { path, found, .. } => optional([("path", *path), ("found", *found)]),
        }
    }
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Recovery => "recovery",
            Self::Rescue => "rescue",
        }
    }
}

impl Login<'_> {
    fn fields(&self) -> [Field; 5] {
        [
            ("user", self.user.map_or_else(|| Value::word("?"), Value::outside)),
            ("uid", self.uid.map_or(Value::None, Value::number)),
            ("service", Value::outside(self.service)),
            ("tty", Value::outside(self.tty)),
            ("rhost", Value::outside(self.rhost)),
        ]
    }

    /// pam_unix's words. A space or an equals sign within a value would end what the filters of others take for it.
    fn as_pam_unix(&self) -> String {
        let plain = |text| escaped_but(text, MOST, is_plain);
        format!(
            "authentication failure; logname={} uid={} euid={} tty={} ruser={} rhost={}  user={}",
            plain(self.logname),
            self.real_uid,
            self.effective_uid,
            plain(self.tty),
            plain(self.ruser),
            plain(self.rhost),
            self.user.map_or_else(|| "?".to_owned(), plain),
        )
    }
}

/// A change of a second factor, made with the tool. Printed by the tool's own syslog.
pub struct Change<'a> {
    /// enroll, reset ...
    pub action: &'static str,
    pub user: &'a [u8],
    pub uid: u32,
    /// The canonical name of whoever did it.
    pub by: &'a [u8],
    /// When root did it: on whose behalf.
    pub behalf: Option<Behalf<'a>>,
    pub authenticator: Option<&'a str>,
    pub codes_left: Option<usize>,
    /// `--reason`.
    pub why: Option<&'a str>,
    /// What failed on the way: then it may have been done.
    pub errno: Option<i32>,
}

/// Who stands behind root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Behalf<'a> {
    /// The kernel's login uid, which sudo and su leave as it is.
    pub loginuid: Option<u32>,
    pub sudo_user: Option<&'a [u8]>,
}

impl Change<'_> {
    pub fn line(&self, format: Format) -> Line {
        let mut fields = vec![
            ("result", Value::word("changed")),
            ("action", Value::word(self.action)),
            ("user", Value::outside(self.user)),
            ("uid", Value::number(self.uid)),
            ("by", Value::outside(self.by)),
        ];
        if let Some(behalf) = self.behalf {
            fields.push(("loginuid", behalf.loginuid.map_or(Value::None, Value::number)));
            fields.push(("sudo_user", behalf.sudo_user.map_or(Value::None, Value::quoted_outside)));
        }
        fields.extend(optional([("authenticator", self.authenticator)]));
        fields.extend(self.codes_left.map(|left| ("codes_left", Value::number(left))));
        fields.extend(optional([("why", self.why)]));
        fields.extend(self.errno.map(|errno| ("errno", Value::Negative(i64::from(errno)))));
        Line { level: Level::Notice, text: print(&fields, format) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: Option<&str> = Some("countersign-setup doctor");

    fn alice() -> Login<'static> {
        Login {
            user: Some(b"alice"),
            uid: Some(1000),
            service: b"sshd",
            tty: b"ssh",
            ruser: b"",
            rhost: b"192.0.2.7",
            real_uid: 0,
            effective_uid: 0,
            logname: b"",
            lane: Lane::Remote,
            unsynchronised: false,
        }
    }

    fn text(event: &Event<'_>, login: &Login<'_>) -> Vec<(Level, String)> {
        event.lines(login, Format::Text).into_iter().map(|line| (line.level, line.text)).collect()
    }

    const OF_ALICE: &str = "user=alice uid=1000 service=sshd tty=ssh rhost=192.0.2.7";
    const AS_PAM_UNIX: &str = "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=alice";

    #[test]
    fn l_01_each_outcome_has_one_stable_line() {
        let stopped = r#"lane=remote since=2026-11-23T23:58:02Z next="countersign-setup unlock alice""#;
        let rule = Origin::File { path: "/etc/countersign/config.toml".to_owned(), line: 10 };
        for (event, level, line) in [
            (
                Event::Accepted { method: Method::Totp, authenticator: Some("phone"), streak: 0, codes_left: 7 },
                Level::Info,
                format!(r#"result=accepted method=totp {OF_ALICE} authenticator="phone" streak=0 codes_left=7"#),
            ),
            (
                Event::Accepted { method: Method::Recovery, authenticator: None, streak: 0, codes_left: 2 },
                Level::Notice,
                format!("result=accepted method=recovery {OF_ALICE} authenticator=- streak=0 codes_left=2"),
            ),
            (
                Event::Waiting { reason: "waiting", until: 1_795_511_880 },
                Level::Info,
                format!("result=refused reason=waiting method=- {OF_ALICE} lane=remote until=2026-11-24T09:18:00Z"),
            ),
            (
                Event::Stopped { since: 1_795_478_282 },
                Level::Notice,
                format!("result=refused reason=stopped method=- {OF_ALICE} {stopped}"),
            ),
            (
                Event::NotJudged { reason: "require_prior", found: None },
                Level::Notice,
                format!("result=refused reason=require_prior method=- {OF_ALICE}"),
            ),
            (
                Event::Skipped { reason: "exempt_users", rule: &rule, until: None },
                Level::Info,
                format!(r#"result=skipped reason=exempt_users method=- {OF_ALICE} rule="config.toml:10""#),
            ),
            (
                Event::Skipped { reason: "unenrolled", rule: &rule, until: Date::new(2026, 12, 1) },
                Level::Info,
                format!("result=skipped reason=unenrolled method=- {OF_ALICE} until=2026-12-01"),
            ),
            (
                Event::Failed {
                    reason: "store_unavailable",
                    path: Some("/var/lib/countersign"),
                    found: Some("no marker"),
                    errno: None,
                    next: NEXT,
                },
                Level::Error,
                format!(
                    r#"result=refused reason=store_unavailable method=- {OF_ALICE} path="/var/lib/countersign" found="no marker" next="countersign-setup doctor""#
                ),
            ),
            (
                Event::Failed { reason: "not_written", path: None, found: None, errno: Some(28), next: NEXT },
                Level::Error,
                format!(r#"result=refused reason=not_written method=- {OF_ALICE} errno=28 next="countersign-setup doctor""#),
            ),
            (
                Event::Configuration { path: "/etc/countersign/config.toml", line: Some(12), problem: "\"window\" is a whole number" },
                Level::Error,
                format!(
                    r#"result=refused reason=configuration method=- {OF_ALICE} path="/etc/countersign/config.toml" line=12 next="countersign-setup explain""#
                ),
            ),
            (
                Event::Configuration { path: "argument 2", line: None, problem: "\"try\" is no argument" },
                Level::Error,
                format!(
                    r#"result=refused reason=configuration method=- {OF_ALICE} path="argument 2" found="'try' is no argument" next="countersign-setup explain""#
                ),
            ),
            (
                Event::Noted { level: Level::Notice, reason: "slot_bad", path: Some("/var/lib/countersign/1000.state"), found: None },
                Level::Notice,
                format!(r#"result=noted reason=slot_bad method=- {OF_ALICE} path="/var/lib/countersign/1000.state""#),
            ),
        ] {
            assert_eq!(text(&event, &alice()), [(level, line)]);
        }
    }

    #[test]
    fn l_01_a_refused_answer_is_pam_unix_s_line_and_then_ours() {
        let pam_unix = (Level::Notice, AS_PAM_UNIX.to_owned());
        for (event, rest) in [
            (Event::Refused { reason: "wrong", method: Some(Method::Totp), streak: 4, budget_left: 56 }, "streak=4 budget_left=56"),
            (Event::NotCounted { reason: "typo", method: Some(Method::Recovery) }, "streak=- budget_left=-"),
            (Event::NotEnrolled { reason: "unenrolled" }, "streak=- budget_left=-"),
            (Event::Busy { holder: Some(Holder { pid: 4711, uid: 1001 }) }, "streak=- budget_left=- holder=4711 holder_uid=1001"),
            (Event::Busy { holder: None }, "streak=- budget_left=- holder=- holder_uid=-"),
        ] {
            let (reason, method) = match &event {
                Event::Refused { .. } => ("wrong", "totp"),
                Event::NotCounted { .. } => ("typo", "recovery"),
                Event::NotEnrolled { .. } => ("unenrolled", "-"),
                _ => ("busy", "-"),
            };
            let ours = format!("result=refused reason={reason} method={method} {OF_ALICE} lane=remote {rest}");
            assert_eq!(text(&event, &alice()), [pam_unix.clone(), (Level::Notice, ours.clone())]);
            let unsynchronised = Login { unsynchronised: true, ..alice() };
            assert_eq!(text(&event, &unsynchronised)[1].1, format!("{ours} clock=unsynchronised"));
        }
    }

    #[test]
    fn an_unknown_user_s_name_is_not_logged() {
        let nobody = Login { user: None, uid: None, rhost: b"", ..alice() };
        assert_eq!(
            text(&Event::NotEnrolled { reason: "unknown_user" }, &nobody).into_iter().map(|(_, line)| line).collect::<Vec<_>>(),
            [
                "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=  user=?",
                "result=refused reason=unknown_user method=- user=? uid=- service=sshd tty=ssh rhost=- lane=remote streak=- budget_left=-",
            ]
        );
    }

    #[test]
    fn the_json_line_has_the_same_keys() {
        let event = Event::Accepted { method: Method::Totp, authenticator: Some("phone"), streak: 0, codes_left: 7 };
        assert_eq!(
            event.lines(&alice(), Format::Json)[0].text,
            r#"{"result":"accepted","method":"totp","user":"alice","uid":1000,"service":"sshd","tty":"ssh","rhost":"192.0.2.7","authenticator":"phone","streak":0,"codes_left":7}"#
        );
        let lines = Event::NotEnrolled { reason: "unknown_user" }
            .lines(&Login { user: Some("é\u{1f600}".as_bytes()), uid: None, ..alice() }, Format::Json);
        assert!(lines[0].text.starts_with("authentication failure; "));
        assert!(lines[1].text.contains(r#""method":null,"user":"\u00e9\ud83d\ude00","uid":null"#), "{}", lines[1].text);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&lines[1].text).unwrap()["user"], "é\u{1f600}");
    }

    #[test]
    fn the_tool_s_changes_say_who_and_why() {
        let enroll = Change {
            action: "enroll",
            user: b"alice",
            uid: 1000,
            by: b"alice",
            behalf: None,
            authenticator: Some("phone"),
            codes_left: Some(10),
            why: None,
            errno: None,
        };
        assert_eq!(
            enroll.line(Format::Text),
            Line {
                level: Level::Notice,
                text: r#"result=changed action=enroll user=alice uid=1000 by=alice authenticator="phone" codes_left=10"#.to_owned()
            }
        );
        let reset = Change {
            action: "reset",
            by: b"root",
            behalf: Some(Behalf { loginuid: Some(1001), sudo_user: Some(b"bob") }),
            authenticator: None,
            codes_left: None,
            why: Some("lost phone"),
            ..enroll
        };
        assert_eq!(
            reset.line(Format::Text).text,
            r#"result=changed action=reset user=alice uid=1000 by=root loginuid=1001 sudo_user="bob" why="lost phone""#
        );
        let unset = Change { behalf: Some(Behalf { loginuid: None, sudo_user: None }), why: Some("a\nresult=accepted"), ..reset };
        assert_eq!(
            unset.line(Format::Text).text,
            r#"result=changed action=reset user=alice uid=1000 by=root loginuid=- sudo_user=- why="a\x0aresult\x3daccepted""#
        );
    }

    #[test]
    fn l_04_text_from_outside_makes_no_line_and_no_key_of_its_own() {
        let hostile = b"x\n\x1b[2J%n \"result=accepted\\";
        let login =
            Login { user: Some(hostile), service: b"-", tty: b"?", rhost: &[b'h'; 65_536], ruser: hostile, logname: b"a b", ..alice() };
        let lines = text(&Event::NotEnrolled { reason: "unenrolled" }, &login);
        let plain = r"x\x0a\x1b[2J%n\x20\x22result\x3daccepted\x5c";
        let host = "h".repeat(64);
        assert_eq!(
            lines[0].1,
            format!(r"authentication failure; logname=a\x20b uid=0 euid=0 tty=? ruser={plain} rhost={host}  user={plain}")
        );
        assert!(
            lines[1].1.contains(r#" user="x\x0a\x1b[2J%n \x22result\x3daccepted\x5c" uid=1000 service="-" tty="?" rhost=hhh"#),
            "{}",
            lines[1].1
        );
        assert!(lines[1].1.contains(&format!(" rhost={host} lane=remote ")));
    }

    proptest::proptest! {
        #[test]
        fn l_04_no_bytes_break_a_line(user: Vec<u8>, other: Vec<u8>, words: String, at: i64) {
            let login = Login { user: Some(&user), service: &other, tty: &user, rhost: &other, ruser: &other, logname: &user, ..alice() };
            let origin = Origin::File { path: words.clone(), line: 3 };
            for event in [
                Event::NotEnrolled { reason: "unenrolled" },
                Event::Stopped { since: at },
                Event::Waiting { reason: "waiting", until: at },
                Event::Skipped { reason: "service", rule: &origin, until: None },
                Event::Failed { reason: "damaged", path: Some(&words), found: Some(&words), errno: Some(-1), next: Some(&words) },
            ] {
                for line in event.lines(&login, Format::Text) {
                    proptest::prop_assert!(line.text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                    // Quotes come in pairs, and outside of them each word is one key with one value.
                    let outside: String = line.text.split('"').step_by(2).collect();
                    proptest::prop_assert_eq!(line.text.matches('"').count() % 2, 0);
                    if line.text.starts_with("result=") {
                        proptest::prop_assert!(outside.split(' ').all(|word| word.matches('=').count() == 1), "{}", line.text);
                    }
                }
                let json = event.lines(&login, Format::Json).pop().unwrap().text;
                proptest::prop_assert!(json.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                proptest::prop_assert!(serde_json::from_str::<serde_json::Value>(&json).unwrap().is_object());
            }
        }
    }
}
