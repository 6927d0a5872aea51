//! The checks before a request is sent to a worker, as a pure function, and the sentences of those that fail.

use httpd::FileType;
use thiserror::Error;

/// What is known about a request for a WSGI script.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// An alias or `Options ExecCGI` permits to run the file.
    pub executable: bool,
    /// What is at the file's path.
    pub file: FileType,
    /// The path info, where there is some and `AcceptPathInfo Off` forbids it.
    pub forbidden_path_info: Option<&'a [u8]>,
    /// The header.
    pub transfer_encoding: Option<&'a [u8]>,
    /// One stream of HTTP/2, where `Transfer-Encoding` is not the client's word: httpd adds it to a body without a length, so that
    /// its filters know that there is one.
    pub is_stream: bool,
    /// `WSGIChunkedRequest`.
    pub chunked_allowed: bool,
    /// The header.
    pub content_length: Option<&'a [u8]>,
    /// `LimitRequestBody` in bytes.
    pub body_limit: Option<u64>,
}

/// Why a request is answered without a worker. Codes are those of mod_wsgi where the condition is the same.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Not executable.
    #[error(
        "WSGI0134: nothing permits to run this file: map it with WSGIScriptAlias, or write Options +ExecCGI for its directory"
    )]
    NotExecutable,
    /// Not there.
    #[error(
        "WSGI0135: there is no such file, or the web server's user cannot see it: check the path in WSGIScriptAlias and that \
         every directory above the file lets the web server's user pass"
    )]
    Missing,
    /// A directory.
    #[error(
        "WSGI0136: this is a directory, not a WSGI script: name a script in the URL, or the script itself in WSGIScriptAlias"
    )]
    Directory,
    /// `AcceptPathInfo Off`.
    #[error(
        "WSGI0137: AcceptPathInfo Off forbids the path {0} behind the script: correct the URL, or write AcceptPathInfo On for \
         the script's directory"
    )]
    PathInfo(String),
    /// Not chunked.
    #[error(
        "WSGI0138: the request has the Transfer-Encoding {0}, and only chunked can be decoded: the client must send the body \
         as it is, with a Content-Length"
    )]
    TransferEncoding(String),
    /// Chunked.
    #[error("WSGI0139: the request body has no Content-Length: WSGIChunkedRequest On accepts such bodies")]
    Chunked,
    /// Not a number.
    #[error(
        "WSGI0141: the request's Content-Length {0} is not a whole number of bytes in digits: the client, or the proxy in front \
         of this server, must send one"
    )]
    ContentLength(String),
    /// Larger than `LimitRequestBody`.
    #[error(
        "WSGI1301: the request body of {length} bytes is larger than LimitRequestBody {limit}: raise it for this URL if such bodies \
         are wanted"
    )]
    TooLarge {
        /// `Content-Length`.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// Not in `WSGIRestrictProcess`.
    #[error(
        "WSGI0149: WSGIRestrictProcess does not list {0}, which this request is for: add it there, or send the request to a \
         process group that it lists with WSGIProcessGroup or process-group="
    )]
    Restricted(String),
    /// No process group, and `WSGIRestrictEmbedded On`.
    #[error(
        "WSGI0143: no process group is configured for this request, and WSGIRestrictEmbedded On forbids to run it in the web \
         server itself: declare a group with WSGIDaemonProcess NAME and send the request there with WSGIProcessGroup NAME"
    )]
    EmbeddedForbidden,
    /// No process group.
    #[error(
        "WSGI1302: no process group is configured for this request, and this version of mod_wsgi-rs does not run applications in \
         the web server itself: declare a group with WSGIDaemonProcess NAME and send the request there with WSGIProcessGroup NAME"
    )]
    Embedded,
    /// A name without a group.
    #[error(
        "WSGI0151: there is no process group named {0}: declare it with WSGIDaemonProcess, or correct the name in \
         WSGIProcessGroup or process-group="
    )]
    UnknownGroup(String),
    /// A name that is a variable's value, and the variable is not there.
    #[error(
        "{code}: the process group of this request is %{{ENV:{variable}}}, and the variable {variable} is not set for it: set it in the \
         server's configuration, outside of .htaccess files, with SetEnvIf or the flag [E={variable}:NAME] of RewriteRule"
    )]
    NoVariable {
        /// That of the refusal of an unknown name.
        code: String,
        /// Its name.
        variable: String,
    },
    /// A group of another virtual host.
    #[error(
        "WSGI0152: process group {group} is declared in the virtual host {server} and serves only that: declare it outside of \
         <VirtualHost> to share it"
    )]
    ForeignGroup {
        /// The group.
        group: String,
        /// `ServerName`.
        server: String,
    },
    /// A group that serves nobody.
    #[error(
        "WSGI1040: process group {0} has threads=0: it runs service scripts (WSGIImportScript) and serves no requests: send the request to \
         another group with WSGIProcessGroup or process-group="
    )]
    Service(String),
    /// Outside of `chroot=`.
    #[error(
        "WSGI0081: the file is not below {chroot}/, the root directory of process group {group} (chroot=), whose workers cannot see it: \
         move the script there and name it in WSGIScriptAlias with its whole path, or send the request to another group"
    )]
    OutsideRoot {
        /// The group.
        group: String,
        /// The directory, without its last slash.
        chroot: String,
    },
    /// A group that an `.htaccess` file may have chosen.
    #[error(
        "WSGI1311: the variable {variable} leads to process group {group}, and got its value when .htaccess files, whose authors \
         must not choose a process group, had a say already: set it at server level with SetEnvIf or with RewriteRule and [E=...], \
         which come before, or do without .htaccess files for this script (AllowOverride None)"
    )]
    UnsettledGroup {
        /// Its name.
        variable: String,
        /// What it leads to.
        group: String,
    },
    /// A module has named a group for which an `.htaccess` file may be the cause.
    #[error(
        "WSGI1340: a module has set the note mod_wsgi.process_group to {0}, and .htaccess files, whose authors must not choose a \
         process group, had a say in this request: do without .htaccess files for this script (AllowOverride None), or do not set \
         the note"
    )]
    UnsettledNote(String),
    /// A dispatch script of one user has a say about a group of another.
    #[error(
        "WSGI1386: a dispatch script that runs in process group {by} has decided about this request, which is for process group {group} \
         of another user: if the script is trusted by all users, remove process-group= of WSGIDispatchScript, so that it runs as \
         the web server's user; else let it choose groups of its own user"
    )]
    ForeignChoice {
        /// The group that the request is for.
        group: String,
        /// The group that has decided.
        by: String,
    },
    /// Not owned as `script-user=` or `script-group=` say.
    #[error(transparent)]
    Disowned(#[from] crate::owner::Disowned),
}

