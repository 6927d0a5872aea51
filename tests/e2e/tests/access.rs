//! Scripts that the server asks, where ours differs from mod_wsgi: who runs them, what happens when nobody answers, and what the author
//! of an `.htaccess` file can reach.

use std::process::Command;

use kit::{Apache, LIMIT, Setup, need, run, users, wait_until};
use serde_json::{Value, json};

use crate::{ours, ours_as_root, two_sites};

/// Says who it is, and does what the query asks.
const GATE: &str = r#"
import json, os, signal, threading

def note(environ, what):
    name = f"@SCRATCH@/{what}.json"
    seen = {"uid": os.getuid(), "pid": os.getpid(), "group": environ["mod_wsgi.process_group"]}
    with open(f"{name}.{threading.get_ident()}", "w") as file:
        json.dump(seen, file)
    os.rename(file.name, name)

def do(environ):
    query = environ["QUERY_STRING"]
    if query == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if query == "hang":
        threading.Event().wait()
    return True

def allow_access(environ, host):
    note(environ, "access")
    return do(environ)

def check_password(environ, user, password):
    note(environ, "password")
    return do(environ)

def groups_for_user(environ, user):
    note(environ, "groups")
    do(environ)
    return ["staff"]
"#;

/// `ann:x`
const LOGIN: &str = "Basic YW5uOng=";
const BASIC: &str = "AuthType Basic\nAuthName here\nAuthBasicProvider wsgi\n";

fn with_gate(setup: Setup, config: &str) -> Setup {
    setup
        .modules(&["auth_basic", "authz_user"])
        .file("www/index.html", "the page\n")
        .file("site/gate.wsgi", GATE)
        .config(config)
}

fn seen(apache: &Apache, what: &str) -> Value {
    serde_json::from_str(&apache.wait_scratch(&format!("{what}.json"))).expect("the script writes JSON")
}

#[test]
fn scripts_run_as_apaches_user_or_in_the_group_they_name() {
    let (setup, a, _) = need!(two_sites("threads=2"));
    let setup = with_gate(
        setup,
        &format!(
            "<Location />\nWSGIAccessScript @SITE@/gate.wsgi\n</Location>\n<Location /index.html>\n{BASIC}\
             WSGIAuthUserScript @SITE@/gate.wsgi process-group=a\nRequire valid-user\n</Location>"
        ),
    );
    let apache = setup.start();
    apache.request("GET", "/index.html").header("Authorization", LOGIN).send().expect_status(200);
    let (access, password) = (seen(&apache, "access"), seen(&apache, "password"));
    assert_eq!((&access["uid"], &access["group"]), (&json!(users::apache().uid), &json!("")));
    assert_eq!((&password["uid"], &password["group"]), (&json!(a.uid), &json!("a")));
    assert_ne!(access["pid"], password["pid"]);
    apache.finish();
}

#[test]
fn without_scripts_to_ask_there_is_no_group_for_them() {
    let apache = need!(ours()).one_daemon("threads=2").fixture("hello").start();
    apache.get("/hello").expect_status(200);
    assert_eq!((apache.sockets().len(), apache.workers().len()), (1, 1));
    apache.finish();
}

#[test]
fn a_check_without_a_worker_lets_nobody_in() {
    let group =
        "WSGIAuthUserScript @SITE@/ok.wsgi\nWSGIAuthGroupScript @SITE@/gate.wsgi\nRequire wsgi-group staff";
    let places = [
        ("/access", "WSGIAccessScript @SITE@/gate.wsgi".to_owned(), 502),
        ("/password", format!("{BASIC}WSGIAuthUserScript @SITE@/gate.wsgi\nRequire valid-user"), 500),
        ("/groups", format!("{BASIC}{group}"), 500),
    ];
    let mut config = "WSGIDaemonProcess app threads=1\n".to_owned();
    for (path, lines, _) in &places {
        config += &format!("Alias {path} @ROOT@/www/index.html\n<Location {path}>\n{lines}\n</Location>\n");
    }
    let setup = with_gate(need!(ours()), &config)
        .file("site/ok.wsgi", "def check_password(environ, user, password):\n    return True\n");
    let apache = setup.start();
    let get = |target: &str| apache.request("GET", target).header("Authorization", LOGIN).send();
    apache.expect_log("WSGI0146: Process group '%.AUTH.', slot 0: the worker closed the connection");
    apache.expect_log("WSGI10[0-9][0-9]: Process group '%.AUTH.'.*(SIGKILL|signal 9)");
    for (path, _, status) in &places {
        get(path).expect_status(200);
        get(&format!("{path}?die")).expect_status(*status);
        // The successor takes over.
        get(path).expect_status(200);
    }
    apache.finish();
}

