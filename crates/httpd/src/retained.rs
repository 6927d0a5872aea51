//! What outlives httpd's configurations and the unloading of the module: bytes and descriptors under a name. The
//! memory is httpd's (`ap_retained_data_create`) and the C heap's, so no code or type of one load is needed to read
//! what another left.

use httpd_sys as sys;
use libc::{c_int, c_void};
use std::ffi::CStr;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr::NonNull;

/// Tells our memory, and the form of it, from another's under the same name.
const FORM: u64 = 0x7773_6769_0000_0001;

/// The most descriptors one name can hold.
const DESCRIPTORS_MAX: usize = 1 << 16;

/// The memory behind a name. Made zeroed by httpd.
#[repr(C)]
struct Memory {
    form: u64,
    bytes: *mut u8,
    length: usize,
    descriptors: *mut c_int,
    count: usize,
}

/// Bytes and descriptors kept under a name, for the parent's one thread.
pub struct Retained {
    memory: NonNull<Memory>,
}

fn find(name: &CStr) -> Option<NonNull<Memory>> {
    // SAFETY: a C string; httpd answers null for an unknown name.
    NonNull::new(unsafe { sys::ap_retained_data_get(name.as_ptr()) }.cast::<Memory>())
}

fn known(memory: NonNull<Memory>) -> Option<Retained> {
    // SAFETY: whoever made it, it is at least as long as the form word only if it is ours; names are ours by convention (the
    // module's name is part of them).
    (unsafe { memory.as_ref() }.form == FORM).then_some(Retained { memory })
}

impl Retained {
    /// What is kept under `name`; empty at first. `None` if the name belongs to somebody else or to another version of
    /// this form: then choose another name.
    pub fn open(name: &'static CStr) -> Option<Retained> {
        if let Some(memory) = find(name) {
            return known(memory);
        }
        // httpd copies neither the name nor anything else, so the name must outlive this load of the module.
        let name = NonNull::new(crate::text::leak_on_c_heap(name))?;
        // SAFETY: the name lives for ever; httpd returns zeroed memory of the size asked for, from the process's pool.
        let made = unsafe { sys::ap_retained_data_create(name.as_ptr(), size_of::<Memory>()) };
        let mut memory = NonNull::new(made.cast::<Memory>())?;
        // SAFETY: fresh zeroed memory, aligned for any type as all of APR's.
        unsafe { memory.as_mut() }.form = FORM;
        Some(Retained { memory })
    }

    /// What was kept under `name` before; `None` if nothing was, or if it is not of this form. Takes no memory, so that it may
    /// be called in a process that was just forked.
    pub fn find(name: &'static CStr) -> Option<Retained> {
        known(find(name)?)
    }

    fn memory(&self) -> &Memory {
        // SAFETY: the process's pool is never cleared; one thread (see the type).
        unsafe { self.memory.as_ref() }
    }

    fn memory_mut(&mut self) -> &mut Memory {
        // SAFETY: as above; no reference into it leaves a method.
        unsafe { self.memory.as_mut() }
    }

    /// A copy of the bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let memory = self.memory();
        if memory.bytes.is_null() {
            return Vec::new();
        }
        // SAFETY: `set_bytes` wrote this many bytes there.
        unsafe { std::slice::from_raw_parts(memory.bytes, memory.length) }.to_vec()
    }

    /// Replaces the bytes.
    pub fn set_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let memory = self.memory_mut();
        // SAFETY: null or from this function; one byte at least, so that null is an error.
        let grown = unsafe { libc::realloc(memory.bytes.cast::<c_void>(), bytes.len().max(1)) }.cast::<u8>();
        if grown.is_null() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // SAFETY: the memory has room for the bytes and is not theirs.
        unsafe { grown.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        memory.bytes = grown;
        memory.length = bytes.len();
        Ok(())
    }

    /// A new descriptor (close-on-exec) for what is kept under `slot`; `None` if nothing is.
    pub fn descriptor(&self, slot: usize) -> io::Result<Option<OwnedFd>> {
        match self.raw_descriptor(slot) {
            // SAFETY: the descriptor is kept open by this memory until it is replaced or taken.
            Some(fd) => unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned().map(Some),
            None => Ok(None),
        }
    }

    /// Keeps a descriptor under `slot` and closes what was there.
    pub fn keep_descriptor(&mut self, slot: usize, fd: OwnedFd) -> io::Result<()> {
        self.make_room(slot)?;
        drop(self.take_descriptor(slot));
        // SAFETY: `make_room` has made the slot.
        unsafe { self.memory_mut().descriptors.add(slot).write(fd.into_raw_fd()) };
        Ok(())
    }

    /// Takes the descriptor under `slot` out.
    pub fn take_descriptor(&mut self, slot: usize) -> Option<OwnedFd> {
        let fd = self.raw_descriptor(slot)?;
        // SAFETY: the slot exists; nobody else owns the descriptor, and the slot forgets it now.
        unsafe {
            self.memory_mut().descriptors.add(slot).write(-1);
            Some(OwnedFd::from_raw_fd(fd))
        }
    }

    /// The number of slots, used and unused: every slot in use is below.
    pub fn slots(&self) -> usize {
        self.memory().count
    }

    fn raw_descriptor(&self, slot: usize) -> Option<c_int> {
        let memory = self.memory();
        // SAFETY: `make_room` wrote all slots below `count`.
        (slot < memory.count).then(|| unsafe { memory.descriptors.add(slot).read() }).filter(|&fd| fd >= 0)
    }

    fn make_room(&mut self, slot: usize) -> io::Result<()> {
        if slot >= DESCRIPTORS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors to keep"));
        }
        let memory = self.memory_mut();
        if slot < memory.count {
            return Ok(());
        }
        let size = (slot + 1) * size_of::<c_int>();
        // SAFETY: null or from this function; the size is small (see DESCRIPTORS_MAX).
        let grown = unsafe { libc::realloc(memory.descriptors.cast::<c_void>(), size) }.cast::<c_int>();
        if grown.is_null() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        for new in memory.count..=slot {
            // SAFETY: inside the grown memory.
            unsafe { grown.add(new).write(-1) };
        }
        memory.descriptors = grown;
        memory.count = slot + 1;
        Ok(())
    }

    /// Closes every kept descriptor, for children: they must not hold what belongs to the parent.
    pub fn close_descriptors(&mut self) {
        for slot in 0..self.slots() {
            drop(self.take_descriptor(slot));
        }
    }
}
