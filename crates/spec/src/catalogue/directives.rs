//! Codes 1320 to 1339: directives that mean less than they say, or more.

use super::Entry;
use super::Level::{Notice, Warn};

pub(super) const TABLE: &[Entry] = &[
    Entry {
        code: 1320,
        level: Notice,
        happened: "A directive is read for compatibility with mod_wsgi and has no effect. The line says why.",
        why: "The directive is about embedded mode, or about something that works in another way here.",
        action: "Remove the directive, or write what the line names in its place.",
    },
    Entry {
        code: 1321,
        level: Warn,
        happened: "Directives about telemetry are set, and nothing is sent.",
        why: "This version sends no telemetry; the directives are checked, so that a configuration of mod_wsgi can be used.",
        action: "Remove WSGITelemetryService, WSGISlowRequests and WSGITelemetryOptions, or leave them for a later version.",
    },
    Entry {
        code: 1322,
        level: Warn,
        happened: "A header that WSGITrustedProxyHeaders lists means nothing to this module, and nothing is taken from it.",
        why: "The name is misspelt, or the proxy sends a header of its own.",
        action: "Correct the name; the line lists the known ones. For other headers the application must read the environ itself.",
    },
    Entry {
        code: 1323,
        level: Warn,
        happened: "WSGITrustedProxyHeaders is set and WSGITrustedProxies is not, so headers of every client are believed.",
        why: "The list of proxies was forgotten; it is needed wherever clients can reach this server without the proxy.",
        action: "List the addresses of the proxies in front of this server with WSGITrustedProxies.",
    },
    Entry {
        code: 1324,
        level: Warn,
        happened: "A section WSGIInterpreterOptions selects a process group that does not exist, and has no effect.",
        why: "The name is misspelt, or the group was removed.",
        action: "Correct process-group= to a name of a WSGIDaemonProcess, or remove the section.",
    },
    Entry {
        code: 1325,
        level: Notice,
        happened: "A script of WSGIImportScript is not loaded, as it is meant for the web server's own processes.",
        why: "Its process-group= is %{GLOBAL}, which means embedded mode, and this version has none.",
        action: "Name a process group that WSGIDaemonProcess declares, or remove the line.",
    },
    Entry {
        code: 1326,
        level: Notice,
        happened: "A section WSGIInterpreterOptions selects embedded mode, and has no effect.",
        why: "Its process-group= is %{GLOBAL}, and this version has no embedded mode.",
        action: "Name a process group, or leave process-group= out to select all of them.",
    },
];
