//! A value that is made once, by whoever needs it first; a failed attempt leaves it to the next one. Unlike a lock,
//! nothing is held while the value is being made, so making it may run Python.

use python::{Condvar, Mutex};

pub(crate) struct Latch<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

enum State<T> {
    Absent,
    InTheMaking,
    Ready(T),
}

/// What [`Latch::claim`] found.
pub(crate) enum Claim<'a, T> {
    Ready(T),
    /// The caller makes the value.
    Make(Permit<'a, T>),
}

/// The duty to make the value. Dropped without [`fill`](Self::fill), somebody else may try.
pub(crate) struct Permit<'a, T>(&'a Latch<T>);

impl<T> Default for Latch<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State::Absent), changed: Condvar::new() }
    }
}

impl<T: Clone> Latch<T> {
    /// The value, when it exists.
    pub(crate) fn get(&self) -> Option<T> {
        match &*self.state.lock() {
            State::Ready(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// The value or the right to make it. Waits while another thread makes it: not with the GIL.
    pub(crate) fn claim(&self) -> Claim<'_, T> {
        let mut state = self.state.lock();
        loop {
            match &*state {
                State::Ready(value) => return Claim::Ready(value.clone()),
                State::Absent => {
                    *state = State::InTheMaking;
                    return Claim::Make(Permit(self));
                }
                State::InTheMaking => state = self.changed.wait(state),
            }
        }
    }

    /// Takes the value out.
    pub(crate) fn take(&self) -> Option<T> {
        match std::mem::replace(&mut *self.state.lock(), State::Absent) {
            State::Ready(value) => Some(value),
            _ => None,
        }
    }
}

impl<T> Permit<'_, T> {
    /// Publishes the value to all who wait.
    pub(crate) fn fill(self, value: T) {
        *self.0.state.lock() = State::Ready(value);
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if matches!(*state, State::InTheMaking) {
            *state = State::Absent;
        }
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_makes_it_and_a_failure_passes_the_duty_on() {
        let latch = Latch::<u32>::default();
        let Claim::Make(permit) = latch.claim() else { panic!("nobody made it") };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| match latch.claim() {
                Claim::Ready(_) => false,
                Claim::Make(permit) => {
                    permit.fill(7);
                    true
                }
            });
            drop(permit);
            assert!(waiting.join().unwrap());
        });
        assert!(matches!(latch.claim(), Claim::Ready(7)));
        assert_eq!((latch.take(), latch.get()), (Some(7), None));
    }
}
