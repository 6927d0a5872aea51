//! What a module is: the trait it implements, the record httpd loads, and the macro that makes the record.

use crate::auth::{Authn, Authz, RealmHash};
use crate::config::{self, Config};
use crate::fence::{self, fence};
use crate::hook::{Answer, Child, ChildStatus, Hooks, Parent};
use crate::log::Log;
use crate::pool::Pool;
use crate::request::Request;
use httpd_sys as sys;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The module of this `.so`, for what needs its index without its type (the log).
static LOADED: AtomicPtr<sys::module> = AtomicPtr::new(null_mut());

/// A module of httpd. Each function stands for the hook of its name and runs only if [`Module::register`] asked for it.
///
/// httpd reads its configuration twice at start and again at every restart, each time with fresh configuration
/// values; what must outlive that belongs into [`crate::Retained`]. No thread may be started before
/// [`Module::child_init`].
pub trait Module: Sized + 'static {
    /// What is kept per virtual host.
    type Server: Config;
    /// What is kept per directory, location and `.htaccess` file.
    type Dir: Config;

    /// The record [`crate::module!`] made. The macro implements this through the static it declares.
    fn record() -> &'static ModuleRecord<Self>;

    /// Names the hooks this module takes part in.
    fn register(hooks: &mut Hooks<'_, Self>);

    /// After the configuration is read and merged; also under `apache2 -t`. An error refuses the start: its sentence
    /// is what the administrator sees.
    fn check_config(_: &Parent<'_>) -> Result<(), String> {
        Ok(())
    }

    /// After the logs are open, as the user httpd was started by. An error refuses the start, and at a restart ends
    /// httpd.
    fn post_config(_: &Parent<'_>) -> Result<(), String> {
        Ok(())
    }

    /// In each child after it was forked and gave up its privileges, before it serves.
    fn child_init(_: &Child<'_>) {}

    /// In the parent, when a child was started or has ended.
    fn child_status(_: &Parent<'_>, _: ChildStatus) {}

    /// In the parent, about every ten seconds.
    fn monitor(_: &Parent<'_>) {}

    /// URI to file name.
    fn translate_name(_: &mut Request<'_>) -> Answer {
        Answer::Declined
    }

    /// File name to what applies to it. httpd's core does that, and reads `.htaccess` files, in its function for this hook,
    /// which runs last.
    fn map_to_storage(_: &mut Request<'_>) -> Answer {
        Answer::Declined
    }

    /// Whether whoever asks may come in, whoever he is. Also for sub-requests.
    fn access_checker(_: &mut Request<'_>) -> Answer {
        Answer::Declined
    }

    /// Whether the user has this password; see [`Hooks::authn_provider`].
    fn check_password(_: &mut Request<'_>, _user: &[u8], _password: &[u8]) -> Authn {
        Authn::Failed
    }

    /// What the user's password in this realm looks like; see [`Hooks::authn_provider`].
    fn realm_hash(_: &mut Request<'_>, _user: &[u8], _realm: &[u8]) -> RealmHash {
        RealmHash::Failed
    }

    /// Checks what stands behind the provider's name in a `Require` line. The error is a sentence, as for directives.
    fn check_requirement(_line: &[u8]) -> Result<(), String> {
        Ok(())
    }

    /// Whether the user meets what stands behind the provider's name; see [`Hooks::authz_provider`].
    fn is_authorized(_: &mut Request<'_>, _line: &[u8]) -> Authz {
        Authz::Failed
    }

    /// Makes the response.
    fn handler(_: &mut Request<'_>) -> Answer {
        Answer::Declined
    }
}

/// The `module` structure httpd looks up by name in the `.so`. httpd writes into it, so it lives in writable memory.
#[repr(C)]
pub struct ModuleRecord<M> {
    raw: UnsafeCell<sys::module>,
    main: AtomicPtr<sys::server_rec>,
    of: PhantomData<fn() -> M>,
}

// SAFETY: httpd writes the record only while it loads or unloads modules, with one thread; afterwards it is read only.
unsafe impl<M> Sync for ModuleRecord<M> {}

impl<M: Module> ModuleRecord<M> {
    /// The record for `M`. `file` is what `<IfModule>` compares with; `commands` is what [`crate::commands`] made.
    #[doc(hidden)]
    pub const fn new(file: &'static CStr, commands: &'static Commands) -> ModuleRecord<M> {
        let mut raw = sys::standard20_module(file.as_ptr());
        raw.create_server_config = Some(config::create_server::<M>);
        raw.merge_server_config = Some(config::merge_server::<M>);
        raw.create_dir_config = Some(config::create_dir::<M>);
        raw.merge_dir_config = Some(config::merge_dir::<M>);
        raw.cmds = commands.0;
        raw.register_hooks = Some(register_hooks::<M>);
        ModuleRecord { raw: UnsafeCell::new(raw), main: AtomicPtr::new(null_mut()), of: PhantomData }
    }

    /// The module's index in configuration vectors; `None` while it is not loaded.
    pub(crate) fn index(&self) -> Option<c_int> {
        // SAFETY: httpd writes the index with one thread, while loading (see `Sync`).
        let index = unsafe { (*self.raw.get()).module_index };
        (index >= 0).then_some(index)
    }

    /// Notes the main server; its configuration is made before any virtual host's.
    pub(crate) fn set_main(&self, server: *mut sys::server_rec) {
        self.main.store(server, Ordering::Relaxed);
    }

    /// The main server of the configuration being read; null before there is one.
    pub(crate) fn main(&self) -> *mut sys::server_rec {
        self.main.load(Ordering::Relaxed)
    }
}

/// The command table of a module, ended by an empty record.
#[doc(hidden)]
pub struct Commands(pub(crate) *const sys::command_rec);

// SAFETY: the table is constant data.
unsafe impl Sync for Commands {}

/// The index of the module in this `.so`, for log lines.
pub(crate) fn index() -> c_int {
    let module = LOADED.load(Ordering::Relaxed);
    if module.is_null() {
        return sys::APLOG_NO_MODULE;
    }
    // SAFETY: the pointer is the static record `register_hooks` saw; httpd writes the index only while loading.
    unsafe { (*module).module_index }
}

unsafe extern "C" fn register_hooks<M: Module>(pool: *mut sys::apr_pool_t) {
    LOADED.store(M::record().raw.get(), Ordering::Relaxed);
    let outcome = fence("registering hooks", || {
        // SAFETY: httpd's configuration pool, alive during this call.
        M::register(&mut Hooks::new(unsafe { Pool::from_raw(pool) }));
    });
    if let Err(panic) = outcome {
        fence::report(&panic, &Log::process());
        config::poison();
    }
}

/// Declares the module of this `.so`: the symbol `LoadModule` looks up and the command table.
///
/// ```ignore
/// static DIRECTIVES: [Directive<Wsgi>; 12] = [...];
/// httpd::module!(pub wsgi_module: Wsgi, file: c"mod_wsgi.c", directives: DIRECTIVES);
///
/// impl httpd::Module for Wsgi {
///     fn record() -> &'static httpd::ModuleRecord<Self> { &wsgi_module }
///     ...
/// }
/// ```
#[macro_export]
macro_rules! module {
    ($vis:vis $symbol:ident: $module:ty, file: $file:expr, directives: $table:ident $(,)?) => {
        static COMMAND_RECORDS: $crate::CommandRecords<{ $table.len() + 1 }> = $crate::commands(&$table);
        static COMMANDS: $crate::Commands = COMMAND_RECORDS.table();
        #[doc = "What `LoadModule` looks up."]
        #[allow(non_upper_case_globals)]
        // In a unit test nobody looks it up, and the linker may leave out what only httpd could provide.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        $vis static $symbol: $crate::ModuleRecord<$module> = $crate::ModuleRecord::new($file, &COMMANDS);
    };
}
