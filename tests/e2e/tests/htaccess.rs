//! What the author of an `.htaccess` file can and cannot reach: EN-5.

use crate::two_sites;
use kit::{Apache, Setup, need};

/// Site B: its script behind `/site`, with a process group that the variable SITE names. `htaccess` lies beside the
/// script; `server` goes to the server's level, where site B has no say.
fn site_b(setup: Setup, server: &str, htaccess: &str) -> Setup {
    let setup = setup.file("site/b/eval.wsgi", &kit::fixture("eval.wsgi")).file("site/b/.htaccess", htaccess);
    setup.config(&format!(
        "{server}\nWSGIScriptAlias /site @SITE@/b/eval.wsgi process-group=%{{ENV:SITE}}\n\
         Alias /files @SITE@/b\n<Directory @SITE@/b>\nAllowOverride All\nWSGIProcessGroup %{{ENV:SITE}}\n</Directory>"
    ))
}

fn uid(apache: &Apache, target: &str) -> u64 {
    apache.eval(target, "import os; result = os.getuid()").as_u64().expect("it answers with a number")
}

#[test]
fn en_5_htaccess_cannot_choose_a_process_group() {
    let attempts = [
        ("/site", "SetEnv SITE a"),
        ("/site", "SetEnvIf Request_URI . SITE=a"),
        ("/site", "RewriteEngine On\nRewriteRule . - [E=SITE:a]"),
        // One request leads to another, and takes variables along.
        ("/files/x", "RewriteEngine On\nRewriteRule ^x$ /site [E=SITE:a,L]"),
        ("/files/", "SetEnv SITE a\nDirectoryIndex /site"),
        (
            "/files/",
            "SetEnvIf Request_URI . SITE=a\nDirectoryIndex eval.wsgi\nAddHandler wsgi-script .wsgi\nOptions +ExecCGI",
        ),
    ];
    for (target, htaccess) in attempts {
        for server in ["", "SetEnvIf Request_URI ^/site SITE=b", "SetEnv SITE b"] {
            let (setup, _, b) = need!(two_sites("threads=2"));
            let apache = site_b(setup, server, htaccess).start();
            apache.expect_log("WSGI1311|WSGI0151");
            let response = apache.post(target, "import os; result = os.getuid()");
            // The server's own value may hold, never the one from the file.
            if server.is_empty() || response.status != 200 {
                assert_eq!(response.status, 500, "{htaccess}");
            } else {
                assert_eq!(response.json().as_u64(), Some(u64::from(b.uid)), "{htaccess}");
            }
            apache.finish();
        }
    }
}

#[test]
fn en_5_htaccess_may_hold_no_directive_that_names_a_group() {
    for htaccess in ["WSGIProcessGroup a", "WSGIProcessGroup %{ENV:MINE}", "WSGIDaemonProcess mine threads=1"]
    {
        let (setup, _, _) = need!(two_sites("threads=2"));
        let apache = site_b(setup, "SetEnv SITE b\nSetEnv MINE a", htaccess).start();
        apache.post("/site", "result = 1").expect_status(500);
        let directive = htaccess.split(' ').next().expect("has a first word");
        apache.log().wait(&format!("{directive} not allowed here"));
        apache.finish();
    }
}

#[test]
fn en_5_the_administrator_chooses_with_variables() {
    let rules = [
        "SetEnvIf Request_URI ^/site SITE=b",
        "RewriteEngine On\nRewriteRule ^/site - [E=SITE:b]",
        "RewriteEngine On\nRewriteRule ^/other$ /site [PT,E=SITE:b]\nRewriteRule ^/site - [E=SITE:b]",
    ];
    for server in rules {
        let (setup, _, b) = need!(two_sites("threads=2"));
        // An .htaccess file that has other things to do.
        let apache = site_b(setup, server, "SetEnv COLOUR green\n").start();
        assert_eq!(uid(&apache, "/site"), u64::from(b.uid), "{server}");
        apache.finish();
    }
    // SetEnv comes late, which matters only where an .htaccess file has a say.
    let (setup, _, b) = need!(two_sites("threads=2"));
    let setup = site_b(setup, "SetEnv SITE b", "");
    std::fs::remove_file(setup.root().join("site/b/.htaccess")).expect("the file is ours");
    let apache = setup.start();
    assert_eq!(uid(&apache, "/site"), u64::from(b.uid));
    apache.finish();
}

/// Site B may write any directive of other modules into its .htaccess file; the server's own process group is A's.
#[test]
fn en_5_htaccess_cannot_make_files_scripts_of_another_user() {
    let attempts = [
        "SetHandler wsgi-script\nOptions +ExecCGI",
        "AddHandler wsgi-script .wsgi\nOptions +ExecCGI",
        "AddType application/x-httpd-wsgi .wsgi\nOptions +ExecCGI",
        "ForceType application/x-httpd-wsgi\nOptions +ExecCGI",
        "Options +ExecCGI\nRewriteEngine On\nRewriteRule . - [H=wsgi-script]",
        "Options +ExecCGI\nSetHandler named",
        "Options +ExecCGI\nDirectoryIndex eval.wsgi\nSetHandler wsgi-script",
    ];
    for htaccess in attempts {
        let (setup, _, _) = need!(two_sites("threads=2"));
        // A has scripts with handlers, so files can be scripts at all.
        let server = "WSGIProcessGroup a\n<Directory @ROOT@/www>\nOptions +ExecCGI\nAddHandler wsgi-script .wsgi\n</Directory>";
        let setup = setup.file("b/eval.wsgi", &kit::fixture("eval.wsgi")).file("b/.htaccess", htaccess);
        let setup = setup.file("www/ok.wsgi", &kit::fixture("eval.wsgi")).config(server);
        let apache = setup
            .config("Alias /files @ROOT@/b\n<Directory @ROOT@/b>\nAllowOverride All\n</Directory>")
            .expect_log("WSGI\\d{4}|AH")
            .start();
        for target in ["/files/eval.wsgi", "/files/"] {
            let response = apache.post(target, "import os; result = 'ran as %d' % os.getuid()");
            assert!(!response.text().contains("ran as"), "{htaccess}: {}", response.text());
        }
        assert_eq!(apache.eval("/ok.wsgi", "result = 'ran'"), "ran");
        apache.finish();
    }
}

/// A module that runs code of .htaccess authors sets the notes that mod_wsgi obeys.
#[test]
fn en_5_notes_of_other_modules_choose_no_group_where_htaccess_has_a_say() {
    let lua = "function note(r)\n  r.notes['mod_wsgi.process_group'] = 'a'\n  return apache2.DECLINED\nend\n";
    let hook = "LuaHookFixups @ROOT@/note.lua note";
    let (setup, _, b) = need!(two_sites("threads=2"));
    let setup = setup.modules(&["lua"]).file("note.lua", lua);
    let apache = site_b(setup, "SetEnvIf Request_URI ^/site SITE=b", hook).start();
    apache.post("/site", "result = 1").expect_status(500);
    apache.log().wait("WSGI1340");
    apache.finish();
    // In the server's own configuration it would count, were the script one of A's.
    let (setup, _, _) = need!(two_sites("threads=2"));
    let setup = setup.modules(&["lua"]).file("note.lua", lua);
    let setup = site_b(setup, &format!("SetEnvIf Request_URI ^/site SITE=b\n{hook}"), "");
    std::fs::remove_file(setup.root().join("site/b/.htaccess")).expect("the file is ours");
    let apache = setup.start();
    let ran_as = apache.post("/site", "import os; result = os.getuid()");
    assert_ne!(ran_as.text(), b.uid.to_string());
    apache.finish();
}
