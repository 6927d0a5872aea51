//! `mod_wsgi.so`: directives, routing, and the way of a request to a worker and back. No Python, no worker and no socket is made
//! here: the supervisor owns those.
#![forbid(unsafe_code)]

pub mod groups;
