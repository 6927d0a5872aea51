//! Whatever a worker could send to a child; the checks are in `session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| session::response(bytes));