#[test]
fn a_check_that_hangs_lets_nobody_in() {
    let setup = need!(ours()).daemon("slow", "threads=2 socket-timeout=1 shutdown-timeout=1");
    let apache =
        with_gate(setup, "<Location />\nWSGIAccessScript @SITE@/gate.wsgi process-group=slow\n</Location>")
            .start();
    apache.expect_log("WSGI0145: Process group 'slow'|WSGI1260|WSGI10[0-9][0-9]: Process group 'slow'");
    apache.get("/?hang").expect_status(504);
    apache.get("/").expect_status(200);
    apache.finish();
}

#[test]
fn a_group_that_is_missing_or_another_hosts_lets_nobody_in() {
    let setup = with_gate(
        need!(ours()),
        "<VirtualHost *:@PORT@>\nServerName one\n<Location />\nWSGIAccessScript @SITE@/gate.wsgi process-group=theirs\n</Location>\n\
         </VirtualHost>\n<VirtualHost *:@PORT@>\nServerName two\nWSGIDaemonProcess theirs threads=1\n<Location />\n\
         WSGIAccessScript @SITE@/gate.wsgi process-group=nobody\n</Location>\n</VirtualHost>",
    );
    let apache = setup.expect_log("WSGI1381|WSGI1304").start();
    apache.request("GET", "/").host("one").send().expect_status(500);
    apache
        .log()
        .wait("WSGI1381: The process group 'theirs' of this script is declared in the virtual host two");
    apache.request("GET", "/").host("two").send().expect_status(500);
    apache.log().wait("WSGI1381: The process group 'nobody' of this script is not declared");
    apache.finish();
}

/// In the place of the group's Python stands a program that answers what the client tells.
#[test]
fn rs_3_a_worker_that_answers_anything_else_lets_nobody_in() {
    use std::os::unix::fs::PermissionsExt;
    let python = need!(kit::Python::default_for_tests());
    let worker = format!("#!{} -I\n{}", python.executable.display(), kit::fixture("hostile_worker.py"));
    let setup = need!(ours()).file("hostile_worker", &worker);
    let file = setup.root().join("hostile_worker");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).expect("the file is ours");
    let group = "process-group=evil";
    let setup = with_gate(
        setup,
        &format!(
            "WSGIDaemonProcess evil threads=4 python=@ROOT@/hostile_worker\n\
             <Location />\nWSGIAccessScript @SITE@/gate.wsgi {group}\n</Location>\n\
             Alias /password @ROOT@/www/index.html\n<Location /password>\n{BASIC}WSGIAccessScript @SITE@/gate.wsgi\n\
             WSGIAuthUserScript @SITE@/gate.wsgi {group}\nRequire valid-user\n</Location>"
        ),
    );
    let apache = setup.start();
    let answer = |answer: wire::Answer<'_>| {
        let mut out = Vec::new();
        answer.put(&mut out).expect("fits a frame");
        out
    };
    let mut head = Vec::new();
    wire::response::put_head(&mut head, 200, b"OK", [(&b"Set-Cookie"[..], &b"a=1"[..])])
        .expect("fits a frame");
    let mut short = answer(wire::Answer::Yes);
    short.truncate(8);
    let attack = |target: &str, bytes: &[u8]| {
        let mut script = b"c".to_vec();
        script.extend(u32::try_from(bytes.len()).expect("is short").to_le_bytes());
        script.extend_from_slice(bytes);
        let hex: String = script.iter().map(|byte| format!("{byte:02x}")).collect();
        let request = apache.request("GET", target).header("Authorization", LOGIN);
        request.header("X-Attack", &format!("attack:{hex}")).send()
    };
    // What it may answer counts.
    attack("/", &answer(wire::Answer::Yes)).expect_status(200);
    attack("/", &answer(wire::Answer::No)).expect_status(403);
    attack("/password", &answer(wire::Answer::Yes)).expect_status(200);
    apache.expect_log("WSGI0057|WSGI1382|WSGI1113|WSGI0146|WSGI0147|WSGI0119");
    let choice = wire::Choice { process_group: Some(b"x"), ..wire::Choice::default() };
    let hostile = [
        answer(wire::Answer::Text(b"root")),
        answer(wire::Answer::Choice(choice)),
        head.clone(),
        short,
        Vec::new(),
        b"\x4a\x01\0\0\xff\xff\xff\xff".to_vec(),
    ];
    for bytes in &hostile {
        let response = attack("/", bytes);
        assert!(response.status >= 500, "{}: {}", bytes.escape_ascii(), response.status);
        assert!(response.head.header("Set-Cookie").is_none());
    }
    for bytes in hostile.iter().skip(1) {
        assert_eq!(attack("/password", bytes).status, 500, "{}", bytes.escape_ascii());
    }
    assert_eq!(attack("/", &answer(wire::Answer::Yes)).status, 200, "the server goes on");
    apache.finish();
}

