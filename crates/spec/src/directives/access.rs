//! Scripts that the server asks: who may come in, and where a request goes.

use super::{Context, DirectiveRow, Effect};

const FILE: &str = "FILE";
const WHERE: &str = "a worker runs the script, in a group of its own as the web server's user unless process-group= (ours) names another; \
                     from .htaccess, only scripts that WSGIHtaccessScripts permits, and neither process-group= nor application-group=";

/// `WSGIAccessScript`.
pub const ACCESS_SCRIPT: DirectiveRow = DirectiveRow {
    name: c"WSGIAccessScript",
    syntax: FILE,
    context: Context::AuthConfig,
    default: "none",
    help: c"the absolute path of a script whose allow_access(environ, host) says whether a client may come in, then options",
    difference: WHERE,
    effect: Effect::Works,
};

/// `WSGIAuthUserScript`.
pub const AUTH_USER_SCRIPT: DirectiveRow = DirectiveRow {
    name: c"WSGIAuthUserScript",
    syntax: FILE,
    context: Context::AuthConfig,
    default: "none",
    help: c"the absolute path of a script with check_password or get_realm_hash for AuthBasicProvider or AuthDigestProvider wsgi, then options",
    difference: WHERE,
    effect: Effect::Works,
};

/// `WSGIAuthGroupScript`.
pub const AUTH_GROUP_SCRIPT: DirectiveRow = DirectiveRow {
    name: c"WSGIAuthGroupScript",
    syntax: FILE,
    context: Context::AuthConfig,
    default: "none",
    help: c"the absolute path of a script whose groups_for_user(environ, user) is asked by Require wsgi-group, then options",
    difference: WHERE,
    effect: Effect::Works,
};

/// `WSGIDispatchScript`.
pub const DISPATCH_SCRIPT: DirectiveRow = DirectiveRow {
    name: c"WSGIDispatchScript",
    syntax: FILE,
    context: Context::Sections,
    default: "none",
    help: c"the absolute path of a script with process_group, application_group or callable_object(environ), then options",
    difference: "a worker runs the script, as for WSGIAccessScript; a script that cannot be loaded is a 500 instead of being ignored; \
                 variables are hidden from it where an .htaccess file applies",
    effect: Effect::Works,
};

/// `WSGIHtaccessScripts`.
pub const HTACCESS_SCRIPTS: DirectiveRow = DirectiveRow {
    name: c"WSGIHtaccessScripts",
    syntax: "DIRECTORY [DIRECTORY ...]",
    context: Context::Servers,
    default: "none: .htaccess files name no scripts",
    help: c"directories whose scripts .htaccess files may name in WSGIAccessScript, WSGIAuthUserScript and WSGIAuthGroupScript",
    difference: "ours; in mod_wsgi, whoever writes an .htaccess file under AllowOverride AuthConfig runs code as the web server's user",
    effect: Effect::Works,
};
