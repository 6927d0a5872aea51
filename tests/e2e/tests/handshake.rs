//! SK-10: who passes every check as Apache's user still cannot choose which code runs.

use crate::{socket_of, two_sites};
use kit::{Apache, Strace, need, python_as, users};
use wire::{Body, RequestEncoder, RequestFields};

/// The bytes of a request for a script, as the module would send it.
fn request(script: &str, callable: &str, application_group: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let fields = RequestFields {
        flags: wire::Flags::default(),
        request_start: 1,
        queue_start: 1,
        application_group: application_group.as_bytes(),
        script: script.as_bytes(),
        callable: callable.as_bytes(),
        task: wire::Task::Application,
    };
    let mut encoder = RequestEncoder::new(&mut bytes, &fields).expect("the fields are short");
    for (key, value) in
        [("REQUEST_METHOD", "POST"), ("SCRIPT_NAME", "/a"), ("PATH_INFO", ""), ("QUERY_STRING", "")]
    {
        encoder.pair(key.as_bytes(), value.as_bytes()).expect("the pair is short");
    }
    encoder.finish(Body::Inline(b"")).expect("the body is short");
    bytes
}

/// Sends bytes to a worker's socket as Apache's user and returns the tag of the first frame that comes back.
fn answer(apache: &Apache, bytes: &[u8]) -> Option<u8> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let socket = socket_of(apache, "a");
    let code = format!(
        "import socket\npeer = socket.socket(socket.AF_UNIX)\npeer.settimeout(5)\npeer.connect({socket:?})\n\
         try:\n    peer.sendall(bytes.fromhex('{hex}'))\n    print(peer.recv(8).hex())\nexcept ConnectionError:\n    print('')\n"
    );
    let said = python_as(&users::apache(), &code).expect("Python runs as Apache's user");
    let header: Vec<u8> = (0..said.trim().len() / 2)
        .filter_map(|at| u8::from_str_radix(&said.trim()[2 * at..2 * at + 2], 16).ok())
        .collect();
    let header = <[u8; 8]>::try_from(header).ok()?;
    Some(wire::FrameHeader::parse(header).expect("a frame of the protocol").kind as u8)
}

#[test]
fn sk_10_only_configured_scripts_are_loaded() {
    let (setup, _, _) = need!(two_sites("threads=2"));
    need!(Strace::available());
    let evil = "open('@SCRATCH@/evil-ran', 'w').write('yes')\napplication = None\n";
    let apache = setup.file("scratch/evil.py", evil).file("site/evil.wsgi", evil).start();
    let worker = apache.worker_of("/a");
    let strace = Strace::attach(worker.pid, apache.root(), &["-e", "trace=openat,open,execve"]);
    let root = apache.root().display().to_string();
    let refused = [
        format!("{root}/scratch/evil.py"),
        format!("{root}/site/evil.wsgi"),
        format!("{root}/site/../scratch/evil.py"),
        format!("{root}/site/eval.wsgi/../evil.wsgi"),
        format!("{root}/site/./evil.wsgi"),
        "scratch/evil.py".to_owned(),
        "/etc/passwd".to_owned(),
        String::new(),
        format!("{root}/site/eval.wsgi\0/x"),
    ];
    for script in &refused {
        let tag = answer(&apache, &request(script, "application", ""));
        assert!(matches!(tag, None | Some(0x49)), "{script:?} was answered with frame {tag:02x?}");
    }
    let trace = strace.text();
    drop(strace);
    assert!(!trace.contains("evil") && !trace.contains("/etc/passwd"), "{trace}");
    assert!(!apache.scratch("evil-ran").exists());
    assert!(worker.runs());
    // The same bytes with the configured script are a request like any other.
    let served = answer(&apache, &request(&format!("{root}/site/eval.wsgi"), "application", ""));
    assert_eq!(served, Some(0x41));
    apache.finish();
}

/// Two callables, of which the second must not run, and a line that tells that the script was loaded.
const OTHERS: &str = r#"
open("@SCRATCH@/loaded", "a").write(__file__ + "\n")

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"application"]

def other(environ, start_response):
    open("@SCRATCH@/other-ran", "w").write("yes")
    return application(environ, start_response)
"#;

#[test]
fn sk_10_only_configured_callables_groups_and_scripts_of_the_own_group_are_served() {
    let (setup, _, _) = need!(two_sites("threads=2"));
    // An alias with both groups would have its script loaded when the worker starts.
    let named = "callable-object=application";
    let apache = setup
        .config("WSGIApplicationGroup %{GLOBAL}")
        .file("site/a.wsgi", OTHERS)
        .file("site/b.wsgi", OTHERS)
        .config(&format!("WSGIScriptAlias /only-a @SITE@/a.wsgi process-group=a {named}"))
        .config(&format!("WSGIScriptAlias /only-b @SITE@/b.wsgi process-group=b {named}"))
        .start();
    let [a, b] = ["a", "b"].map(|name| apache.site(&format!("{name}.wsgi")).display().to_string());
    let refused = [
        (&a, "other", ""),
        (&a, "__builtins__", ""),
        (&a, "", ""),
        (&a, "application.__class__", ""),
        (&a, "application\0", ""),
        (&a, "application", "another"),
        (&a, "application", "%{GLOBAL}"),
        (&b, "application", ""),
    ];
    for (script, callable, group) in refused {
        let tag = answer(&apache, &request(script, callable, group));
        assert!(
            matches!(tag, None | Some(0x49)),
            "{script} {callable:?} {group:?} was answered with {tag:02x?}"
        );
    }
    assert!(!apache.scratch("loaded").exists(), "loaded: {}", apache.wait_scratch("loaded"));
    assert_eq!(answer(&apache, &request(&a, "application", "")), Some(0x41));
    assert_eq!(apache.wait_scratch("loaded"), format!("{a}\n"));
    assert!(!apache.scratch("other-ran").exists());
    apache.finish();
}
