//! The command line: options as written, and the command that they mean.
#![forbid(unsafe_code)]

#[cfg(test)]
mod consistency;
mod table;
mod values;
mod written;

use std::path::PathBuf;

use countersign::flows::refusal::{Kind, Refusal};
use countersign::rules::outside::escaped;
use countersign::rules::totp::Algorithm;

pub(crate) use self::written::Written;

use self::table::{Operand, Verb};
use crate::help;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// No command: the state of one's own second factor.
    Mine,
    Init {
        force: bool,
    },
    Enroll(Enroll),
    Status,
    Recovery(Recovery),
    Verify,
    Remove {
        label: String,
    },
    Disable,
    Unlock {
        name: String,
    },
    Adopt {
        name: String,
    },
    /// `valid` in seconds, 60 to 86400.
    Rescue {
        name: String,
        valid: i64,
    },
    Reset {
        name: String,
        reason: Option<String>,
    },
    List {
        missing: bool,
    },
    Explain,
    Doctor,
}

/// What is not given is the configuration's to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Enroll {
    pub(crate) mode: Mode,
    pub(crate) label: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) account: Option<String>,
    /// 6 or 8.
    pub(crate) digits: Option<u8>,
    pub(crate) algorithm: Option<Algorithm>,
    /// 30 or 60.
    pub(crate) period: Option<u8>,
    /// 0 to 20.
    pub(crate) codes: Option<u8>,
    pub(crate) secret_stdin: bool,
    /// Whether a code from the app is asked for.
    pub(crate) confirm: bool,
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    New,
    Add,
    Replace,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// 1 to 20.
    pub(crate) codes: Option<u8>,
    /// Whether one of the codes is asked back.
    pub(crate) confirm: bool,
    pub(crate) output: Output,
}

/// Where the QR code and the recovery codes go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) qr: Qr,
    /// For a light screen, where there are no colours.
    pub(crate) invert: bool,
    /// Ends in `.png` or `.svg`.
    pub(crate) qr_file: Option<PathBuf>,
    pub(crate) codes_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Qr {
    #[default]
    Auto,
    Utf8,
    Ascii,
    None,
}

impl Command {
    pub(crate) fn meant(written: &Written) -> Result<Self, Refusal> {
        Self::read(written).map_err(|fact| {
            let command = if help::page(written.command()).is_some() { format!("{} ", written.command()) } else { String::new() };
            Refusal::new(Kind::Usage, fact, format!("see: countersign-setup {command}-h"))
        })
    }

    fn read(written: &Written) -> Result<Self, String> {
        if let Some(wrong) = &written.wrong {
            return Err(wrong.clone());
        }
        let verb = verb(written)?;
        check_flags(written, verb)?;
        let Some(verb) = verb else { return Ok(Self::Mine) };
        let operand = operand(written, verb)?;
        Ok(match verb.name {
            "enroll" => Self::Enroll(Enroll::read(written)?),
            "status" => Self::Status,
            "recovery" => Self::Recovery(Recovery::read(written)?),
            "verify" => Self::Verify,
            "remove" => Self::Remove { label: values::label(&operand)? },
            "disable" => Self::Disable,
            "rescue" => Self::Rescue { name: operand, valid: values::valid(written)? },
            "reset" => Self::Reset { name: operand, reason: written.value("--reason").map(str::to_owned) },
            "unlock" => Self::Unlock { name: operand },
            "adopt" => Self::Adopt { name: operand },
            "list" => Self::List { missing: written.has("--missing") },
            "init" => Self::Init { force: written.has("--force") },
            "doctor" => Self::Doctor,
            "explain" => Self::Explain,
            _ => return Err(unknown(verb.name)),
        })
    }

    /// What only root may ask for, whomever it is about.
    pub(crate) fn is_roots(&self) -> bool {
        match self {
            Self::Init { .. }
            | Self::Unlock { .. }
            | Self::Adopt { .. }
            | Self::Rescue { .. }
            | Self::Reset { .. }
            | Self::List { .. }
            | Self::Explain
            | Self::Doctor => true,
            Self::Mine | Self::Enroll(_) | Self::Status | Self::Recovery(_) | Self::Verify | Self::Remove { .. } | Self::Disable => false,
        }
    }

    /// The user or the authenticator that stands behind the command.
    pub(crate) fn operand(&self) -> Option<&str> {
        match self {
            Self::Unlock { name } | Self::Adopt { name } | Self::Rescue { name, .. } | Self::Reset { name, .. } => Some(name),
            Self::Remove { label } => Some(label),
            Self::Mine
            | Self::Init { .. }
            | Self::Enroll(_)
            | Self::Status
            | Self::Recovery(_)
            | Self::Verify
            | Self::Disable
            | Self::List { .. }
            | Self::Explain
            | Self::Doctor => None,
        }
    }
}

