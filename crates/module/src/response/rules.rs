//! What the configuration makes of a response head: the application's response, a page of httpd's, or another resource. Pure.

use super::CheckedHead;

/// What the directives and options say about response heads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// `WSGIErrorOverride`.
    pub error_override: bool,
    /// `WSGILocationRedirect`.
    pub location_redirect: bool,
    /// `header-buffer-size`: longest header in bytes, name and value.
    pub longest_header: Option<u32>,
}

/// What the client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// The response as it is.
    Response,
    /// httpd's page for this status (`ErrorDocument`).
    ErrorPage(u16),
    /// What httpd has at this path.
    Elsewhere(&'a [u8]),
}

/// A header that is longer than `header-buffer-size` allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongHeader {
    /// Its name, for the log.
    pub name: String,
    /// Name and value in bytes.
    pub length: usize,
    /// What is allowed, in bytes.
    pub limit: u32,
}

/// Headers of a response that httpd's page for its status keeps: without them the status cannot be acted on, or the client loses
/// its session.
const KEPT: [&[u8]; 4] = [b"www-authenticate", b"retry-after", b"set-cookie", b"allow"];

/// Whether httpd's page keeps a header of this name.
#[must_use]
pub fn survives(name: &[u8]) -> bool {
    KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept))
}

impl Rules {
    /// What a head means.
    ///
    /// # Errors
    /// A header is too long.
    pub fn apply<'a>(&self, head: &CheckedHead<'a>) -> Result<Meaning<'a>, LongHeader> {
        if let Some(limit) = self.longest_header {
            let long = head.fields().find(|field| field.name.len() + field.value.len() > limit as usize);
            if let Some(field) = long {
                let name = String::from_utf8_lossy(field.name).into_owned();
                return Err(LongHeader { name, length: field.name.len() + field.value.len(), limit });
            }
        }
        // httpd has no pages for statuses above.
        if self.error_override && (400..600).contains(&head.status()) {
            return Ok(Meaning::ErrorPage(head.status()));
        }
        if self.location_redirect && head.status() == 200 {
            let places = head.fields().filter(|field| field.name.eq_ignore_ascii_case(b"location"));
            if let Some(place) = places.last().filter(|field| field.value.starts_with(b"/")) {
                return Ok(Meaning::Elsewhere(place.value));
            }
        }
        Ok(Meaning::Response)
    }
}
