//! A small module that `tests/apache.rs` loads into a real httpd: it answers requests in every way the wrapper offers,
//! and breaks on purpose. Not for serving anything.

mod pages;

use httpd::{
    Allowed, Answer, Call, Child, ChildStatus, Config, Directive, Hooks, Level, Module, ModuleRecord, Order,
    Outcome, Parent, Position, Request, Retained, Scope,
};
use std::collections::BTreeMap;

/// The module.
pub struct Probe;

/// What is kept per server.
#[derive(Default)]
pub struct ServerConfig {
    greeting: Option<Vec<u8>>,
    names: Vec<Vec<u8>>,
    panics: bool,
}

impl Config for ServerConfig {
    fn create() -> Self {
        ServerConfig::default()
    }

    fn merge(base: &Self, over: &Self) -> Self {
        ServerConfig {
            greeting: over.greeting.clone().or_else(|| base.greeting.clone()),
            names: over.names.clone(),
            panics: over.panics || base.panics,
        }
    }
}

/// What is kept per directory.
#[derive(Default)]
pub struct DirConfig {
    options: BTreeMap<Vec<u8>, Vec<u8>>,
    loud: Option<bool>,
}

impl Config for DirConfig {
    fn create() -> Self {
        DirConfig::default()
    }

    fn merge(base: &Self, over: &Self) -> Self {
        let mut options = base.options.clone();
        options.extend(over.options.clone());
        DirConfig { options, loud: over.loud.or(base.loud) }
    }
}

static DIRECTIVES: [Directive<Probe>; 5] = [
    Directive {
        name: c"ProbeGreeting",
        allowed: Allowed::Servers,
        call: Call::One(greeting),
        help: c"What to say.",
    },
    Directive {
        name: c"ProbeName",
        allowed: Allowed::MainServer,
        call: Call::One(name),
        help: c"A name, each once.",
    },
    Directive {
        name: c"ProbeOptions",
        allowed: Allowed::FileInfo,
        call: Call::Raw(options),
        help: c"Options as name=value.",
    },
    Directive {
        name: c"ProbeLoud",
        allowed: Allowed::ServersAndSections,
        call: Call::Flag(loud),
        help: c"On or Off.",
    },
    Directive {
        name: c"ProbePanic",
        allowed: Allowed::Servers,
        call: Call::One(panic_when),
        help: c"When to panic: directive, check, post.",
    },
];

httpd::module!(pub probe_module: Probe, file: c"mod_probe.c", directives: DIRECTIVES);

fn greeting(scope: &mut Scope<'_, Probe>, word: &[u8]) -> Outcome {
    scope.server_config()?.greeting = Some(word.to_vec());
    Ok(())
}

fn name(scope: &mut Scope<'_, Probe>, word: &[u8]) -> Outcome {
    let directive = scope.name();
    let names = &mut scope.main_config()?.names;
    if names.iter().any(|known| known == word) {
        return Err(format!("{directive} {} was given before", word.escape_ascii()));
    }
    names.push(word.to_vec());
    Ok(())
}

fn options(scope: &mut Scope<'_, Probe>, line: &[u8]) -> Outcome {
    for word in line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        let Some(at) = word.iter().position(|byte| *byte == b'=') else {
            return Err(format!("{} takes name=value, not '{}'", scope.name(), word.escape_ascii()));
        };
        let (name, value) = (word[..at].to_vec(), word[at + 1..].to_vec());
        scope.dir_config().options.insert(name, value);
    }
    Ok(())
}

fn loud(scope: &mut Scope<'_, Probe>, on: bool) -> Outcome {
    scope.dir_config().loud = Some(on);
    Ok(())
}

fn panic_when(scope: &mut Scope<'_, Probe>, when: &[u8]) -> Outcome {
    assert!(when != b"directive", "asked to panic in a directive");
    scope.server_config()?.panics = true;
    Ok(())
}

impl Module for Probe {
    type Server = ServerConfig;
    type Dir = DirConfig;

