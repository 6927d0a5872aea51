//! What a directive's function sees: the place the directive stands in, and the configuration values it may change there.

use super::tree::{self, Line};
use crate::config;
use crate::module::Module;
use crate::pool::Pool;
use crate::process;
use crate::server::Server;
use crate::text;
use httpd_sys as sys;
use std::ffi::c_void;
use std::marker::PhantomData;

/// One directive being read. It may be read at start (one thread) or, from `.htaccess`, by a request.
pub struct Scope<'s, M: Module> {
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    life: PhantomData<&'s mut sys::cmd_parms>,
    of: PhantomData<M>,
}

impl<'s, M: Module> Scope<'s, M> {
    /// # Safety
    /// Both pointers are what httpd called a directive of `M` with; they and what they lead to live for `'s`.
    pub(super) unsafe fn new(parms: *mut sys::cmd_parms, dir: *mut c_void) -> Scope<'s, M> {
        Scope { parms, dir, life: PhantomData, of: PhantomData }
    }

    /// The directive's name as documented (not as spelled in the file).
    pub fn name(&self) -> &'static str {
        // SAFETY: httpd points `cmd` at a record of this module, whose name is a static string.
        let name = unsafe { text::bytes((*(*self.parms).cmd).name) };
        name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("the directive")
    }

    /// File and line of the directive, for sentences that point at an earlier one.
    pub fn location(&self) -> (&'s [u8], u32) {
        // SAFETY: httpd sets `directive` for the call; its file name lives as long as the configuration.
        unsafe {
            match (*self.parms).directive.as_ref() {
                Some(directive) => (
                    text::bytes(directive.filename).unwrap_or_default(),
                    u32::try_from(directive.line_num).unwrap_or(0),
                ),
                None => (&[], 0),
            }
        }
    }

    /// Whether the directive stands in an `.htaccess` file, and is read for a request.
    pub fn in_htaccess(&self) -> bool {
        // SAFETY: httpd sets both pools for the call. For `.htaccess` files they are the request's (httpd:
        // ap_check_cmd_context).
        unsafe { (*self.parms).pool == (*self.parms).temp_pool }
    }

    /// The directives inside the section that this directive opens, in their order, not read by anybody yet.
    pub fn children(&self) -> Vec<Line<'s>> {
        // SAFETY: httpd sets `directive` for the call; its tree lives as long as the configuration.
        unsafe {
            match (*self.parms).directive.as_ref() {
                Some(section) => tree::lines(section.first_child),
                None => Vec::new(),
            }
        }
    }

    /// The innermost section that the directive stands in, as it stands in the file: `<Directory` and `/srv>`. `None` at
    /// the main server's level and in `.htaccess` outside of sections.
    pub fn enclosing(&self) -> Option<(&'s [u8], &'s [u8])> {
        // SAFETY: as in `children`.
        unsafe {
            let section = (*self.parms).directive.as_ref()?.parent.as_ref()?;
            Some((text::bytes(section.directive)?, text::bytes(section.args).unwrap_or_default()))
        }
    }

    /// The pool that lives as long as what is being configured.
    pub fn pool(&self) -> Pool<'s> {
        // SAFETY: httpd sets the pool for the call.
        unsafe { Pool::from_raw((*self.parms).pool) }
    }

    /// The server the directive stands in.
    pub fn server(&self) -> Server<'_> {
        // SAFETY: httpd sets the server for the call; the handle cannot outlive the borrow of the scope, so no
        // configuration value is changed while it is used.
        unsafe { Server::from_raw((*self.parms).server) }
    }

    /// The directory, location or file pattern of the section (or of the `.htaccess` file); `None` at server level.
    /// Directives that may stand in both places keep their value per directory when this is some, else per server.
    pub fn section(&self) -> Option<&'s [u8]> {
        // SAFETY: httpd sets the path for the call; the text lives in the configuration's pool.
        unsafe { text::bytes((*self.parms).path) }
    }

    /// The value of the section the directive stands in (at server level: what all directories of it start from).
    pub fn dir_config(&mut self) -> &mut M::Dir {
        // SAFETY: httpd passes this module's value for the section, made by `create_dir`; while a directive is read
        // nobody else uses it, and the scope is borrowed meanwhile.
        match unsafe { self.dir.cast::<M::Dir>().as_mut() } {
            Some(value) => value,
            None => panic!("the module has no configuration for this section"),
        }
    }

    /// The value of the server the directive stands in. Not for directives in sections or `.htaccess`, where other
    /// threads may be reading it: they get a sentence.
    pub fn server_config(&mut self) -> Result<&mut M::Server, String> {
        if let Some(section) = self.section() {
            let section = String::from_utf8_lossy(section);
            return Err(format!("{} cannot stand in the section {section}; put it outside", self.name()));
        }
        // SAFETY: live parameters; outside of sections the configuration is read by one thread, before requests.
        let server = unsafe { (*self.parms).server };
        self.value_of(server)
    }

    /// The main server's value, for what is declared in virtual hosts but must be known everywhere. Not from
    /// sections, as in [`Scope::server_config`].
    pub fn main_config(&mut self) -> Result<&mut M::Server, String> {
        self.server_config()?;
        self.value_of(M::record().main())
    }

    fn value_of(&mut self, server: *mut sys::server_rec) -> Result<&mut M::Server, String> {
        let value = match server.is_null() {
            true => std::ptr::null_mut(),
            // SAFETY: a server of the configuration that is being read.
            false => unsafe { config::raw::<M>((*server).module_config) },
        };
        // SAFETY: made by `create_server` of this module; one thread; the scope is borrowed meanwhile.
        unsafe { value.cast::<M::Server>().as_mut() }
            .ok_or_else(|| format!("{} cannot be read here: the module has no configuration", self.name()))
    }

    /// `path` made absolute with `ServerRoot`; `None` if httpd cannot (the path is invalid).
    pub fn server_root_relative(&self, path: &[u8]) -> Option<Vec<u8>> {
        process::server_root_relative(self.pool(), path)
    }
}
