//! Scripts that the server asks about users: WSGIAuthUserScript and WSGIAuthGroupScript.

use std::process::Command;

use kit::{Apache, Request, Response, need, pick};
use serde_json::json;

use crate::access::{SCRIPT_LINES, seen, setup};

const BASIC: &str =
    "AuthType Basic\nAuthName here\nAuthBasicProvider wsgi\nWSGIAuthUserScript @SITE@/access.wsgi\n";

fn basic(apache: &Apache, user: &str, password: &str) -> Response {
    apache.request("GET", "/?q=1").header("Authorization", &credentials(user, password)).send()
}

/// RFC 7617.
fn credentials(user: &str, password: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = format!("{user}:{password}");
    let mut encoded = String::from("Basic ");
    for three in text.as_bytes().chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            encoded.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
    }
    encoded
}

#[test]
fn basic_authentication_asks_check_password() {
    let apache = need!(setup(&format!("<Location />\n{BASIC}Require valid-user\n</Location>"))).start();
    let challenge = apache.get("/").expect_status(401);
    assert!(challenge.head.header("WWW-Authenticate").is_some_and(|value| value.starts_with("Basic")));
    apache.expect_log("user .*: (authentication failure|password mismatch)|AH0161[78]");
    basic(&apache, "ann", "secret of ann").expect_status(200);
    basic(&apache, "ann", "guess").expect_status(401);
    basic(&apache, "none", "x").expect_status(401);
    // Renamed while it is checked: the rest of the server sees the new name.
    basic(&apache, "renamed", "x").expect_status(200);
    let seen = seen(&apache, "check_password");
    assert_eq!(seen["arguments"], json!(["renamed", "x"]));
    assert!(seen["environ"].get("HTTP_AUTHORIZATION").is_none());
    apache.expect_log(SCRIPT_LINES);
    for user in ["one", "bytes", "raise", "surrogate"] {
        basic(&apache, user, "x").expect_status(500);
    }
    // mod_wsgi lets a user without a name in; a NUL cuts the name there.
    basic(&apache, "nul", "x").expect_status(pick(500, 200));
    basic(&apache, "empty", "x").expect_status(500);
    apache.finish();
}

#[test]
fn who_is_unknown_is_left_to_the_next_provider() {
    let more = "AuthBasicProvider wsgi file\nAuthUserFile @SITE@/users\nRequire valid-user\n";
    // Made by `htpasswd -s`: the password is "x".
    let setup = need!(setup(&format!("<Location />\n{BASIC}{more}</Location>"))).file(
        "site/users",
        "none:{SHA}EfatjsUqKYSrqv18O1FlA3hcIHI=\nann:{SHA}EfatjsUqKYSrqv18O1FlA3hcIHI=\n",
    );
    let apache = setup.start();
    apache.expect_log("user .*: (authentication failure|password mismatch)|AH0161[78]");
    basic(&apache, "none", "x").expect_status(200);
    basic(&apache, "none", "y").expect_status(401);
    // Who is known and wrong is not asked about again.
    basic(&apache, "ann", "x").expect_status(401);
    basic(&apache, "ann", "secret of ann").expect_status(200);
    apache.finish();
}

#[test]
fn digest_authentication_asks_get_realm_hash() {
    let apache = need!(setup(
        "<Location />\nAuthType Digest\nAuthName here\nAuthDigestProvider wsgi\nWSGIAuthUserScript @SITE@/access.wsgi\nRequire valid-user\n\
         </Location>"
    ))
    .start();
    apache.expect_log(SCRIPT_LINES);
    assert_eq!(digest(&apache, "ann", "secret of ann"), 200, "{}", "ann");
    assert_eq!(digest(&apache, "bytes", "secret of bytes"), 200, "{}", "bytes");
    assert_eq!(digest(&apache, "ann", "guess"), 401, "{}", "ann");
    assert_eq!(digest(&apache, "none", "x"), 401, "{}", "none");
    let seen = seen(&apache, "get_realm_hash");
    assert_eq!(seen["arguments"], json!(["none", "here"]));
    for user in ["one", "wide", "raise", "empty"] {
        assert_eq!(digest(&apache, user, "x"), 500, "{}", user);
    }
    apache.finish();
}

