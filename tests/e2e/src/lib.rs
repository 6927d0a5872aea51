//! The tests are in `tests/`; this library is empty, cargo asks a package for a target.
