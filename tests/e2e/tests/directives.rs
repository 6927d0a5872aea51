//! Directives beside `WSGIDaemonProcess`: what `apache2 -t` takes, refuses and remarks.

use crate::configuration::badly_refused;
use crate::ours;
use kit::need;
use std::os::unix::fs::PermissionsExt;

/// Every mistake that can be made with a directive, and words the sentence must have.
const MISTAKES: &[(&str, &[&str])] = &[
    ("WSGIHandlerScript", &["WSGIHandlerScript", "needs the name"]),
    ("WSGIHandlerScript h", &["WSGIHandlerScript", "needs the name"]),
    ("WSGIHandlerScript h rel.py", &["WSGIHandlerScript h", "rel.py", "absolute"]),
    ("WSGIHandlerScript wsgi-script /a.py", &["wsgi-script", "choose another"]),
    ("WSGIHandlerScript h /a.py callable-object=x", &["callable-object", "not an option here"]),
    ("WSGIHandlerScript h /a.py process-group=", &["process-group", "is empty"]),
    ("WSGIHandlerScript h /a.py process-group=%{X}", &["process-group", "%{X}", "%{ENV:NAME}"]),
    ("WSGIHandlerScript h /a.py application-group=", &["application-group", "is empty"]),
    ("WSGIHandlerScript h /a.py pass-authorization=1", &["pass-authorization", "On or Off"]),
    ("WSGIHandlerScript h /a.py nonsense", &["nonsense", "options are"]),
    ("WSGIImportScript", &["WSGIImportScript", "needs the path"]),
    ("WSGIImportScript a.py process-group=g application-group=x", &["a.py", "absolute"]),
    ("WSGIImportScript /a.py application-group=x", &["/a.py", "process-group= is missing"]),
    ("WSGIImportScript /a.py process-group=g", &["/a.py", "application-group= is missing"]),
    ("WSGIImportScript /a.py process-group= application-group=x", &["process-group", "is empty"]),
    (
        "WSGIImportScript /a.py process-group=%{ENV:X} application-group=x",
        &["%{ENV:X}", "depends on requests"],
    ),
    ("WSGIImportScript /a.py process-group=g application-group=x", &["/a.py", "not yet configured", "g"]),
    ("WSGIImportScript /a.py threads=1", &["threads", "not an option here"]),
    (
        "WSGIImportScript /a.py process-group=g application-group=x\n<VirtualHost 127.0.0.1:@PORT@>\nServerName v.test\n\
         WSGIDaemonProcess g threads=1\n</VirtualHost>",
        &["/a.py", "not accessible", "v.test"],
    ),
    ("WSGIScriptAlias /a /b.wsgi process-group=", &["process-group", "is empty"]),
    ("WSGIScriptAlias /a /b.wsgi application-group=", &["application-group", "is empty"]),
    ("WSGIScriptAlias /a /b.wsgi callable-object=%{ENV:X}", &["callable-object", "nothing is expanded"]),
    ("WSGIScriptAlias a /b.wsgi", &["\"a\"", "no URL path"]),
    ("WSGIScriptAlias /a b.wsgi", &["b.wsgi", "absolute"]),
    ("WSGIProcessGroup %{X}", &["WSGIProcessGroup", "%{X}"]),
    ("WSGIApplicationGroup %{X}", &["WSGIApplicationGroup", "%{X}"]),
    ("WSGICallableObject %{X}", &["WSGICallableObject", "%{X}"]),
    ("WSGIDispatchScript", &["WSGIDispatchScript", "needs the path"]),
    ("WSGIDispatchScript a.wsgi", &["a.wsgi", "absolute"]),
    ("WSGIDispatchScript /a callable-object=x", &["callable-object", "not an option here"]),
    ("WSGIDispatchScript /a process-group=%{ENV:X}", &["process-group", "%{ENV:X}", "no name"]),
    ("WSGIDispatchScript /a process-group=nobody", &["WSGI1304", "nobody"]),
    ("WSGIAccessScript /a", &["WSGIAccessScript", "not allowed here"]),
    ("<Location />\nWSGIAccessScript\n</Location>", &["WSGIAccessScript", "needs the path"]),
    ("<Location />\nWSGIAccessScript /a application-group=\n</Location>", &["application-group", "is empty"]),
    ("<Location />\nWSGIAuthUserScript a.wsgi\n</Location>", &["WSGIAuthUserScript", "absolute"]),
    ("<Location />\nWSGIAuthGroupScript /a x\n</Location>", &["WSGIAuthGroupScript /a", "options are"]),
    ("<Location />\nRequire wsgi-group\n</Location>", &["names no group", "Require wsgi-group GROUP"]),
    ("<Location />\nRequire wsgi-group \"a\n</Location>", &["wsgi-group", "quote"]),
    ("WSGIHtaccessScripts", &["WSGIHtaccessScripts", "needs a directory"]),
    ("WSGIHtaccessScripts /", &["WSGIHtaccessScripts", "root directory"]),
    ("WSGIDaemonProcess %{AUTH} threads=1", &["%{AUTH}", "begins with %"]),
    ("WSGIRestrictProcess", &["WSGIRestrictProcess", "%{GLOBAL}"]),
    ("WSGIRestrictProcess %{ENV:X}", &["WSGIRestrictProcess", "%{ENV:X}"]),
    ("WSGISocketPrefix /run/x/", &["WSGISocketPrefix", "slash"]),
    (
        "WSGIDaemonProcess app threads=1\nWSGISocketPrefix /nonexistent/wsgi",
        &["WSGISocketPrefix /nonexistent/wsgi", "no directory /nonexistent"],
    ),
    ("WSGISocketRotation maybe", &["WSGISocketRotation", "On or Off"]),
    ("WSGIAcceptMutex semaphore", &["semaphore", "is invalid", "posixsem"]),
    ("WSGIVerboseDebugging 1", &["WSGIVerboseDebugging", "On or Off"]),
    ("WSGIPythonOptimize 3", &["WSGIPythonOptimize", "3", "0 | 1 | 2"]),
    ("WSGIPythonOptimize high", &["high", "0 | 1 | 2"]),
    ("WSGIPythonWarnings sometimes", &["sometimes", "default, always"]),
    ("WSGIPythonWarnings error::a:b:c", &["line number"]),
    ("WSGIDontWriteBytecode 1", &["WSGIDontWriteBytecode", "On or Off"]),
    ("WSGIPythonHashSeed some", &["some", "must be \"random\" or an integer in range [0; 4294967295]"]),
    ("WSGIPythonHashSeed 4294967296", &["4294967296", "in range"]),
    ("WSGIPythonPath lib", &["lib", "absolute"]),
    ("WSGIPythonPath :", &["WSGIPythonPath", "is empty"]),
    ("WSGIPythonEggs", &["WSGIPythonEggs", "takes one argument"]),
    ("WSGISwitchInterval 0", &["WSGISwitchInterval", "positive number of seconds"]),
    ("WSGISwitchInterval soon", &["soon", "positive number of seconds"]),
    ("WSGIDestroyInterpreter 0", &["WSGIDestroyInterpreter", "On or Off"]),
    ("WSGIPerInterpreterGIL 0", &["WSGIPerInterpreterGIL", "neither On nor Off"]),
    ("WSGIFreeThreading 0", &["WSGIFreeThreading", "neither On nor Off"]),
    ("WSGIRestrictStdin yes", &["WSGIRestrictStdin", "neither On nor Off"]),
    ("WSGIRestrictStdout yes", &["WSGIRestrictStdout", "neither On nor Off"]),
    ("WSGIRestrictSignal yes", &["WSGIRestrictSignal", "neither On nor Off"]),
    ("WSGIRestrictSignal On Off", &["WSGIRestrictSignal", "exactly one argument"]),
    ("WSGICaseSensitivity yes", &["WSGICaseSensitivity", "On or Off"]),
    ("WSGIScriptReloading yes", &["WSGIScriptReloading", "On or Off"]),
    ("WSGIErrorOverride yes", &["WSGIErrorOverride", "On or Off"]),
    ("WSGIRequestBuffering yes", &["WSGIRequestBuffering", "On or Off"]),
    ("WSGISeekableInput yes", &["WSGISeekableInput", "On or Off"]),
    ("WSGIMapHEADToGET maybe", &["maybe", "WSGIMapHEADToGET must be one of: Off | On | Auto"]),
    ("WSGIIgnoreActivity yes", &["WSGIIgnoreActivity", "On or Off"]),
    ("WSGITrustedProxyHeaders", &["WSGITrustedProxyHeaders", "name of a header"]),
    ("WSGITrustedProxies", &["WSGITrustedProxies", "address"]),
    ("WSGITrustedProxies 10.0.0.300", &["Unable to parse trusted proxy IP address/subnet of \"10.0.0.300\""]),
    ("WSGITrustedProxies 10.0.0.0/33", &["10.0.0.0/33"]),
    ("WSGIEnableSendfile yes", &["WSGIEnableSendfile", "On or Off"]),
    ("WSGILocationRedirect yes", &["WSGILocationRedirect", "On or Off"]),
    ("WSGIPassApacheRequest yes", &["WSGIPassApacheRequest", "On or Off"]),
    ("<Location />\nWSGIGroupAuthoritative yes\n</Location>", &["WSGIGroupAuthoritative", "On or Off"]),
    ("WSGIServerMetrics yes", &["WSGIServerMetrics", "On or Off"]),
    ("WSGITelemetryService", &["target required"]),
    ("WSGITelemetryService udp:host:1", &["target must be 'unix:/path'"]),
    ("WSGITelemetryService unix:/x interval=0.1", &["interval must be at least 0.5 seconds"]),
    ("WSGITelemetryService unix:/x 5", &["second argument must be 'interval=N'"]),
    ("WSGISlowRequests", &["threshold (seconds) required"]),
    ("WSGISlowRequests -1", &["threshold must be non-negative"]),
    ("WSGITelemetryOptions", &["at least one flag required"]),
    ("WSGITelemetryOptions +", &["bare '+' / '-' is not a flag"]),
    ("WSGITelemetryOptions +CaptureUserAgent All", &["cannot mix +/- form"]),
    ("WSGITelemetryOptions +All", &["'None'/'All' may not have a +/- prefix"]),
    ("WSGITelemetryOptions Everything", &["unknown flag 'Everything'"]),
    ("WSGILazyInitialization On", &["WSGILazyInitialization", "remove the line"]),
    ("WSGINewRelicConfigFile /x", &["WSGINewRelicConfigFile", "env=NEW_RELIC_CONFIG_FILE"]),
    ("WSGINewRelicEnvironment x", &["WSGINewRelicEnvironment", "env=NEW_RELIC_ENVIRONMENT"]),
];

