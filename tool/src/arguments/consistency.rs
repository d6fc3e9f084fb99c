//! The parser's table, the pages of `-h`, the man page and the next steps of all sentences: what one of them names, the
//! others know.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use super::table::{FLAGS, Flag, Of, Operand, VERBS, Verb, long, verb_named};
use super::{Command, Written};
use crate::help;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn man_path() -> PathBuf {
    root().join("packaging/man/countersign-setup.1")
}

fn man() -> String {
    fs::read_to_string(man_path()).unwrap()
}

/// The lines between a heading of that macro and the next heading.
fn section(man: &str, heading: &str) -> String {
    let mut lines = man.lines().skip_while(|line| *line != heading).skip(1);
    let body: Vec<_> = lines.by_ref().take_while(|line| !line.starts_with(".Sh ") && !line.starts_with(".Ss ")).collect();
    assert!(!body.is_empty(), "the man page has no {heading}");
    body.join("\n")
}

fn heading(verb: &Verb) -> String {
    match verb.operand {
        Operand::None => format!(".Ss {}", verb.name),
        Operand::Name => format!(".Ss {} NAME", verb.name),
        Operand::Label => format!(".Ss {} LABEL", verb.name),
    }
}

/// Everything of the form `--option` in a text.
fn options(text: &str) -> BTreeSet<&str> {
    let ends = |letter: char| !letter.is_ascii_lowercase() && !letter.is_ascii_digit() && letter != '-';
    text.match_indices("--").filter_map(|(at, _)| text.get(at..)?.split(ends).next()).filter(|option| option.len() > 2).collect()
}

/// The options of a man page: `.Fl -option`, and as typed in examples.
fn options_of_man(text: &str) -> BTreeSet<String> {
    let written = text.replace("Fl -", "Fl --");
    options(&written).into_iter().map(str::to_owned).collect()
}

/// Of the options of that command, those which stand on a page of its own.
fn own(verb: &Verb) -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().filter(|flag| matches!(flag.of, Of::These(verbs) if verbs.contains(&verb.name)))
}

fn common() -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().filter(|flag| matches!(flag.of, Of::All | Of::Person))
}

/// An option with its value, as the pages have it.
fn shown(flag: &Flag) -> String {
    flag.value.map_or_else(|| flag.name.to_owned(), |value| format!("{} {value}", flag.name))
}

#[test]
fn every_command_and_option_stands_on_the_pages() {
    let listed: Vec<_> =
        help::PAGE.lines().take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  ") && !line.starts_with("  -")).collect();
    assert_eq!(listed.len(), VERBS.len());
    for (verb, line) in VERBS.iter().zip(listed) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[0], verb.name);
        let operand = ["NAME", "LABEL"].into_iter().find(|word| *word == words[1]);
        let wanted = [(Operand::Name, "NAME"), (Operand::Label, "LABEL")].into_iter().find(|(operand, _)| *operand == verb.operand);
        assert_eq!(operand, wanted.map(|(_, word)| word), "{line}");

        let page = help::page(verb.name).unwrap_or_else(|| panic!("{} has no page", verb.name));
        let usage = [Some("usage: countersign-setup"), Some(verb.name), operand].into_iter().flatten().collect::<Vec<_>>().join(" ");
        assert!(page.starts_with(&usage), "{page}");
        for flag in own(verb) {
            let described = page.lines().skip(1).any(|line| {
                let line = line.trim_start();
                let mut rest = line.split(", ").map(str::trim_start);
                line.starts_with("--") && rest.any(|item| item == shown(flag) || item.starts_with(&format!("{} ", shown(flag))))
            });
            assert!(described, "{} {} is not on its page", verb.name, shown(flag));
        }
    }
    for flag in common() {
        let name = flag.short.map_or_else(|| shown(flag), |letter| format!("-{letter}"));
        assert!(help::PAGE.contains(&name), "{name} is not on the main page");
    }
}

#[test]
fn every_command_and_option_stands_in_the_man_page() {
    let man = man();
    for verb in VERBS {
        let section = section(&man, &heading(verb));
        for flag in own(verb) {
            let item = format!(".It Fl {}", &flag.name[1..]);
            let described = section.lines().any(|line| line == item || line.starts_with(&format!("{item} ")));
            assert!(described, "{} {} is not in the man page", verb.name, flag.name);
        }
    }
    let general = section(&man, ".Sh DESCRIPTION");
    for flag in common() {
        let short = flag.short.map_or_else(String::new, |letter| format!("{letter} , "));
        let item =
            format!(".It Fl {short}{}", if short.is_empty() { flag.name[1..].to_owned() } else { format!("Fl {}", &flag.name[1..]) });
        assert!(general.lines().any(|line| line == item || line.starts_with(&format!("{item} "))), "{item} is not in the man page");
    }
}

#[test]
fn nothing_that_the_pages_name_is_unknown() {
    let known = |option: &str, verb: Option<&Verb>, place: &str| {
        let flag = long(&option[2..]).unwrap_or_else(|| panic!("{place} names {option}, which is unknown"));
        assert!(verb.is_none() || flag.is_of(verb), "{place} names {option}, which is another command's");
    };
    options(help::PAGE).into_iter().for_each(|option| known(option, None, "the main page"));
    let man = man();
    options_of_man(&man).iter().for_each(|option| known(option, None, "the man page"));
    for verb in VERBS {
        options(help::page(verb.name).unwrap()).into_iter().for_each(|option| known(option, Some(verb), verb.name));
        let section = section(&man, &heading(verb));
        let items: Vec<_> = section.lines().filter(|line| line.starts_with(".It ")).collect();
        options_of_man(&items.join("\n")).iter().for_each(|option| known(option, Some(verb), verb.name));
    }
    let headings: Vec<_> = man.lines().filter(|line| line.starts_with(".Ss ")).collect();
    assert_eq!(headings, VERBS.iter().map(heading).collect::<Vec<_>>());
}

