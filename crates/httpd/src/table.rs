//! APR tables: headers, notes, the environment of a request. Names compare without regard to case; values are bytes.

use crate::pool::Pool;
use crate::text::{self, Key};
use httpd_sys as sys;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A table httpd owns, alive for `'r`. A handle: copies name the same table.
#[derive(Clone, Copy)]
pub struct Table<'r> {
    raw: NonNull<sys::apr_table_t>,
    life: PhantomData<&'r sys::apr_table_t>,
}

impl<'r> Table<'r> {
    /// Wraps a table httpd handed out.
    ///
    /// # Safety
    /// `raw` lives for `'r`, its pool too, and only this thread uses it.
    pub(crate) unsafe fn from_raw(raw: *mut sys::apr_table_t) -> Table<'r> {
        match NonNull::new(raw) {
            Some(raw) => Table { raw, life: PhantomData },
            None => panic!("httpd handed out no table"),
        }
    }

    fn array(self) -> *const sys::apr_array_header_t {
        // SAFETY: the table is live; APR returns its own array, never null.
        unsafe { sys::apr_table_elts(self.raw.as_ptr()) }
    }

    fn pool(self) -> Pool<'r> {
        // SAFETY: the array names the pool the table was made in, which outlives the table.
        unsafe { Pool::from_raw((*self.array()).pool) }
    }

    /// The value of the first entry named `name`.
    pub fn get(self, name: impl Key) -> Option<&'r [u8]> {
        // SAFETY: table and key are live for the call. APR's tables replace values by pointer and never write into
        // one, and the pool keeps the old text until the table goes.
        unsafe { text::bytes(sys::apr_table_get(self.raw.as_ptr(), name.as_c().as_ptr())) }
    }

    /// Sets `name` to copies of `value`, instead of every entry of that name. Both end at their first NUL.
    pub fn set(self, name: &[u8], value: &[u8]) {
        let pool = self.pool();
        // SAFETY: both copies live in the table's pool, as apr_table_setn asks.
        unsafe { sys::apr_table_setn(self.raw.as_ptr(), pool.copy(name), pool.copy(value)) }
    }

    /// Adds an entry, whether or not the name is there already. Both end at their first NUL.
    pub fn add(self, name: &[u8], value: &[u8]) {
        let pool = self.pool();
        // SAFETY: both copies live in the table's pool, as apr_table_addn asks.
        unsafe { sys::apr_table_addn(self.raw.as_ptr(), pool.copy(name), pool.copy(value)) }
    }

    /// Removes every entry named `name`.
    pub fn unset(self, name: impl Key) {
        // SAFETY: table and key are live for the call.
        unsafe { sys::apr_table_unset(self.raw.as_ptr(), name.as_c().as_ptr()) }
    }

    /// Removes every entry.
    pub fn clear(self) {
        // SAFETY: the table is live.
        unsafe { sys::apr_table_clear(self.raw.as_ptr()) }
    }

    /// The number of entries.
    pub fn len(self) -> usize {
        // SAFETY: the array is live.
        usize::try_from(unsafe { (*self.array()).nelts }).unwrap_or(0)
    }

    /// Whether there is no entry.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The entries in order, duplicates included. Changing the table meanwhile is allowed; entries may then be
    /// skipped or seen twice.
    pub fn iter(self) -> Entries<'r> {
        Entries { table: self, next: 0 }
    }
}

impl<'r> IntoIterator for Table<'r> {
    type Item = (&'r [u8], &'r [u8]);
    type IntoIter = Entries<'r>;

    fn into_iter(self) -> Entries<'r> {
        self.iter()
    }
}

/// The entries of a [`Table`], as name and value. An entry without a value (some modules make such in
/// `subprocess_env`) has the empty one.
pub struct Entries<'r> {
    table: Table<'r>,
    next: usize,
}

impl<'r> Iterator for Entries<'r> {
    type Item = (&'r [u8], &'r [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.table.len() {
            // SAFETY: the index is inside the array as it is now; entries are apr_table_entry_t (apr_tables.h).
            let entry =
                unsafe { (*self.table.array()).elts.cast::<sys::apr_table_entry_t>().add(self.next).read() };
            self.next += 1;
            // SAFETY: name and value are strings in a pool that outlives the table, and are never written into.
            let (name, value) = unsafe { (text::bytes(entry.key), text::bytes(entry.val)) };
            if let Some(name) = name {
                return Some((name, value.unwrap_or_default()));
            }
        }
        None
    }
}