impl Refusal {
    /// The same refusal of a name that stands for a variable which is not set: the name is not what is wrong.
    #[must_use]
    pub fn without_variable(self, variable: &[u8]) -> Self {
        match self {
            Self::UnknownGroup(_) | Self::Restricted(_) => {
                let code = self.to_string().chars().take_while(|c| *c != ':').collect();
                Self::NoVariable { code, variable: variable.escape_ascii().to_string() }
            }
            other => other,
        }
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NotExecutable | Self::Directory | Self::Disowned(_) => 403,
            Self::Missing | Self::PathInfo(_) => 404,
            Self::TransferEncoding(_) => 501,
            Self::Chunked => 411,
            Self::ContentLength(_) => 400,
            Self::TooLarge { .. } => 413,
            Self::Restricted(_)
            | Self::EmbeddedForbidden
            | Self::Embedded
            | Self::UnknownGroup(_)
            | Self::NoVariable { .. }
            | Self::ForeignGroup { .. }
            | Self::Service(_)
            | Self::OutsideRoot { .. }
            | Self::UnsettledGroup { .. }
            | Self::UnsettledNote(_)
            | Self::ForeignChoice { .. } => 500,
        }
    }
}

impl Asked<'_> {
    /// The checks, in mod_wsgi's order.
    ///
    /// # Errors
    /// The first that fails.
    pub fn check(&self) -> Result<(), Refusal> {
        if !self.executable {
            return Err(Refusal::NotExecutable);
        }
        match self.file {
            FileType::Missing => return Err(Refusal::Missing),
            FileType::Directory => return Err(Refusal::Directory),
            FileType::Regular | FileType::Other => {}
        }
        if let Some(info) = self.forbidden_path_info {
            return Err(Refusal::PathInfo(shown(info)));
        }
        if let Some(coding) = self.transfer_encoding {
            if !coding.eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::TransferEncoding(shown(coding)));
            }
            if !self.chunked_allowed && !self.is_stream {
                return Err(Refusal::Chunked);
            }
        }
        let Some(text) = self.content_length else { return Ok(()) };
        let length = number(text).ok_or_else(|| Refusal::ContentLength(shown(text)))?;
        match self.body_limit {
            Some(limit) if length > limit => Err(Refusal::TooLarge { length, limit }),
            _ => Ok(()),
        }
    }
}

