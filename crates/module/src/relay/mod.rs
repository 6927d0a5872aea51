//! A request's way to a worker and back, once it is decided which group serves it. The order is: gather the body, write the frame,
//! reserve a thread of a worker, send, pass on the answer. `exchange` and `deliver` know no httpd; `apache` is its side.

mod apache;
mod backlog;
mod begin;
mod call;
mod client;
mod deliver;
mod exchange;
mod failure;
mod inbox;
mod passing;
mod serve;
#[cfg(test)]
mod tests;
mod upload;

pub use call::{Target, Unanswered, ask};
pub use deliver::Line;
pub use failure::{Failure, printable};
pub use serve::serve;
