//! Which failure gives which status and which line of the log, and whether the client's connection goes on: one table, for both
//! servers, and the failures that need a server of their own. Frames that break the protocol, which only a hostile worker sends, and
//! their statuses are in `e2e::hostile`.

use kit::{Apache, End, Kind, LIMIT, Setup, holds_within, need, pick, server, wait_until};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

/// How a request is made.
#[derive(Clone, Copy)]
enum Ask {
    Get,
    /// Announces a body and sends only a part of it.
    HalfABody,
    /// After another request that keeps the only thread busy.
    BehindAnother,
}

/// What comes of it.
struct Outcome {
    status: u16,
    /// A line of the log; empty for none.
    line: &'static str,
    /// Whether the client's connection takes another request.
    goes_on: bool,
}

const fn is(status: u16, line: &'static str, goes_on: bool) -> Outcome {
    Outcome { status, line, goes_on }
}

/// One situation: its name (also the path), the options of its process group, the script, and the outcomes: ours, mod_wsgi's.
struct Row {
    name: &'static str,
    options: &'static str,
    source: &'static str,
    ask: Ask,
    ours: Outcome,
    mod_wsgi: Outcome,
}

const fn row(
    name: &'static str,
    options: &'static str,
    source: &'static str,
    ask: Ask,
    ours: Outcome,
    mod_wsgi: Outcome,
) -> Row {
    Row { name, options, source, ask, ours, mod_wsgi }
}

const HELLO: &str =
    "def application(e, s):\n    s('200 OK', [('Content-Length', '5')])\n    return [b'hello']\n";
const READS: &str =
    "def application(e, s):\n    e['wsgi.input'].read()\n    s('200 OK', [])\n    return [b'x']\n";
const WAITS: &str = "import os, time\ndef application(e, s):\n    s('200 OK', [])\n    open('@SCRATCH@/started', 'w').write('yes')\n    while not os.path.exists('@SCRATCH@/go'):\n        time.sleep(0.01)\n    return [b'x']\n";
const SLEEPS: &str =
    "import time\ndef application(e, s):\n    time.sleep(3)\n    s('200 OK', [])\n    return [b'x']\n";

/// The table. Apache closes the connection behind its own pages for 400, 408, 413, 500, 503 and some more
/// (`ap_status_drops_connection`).
const TABLE: &[Row] = &[
    row("good", "", HELLO, Ask::Get, is(200, "", true), is(200, "", true)),
    row(
        "import-error",
        "",
        "import nothing_like_this\n",
        Ask::Get,
        is(500, "WSGI0109: ", false),
        is(500, "WSGI0109: ", false),
    ),
    row(
        "syntax-error",
        "",
        "def application(:\n",
        Ask::Get,
        is(500, "WSGI1210: ", false),
        is(500, "WSGI0105: ", false),
    ),
    row(
        "exit-at-import",
        "",
        "raise SystemExit(3)\n",
        Ask::Get,
        is(500, "WSGI0107: ", false),
        is(500, "WSGI0107: ", false),
    ),
    row("no-callable", "", "app = 1\n", Ask::Get, is(500, "WSGI0089: ", false), is(500, "WSGI0089: ", false)),
    row(
        "exception",
        "",
        "def application(e, s):\n    raise ValueError('mine')\n",
        Ask::Get,
        is(500, "WSGI0174: ", false),
        is(500, "WSGI0174: ", false),
    ),
    row(
        "exit",
        "",
        "def application(e, s):\n    raise SystemExit(3)\n",
        Ask::Get,
        is(500, "WSGI0175: ", false),
        is(500, "WSGI0175: ", false),
    ),
    row(
        "no-start",
        "",
        "def application(e, s):\n    return [b'x']\n",
        Ask::Get,
        is(500, "WSGI0174: ", false),
        is(500, "WSGI0174: ", false),
    ),
    row(
        "bad-header",
        "",
        "def application(e, s):\n    s('200 OK', [('X', 'a\\nb')])\n    return [b'x']\n",
        Ask::Get,
        is(500, "WSGI0174: ", false),
        is(500, "WSGI0174: ", false),
    ),
    row(
        "exception-in-the-body",
        "",
        "def application(e, s):\n    s('200 OK', [])\n    yield b'x'\n    raise ValueError('mine')\n",
        Ask::Get,
        is(200, "WSGI0174: ", false),
        // It ends the response as if it were whole.
        is(200, "WSGI0174: ", true),
    ),
    row(
        "short-body",
        "",
        "def application(e, s):\n    s('200 OK', [('Content-Length', '9')])\n    yield b'x'\n",
        Ask::Get,
        is(200, "WSGI1201: ", false),
        is(200, "", false),
    ),
    row(
        "long-body",
        "",
        "def application(e, s):\n    s('200 OK', [('Content-Length', '1')])\n    yield b'xxx'\n",
        Ask::Get,
        is(200, "WSGI1200: ", true),
        is(200, "", true),
    ),
    row(
        "request-timeout",
        "",
        "import mod_wsgi\ndef application(e, s):\n    raise mod_wsgi.RequestTimeout()\n",
        Ask::Get,
        is(504, "", true),
        is(504, "", true),
    ),
    row(
        "dies",
        "",
        "import os\ndef application(e, s):\n    os._exit(7)\n",
        Ask::Get,
        is(502, "WSGI0146: ", true),
        is(502, "WSGI014[67]: ", true),
    ),
    row(
        "silent",
        "socket-timeout=1",
        SLEEPS,
        Ask::Get,
        is(504, "WSGI0145: ", true),
        is(504, "WSGI0145: ", true),
    ),
    row(
        "long-header",
        "header-buffer-size=8192",
        "def application(e, s):\n    s('200 OK', [('X-Long', 'v' * 9000)])\n    return [b'x']\n",
        Ask::Get,
        is(500, "WSGI0144: .*\"X-Long\" has 9006 bytes", false),
        is(500, "WSGI0144: ", false),
    ),
    row(
        "queue",
        "threads=1 queue-timeout=1",
        WAITS,
        Ask::BehindAnother,
        is(504, "WSGI1107: ", true),
        is(504, "WSGI0084: ", true),
    ),
    row("slow-body", "", READS, Ask::HalfABody, is(408, "WSGI1101: ", false), is(408, "", false)),
];

