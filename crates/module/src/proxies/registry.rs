//! The request headers with which proxies say where a request came from: their names, and what each of them speaks of.

use std::ffi::CStr;

/// What a header speaks of. Headers of the same category are synonyms: at most one of them is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Category {
    /// Who the client is.
    Client,
    /// The `Host` header that the client sent.
    Host,
    /// The name of the server that the client asked.
    Server,
    /// The port that the client asked.
    Port,
    /// Where the proxy has mounted the application.
    ScriptName,
    /// Whether the client asked over TLS.
    Scheme,
}

/// Number of categories.
pub const CATEGORIES: usize = 6;

/// How a header's value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A list with commas, to which each proxy has added the peer that it saw.
    Chain,
    /// The value itself.
    Text,
    /// `http` or `https`.
    SchemeName,
    /// On, true or 1; off, false or 0.
    Flag,
}

/// One header.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// As in a request.
    pub name: &'static CStr,
    /// As in an environ.
    pub key: &'static str,
    /// What it speaks of.
    pub category: Category,
    /// How it is read.
    pub form: Form,
}

const fn header(name: &'static CStr, key: &'static str, category: Category, form: Form) -> Header {
    Header { name, key, category, form }
}

/// All of them. A header that is not here can be configured, and means nothing.
pub static REGISTRY: [Header; 15] = [
    header(c"X-Forwarded-For", "HTTP_X_FORWARDED_FOR", Category::Client, Form::Chain),
    header(c"X-Client-IP", "HTTP_X_CLIENT_IP", Category::Client, Form::Text),
    header(c"X-Real-IP", "HTTP_X_REAL_IP", Category::Client, Form::Text),
    header(c"X-Forwarded-Host", "HTTP_X_FORWARDED_HOST", Category::Host, Form::Text),
    header(c"X-Host", "HTTP_X_HOST", Category::Host, Form::Text),
    header(c"X-Forwarded-Server", "HTTP_X_FORWARDED_SERVER", Category::Server, Form::Text),
    header(c"X-Forwarded-Port", "HTTP_X_FORWARDED_PORT", Category::Port, Form::Text),
    header(c"X-Script-Name", "HTTP_X_SCRIPT_NAME", Category::ScriptName, Form::Text),
    header(c"X-Forwarded-Script-Name", "HTTP_X_FORWARDED_SCRIPT_NAME", Category::ScriptName, Form::Text),
    header(c"X-Forwarded-Proto", "HTTP_X_FORWARDED_PROTO", Category::Scheme, Form::SchemeName),
    header(c"X-Forwarded-Scheme", "HTTP_X_FORWARDED_SCHEME", Category::Scheme, Form::SchemeName),
    header(c"X-Scheme", "HTTP_X_SCHEME", Category::Scheme, Form::SchemeName),
    header(c"X-Forwarded-HTTPS", "HTTP_X_FORWARDED_HTTPS", Category::Scheme, Form::Flag),
    header(c"X-Forwarded-SSL", "HTTP_X_FORWARDED_SSL", Category::Scheme, Form::Flag),
    header(c"X-HTTPS", "HTTP_X_HTTPS", Category::Scheme, Form::Flag),
];

impl Header {
    /// The header with this key.
    #[must_use]
    pub fn with_key(key: &[u8]) -> Option<&'static Self> {
        REGISTRY.iter().find(|header| header.key.as_bytes() == key)
    }
}
