//! countersign-setup: sets up the second factor of logins on this machine.
//!
//! Options as written -> a command -> its answer -> standard output. Questions, QR codes and recovery codes go to the
//! terminal, results to standard output, the rest to standard error.
#![forbid(unsafe_code)]

mod answer;
mod arguments;
mod caller;
mod doctor;
mod enroll;
mod environment;
mod explain;
mod help;
mod init;
mod json;
mod log;
mod mine;
mod paint;
mod people;
mod qr;
mod reset;
mod services;
mod settings;
mod signals;
mod status;
mod terminal;
mod verify;

use std::process::ExitCode;

use crate::answer::Answer;
use crate::arguments::{Command, Written};
use crate::caller::Caller;
use crate::settings::Settings;
use countersign::flows::refusal::Refusal;

fn main() -> ExitCode {
    keep_memory_private();
    let written = Written::read();
    let is_json = written.json;
    match run(written) {
        Ok(answer) => answer.print(is_json),
        Err(refusal) => answer::refuse(&refusal, is_json),
    }
}

/// No core dump, and no ptrace by another process of the same user. Neither failing is a reason not to work.
fn keep_memory_private() {
    let _ = nix::sys::prctl::set_dumpable(false);
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
}

fn run(written: Written) -> Result<Answer, Refusal> {
    if let Some(page) = written.page() {
        return Ok(Answer::text(page));
    }
    let command = Command::meant(&written)?;
    let caller = Caller::find(&written, &command)?;
    let config = written.config.as_deref();
    match command {
        Command::Init { force } => init::run(config, force),
        Command::Explain => Ok(explain::run(config)),
        Command::Doctor => doctor::run(config, &caller),
        Command::Mine => mine::run(&Settings::read(config)?, &caller),
        Command::Status => status::run(&Settings::read(config)?, &caller),
        Command::Verify => verify::run(&Settings::read(config)?, &caller),
        Command::Reset { name, reason } => reset::run(&Settings::read(config)?, &caller, &name, reason.as_deref(), written.json),
        Command::Enroll { confirm } => enroll::run(&Settings::read(config)?, &caller, confirm, written.json),
    }
}
