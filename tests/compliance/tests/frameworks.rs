//! Real frameworks from PyPI, each with a short session of a client that knows nothing of them.

use kit::{Apache, Browser, End, Python, need};
use serde_json::{Value, json};
use std::path::Path;

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/frameworks/requirements.txt");

/// An Apache with the framework's fixture at `/app`.
fn started(name: &str) -> Result<Apache, String> {
    let home = Python::default_for_tests()?.home_with("frameworks", &["-r", REQUIREMENTS])?;
    let source = kit::fixture(&format!("frameworks/{name}.wsgi"));
    let group = format!("WSGIDaemonProcess app threads=4 python-home={}", home.display());
    Ok(kit::Setup::new()?
        .config(&group)
        .config("WSGIProcessGroup app\nWSGIChunkedRequest On\nWSGIApplicationGroup %{GLOBAL}")
        .app("app", &source)
        .start())
}

fn post_json(browser: &mut Browser<'_>, path: &str, body: &Value) -> Value {
    let kind = [("Content-Type", "application/json")];
    browser.send("POST", path, &kind, Some(body.to_string().into_bytes())).expect_status(200).json()
}

/// A file of 300 kB that is not all the same.
fn data() -> Vec<u8> {
    (0..300_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn numbers() -> String {
    (0..1000).map(|number| format!("{number}\n")).collect()
}

fn takes_an_upload(browser: &mut Browser<'_>, name: &str) {
    let seen = browser.upload("/app/upload", &[("title", "Größe")], Some(("file", name, &data())));
    assert_eq!(seen.json(), json!({ "name": name, "size": 300_000, "title": "Größe" }));
}

/// A framework answers a 500 of its own and writes the traceback to wsgi.errors.
fn logs_its_failure(apache: &Apache, kind: &str) {
    apache.expect_log(".");
    apache.get("/app/broken").expect_status(500);
    apache.log().wait(&format!("{kind}: broken on purpose"));
}

/// The fixture's own source comes from a file: whole, in part, and not at all when the client has it.
fn serves_its_source(apache: &Apache, path: &str, name: &str) {
    let source = kit::fixture(&format!("frameworks/{name}.wsgi"));
    let whole = apache.get(path).expect_status(200);
    assert_eq!((whole.text(), whole.end), (source.clone(), End::Length), "{name}");
    let part = apache.request("GET", path).header("Range", "bytes=10-29").send().expect_status(206);
    assert_eq!(part.text(), source[10..30], "{name}");
    let head = apache.request("HEAD", path).send().expect_status(200);
    assert_eq!(head.header("Content-Length"), whole.header("Content-Length"), "{name}");
    let changed =
        whole.header("Last-Modified").unwrap_or_else(|| panic!("{name}: {:?}", whole.head)).to_owned();
    apache.request("GET", path).header("If-Modified-Since", &changed).send().expect_status(304);
}

#[test]
fn flask_works() {
    let apache = need!(started("flask"));
    let mut browser = Browser::new(&apache);
    let page = browser.get("/app/").text();
    assert!(page.contains("Grüße, nobody") && page.contains("/app/files/%C3%BC.txt"), "{page}");
    let page = browser.post("/app/login", "user=J%C3%BCrgen").expect_status(200).text();
    assert!(page.contains("Grüße, Jürgen"), "{page}");
    assert!(browser.cookie("session").is_some() && browser.cookie("second") == Some("1"));
    let sum = post_json(&mut browser, "/app/json", &json!({ "numbers": [1, 2, 3] }));
    assert_eq!(sum, json!({ "sum": 6, "root": "/app" }));
    takes_an_upload(&mut browser, "a b.bin");
    let file = browser.get("/app/files/%C3%BC.txt");
    assert_eq!(file.text(), "ü.txt".repeat(1000));
    let stream = browser.get("/app/stream");
    assert_eq!((stream.text().lines().count(), stream.end), (1000, End::Chunked));
    assert!(stream.text().ends_with("999 /stream\n"));
    serves_its_source(&apache, "/app/source", "flask");
    assert_eq!(apache.get("/app/none").expect_status(404).text(), "nothing at /none");
    apache.request("PUT", "/app/json").send().expect_status(405);
    logs_its_failure(&apache, "RuntimeError");
    apache.finish();
}

#[test]
fn pyramid_works() {
    let apache = need!(started("pyramid"));
    let mut browser = Browser::new(&apache);
    let page = browser.get("/app/").text();
    assert!(page.starts_with("user=nobody") && page.ends_with("root=/app"), "{page}");
    // Without its token a form is refused.
    browser.post("/app/login", "user=Ann").expect_status(400);
    let token =
        page.split("token=").nth(1).and_then(|rest| rest.split(' ').next()).expect("a token").to_owned();
    let page = browser.post("/app/login", &format!("user=Ann&csrf_token={token}")).expect_status(200).text();
    assert!(page.starts_with("user=Ann"), "{page}");
    let sum = post_json(&mut browser, "/app/add/%E2%82%AC", &json!({ "numbers": [20, 22] }));
    assert_eq!(sum, json!({ "sum": 42, "name": "€" }));
    serves_its_source(&apache, "/app/source", "pyramid");
    assert_eq!(browser.get("/app/stream").text(), numbers());
    assert_eq!(apache.get("/app/broken").expect_status(503).text(), "handled on purpose");
    assert_eq!(apache.get("/app/none").expect_status(404).text(), "no such page");
    apache.finish();
}

#[test]
fn bottle_works() {
    let apache = need!(started("bottle"));
    let mut browser = Browser::new(&apache);
    assert_eq!(browser.get("/app/").text(), "<p>&lt;Hi&gt; nobody at /app/</p>");
    let page = browser.post("/app/login", "user=%C3%89va").expect_status(200).text();
    assert_eq!(page, "<p>&lt;Hi&gt; Éva at /app/</p>");
    takes_an_upload(&mut browser, "x.bin");
    let raw = apache.request("PUT", "/app/raw").body(data()).send().expect_status(200).json();
    assert_eq!(raw, json!({ "size": 300_000, "chunked": false }));
    serves_its_source(&apache, "/app/source", "bottle");
    assert_eq!(browser.get("/app/stream").text(), numbers());
    assert_eq!(apache.get("/app/none").expect_status(404).text(), "nothing here");
    logs_its_failure(&apache, "ValueError");
    apache.finish();
}

#[test]
fn falcon_works() {
    let apache = need!(started("falcon"));
    let item = apache.get("/app/items/%C3%BC?a=1&b=x%20y").expect_status(200).json();
    let prefix = format!("http://{}/app", apache.address());
    assert_eq!(item, json!({ "name": "ü", "query": { "a": "1", "b": "x y" }, "prefix": prefix }));
    let sum = data().iter().map(|byte| u32::from(*byte)).sum::<u32>() % 65_536;
    let put = apache.request("PUT", "/app/items/up").body(data()).send().expect_status(201).json();
    assert_eq!(put, json!({ "name": "up", "size": 300_000, "sum": sum }));
    let mut browser = Browser::new(&apache);
    assert_eq!(post_json(&mut browser, "/app/items/x", &json!([1, 2])), json!({ "doubled": [2, 4] }));
    let gone = apache.request("DELETE", "/app/items/x").send().expect_status(204);
    assert_eq!(gone.body, b"");
    let stream = apache.get("/app/stream").expect_status(200);
    assert_eq!((stream.body.len(), stream.end), (100_000, End::Length));
    // A JSON document that is none, and methods and paths that are not there, are problem documents of its own.
    let bad =
        apache.request("POST", "/app/items/x").header("Content-Type", "application/json").body("{").send();
    assert_eq!((bad.status, bad.json()["title"].as_str()), (400, Some("Invalid JSON")));
    apache.request("PATCH", "/app/items/x").send().expect_status(405);
    apache.get("/app/none").expect_status(404);
    logs_its_failure(&apache, "RuntimeError");
    apache.finish();
}

#[test]
fn cherrypy_works() {
    let apache = need!(started("cherrypy"));
    let mut browser = Browser::new(&apache);
    assert_eq!(browser.get("/app/").text(), "visit 1 at /app");
    assert_eq!(browser.get("/app/").text(), "visit 2 at /app");
    assert_eq!(browser.post("/app/greet", "name=J%C3%BCrgen").expect_status(200).text(), "Hello Jürgen");
    assert_eq!(post_json(&mut browser, "/app/add", &json!([1, 2, 3])), json!({ "sum": 6 }));
    takes_an_upload(&mut browser, "x.bin");
    serves_its_source(&apache, "/app/source", "cherrypy");
    assert_eq!(browser.get("/app/stream").text(), numbers());
    apache.get("/app/none").expect_status(404);
    logs_its_failure(&apache, "RuntimeError");
    apache.finish();
}

#[test]
fn every_framework_has_a_session() {
    let folder = Path::new(REQUIREMENTS).parent().expect("is in a folder");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .expect("the fixtures are there")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".wsgi").map(str::to_owned))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["bottle", "cherrypy", "falcon", "flask", "pyramid"]);
}