fn verb(written: &Written) -> Result<Option<&'static Verb>, String> {
    let Some(word) = written.words.first() else { return Ok(None) };
    table::verb_named(word).map(Some).ok_or_else(|| unknown(word))
}

fn unknown(word: &str) -> String {
    format!("unknown command \"{}\"", escaped(word.as_bytes(), 64))
}

fn check_flags(written: &Written, verb: Option<&Verb>) -> Result<(), String> {
    let name = verb.map_or("countersign-setup", |verb| verb.name);
    match written.flags().find(|flag| !flag.is_of(verb)) {
        Some(flag) => Err(format!("{name} has no option {}", flag.name)),
        None => Ok(()),
    }
}

/// What stands behind the command, empty where nothing does. `--user NAME` is as good as NAME.
fn operand(written: &Written, verb: &Verb) -> Result<String, String> {
    let name = verb.name;
    match (verb.operand, written.operands(), &written.user) {
        (Operand::None, [], _) => Ok(String::new()),
        (Operand::None, [more, ..], _) => Err(format!("{name} takes no \"{}\"", escaped(more.as_bytes(), 64))),
        (Operand::Label, [label], _) => Ok(label.clone()),
        (Operand::Label, _, _) => Err(format!("{name} takes one LABEL")),
        (Operand::Name, [user], None) | (Operand::Name, [], Some(user)) if !user.is_empty() => Ok(user.clone()),
        (Operand::Name, [one], Some(user)) if one == user => Ok(user.clone()),
        (Operand::Name, _, _) => Err(format!("{name} takes one NAME")),
    }
}

impl Enroll {
    fn read(written: &Written) -> Result<Self, String> {
        let enroll = Self {
            mode: values::mode(written)?,
            label: written.value("--label").map(values::label).transpose()?,
            issuer: values::entry(written, "--issuer")?,
            account: values::entry(written, "--account")?,
            digits: values::digits(written)?,
            algorithm: values::algorithm(written)?,
            period: values::period(written)?,
            codes: values::codes(written, 0)?,
            secret_stdin: written.has("--secret-stdin"),
            confirm: !written.has("--no-confirm"),
            output: values::output(written)?,
        };
        enroll.fits_together(written)
    }

    fn fits_together(self, written: &Written) -> Result<Self, String> {
        let option = match self.mode {
            Mode::New if self.codes == Some(0) && self.output.codes_file.is_some() => {
                return Err("--codes-file can't stand with --codes 0".to_owned());
            }
            Mode::New => return Ok(self),
            Mode::Add => "--add",
            Mode::Replace => "--replace",
        };
        match written.flags().find(|flag| ["--codes", "--codes-file"].contains(&flag.name)) {
            Some(flag) => Err(format!("{} can't stand with {option}: recovery codes stay", flag.name)),
            None => Ok(self),
        }
    }
}

