//! A person who has only `countersign-setup -h`: every command line here stands in the examples of its pages, but for the
//! person's name and for what an answer says to add.

use super::phone;
use super::sheet::unbroken;
use super::talk::{BACK, CODE, DIGITS, Says, said};
use super::terminal::{Ended, Terminal, USUAL};
use super::world::{CONFIG, TOOL, World};

/// The lines below "Examples" of a page, without what they are for.
fn examples(world: &World, page: &[&str]) -> Vec<String> {
    let page = String::from_utf8(world.run(page).stdout).unwrap();
    let lines = page.split("\nExamples\n").nth(1).unwrap().lines();
    lines.map(|line| line.trim().split("  ").next().unwrap().to_owned()).collect()
}

fn the_one_with(examples: &[String], words: &str) -> String {
    examples.iter().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words} is in none of {examples:?}")).clone()
}

/// Typed into the shell of an administrator.
fn typed(world: &World, line: &str, answers: &[(&str, Says<'_>)]) -> Ended {
    let script = format!("sudo() {{ \"$@\"; }}; countersign-setup() {{ {TOOL} --config {CONFIG} \"$@\"; }}; {line}");
    let mut terminal = Terminal::start(&world.inside(&["bash", "-c", &script]), USUAL);
    answers.iter().for_each(|answer| said(&mut terminal, *answer));
    terminal.end()
}

fn done(world: &World, line: &str, answers: &[(&str, Says<'_>)]) -> String {
    let ended = typed(world, line, answers);
    assert_eq!(ended.status, 0, "{line}: {}", ended.screen);
    ended.screen
}

#[test]
fn whoever_has_only_the_help_enrolls_adds_replaces_helps_and_resets() {
    let world = World::new("");
    let first = examples(&world, &["-h"]);
    // "root: for anyone, with --user NAME", says the page.
    let for_alice = |line: String| if line.contains("alice") { line } else { format!("{line} --user alice") };

    let shown = done(&world, &for_alice(the_one_with(&first, "enroll --user alice")), &[DIGITS, BACK]);
    assert!(shown.contains("alice on web1 is enrolled: authenticator \"phone\", 10 recovery codes.\n"), "{shown}");

    let shown = done(&world, &for_alice(the_one_with(&first, "--label tablet")), &[DIGITS]);
    assert!(shown.contains("alice on web1: authenticator \"tablet\" added. The 10 recovery codes left stay.\n"), "{shown}");

    // The phone is lost, and there are two to choose from.
    let replace = for_alice(the_one_with(&first, "enroll --replace"));
    let ended = typed(&world, &replace, &[]);
    let told = unbroken(&ended.screen);
    assert_eq!(ended.status, 2, "{told}");
    let labels = told.split("name the one to replace with --label: ").nth(1).unwrap_or_else(|| panic!("{told}")).trim();
    assert_eq!(labels, "phone, tablet");
    let lost = labels.split(", ").next().unwrap();
    let shown = done(&world, &format!("{replace} --label {lost}"), &[DIGITS]);
    assert!(unbroken(&shown).contains("alice on web1: authenticator \"phone\" replaced. "), "{shown}");

    // The page lists rescue for a colleague whose phone is at home; its own page has the line.
    let page = String::from_utf8(world.run(&["-h"]).stdout).unwrap();
    let command = page.lines().find(|line| line.ends_with("whose phone is at home")).unwrap().split_whitespace().next().unwrap();
    let shown = done(&world, &examples(&world, &[command, "-h"])[0], &[]);
    let codes = phone::sheet(&shown);
    assert_eq!(codes.len(), 1, "{shown}");
    let check = examples(&world, &["verify", "-h"]);
    let shown = done(&world, &check[0], &[(CODE, Says::Line(&codes[0]))]);
    assert!(shown.contains("accepted (rescue code)"), "{shown}");

    let shown = done(&world, &the_one_with(&first, "reset alice"), &[]);
    assert!(shown.contains("alice on web1: second factor removed (2 authenticators, 10 recovery codes).\n"), "{shown}");
    assert!(!world.is_enrolled(1000));
    assert!(world.logged().iter().any(|line| line.contains("action=reset user=alice") && line.ends_with("why=\"lost phone\"")));
}
