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

mod commands;
mod enrollment;
mod golden;
mod interruptions;
mod phone;
mod picture;
mod terminal;
mod world;
