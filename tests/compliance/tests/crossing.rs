//! RS-8: many responses at the same time, and no byte of one in another.

use kit::{Connection, Request, Setup, need};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers with the token of the request in every place of the response that can hold one.
const ECHOES: &str = r#"
def application(environ, start_response):
    token = environ["QUERY_STRING"]
    headers = [("X-Token-%d" % n, token * n) for n in range(1, 6)]
    start_response("200 " + token, [("Content-Type", "text/" + token)] + headers)
    if len(token) % 2:
        return [token.encode() * 50]
    return (token.encode() for _ in range(50))
"#;

/// Each client sends its requests one after another on kept connections.
fn tokens_never_cross(clients: usize, requests: usize) -> Result<(), String> {
    let apache =
        Setup::new()?.one_daemon("threads=20").app("app", ECHOES).config("MaxKeepAliveRequests 0").start();
    let address = apache.address();
    let (wrong, right) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in 0..clients {
            let (wrong, right) = (&wrong, &right);
            scope.spawn(move || {
                let mut connection = Connection::open(address).expect("Apache listens");
                for request in 0..requests {
                    let token =
                        format!("c{client}r{request}{}", "x".repeat((client * 31 + request * 17) % 40));
                    let good = ask(address, &mut connection, &token);
                    (if good { right } else { wrong }).fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let (wrong, right) = (wrong.into_inner(), right.into_inner());
    apache.finish();
    assert_eq!((wrong, right), (0, clients * requests));
    Ok(())
}

fn ask(address: SocketAddr, connection: &mut Connection, token: &str) -> bool {
    let request = Request::new(address, "GET", &format!("/app?{token}")).bytes(true);
    let head = |connection: &mut Connection| connection.send(&request).and_then(|()| connection.read_head());
    // Apache closes idle connections when its threads get few.
    let head = head(connection).or_else(|_| {
        *connection = Connection::open(address)?;
        head(connection)
    });
    let head = head.expect("is answered on a new connection");
    let response = connection.read_body("GET", head).expect("has a body");
    let kind = format!("text/{token}");
    let headers = (1..6).all(|n| response.header(&format!("X-Token-{n}")) == Some(token.repeat(n).as_str()));
    let head =
        response.status == 200 && response.reason == token && response.header("Content-Type") == Some(&kind);
    head && headers && response.text() == token.repeat(50)
}

#[test]
fn rs_8_no_byte_of_a_response_is_in_another() {
    need!(tokens_never_cross(16, 150));
}

#[test]
#[ignore = "long: 10^5 responses"]
fn rs_8_no_byte_of_a_hundred_thousand_responses_is_in_another() {
    need!(tokens_never_cross(50, 2000));
}
