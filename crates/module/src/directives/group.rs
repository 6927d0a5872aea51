//! `WSGIDaemonProcess`: where it is declared, and that its name is free. Its options are `spec`'s.

use httpd::{Outcome, Scope};
use spec::options::{Draft, OptionError};

use crate::config::{Declared, Remark};
use crate::hooks::Wsgi;

pub(super) fn daemon_process(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let line = std::str::from_utf8(line).map_err(|_| {
        "WSGIDaemonProcess: the line is not UTF-8: save the file as UTF-8, and name paths with other bytes through a link"
            .to_owned()
    })?;
    let draft = Draft::parse(line).map_err(|error| match error {
        OptionError::NotAnOption(_) | OptionError::OpenQuote(_) => format!("WSGIDaemonProcess: {error}"),
        error => error.to_string(),
    })?;
    for (option, why) in draft.idle_options() {
        let group = draft.name.clone();
        scope.server().config::<Wsgi>().remark(Remark::IdleOption { group, option, why });
    }
    let (file, line) = scope.location();
    let file = String::from_utf8_lossy(file).into_owned();
    let names = &mut scope.main_config()?.global.names;
    if let Some((name, place)) = names.iter().find(|(name, _)| *name == draft.name) {
        return Err(format!(
            "WSGIDaemonProcess {name}: there is a process group of this name already, declared at {place}: choose another \
             name (names hold for the whole server, virtual hosts included)"
        ));
    }
    names.push((draft.name.clone(), format!("{file}:{line}")));
    scope.server_config()?.declared.push(Declared { draft, file, line });
    Ok(())
}