/// The status that curl gets with Digest authentication.
fn digest(apache: &Apache, user: &str, password: &str) -> u16 {
    let url = format!("http://{}/", apache.address());
    let (login, format) = (format!("{user}:{password}"), "%{http_code}");
    let status = kit::run(Command::new("curl").args([
        "-s",
        "-o",
        "/dev/null",
        "-w",
        format,
        "--digest",
        "-u",
        &login,
        &url,
    ]));
    status.expect("curl runs").trim().parse().expect("a status")
}

#[test]
fn groups_of_a_user_decide() {
    let group = "WSGIAuthGroupScript @SITE@/access.wsgi\n";
    let apache = need!(setup(&format!(
        "<Location />\n{BASIC}{group}Require wsgi-group staff \"guests\"\n</Location>"
    )))
    .start();
    let enter = |user: &str| basic(&apache, user, &format!("secret of {user}"));
    enter("ann").expect_status(200);
    assert_eq!(seen(&apache, "groups_for_user")["arguments"], json!(["ann"]));
    enter("bob").expect_status(200);
    apache.expect_log(SCRIPT_LINES);
    for user in ["nobody", "wide", "late"] {
        enter(user).expect_status(401);
    }
    apache.finish();
}

#[test]
fn a_user_in_other_groups_is_refused() {
    let group = "WSGIAuthGroupScript @SITE@/access.wsgi\n";
    let apache =
        need!(setup(&format!("<Location />\n{BASIC}{group}Require wsgi-group others\n</Location>"))).start();
    apache.expect_log("WSGI0060|AH0163");
    basic(&apache, "ann", "secret of ann").expect_status(401);
    basic(&apache, "bob", "secret of bob").expect_status(200);
    apache.log().wait("WSGI0060: Authorization of user 'ann' to access '/");
    apache.finish();
}

#[test]
fn functions_that_are_missing_let_nobody_in() {
    let places = [
        ("/access", "WSGIAccessScript @SITE@/empty.wsgi".to_owned(), 403, "WSGI0056"),
        (
            "/user",
            format!("{BASIC}WSGIAuthUserScript @SITE@/empty.wsgi\nRequire valid-user"),
            500,
            "WSGI0043",
        ),
        (
            "/group",
            format!("{BASIC}WSGIAuthGroupScript @SITE@/empty.wsgi\nRequire wsgi-group staff"),
            401,
            "WSGI0052",
        ),
        (
            "/none",
            "AuthType Basic\nAuthName x\nAuthBasicProvider wsgi\nRequire valid-user".to_owned(),
            500,
            "WSGI0041",
        ),
        ("/nogroup", format!("{BASIC}Require wsgi-group staff"), 401, "WSGI0058"),
        ("/broken", "WSGIAccessScript @SITE@/broken.wsgi".to_owned(), 403, ""),
        ("/absent", "WSGIAccessScript @SITE@/absent.wsgi".to_owned(), 403, ""),
    ];
    let config: String =
        places.iter().map(|(path, lines, ..)| format!("<Location {path}>\n{lines}\n</Location>\n")).collect();
    let apache = need!(setup(&config))
        .file("site/empty.wsgi", "")
        .file("site/broken.wsgi", "import nothing_of_this_name\n")
        .start();
    apache.expect_log(SCRIPT_LINES);
    for (path, _, status, code) in places {
        let login = credentials("ann", "secret of ann");
        let response = apache.request("GET", path).header("Authorization", &login).send();
        assert_eq!(response.status, status, "{path}");
        apache.log().wait(code);
    }
    apache.finish();
}

#[test]
fn many_users_at_a_time() {
    let apache = need!(setup(&format!("<Location />\n{BASIC}Require valid-user\n</Location>"))).start();
    apache.expect_log("user .*: (authentication failure|password mismatch)|AH0161[78]");
    let address = apache.address();
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                for turn in 0..15 {
                    let user = format!("user{number}");
                    let right = turn % 3 != 0;
                    let password =
                        if right { format!("secret of {user}") } else { "secret of ann".to_owned() };
                    let request = Request::new(address, "GET", "/");
                    let response = request.header("Authorization", &credentials(&user, &password)).send();
                    response.expect_status(if right { 200 } else { 401 });
                }
            });
        }
    });
    apache.finish();
}
