//! The tool as a person sees it: on pseudo-terminals, beside golden files, and through interruptions.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests"
)]
#![forbid(unsafe_code)]

mod at_once;
mod bad_days;
mod changes;
mod commands;
mod doctor;
mod enrollment;
mod errors;
mod golden;
mod handed_over;
mod hostile;
mod interruptions;
mod leaving;
mod list;
mod log;
mod lost_answers;
mod memory;
mod only_help;
mod options;
mod phone;
mod picture;
mod sections;
mod sheet;
mod status;
mod talk;
mod terminal;
mod verify;
mod world;