impl Recovery {
    fn read(written: &Written) -> Result<Self, String> {
        Ok(Self { codes: values::codes(written, 1)?, confirm: !written.has("--no-confirm"), output: values::output(written)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant_of(arguments: &[&str]) -> Result<(Written, Command), String> {
        let written = Written::parse(lexopt::Parser::from_args(arguments));
        let command = Command::meant(&written).map_err(|refusal| refusal.fact)?;
        Ok((written, command))
    }

    fn meant(line: &str) -> Result<(Written, Command), String> {
        meant_of(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn wrong(line: &str) -> String {
        meant(line).map(|(_, command)| command).unwrap_err()
    }

    fn plain() -> Enroll {
        Enroll {
            mode: Mode::New,
            label: None,
            issuer: None,
            account: None,
            digits: None,
            algorithm: None,
            period: None,
            codes: None,
            secret_stdin: false,
            confirm: true,
            output: Output::default(),
        }
    }

    #[test]
    fn common_options_are_taken_on_both_sides_of_the_command() {
        for line in ["--user bob --json --config /c enroll --no-confirm", "enroll --user=bob --json --no-confirm --config=/c"] {
            let (written, command) = meant(line).unwrap();
            assert_eq!((written.user.as_deref(), written.json, written.config.as_deref()), (Some("bob"), true, Some("/c")));
            assert_eq!(command, Command::Enroll(Enroll { confirm: false, ..plain() }));
        }
        assert_eq!(meant("").unwrap().1, Command::Mine);
        assert_eq!(meant("--no-confirm --add enroll").unwrap().1, Command::Enroll(Enroll { confirm: false, mode: Mode::Add, ..plain() }));
    }

    #[test]
    fn an_enrollment_with_every_option() {
        let line = "enroll --label tablet --issuer Example --account a@example.org --digits 8 --algorithm sha256 --period 60 --codes 20 \
                    --codes-file codes.txt --qr ascii --invert --qr-file a/qr.svg --secret-stdin --no-confirm";
        let every = Enroll {
            mode: Mode::New,
            label: Some("tablet".to_owned()),
            issuer: Some("Example".to_owned()),
            account: Some("a@example.org".to_owned()),
            digits: Some(8),
            algorithm: Some(Algorithm::Sha256),
            period: Some(60),
            codes: Some(20),
            secret_stdin: true,
            confirm: false,
            output: Output {
                qr: Qr::Ascii,
                invert: true,
                qr_file: Some(PathBuf::from("a/qr.svg")),
                codes_file: Some(PathBuf::from("codes.txt")),
            },
        };
        assert_eq!(meant(line).unwrap().1, Command::Enroll(every));
        assert_eq!(meant("enroll --replace").unwrap().1, Command::Enroll(Enroll { mode: Mode::Replace, ..plain() }));
        let recovery = Recovery {
            codes: Some(1),
            confirm: false,
            output: Output { codes_file: Some(PathBuf::from("codes.txt")), ..Output::default() },
        };
        assert_eq!(meant("recovery --codes 1 --codes-file codes.txt --no-confirm").unwrap().1, Command::Recovery(recovery));
    }

    #[test]
    fn what_is_about_a_person_takes_one_name_on_either_place() {
        let bob = || "bob".to_owned();
        let commands = [
            ("unlock", Command::Unlock { name: bob() }),
            ("adopt", Command::Adopt { name: bob() }),
            ("rescue", Command::Rescue { name: bob(), valid: 1800 }),
            ("reset", Command::Reset { name: bob(), reason: None }),
        ];
        for (name, command) in commands {
            for line in [format!("{name} bob"), format!("--user bob {name}"), format!("{name} bob --user bob")] {
                assert_eq!(meant(&line).unwrap().1, command, "{line}");
            }
            assert!(command.is_roots() && command.operand() == Some("bob"));
            for line in [name.to_owned(), format!("{name} bob carol"), format!("{name} bob --user carol")] {
                assert_eq!(wrong(&line), format!("{name} takes one NAME"), "{line}");
            }
            assert_eq!(meant_of(&[name, ""]).map(|(_, command)| command), Err(format!("{name} takes one NAME")));
        }
        let reason = Command::Reset { name: bob(), reason: Some("lost phone".to_owned()) };
        assert_eq!(meant_of(&["reset", "bob", "--reason", "lost phone"]).unwrap().1, reason);
    }

    #[test]
    fn remove_takes_one_label_and_the_user_apart() {
        let (written, command) = meant_of(&["remove", "old phone", "--user", "bob"]).unwrap();
        assert_eq!((written.user.as_deref(), command), (Some("bob"), Command::Remove { label: "old phone".to_owned() }));
        assert_eq!(wrong("remove --user bob"), "remove takes one LABEL");
        assert_eq!(wrong("remove old phone"), "remove takes one LABEL");
        assert_eq!(wrong("remove a:b"), "a label is 1 to 32 of A-Z a-z 0-9 space . _ -");
    }

    #[test]
    fn a_rescue_code_is_valid_for_a_minute_to_a_day() {
        for (text, seconds) in [("60s", 60), ("90s", 90), ("1m", 60), ("30m", 1800), ("1440m", 86_400), ("24h", 86_400), ("86400s", 86_400)]
        {
            let rescue = Command::Rescue { name: "bob".to_owned(), valid: seconds };
            assert_eq!(meant(&format!("rescue bob --valid {text}")).unwrap().1, rescue, "{text}");
        }
        for text in
            ["59s", "0m", "25h", "1441m", "30", "m", "+30m", "=-30m", "30 m", "1d", "9223372036854775807h", "99999999999999999999m", "30é"]
        {
            let found = meant_of(&["rescue", "bob", &format!("--valid={text}")]).map(|(_, command)| command);
            assert_eq!(found, Err("--valid is 1 minute to 24 hours, such as 30m".to_owned()), "{text}");
        }
    }

    #[test]
    fn a_bad_value_is_told_what_is_wanted() {
        let label = "a label is 1 to 32 of A-Z a-z 0-9 space . _ -";
        let long = format!("--issuer={}", "x".repeat(65));
        for (option, fact) in [
            ("--digits=7", "--digits is 6 or 8"),
            ("--digits=+6", "--digits is 6 or 8"),
            ("--period=45", "--period is 30 or 60"),
            ("--algorithm=sha512", "--algorithm is sha1 or sha256"),
            ("--algorithm=SHA1", "--algorithm is sha1 or sha256"),
            ("--codes=21", "--codes is a number from 0 to 20"),
            ("--codes=-1", "--codes is a number from 0 to 20"),
            ("--codes=ten", "--codes is a number from 0 to 20"),
            ("--codes=276", "--codes is a number from 0 to 20"),
            ("--qr=sixel", "--qr is auto, utf8, ascii or none"),
            ("--qr-file=qr.jpg", "--qr-file is a file that ends in .png or .svg"),
            ("--qr-file=png", "--qr-file is a file that ends in .png or .svg"),
            ("--label=a:b", label),
            ("--label= phone", label),
            ("--label=t\u{fc}r", label),
            ("--issuer=web:1", "--issuer is 1 to 64 printable characters, no colon"),
            (&long, "--issuer is 1 to 64 printable characters, no colon"),
            ("--account=a\x1b[2J", "--account is 1 to 64 printable characters, no colon"),
            ("--account=\u{202e}ecila", "--account is 1 to 64 printable characters, no colon"),
        ] {
            assert_eq!(meant_of(&["enroll", option]).map(|(_, command)| command), Err(fact.to_owned()), "{option}");
        }
        assert_eq!(wrong("recovery --codes 0"), "--codes is a number from 1 to 20");
        let longest = "\u{fc}".repeat(64);
        let every = Enroll { issuer: Some(longest.clone()), ..plain() };
        assert_eq!(meant_of(&["enroll", "--issuer", &longest]).unwrap().1, Command::Enroll(every));
    }

    #[test]
    fn what_can_not_stand_together_is_refused() {
        for (line, fact) in [
            ("enroll --add --replace", "--add and --replace can't stand together"),
            ("enroll --add --codes 5", "--codes can't stand with --add: recovery codes stay"),
            ("enroll --codes-file c --replace", "--codes-file can't stand with --replace: recovery codes stay"),
            ("enroll --codes 0 --codes-file c", "--codes-file can't stand with --codes 0"),
            ("enroll --qr-file a.png --codes-file ./a.png", "--qr-file and --codes-file name the same file"),
            ("enroll --label a --label a", "--label is given twice"),
            ("--json status --json", "--json is given twice"),
            ("--user bob status --user bob", "--user is given twice"),
        ] {
            assert_eq!(wrong(line), fact, "{line}");
            assert!("countersign-setup: ;".len() + fact.len() <= 80, "{fact}");
        }
    }

    #[test]
    fn a_command_for_root_to_type_again() {
        for (line, again) in [
            (&["enroll", "--label", "old phone", "--add", "--json"][..], "enroll --label 'old phone' --add"),
            (&["rescue", "bob", "--valid", "1h"], "rescue bob --valid 1h"),
            (&["reset", "bob", "--reason=-; reboot"], "reset bob --reason='-; reboot'"),
            (&["--user", "bob", "unlock"], "unlock bob"),
            (&["remove", "old phone", "--json"], "remove 'old phone'"),
            (&["reset", "a\x1b[2J"], "reset NAME"),
            (&["list", "--missing"], "list --missing"),
            (&[], ""),
        ] {
            let written = Written::parse(lexopt::Parser::from_args(line));
            let operand = Command::meant(&written).ok().and_then(|command| command.operand().map(str::to_owned));
            assert_eq!(written.again(operand.as_deref(), &[]), again);
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (line, fact) in [
            ("enroll --frobnicate", "unknown option \"--frobnicate\""),
            ("enroll -x", "unknown option \"-x\""),
            ("frobnicate", "unknown command \"frobnicate\""),
            ("status --force", "status has no option --force"),
            ("list --user bob", "list has no option --user"),
            ("recovery --qr none", "recovery has no option --qr"),
            ("--no-confirm", "countersign-setup has no option --no-confirm"),
            ("status bob", "status takes no \"bob\""),
            ("status --user", "--user lacks its value"),
            ("enroll --label --add", "--label lacks its value"),
            ("enroll --label=", "--label lacks its value"),
            ("--json=yes", "--json takes no value"),
            ("a\x1b[2J", "unknown command \"a\\x1b[2J\""),
            ("--a\x1b[2J", "unknown option \"--a\\x1b[2J\""),
            ("status \x1b[2J", "status takes no \"\\x1b[2J\""),
        ] {
            assert_eq!(wrong(line), fact, "{line}");
        }
        assert_eq!(meant_of(&[""]).map(|(_, command)| command), Err("unknown command \"\"".to_owned()));
        for line in ["--nope status --json", "reset bob --reason --json", "status --json --user"] {
            assert!(Written::parse(lexopt::Parser::from_args(line.split(' '))).json, "{line}");
        }
    }
}
