//! What a dispatch script that belongs to a site cannot reach: EN-5.

use crate::two_sites;
use kit::need;
use serde_json::json;

#[test]
fn en_5_a_dispatch_script_of_one_user_has_no_say_about_another() {
    const ANSWERS: &str = r#"
from urllib.parse import parse_qs

def chosen(environ, name):
    return parse_qs(environ["QUERY_STRING"]).get(name, [None])[0]

def process_group(environ):
    return chosen(environ, "process_group")

def callable_object(environ):
    return chosen(environ, "callable_object")
"#;
    let (setup, a, b) = need!(two_sites("threads=2"));
    let apache = setup
        .file("site/b/eval.wsgi", &kit::fixture("eval.wsgi"))
        .file("site/b/answers.wsgi", ANSWERS)
        .config(
            "WSGIScriptAlias /theirs @SITE@/b/eval.wsgi process-group=b\n\
             <Location />\nWSGIDispatchScript @SITE@/b/answers.wsgi process-group=b\n</Location>\n\
             <Location /trusted>\nWSGIDispatchScript @SITE@/b/answers.wsgi\n</Location>\n\
             WSGIScriptAlias /trusted @SITE@/b/eval.wsgi process-group=b",
        )
        .start();
    apache.expect_log("WSGI1386");
    let who = "import os; result = os.getuid()";
    assert_eq!(apache.eval("/theirs?process_group=b", who), json!(b.uid));
    // Neither its own script as somebody else, nor another part of somebody else's script.
    for target in ["/theirs?process_group=a", "/a?callable_object=application"] {
        let response = apache.post(target, who).expect_status(500);
        assert!(!response.text().contains(&a.uid.to_string()), "{target}");
    }
    assert_eq!(apache.log().text().matches("WSGI1386").count(), 2);
    // Without an opinion, and where the administrator runs it as Apache's user, nothing is in the way.
    assert_eq!(apache.eval("/a", who), json!(a.uid));
    assert_eq!(apache.eval("/trusted?process_group=a", who), json!(a.uid));
    apache.finish();
}
