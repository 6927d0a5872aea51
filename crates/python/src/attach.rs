//! Being attached: the proof that this thread holds the GIL of one interpreter.

use std::marker::PhantomData;

/// Proof that this thread is attached to an interpreter for the lifetime `'py`. The lifetime is invariant and made
/// anew by each attachment, so objects of two interpreters cannot be mixed up.
#[derive(Clone, Copy)]
pub struct Attached<'py>(PhantomData<(fn(&'py ()) -> &'py (), *mut ())>);
