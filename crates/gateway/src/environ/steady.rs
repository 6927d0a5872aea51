//! The part of an environ that is the same from one request to the next: kept as a dict that is copied, which is much cheaper than
//! making and inserting its strings again. Whatever a request says otherwise, or does not say, holds for that request.

use python::{Attached, Object, Result, Stored};

use super::keys::KeyCache;

/// What the server writes into each environ, and seldom differs between requests for one application. Nothing that a client can
/// vary at will, so that nothing of one request stays in memory for the next.
const STEADY: [&[u8]; 17] = [
    b"CONTEXT_DOCUMENT_ROOT",
    b"CONTEXT_PREFIX",
    b"DOCUMENT_ROOT",
    b"REQUEST_METHOD",
    b"REQUEST_SCHEME",
    b"SCRIPT_FILENAME",
    b"SCRIPT_NAME",
    b"SERVER_ADDR",
    b"SERVER_ADMIN",
    b"SERVER_NAME",
    b"SERVER_PORT",
    b"SERVER_PROTOCOL",
    b"SERVER_SOFTWARE",
    b"mod_wsgi.handler_script",
    b"mod_wsgi.listener_host",
    b"mod_wsgi.listener_port",
    b"mod_wsgi.request_handler",
];
/// Longer values are not kept, in bytes.
const MAX_VALUE: usize = 1024;
/// After so many requests in a row that differ from what is kept, it is learned anew.
const PATIENCE: u32 = 32;

/// The dict, and what is in it besides the constants, in the order in which it came.
pub(super) struct Steady {
    dict: Stored,
    entries: Vec<Entry>,
    differed: u32,
}

struct Entry {
    number: usize,
    value: Box<[u8]>,
}

/// One request's way through what is kept.
pub(super) struct Walk<'a> {
    steady: &'a mut Steady,
    next: usize,
    differs: bool,
}

impl Steady {
    /// Whether it is of no use any more.
    pub(super) fn is_stale(&self) -> bool {
        self.differed >= PATIENCE
    }

    /// A dict of the request's own with all that is kept, and the way through its entries.
    pub(super) fn begin<'py>(&mut self, py: Attached<'py>) -> Result<'py, (Object<'py>, Walk<'_>)> {
        let object = self.dict.get(py).dict_copy()?;
        Ok((object, Walk { steady: self, next: 0, differs: false }))
    }
}

impl Walk<'_> {
    /// Whether the dict has just this already. Each entry of the request has to be shown, in its order.
    pub(super) fn has(&mut self, keys: &mut KeyCache, name: &[u8], value: &[u8]) -> bool {
        let Some(entry) = self.steady.entries.get(self.next) else { return false };
        if !keys.is(entry.number, name) {
            return false;
        }
        self.next += 1;
        let same = *entry.value == *value;
        self.differs |= !same;
        keys.expect(if same { entry.number + 1 } else { entry.number });
        same
    }

    /// An entry that was not as kept is set: what is kept before its place has not come, and goes from the dict. Should it come
    /// after all, it is set then.
    pub(super) fn passes(&mut self, keys: &KeyCache, number: usize, object: &Object<'_>) {
        if let Some(place) = keys.place(number)
            && place >= self.next
        {
            self.remove_until(keys, place, object);
            self.next = place + 1;
        }
    }

    /// The request has no more entries.
    pub(super) fn end(mut self, keys: &KeyCache, object: &Object<'_>) {
        self.remove_until(keys, self.steady.entries.len(), object);
        self.steady.differed = if self.differs { self.steady.differed + 1 } else { 0 };
    }

    fn remove_until(&mut self, keys: &KeyCache, place: usize, object: &Object<'_>) {
        for entry in self.steady.entries.get(self.next..place).unwrap_or_default() {
            self.differs = true;
            if let Some(key) = keys.at(object.py(), entry.number) {
                object.dict_remove(&key);
            }
        }
    }
}

/// What a request teaches.
pub(super) struct Lesson<'py> {
    dict: Object<'py>,
    entries: Vec<Entry>,
}

impl<'py> Lesson<'py> {
    /// `dict` has what all requests have.
    pub(super) fn new(dict: Object<'py>) -> Self {
        Self { dict, entries: Vec::new() }
    }

    /// Takes note of an entry that was set.
    pub(super) fn entry(
        &mut self,
        (name, value): (&[u8], &[u8]),
        (key, text): (&Object<'py>, &Object<'py>),
        number: Option<usize>,
    ) -> Result<'py, ()> {
        // HEAD is told by its entry.
        let rare = name == b"REQUEST_METHOD" && value == b"HEAD" || value.len() > MAX_VALUE;
        match number {
            Some(number) if !rare && STEADY.binary_search(&name).is_ok() => {
                self.entries.push(Entry { number, value: value.into() });
                self.dict.dict_set(key, text)
            }
            _ => Ok(()),
        }
    }

    /// `None` when an entry came twice: which one counts is not for this to say.
    pub(super) fn learned(self, keys: &mut KeyCache) -> Option<Steady> {
        let numbers = || self.entries.iter().map(|entry| entry.number);
        let twice = numbers().enumerate().any(|(at, number)| numbers().take(at).any(|other| other == number));
        if twice {
            return None;
        }
        keys.set_places(numbers());
        Some(Steady { dict: self.dict.store(), entries: self.entries, differed: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_can_be_searched() {
        assert!(STEADY.is_sorted());
    }
}
