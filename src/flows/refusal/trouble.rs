//! Of the store: what stands in the way, and what to do about it.
#![forbid(unsafe_code)]

use super::{Kind, Refusal, errno, quoted};
use crate::flows::Whom;
use crate::rules::outside::escaped;
use crate::store::{Lack, Part, Trouble};
use crate::sys::Holder;
use crate::words::enroll::{command, printed, typed};

/// What stands in the way of a command about that person, before which nothing was shown.
pub fn trouble(trouble: &Trouble, whom: &Whom<'_>, store: &str) -> Refusal {
    told(trouble, whom, store, false)
}

pub(super) fn told(trouble: &Trouble, whom: &Whom<'_>, store: &str, entry_shown: bool) -> Refusal {
    let (name, typed) = (printed(whom.name), typed(whom.name));
    match trouble {
        Trouble::NoStore { path, lack } => no_store(path, lack),
        Trouble::BadFile { path, found, wanted } => {
            let fact = format!("{} has {found}, wanted: {wanted}", quoted(path));
            Refusal::new(Kind::StoreUnavailable, fact, format!("mend that, or run: countersign-setup reset {typed}"))
        }
        Trouble::CantRead { path, errno: number } => cant_read(path, *number),
        Trouble::Damaged { part: Part::Journal, path, .. } => {
            Refusal::new(Kind::Damaged, format!("{} is damaged", quoted(path)), format!("run: countersign-setup unlock {typed}"))
        }
        Trouble::Damaged { part: Part::Record, path, .. } => {
            Refusal::new(Kind::Damaged, format!("{} is damaged", quoted(path)), restore(&typed))
        }
        Trouble::NoJournal { path } => {
            Refusal::new(Kind::Damaged, format!("{} is not there", quoted(path)), format!("run: countersign-setup unlock {typed}"))
        }
        Trouble::Lost { path } => Refusal::new(Kind::Damaged, format!("{} is not there", quoted(path)), restore(&typed)),
        Trouble::Newer { path } => {
            Refusal::new(Kind::NewerFormat, format!("{} was written by a newer Countersign", quoted(path)), "install that")
        }
        Trouble::NotEnrolled => {
            Refusal::new(Kind::NotEnrolled, format!("{name} is not enrolled"), format!("run: countersign-setup enroll --user {typed}"))
        }
        Trouble::Enrolled => Refusal::new(
            Kind::AlreadyEnrolled,
            format!("{name} is enrolled already"),
            "run it with --replace for a new phone, with --add for one more",
        ),
        Trouble::OtherName { recorded } => Refusal::new(
            Kind::OtherName,
            format!("uid {} is enrolled as {}", whom.uid, quoted(recorded)),
            format!("for the same person run: countersign-setup adopt {typed}"),
        ),
        Trouble::Busy { holder: Some(holder) } => busy(holder),
        Trouble::Busy { holder: None } => Refusal::new(Kind::Busy, "busy, nothing was changed", "try again"),
        Trouble::NotWritten { path, errno: number } => not_written(path, *number, store, entry_shown),
        Trouble::Changed => Refusal::new(
            Kind::ChangedMeanwhile,
            format!("the second factor of {name} was changed meanwhile, nothing was done"),
            format!("see: {}", command("status", whom)),
        ),
        Trouble::OutOfMemory => Refusal::new(Kind::StoreUnavailable, "memory is out, nothing was changed", "try again"),
    }
}

fn restore(typed: &str) -> String {
    format!("restore it, or run: countersign-setup reset {typed}")
}

fn no_store(path: &str, lack: &Lack) -> Refusal {
    match lack {
        Lack::Folder(libc::ENOENT) | Lack::Marker => {
            Refusal::new(Kind::StoreUnavailable, format!("no store at {}", escaped(path.as_bytes(), 4096)), "run: countersign-setup init")
        }
        Lack::Folder(number) => cant_read(path, *number),
        Lack::Guard { found, wanted } => Refusal::new(
            Kind::StoreUnavailable,
            format!("{} has {found}, wanted: {wanted}", quoted(path)),
            "mend that, then run: countersign-setup doctor",
        ),
    }
}

fn cant_read(path: &str, number: i32) -> Refusal {
    Refusal::new(Kind::StoreUnavailable, format!("can't read {} ({})", quoted(path), errno(number)), "run: countersign-setup doctor")
}

fn busy(holder: &Holder) -> Refusal {
    let Holder { pid, name, real_uid, stopped } = holder;
    let state = if *stopped { ", stopped" } else { "" };
    let fact = format!("busy: held by process {pid} ({}, uid {real_uid}{state})", escaped(name.as_bytes(), 64));
    Refusal::new(Kind::Busy, fact, format!("end it: kill -9 {pid}"))
}

fn not_written(path: &str, number: i32, store: &str, entry_shown: bool) -> Refusal {
    match number {
        libc::ENOSPC | libc::EDQUOT => {
            let delete = if entry_shown { ", delete the new entry from the app" } else { "" };
            let next = format!("free some{delete} and start again");
            Refusal::new(Kind::NoSpace, format!("no space left in {}, nothing was changed", quoted(store)), next)
        }
        libc::EROFS => Refusal::new(
            Kind::StoreUnavailable,
            format!("can't write {} (read-only file system), nothing was changed", quoted(store)),
            "mend that and start again",
        ),
        _ => Refusal::new(
            Kind::StoreUnavailable,
            format!("can't write {} ({}), nothing was changed", quoted(path), errno(number)),
            "mend that and start again",
        ),
    }
}

/// What is so now, after a write whose end is not known.
pub fn maybe(trouble: &Trouble, whom: &Whom<'_>, store: &str) -> Refusal {
    let fact = match trouble {
        Trouble::NotWritten { path, errno: number } => format!("can't write {} ({})", quoted(path), errno(*number)),
        other => told(other, whom, store, false).fact,
    };
    let next = format!("see: {}", command("status", whom));
    Refusal::new(Kind::StoreUnavailable, format!("{fact}, it may have been done"), next)
}
