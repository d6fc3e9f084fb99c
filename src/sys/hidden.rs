//! Work with secrets that stays out of a core dump of the host.
//!
//! A host that dies in the middle of it may leave its memory in a file, and a guest can't forbid that to its host: neither
//! the dumpable flag nor RLIMIT_CORE is ours to change. Pages can be left out of the file, one by one: here the stack
//! that the work runs on, and as long as it runs `pam::reserve` gives it memory that is left out as well.
//!
//! What the work gives back MUST hold no secret, because it leaves both. It MUST NOT hide work of its own: the inner end
//! would put the outer's stack back into a dump. Nothing here fails but by leaving less out: an old kernel's errors, and
//! a filter's, are ignored. Registers are no pages: what they hold is in every dump.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use zeroize::Zeroize;

/// Does that work hidden; a panic passes through.
#[inline(never)]
pub fn hidden<T>(work: impl FnOnce() -> T) -> T {
    let _until_dropped = Hidden::begin();
    further_down(work)
}

/// Whether any is done, in whatever thread: a thread-local's destructor would pin the module in the host.
pub fn is_hiding() -> bool {
    HIDING.load(Ordering::Relaxed) > 0
}

static HIDING: AtomicUsize = AtomicUsize::new(0);

/// Leaves memory of our own out of every dump from now on, with what else lies in its first and last page.
pub fn leave_out_of_dumps(start: *const u8, size: usize) {
    let Some(page) = page_size() else { return };
    let first = start.addr().saturating_sub(start.addr().checked_rem(page).unwrap_or(0));
    let size = start.addr().saturating_add(size).saturating_sub(first);
    advise(first, size, libc::MADV_DONTDUMP);
}

struct Hidden {
    /// Where the pages of the stack begin that are left out.
    stack: Option<usize>,
}

impl Hidden {
    fn begin() -> Self {
        HIDING.fetch_add(1, Ordering::Relaxed);
        let end = end_of_room();
        let last = end.saturating_sub(end & (PAGE - 1));
        let stack = (page_size() == Some(PAGE)).then(|| last.saturating_sub(LEFT_OUT));
        stack.inspect(|&start| advise(start, LEFT_OUT, libc::MADV_DONTDUMP));
        Self { stack }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        wipe_room();
        self.stack.inspect(|&start| advise(start, LEFT_OUT, libc::MADV_DODUMP));
        HIDING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The stack that is made ready, half of the smallest that a host may have. Of the pages that are left out a code of the
/// app needs 12 KiB and a recovery code 18.
const ROOM: usize = 32 * 1024;
/// Where pages are larger, the stack is wiped and not left out.
const PAGE: usize = 4096;
/// Whole pages of the room. The one below them is of the room too and stays in a dump: a stack that grows hands the marks
/// of its lowest page on.
const LEFT_OUT: usize = ROOM - 2 * PAGE;
/// How much of the room may lie above them, and is left free.
const ABOVE: usize = PAGE + 1024;

type Room = [u64; ROOM / size_of::<u64>()];

/// Touches the room below the caller, so that it is there, and the stack's; the address of its end.
#[inline(never)]
fn end_of_room() -> usize {
    let room: Room = [0; ROOM / size_of::<u64>()];
    black_box(&room).as_ptr_range().end.addr()
}

#[inline(never)]
fn wipe_room() {
    let mut room: Room = [0; ROOM / size_of::<u64>()];
    room.zeroize();
}

/// Does the work below the part of the room that no whole page covers.
#[inline(never)]
fn further_down<T>(work: impl FnOnce() -> T) -> T {
    let above = [0_u8; ABOVE];
    black_box(&above);
    let result = apart(work);
    black_box(&above);
    result
}

/// In a frame of its own, whatever the optimizer thinks of it.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}

fn page_size() -> Option<usize> {
    // SAFETY: a question.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).ok().filter(|&size| size > 0)
}

/// Whole pages from the start of one. Only what a dump holds changes.
fn advise(start: usize, size: usize, advice: std::ffi::c_int) {
    // SAFETY: neither advice that is given here changes what the memory holds, or who may use it.
    unsafe { libc::madvise(ptr::without_provenance_mut(start), size, advice) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt;
    use std::panic::{catch_unwind, resume_unwind};

    /// Whether the mapping that an address lies in is left out of a dump.
    fn is_left_out(address: usize) -> bool {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut here = false;
        for line in maps.lines() {
            if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| here) {
                return flags.split(' ').any(|flag| flag == "dd");
            }
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let number = |text| usize::from_str_radix(text, 16).ok();
            if let Some((start, end)) = range.and_then(|(start, end)| Some((number(start)?, number(end)?))) {
                here = (start..end).contains(&address);
            }
        }
        panic!("{address:x} is in no mapping");
    }

    /// From so many places within a page.
    fn at_every_depth(levels: usize, check: fn()) {
        let frame = [0_u8; 200];
        black_box(&frame);
        check();
        if levels > 0 {
            at_every_depth(levels.saturating_sub(1), check);
        }
        black_box(&frame);
    }

    #[test]
    fn the_stack_of_the_work_is_left_out_and_comes_back() {
        at_every_depth(20, || {
            let outside = [0_u8; 64];
            let place = hidden(|| {
                let within = [1_u8; 64];
                let place = black_box(&within).as_ptr().addr();
                assert!(is_hiding());
                assert!(is_left_out(place));
                assert!(is_left_out(place.saturating_sub(18 * 1024)));
                assert!(!is_left_out(place.saturating_sub(ROOM)));
                assert!(!is_left_out(black_box(&outside).as_ptr().addr()));
                place
            });
            assert!(!is_left_out(place));
        });
    }

    #[test]
    fn the_stack_of_the_work_is_wiped() {
        let work = || {
            let deep = [0xab_u8; 14 * 1024];
            black_box(&deep).as_ptr().addr()
        };
        let after = |place: usize| {
            let mut bytes = [1; 16];
            File::open("/proc/self/mem").unwrap().read_exact_at(&mut bytes, place.try_into().unwrap()).unwrap();
            bytes
        };
        assert_eq!(after(hidden(work)), [0; 16]);
        // Unhidden it lies there still: nothing else has come so deep.
        assert_eq!(after(further_down(work)), [0xab; 16]);
    }

    #[test]
    fn a_panic_passes_and_leaves_nothing_behind() {
        let place = std::sync::Mutex::new(0);
        let panicked = catch_unwind(|| {
            hidden(|| {
                let within = [1_u8; 64];
                *place.lock().unwrap() = black_box(&within).as_ptr().addr();
                resume_unwind(Box::new("out of here"));
            });
        });
        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"out of here"));
        assert!(!is_left_out(place.into_inner().unwrap()));
    }
}
