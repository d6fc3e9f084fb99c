//! The file, as it is written: walked by hand, with the place of every key, so that each wrong line is reported and
//! not the first alone. The TOML reader's own messages quote the file, so none of them is passed on.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::arguments::quoted;
use super::setting::{Settings, Value, Wrong};
use super::{LARGEST, Origin, Problem, Setting};
use crate::rules::fields::Format;
use crate::rules::throttle::Lane;

#[derive(Default)]
pub(super) struct Written {
    pub(super) store: Option<String>,
    pub(super) run: Option<String>,
    /// [policy] and [prompt].
    pub(super) everywhere: Settings,
    pub(super) window: Option<u8>,
    pub(super) codes: Option<u8>,
    pub(super) format: Option<Format>,
    pub(super) unknown_users: Option<bool>,
    /// [service.NAME].
    pub(super) services: BTreeMap<String, Service>,
}

#[derive(Default)]
pub(super) struct Service {
    pub(super) settings: Settings,
    pub(super) skip: Option<Setting<bool>>,
    pub(super) lane: Option<Lane>,
}

impl Written {
    pub(super) fn read(path: &str, file: &[u8]) -> Result<Self, Vec<Problem>> {
        let of_file = |line, message: &str| Err(vec![Problem { path: path.to_owned(), line, message: message.to_owned() }]);
        if file.len() > LARGEST {
            return of_file(None, "is larger than 64 KiB");
        }
        let text = match std::str::from_utf8(file) {
            Ok(text) => text,
            Err(error) => return of_file(Some(line_of(file, error.valid_up_to())), "is not UTF-8 text"),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut walk = Walk { path, text, found: Vec::new() };
        let written = walk.file(table.get_ref());
        let problems = walk.problems(&errors);
        if problems.is_empty() { Ok(written) } else { Err(problems) }
    }
}

/// The line on which that byte stands.
fn line_of(file: &[u8], byte: usize) -> usize {
    file.iter().take(byte).filter(|byte| **byte == b'\n').count().saturating_add(1)
}

struct Walk<'a> {
    path: &'a str,
    text: &'a str,
    found: Vec<Found>,
}

struct Found {
    line: usize,
    /// The key is one of ours: the message says more than "this is not TOML" could.
    known: bool,
    message: String,
}

type Entry<'a> = (&'a Spanned<Cow<'a, str>>, &'a Spanned<DeValue<'a>>);

