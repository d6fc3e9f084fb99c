//! Writes that fail, as on a full or broken disk, memory that is out, answers that are freed: the program's
//! functions come before libc's.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use nix::errno::Errno;

/// From now on every positioned write fails with that errno.
pub(crate) fn fail_writes(errno: c_int) {
    ERRNO.store(errno, Ordering::Relaxed);
}

/// 0: none.
static ERRNO: AtomicI32 = AtomicI32::new(0);

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pwrite(fd: c_int, bytes: *const c_void, length: usize, place: i64) -> isize {
    let errno = ERRNO.load(Ordering::Relaxed);
    if errno != 0 {
        Errno::set_raw(errno);
        return -1;
    }
    // SAFETY: the caller's contract.
    unsafe { libc::syscall(libc::SYS_pwrite64, fd, bytes, length, place) as isize }
}

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, length: usize, place: i64) -> isize {
    // SAFETY: the caller's contract.
    unsafe { pwrite(fd, bytes, length, place) }
}

/// So many allocations more, and then none; -1: all. What was left until now.
pub(crate) fn leave_memory(allocations: i64) -> i64 {
    LEFT.swap(allocations, Ordering::Relaxed)
}

static LEFT: AtomicI64 = AtomicI64::new(-1);

/// How many allocations of 1 MiB and more there were.
pub(crate) fn large_allocations() -> u64 {
    LARGE.load(Ordering::Relaxed)
}

static LARGE: AtomicU64 = AtomicU64::new(0);

fn is_out_of_memory(size: usize) -> bool {
    if size >= 1 << 20 {
        LARGE.fetch_add(1, Ordering::Relaxed);
    }
    match LEFT.load(Ordering::Relaxed) {
        -1 => return false,
        0 => {}
        left => {
            LEFT.store(left - 1, Ordering::Relaxed);
            return false;
        }
    }
    Errno::set_raw(libc::ENOMEM);
    true
}

/// An answer of that many bytes lies there: when it is freed, it is looked at.
pub(crate) fn watch(answer: *const u8, length: usize) {
    LENGTH.store(length, Ordering::Relaxed);
    ANSWER.store(answer as usize, Ordering::Relaxed);
}

/// How many of the watched answers were freed wiped, and how many as they were.
pub(crate) fn freed_answers() -> (u64, u64) {
    (WIPED.load(Ordering::Relaxed), UNWIPED.load(Ordering::Relaxed))
}

static ANSWER: AtomicUsize = AtomicUsize::new(0);
static LENGTH: AtomicUsize = AtomicUsize::new(0);
static WIPED: AtomicU64 = AtomicU64::new(0);
static UNWIPED: AtomicU64 = AtomicU64::new(0);

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn free(block: *mut c_void) {
    if !block.is_null() && ANSWER.load(Ordering::Relaxed) == block as usize {
        ANSWER.store(0, Ordering::Relaxed);
        // SAFETY: it is freed below, and no sooner.
        let bytes = unsafe { std::slice::from_raw_parts(block.cast::<u8>(), LENGTH.load(Ordering::Relaxed)) };
        let count = if bytes.iter().all(|byte| *byte == 0) { &WIPED } else { &UNWIPED };
        count.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the caller's contract.
    unsafe { __libc_free(block) }
}

unsafe extern "C" {
    fn __libc_free(block: *mut c_void);
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
}

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: the caller's contract.
    if is_out_of_memory(size) { std::ptr::null_mut() } else { unsafe { __libc_malloc(size) } }
}

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: the caller's contract.
    if is_out_of_memory(count.saturating_mul(size)) { std::ptr::null_mut() } else { unsafe { __libc_calloc(count, size) } }
}

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller's contract.
    if is_out_of_memory(size) { std::ptr::null_mut() } else { unsafe { __libc_realloc(block, size) } }
}

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    // SAFETY: the caller's contract.
    if is_out_of_memory(size) { std::ptr::null_mut() } else { unsafe { __libc_memalign(alignment, size) } }
}

/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn posix_memalign(place: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
    // SAFETY: the caller's contract.
    let block = unsafe { aligned_alloc(alignment, size) };
    if block.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: the caller's contract.
    unsafe { *place = block };
    0
}
