//! What httpd works out about a request: names, scheme, roots, options and limits that apply, facts of the file.

use super::Request;
use httpd_sys as sys;
use std::ffi::CStr;
use std::time::{Duration, SystemTime};

/// The kind of the file a request was mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// There is no such file (or nobody looked).
    Missing,
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// Anything else: a device, a pipe, a socket, a link that was not followed.
    Other,
}

/// What `stat` said of the file a request was mapped to.
#[derive(Clone, Copy, Debug)]
pub struct FileFacts {
    /// Its kind.
    pub kind: FileType,
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed last.
    pub modified: SystemTime,
}

/// Whether a path may go on behind the file (`AcceptPathInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathInfo {
    /// It may.
    Accept,
    /// It may not: 404.
    Reject,
    /// The handler decides.
    Default,
}

/// `CGIPassAuth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassAuth {
    /// Off.
    Off,
    /// On.
    On,
    /// Not set.
    Unset,
}

impl<'r> Request<'r> {
    /// The server's name as `UseCanonicalName` says (`SERVER_NAME`).
    pub fn server_name(&self) -> &'r [u8] {
        // SAFETY: the request is live.
        self.owned_text(unsafe { sys::ap_get_server_name(self.raw()) })
    }

    /// The server's port as `UseCanonicalName` and `UseCanonicalPhysicalPort` say (`SERVER_PORT`).
    pub fn server_port(&self) -> u16 {
        // SAFETY: the request is live.
        unsafe { sys::ap_get_server_port(self.raw()) }
    }

    /// `http` or `https` as httpd's modules say (`REQUEST_SCHEME`).
    pub fn scheme(&self) -> &'r [u8] {
        // SAFETY: the request is live.
        self.owned_text(unsafe { sys::ap_run_http_scheme(self.raw()) })
    }

    /// `DocumentRoot` in force.
    pub fn document_root(&self) -> &'r [u8] {
        // SAFETY: the request is live.
        self.owned_text(unsafe { sys::ap_document_root(self.raw()) })
    }

    /// `CONTEXT_PREFIX`.
    pub fn context_prefix(&self) -> &'r [u8] {
        // SAFETY: the request is live.
        self.owned_text(unsafe { sys::ap_context_prefix(self.raw()) })
    }

    /// `CONTEXT_DOCUMENT_ROOT`.
    pub fn context_document_root(&self) -> &'r [u8] {
        // SAFETY: the request is live.
        self.owned_text(unsafe { sys::ap_context_document_root(self.raw()) })
    }

    /// Whether `Options ExecCGI` applies.
    pub fn allows_exec_cgi(&self) -> bool {
        // SAFETY: the request is live.
        unsafe { sys::ap_allow_options(self.raw()) & sys::OPT_EXECCGI != 0 }
    }

    /// `LimitRequestBody` in force, in bytes; `None` when there is no limit.
    pub fn limit_request_body(&self) -> Option<u64> {
        // SAFETY: the request is live.
        let limit = unsafe { sys::ap_get_limit_req_body(self.raw()) };
        u64::try_from(limit).ok().filter(|&limit| limit > 0)
    }

    /// `AcceptPathInfo` in force.
    pub fn path_info_rule(&self) -> PathInfo {
        // SAFETY: the request is live.
        match unsafe { (*self.raw()).used_path_info } {
            sys::AP_REQ_ACCEPT_PATH_INFO => PathInfo::Accept,
            sys::AP_REQ_REJECT_PATH_INFO => PathInfo::Reject,
            _ => PathInfo::Default,
        }
    }

    /// `CGIPassAuth` in force.
    pub fn cgi_pass_auth(&self) -> PassAuth {
        // SAFETY: the core module's value is in every directory vector.
        let value = unsafe {
            let core = sys::ap_get_core_module_config((*self.raw()).per_dir_config);
            sys::core_cgi_pass_auth(core.cast())
        };
        match value {
            0 => PassAuth::Off,
            1 => PassAuth::On,
            _ => PassAuth::Unset,
        }
    }

    /// Whether `CGIVar REQUEST_URI current-uri` is in force: scripts see the URI as rules have rewritten it.
    pub fn shows_current_uri(&self) -> bool {
        const NAME: &CStr = c"REQUEST_URI";
        // SAFETY: as in `cgi_pass_auth`; httpd keeps C strings in this table, under keys with their lengths known.
        unsafe {
            let core: *const sys::core_dir_config =
                sys::ap_get_core_module_config((*self.raw()).per_dir_config).cast();
            let rules = (*core).cgi_var_rules;
            if rules.is_null() {
                return false;
            }
            let rule = sys::apr_hash_get(rules, NAME.as_ptr().cast(), NAME.count_bytes().cast_signed());
            !rule.is_null() && CStr::from_ptr(rule.cast()) == c"current-uri"
        }
    }

    /// Whether `EnableSendfile Off` was not said. It is off by itself since httpd 2.4, for the sake of files on network file
    /// systems; a caller that knows its files may use it unless somebody decided against it.
    pub fn sendfile_allowed(&self) -> bool {
        // SAFETY: as in `cgi_pass_auth`.
        unsafe {
            let core = sys::ap_get_core_module_config((*self.raw()).per_dir_config);
            sys::core_enable_sendfile(core.cast()) != sys::ENABLE_SENDFILE_OFF
        }
    }

    /// What httpd found at [`Request::filename`].
    pub fn file(&self) -> FileFacts {
        // SAFETY: the request is live; the structure is plain data.
        let found = unsafe { (&raw const (*self.raw()).finfo).read() };
        let kind = match found.filetype {
            sys::APR_NOFILE => FileType::Missing,
            sys::APR_REG => FileType::Regular,
            sys::APR_DIR => FileType::Directory,
            _ => FileType::Other,
        };
        let modified = Duration::from_micros(found.mtime.try_into().unwrap_or(0));
        FileFacts {
            kind,
            size: found.size.try_into().unwrap_or(0),
            modified: SystemTime::UNIX_EPOCH + modified,
        }
    }

    /// Maps the URI to `file` and `path_info`, if that is a regular file now; else changes nothing and is false. For
    /// `translate_name`: httpd's walk looks no second time at a file that was found, and where `FollowSymLinks` holds it need
    /// not look at each directory on the way (httpd: ap_directory_walk).
    pub fn set_regular_file(&mut self, file: &[u8], path_info: &[u8]) -> bool {
        let pool = self.pool();
        // SAFETY: the request is live and ours until the hook returns; name and path info live in its pool. The structure is
        // plain data, as httpd has it before anybody looks when the filetype is none.
        unsafe {
            let name = pool.copy(file);
            let found = &raw mut (*self.raw()).finfo;
            let status = sys::apr_stat(found, name, sys::APR_FINFO_MIN, pool.raw());
            if status != sys::APR_SUCCESS || (*found).filetype != sys::APR_REG {
                (*found).filetype = sys::APR_NOFILE;
                return false;
            }
            (*self.raw()).filename = name;
            (*self.raw()).path_info = pool.copy(path_info);
        }
        true
    }

    /// Whether directives of an `.htaccess` file apply: httpd has looked for such files, and found one.
    pub fn has_htaccess(&self) -> bool {
        // SAFETY: the request is live; httpd keeps in its pool what it found in each directory, with no directives where
        // there was no file (httpd: ap_parse_htaccess).
        unsafe {
            let mut next = (*self.raw()).htaccess;
            while let Some(result) = next.as_ref() {
                if !result.htaccess.is_null() {
                    return true;
                }
                next = result.next;
            }
        }
        false
    }

    /// Whether a filter stands in the input that works on content, such as decompression: the body that is read may then have
    /// another length than the client has announced.
    pub fn has_content_input_filter(&self) -> bool {
        // SAFETY: the request is live; the chain of content filters ends where that of the protocol begins (httpd: ap_filter_t).
        unsafe { (*self.raw()).input_filters != (*self.raw()).proto_input_filters }
    }

    /// Whether a filter stands in the output that works on content, such as compression: it may need the whole body of a
    /// response even when only the head is sent (HEAD).
    pub fn has_content_filter(&self) -> bool {
        // SAFETY: the request and its filters are live; each filter has a record, which lives as long as the
        // configuration.
        unsafe {
            let first = (*self.raw()).output_filters.as_ref().and_then(|filter| filter.frec.as_ref());
            first.is_some_and(|record| record.ftype < sys::AP_FTYPE_PROTOCOL)
        }
    }
}
