//! What only our server promises: identities, sockets, isolation, survival, several Pythons, a real site. The names of
//! promises (docs/security.md) stand at the front of the names of the tests that prove them.

use kit::server::kind;
use kit::{Account, Apache, Kind, Setup, users};

mod access;
mod admission;
mod check;
mod chroot;
mod configuration;
mod descriptors;
mod directives;
mod dispatch;
mod django;
mod fast_uploads;
mod hand_over;
mod handshake;
mod hostile;
mod htaccess;
mod identity;
mod interpreters;
mod launch_failures;
mod lifecycle;
mod loading;
mod memory;
mod ordinary;
mod ownership;
mod places;
mod privileges;
mod recovery;
mod reload;
mod response;
mod slow_readers;
mod sockets;
mod supervisor;
mod transfer;
mod truncated;
mod uploads;

/// A setup for ours; `Err` is a reason to skip.
pub fn ours() -> Result<Setup, String> {
    match kind() {
        Kind::Ours => Setup::new(),
        Kind::ModWsgi => Err("only our server promises this".to_owned()),
    }
}

/// A setup for ours where the tests run as root.
pub fn ours_as_root() -> Result<Setup, String> {
    if users::am_root() { ours() } else { Err("needs root".to_owned()) }
}

/// Two sites of two users, `/a` and `/b`, that run the Python code they are sent. The groups get these options.
pub fn two_sites(options: &str) -> Result<(Setup, Account, Account), String> {
    let setup = ours_as_root()?;
    let (a, b) = (users::site('a')?, users::site('b')?);
    let declare = |account: &Account| format!("user={0} group={0} {options}", account.name);
    let setup = setup.daemon("a", &declare(&a)).daemon("b", &declare(&b));
    let setup = setup.file("site/eval.wsgi", &kit::fixture("eval.wsgi")).file("www/static.txt", "static");
    let aliases =
        ["a", "b"].map(|name| format!("WSGIScriptAlias /{name} @SITE@/eval.wsgi process-group={name}\n"));
    Ok((setup.config(&aliases.concat()), a, b))
}

/// The socket of the first worker of the group `name`.
pub fn socket_of(apache: &Apache, name: &str) -> String {
    let sockets = apache.sockets();
    let found = sockets.iter().find(|path| {
        path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&format!("{name}-")))
    });
    found.unwrap_or_else(|| panic!("no socket of {name} in {sockets:?}")).display().to_string()
}
