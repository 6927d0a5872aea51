//! Directives: the table a module declares them in. `scope` is what a directive's function sees of the place it stands
//! in, `call` turns httpd's calls into those functions.

mod call;
mod scope;
mod tree;

pub use scope::Scope;
pub use tree::Line;

use crate::module::{Commands, Module};
use httpd_sys as sys;
use std::ffi::{CStr, c_int, c_void};
use std::ptr::{null, null_mut};

/// What a directive's function returns: an error is the sentence `apache2 -t` prints under the file and line.
pub type Outcome = Result<(), String>;

/// Where a directive may stand. httpd refuses it elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// In the main server only, outside of all sections.
    MainServer,
    /// In the main server and in virtual hosts, outside of directory sections.
    Servers,
    /// As `Servers`, and in `<Directory>`, `<Location>` and `<Files>`; not in `.htaccess`.
    ServersAndSections,
    /// As `ServersAndSections`, and in `.htaccess` where `AllowOverride FileInfo` holds.
    FileInfo,
    /// In `<Directory>`, `<Location>` and `<Files>`, and in `.htaccess` where `AllowOverride AuthConfig` holds.
    AuthConfig,
}

impl Allowed {
    const fn bits(self) -> c_int {
        match self {
            Allowed::MainServer | Allowed::Servers => sys::RSRC_CONF,
            Allowed::ServersAndSections => sys::RSRC_CONF | sys::ACCESS_CONF,
            Allowed::FileInfo => sys::OR_FILEINFO,
            Allowed::AuthConfig => sys::OR_AUTHCFG,
        }
    }
}

/// The arguments a directive takes and the function that gets them. httpd has split and unquoted them, except for
/// `Raw`.
pub enum Call<M: Module> {
    /// `On` or `Off`.
    Flag(fn(&mut Scope<'_, M>, bool) -> Outcome),
    /// Exactly one.
    One(fn(&mut Scope<'_, M>, &[u8]) -> Outcome),
    /// The rest of the line as it stands.
    Raw(fn(&mut Scope<'_, M>, &[u8]) -> Outcome),
}

impl<M: Module> Clone for Call<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Module> Copy for Call<M> {}

/// One directive of a module.
pub struct Directive<M: Module> {
    /// Its name, as documented.
    pub name: &'static CStr,
    /// Where it may stand.
    pub allowed: Allowed,
    /// What it takes.
    pub call: Call<M>,
    /// What it does, in a line; httpd prints it with usage errors.
    pub help: &'static CStr,
}

/// What httpd reads of a table of directives, ended by an empty record.
#[doc(hidden)]
pub struct CommandRecords<const N: usize>([sys::command_rec; N]);

// SAFETY: the records are constant; their pointers lead to constant data.
unsafe impl<const N: usize> Sync for CommandRecords<N> {}

impl<const N: usize> CommandRecords<N> {
    /// The table as the module's record wants it.
    pub const fn table(&'static self) -> Commands {
        Commands(self.0.as_ptr())
    }
}

/// Makes httpd's records of a module's directives; `N` is one more than there are.
#[doc(hidden)]
pub const fn commands<M: Module, const N: usize>(directives: &'static [Directive<M>]) -> CommandRecords<N> {
    assert!(N == directives.len() + 1, "one record more than directives");
    let mut records = [END; N];
    let mut at = 0;
    while at < directives.len() {
        records[at] = record(&directives[at]);
        at += 1;
    }
    CommandRecords(records)
}

const END: sys::command_rec = sys::command_rec {
    name: null(),
    func: sys::cmd_func { no_args: None },
    cmd_data: null_mut(),
    req_override: 0,
    args_how: sys::NO_ARGS,
    errmsg: null(),
};

/// The record of one directive. Its data pointer is the directive itself, by which the trampolines find it again.
const fn record<M: Module>(directive: &'static Directive<M>) -> sys::command_rec {
    let (args_how, func) = match directive.call {
        Call::Flag(_) => (sys::FLAG, sys::cmd_func { flag: Some(call::flag::<M>) }),
        Call::One(_) => (sys::TAKE1, sys::cmd_func { take1: Some(call::take1::<M>) }),
        Call::Raw(_) => (sys::RAW_ARGS, sys::cmd_func { raw_args: Some(call::raw_args::<M>) }),
    };
    sys::command_rec {
        name: directive.name.as_ptr(),
        func,
        cmd_data: (directive as *const Directive<M>).cast_mut().cast::<c_void>(),
        req_override: directive.allowed.bits(),
        args_how,
        errmsg: directive.help.as_ptr(),
    }
}