/// The beginning of what a client has sent, on one line.
fn shown(text: &[u8]) -> String {
    const LONGEST: usize = 200;
    let dots = if text.len() > LONGEST { "..." } else { "" };
    format!("\"{}{dots}\"", text.get(..LONGEST).unwrap_or(text).escape_ascii())
}

/// Digits only (RFC 9110, 8.6), no sign, no space.
fn number(text: &[u8]) -> Option<u64> {
    let text =
        std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Asked<'static> {
        Asked {
            executable: true,
            file: FileType::Regular,
            forbidden_path_info: None,
            transfer_encoding: None,
            is_stream: false,
            chunked_allowed: false,
            content_length: Some(b"10"),
            body_limit: Some(10),
        }
    }

    fn status(asked: &Asked<'_>) -> u16 {
        asked.check().map_or_else(|refusal| refusal.status(), |()| 200)
    }

    #[test]
    fn each_check_has_its_status() {
        assert_eq!(status(&good()), 200);
        assert_eq!(status(&Asked { executable: false, ..good() }), 403);
        assert_eq!(status(&Asked { file: FileType::Missing, ..good() }), 404);
        assert_eq!(status(&Asked { file: FileType::Directory, ..good() }), 403);
        assert_eq!(status(&Asked { forbidden_path_info: Some(b"/x"), ..good() }), 404);
        assert_eq!(status(&Asked { transfer_encoding: Some(b"gzip"), ..good() }), 501);
        assert_eq!(status(&Asked { transfer_encoding: Some(b"Chunked"), ..good() }), 411);
        assert_eq!(status(&Asked { transfer_encoding: Some(b"chunked"), is_stream: true, ..good() }), 200);
        let chunked = Asked { transfer_encoding: Some(b"chunked"), chunked_allowed: true, ..good() };
        assert_eq!(status(&chunked), 200);
        assert_eq!(status(&Asked { content_length: Some(b"11"), ..good() }), 413);
        assert_eq!(status(&Asked { content_length: Some(b"11"), body_limit: None, ..good() }), 200);
        for bad in [&b"-1"[..], b"+1", b"1 ", b"1,1", b"", b"0x1", b"99999999999999999999"] {
            assert_eq!(status(&Asked { content_length: Some(bad), ..good() }), 400, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn every_sentence_has_a_code() {
        let asked = Asked { content_length: Some(b"1\n2"), ..good() };
        let refusal = asked.check().unwrap_err();
        assert!(refusal.to_string().contains(r#"Content-Length "1\n2" is not"#), "{refusal}");
        for refusal in [Refusal::Missing, Refusal::Embedded, Refusal::UnknownGroup("x".into()), refusal] {
            let text = refusal.to_string();
            assert!(text.starts_with("WSGI") && text[4..8].bytes().all(|b| b.is_ascii_digit()), "{text}");
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let text = Refusal::UnknownGroup("%{ENV:SITE}".into()).without_variable(b"SITE").to_string();
        assert!(text.starts_with("WSGI0151: ") && text.contains("the variable SITE is not set"), "{text}");
        let text = Refusal::Restricted("x".into()).without_variable(b"SITE").to_string();
        assert!(text.starts_with("WSGI0149: ") && text.contains("[E=SITE:NAME]"), "{text}");
        assert_eq!(Refusal::Embedded.without_variable(b"SITE").to_string(), Refusal::Embedded.to_string());
    }
}
