//! A person at the other end of a flow: answers rightly unless told otherwise, and keeps a transcript.

use std::collections::VecDeque;

use countersign::flows::{Dialogue, Gone, Kept, Made};
use countersign::rules::code::{self, Typed};
use countersign::rules::totp::{self, Parameters, Secret};
use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use super::driver::NOW;

pub struct Person<'a> {
    /// What was said and shown, and the answers as a terminal echoes them.
    pub transcript: String,
    /// Answers to questions that neither the app nor the sheet answers: password, current code, yes or no.
    pub answers: VecDeque<String>,
    /// Instead of what the app shows, or the sheet says.
    pub mistakes: VecDeque<String>,
    /// The person leaves at the call of that number.
    pub leaves_at: usize,
    /// Somebody else does something at the call of that number.
    pub meddler: Option<(usize, &'a dyn Fn())>,
    pub calls: usize,
    /// By how much the phone's clock is ahead.
    pub ahead: i64,
    pub secret: Option<(Secret, Parameters)>,
    /// The recovery codes, and a rescue code, in the order they were shown.
    pub codes: Vec<String>,
}

impl Default for Person<'_> {
    fn default() -> Self {
        Self {
            transcript: String::new(),
            answers: VecDeque::new(),
            mistakes: VecDeque::new(),
            leaves_at: usize::MAX,
            meddler: None,
            calls: 0,
            ahead: 0,
            secret: None,
            codes: Vec::new(),
        }
    }
}

impl Person<'_> {
    pub fn answering(answers: &[&str]) -> Self {
        Self { answers: answers.iter().map(|&answer| answer.to_owned()).collect(), ..Self::default() }
    }

    /// What the app shows.
    pub fn code(&self, at: i64) -> String {
        let (secret, parameters) = self.secret.as_ref().unwrap();
        let start = totp::step_start(at + self.ahead, parameters.period).unwrap();
        String::from_utf8(totp::code(secret, *parameters, start).unwrap().expose().to_vec()).unwrap()
    }

    fn call(&mut self) -> Result<(), Gone> {
        if let Some((_, meddle)) = self.meddler.take_if(|(call, _)| *call == self.calls) {
            meddle();
        }
        if self.calls == self.leaves_at {
            return Err(Gone::Interrupted);
        }
        self.calls += 1;
        Ok(())
    }

    fn hear(&mut self, text: &str) {
        self.transcript.push_str(text);
        let words = text.split_whitespace().filter(|word| word.len() == 19 && matches!(code::read(word.as_bytes()), Typed::Recovery(_)));
        self.codes.extend(words.map(str::to_owned));
    }

    fn answer(&mut self, question: &str) -> String {
        let is_of_app = question.contains("digits the app shows now") || question.contains("The digits now");
        let number = question.split("ode ").filter_map(|rest| rest.split(' ').next()?.parse::<usize>().ok()).last();
        if let (true, Some(mistake)) = (is_of_app || number.is_some(), self.mistakes.pop_front()) {
            return mistake;
        }
        match number {
            _ if is_of_app => self.code(NOW),
            Some(number) => {
                let is_meant = |text: &&String| matches!(code::read(text.as_bytes()), Typed::Recovery(code) if usize::from(code.slot().value()) == number);
                self.codes.iter().find(is_meant).unwrap().clone()
            }
            None => self.answers.pop_front().unwrap_or_else(|| panic!("no answer to {question:?}")),
        }
    }
}

impl Dialogue for Person<'_> {
    fn tell(&mut self, text: &str) -> Result<(), Gone> {
        self.call()?;
        assert!(text.ends_with('\n'), "{text:?}");
        self.hear(text);
        Ok(())
    }

    fn ask(&mut self, question: &str, echo: bool) -> Result<Zeroizing<Vec<u8>>, Gone> {
        self.call()?;
        assert!(question.ends_with(' '), "{question:?}");
        self.hear(question);
        let answer = self.answer(question);
        self.transcript.push_str(if echo { &answer } else { "## not echoed" });
        self.transcript.push('\n');
        Ok(Zeroizing::new(answer.into_bytes()))
    }

    fn show(&mut self, address: &str) -> Result<(), Gone> {
        self.call()?;
        self.transcript.push_str(&format!("[QR {address}]\n"));
        let value = |name: &str| Some(address.split(&format!("{name}=")).nth(1)?.split('&').next().unwrap().to_owned());
        let usual = Parameters::default();
        let parameters = Parameters {
            algorithm: value("algorithm").map_or(usual.algorithm, |name| totp::Algorithm::named(&name.to_lowercase()).unwrap()),
            digits: value("digits").map_or(usual.digits, |digits| digits.parse().unwrap()),
            period: value("period").map_or(usual.period, |period| period.parse().unwrap()),
        };
        let secret = BASE32_NOPAD.decode(value("secret").unwrap().as_bytes()).unwrap();
        self.secret = Some((Secret::new(&secret).unwrap(), parameters));
        Ok(())
    }

    fn keep(&mut self, intro: &str, sheet: &str) -> Result<Kept, Gone> {
        self.call()?;
        self.hear(intro);
        self.hear(sheet);
        Ok(Kept::Shown)
    }

    fn done(&mut self, _: &Made<'_>) -> Result<(), Gone> {
        self.call()
    }
}