/// An `.htaccess` file in `www/b`, whose author is not the server's administrator.
fn with_htaccess(server: &str, htaccess: &str) -> Result<Setup, String> {
    let setup = with_gate(ours_as_root()?, server);
    Ok(setup
        .config("WSGIDaemonProcess other threads=1\n<Directory @ROOT@/www/b>\nAllowOverride AuthConfig\n</Directory>")
        .file("www/b/index.html", "theirs\n")
        .file("www/b/.htaccess", htaccess)
        .file("site/permitted/gate.wsgi", GATE)
        .file("www/b/evil.wsgi", "open('@SCRATCH@/evil', 'w')\ndef allow_access(environ, host):\n    return True\n"))
}

#[test]
fn en_5_htaccess_names_only_scripts_that_the_server_permits() {
    let permit = "WSGIHtaccessScripts @SITE@/permitted";
    for (server, htaccess, log) in [
        ("", "WSGIAccessScript @SITE@/permitted/gate.wsgi", "WSGI1385"),
        ("", "WSGIAccessScript @ROOT@/www/b/evil.wsgi", "WSGI1385"),
        (permit, "WSGIAccessScript @ROOT@/www/b/evil.wsgi", "WSGI1385"),
        (permit, "WSGIAccessScript @SITE@/permitted/../../www/b/evil.wsgi", "WSGI1385"),
        (permit, "WSGIAuthUserScript @ROOT@/www/b/evil.wsgi", "WSGI1385"),
        (permit, "WSGIAuthGroupScript @ROOT@/www/b/evil.wsgi", "WSGI1385"),
        (permit, "<Files *>\nWSGIAccessScript @ROOT@/www/b/evil.wsgi\n</Files>", "WSGI1385"),
        (permit, "WSGIAccessScript @SITE@/permitted/gate.wsgi process-group=other", "WSGI1384"),
        (permit, "WSGIAccessScript @SITE@/permitted/gate.wsgi application-group=mine", "WSGI1384"),
        (permit, "WSGIAuthUserScript @SITE@/permitted/gate.wsgi application-group=%{HOST}", "WSGI1384"),
        (permit, "WSGIDispatchScript @SITE@/permitted/gate.wsgi", "not allowed here"),
        (permit, "WSGIHtaccessScripts @ROOT@/www/b", "not allowed here"),
    ] {
        let apache = need!(with_htaccess(server, htaccess)).start();
        apache.expect_log("WSGI138[45]|not allowed here");
        apache.get("/b/index.html").expect_status(500);
        apache.log().wait(log);
        assert!(!apache.scratch("evil").exists(), "{htaccess}");
        apache.finish();
    }
    let apache = need!(with_htaccess(permit, "WSGIAccessScript @SITE@/permitted/gate.wsgi")).start();
    apache.get("/b/index.html").expect_status(200);
    assert_eq!(seen(&apache, "access")["uid"], json!(users::apache().uid));
    apache.finish();
}

#[test]
fn en_5_what_is_not_permitted_any_more_is_refused_from_the_next_graceful_restart() {
    let mut apache = need!(with_htaccess(
        "WSGIHtaccessScripts @SITE@/permitted",
        "WSGIAccessScript @SITE@/permitted/gate.wsgi"
    ))
    .start();
    apache.get("/b/index.html").expect_status(200);
    apache.reconfigure(|config| config.replace("/permitted", "/elsewhere"));
    apache.graceful();
    apache.expect_log("WSGI1385");
    wait_until(LIMIT, "the new configuration to forbid it", || apache.get("/b/index.html").status == 500);
    apache.finish();
}