/// Mistakes with `<WSGIInterpreterOptions>`: what stands behind its name, what stands in it, and words the sentence must have.
const SECTION_MISTAKES: &[(&str, &str, &[&str])] = &[
    ("process-group", "", &["argument 'process-group' is not of the form key=value"]),
    ("group=a", "", &["unknown selector 'group', expected process-group or application-group"]),
    ("process-group=a process-group=a", "", &["process-group", "given more than once"]),
    ("process-group=", "", &["process-group", "is empty"]),
    ("application-group=%{ENV:X}", "", &["%{ENV:X}", "depends on requests"]),
    ("", "WSGIProcessGroup app", &["WSGIProcessGroup", "cannot stand in <WSGIInterpreterOptions>"]),
    ("", "ServerAdmin x@y", &["ServerAdmin", "cannot stand in <WSGIInterpreterOptions>", "httpd.conf:"]),
    ("", "WSGIRestrictStdin 1", &["WSGIRestrictStdin", "neither On nor Off"]),
    ("", "WSGIPythonPath lib", &["WSGIPythonPath", "absolute"]),
    ("", "<Directory />\n</Directory>", &["<Directory", "cannot stand"]),
    ("application-group=x", "WSGISwitchInterval 0.01", &["application-group=x", "WSGIPerInterpreterGIL On"]),
    (
        "application-group=%{GLOBAL}",
        "WSGIPerInterpreterGIL On\nWSGISwitchInterval 0.01",
        &["%{GLOBAL}", "main one"],
    ),
];

