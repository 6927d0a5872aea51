//! A real Python with the extension in it, without Apache and without a supervisor: the tests lay out the descriptors by hand
//! and speak the wire protocol as a child does.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, like tests, may fail this way"
)]

mod calls;
mod child;
mod harness;
mod identity;
mod leaving;
mod peers;
mod requests;
mod speed;
