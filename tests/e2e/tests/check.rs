//! `wsgictl check`: the effective configuration for people, and the classic mistakes. And what else finds mistakes of the machine:
//! directories that cannot be passed, virtual environments of another Python.

use crate::{ours, ours_as_root};
use kit::{Setup, need};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

const HELLO: &str = "def application(e, s):\n    s('200 OK', [])\n    return [b'hello']\n";

/// What `wsgictl check` says, which must have all of `words`.
#[track_caller]
fn says(setup: Setup, good: bool, words: &[&str]) -> String {
    let said = setup.examine();
    let lacks: Vec<_> = words.iter().filter(|word| !said.text.contains(**word)).collect();
    assert!(lacks.is_empty() && said.good == good, "good: {}, lacks {lacks:?} in\n{}", said.good, said.text);
    said.text
}

#[test]
fn the_effective_configuration_is_shown() {
    let setup = need!(ours()).daemon("shop", "processes=2 threads=3 queue-timeout=7").app("shop", HELLO);
    let text = says(
        setup.config("WSGIProcessGroup shop\nWSGIApplicationGroup %{GLOBAL}"),
        true,
        &[
            "Process group shop (",
            "httpd.conf:",
            "2 processes, 3 threads each: 6 requests at once; 100 more may wait, the next get 503",
            "queue-timeout 7 s",
            "WSGIScriptAlias /shop -> /",
            "/site/shop.wsgi, application group %{GLOBAL}",
            ", virtual environment /",
        ],
    );
    assert!(text.contains("python     3."), "{text}");
}

#[test]
fn a_good_configuration_has_nothing_wrong() {
    let site = need!(kit::users::site('a'));
    let options = format!("user={0} group={0} threads=2", site.name);
    let setup = need!(ours_as_root()).one_daemon(&options).app("app", HELLO);
    let text = says(
        setup,
        true,
        &["Nothing wrong was found.", &format!("user       {} (uid {}", site.name, site.uid)],
    );
    assert!(!text.contains("Worth a look"), "{text}");
}

#[test]
fn several_applications_in_one_group_are_a_classic_mistake() {
    let setup = need!(ours()).one_daemon("threads=2").app("a", HELLO).app("b", HELLO);
    says(setup, true, &["process group app serves several applications", "application-group=%{GLOBAL}"]);
    let setup = need!(ours()).one_daemon("threads=2").app("a", HELLO).app("b", HELLO);
    says(setup.config("WSGIApplicationGroup %{GLOBAL}"), true, &["runs 2 applications in one interpreter"]);
}

#[test]
fn a_virtual_environment_that_is_not_used_is_found() {
    let setup = need!(ours()).file("site/venv/pyvenv.cfg", "home = /usr/bin\n").app("app", HELLO);
    let setup = setup.config("WSGIDaemonProcess app threads=2 python=/usr/bin/python3\nWSGIProcessGroup app");
    says(
        setup,
        true,
        &["without a virtual environment, and there is one in /", "/site/venv", "python-home="],
    );
}

#[test]
fn variables_of_requests_are_not_those_of_processes() {
    let config = "SetEnv DJANGO_SETTINGS_MODULE mysite.settings\nSetEnv ANOTHER value\n<Location /x>\nSetEnv \"SECRET_KEY\" x\n</Location>";
    let setup = need!(ours()).one_daemon("threads=2").app("app", HELLO).config(config);
    let text =
        says(setup, true, &["env=DJANGO_SETTINGS_MODULE=VALUE", "env=SECRET_KEY=VALUE", "not os.environ"]);
    assert!(!text.contains("ANOTHER"), "{text}");
    let setup =
        need!(ours()).one_daemon("threads=2 env=SECRET_KEY=x env=DJANGO_SETTINGS_MODULE=y").app("app", HELLO);
    let text = says(setup.config(config), true, &[]);
    assert!(!text.contains("SetEnv"), "{text}");
}

#[test]
fn groups_that_are_not_declared_and_aliases_without_a_group_are_named() {
    let setup = need!(ours()).daemon("app", "threads=1").app("app", HELLO).app("lost", HELLO);
    let config = "WSGIScriptAlias /typo @SITE@/app.wsgi process-group=appp";
    says(
        setup.config(config),
        false,
        &[
            "process group appp is used by WSGIProcessGroup or process-group=, but no WSGIDaemonProcess declares it",
            "WSGIScriptAlias /lost leads to no process group",
            "nothing leads to process group app:",
            "serves one request at a time",
            "mistake was found; see above",
        ],
    );
}

