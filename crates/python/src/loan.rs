//! Lending something that lives on the stack of one call to Python objects that may outlive the call.

use std::ptr::NonNull;

use crate::attach;
use crate::sync::{Mutex, MutexGuard};

/// A slot through which others may use a borrowed value while [`lend`](Self::lend) runs, and not a moment longer.
pub struct Loan<T: ?Sized> {
    slot: Mutex<Option<NonNull<T>>>,
}

// SAFETY: the pointer is followed only under the mutex, and T may be used from another thread because it is Send.
unsafe impl<T: ?Sized + Send> Send for Loan<T> {}
// SAFETY: as above; shared access always goes through the mutex.
unsafe impl<T: ?Sized + Send> Sync for Loan<T> {}

impl<T: ?Sized> Default for Loan<T> {
    fn default() -> Self {
        Self { slot: Mutex::new(None) }
    }
}

impl<T: ?Sized + Send> Loan<T> {
    /// Lends `value` to everybody who has this slot while `work` runs. At the end waits until nobody uses it, so call
    /// this without the GIL.
    pub fn lend<R>(&self, value: &mut T, work: impl FnOnce() -> R) -> R {
        /// Takes the value back, also when `work` panics.
        struct Back<'a, T: ?Sized>(&'a Loan<T>);
        impl<T: ?Sized> Drop for Back<'_, T> {
            fn drop(&mut self) {
                *self.0.slot.lock() = None;
            }
        }
        debug_assert!(!attach::is_attached(), "a loan ends by waiting: not with the GIL");
        *self.slot.lock() = Some(NonNull::from(value));
        let _back = Back(self);
        work()
    }

    /// Uses the lent value; `None` when nothing is lent (any more). One user at a time, the others wait, so call this
    /// without the GIL. Must not be called by `work` again.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        debug_assert!(!attach::is_attached(), "others may hold the loan for long: not with the GIL");
        Self::used(self.slot.lock(), work)
    }

    /// Like [`Self::with`], but `None` also while somebody else uses it: never waits.
    pub fn try_with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        Self::used(self.slot.try_lock()?, work)
    }

    fn used<R>(slot: MutexGuard<'_, Option<NonNull<T>>>, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut value = (*slot)?;
        // SAFETY: `lend` holds the exclusive borrow of the value until it has emptied the slot, which it cannot while
        // this guard lives; the guard makes this the only user.
        Some(work(unsafe { value.as_mut() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lent_is_gone_afterwards() {
        let loan = Loan::<str>::default();
        let mut text = String::from("abc");
        assert_eq!((loan.with(|_| ()), loan.try_with(|_| ())), (None, None));
        let seen = loan.lend(text.as_mut_str(), || {
            loan.with(str::make_ascii_uppercase);
            assert_eq!(loan.with(|_| loan.try_with(|_| ())), Some(None), "in use");
            assert_eq!(loan.try_with(|_| ()), Some(()));
            loan.with(|text| text.len())
        });
        assert_eq!((seen, text.as_str()), (Some(3), "ABC"));
        assert_eq!(loan.with(|_| ()), None);
    }

    #[test]
    fn a_panic_ends_the_loan() {
        let loan = Loan::<i32>::default();
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| loan.lend(&mut 1, || panic!("x"))));
        assert!(outcome.is_err());
        assert_eq!(loan.with(|value| *value), None);
    }
}
