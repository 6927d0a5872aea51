//! Locks that check the rule of this crate in debug builds: no lock is held while waiting for the GIL.

use std::ops::{Deref, DerefMut};
use std::sync::{self, PoisonError};

#[cfg(debug_assertions)]
thread_local! {
    static HELD: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// To be called right before waiting for the GIL. Does nothing in release builds.
pub(crate) fn assert_no_lock_held() {
    #[cfg(debug_assertions)]
    if !std::thread::panicking() {
        assert_eq!(HELD.get(), 0, "a lock is held while waiting for the GIL");
    }
}

/// A mutex that forgets poison: what it guards is kept consistent by small critical sections.
#[derive(Debug, Default)]
pub struct Mutex<T: ?Sized>(sync::Mutex<T>);

/// Access to what a [`Mutex`] guards.
pub struct MutexGuard<'a, T: ?Sized>(Option<sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    /// A free mutex.
    pub const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }
}

impl<T: ?Sized> Mutex<T> {
    /// The lock, when nobody has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(MutexGuard::new(guard)),
            Err(sync::TryLockError::Poisoned(poisoned)) => Some(MutexGuard::new(poisoned.into_inner())),
            Err(sync::TryLockError::WouldBlock) => None,
        }
    }

    /// Waits for the lock. Run no Python code and do not attach or detach while holding the guard.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard::new(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    fn new(guard: sync::MutexGuard<'a, T>) -> Self {
        #[cfg(debug_assertions)]
        HELD.set(HELD.get() + 1);
        Self(Some(guard))
    }

    fn release(&mut self) -> Option<sync::MutexGuard<'a, T>> {
        let guard = self.0.take();
        #[cfg(debug_assertions)]
        if guard.is_some() {
            HELD.set(HELD.get() - 1);
        }
        guard
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.release();
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    #[expect(clippy::expect_used, reason = "the guard is taken only by functions that consume it")]
    fn deref(&self) -> &T {
        self.0.as_deref().expect("guard in use")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[expect(clippy::expect_used, reason = "the guard is taken only by functions that consume it")]
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_deref_mut().expect("guard in use")
    }
}

/// A condition variable for [`Mutex`].
#[derive(Debug, Default)]
pub struct Condvar(sync::Condvar);

impl Condvar {
    /// A condition nobody waits for.
    pub const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    /// Gives the lock away until notified; may return early.
    pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        match guard.release() {
            Some(inner) => MutexGuard::new(self.0.wait(inner).unwrap_or_else(PoisonError::into_inner)),
            None => guard,
        }
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
