//! What a command line may hold, as data. The parser takes nothing else, and a test holds the pages of `-h` and the man
//! page against it.
#![forbid(unsafe_code)]

/// A command, and what stands behind it.
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    pub(crate) operand: Operand,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operand {
    None,
    /// NAME, or the user of `--user`.
    Name,
    /// LABEL, of an authenticator of `--user`.
    Label,
}

/// In the order of the main page.
pub(crate) const VERBS: &[Verb] = &[
    verb("enroll", Operand::None),
    verb("status", Operand::None),
    verb("recovery", Operand::None),
    verb("verify", Operand::None),
    verb("remove", Operand::Label),
    verb("disable", Operand::None),
    verb("rescue", Operand::Name),
    verb("reset", Operand::Name),
    verb("unlock", Operand::Name),
    verb("adopt", Operand::Name),
    verb("list", Operand::None),
    verb("init", Operand::None),
    verb("doctor", Operand::None),
    verb("explain", Operand::None),
];

const fn verb(name: &'static str, operand: Operand) -> Verb {
    Verb { name, operand }
}

/// An option.
pub(crate) struct Flag {
    /// With its hyphens.
    pub(crate) name: &'static str,
    pub(crate) short: Option<char>,
    /// What the pages call its value, if it takes one.
    pub(crate) value: Option<&'static str>,
    pub(crate) of: Of,
}

#[derive(Clone, Copy)]
pub(crate) enum Of {
    /// Every command, and none: these stand on the main page alone.
    All,
    /// What is about one person: this stands on the main page alone, too.
    Person,
    These(&'static [&'static str]),
}

/// In the order of the pages.
pub(crate) const FLAGS: &[Flag] = &[
    flag("--user", Some("NAME"), Of::Person),
    flag("--json", None, Of::All),
    flag("--config", Some("FILE"), Of::All),
    Flag { short: Some('h'), ..flag("--help", None, Of::All) },
    Flag { short: Some('V'), ..flag("--version", None, Of::All) },
    flag("--add", None, Of::These(&["enroll"])),
    flag("--replace", None, Of::These(&["enroll"])),
    flag("--label", Some("TEXT"), Of::These(&["enroll"])),
    flag("--issuer", Some("TEXT"), Of::These(&["enroll"])),
    flag("--account", Some("TEXT"), Of::These(&["enroll"])),
    flag("--digits", Some("6|8"), Of::These(&["enroll"])),
    flag("--algorithm", Some("sha1|sha256"), Of::These(&["enroll"])),
    flag("--period", Some("30|60"), Of::These(&["enroll"])),
    flag("--codes", Some("N"), Of::These(&["enroll", "recovery"])),
    flag("--codes-file", Some("FILE"), Of::These(&["enroll", "recovery"])),
    flag("--qr", Some("auto|utf8|ascii|none"), Of::These(&["enroll"])),
    flag("--invert", None, Of::These(&["enroll"])),
    flag("--qr-file", Some("FILE"), Of::These(&["enroll"])),
    flag("--secret-stdin", None, Of::These(&["enroll"])),
    flag("--no-confirm", None, Of::These(&["enroll", "recovery"])),
    flag("--valid", Some("TIME"), Of::These(&["rescue"])),
    flag("--reason", Some("TEXT"), Of::These(&["reset"])),
    flag("--missing", None, Of::These(&["list"])),
    flag("--force", None, Of::These(&["init"])),
];

const fn flag(name: &'static str, value: Option<&'static str>, of: Of) -> Flag {
    Flag { name, short: None, value, of }
}

pub(crate) fn verb_named(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}

/// The option of that name, without its hyphens.
pub(crate) fn long(name: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.name.strip_prefix("--") == Some(name))
}

pub(crate) fn short(letter: char) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.short == Some(letter))
}

impl Flag {
    /// Whether that command takes it; `None` is the bare `countersign-setup`.
    pub(crate) fn is_of(&self, verb: Option<&Verb>) -> bool {
        match self.of {
            Of::All => true,
            Of::Person => verb.is_none_or(|verb| !NOBODYS.contains(&verb.name)),
            Of::These(verbs) => verb.is_some_and(|verb| verbs.contains(&verb.name)),
        }
    }
}

/// The commands that are about the machine, or about everyone.
const NOBODYS: &[&str] = &["list", "init", "doctor", "explain"];