impl Walk<'_> {
    fn file(&mut self, table: &DeTable<'_>) -> Written {
        let mut written = Written::default();
        for (key, value) in table.iter() {
            match key.get_ref().as_ref() {
                "policy" => self.section((key, value), |key, value, origin| written.everywhere.set_policy(key, value, origin)),
                "prompt" => self.section((key, value), |key, value, _| written.everywhere.set_prompt(key, value)),
                "service" => self.services((key, value), &mut written.services),
                "code" | "recovery" | "log" => {
                    let section = key.get_ref();
                    self.section((key, value), |key, value, _| written.set(section, key, value));
                }
                _ if value.get_ref().is_table() => self.report(key, false, format!("{} is no section of this file", quoted(key.get_ref()))),
                _ => self.key((key, value), "this file", |key, value, _| written.set("", key, value)),
            }
        }
        written
    }

    /// The keys of `[section]`, each given to `set`.
    fn section(&mut self, entry: Entry<'_>, mut set: impl FnMut(&str, &Value<'_>, Origin) -> Result<(), Wrong>) {
        let name = format!("[{}]", entry.0.get_ref());
        match entry.1.get_ref().as_table() {
            Some(table) => table.iter().for_each(|entry| self.key(entry, &name, &mut set)),
            None => self.report(entry.0, true, format!("{} is a section: {name}", quoted(entry.0.get_ref()))),
        }
    }

    fn key(&mut self, (key, value): Entry<'_>, place: &str, set: impl FnOnce(&str, &Value<'_>, Origin) -> Result<(), Wrong>) {
        let origin = Origin::File { path: self.path.to_owned(), line: line_of(self.text.as_bytes(), key.span().start) };
        match set(key.get_ref(), &Value::File(value.get_ref()), origin) {
            Ok(()) => {}
            Err(Wrong::Expected(expected)) => self.report(key, true, format!("{} is {expected}", quoted(key.get_ref()))),
            Err(Wrong::Unknown) => self.report(key, false, format!("{} is no key of {place}", quoted(key.get_ref()))),
        }
    }

    fn services(&mut self, (key, value): Entry<'_>, services: &mut BTreeMap<String, Service>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.report(key, true, "\"service\" is a section with a name: [service.NAME]".to_owned());
        };
        for (name, value) in table.iter() {
            // libpam makes service names lower case: a section with another name would be silently without effect.
            if !is_service(name.get_ref()) {
                self.report(name, false, format!("{} is no service name: those are in lower case, without spaces", quoted(name.get_ref())));
            } else if let Some(table) = value.get_ref().as_table() {
                let service = services.entry(name.get_ref().to_string()).or_default();
                for entry in table.iter() {
                    self.key(entry, "[service.NAME]", |key, value, origin| service.set(key, value, origin));
                }
            } else {
                self.report(name, false, format!("{} is no key: a service is a section, [service.NAME]", quoted(name.get_ref())));
            }
        }
    }

    fn report(&mut self, key: &Spanned<Cow<'_, str>>, known: bool, message: String) {
        self.found.push(Found { line: line_of(self.text.as_bytes(), key.span().start), known, message });
    }

    /// All problems by line. Where a line is not TOML, a key that the reader made of it says nothing, unless it is one
    /// of ours; where it is one of ours, that says more.
    fn problems(self, errors: &[toml::de::Error]) -> Vec<Problem> {
        let syntax: Vec<(usize, String)> = errors.iter().map(|error| self.syntax(error)).collect();
        let explained: Vec<usize> = self.found.iter().filter(|found| found.known).map(|found| found.line).collect();
        let keys = self.found.into_iter().filter(|found| found.known || syntax.iter().all(|(line, _)| *line != found.line));
        let keys = keys.map(|found| (found.line, found.message)).collect::<Vec<_>>();
        let mut all: Vec<(usize, String)> = syntax.into_iter().filter(|(line, _)| !explained.contains(line)).chain(keys).collect();
        all.sort();
        all.dedup();
        all.into_iter().map(|(line, message)| Problem { path: self.path.to_owned(), line: Some(line), message }).collect()
    }

    fn syntax(&self, error: &toml::de::Error) -> (usize, String) {
        let span = error.span().unwrap_or_default();
        let line = line_of(self.text.as_bytes(), span.start);
        let is_name = |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        match self.text.get(span).filter(is_name) {
            Some(key) if error.message() == "duplicate key" => (line, format!("{} is there twice", quoted(key))),
            Some(_) | None => (line, "this is not TOML: key = value, with texts in quotes".to_owned()),
        }
    }
}

/// A name that libpam could look for.
fn is_service(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && byte != b'/')
}

impl Written {
    /// The keys that stand in one place only; `section` is empty above the first.
    fn set(&mut self, section: &str, key: &str, value: &Value<'_>) -> Result<(), Wrong> {
        match (section, key) {
            ("", "store") => self.store = Some(value.path()?),
            ("", "run") => self.run = Some(value.path()?),
            ("code", "window") => self.window = Some(value.number(1, "a whole number, 0 or 1")?),
            ("recovery", "codes") => self.codes = Some(value.number(20, "a whole number, 0 to 20")?),
            ("log", "format") => {
                self.format = Some(value.word(&[("text", Format::Text), ("json", Format::Json)], "\"text\" or \"json\"")?);
            }
            ("log", "unknown_users") => self.unknown_users = Some(value.flag()?),
            _ => return Err(Wrong::Unknown),
        }
        Ok(())
    }
}

impl Service {
    fn set(&mut self, key: &str, value: &Value<'_>, origin: Origin) -> Result<(), Wrong> {
        match key {
            "skip" => self.skip = Some(Setting { value: value.flag()?, origin }),
            "lane" => self.lane = Some(value.word(&[("remote", Lane::Remote)], "\"remote\"")?),
            _ => self.settings.set(key, value, origin)?,
        }
        Ok(())
    }
}
