//! What each directive of `spec`'s table is read by. What it stores is in the files beside this one; which values hold where is
//! `config`'s part.

mod alias;
mod global;
mod group;
mod settings;

use httpd::{Allowed, Call, Directive};
use spec::directives::{self as rows, Context, DirectiveRow};

use crate::hooks::Wsgi;

const ALIAS_OPTIONS: &str =
    "process-group=NAME, application-group=NAME, callable-object=NAME, pass-authorization=On|Off";

const fn directive(row: &DirectiveRow, call: Call<Wsgi>) -> Directive<Wsgi> {
    let allowed = match row.context {
        Context::MainServer => Allowed::MainServer,
        Context::Servers => Allowed::Servers,
        Context::Sections => Allowed::ServersAndSections,
        Context::FileInfo => Allowed::FileInfo,
    };
    Directive { name: row.name, allowed, call, help: row.help }
}

/// All directives: as many as the table has rows.
pub static DIRECTIVES: [Directive<Wsgi>; rows::TABLE.len()] = [
    directive(&rows::SCRIPT_ALIAS, Call::Raw(alias::prefix)),
    directive(&rows::SCRIPT_ALIAS_MATCH, Call::Raw(alias::pattern)),
    directive(&rows::DAEMON_PROCESS, Call::Raw(group::daemon_process)),
    directive(&rows::SOCKET_PREFIX, Call::One(global::socket_prefix)),
    directive(&rows::PYTHON_HOME, Call::One(global::python_home)),
    directive(&rows::RESTRICT_EMBEDDED, Call::Flag(global::restrict_embedded)),
    directive(&rows::PROCESS_GROUP, Call::One(settings::process_group)),
    directive(&rows::APPLICATION_GROUP, Call::One(settings::application_group)),
    directive(&rows::CALLABLE_OBJECT, Call::One(settings::callable_object)),
    directive(&rows::PASS_AUTHORIZATION, Call::Flag(settings::pass_authorization)),
    directive(&rows::CHUNKED_REQUEST, Call::Flag(settings::chunked_request)),
    directive(&rows::REQUEST_BUFFERING, Call::Flag(settings::request_buffering)),
];

/// A word of the configuration for a sentence.
fn shown(word: &[u8]) -> String {
    word.escape_ascii().to_string()
}
