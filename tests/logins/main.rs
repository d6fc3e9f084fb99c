//! Real programs, whole logins: the distribution's ssh and sshd, sudo, su and login ask for a password or a key and then for
//! a code, in a world of their own (`world.rs`). Needs root, and the module and the tool in `target/release`.
#![forbid(unsafe_code)]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::disallowed_methods,
    reason = "a test ends where something is not as it has to be, and reads the clock as the person's phone does"
)]

mod criteria;
mod etc;
mod machine;
mod mounts;
mod people;
mod programs;
mod sshd;
mod syslog;
mod table;
mod terminal;
mod world;

use programs::{KEY_PORT, PASSWORD_PORT};
use sshd::Sshd;

#[test]
fn every_program_ends_every_login_as_it_has_to() {
    let names = table::names();
    world::inside(&names.iter().map(String::as_str).collect::<Vec<_>>(), |world| {
        let _doors = [Sshd::password_and_code(PASSWORD_PORT), Sshd::key_and_code(KEY_PORT)];
        table::play(world);
    });
}
