//! Every directive of the table in every place that a configuration has: taken or refused as the table says, and by mod_wsgi in
//! the same places.

use kit::{Setup, need, pick};
use spec::directives::{Context, DirectiveRow, Effect, TABLE};

/// Lines around a directive, and the contexts that permit it there.
struct Place {
    before: &'static str,
    after: &'static str,
    permits: &'static [Context],
}

const SERVER: Place = Place {
    before: "",
    after: "",
    permits: &[
        Context::MainServer,
        Context::Interpreters,
        Context::Servers,
        Context::Sections,
        Context::FileInfo,
    ],
};
const HOST: Place = Place {
    before: "<VirtualHost 127.0.0.1:@PORT@>\nServerName v.test",
    after: "</VirtualHost>",
    permits: &[Context::Servers, Context::Sections, Context::FileInfo],
};
const IN_SECTIONS: &[Context] = &[Context::Sections, Context::FileInfo, Context::AuthConfig];
const DIRECTORY: Place =
    Place { before: "<Directory @ROOT@/www>", after: "</Directory>", permits: IN_SECTIONS };
const LOCATION: Place = Place { before: "<Location /x>", after: "</Location>", permits: IN_SECTIONS };
const FILES: Place = Place { before: "<Files *.x>", after: "</Files>", permits: IN_SECTIONS };

/// The directives of mod_wsgi, and with ours under test our own.
fn rows() -> impl Iterator<Item = &'static DirectiveRow> {
    let works = |row: &&DirectiveRow| !matches!(row.effect, Effect::Removed(_));
    TABLE.iter().filter(works).filter(|row| pick(true, !row.difference.starts_with("ours")))
}

fn name(row: &DirectiveRow) -> &'static str {
    row.name.to_str().expect("names are ASCII")
}

/// A line with the directive that is good wherever it may stand.
fn line(row: &DirectiveRow) -> String {
    let arguments = match name(row) {
        "WSGIScriptAlias" | "WSGIScriptAliasMatch" => "/walk @SITE@/walk.wsgi",
        "WSGIHandlerScript" => "walk @SITE@/walk.wsgi",
        "WSGIImportScript" => "@SITE@/walk.wsgi process-group=%{GLOBAL} application-group=%{GLOBAL}",
        "WSGIProcessGroup" | "WSGIApplicationGroup" | "WSGIRestrictProcess" => "%{GLOBAL}",
        "WSGICallableObject" => "application",
        "WSGIDaemonProcess" => "walk threads=1 python-home=@HOME@",
        "WSGISocketPrefix" => "@ROOT@/run/wsgi",
        "WSGIAcceptMutex" => "default",
        "WSGIPythonHome" => "@HOME@",
        "WSGIPythonOptimize" => "1",
        "WSGIPythonWarnings" => "ignore",
        "WSGIPythonHashSeed" => "1",
        "WSGIPythonPath" | "WSGIPythonEggs" | "WSGIHtaccessScripts" => "@SITE@",
        "WSGISwitchInterval" => "0.01",
        "<WSGIInterpreterOptions" => return "<WSGIInterpreterOptions>\n</WSGIInterpreterOptions>".to_owned(),
        "WSGITrustedProxyHeaders" => "X-Forwarded-For",
        "WSGITrustedProxies" => "127.0.0.1",
        "WSGITelemetryService" => "unix:/nonexistent/socket",
        "WSGISlowRequests" => "5",
        "WSGITelemetryOptions" => "None",
        "WSGIAccessScript" | "WSGIAuthUserScript" | "WSGIAuthGroupScript" | "WSGIDispatchScript" => {
            "@SITE@/walk.wsgi"
        }
        _ => "Off",
    };
    format!("{} {arguments}", name(row))
}

/// All good lines in one configuration, and each bad one in its own.
fn walk(place: &Place) {
    let around = |lines: &str| format!("{}\n{lines}\n{}", place.before, place.after);
    let (good, bad): (Vec<_>, Vec<_>) = rows().partition(|row| place.permits.contains(&row.context));
    let lines: Vec<String> = good.into_iter().map(line).collect();
    let check = need!(Setup::new()).file("site/walk.wsgi", "").config(&around(&lines.join("\n"))).check();
    assert!(check.good && !lines.is_empty(), "{}", check.text);
    let setup = || Setup::new().map(|setup| setup.file("site/walk.wsgi", ""));
    for row in bad {
        let check = need!(setup()).config(&around(&line(row))).check();
        let place_is_why = ["not allowed", "cannot occur"].iter().any(|why| check.text.contains(why));
        let says = check.text.contains(name(row)) && place_is_why;
        assert!(!check.good && says, "{} in {}: {}", name(row), place.before, check.text);
    }
}

#[test]
fn the_main_server_takes_what_the_table_says() {
    walk(&SERVER);
}

#[test]
fn a_virtual_host_takes_what_the_table_says() {
    walk(&HOST);
}

#[test]
fn a_directory_takes_what_the_table_says() {
    walk(&DIRECTORY);
}

#[test]
fn a_location_takes_what_the_table_says() {
    walk(&LOCATION);
}

#[test]
fn files_take_what_the_table_says() {
    walk(&FILES);
}

#[test]
fn htaccess_files_take_what_allow_override_and_the_table_say() {
    let classes =
        [("FileInfo", Some(Context::FileInfo)), ("AuthConfig", Some(Context::AuthConfig)), ("None", None)];
    let mut setup =
        need!(Setup::new()).file("site/walk.wsgi", "").expect_log("not allowed here|AH0|WSGI0056|WSGI0057");
    // Ours lets .htaccess files name scripts only where root says so.
    setup = setup.config(pick("WSGIHtaccessScripts @SITE@", ""));
    for (class, _) in classes {
        setup = setup.config(&format!("<Directory @ROOT@/www/{class}>\nAllowOverride {class}\n</Directory>"));
        for (number, row) in rows().enumerate() {
            let folder = format!("www/{class}/{number}");
            setup = setup
                .file(&format!("{folder}/x.txt"), "text")
                .file(&format!("{folder}/.htaccess"), &line(row));
        }
    }
    let apache = setup.start();
    for (class, context) in classes {
        for (number, row) in rows().enumerate() {
            let taken = context.is_none_or(|context| context == row.context);
            // It takes effect at once, without a script that could be asked; mod_wsgi crashes then, as WSGIRestrictEmbedded is On.
            let asks = taken && context.is_some() && name(row) == "WSGIAccessScript";
            if asks && pick(false, true) {
                continue;
            }
            let status = apache.get(&format!("/{class}/{number}/x.txt")).status;
            // Without AllowOverride the file is not read at all.
            let expected = if asks {
                403
            } else if taken {
                200
            } else {
                500
            };
            assert_eq!(status, expected, "{} with AllowOverride {class}", name(row));
        }
    }
    apache.finish();
}
