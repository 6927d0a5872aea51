//! A safe face for modules of the Apache HTTP Server: what a module declares (directives, configuration, hooks) and
//! what it is handed (server, connection, request, brigades). Modules are named as httpd's headers are. No policy of
//! mod_wsgi lives here.
//!
//! One `.so` holds one module: implement [`Module`] and name it in [`module!`]. Every call from httpd passes a panic
//! fence, so no panic unwinds into C.

mod auth;
mod brigade;
mod config;
mod connection;
mod directive;
mod fence;
mod file_bucket;
mod hook;
mod log;
mod module;
mod mpm;
mod optional;
mod other_child;
mod pool;
mod process;
mod regex;
mod request;
mod retained;
mod server;
mod signal;
mod table;
mod text;

pub use auth::{Authn, Authz, RealmHash};
pub use brigade::{Brigade, PassError, Tail};
pub use config::Config;
pub use connection::{Address, Connection};
pub use directive::{Allowed, Call, Directive, Line, Outcome, Scope};
#[doc(hidden)]
pub use directive::{CommandRecords, commands};
pub use hook::{Answer, Child, ChildStatus, Hooks, Order, Parent, Position};
pub use log::{Level, Log, startup_notice};
#[doc(hidden)]
pub use module::Commands;
pub use module::{Module, ModuleRecord};
pub use mpm::Mpm;
pub use other_child::ChildEvent;
pub use pool::Pool;
pub use process::{
    ApacheUser, RunMode, add_version_component, apache_user, close_listeners, config_test, httpd_version,
    is_exiting, is_first_pass, run_mode, runtime_dir_relative, server_banner, server_root_relative,
};
pub use regex::{Captures, Regex, RegexError};
pub use request::{Body, FileFacts, FileType, PassAuth, PathInfo, Read, Request, Wait};
pub use retained::Retained;
pub use server::{Server, Servers};
pub use signal::{notice_children_at_once, stop_noticing_children};
pub use table::{Entries, Table};
pub use text::Key;
