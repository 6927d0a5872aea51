//! A request as a browser sends it, for a hello-world application, and what Apache knows about it.

use std::sync::LazyLock;

use mod_wsgi::counted::{Changes, Facts, encode};
use wire::{Body, Flags, RequestEncoder, RequestFields, Task, WireError};

/// Name and value.
pub type Pair = (&'static [u8], &'static [u8]);

/// What SetEnv and other modules add.
pub const VARIABLES: [Pair; 2] =
    [(b"UNIQUE_ID", b"ZVz0dX8AAQEAAAe7B9EAAAAA"), (b"DJANGO_SETTINGS_MODULE", b"example.settings")];

/// The request's headers.
pub const HEADERS: [Pair; 14] = [
    (b"Host", b"www.example.org"),
    (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    (b"Accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    (b"Accept-Language", b"en-GB,en;q=0.7,de;q=0.3"),
    (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
    (b"Referer", b"https://www.example.org/shop/"),
    (b"Cookie", b"csrftoken=Wq2mX0bVb7sX5l1o9aQkq8cXoGdVb3Jt; sessionid=q3tq0gs1m1mgdnvzcm2rfyvdvkb2rw0f"),
    (b"Upgrade-Insecure-Requests", b"1"),
    (b"Sec-Fetch-Dest", b"document"),
    (b"Sec-Fetch-Mode", b"navigate"),
    (b"Sec-Fetch-Site", b"same-origin"),
    (b"Sec-Fetch-User", b"?1"),
    (b"Priority", b"u=0, i"),
    (b"Connection", b"keep-alive"),
];

static NOTHING: LazyLock<Changes<'static>> = LazyLock::new(Changes::default);

fn facts(script: &[u8]) -> Facts<'_> {
    Facts {
        method: b"GET",
        protocol: b"HTTP/1.1",
        request_line: b"GET /shop/items?page=2&order=price HTTP/1.1",
        current_uri: None,
        query: b"page=2&order=price",
        scheme: b"https",
        server_software: b"Apache/2.4.62 (Debian)",
        server_name: b"www.example.org",
        server_addr: b"192.0.2.10",
        server_port: 443,
        server_admin: Some(b"webmaster@example.org"),
        remote_addr: b"198.51.100.23",
        remote_port: 51324,
        remote_user: None,
        auth_type: None,
        document_root: Some(b"/var/www/html"),
        context_prefix: b"",
        context_document_root: Some(b"/var/www/html"),
        script_filename: script,
        handler_script: b"",
        script_name: b"/shop",
        path_info: b"/items",
        redirect: None,
        handler: b"wsgi-script",
        listener_host: b"192.0.2.10",
        listener_port: 443,
        server_pid: 4711,
        request_id: b"ZVz0dX8AAQEAAAe7B9EAAAAA",
        connection_id: b"ZVz0dX8AAQE",
        authorization: false,
        proxy_authorization: false,
        head_as_get: false,
        forwarded: &NOTHING,
    }
}

/// What a request frame begins with.
pub fn fields(script: &[u8]) -> RequestFields<'_> {
    RequestFields {
        flags: Flags { https: true, script_reloading: true, ..Flags::default() },
        request_start: 1_700_000_000_500_000,
        queue_start: 1_700_000_000_500_250,
        application_group: b"",
        script,
        callable: b"application",
        task: Task::Application,
    }
}

/// Appends the whole request frame, as the module does it for each request.
pub fn frame(script: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut encoder = RequestEncoder::new(out, &fields(script))?;
    encode(&mut encoder, &facts(script), VARIABLES.into_iter(), HEADERS.into_iter())?;
    encoder.finish(Body::Inline(b""))
}
