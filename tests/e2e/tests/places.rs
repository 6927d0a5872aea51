//! What `.htaccess` files cannot do: make scripts where root's configuration has none, in processes of somebody else.

use crate::two_sites;
use kit::need;

/// A script that says who it runs as.
const WHO: &str = r#"
import os

def application(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getuid()).encode()]
"#;

/// Attempts of site B, whose folder is below the document root: what its `.htaccess` says.
const ATTEMPTS: &[&str] = &[
    "Options +ExecCGI\nSetHandler wsgi-script",
    "Options +ExecCGI\nAddHandler wsgi-script .wsgi",
    "Options +ExecCGI\nAddType application/x-httpd-wsgi .wsgi",
    "Options +ExecCGI\nRewriteEngine On\nRewriteRule ^who.wsgi$ - [H=wsgi-script]",
    "Options +ExecCGI",
];

#[test]
fn en_5_htaccess_makes_no_script_where_root_has_none() {
    // Site A is the server's own process group; in the second round root gives the handler to all files of this kind.
    for handler in ["", "AddHandler wsgi-script .wsgi"] {
        for attempt in ATTEMPTS {
            let (setup, a, _) = need!(two_sites("threads=1"));
            let apache = setup
                .file("www/of-b/who.wsgi", WHO)
                .file("www/of-b/.htaccess", attempt)
                .file("www/of-a/who.wsgi", WHO)
                .config(&format!("WSGIProcessGroup a\n{handler}"))
                .config("<Directory @ROOT@/www/of-b>\nAllowOverride All\n</Directory>")
                .config("<Directory @ROOT@/www/of-a>\nOptions +ExecCGI\nSetHandler wsgi-script\n</Directory>")
                .expect_log("outside what|AH0|WSGI0134")
                .start();
            assert_eq!(apache.get("/of-a/who.wsgi").expect_status(200).text(), a.uid.to_string());
            let answer = apache.get("/of-b/who.wsgi");
            let ran = answer.status == 200 && !answer.text().contains("def application");
            assert!(!ran, "{handler} / {attempt}: ran as {}", answer.text());
            apache.finish();
        }
    }
}

#[test]
fn sk_10_wildcards_open_only_the_directories_that_they_match() {
    let (setup, a, _) = need!(two_sites("threads=1"));
    let apache = setup
        .file("www/one/site/who.wsgi", WHO)
        .file("www/one/who.wsgi", WHO)
        .file("www/one/.htaccess", "Options +ExecCGI\nSetHandler wsgi-script")
        .config("WSGIProcessGroup a\n<Directory @ROOT@/www/one>\nAllowOverride All\n</Directory>")
        .config("<Directory @ROOT@/www/*/site>\nOptions +ExecCGI\nSetHandler wsgi-script\n</Directory>")
        .expect_log("outside what")
        .start();
    assert_eq!(apache.get("/one/site/who.wsgi").expect_status(200).text(), a.uid.to_string());
    apache.get("/one/who.wsgi").expect_status(500);
    apache.log().wait("outside what .* as those of .htaccess files do not count");
    apache.finish();
}