    fn record() -> &'static ModuleRecord<Self> {
        &probe_module
    }

    fn register(hooks: &mut Hooks<'_, Self>) {
        hooks.child_status(Order::at(Position::First));
        hooks.monitor(Order::at(Position::Last));
        hooks.check_config(Order::at(Position::Middle));
        hooks.post_config(Order::at(Position::Middle));
        hooks.child_init(Order::at(Position::Middle));
        hooks.translate_name(Order { position: Position::Middle, after: &[c"mod_alias.c"], before: &[] });
        hooks.handler(Order::at(Position::Middle));
    }

    fn check_config(parent: &Parent<'_>) -> Result<(), String> {
        let forbidden =
            |server: httpd::Server<'_>| server.config::<Probe>().greeting.as_deref() == Some(b"forbidden");
        match parent.servers().any(forbidden) {
            true => Err("ProbeGreeting forbidden: say something else".to_owned()),
            false => Ok(()),
        }
    }

    fn child_status(parent: &Parent<'_>, status: ChildStatus) {
        parent.log().write(Level::Notice, format!("probe sees {status:?}").as_bytes());
    }

    fn monitor(parent: &Parent<'_>) {
        parent.log().write(Level::Debug, b"probe monitors");
    }

    fn post_config(parent: &Parent<'_>) -> Result<(), String> {
        httpd::add_version_component(parent.pconf(), "probe/1");
        assert!(!parent.server().config::<Probe>().panics, "asked to panic in post_config");
        if httpd::is_first_pass() {
            return Ok(());
        }
        let mut retained = Retained::open(c"probe.1").ok_or("the retained memory is another's")?;
        let count = retained.bytes().first().copied().unwrap_or(0) + 1;
        retained.set_bytes(&[count]).map_err(|error| error.to_string())?;
        if count == 1 {
            let file = std::fs::File::open("/dev/null").map_err(|error| error.to_string())?;
            retained.keep_descriptor(3, file.into()).map_err(|error| error.to_string())?;
            watch(parent)?;
        }
        let kept = retained.descriptor(3).map_err(|error| error.to_string())?;
        let text = format!("probe configuration {count}, descriptor kept: {}", kept.is_some());
        parent.log().write(Level::Notice, text.as_bytes());
        parent.pconf().on_cleanup(|| httpd::Log::process().write(Level::Notice, b"probe configuration ends"));
        Ok(())
    }

    fn child_init(child: &Child<'_>) {
        child.server().log().write(Level::Notice, b"probe child starts");
    }

    fn translate_name(request: &mut Request<'_>) -> Answer {
        if !request.uri().unwrap_or_default().starts_with(b"/probe/") {
            return Answer::Declined;
        }
        request.set_handler(b"probe");
        request.set_filename(b"/nowhere/probe");
        Answer::Ok
    }

    fn handler(request: &mut Request<'_>) -> Answer {
        if request.handler() != Some(b"probe") {
            return Answer::Declined;
        }
        match request.uri().unwrap_or_default() {
            b"/probe/config" => pages::config_page(request),
            b"/probe/facts" => pages::facts_page(request),
            b"/probe/echo" => pages::echo(request),
            b"/probe/more" => pages::more_facts(request),
            b"/probe/match" => pages::match_page(request),
            b"/probe/file" => pages::file(request),
            b"/probe/short-file" => pages::short_file(request),
            b"/probe/stream" => pages::stream(request),
            b"/probe/broken" => pages::broken(request),
            b"/probe/panic" => panic!("asked to panic in the handler"),
            b"/probe/panic-late" => pages::panic_late(request),
            b"/probe/long-line" => pages::long_line(request),
            b"/probe/teapot" => {
                request.set_status_line(418, b"418 Short and stout");
                request.headers_out().add(b"X-Twice", b"1");
                request.headers_out().add(b"X-Twice", b"2");
                pages::say(request, b"tea")
            }
            _ => Answer::Status(404),
        }
    }
}

/// Starts a process that ends at once and has httpd tell of it.
fn watch(parent: &Parent<'_>) -> Result<(), String> {
    let child = std::process::Command::new("/bin/true").spawn().map_err(|error| error.to_string())?;
    let pid = i32::try_from(child.id()).map_err(|error| error.to_string())?;
    parent.watch_child(pid, move |parent, event| {
        parent.log().write(Level::Notice, format!("probe's process: {event:?}").as_bytes());
    });
    Ok(())
}
