//! How a request is passed on, and what becomes of the answer.

use super::{Context, DirectiveRow, Effect, ON_OFF};

/// `WSGIPassAuthorization`.
pub const PASS_AUTHORIZATION: DirectiveRow = DirectiveRow {
    name: c"WSGIPassAuthorization",
    syntax: ON_OFF,
    context: Context::FileInfo,
    default: "Off",
    help: c"On passes the Authorization header to the application",
    difference: "",
    effect: Effect::Works,
};

/// `WSGIScriptReloading`.
pub const SCRIPT_RELOADING: DirectiveRow = DirectiveRow {
    name: c"WSGIScriptReloading",
    syntax: ON_OFF,
    context: Context::FileInfo,
    default: "On",
    help: c"On replaces a worker whose script has changed before the next request",
    difference: "the new worker is ready before the old one leaves, which finishes its requests",
    effect: Effect::Works,
};

/// `WSGIErrorOverride`.
pub const ERROR_OVERRIDE: DirectiveRow = DirectiveRow {
    name: c"WSGIErrorOverride",
    syntax: ON_OFF,
    context: Context::FileInfo,
    default: "Off",
    help:
        c"On puts the ErrorDocument of the web server in the place of an answer with a status from 400 to 599",
    difference: "Retry-After, Set-Cookie and Allow are kept as WWW-Authenticate is",
    effect: Effect::Works,
};

/// `WSGIChunkedRequest`.
pub const CHUNKED_REQUEST: DirectiveRow = DirectiveRow {
    name: c"WSGIChunkedRequest",
    syntax: ON_OFF,
    context: Context::FileInfo,
    default: "Off",
    help: c"On accepts request bodies without a Content-Length",
    difference: "concerns HTTP/1.1 only: HTTP/2 needs no length",
    effect: Effect::Works,
};

/// `WSGIRequestBuffering`.
pub const REQUEST_BUFFERING: DirectiveRow = DirectiveRow {
    name: c"WSGIRequestBuffering",
    syntax: ON_OFF,
    context: Context::FileInfo,
    default: "On, but Off for large bodies of fast clients and for those that wait for `100 Continue`, while half of the threads are free",
    help: c"On hands a request to a worker when all of its body has arrived, Off before",
    difference: "ours; mod_wsgi always hands over at once, so a slow client holds a thread",
    effect: Effect::Works,
};

/// `WSGISeekableInput`.
pub const SEEKABLE_INPUT: DirectiveRow = DirectiveRow {
    name: c"WSGISeekableInput",
    syntax: ON_OFF,
    context: Context::FileInfo,
    default: "Off",
    help: c"On gives wsgi.input seek() and tell(); the body is gathered then, whatever WSGIRequestBuffering says",
    difference: "ours",
    effect: Effect::Works,
};

/// `WSGIMapHEADToGET`.
pub const MAP_HEAD_TO_GET: DirectiveRow = DirectiveRow {
    name: c"WSGIMapHEADToGET",
    syntax: "On | Off | Auto",
    context: Context::FileInfo,
    default: "Auto",
    help: c"whether applications see GET for a HEAD request: always, never, or where a filter needs the body",
    difference: "",
    effect: Effect::Works,
};

/// `WSGIIgnoreActivity`.
pub const IGNORE_ACTIVITY: DirectiveRow = DirectiveRow {
    name: c"WSGIIgnoreActivity",
    syntax: ON_OFF,
    context: Context::FileInfo,
    default: "Off",
    help: c"On has requests count as no activity for inactivity-timeout=",
    difference: "",
    effect: Effect::Works,
};

/// `WSGITrustedProxyHeaders`.
pub const TRUSTED_PROXY_HEADERS: DirectiveRow = DirectiveRow {
    name: c"WSGITrustedProxyHeaders",
    syntax: "HEADER ...",
    context: Context::FileInfo,
    default: "none",
    help: c"request headers of a proxy in front that decide REMOTE_ADDR, HTTP_HOST and the like",
    difference: "a header that means nothing here is named in the log at the start; so is a missing WSGITrustedProxies, without which every client is believed",
    effect: Effect::Works,
};

/// `WSGITrustedProxies`.
pub const TRUSTED_PROXIES: DirectiveRow = DirectiveRow {
    name: c"WSGITrustedProxies",
    syntax: "ADDRESS[/BITS|/MASK] ...",
    context: Context::FileInfo,
    default: "everybody",
    help: c"the proxies whose headers are believed",
    difference: "IPv6 addresses in capitals work, too",
    effect: Effect::Works,
};

/// `WSGIEnableSendfile`.
pub const ENABLE_SENDFILE: DirectiveRow = DirectiveRow {
    name: c"WSGIEnableSendfile",
    syntax: ON_OFF,
    context: Context::FileInfo,
    default: "as EnableSendfile of the web server",
    help: c"whether the kernel may send files of wsgi.file_wrapper (sendfile); without it only EnableSendfile Off forbids it",
    difference: "the default is Off",
    effect: Effect::Works,
};

/// `WSGILocationRedirect`.
pub const LOCATION_REDIRECT: DirectiveRow = DirectiveRow {
    name: c"WSGILocationRedirect",
    syntax: ON_OFF,
    context: Context::FileInfo,
    default: "Off",
    help: c"On has the web server answer with what is at a local Location of a 200 response",
    difference: "ours; mod_wsgi does so always in daemon mode",
    effect: Effect::Works,
};

/// `WSGIPassApacheRequest`.
pub const PASS_APACHE_REQUEST: DirectiveRow = DirectiveRow {
    name: c"WSGIPassApacheRequest",
    syntax: ON_OFF,
    context: Context::Sections,
    default: "Off",
    help: c"On passes apache.request_rec to applications in embedded mode",
    difference: "no effect without embedded mode",
    effect: Effect::None(
        "there is no embedded mode in this version, and in a process group applications cannot reach the request of the web server, in mod_wsgi neither",
    ),
};