#[test]
fn en_5_htaccess_cannot_choose_through_a_dispatch_script() {
    const WHO: &str = "import os\ndef process_group(environ):\n    return environ.get('SITE', 'b')\n";
    for (target, htaccess) in [
        ("/site", "SetEnv SITE a"),
        ("/site", "SetEnvIf Request_URI . SITE=a"),
        ("/site", "RewriteEngine On\nRewriteRule . - [E=SITE:a]"),
        ("/files/x", "RewriteEngine On\nRewriteRule ^x$ /site [E=SITE:a,L]"),
    ] {
        let (setup, _, b) = need!(two_sites("threads=2"));
        let apache = setup
            .file("site/b/eval.wsgi", &kit::fixture("eval.wsgi"))
            .file("site/b/.htaccess", htaccess)
            .file("site/who.wsgi", WHO)
            .config(
                "WSGIDispatchScript @SITE@/who.wsgi\nWSGIScriptAlias /site @SITE@/b/eval.wsgi process-group=b\nAlias /files @SITE@/b\n\
                 <Directory @SITE@/b>\nAllowOverride All\n</Directory>",
            )
            .start();
        let response = apache.post(target, "import os; result = os.getuid()").expect_status(200);
        assert_eq!(response.json(), json!(b.uid), "{htaccess}");
        apache.finish();
    }
    // What the administrator sets is there where no such file has a say.
    let (setup, a, _) = need!(two_sites("threads=2"));
    let apache =
        setup.file("site/who.wsgi", WHO).config("SetEnv SITE a\nWSGIDispatchScript @SITE@/who.wsgi").start();
    assert_eq!(apache.eval("/b", "import os; result = os.getuid()"), json!(a.uid));
    apache.finish();
}

#[test]
fn a_script_sees_what_mod_ssl_knows() {
    const LOOK: &str = r#"
import json, os

def allow_access(environ, host):
    names = ["SSL_PROTOCOL", "SSL_CLIENT_VERIFY", "SSL_SERVER_S_DN_CN", "NO_SUCH_NAME", "PATH"]
    seen = [environ["mod_ssl.is_https"]()] + [environ["mod_ssl.var_lookup"](name) for name in names]
    seen.append(environ["mod_ssl.var_lookup"](b"SSL_PROTOCOL"))
    with open("@SCRATCH@/new", "w") as file:
        json.dump(seen, file)
    os.rename("@SCRATCH@/new", "@SCRATCH@/ssl.json")
    return True
"#;
    let setup = need!(ours())
        .modules(&["ssl", "socache_shmcb"])
        .file("site/look.wsgi", LOOK)
        .file("www/index.html", "page");
    let certificate = run(Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=secure.test", "-keyout", "site.key", "-out", "site.crt"])
        .current_dir(setup.root()));
    if let Err(reason) = certificate {
        return kit::skip::skipped("a_script_sees_what_mod_ssl_knows", &reason);
    }
    let apache = setup
        .config(
            "WSGIDaemonProcess app threads=1\nListen 127.0.0.2:@PORT@\n<Location />\nWSGIAccessScript @SITE@/look.wsgi\n</Location>\n\
             <VirtualHost 127.0.0.2:@PORT@>\nServerName secure.test\nSSLEngine On\nSSLCertificateFile @ROOT@/site.crt\n\
             SSLCertificateKeyFile @ROOT@/site.key\n</VirtualHost>",
        )
        .expect_log("ssl:warn.*AH01(873|882|906|909): ")
        .start();
    let url = format!("https://127.0.0.2:{}/", apache.address().port());
    assert_eq!(run(Command::new("curl").args(["-sk", &url])).expect("curl runs"), "page");
    let seen: Value = serde_json::from_str(&apache.wait_scratch("ssl.json")).expect("the script writes JSON");
    assert_eq!(seen[0], json!(1));
    assert!(seen[1].as_str().is_some_and(|version| version.starts_with("TLS")), "{seen}");
    assert_eq!((&seen[2], &seen[3]), (&json!("NONE"), &json!("secure.test")));
    assert_eq!((&seen[4], &seen[5]), (&Value::Null, &Value::Null));
    assert_eq!(seen[6], seen[1]);
    apache.finish();
}
