//! The allocator: the system's, and a small reserve for when that has nothing left.
//!
//! Rust aborts the process when a small allocation fails, inside `catch_unwind` too, and the process is sshd or su. With
//! the reserve a login runs to its end, which is a refusal where something large is missing. It holds for small requests
//! alone: larger ones fail, and their callers say so. No thread-local, whose destructor would pin the module in the host.
//!
//! While secrets are worked with (`sys::hidden`) it is the other way round: the reserve answers first, because it is left
//! out of a core dump, and the system answers what doesn't fit. What comes back to the reserve is wiped.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys;

const SIZE: usize = 512 * 1024;
const LARGEST: usize = 64 * 1024;
const UNIT: usize = 256;
const UNITS: usize = SIZE / UNIT;

/// What the reserve stands behind.
pub(super) trait Before: GlobalAlloc {
    /// Whether the reserve answers first.
    fn steps_back(&self) -> bool;
}

impl Before for System {
    fn steps_back(&self) -> bool {
        sys::is_hiding()
    }
}

pub(super) struct Reserve<A = System> {
    system: A,
    left_out: AtomicBool,
    taken: [AtomicBool; UNITS],
    memory: Memory,
}

/// As aligned as the largest alignment that is served. What no block holds is zero.
#[repr(C, align(4096))]
struct Memory(UnsafeCell<[u8; SIZE]>);

// SAFETY: a unit of the memory belongs to whoever has set its flag in `taken`, and the flags are atomic.
unsafe impl Sync for Memory {}

impl<A> Reserve<A> {
    pub(super) const fn behind(system: A) -> Self {
        Self {
            system,
            left_out: AtomicBool::new(false),
            taken: [const { AtomicBool::new(false) }; UNITS],
            memory: Memory(UnsafeCell::new([0; SIZE])),
        }
    }

    fn start(&self) -> *mut u8 {
        self.memory.0.get().cast()
    }

    /// First fit; null if there is none.
    fn take(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LARGEST || layout.align() > align_of::<Memory>() {
            return ptr::null_mut();
        }
        let step = layout.align().div_ceil(UNIT);
        let mut candidates = (0..UNITS).step_by(step);
        let place = candidates.find(|&first| self.claim(first, units(layout)));
        place.map_or(ptr::null_mut(), |first| self.start().wrapping_add(first.saturating_mul(UNIT)))
    }

    /// All or nothing, whoever else claims at this moment.
    fn claim(&self, first: usize, count: usize) -> bool {
        let Some(wanted) = self.taken.get(first..first.saturating_add(count)) else { return false };
        let got = wanted.iter().take_while(|unit| !unit.swap(true, Ordering::Acquire)).count();
        if got < count {
            release(wanted.iter().take(got));
        }
        got == count
    }

    fn first_unit(&self, block: *mut u8) -> Option<usize> {
        let offset = block.addr().checked_sub(self.start().addr())?;
        (offset < SIZE).then_some(offset / UNIT)
    }
}

fn units(layout: Layout) -> usize {
    layout.size().div_ceil(UNIT).max(1)
}

fn release<'a>(units: impl Iterator<Item = &'a AtomicBool>) {
    units.for_each(|unit| unit.store(false, Ordering::Release));
}

impl<A: Before> Reserve<A> {
    /// From the reserve, if it is its turn and has room.
    fn take_first(&self, layout: Layout) -> *mut u8 {
        if !self.system.steps_back() {
            return ptr::null_mut();
        }
        // Once for as long as the memory is mapped; a second thread does the same again.
        if !self.left_out.load(Ordering::Relaxed) {
            sys::leave_out_of_dumps(self.start(), SIZE);
            self.left_out.store(true, Ordering::Relaxed);
        }
        self.take(layout)
    }
}

