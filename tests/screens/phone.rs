//! What a person has in hand during an enrollment: the app with the secret on the screen, the sheet of recovery codes.

use countersign::rules::totp::{Algorithm, Parameters, Secret, code, step_start};
use countersign::sys;

use super::terminal::Terminal;

/// The secret, as the screen says to type it in.
pub fn secret(screen: &str) -> Secret {
    let line = screen.split("Type it in: ").nth(1).unwrap().split("(time-based").next().unwrap();
    Secret::new(&data_encoding::BASE32_NOPAD.decode(line.replace([' ', '\n'], "").as_bytes()).unwrap()).unwrap()
}

/// The kind of code that the screen says the app has to be told of.
fn parameters(screen: &str) -> Parameters {
    let kind = screen.split("(time-based").nth(1).unwrap().split(')').next().unwrap();
    let has = |words: &str| kind.contains(words);
    Parameters {
        algorithm: if has("SHA-256") { Algorithm::Sha256 } else { Algorithm::Sha1 },
        digits: if has("8 digits") { 8 } else { 6 },
        period: if has("60 s") { 60 } else { 30 },
    }
}

/// What the app of a phone whose clock is off by so many seconds shows now.
pub fn digits(screen: &str, off_by: i64) -> String {
    let parameters = parameters(screen);
    let start = step_start(sys::now() + off_by, parameters.period).unwrap();
    String::from_utf8(code(&secret(screen), parameters, start).unwrap().expose().to_vec()).unwrap()
}

/// Six digits that no step near shows.
pub fn wrong_digits(screen: &str) -> String {
    let secret = secret(screen);
    let hours = (-27 * 120..=27 * 120).filter_map(|step| step_start(sys::now() + step * 30, 30));
    let near: Vec<_> = hours.filter_map(|start| code(&secret, Parameters::default(), start)).map(|code| code.expose().to_vec()).collect();
    (0..).map(|number: u32| format!("{number:06}")).find(|digits| !near.contains(&digits.as_bytes().to_vec())).unwrap()
}

/// Waits until the step is not about to end, so that what is computed now is still so when it is judged.
pub fn early_in_a_step() {
    while sys::now() % 30 > 24 {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

/// The codes of the sheet, in their order.
pub fn sheet(screen: &str) -> Vec<String> {
    let words = screen.split_whitespace().filter(|word| word.len() == 19 && word.matches('-').count() == 3 && !word.starts_with('-'));
    let mut codes: Vec<String> = words.map(str::to_owned).collect();
    codes.sort_by_key(|code| countersign::rules::code::Slot::of_symbol(code.chars().next().unwrap()).unwrap().value());
    codes
}

/// The code that is asked back, as someone types it from paper.
pub fn asked_back(screen: &str) -> String {
    let number = screen.rsplit("type code ").next().unwrap().split(' ').next().unwrap();
    sheet(screen)[number.parse::<usize>().unwrap() - 1].replace('-', " ").to_lowercase()
}

/// The same with its last two neighbours swapped, or, where they are the same, with another letter.
pub fn mistyped(code: &str) -> String {
    let (rest, last) = code.split_at(code.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

pub const DIGITS: &str = "The 6 digits the app shows now: ";
pub const BACK: &str = "(this does not use it up): ";

/// Answers step 2 rightly.
pub fn confirm(terminal: &mut Terminal) {
    terminal.wait_for(DIGITS);
    early_in_a_step();
    let digits = digits(&terminal.text(), 0);
    terminal.type_line(&digits);
}

/// Answers step 3 rightly.
pub fn prove(terminal: &mut Terminal) {
    terminal.wait_for(BACK);
    let answer = asked_back(&terminal.text());
    terminal.type_line(&answer);
}