/// The lines of pages that are to be typed, after `countersign-setup`.
fn examples() -> Vec<String> {
    let pages = VERBS.iter().map(|verb| help::page(verb.name).unwrap()).chain([help::PAGE]);
    let of_pages = pages.flat_map(|page| {
        let (_, examples) = page.split_once("\n\nExamples\n").unwrap_or_else(|| panic!("{page} does not end in examples"));
        examples.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let man = man();
    let of_man = man.lines().filter_map(|line| line.strip_prefix(".Dl ")).map(|line| line.replace("\\(dq", "\""));
    // A remark stands behind three spaces.
    let typed = |line: String| line.trim_start().split("   ").next().unwrap().to_owned();
    of_pages.chain(of_man).map(typed).filter(|line| line.contains("countersign-setup")).collect()
}

#[test]
fn every_example_is_taken_as_it_stands() {
    let examples = examples();
    assert!(examples.len() > 30, "{examples:#?}");
    for example in examples {
        let (_, line) = example.split_once("countersign-setup").unwrap();
        // The shell's words, as far as the examples have them.
        let words = line.split('"').enumerate().flat_map(|(place, part)| {
            if place % 2 == 1 { vec![part] } else { part.split_whitespace().take_while(|word| !["<", ">", "|"].contains(word)).collect() }
        });
        let written = Written::parse(lexopt::Parser::from_args(words));
        let told = Command::meant(&written).map_err(|refusal| refusal.fact);
        assert!(told.is_ok() || written.page().is_some(), "{example}: {told:?}");
    }
}

#[test]
fn an_option_takes_a_value_or_none_and_only_where_it_belongs() {
    let told = |words: &[&str]| Command::meant(&Written::parse(lexopt::Parser::from_args(words))).map_err(|refusal| refusal.fact);
    for flag in FLAGS {
        let (name, attached) = (flag.name, format!("{}=1", flag.name));
        match flag.value {
            Some(_) => assert_eq!(told(&["status", name]), Err(format!("{name} lacks its value"))),
            None => assert_eq!(told(&["status", &attached]), Err(format!("{name} takes no value"))),
        }
        for verb in VERBS {
            let words = if flag.value.is_some() { vec![verb.name, &attached] } else { vec![verb.name, name] };
            let refused = told(&words) == Err(format!("{} has no option {name}", verb.name));
            assert_eq!(refused, !flag.is_of(Some(verb)), "{words:?}");
        }
    }
    for verb in VERBS {
        let operand: &[&str] = if verb.operand == Operand::None { &[] } else { &["alice"] };
        assert!(told(&[&[verb.name], operand].concat()).is_ok(), "{}", verb.name);
    }
}

#[test]
fn every_page_fits_80_columns() {
    for page in VERBS.iter().map(|verb| help::page(verb.name).unwrap()).chain([help::PAGE]) {
        page.lines().for_each(|line| assert!(line.is_ascii() && line.len() <= 80, "{line}"));
    }
}

/// All Rust below a folder, without comments and tests.
fn shipped(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            shipped(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with(file!()) {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            found.push((path, code));
        }
    }
}

/// The words of a command that a sentence of the code names as the next step, behind a colon or a question mark.
fn next_steps(code: &str) -> Vec<Vec<&str>> {
    let ends = |end: char| end.is_whitespace() || "\"\\;,)".contains(end);
    let steps = code.match_indices(" countersign-setup ").filter_map(|(at, found)| {
        let (before, rest) = code.split_at_checked(at)?;
        let is_step = before.ends_with([':', '?']) && !before.ends_with("usage:");
        is_step.then(|| rest.trim_start_matches(found).split(ends).take_while(|word| !word.is_empty()).collect())
    });
    steps.collect()
}

#[test]
fn every_next_step_names_a_command_that_is_there() {
    let mut sources = Vec::new();
    for folder in ["src", "tool/src"] {
        shipped(&root().join(folder), &mut sources);
    }
    let mut steps = 0;
    for (path, code) in sources {
        for words in next_steps(&code) {
            // Where it is put together at run time, other tests see it.
            let command = words.iter().find(|word| !word.starts_with('-')).filter(|word| !word.contains('{'));
            let Some(command) = command else { continue };
            let verb = verb_named(command).unwrap_or_else(|| panic!("{}: no command {command}", path.display()));
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let flag = long(&option[2..]).unwrap_or_else(|| panic!("{}: no option {option}", path.display()));
                assert!(flag.is_of(Some(verb)), "{}: {command} has no {option}", path.display());
            }
            steps += 1;
        }
    }
    assert!(steps > 20, "{steps}");
}

/// tests/run installs mandoc; elsewhere it may be missing.
#[test]
fn the_man_page_is_clean() {
    match Program::new("mandoc").args(["-Tlint", "-Wwarning"]).arg(man_path()).output() {
        Ok(lint) => assert!(lint.status.success() && lint.stdout.is_empty(), "{}", String::from_utf8_lossy(&lint.stdout)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => println!("not run: mandoc is not installed"),
        Err(error) => panic!("{error}"),
    }
}
