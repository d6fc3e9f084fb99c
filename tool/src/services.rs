//! Which PAM services name the module, includes followed. For sentences alone: it judges no stack.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

/// Where libpam looks for a service's file, the first that has it.
const FOLDERS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];
const MODULE: &str = "pam_countersign.so";
/// Files that one service's stack is made of, at most: includes may go round in a circle.
const MOST: usize = 32;

/// Those of the named services in whose authentication stack the module stands.
pub(crate) fn asking<'a>(names: &[&'a str]) -> Vec<&'a str> {
    names.iter().copied().filter(|name| names_module(name, file)).collect()
}

fn file(name: &str) -> Option<String> {
    let is_plain = !name.contains('/') && !name.starts_with('.');
    FOLDERS.iter().filter(|_| is_plain).find_map(|folder| std::fs::read_to_string(format!("{folder}/{name}")).ok())
}

fn names_module(service: &str, read: impl Fn(&str) -> Option<String>) -> bool {
    let mut open = VecDeque::from([service.to_owned()]);
    for _ in 0..MOST {
        let Some(text) = open.pop_front().map(|name| read(&name).unwrap_or_default()) else { return false };
        for line in text.replace("\\\n", " ").lines() {
            match meaning(line) {
                Line::Module => return true,
                Line::Include(name) => open.push_back(name),
                Line::Other => {}
            }
        }
    }
    false
}

enum Line {
    Module,
    Include(String),
    Other,
}

fn meaning(line: &str) -> Line {
    let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
    match (words.next().map(str::to_ascii_lowercase).as_deref(), words.next()) {
        (Some("@include"), Some(name)) => Line::Include(name.to_owned()),
        (Some("auth" | "-auth"), Some("include" | "substack")) => words.next().map_or(Line::Other, |name| Line::Include(name.to_owned())),
        (Some("auth" | "-auth"), Some(_)) if words.any(|word| word == MODULE || word.ends_with("/pam_countersign.so")) => Line::Module,
        _ => Line::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[(&str, &str)]) -> bool {
        names_module("sshd", |name| files.iter().find(|(file, _)| *file == name).map(|(_, text)| (*text).to_owned()))
    }

    #[test]
    fn includes_are_followed_and_comments_are_not() {
        let module = "auth [success=1 default=die] pam_countersign.so\n";
        assert!(names(&[("sshd", module)]));
        assert!(names(&[("sshd", "@include common-auth\n"), ("common-auth", module)]));
        assert!(names(&[
            ("sshd", "auth substack a\n"),
            ("a", "auth include b"),
            ("b", "auth requisite \\\n /usr/lib/pam_countersign.so window\n")
        ]));
        assert!(!names(&[("sshd", "#auth requisite pam_countersign.so\nauth required pam_unix.so # pam_countersign.so\n")]));
        assert!(!names(&[("sshd", "account required pam_countersign.so enforce\n")]));
        assert!(!names(&[("sshd", "@include sshd\n")]));
        assert!(!names(&[]));
    }
}
