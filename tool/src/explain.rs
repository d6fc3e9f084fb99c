//! `explain`: what is wrong with the configuration, every line of it.
#![forbid(unsafe_code)]

use std::fmt::Write;

use serde_json::json;

use crate::answer::Answer;
use crate::settings::Settings;

pub(crate) fn run(config: Option<&str>) -> Answer {
    let problems = Settings::checked(config).err().unwrap_or_default();
    let mut text = String::new();
    if problems.is_empty() {
        text.push_str("errors    none\n");
    } else {
        let plural = if problems.len() == 1 { "" } else { "s" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "decision  refuse everyone: {} configuration error{plural}", problems.len());
        for problem in &problems {
            let _ = writeln!(text, "{problem}");
        }
    }
    let errors: Vec<_> =
        problems.iter().map(|problem| json!({"file": problem.path, "line": problem.line, "message": problem.message})).collect();
    let decision = if errors.is_empty() { None } else { Some("refuse") };
    Answer::new(text, json!({"decision": decision, "errors": errors}), !problems.is_empty())
}
