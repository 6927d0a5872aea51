//! What is worth a line in the log at the start, though it forbids none: directives without an effect, and settings that are
//! probably not meant so.

use httpd::Level;
use thiserror::Error;

/// One such line. It is written once, however often its cause stands in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Remark {
    /// A directive without an effect.
    #[error("WSGI1320: {directive} has no effect: {why}")]
    Idle {
        /// Its name.
        directive: &'static str,
        /// From the table of directives.
        why: &'static str,
    },
    /// An option of a process group without an effect.
    #[error("WSGI1041: WSGIDaemonProcess {group}: {option} has no effect: {why}")]
    IdleOption {
        /// The group.
        group: String,
        /// As written, with what it was set to.
        option: &'static str,
        /// Why.
        why: &'static str,
    },
    /// Directives about telemetry.
    #[error(
        "WSGI1321: WSGITelemetryService, WSGISlowRequests and WSGITelemetryOptions have no effect: this version of mod_wsgi-rs sends \
         no telemetry; remove them, or leave them for a later version"
    )]
    Telemetry,
    /// A header of `WSGITrustedProxyHeaders` that nothing is done with.
    #[error(
        "WSGI1322: WSGITrustedProxyHeaders {0} has no effect, as nothing is known to be in this header: correct the name; known are {1}"
    )]
    UnknownHeader(String, String),
    /// `WSGITrustedProxyHeaders` and nobody named who may send them.
    #[error(
        "WSGI1323: WSGITrustedProxyHeaders is set without WSGITrustedProxies ({0}), so every client can choose the address, host and scheme \
         that applications see: list the proxies in front of this server with WSGITrustedProxies"
    )]
    EverybodyTrusted(String),
    /// `WSGIFreeThreading` for one interpreter.
    #[error(
        "WSGI0201: WSGIFreeThreading in <WSGIInterpreterOptions application-group={0}> has no effect, as the GIL is switched for the whole \
         process: select with process-group= only"
    )]
    FreeThreadingOfOne(String),
    /// A section about a process group that is not there.
    #[error(
        "WSGI1324: <WSGIInterpreterOptions process-group={0}> has no effect, as no WSGIDaemonProcess declares this process group: correct the \
         name or remove the section"
    )]
    SectionOfNobody(String),
    /// A section for embedded mode.
    #[error(
        "WSGI1326: <WSGIInterpreterOptions process-group=%{{GLOBAL}}> has no effect, as there is no embedded mode in this version: name a \
         process group, or none to select all ({0})"
    )]
    EmbeddedSection(String),
    /// A script for embedded mode.
    #[error(
        "WSGI1325: WSGIImportScript {0} has no effect: its process group is %{{GLOBAL}}, the web server itself, and there is no embedded \
         mode in this version; name a process group that WSGIDaemonProcess declares"
    )]
    EmbeddedImport(String),
}

impl Remark {
    /// How it is logged.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::Idle { .. }
            | Self::IdleOption { .. }
            | Self::EmbeddedImport(_)
            | Self::EmbeddedSection(_) => Level::Notice,
            Self::Telemetry
            | Self::UnknownHeader(..)
            | Self::EverybodyTrusted(_)
            | Self::FreeThreadingOfOne(_)
            | Self::SectionOfNobody(_) => Level::Warn,
        }
    }
}
