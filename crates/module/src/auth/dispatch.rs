//! Where a request goes, when a dispatch script decides it.

use httpd::{Level, Request};
use wire::{Answer, Choice};

use super::{misfit, script_reloading, target, with_facts};
use crate::config::HandlerScript;
use crate::environ;
use crate::groups::{GroupHandle, RequestPlan};
use crate::handler::plan_for;
use crate::relay::{Unanswered, printable};
use crate::routing::Settings;
use crate::routing::calls::CallScript;
use crate::routing::expand::{Callable, Template};
use crate::routing::path;
use crate::variables;

/// The process group that has chosen something for a request and that `process-group=` of the directive names: its user may be a
/// site's, and has no say about groups of others.
pub type Chooser<'r> = Option<&'r GroupHandle>;

/// Asks the dispatch script and puts its choices into the settings. `handler` is the handler script that serves the request, if one
/// does.
///
/// # Errors
/// The status to answer; the log says why.
pub fn choose<'r>(
    request: &Request<'r>,
    script: &'r CallScript,
    handler: Option<&HandlerScript>,
    settings: &mut Settings,
) -> Result<Chooser<'r>, u16> {
    let status = |unanswered| match unanswered {
        Unanswered::Script => 500,
        Unanswered::Worker(status) => status,
    };
    let target = target(request, script).map_err(status)?;
    let application_group = with_facts(request, |facts| script.application_group(facts));
    let (uri, info) = (request.uri().unwrap_or_default(), request.path_info().unwrap_or_default());
    let script_name = path::script_name(uri, info);
    let plan = RequestPlan {
        script_reloading: script_reloading(request),
        ..plan_for(request, settings, handler, (target.groups, target.group), application_group, script_name)
    };
    // Who may write an .htaccess file must not choose whose processes run a script, not even by what a dispatch script looks at.
    let with_variables = variables::are_settled(request);
    let payload = crate::relay::ask(request, &target, |out| {
        environ::write_dispatch(request, &plan, script, with_variables, out)
    })
    .map_err(status)?;
    let Ok(Answer::Choice(choice)) = Answer::decode(&payload) else {
        misfit(request, script);
        return Err(500);
    };
    take(&choice, settings).map_err(|(function, name, reason)| -> u16 {
        let (path, name) = (printable(script.path.as_bytes()), printable(name));
        let line = format!(
            "[script {path}] WSGI1383: {function}() of the dispatch script returned \"{name}\", which {reason}. The request is \
             refused. It must return None, or a name as the directive takes it."
        );
        request.log().write(Level::Error, line.as_bytes());
        500
    })?;
    Ok((script.process_group.is_some() && choice != Choice::default()).then_some(target.group))
}

type Misnamed<'a> = (&'static str, &'a [u8], &'static str);

/// What the script has chosen holds instead of what is configured, options of an alias included.
fn take<'a>(choice: &Choice<'a>, settings: &mut Settings) -> Result<(), Misnamed<'a>> {
    let template =
        |function, name: &'a [u8]| Template::parse(name).map_err(|reason| (function, name, reason));
    if let Some(name) = choice.process_group {
        // An empty name is the web server itself, as in mod_wsgi.
        let group = if name.is_empty() { Template::Global } else { template("process_group", name)? };
        settings.process_group = Some(group);
    }
    if let Some(name) = choice.application_group {
        let group = if name.is_empty() { Template::Global } else { template("application_group", name)? };
        settings.application_group = Some(group);
    }
    if let Some(name) = choice.callable {
        let callable = Callable::parse(name).map_err(|reason| ("callable_object", name, reason))?;
        settings.callable = Some(callable);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_wins_and_the_rest_stays() {
        let configured = Settings {
            process_group: Some(Template::Name(b"a".to_vec())),
            application_group: Some(Template::Resource),
            ..Settings::default()
        };
        let mut settings = configured.clone();
        take(&Choice::default(), &mut settings).unwrap();
        assert_eq!(settings, configured);
        let choice = Choice {
            process_group: Some(b"b"),
            application_group: Some(b"%{GLOBAL}"),
            callable: Some(b"other"),
        };
        take(&choice, &mut settings).unwrap();
        assert_eq!(settings.process_group, Some(Template::Name(b"b".to_vec())));
        assert_eq!(settings.application_group, Some(Template::Global));
        assert_eq!(settings.callable, Some(Callable::Name(b"other".to_vec())));
        take(&Choice { process_group: Some(b""), ..Choice::default() }, &mut settings).unwrap();
        assert_eq!(settings.process_group, Some(Template::Global));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for choice in [
            Choice { process_group: Some(b"%{AUTH}"), ..Choice::default() },
            Choice { application_group: Some(b"%{WHAT}"), ..Choice::default() },
            Choice { callable: Some(b""), ..Choice::default() },
            Choice { callable: Some(b"a.b"), ..Choice::default() },
        ] {
            assert!(take(&choice, &mut Settings::default()).is_err(), "{choice:?}");
        }
    }
}