#[test]
fn mistakes_with_directives_are_found_before_the_start() {
    let mut bad = Vec::new();
    for (config, words) in MISTAKES {
        bad.extend(badly_refused(need!(ours()), config, words));
    }
    for (selectors, content, words) in SECTION_MISTAKES {
        let config = format!("<WSGIInterpreterOptions {selectors}>\n{content}\n</WSGIInterpreterOptions>");
        bad.extend(badly_refused(need!(ours()), &config, words));
    }
    assert!(bad.is_empty(), "{}:\n{}", bad.len(), bad.join("\n"));
}

/// What is taken, and what `apache2 -t` says about it: nothing where the list is empty.
const TAKEN: &[(&str, &[&str])] = &[
    ("WSGIHandlerScript h /a.py process-group=app application-group=%{GLOBAL} pass-authorization=On", &[]),
    ("WSGIImportScript /a.py process-group=app application-group=%{GLOBAL}", &[]),
    (
        "WSGIImportScript /a.py process-group=later application-group=x\nWSGIDaemonProcess later threads=1",
        &[],
    ),
    (
        "WSGIImportScript /a.py process-group=%{GLOBAL} application-group=x",
        &["WSGI1325", "/a.py", "no embedded"],
    ),
    ("WSGIDispatchScript /a.py process-group=app application-group=%{SERVER}", &[]),
    (
        "<Location />\nWSGIAccessScript /a.py\nWSGIAuthUserScript /a.py\nWSGIAuthGroupScript /a.py\n</Location>",
        &[],
    ),
    ("WSGIHtaccessScripts /srv/auth \"/srv/more auth\"", &[]),
    ("WSGIRestrictProcess app %{GLOBAL}", &[]),
    ("WSGISocketRotation off", &["WSGI1320", "WSGISocketRotation has no effect"]),
    ("WSGIAcceptMutex Default", &["WSGI1320", "WSGIAcceptMutex has no effect"]),
    ("WSGIVerboseDebugging On", &["WSGI1320", "LogLevel wsgi:debug"]),
    ("WSGIPythonOptimize 2", &[]),
    ("WSGIPythonWarnings ignore::DeprecationWarning\nWSGIPythonWarnings error", &[]),
    ("WSGIPythonHashSeed random", &[]),
    ("WSGIPythonHashSeed 0", &[]),
    ("WSGIPythonPath /a:/b", &["WSGI1320", "WSGIPythonPath has no effect", "python-path="]),
    ("WSGIPythonEggs /a", &["WSGI1320", "WSGIPythonEggs has no effect", "python-eggs="]),
    ("WSGISwitchInterval 0.01", &["WSGI1320", "WSGISwitchInterval has no effect", "switch-interval="]),
    ("WSGIDestroyInterpreter Off\nWSGIDontWriteBytecode On\nWSGICaseSensitivity Off", &[]),
    ("WSGIRestrictStdin On\nWSGIRestrictStdout ON\nWSGIRestrictSignal off\nWSGIPerInterpreterGIL Off", &[]),
    ("WSGIScriptReloading Off\nWSGIErrorOverride On\nWSGISeekableInput On\nWSGILocationRedirect On", &[]),
    ("WSGIMapHEADToGET auto\nWSGIIgnoreActivity On\nWSGIEnableSendfile On\nWSGIRequestBuffering Off", &[]),
    ("WSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxies 10.0.0.0/8 2001:DB8::1", &[]),
    ("WSGITrustedProxyHeaders X-Forwarded-For", &["WSGI1323", "outside of all sections"]),
    (
        "<Location /x>\nWSGITrustedProxyHeaders X-Forwarded-For\n</Location>",
        &["WSGI1323", "in the section /x"],
    ),
    ("<Location /x>\nWSGITrustedProxyHeaders X-Host\nWSGITrustedProxies 10.1.2.3\n</Location>", &[]),
    (
        "WSGITrustedProxies 10.0.0.1\nWSGITrustedProxyHeaders X-Forward-For",
        &["WSGI1322", "X-Forward-For", "X-Forwarded-For"],
    ),
    ("WSGIPassApacheRequest On", &["WSGI1320", "WSGIPassApacheRequest has no effect"]),
    ("<Location />\nWSGIGroupAuthoritative On\n</Location>", &["WSGI1320", "WSGIGroupAuthoritative"]),
    ("WSGIServerMetrics On", &["WSGI1320", "WSGIServerMetrics"]),
    (
        "WSGITelemetryService unix:/x interval=1\nWSGISlowRequests 5\nWSGITelemetryOptions +CaptureUserAgent",
        &["WSGI1321", "no telemetry"],
    ),
    (
        "<WSGIInterpreterOptions process-group=app>\nWSGIPythonPath /tmp\nWSGISwitchInterval 0.01\nWSGIFreeThreading Off\n\
         </WSGIInterpreterOptions>",
        &[],
    ),
    (
        "<WSGIInterpreterOptions application-group=x>\nWSGIPerInterpreterGIL On\nWSGISwitchInterval 0.01\n\
         </WSGIInterpreterOptions>",
        &[],
    ),
    (
        "<WSGIInterpreterOptions process-group=ap>\nWSGIRestrictStdin On\n</WSGIInterpreterOptions>",
        &["WSGI1324", "process-group=ap>"],
    ),
    (
        "<WSGIInterpreterOptions process-group=%{GLOBAL}>\nWSGIRestrictStdin On\n</WSGIInterpreterOptions>",
        &["WSGI1326", "no embedded mode"],
    ),
    (
        "<WSGIInterpreterOptions application-group=x>\nWSGIFreeThreading On\n</WSGIInterpreterOptions>",
        &["WSGI0201", "application-group=x"],
    ),
];

