//! Anonymous memory that a process shares with the children it forks: 32-bit counters, nothing else.

use std::io::Result;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Zeroed counters in a shared anonymous mapping. Children that are forked later see the same memory; an executed
/// program does not. Unmapped on drop in the process that drops it.
#[derive(Debug)]
pub struct SharedCounters {
    base: NonNull<AtomicU32>,
    count: usize,
}

// SAFETY: the mapping is only reached through atomics, which any thread may use, and stays until drop.
unsafe impl Send for SharedCounters {}
// SAFETY: as above.
unsafe impl Sync for SharedCounters {}

impl SharedCounters {
    /// Maps `count` counters (at least one), all zero.
    ///
    /// # Errors
    /// Any of mmap(2).
    pub fn new(count: usize) -> Result<Self> {
        let count = count.max(1);
        let length = count * size_of::<AtomicU32>();
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches no existing memory.
        let memory = unsafe {
            mmap_anonymous(std::ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED)
        }?;
        let base = NonNull::new(memory.cast()).ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, count })
    }

    /// The counters.
    #[must_use]
    pub fn cells(&self) -> &[AtomicU32] {
        // SAFETY: the kernel gave `count` zeroed, page-aligned words, mapped until `self` is dropped; they are only
        // ever accessed as atomics, in this process and in its children.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.count) }
    }
}

impl Drop for SharedCounters {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made in `new`, and no reference from `cells` outlives `self`.
        // A failing munmap leaves the memory mapped, which harms nothing.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.count * size_of::<AtomicU32>()) };
    }
}
