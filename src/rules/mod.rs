//! The rules: values in, values out. Nothing here knows a file, a clock, a network or an environment.
#![forbid(unsafe_code)]

pub mod address;
pub mod audit;
pub mod code;
pub mod config;
pub mod date;
pub mod fields;
pub mod journal;
pub mod judge;
pub mod notice;
pub mod outside;
pub mod phone;
pub mod policy;
pub mod record;
pub mod recovery;
pub mod throttle;
pub mod totp;
pub mod whom;