#[test]
fn a_group_of_another_virtual_host_is_a_mistake_and_serves_nothing_here() {
    let host = |name: &str, lines: &str| {
        format!("<VirtualHost 127.0.0.1:@PORT@>\nServerName {name}\n{lines}\n</VirtualHost>")
    };
    let declares = host(
        "v.test",
        "WSGIDaemonProcess mine threads=2\nWSGIScriptAlias /own @SITE@/app.wsgi process-group=mine",
    );
    let setup = need!(ours()).file("site/app.wsgi", HELLO).config(&declares);
    let other = host("w.test", "WSGIScriptAlias /other @SITE@/app.wsgi process-group=mine");
    let text = says(
        setup.config(&other),
        false,
        &[
            "WSGI0152: process group mine is declared in the virtual host v.test",
            "(WSGIScriptAlias /other)",
            "WSGIScriptAlias /own of v.test",
        ],
    );
    assert!(!text.contains("WSGIScriptAlias /other of"), "{text}");
    // What all servers have serves the owner, too.
    let setup = need!(ours()).file("site/app.wsgi", HELLO).config(&declares);
    says(
        setup.config("WSGIScriptAlias /all @SITE@/app.wsgi process-group=mine"),
        true,
        &["WSGIScriptAlias /all"],
    );
}

#[test]
fn aliases_that_are_hidden_or_lead_nowhere_are_named() {
    let setup = need!(ours()).one_daemon("threads=2").app("app", HELLO);
    let config = "WSGIScriptAlias /app/admin @SITE@/app.wsgi\nWSGIScriptAlias /gone @SITE@/gone.wsgi";
    let text = says(
        setup.config(config),
        true,
        &["WSGIScriptAlias /app/admin is never reached, as WSGIScriptAlias /app", "there is no file"],
    );
    assert_eq!(text.matches("never reached").count(), 1, "{text}");
    // apache2 -t says the same.
    let setup = need!(ours()).one_daemon("threads=2").app("app", HELLO).config(config);
    let check = setup.check();
    assert!(
        check.good && check.text.contains("WSGI1329: ") && check.text.contains("WSGI1327: "),
        "{}",
        check.text
    );
}

#[test]
fn a_script_in_a_closed_directory_is_named_with_the_directory() {
    let setup = need!(ours_as_root()).one_daemon("threads=2").file("closed/app.wsgi", HELLO);
    let closed = setup.root().join("closed");
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("the folder is ours");
    let text = says(
        setup.config("WSGIScriptAlias /app @ROOT@/closed/app.wsgi"),
        true,
        &["WSGI1328: ", "may not pass the directory"],
    );
    assert!(text.contains(&format!("the directory {} ", closed.display())), "{text}");
}

#[test]
fn what_apache_does_not_take_is_passed_on() {
    let text =
        says(need!(ours()).config("NoSuchDirective"), false, &["Apache does not take the configuration"]);
    assert!(text.contains("NoSuchDirective"), "{text}");
    let text = says(need!(ours()).config("WSGIDaemonProcess app threads=x"), false, &["threads"]);
    assert!(!text.contains("wsgi-report"), "{text}");
}

#[test]
fn an_environment_made_for_another_python_is_refused() {
    let setup = need!(ours()).app("app", HELLO);
    let bin = setup.root().join("old/bin");
    fs::create_dir_all(&bin).expect("the folder is ours");
    symlink("/usr/bin/python3", bin.join("python")).expect("the folder is ours");
    let setup = setup.file("old/pyvenv.cfg", "home = /usr/bin\nversion = 3.6.9\n");
    let setup = setup.config("WSGIDaemonProcess app threads=2 python-home=@ROOT@/old\nWSGIProcessGroup app");
    let words = ["made for Python 3.6", "--clear", "WSGIDaemonProcess app: "];
    let check = setup.check();
    assert!(!check.good && words.iter().all(|word| check.text.contains(word)), "{}", check.text);
    says(setup, false, &words);
}

#[test]
fn sockets_out_of_reach_are_named_at_the_start_with_the_directory() {
    let setup = need!(ours_as_root()).one_daemon("threads=2").app("app", HELLO);
    let closed = setup.root().join("closed");
    fs::create_dir(&closed).expect("the folder is ours");
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("the folder is ours");
    let setup = setup.config("WSGISocketPrefix @ROOT@/closed/wsgi");
    let named = format!("the directory {} does not let the web server's user", closed.display());
    let check = setup.check();
    assert!(check.good && check.text.contains("WSGI1317: ") && check.text.contains(&named), "{}", check.text);
    let apache = setup.unsettled().expect_log("WSGI1318|WSGI0117|WSGI1317").start();
    let line = apache.log().wait("WSGI1318: ");
    assert!(line.contains(&named) && line.contains("WSGISocketPrefix"), "{line}");
    apache.get("/app").expect_status(503);
    apache.finish();
}

#[test]
fn a_socket_that_apache_may_not_connect_to_is_named_at_the_start() {
    let setup = need!(ours_as_root());
    let site = need!(kit::users::site('a'));
    let options = format!("threads=2 socket-user={}", site.name);
    let apache =
        setup.one_daemon(&options).app("app", HELLO).unsettled().expect_log("WSGI1318|WSGI0117").start();
    let line = apache.log().wait("WSGI1318: ");
    assert!(line.contains("'app'") && line.contains(".sock") && line.contains("socket-user="), "{line}");
    apache.get("/app").expect_status(503);
    apache.finish();
}
