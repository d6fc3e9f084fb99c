//! countersign-setup: sets up the second factor of logins on this machine.
//!
//! Options as written -> a command -> its answer -> standard output. Questions, QR codes and recovery codes go to the
//! terminal, results to standard output, the rest to standard error.
#![forbid(unsafe_code)]

mod adopt;
mod answer;
mod arguments;
mod caller;
mod change;
mod conversation;
mod doctor;
mod enroll;
mod environment;
mod explain;
mod files;
mod floor;
mod help;
mod init;
mod json;
mod list;
mod log;
mod mine;
mod paint;
mod people;
mod qr;
mod recovery;
mod remove;
mod rescue;
mod reset;
mod secret;
mod services;
mod settings;
mod signals;
mod status;
mod table;
mod terminal;
mod unlock;
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
    let (config, json) = (written.config.as_deref(), written.json);
    let settings = || Settings::read(config);
    // For those who have to begin anew, in another way.
    let again = written.again(None, &["--no-confirm", "--qr-file"]);
    match command {
        Command::Init { force } => init::run(config, force),
        Command::Explain => Ok(explain::run(config)),
        Command::Doctor => doctor::run(config, &caller),
        Command::Mine => mine::run(&settings()?, &caller),
        Command::Status => status::run(&settings()?, &caller),
        Command::List { missing } => list::run(&settings()?, &caller, missing),
        Command::Verify => verify::run(&settings()?, &caller),
        Command::Enroll(asked) => enroll::run(&settings()?, &caller, &asked, &again, json),
        Command::Recovery(asked) => recovery::run(&settings()?, &caller, &asked, &again, json),
        Command::Remove { label } => remove::remove(&settings()?, &caller, &label, json),
        Command::Disable => remove::disable(&settings()?, &caller, json),
        Command::Rescue { name, valid } => rescue::run(&settings()?, &caller, &name, valid, json),
        Command::Adopt { name } => adopt::run(&settings()?, &caller, &name, json),
        Command::Unlock { name } => unlock::run(&settings()?, &caller, &name, json),
        Command::Reset { name, reason } => reset::run(&settings()?, &caller, &name, reason.as_deref(), json),
    }
}
