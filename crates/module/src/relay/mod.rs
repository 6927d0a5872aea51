//! scratch
pub mod client; pub mod exchange; pub mod failure; pub mod inbox; pub mod upload; pub mod deliver;
pub use failure::{Failure, printable};
pub use deliver::Line;
#[cfg(test)]
mod tests;
