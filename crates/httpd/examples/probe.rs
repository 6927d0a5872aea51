//! A small module that `tests/apache.rs` loads into a real httpd: it answers requests in every way the wrapper offers,
//! and breaks on purpose. Not for serving anything.

use httpd::{
    Allowed, Answer, Body, Brigade, Call, Child, ChildStatus, Config, Directive, Hooks, Level, Module,
    ModuleRecord, Mpm, Order, Outcome, Parent, Position, PreConfig, Read, Regex, Request, Retained, Scope,
    SslVariables, Tail, Wait, Words,
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

static DIRECTIVES: [Directive<Probe>; 6] = [
    Directive {
        name: c"ProbeGreeting",
        allowed: Allowed::Servers,
        call: Call::One(greeting),
        help: c"What to say.",
    },
    Directive {
        name: c"ProbeName",
        allowed: Allowed::MainServer,
        call: Call::Each(name),
        help: c"Names, each once.",
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
        name: c"ProbePair",
        allowed: Allowed::Servers,
        call: Call::Two(pair),
        help: c"Two words that must be equal.",
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

fn options(scope: &mut Scope<'_, Probe>, words: &mut Words<'_>) -> Outcome {
    while let Some(option) = words.next_option() {
        let (name, value) = option
            .map_err(|word| format!("{} takes name=value, not '{}'", scope.name(), word.escape_ascii()))?;
        scope.dir_config().options.insert(name, value);
    }
    Ok(())
}

fn loud(scope: &mut Scope<'_, Probe>, on: bool) -> Outcome {
    scope.dir_config().loud = Some(on);
    Ok(())
}

fn pair(scope: &mut Scope<'_, Probe>, first: &[u8], second: &[u8]) -> Outcome {
    let (file, line) = scope.location();
    match first == second {
        true => Ok(()),
        false => Err(format!("{} at {}:{line} wants two equal words", scope.name(), file.escape_ascii())),
    }
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
        hooks.pre_config(Order::at(Position::ReallyFirst));
        hooks.child_status(Order::at(Position::First));
        hooks.monitor(Order::at(Position::Last));
        hooks.fixups(Order::at(Position::ReallyLast));
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

    fn pre_config(_: &PreConfig<'_>) -> Result<(), String> {
        match httpd::has_define("REFUSE") {
            true => Err("-D REFUSE: refused before the configuration was read".to_owned()),
            false => Ok(()),
        }
    }

    fn child_status(parent: &Parent<'_>, status: ChildStatus) {
        parent.log().write(Level::Notice, format!("probe sees {status:?}").as_bytes());
    }

    fn monitor(parent: &Parent<'_>) {
        parent.log().write(Level::Debug, b"probe monitors");
    }

    fn fixups(request: &mut Request<'_>) -> Answer {
        request.subprocess_env().set(b"PROBE", b"fixed");
        Answer::Declined
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
            b"/probe/config" => config_page(request),
            b"/probe/facts" => facts_page(request),
            b"/probe/echo" => echo(request),
            b"/probe/more" => more_facts(request),
            b"/probe/match" => match_page(request),
            b"/probe/redirect" => {
                request.redirect_internally(b"/probe/teapot");
                Answer::Ok
            }
            b"/probe/discard" => match request.discard_body() {
                Ok(()) => say(request, b"discarded"),
                Err(status) => Answer::Status(status),
            },
            b"/probe/file" => file(request),
            b"/probe/stream" => stream(request),
            b"/probe/broken" => broken(request),
            b"/probe/panic" => panic!("asked to panic in the handler"),
            b"/probe/panic-late" => panic_late(request),
            b"/probe/long-line" => long_line(request),
            b"/probe/teapot" => {
                request.set_status_line(418, b"418 Short and stout");
                request.headers_out().add(b"X-Twice", b"1");
                request.headers_out().add(b"X-Twice", b"2");
                say(request, b"tea")
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

fn say(request: &mut Request<'_>, text: &[u8]) -> Answer {
    let mut brigade = Brigade::new(request);
    match brigade.pass_borrowed(request, &[text], Tail::End) {
        Ok(()) => Answer::Ok,
        Err(_) => Answer::Done,
    }
}

fn config_page(request: &mut Request<'_>) -> Answer {
    let (server, dir) = (request.server_config::<Probe>(), request.dir_config::<Probe>());
    let mut text = format!("greeting={}\n", server.greeting.as_deref().unwrap_or(b"-").escape_ascii());
    text += &format!("loud={:?}\n", dir.loud);
    for (name, value) in &dir.options {
        text += &format!("{}={}\n", name.escape_ascii(), value.escape_ascii());
    }
    request.set_content_type(b"text/plain");
    say(request, text.as_bytes())
}

fn facts_page(request: &mut Request<'_>) -> Answer {
    let connection = request.connection();
    let show = |text: Option<&[u8]>| text.unwrap_or(b"-").escape_ascii().to_string();
    let mpm = Mpm::query();
    let mut text = format!(
        "method={} {}\nuri={}\nargs={}\nprotocol={}\nhost={}\nscheme={}\nserver={}:{}\nclient={}\nlocal={}:{}\n",
        show(request.method()),
        request.method_number(),
        show(request.uri()),
        show(request.args()),
        show(request.protocol()),
        show(request.hostname()),
        request.scheme().escape_ascii(),
        request.server_name().escape_ascii(),
        request.server_port(),
        request.useragent().ip.escape_ascii(),
        connection.local().ip.escape_ascii(),
        connection.local().port,
    );
    text += &format!(
        "aborted={} https={} socket={} ssl={}\nmpm={} threaded={}\npassauth={:?} pathinfo={:?} execcgi={}\n",
        connection.aborted(),
        connection.is_https(),
        connection.socket().is_some(),
        show(SslVariables::lookup(request, "SSL_PROTOCOL")),
        mpm.name,
        mpm.is_threaded,
        request.cgi_pass_auth(),
        request.path_info_rule(),
        request.allows_exec_cgi(),
    );
    for (name, value) in request.headers_in() {
        text += &format!("header {}={}\n", name.escape_ascii(), value.escape_ascii());
    }
    say(request, text.as_bytes())
}

fn more_facts(request: &mut Request<'_>) -> Answer {
    let (pool, user) = (request.pool(), httpd::apache_user());
    let lossy = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let root = httpd::server_root_relative(pool, b"x").unwrap_or_default();
    let runtime = httpd::runtime_dir_relative(pool, b"y").unwrap_or_default();
    let error_log = request.server().error_log_fd().ok().flatten().is_some();
    let mut text = format!(
        "user={}:{}\nbanner={}\nroot={}\nruntime={}\nlog={error_log}\n",
        user.uid,
        user.gid,
        lossy(&httpd::server_banner()),
        lossy(&root),
        lossy(&runtime),
    );
    text += &format!(
        "document={}\ncontext={}|{}\nlimit={:?}\ndefine={} {}\nfile={:?}\n",
        lossy(request.document_root()),
        lossy(request.context_prefix()),
        lossy(request.context_document_root()),
        request.limit_request_body(),
        httpd::has_define("PROBE"),
        httpd::has_define("PROBE2"),
        request.file().kind,
    );
    let notes = request.notes();
    notes.set(b"one", b"1");
    notes.add(b"ONE", b"2");
    notes.add(b"two", b"a\0b");
    text += &format!("notes={} {:?}", notes.len(), notes.get(c"One").map(lossy));
    notes.unset(c"one");
    text += &format!(" {} {:?}", notes.len(), notes.get("two").map(lossy));
    notes.clear();
    text += &format!(" {}\n", notes.is_empty());
    say(request, text.as_bytes())
}

fn match_page(request: &mut Request<'_>) -> Answer {
    let bad = Regex::new(b"(open").map(|_| ()).map_err(|error| error.to_string());
    let Ok(regex) = Regex::new(b"^/probe(/[a-z]+)$") else { return Answer::Status(500) };
    let Some(captures) = regex.captures(request.uri().unwrap_or_default()) else {
        return Answer::Status(500);
    };
    let replaced = captures.substitute(request.pool(), br"/srv$1.wsgi\$2");
    let text = format!(
        "{bad:?}\n{:?} {:?} {:?}\n{:?}\n",
        captures.range(0),
        captures.get(1).map(<[u8]>::escape_ascii).map(|text| text.to_string()),
        captures.get(2),
        replaced.map(|text| String::from_utf8_lossy(&text).into_owned()),
    );
    say(request, text.as_bytes())
}

fn echo(request: &mut Request<'_>) -> Answer {
    let (mut reader, mut body) = (Body::new(request), Vec::new());
    loop {
        match reader.read(request, &mut body, 8192, Wait::Yes) {
            Read::Data(_) | Read::WouldBlock => {}
            Read::End => return say(request, &body),
            Read::Timeout => return Answer::Status(408),
            Read::ClientGone => {
                request.log().write(Level::Notice, b"the client left");
                return Answer::Done;
            }
            Read::Refused(status) => return Answer::Status(status),
            Read::Answered => return Answer::Answered,
        }
    }
}

fn file(request: &mut Request<'_>) -> Answer {
    let Ok(file) = std::fs::File::open("/proc/self/exe") else { return Answer::Status(500) };
    let mut brigade = Brigade::new(request);
    request.set_content_length(1000);
    if brigade.push_file(request, file.into(), 1, 1000, true).is_err() {
        return Answer::Status(500);
    }
    brigade.push_end();
    brigade.pass(request).map_or(Answer::Done, |()| Answer::Ok)
}

fn stream(request: &mut Request<'_>) -> Answer {
    let mut brigade = Brigade::new(request);
    for number in 0..5 {
        let piece = format!("piece {number}\n");
        if brigade.pass_borrowed(request, &[piece.as_bytes()], Tail::Flush).is_err() {
            return Answer::Done;
        }
    }
    brigade.push_copy(b"the end\n");
    brigade.push_end();
    brigade.pass(request).map_or(Answer::Done, |()| Answer::Ok)
}

fn broken(request: &mut Request<'_>) -> Answer {
    let mut brigade = Brigade::new(request);
    // The client may leave at any time; the response is broken anyway.
    let _ = brigade.pass_borrowed(request, &[b"half of"], Tail::Flush);
    request.break_off();
    Answer::Done
}

fn panic_late(request: &mut Request<'_>) -> Answer {
    let mut brigade = Brigade::new(request);
    let passed = brigade.pass_borrowed(request, &[b"half of"], Tail::Flush);
    panic!("asked to panic after {passed:?}");
}

fn long_line(request: &mut Request<'_>) -> Answer {
    let line = format!("begin {} end\u{7}", "0123456789".repeat(2000));
    request.log().write(Level::Error, line.as_bytes());
    say(request, b"logged")
}