// SAFETY: a block is the system's, or units that nobody else has, large and aligned enough; a block's address tells which.
unsafe impl<A: Before> GlobalAlloc for Reserve<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = self.take_first(layout);
        if !block.is_null() {
            return block;
        }
        // SAFETY: the caller's contract is the same.
        let block = unsafe { self.system.alloc(layout) };
        if block.is_null() { self.take(layout) } else { block }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = self.take_first(layout);
        if !block.is_null() {
            return block;
        }
        // SAFETY: the caller's contract is the same.
        let block = unsafe { self.system.alloc_zeroed(layout) };
        if block.is_null() { self.take(layout) } else { block }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.first_unit(block) {
            Some(first) => {
                // SAFETY: the block is the caller's until its units are released, and so long.
                unsafe { block.write_bytes(0, layout.size()) };
                release(self.taken.iter().skip(first).take(units(layout)));
            }
            // SAFETY: what is not from the reserve is from the system, with this layout.
            None => unsafe { self.system.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // While the reserve answers first, nothing grows in the system's memory that may be a secret by then.
        if self.first_unit(block).is_none() && !self.system.steps_back() {
            // SAFETY: the block is the system's, and the caller's contract is the same.
            let moved = unsafe { self.system.realloc(block, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: the caller keeps `size`, rounded up to the alignment, within bounds.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the caller's contract: `size` is not 0.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both blocks are at least so long, and two live blocks don't overlap.
            unsafe { moved.copy_from_nonoverlapping(block, layout.size().min(size)) };
            // SAFETY: the old block was made by this allocator with this layout, and is not used again.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// A system that answers so many times.
    struct Failing {
        answers: AtomicUsize,
        steps_back: AtomicBool,
    }

    impl Failing {
        const fn after(answers: usize) -> Self {
            Self { answers: AtomicUsize::new(answers), steps_back: AtomicBool::new(false) }
        }
    }

    // SAFETY: the system's blocks or null.
    unsafe impl GlobalAlloc for Failing {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let answers = self.answers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            // SAFETY: the caller's contract is the same.
            answers.map_or(ptr::null_mut(), |_| unsafe { System.alloc(layout) })
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the caller's contract is the same.
            unsafe { System.dealloc(block, layout) }
        }
    }

    impl Before for Failing {
        fn steps_back(&self) -> bool {
            self.steps_back.load(Ordering::Relaxed)
        }
    }

    /// A block as the tests hold it, filled with a mark.
    struct Block<'r> {
        reserve: &'r Reserve<Failing>,
        start: *mut u8,
        layout: Layout,
    }

    impl<'r> Block<'r> {
        fn of(reserve: &'r Reserve<Failing>, size: usize, align: usize) -> Option<Self> {
            let layout = Layout::from_size_align(size, align).unwrap();
            // SAFETY: no test asks for 0 bytes.
            let start = unsafe { reserve.alloc(layout) };
            (!start.is_null()).then_some(Self { reserve, start, layout })
        }

        fn fill(&self, mark: u8) {
            // SAFETY: the block is ours and so long.
            unsafe { self.start.write_bytes(mark, self.layout.size()) };
        }

        fn bytes(&self) -> &[u8] {
            // SAFETY: the block is ours, so long, and filled.
            unsafe { std::slice::from_raw_parts(self.start, self.layout.size()) }
        }

        fn grow(&mut self, size: usize) -> bool {
            // SAFETY: the block was made with this layout.
            let moved = unsafe { self.reserve.realloc(self.start, self.layout, size) };
            if !moved.is_null() {
                self.start = moved;
                self.layout = Layout::from_size_align(size, self.layout.align()).unwrap();
            }
            !moved.is_null()
        }

        fn is_reserved(&self) -> bool {
            self.reserve.first_unit(self.start).is_some()
        }
    }

    impl Drop for Block<'_> {
        fn drop(&mut self) {
            // SAFETY: the block was made with this layout, and ends here.
            unsafe { self.reserve.dealloc(self.start, self.layout) };
        }
    }

    fn is_free(reserve: &Reserve<Failing>) -> bool {
        reserve.taken.iter().all(|unit| !unit.load(Ordering::Relaxed))
    }

    #[test]
    fn the_system_answers_first() {
        static RESERVE: Reserve<Failing> = Reserve::behind(Failing::after(1));
        let first = Block::of(&RESERVE, 100, 8).unwrap();
        let second = Block::of(&RESERVE, 100, 8).unwrap();
        assert!(!first.is_reserved());
        assert!(second.is_reserved());
    }

    #[test]
    fn the_reserve_is_used_up_to_its_last_byte_and_comes_back() {
        static RESERVE: Reserve<Failing> = Reserve::behind(Failing::after(0));
        for _ in 0..3 {
            let blocks: Vec<Block<'_>> = (0..8).map(|_| Block::of(&RESERVE, LARGEST, 16).unwrap()).collect();
            assert!(Block::of(&RESERVE, 1, 1).is_none());
            for (mark, block) in (0..8).zip(&blocks) {
                block.fill(mark);
            }
            for (mark, block) in (0..8).zip(&blocks) {
                assert!(block.bytes().iter().all(|&byte| byte == mark));
            }
            drop(blocks);
            assert!(is_free(&RESERVE));
        }
    }

    #[test]
    fn what_is_too_large_or_too_aligned_fails() {
        static RESERVE: Reserve<Failing> = Reserve::behind(Failing::after(0));
        assert!(Block::of(&RESERVE, LARGEST + 1, 1).is_none());
        assert!(Block::of(&RESERVE, 64, 8192).is_none());
        assert!(is_free(&RESERVE));
    }

    #[test]
    fn blocks_are_aligned_and_apart() {
        static RESERVE: Reserve<Failing> = Reserve::behind(Failing::after(0));
        let wanted = [(1, 1), (300, 8), (10, 4096), (700, 512), (256, 256), (60_000, 16)];
        let blocks: Vec<Block<'_>> = wanted.iter().map(|&(size, align)| Block::of(&RESERVE, size, align).unwrap()).collect();
        assert!(blocks.iter().all(|block| block.start.addr().is_multiple_of(block.layout.align())));
        let mut ends: Vec<(usize, usize)> =
            blocks.iter().map(|block| (block.start.addr(), block.start.addr() + block.layout.size())).collect();
        ends.sort_unstable();
        assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    }

    #[test]
    fn zeroed_memory_is_zero_after_use() {
        static RESERVE: Reserve<Failing> = Reserve::behind(Failing::after(0));
        let block = Block::of(&RESERVE, 512, 1).unwrap();
        block.fill(0xff);
        let (start, layout) = (block.start, block.layout);
        drop(block);
        // SAFETY: no 0 bytes.
        let again = unsafe { RESERVE.alloc_zeroed(layout) };
        assert_eq!(again, start);
        let again = Block { reserve: &RESERVE, start: again, layout };
        assert!(again.bytes().iter().all(|&byte| byte == 0));
    }

    #[test]
    fn what_is_given_back_is_wiped() {
        static RESERVE: Reserve<Failing> = Reserve::behind(Failing::after(0));
        let (short, long) = (Block::of(&RESERVE, 100, 1).unwrap(), Block::of(&RESERVE, 5000, 1).unwrap());
        short.fill(b'x');
        long.fill(b'x');
        drop((short, long));
        // SAFETY: nobody has a block of it.
        let memory = unsafe { std::slice::from_raw_parts(RESERVE.start(), SIZE) };
        assert!(memory.iter().all(|&byte| byte == 0));
    }

    #[test]
    fn while_secrets_are_worked_with_the_reserve_answers_first() {
        static RESERVE: Reserve<Failing> = Reserve::behind(Failing::after(100));
        let mut before = Block::of(&RESERVE, 100, 8).unwrap();
        before.fill(b'x');
        RESERVE.system.steps_back.store(true, Ordering::Relaxed);
        let mut within = Block::of(&RESERVE, 100, 8).unwrap();
        assert!(!before.is_reserved() && within.is_reserved());
        assert!(before.grow(300) && before.is_reserved());
        assert_eq!(before.bytes().get(..100), Some([b'x'; 100].as_slice()));
        assert!(within.grow(1000) && within.is_reserved());
        // What has no room there is the system's.
        let large = Block::of(&RESERVE, LARGEST + 1, 8).unwrap();
        assert!(!large.is_reserved());
        let blocks: Vec<Block<'_>> = std::iter::from_fn(|| Block::of(&RESERVE, LARGEST, 8).filter(Block::is_reserved)).collect();
        assert_eq!(blocks.len(), 7);
        assert!(!Block::of(&RESERVE, LARGEST, 8).unwrap().is_reserved());
        drop((large, blocks, before, within));
        assert!(is_free(&RESERVE));
    }

    #[test]
    fn a_block_grows_out_of_the_system_and_within_the_reserve() {
        static RESERVE: Reserve<Failing> = Reserve::behind(Failing::after(1));
        let mut block = Block::of(&RESERVE, 4, 1).unwrap();
        block.fill(b'x');
        assert!(!block.is_reserved());
        assert!(block.grow(300) && block.is_reserved());
        assert!(block.grow(1000));
        assert_eq!(block.bytes().get(..4), Some(b"xxxx".as_slice()));
        assert!(!block.grow(LARGEST + 1));
        drop(block);
        assert!(is_free(&RESERVE));
    }

    #[test]
    fn two_threads_never_get_the_same_block() {
        static RESERVE: Reserve<Failing> = Reserve::behind(Failing::after(0));
        let work = |mark: u8| {
            move || {
                for size in (1..2000).cycle().step_by(7).take(5_000) {
                    let block = Block::of(&RESERVE, size, 1).unwrap();
                    block.fill(mark);
                    assert!(block.bytes().iter().all(|&byte| byte == mark));
                }
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(work(1));
            scope.spawn(work(2));
        });
        assert!(is_free(&RESERVE));
    }
}
