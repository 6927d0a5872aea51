//! Providers of authentication and authorization (mod_auth.h): what other modules ask, and the functions httpd calls, each behind the
//! panic fence. Whatever goes wrong in here lets nobody in.

use crate::fence::{self, fence};
use crate::hook::Hooks;
use crate::module::Module;
use crate::optional;
use crate::request::Request;
use crate::text;
use httpd_sys as sys;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{NonNull, null, null_mut};

/// What is known about a user and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authn {
    /// The password is wrong.
    Denied,
    /// The password is right.
    Granted,
    /// The user is unknown here; another provider may know him.
    NotFound,
    /// Nobody can tell: the request fails.
    Failed,
}

/// What is known about a user in a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RealmHash {
    /// The MD5 of `user:realm:password`, in hexadecimal.
    Found(Vec<u8>),
    /// The user is unknown here; another provider may know him.
    NotFound,
    /// Nobody can tell: the request fails.
    Failed,
}

/// Whether a user meets a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authz {
    /// No.
    Denied,
    /// Yes.
    Granted,
    /// Nobody was authenticated yet: httpd does that and asks again.
    NoUser,
    /// Nobody can tell: the request fails.
    Failed,
}

/// Version of the providers' interface.
const VERSION: &CStr = c"0";

impl<M: Module> Hooks<'_, M> {
    /// Offers the module to `AuthBasicProvider` and `AuthDigestProvider` under this name: [`Module::check_password`] and
    /// [`Module::realm_hash`].
    pub fn authn_provider(&mut self, name: &'static CStr) {
        let provider = const {
            &sys::authn_provider {
                check_password: Some(check_password::<M>),
                get_realm_hash: Some(get_realm_hash::<M>),
            }
        };
        self.register(c"authn", name, (&raw const *provider).cast());
    }

    /// Offers the module to `Require` under this name: [`Module::check_requirement`] and [`Module::is_authorized`].
    pub fn authz_provider(&mut self, name: &'static CStr) {
        let provider = const {
            &sys::authz_provider {
                check_authorization: Some(check_authorization::<M>),
                parse_require_line: Some(parse_require_line::<M>),
            }
        };
        self.register(c"authz", name, (&raw const *provider).cast());
    }

    fn register(&mut self, group: &'static CStr, name: &'static CStr, provider: *const c_void) {
        // SAFETY: names and provider are static; the pool is the configuration's. httpd forgets providers with it.
        unsafe {
            sys::ap_register_auth_provider(
                self.pool().raw(),
                group.as_ptr(),
                name.as_ptr(),
                VERSION.as_ptr(),
                provider,
                sys::AP_AUTH_INTERNAL_PER_CONF,
            );
        }
    }
}

