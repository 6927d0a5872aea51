//! Tests of the crate from outside, in one program.
#![expect(clippy::unwrap_used, reason = "helpers of tests, like tests, may fail this way")]

mod common;
mod corpus;
mod hostile_lengths;
mod one_parser;
mod order;
mod round_trip;
#[path = "../../../../fuzz/src/session.rs"]
mod session;
