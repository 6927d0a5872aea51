//! Whatever a child could send to a worker; the checks are in `session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| session::request(bytes));
