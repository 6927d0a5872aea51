//! `wsgi.file_wrapper`.

use kit::{End, Setup, need, pick};

const FILES: &str = r#"
import io

class Closing(io.FileIO):
    def close(self):
        if not self.closed:
            open("@SCRATCH@/closed", "a").write("closed;")
        super().close()

def application(environ, start_response):
    how = environ["QUERY_STRING"]
    headers = [("Content-Type", "application/octet-stream")]
    file = Closing("@ROOT@/data.bin", "rb")
    if how == "offset":
        file.seek(1000)
    if how == "length":
        headers.append(("Content-Length", "500"))
    if how == "memory":
        file.close()
        file = io.BytesIO(b"m" * 20000)
    if how == "text":
        file.close()
        file = io.StringIO("text")
    start_response("200 OK", headers)
    return environ["wsgi.file_wrapper"](file, 4096)
"#;

fn data() -> String {
    (0..30_000).map(|number| format!("{:02}", number % 100)).collect()
}

#[test]
fn a_file_is_sent_whole_from_its_position() {
    let apache =
        need!(Setup::new()).one_daemon("threads=2").file("data.bin", &data()).app("app", FILES).start();
    let whole = apache.get("/app").expect_status(200);
    assert!(whole.text() == data(), "{} bytes", whole.body.len());
    assert_eq!(whole.header("Content-Length"), Some("60000"));
    assert_eq!(whole.end, End::Length);
    let rest = apache.get("/app?offset").expect_status(200);
    assert!(rest.text() == data()[1000..], "{} bytes", rest.body.len());
    let some = apache.get("/app?length").expect_status(200);
    assert!(some.text() == data()[..500], "{} bytes", some.body.len());
    apache.finish();
}

#[test]
fn the_file_is_closed_afterwards() {
    let apache =
        need!(Setup::new()).one_daemon("threads=2").file("data.bin", &data()).app("app", FILES).start();
    apache.get("/app").expect_status(200);
    assert_eq!(apache.wait_scratch("closed"), "closed;");
    apache.finish();
}

#[test]
fn an_object_without_descriptor_is_read() {
    let apache =
        need!(Setup::new()).one_daemon("threads=2").file("data.bin", &data()).app("app", FILES).start();
    assert_eq!(apache.get("/app?memory").expect_status(200).body, vec![b'm'; 20_000]);
    apache.finish();
}

#[test]
fn an_object_that_reads_text_is_500() {
    let apache =
        need!(Setup::new()).one_daemon("threads=2").file("data.bin", &data()).app("app", FILES).start();
    apache.expect_log("wsgi:error");
    apache.get("/app?text").expect_status(500);
    apache.log().wait("TypeError");
    apache.finish();
}

#[test]
fn a_file_can_be_iterated_and_subclassed() {
    let source = r#"
import io, json

def application(environ, start_response):
    wrapper = environ["wsgi.file_wrapper"]
    class Mine(wrapper):
        pass
    one = wrapper(io.BytesIO(b"abcdefghij"), 4)
    seen = [[block.decode() for block in one], isinstance(Mine(io.BytesIO(b"")), wrapper)]
    seen.append([block.decode() for block in wrapper(io.BytesIO(b"x" * 9000))] == ["x" * 8192, "x" * 808])
    start_response("200 OK", [])
    return [json.dumps(seen).encode()]
"#;
    let apache = serve!(source);
    assert_eq!(apache.get("/app").json(), serde_json::json!([["abcd", "efgh", "ij"], true, true]));
    apache.finish();
}

#[test]
fn an_empty_file_is_an_empty_response() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](open("@ROOT@/empty", "rb"))
"#;
    let apache = need!(Setup::new()).one_daemon("threads=2").file("empty", "").app("app", source).start();
    let response = apache.get("/app").expect_status(200);
    assert_eq!((response.body.len(), response.end), (0, End::Length));
    apache.finish();
}

#[test]
fn a_head_request_for_a_file_has_its_length_and_no_body() {
    let apache =
        need!(Setup::new()).one_daemon("threads=2").file("data.bin", &data()).app("app", FILES).start();
    let mut connection = apache.connect();
    for _ in 0..2 {
        connection.send(apache.request("HEAD", "/app").bytes(true)).expect("is sent");
        let response = connection.read_response("HEAD").expect("is answered");
        assert_eq!((response.status, response.header("Content-Length")), (200, Some("60000")));
    }
    apache.finish();
}

#[test]
fn a_range_of_a_file_is_right_where_apache_cuts_it() {
    let apache =
        need!(Setup::new()).one_daemon("threads=2").file("data.bin", &data()).app("app", FILES).start();
    let response = apache.request("GET", "/app").header("Range", "bytes=10-19").send();
    // httpd's filter cuts only what it sees whole at once, which mod_wsgi's daemon mode does not arrange.
    let (status, from, to) = pick((206, 10, 20), (200, 0, 60_000));
    assert_eq!(response.status, status);
    assert!(response.text() == data()[from..to], "{:?}", response.head);
    apache.finish();
}
