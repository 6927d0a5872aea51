//! Keys of environs as interned strings, made once for each thread and interpreter.

use std::collections::HashMap;

use python::{Attached, Object, Result, Stored};
use rustc_hash::FxBuildHasher;

/// Header names are the client's choice: not more than this many different keys are kept for each thread.
const MAX_KEPT_KEYS: usize = 512;

/// The keys. They are numbered as they come, and looked for first where the last request had them: clients and httpd keep an order.
#[derive(Default)]
pub(crate) struct KeyCache {
    numbers: HashMap<Box<[u8]>, usize, FxBuildHasher>,
    known: Vec<Known>,
    next: usize,
}

struct Known {
    name: Box<[u8]>,
    key: Stored,
    place: Option<usize>,
}

impl KeyCache {
    /// The key with this name.
    pub(crate) fn key<'py>(&mut self, py: Attached<'py>, name: &[u8]) -> Result<'py, Object<'py>> {
        self.find(py, name).map(|(key, _)| key)
    }

    /// The key with this name, and its number when it is kept.
    pub(super) fn find<'py>(
        &mut self,
        py: Attached<'py>,
        name: &[u8],
    ) -> Result<'py, (Object<'py>, Option<usize>)> {
        let number = if self.is(self.next, name) { Some(self.next) } else { self.numbers.get(name).copied() };
        if let Some(number) = number
            && let Some(known) = self.known.get(number)
        {
            self.next = number + 1;
            return Ok((known.key.get(py), Some(number)));
        }
        let number = self.known.len();
        if number >= MAX_KEPT_KEYS {
            return python::latin1(py, name).map(|key| (key, None));
        }
        let key = python::interned(py, name)?;
        self.numbers.insert(name.into(), number);
        self.known.push(Known { name: name.into(), key: key.clone().store(), place: None });
        self.next = number + 1;
        Ok((key, Some(number)))
    }

    /// Whether the key with this number has this name.
    pub(super) fn is(&self, number: usize, name: &[u8]) -> bool {
        self.known.get(number).is_some_and(|known| *known.name == *name)
    }

    /// Where to look first.
    pub(super) fn expect(&mut self, number: usize) {
        self.next = number;
    }

    /// Its place among the steady entries.
    pub(super) fn place(&self, number: usize) -> Option<usize> {
        self.known.get(number).and_then(|known| known.place)
    }

    /// The key with this number.
    pub(super) fn at<'py>(&self, py: Attached<'py>, number: usize) -> Option<Object<'py>> {
        self.known.get(number).map(|known| known.key.get(py))
    }

    /// Remembers the places of the keys with these numbers, and of no others.
    pub(super) fn set_places(&mut self, numbers: impl Iterator<Item = usize>) {
        self.known.iter_mut().for_each(|known| known.place = None);
        for (place, number) in numbers.enumerate() {
            if let Some(known) = self.known.get_mut(number) {
                known.place = Some(place);
            }
        }
    }
}