/// Runs a provider behind the fence; `None` after a panic, which is one line in the request's log.
///
/// # Safety
/// `request` is null or lives, and belongs to this thread, for this call.
unsafe fn ask<T>(
    request: *mut sys::request_rec,
    what: &'static str,
    provider: impl FnOnce(&mut Request<'_>) -> T,
) -> Option<T> {
    // SAFETY: the caller's promise; the wrapper does not leave this function.
    let mut request = unsafe { Request::from_raw(NonNull::new(request)?) };
    match fence(what, || provider(&mut request)) {
        Ok(value) => Some(value),
        Err(panic) => {
            fence::report(&panic, &request.log());
            None
        }
    }
}

unsafe extern "C" fn check_password<M: Module>(
    request: *mut sys::request_rec,
    user: *const c_char,
    password: *const c_char,
) -> sys::authn_status {
    // SAFETY: httpd hands out the request and both texts for the length of this call.
    let answer = unsafe {
        let (Some(user), Some(password)) = (text::bytes(user), text::bytes(password)) else {
            return sys::AUTH_DENIED;
        };
        ask(request, "check_password", |request| M::check_password(request, user, password))
    };
    match answer {
        Some(Authn::Denied) => sys::AUTH_DENIED,
        Some(Authn::Granted) => sys::AUTH_GRANTED,
        Some(Authn::NotFound) => sys::AUTH_USER_NOT_FOUND,
        Some(Authn::Failed) | None => sys::AUTH_GENERAL_ERROR,
    }
}

unsafe extern "C" fn get_realm_hash<M: Module>(
    request: *mut sys::request_rec,
    user: *const c_char,
    realm: *const c_char,
    hash: *mut *mut c_char,
) -> sys::authn_status {
    // SAFETY: httpd hands out the request and both texts for the length of this call.
    let answer = unsafe {
        let (Some(user), Some(realm)) = (text::bytes(user), text::bytes(realm)) else {
            return sys::AUTH_DENIED;
        };
        ask(request, "get_realm_hash", |request| {
            let answer = M::realm_hash(request, user, realm);
            let copy = match &answer {
                RealmHash::Found(hash) => request.pool().copy(hash),
                _ => null_mut(),
            };
            (answer, copy)
        })
    };
    match answer {
        Some((RealmHash::Found(_), copy)) if !hash.is_null() && !copy.is_null() => {
            // SAFETY: httpd's own variable; the copy lives as long as the request.
            unsafe { *hash = copy };
            sys::AUTH_USER_FOUND
        }
        Some((RealmHash::NotFound, _)) => sys::AUTH_USER_NOT_FOUND,
        _ => sys::AUTH_GENERAL_ERROR,
    }
}

unsafe extern "C" fn check_authorization<M: Module>(
    request: *mut sys::request_rec,
    line: *const c_char,
    _parsed: *const c_void,
) -> sys::authz_status {
    // SAFETY: httpd hands out the request and the line for the length of this call.
    let answer = unsafe {
        let line = text::bytes(line).unwrap_or_default();
        ask(request, "check_authorization", |request| M::is_authorized(request, line))
    };
    match answer {
        Some(Authz::Denied) => sys::AUTHZ_DENIED,
        Some(Authz::Granted) => sys::AUTHZ_GRANTED,
        Some(Authz::NoUser) => sys::AUTHZ_DENIED_NO_USER,
        Some(Authz::Failed) | None => sys::AUTHZ_GENERAL_ERROR,
    }
}

unsafe extern "C" fn parse_require_line<M: Module>(
    parms: *mut sys::cmd_parms,
    line: *const c_char,
    _parsed: *mut *const c_void,
) -> *const c_char {
    // SAFETY: httpd hands out the line for the length of this call.
    let line = unsafe { text::bytes(line) }.unwrap_or_default();
    let sentence = match fence("parse_require_line", || M::check_requirement(line)) {
        Ok(Ok(())) => return null(),
        Ok(Err(sentence)) => sentence,
        Err(panic) => panic.to_string(),
    };
    // SAFETY: httpd calls with live parameters; what is in their pool lives as long as httpd needs the sentence.
    unsafe { crate::pool::Pool::from_raw((*parms).pool) }.copy(sentence.as_bytes())
}

impl<'r> Request<'r> {
    /// Replaces the authenticated user.
    pub fn set_user(&mut self, user: &[u8]) {
        let user = self.pool().copy(user);
        // SAFETY: the request is live; the copy lives as long.
        unsafe { (*self.raw()).user = user }
    }

    /// The client's name, where `HostnameLookups` has it looked up; this may take time.
    pub fn remote_host(&self) -> Option<&'r [u8]> {
        // SAFETY: the request is live and belongs to this thread; httpd keeps the name in its pool or the connection's.
        unsafe { text::bytes(sys::ap_get_useragent_host(self.raw(), sys::REMOTE_HOST, null_mut())) }
    }

    /// The line below httpd's own pages (`ServerSignature`); empty when it is off.
    pub fn signature(&self) -> &'r [u8] {
        // SAFETY: the request is live; the text is static or in its pool.
        unsafe { text::bytes(sys::ap_psignature(c"".as_ptr(), self.raw())) }.unwrap_or_default()
    }

    /// Whether a refusal by an access checker decides: no `Satisfy Any` lets users in all the same.
    pub fn refusal_is_final(&self) -> bool {
        // SAFETY: the request is live and belongs to this thread.
        unsafe {
            sys::ap_satisfies(self.raw()) != sys::SATISFY_ANY
                || sys::ap_some_auth_required(self.raw()) == c_int::from(false)
        }
    }

    /// A variable of mod_ssl, such as `SSL_CLIENT_S_DN`; `None` without mod_ssl.
    pub fn ssl_variable(&self, name: &CStr) -> Option<&'r [u8]> {
        optional::ssl_variable(self, name)
    }
}