#[test]
fn good_directives_are_taken_and_those_without_an_effect_say_so() {
    let mut bad = Vec::new();
    for (config, words) in TAKEN {
        let check = need!(ours()).daemon("app", "threads=1").config(config).check();
        let lacks: Vec<_> = words.iter().filter(|word| !check.text.contains(**word)).collect();
        // A remark is made once, and where none is expected there is none.
        let once = check.text.matches("WSGI").count() == 0 || !words.is_empty();
        if !check.good || !lacks.is_empty() || !once {
            bad.push(format!("{config}\n  lacks {lacks:?}: {}", check.text));
        }
    }
    assert!(bad.is_empty(), "{}:\n{}", bad.len(), bad.join("\n"));
}

/// What `apache2 -t` warns about aliases.
const ALIASES: &[(&str, &[&str])] = &[
    ("WSGIScriptAlias /a @SITE@/a.wsgi\nWSGIScriptAlias /b @SITE@/", &[]),
    ("WSGIScriptAlias /x @SITE@/none.wsgi", &["WSGI1327", "WSGIScriptAlias /x", "site/none.wsgi"]),
    ("WSGIScriptAliasMatch ^/m/(.*) @SITE@/$1.wsgi", &[]),
    (
        "WSGIScriptAlias /x @ROOT@/closed/a.wsgi",
        &["WSGI1328", "WSGIScriptAlias /x", "/closed and cannot see"],
    ),
    (
        "WSGIScriptAlias / @SITE@/a.wsgi\nWSGIScriptAlias /deep @SITE@/a.wsgi",
        &["WSGI1329", "WSGIScriptAlias /deep is never reached, as WSGIScriptAlias / "],
    ),
    ("WSGIScriptAlias /deep @SITE@/a.wsgi\nWSGIScriptAlias / @SITE@/a.wsgi", &[]),
    (
        "WSGIScriptAlias / @SITE@/a.wsgi\n<VirtualHost 127.0.0.1:@PORT@>\nWSGIScriptAlias /x @SITE@/a.wsgi\n</VirtualHost>",
        &[],
    ),
];

#[test]
fn the_check_warns_about_aliases_that_lead_nowhere() {
    for (config, words) in ALIASES {
        let setup = need!(ours()).daemon("app", "threads=1").config("WSGIProcessGroup app").config(config);
        let setup = setup.file("site/a.wsgi", "").file("closed/a.wsgi", "");
        let closed = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(setup.root().join("closed"), closed).expect("the folder is ours");
        let check = setup.check();
        // An ordinary user passes what is its own.
        let words = if words.contains(&"WSGI1328") && !kit::users::am_root() { &[][..] } else { words };
        assert!(check.good, "{config}: {}", check.text);
        assert!(words.iter().all(|word| check.text.contains(word)), "{config}: {}", check.text);
        assert_eq!(check.text.contains("WSGI13"), !words.is_empty(), "{config}: {}", check.text);
    }
}
