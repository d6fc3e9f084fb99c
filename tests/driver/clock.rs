//! The clock as libpam and its modules see it: functions of libc's names in the program come before libc's own.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicI64, Ordering};

/// From now on it is that time (unix seconds), and stays it.
pub(crate) fn stop_at(now: i64) {
    CLOCK.store(now, Ordering::Relaxed);
}

/// 0: the real one.
static CLOCK: AtomicI64 = AtomicI64::new(0);

/// libc's, with another time of day.
///
/// # Safety
/// `time` is a place for a timespec.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    let now = CLOCK.load(Ordering::Relaxed);
    if now != 0 && matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE) {
        // SAFETY: the caller's contract.
        unsafe { *time = libc::timespec { tv_sec: now, tv_nsec: 0 } };
        return 0;
    }
    // SAFETY: the caller's contract.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int }
}

/// # Safety
/// `place` is NULL or a place for a time.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn time(place: *mut libc::time_t) -> libc::time_t {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a timespec of ours.
    unsafe { clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    if !place.is_null() {
        // SAFETY: the caller's contract.
        unsafe { *place = now.tv_sec };
    }
    now.tv_sec
}

/// # Safety
/// `place` is a place for a timeval.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn gettimeofday(place: *mut libc::timeval, _: *mut c_void) -> c_int {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a timespec of ours.
    unsafe { clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    // SAFETY: the caller's contract.
    unsafe { *place = libc::timeval { tv_sec: now.tv_sec, tv_usec: now.tv_nsec / 1000 } };
    0
}