/// Situations that the configuration makes: name, lines for its `Location`, outcomes.
const REFUSED: &[(&str, &str, Outcome, Outcome)] = &[
    (
        "no-such-group",
        "SetEnv GROUP nosuch\nWSGIProcessGroup %{ENV:GROUP}",
        is(500, "WSGI0151: ", false),
        is(500, "WSGI0151: ", false),
    ),
    (
        "no-variable",
        "WSGIProcessGroup %{ENV:UNSET}",
        is(500, "WSGI0151: ", false),
        is(500, "WSGI0151: ", false),
    ),
    ("restricted", "WSGIRestrictProcess other", is(500, "WSGI0149: ", false), is(500, "WSGI0149: ", false)),
    ("embedded", "WSGIProcessGroup %{GLOBAL}", is(500, "WSGI0143: ", false), is(500, "WSGI0143: ", false)),
];

fn serve() -> Result<Apache, String> {
    let mut setup = Setup::new()?
        .modules(&["reqtimeout"])
        .config("Timeout 60\nLogLevel wsgi:info\nRequestReadTimeout body=1\nWSGIRestrictEmbedded On")
        .expect_log("wsgi:|Traceback|AH0|exit|^  ");
    for Row { name, options, source, .. } in TABLE {
        let threads = if options.contains("threads") { "" } else { "threads=3" };
        setup = setup.daemon(name, &format!("{threads} {options}"));
        setup = setup.file(&format!("site/{name}.wsgi"), source);
        setup = setup.config(&format!("WSGIScriptAlias /{name} @SITE@/{name}.wsgi process-group={name}"));
    }
    for (name, lines, ..) in REFUSED {
        setup = setup.config(&format!("<Location /{name}>\n{lines}\n</Location>")).app(name, HELLO);
    }
    Ok(setup.config("WSGIProcessGroup good").start())
}

/// What came: status, and whether another request on the connection was answered.
fn ask(apache: &Apache, name: &str, ask: Ask) -> (u16, bool) {
    let first = matches!(ask, Ask::BehindAnother).then(|| {
        let first = apache.request("GET", &format!("/{name}")).start().expect("Apache listens");
        apache.wait_scratch("started");
        first
    });
    let mut connection = apache.connect();
    connection.patience(kit::LIMIT).expect("is a time");
    let request = match ask {
        Ask::HalfABody => {
            let whole = apache.request("POST", &format!("/{name}")).body("0123456789").bytes(true);
            whole[..whole.len() - 5].to_vec()
        }
        _ => apache.request("GET", &format!("/{name}")).bytes(true),
    };
    connection.send(request).expect("is sent");
    if first.is_some() && server::kind() == Kind::ModWsgi {
        // It looks at the time when a thread comes free.
        holds_within(Duration::from_millis(1500), || false);
        apache.let_go("go");
    }
    let response = connection.read_response("GET").unwrap_or_else(|error| panic!("{name}: {error}"));
    let goes_on = response.end != End::Truncated
        && connection.send(apache.request("GET", "/good").bytes(true)).is_ok()
        && connection.read_response("GET").is_ok_and(|next| next.text() == "hello");
    if let Some(mut first) = first {
        apache.let_go("go");
        first.read_response("GET").expect("is answered");
    }
    (response.status, goes_on)
}

