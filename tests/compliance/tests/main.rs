//! What PEP 3333 and the reference say. `SERVER_UNDER_TEST=mod_wsgi` points the whole suite at mod_wsgi; where the two rightly
//! differ, `kit::pick` names both expectations.

/// An Apache that serves one application at `/app` in a daemon process group, or a counted skip.
macro_rules! serve {
    ($source:expr) => {
        kit::need!(kit::Setup::new()).one_daemon("processes=1 threads=4").app("app", $source).start()
    };
}

mod access;
mod applications;
mod authentication;
mod body;
mod checks;
mod contexts;
mod crossing;
mod dispatch;
mod environ;
mod error_pages;
mod events;
mod failures;
mod files;
mod frameworks;
mod groups;
mod handlers;
mod head_requests;
mod headers;
mod hosts;
mod http2;
mod input;
mod input_errors;
mod lifecycle;
mod limits;
mod loading;
mod log_levels;
mod logging;
mod mapping;
mod merging;
mod ownership;
mod paths;
mod places;
mod protocol;
mod proxies;
mod rewriting;
mod seekable;
mod settings;
mod sizes;
mod start_response;
mod statuses;
mod streaming;
mod unread;
mod validated;
mod variables;
