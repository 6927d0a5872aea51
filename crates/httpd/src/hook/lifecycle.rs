//! The hooks of start-up, of the parent and of a child's birth: what they are handed and how httpd calls them.

use crate::config;
use crate::fence::{self, fence};
use crate::log::{Level, Log, startup_notice};
use crate::module::Module;
use crate::other_child::{self, ChildEvent};
use crate::pool::Pool;
use crate::server::{Server, Servers};
use httpd_sys as sys;
use std::ffi::c_int;

/// httpd's parent process, with the configuration that is in force or being put in force.
pub struct Parent<'a> {
    pconf: Pool<'a>,
    server: Server<'a>,
}

impl<'a> Parent<'a> {
    /// # Safety
    /// Pool and server are those of the configuration, live for `'a`, and this is the parent's only thread.
    pub(crate) unsafe fn new(pconf: *mut sys::apr_pool_t, server: *mut sys::server_rec) -> Parent<'a> {
        // SAFETY: the caller's promise.
        unsafe { Parent { pconf: Pool::from_raw(pconf), server: Server::from_raw(server) } }
    }

    /// The parent with httpd's main server; `None` while there is no configuration.
    ///
    /// # Safety
    /// This is the parent's only thread, and the configuration stays for `'a`.
    pub(crate) unsafe fn current() -> Option<Parent<'a>> {
        // SAFETY: httpd's own pointer, set while a configuration is in force; the caller vouches for the time.
        unsafe {
            let server = sys::ap_server_conf;
            let process = server.as_ref()?.process.as_ref()?;
            Some(Parent::new(process.pconf, server))
        }
    }

    /// The configuration's pool: cleared at every restart, before the next configuration is read.
    pub fn pconf(&self) -> Pool<'a> {
        self.pconf
    }

    /// The main server.
    pub fn server(&self) -> Server<'a> {
        self.server
    }

    /// The main server and all virtual hosts.
    pub fn servers(&self) -> Servers<'a> {
        self.server.and_following()
    }

    /// The main server's log.
    pub fn log(&self) -> Log<'a> {
        self.server.log()
    }

    /// Has httpd watch a process this one started. `report` is called in the parent for each event, until the process
    /// is dead or the configuration goes; at a restart watch it again.
    pub fn watch_child(&self, pid: i32, report: impl FnMut(&Parent<'_>, ChildEvent) + 'static) {
        other_child::watch(self.pconf, pid, Box::new(report));
    }
}

/// A child of httpd that starts.
pub struct Child<'a> {
    pool: Pool<'a>,
    server: Server<'a>,
}

impl<'a> Child<'a> {
    /// The child's pool: destroyed when it ends in an orderly way.
    pub fn pool(&self) -> Pool<'a> {
        self.pool
    }

    /// The main server.
    pub fn server(&self) -> Server<'a> {
        self.server
    }

    /// The main server and all virtual hosts.
    pub fn servers(&self) -> Servers<'a> {
        self.server.and_following()
    }
}

/// What became of a child of httpd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildStatus {
    /// It was started.
    Started {
        /// Its process.
        pid: i32,
        /// The configuration it serves, counted from 0.
        generation: i32,
        /// Its place in the scoreboard.
        slot: i32,
    },
    /// It has ended.
    Exited {
        /// Its process; it may be reused by now.
        pid: i32,
        /// The configuration it served.
        generation: i32,
        /// Its place in the scoreboard; negative if it had lost it.
        slot: i32,
    },
    /// It still lives, but its place was given to a new child.
    LostSlot {
        /// Its process.
        pid: i32,
        /// The configuration it serves.
        generation: i32,
        /// The place it had.
        slot: i32,
    },
}

pub(super) unsafe extern "C" fn check_config<M: Module>(
    pconf: *mut sys::apr_pool_t,
    _plog: *mut sys::apr_pool_t,
    _ptemp: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) -> c_int {
    if config::take_poison() {
        return 500;
    }
    // SAFETY: httpd's configuration, alive during this call; httpd has one thread at this time.
    let outcome = fence("check_config", || M::check_config(&unsafe { Parent::new(pconf, server) }));
    conclude(outcome, startup_notice)
}

pub(super) unsafe extern "C" fn post_config<M: Module>(
    pconf: *mut sys::apr_pool_t,
    _plog: *mut sys::apr_pool_t,
    _ptemp: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) -> c_int {
    // SAFETY: httpd's configuration, alive during this call; httpd has one thread at this time.
    let parent = unsafe { Parent::new(pconf, server) };
    let outcome = fence("post_config", || M::post_config(&parent));
    conclude(outcome, |sentence| parent.log().write(Level::Emerg, sentence.as_bytes()))
}

/// Says why a start is refused, and refuses it.
fn conclude(outcome: Result<Result<(), String>, fence::Panic>, say: impl Fn(&str)) -> c_int {
    match outcome {
        Ok(Ok(())) => return sys::OK,
        Ok(Err(sentence)) => say(&sentence),
        Err(panic) => say(&panic.to_string()),
    }
    500
}

pub(super) unsafe extern "C" fn child_init<M: Module>(
    pool: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) {
    // SAFETY: httpd hands both out for this call; the child has one thread so far.
    let child = unsafe { Child { pool: Pool::from_raw(pool), server: Server::from_raw(server) } };
    if let Err(panic) = fence("child_init", || M::child_init(&child)) {
        fence::report(&panic, &child.server.log());
    }
}

pub(super) unsafe extern "C" fn child_status<M: Module>(
    server: *mut sys::server_rec,
    pid: sys::pid_t,
    generation: sys::ap_generation_t,
    slot: c_int,
    state: sys::mpm_child_status,
) {
    let status = match state {
        sys::MPM_CHILD_STARTED => ChildStatus::Started { pid, generation, slot },
        sys::MPM_CHILD_EXITED => ChildStatus::Exited { pid, generation, slot },
        _ => ChildStatus::LostSlot { pid, generation, slot },
    };
    // SAFETY: httpd calls with the main server of the configuration in force, in the parent's one thread.
    let parent = unsafe { Parent::new((*(*server).process).pconf, server) };
    if let Err(panic) = fence("child_status", || M::child_status(&parent, status)) {
        fence::report(&panic, &parent.log());
    }
}

pub(super) unsafe extern "C" fn monitor<M: Module>(
    pconf: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) -> c_int {
    // SAFETY: httpd calls with its configuration, in the parent's one thread.
    let parent = unsafe { Parent::new(pconf, server) };
    if let Err(panic) = fence("monitor", || M::monitor(&parent)) {
        fence::report(&panic, &parent.log());
    }
    sys::DECLINED
}
