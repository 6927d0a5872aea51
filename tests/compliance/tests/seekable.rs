//! `WSGISeekableInput`, which mod_wsgi does not have: a body that can be read in any order.

use kit::http2::{Http2, Said};
use kit::{Kind, Mpm, Setup, need};
use serde_json::json;

/// Does with its input what Zope and the standard library do with files.
const SEEKS: &str = r#"
import io, json, zipfile

def application(environ, start_response):
    source = environ["wsgi.input"]
    first = source.read(4)
    end = source.seek(0, 2)
    source.seek(-3, 2)
    last = source.read()
    source.seek(0)
    whole = source.read()
    source.seek(0)
    said = {"able": source.seekable(), "first": first.decode(), "end": end, "tell": source.tell(), "last": last.decode(),
            "again": whole.startswith(first) and whole.endswith(last) and len(whole) == end, "zip": zipfile.is_zipfile(source)}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(said).encode()]
"#;

fn setup() -> Result<Setup, String> {
    if kit::server::kind() == Kind::ModWsgi {
        return Err("mod_wsgi has no WSGISeekableInput".to_owned());
    }
    let setup = Setup::new()?
        .mpm(Mpm::Event)
        .modules(&["http2"])
        .config("Protocols h2c http/1.1\nWSGIChunkedRequest On");
    Ok(setup.one_daemon("threads=2").app("app", SEEKS).config(
        "<Location /app>\nWSGISeekableInput On\n</Location>\nWSGIScriptAlias /streamed @SITE@/app.wsgi\n\
         <Location /streamed>\nWSGISeekableInput On\nWSGIRequestBuffering Off\n</Location>",
    ))
}

fn expected(size: usize) -> serde_json::Value {
    json!({"able": true, "first": "aaaa", "end": size, "tell": 0, "last": "aaa", "again": true, "zip": false})
}

#[test]
fn a_seekable_body_can_be_read_in_any_order() {
    let apache = need!(setup()).start();
    for path in ["/app", "/streamed"] {
        for size in [4, 65_536, 65_537, 3_000_000] {
            assert_eq!(
                apache.post(path, vec![b'a'; size]).expect_status(200).json(),
                expected(size),
                "{path}"
            );
        }
    }
    apache.finish();
}

#[test]
fn a_seekable_body_is_gathered_however_it_comes() {
    let apache = need!(setup()).start();
    let head = "POST /app HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let mut connection = apache.connect();
    connection.send(format!("{head}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")).expect("is sent");
    assert_eq!(connection.read_head().expect("the body is asked for").status, 100);
    connection.send("aaaaa").expect("is sent");
    assert_eq!(connection.read_response("POST").expect("is answered").json(), expected(5));
    let mut connection = apache.connect();
    connection
        .send(format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\naaa\r\n4\r\naaaa\r\n0\r\n\r\n"))
        .expect("is sent");
    assert_eq!(connection.read_response("POST").expect("is answered").json(), expected(7));
    let mut stream = Http2::post(apache.address(), "/streamed", &[]).expect("is sent");
    stream.send(&[b'a'; 9]).and_then(|()| stream.finish_sending()).expect("is sent");
    assert_eq!(stream.said().expect("is answered"), Said::Head(200));
    let Ok(Said::Data(body)) = stream.said() else { panic!("no body") };
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).expect("is JSON"), expected(9));
    apache.finish();
}

#[test]
fn a_wrong_place_is_a_clear_error() {
    let source = r#"
def application(environ, start_response):
    source, said = environ["wsgi.input"], []
    for offset, whence in [(-1, 0), (-4, 2), (0, 3)]:
        try:
            said.append(source.seek(offset, whence))
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}")
    said.append((source.seek(10), source.read(), source.tell()))
    start_response("200 OK", [])
    return ["\n".join(map(str, said)).encode()]
"#;
    if kit::server::kind() == Kind::ModWsgi {
        kit::skip!("mod_wsgi has no WSGISeekableInput");
    }
    let apache =
        need!(Setup::new()).one_daemon("threads=1").app("app", source).config("WSGISeekableInput On").start();
    let expected = "OSError: seek(): -1 from 0 on is not a place in a body\nOSError: seek(): -4 from 3 on is not a place in a body\n\
                    ValueError: seek(): whence must be 0, 1 or 2, not 3\n(10, b'', 10)";
    assert_eq!(apache.post("/app", "abc").text(), expected);
    apache.finish();
}
