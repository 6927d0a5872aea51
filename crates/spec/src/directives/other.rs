//! What is accepted without an effect, and what is gone.

use super::{Context, DirectiveRow, Effect, ON_OFF};

/// `WSGIVerboseDebugging`.
pub const VERBOSE_DEBUGGING: DirectiveRow = DirectiveRow {
    name: c"WSGIVerboseDebugging",
    syntax: ON_OFF,
    context: Context::MainServer,
    default: "Off",
    help: c"for compatibility with mod_wsgi, where it has no effect either",
    difference: "",
    effect: Effect::None("LogLevel wsgi:debug or wsgi:trace1 decides what is logged"),
};

/// `WSGIGroupAuthoritative`.
pub const GROUP_AUTHORITATIVE: DirectiveRow = DirectiveRow {
    name: c"WSGIGroupAuthoritative",
    syntax: ON_OFF,
    context: Context::AuthConfig,
    default: "On",
    help: c"for compatibility with mod_wsgi, where it has no effect either",
    difference: "",
    effect: Effect::None(
        "how the answers of several providers are combined is said by Require, <RequireAll> and <RequireAny>",
    ),
};

/// `WSGIServerMetrics`.
pub const SERVER_METRICS: DirectiveRow = DirectiveRow {
    name: c"WSGIServerMetrics",
    syntax: ON_OFF,
    context: Context::MainServer,
    default: "Off",
    help: c"On lets mod_wsgi.server_metrics() see the web server in embedded mode",
    difference: "no effect without embedded mode",
    effect: Effect::None("there is no embedded mode in this version"),
};

/// `WSGITelemetryService`.
pub const TELEMETRY_SERVICE: DirectiveRow = DirectiveRow {
    name: c"WSGITelemetryService",
    syntax: "unix:/PATH [interval=SECONDS]",
    context: Context::MainServer,
    default: "none",
    help: c"where figures about requests are sent",
    difference: "nothing is sent by this version",
    effect: Effect::Telemetry,
};

/// `WSGISlowRequests`.
pub const SLOW_REQUESTS: DirectiveRow = DirectiveRow {
    name: c"WSGISlowRequests",
    syntax: "SECONDS",
    context: Context::MainServer,
    default: "none",
    help: c"how long a request may take before it is reported",
    difference: "nothing is sent by this version",
    effect: Effect::Telemetry,
};

/// `WSGITelemetryOptions`.
pub const TELEMETRY_OPTIONS: DirectiveRow = DirectiveRow {
    name: c"WSGITelemetryOptions",
    syntax: "[+|-]CaptureUserAgent ... | None | All",
    context: Context::MainServer,
    default: "None",
    help: c"what reports about requests hold",
    difference: "nothing is sent by this version",
    effect: Effect::Telemetry,
};

/// `WSGILazyInitialization`.
pub const LAZY_INITIALIZATION: DirectiveRow = DirectiveRow {
    name: c"WSGILazyInitialization",
    syntax: "-",
    context: Context::Servers,
    default: "-",
    help: c"gone since mod_wsgi 6",
    difference: "",
    effect: Effect::Removed(
        "Python is always started in the process that runs the application: remove the line",
    ),
};

/// `WSGINewRelicConfigFile`.
pub const NEW_RELIC_CONFIG_FILE: DirectiveRow = DirectiveRow {
    name: c"WSGINewRelicConfigFile",
    syntax: "-",
    context: Context::Servers,
    default: "-",
    help: c"gone since mod_wsgi 6",
    difference: "",
    effect: Effect::Removed(
        "write env=NEW_RELIC_CONFIG_FILE=FILE behind WSGIDaemonProcess and start the agent in the WSGI script",
    ),
};

/// `WSGINewRelicEnvironment`.
pub const NEW_RELIC_ENVIRONMENT: DirectiveRow = DirectiveRow {
    name: c"WSGINewRelicEnvironment",
    syntax: "-",
    context: Context::Servers,
    default: "-",
    help: c"gone since mod_wsgi 6",
    difference: "",
    effect: Effect::Removed(
        "write env=NEW_RELIC_ENVIRONMENT=NAME behind WSGIDaemonProcess and start the agent in the WSGI script",
    ),
};
