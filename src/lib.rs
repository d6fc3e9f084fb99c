//! Countersign: the second step of a Linux login. After the password is right, a code from an app (RFC 6238) or a
//! one-time recovery code opens the door, once.
//!
//! The data goes one way: configuration -> policy -> question -> code -> verdict -> stored state -> audit line -> PAM
//! result. `rules` are values in, values out: they know no file, clock, network or environment. `store` keeps a user's
//! lock, record and journal. `verify` is the half of the sentence that knows no PAM: an answer becomes a verdict whose
//! state is on disk. `authenticate` is PAM's half around it, `flows` are what changes a second factor, `pam` holds the
//! doors.
//!
//! What must hold: one place means "let in", and only a verdict that the store has settled gets there. What is not
//! foreseen is a refusal that logs. What can't be written is not accepted, and not told either. A guest in sshd, login,
//! su or sudo, the module reads no environment, prints nothing, ends nothing, and changes nothing of its host.
#![deny(unsafe_code)]

pub mod rules;

pub mod sys;

pub mod words;

pub mod store;

pub mod verify;

pub mod flows;

pub mod authenticate;

pub mod pam;