#[test]
fn each_failure_has_its_status_and_its_line() {
    let apache = need!(serve());
    let rows = TABLE.iter().map(|row| (row.name, row.ask, pick(&row.ours, &row.mod_wsgi)));
    let refused = REFUSED.iter().map(|(name, _, ours, peer)| (*name, Ask::Get, pick(ours, peer)));
    let mut wrong = Vec::new();
    for (name, how, expected) in rows.chain(refused) {
        let before = apache.log().text().len();
        let (status, goes_on) = ask(&apache, name, how);
        if (status, goes_on) != (expected.status, expected.goes_on) {
            wrong.push(format!("{name}: status {status}, the connection goes on: {goes_on}"));
        }
        let line = regex::Regex::new(expected.line).expect("a test's own expression");
        let told = || apache.log().text().get(before..).is_some_and(|text| line.is_match(text));
        if !holds_within(kit::LIMIT, told) {
            let text = apache.log().text();
            wrong.push(format!("{name}: no line {:?} in\n{}", expected.line, &text[before..]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    apache.finish();
}

/// The status of a request with its line, and how long it took.
fn refusal(apache: &Apache, line: &str) -> Duration {
    let begin = Instant::now();
    let response = apache.get("/x");
    let took = begin.elapsed();
    assert_eq!(response.status, 503);
    apache.log().wait(line);
    took
}

#[test]
fn nobody_at_the_socket_is_503_after_the_connect_timeout() {
    let setup = need!(Setup::new()).expect_log("wsgi:").one_daemon("threads=1 connect-timeout=1");
    let apache = setup.app("x", HELLO).start();
    let sockets = apache.sockets();
    let [socket] = sockets.as_slice() else { panic!("{sockets:?}") };
    let aside = socket.with_extension("aside");
    fs::rename(socket, &aside).expect("the file is there");
    // Its file stays when the listener goes.
    drop(UnixListener::bind(socket).expect("the path is free"));
    fs::set_permissions(socket, Permissions::from_mode(0o777)).expect("the file is ours");
    let took = refusal(&apache, "WSGI0116: ");
    assert!(took >= Duration::from_secs(1), "{took:?}");
    fs::rename(&aside, socket).expect("the file is there");
    apache.finish();
}

#[test]
fn a_script_that_changes_at_each_start_is_503_after_some_workers() {
    let setup = need!(Setup::new()).expect_log("wsgi:").daemon("app", "threads=1");
    let setup = setup
        .file("site/x.wsgi", HELLO)
        .file("site/touch.py", "open('@SITE@/x.wsgi', 'a').write('# touched\\n')\n");
    let script = setup.root().join("site/x.wsgi");
    fs::set_permissions(&script, Permissions::from_mode(0o666)).expect("the file is ours");
    // Each worker loads the script, then changes it, then is asked for it.
    let import = |name: &str| {
        format!("WSGIImportScript @SITE@/{name} process-group=app application-group=%{{GLOBAL}}")
    };
    let request = "WSGIProcessGroup app\nWSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias /x @SITE@/x.wsgi";
    let apache = setup.config(&import("x.wsgi")).config(&import("touch.py")).config(request).start();
    refusal(&apache, "WSGI0124: ");
    let loads = fs::read_to_string(&script).expect("the file is there").matches("# touched").count();
    assert!(loads >= 3, "{loads}");
    apache.finish();
}

#[test]
fn a_worker_whose_socket_is_gone_is_503_and_the_connection_ends() {
    let setup = need!(Setup::new()).one_daemon("threads=3 connect-timeout=1").app("app", HELLO);
    let apache = setup.expect_log("WSGI0117|AH0").unsettled().start();
    apache.log().wait(pick("WSGI1001: ", "resuming normal operations"));
    let sockets = apache.sockets();
    assert!(!sockets.is_empty());
    for socket in sockets {
        std::fs::remove_file(&socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    }
    let response = apache.get("/app");
    assert_eq!((response.status, response.header("Connection")), (503, Some("close")));
    apache.log().wait("wsgi:error.*WSGI0117: ");
    apache.finish();
}

#[test]
fn a_client_that_goes_away_leaves_the_applications_status_in_the_access_log() {
    let source = r#"
def application(environ, start_response):
    start_response("203 Mine", [])
    try:
        while True:
            yield b"x" * 65536
    finally:
        open("@SCRATCH@/closed", "w").write("closed")
"#;
    let apache = serve!(source);
    let mut connection = apache.request("GET", "/app").start().expect("Apache listens");
    assert_eq!(connection.read_head().expect("is answered").status, 203);
    connection.reset();
    assert_eq!(apache.wait_scratch("closed"), "closed");
    wait_until(LIMIT, "the access log has the line", || {
        apache.access_log().contains("\"GET /app HTTP/1.1\" 203 ")
    });
    apache.finish();
}
