//! Routing, proved without httpd: matching, splitting, expansion, and what the configuration alone decides.

use proptest::prelude::*;
use spec::Allowed;

use super::alias::{Way, matched, way};
use super::expand::{Callable, Facts, Template};
use super::leads::{Kind, Lead, Names, Reach, Section, ServerLeads, destination, used_names, without_group};
use super::path::{collapse, path_info_start, script_name};
use super::*;

fn facts<'a>(port: u16, variable: &'a dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Facts<'a> {
    Facts {
        server_name: b"example.org",
        host: Some(b"www.example.org"),
        port,
        script_name: b"/app",
        variable,
    }
}

fn template(text: &str) -> Template {
    Template::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_prefix_matches_as_in_mod_alias() {
    assert_eq!(matched(b"/app", b"/app"), Some(4));
    assert_eq!(matched(b"/app/x", b"/app"), Some(4));
    assert_eq!(matched(b"/apple", b"/app"), None);
    assert_eq!(matched(b"/app", b"/app/"), None);
    assert_eq!(matched(b"/app/x", b"/app/"), Some(5));
    assert_eq!(matched(b"//a///b/c", b"/a//b"), Some(7));
    assert_eq!(matched(b"/App", b"/app"), None);
    assert_eq!(matched(b"", b"/"), None);
}

#[test]
fn the_file_is_the_target_and_the_rest() {
    let file = |uri, prefix, target| way(uri, prefix, target).map(|way| way.file());
    assert_eq!(file(b"/app/x/y", b"/app", b"/srv/w.wsgi").unwrap(), b"/srv/w.wsgi/x/y");
    assert_eq!(file(b"/x", b"/", b"/srv/w.wsgi").unwrap(), b"/srv/w.wsgi/x");
    assert_eq!(file(b"/", b"/", b"/srv/w.wsgi").unwrap(), b"/srv/w.wsgi/");
    assert_eq!(file(b"/app/x", b"/app/", b"/srv/apps/").unwrap(), b"/srv/apps/x");
    assert_eq!(file(b"*", b"/", b"/srv/w.wsgi"), None);
}

#[test]
fn a_script_and_its_path_info_are_told_apart_only_where_httpd_would_not_clean_them() {
    let script = |target: &'static str, rest: &'static str| {
        let way = Way { target: target.as_bytes().into(), rest: rest.as_bytes() };
        way.script() == Some((target.as_bytes(), rest.as_bytes()))
    };
    for (target, rest) in
        [("/srv/w.wsgi", ""), ("/srv/w.wsgi", "/"), ("/w.wsgi", "/a/b"), ("/srv/..w", "/.a/b../")]
    {
        assert!(script(target, rest), "{target} {rest}");
    }
    for target in ["/srv/apps/", "/srv//w.wsgi", "/srv/./w.wsgi", "/srv/../w.wsgi", "/srv/.."] {
        assert!(!script(target, "/x"), "{target}");
    }
    for rest in ["x", "//x", "/x//", "/./x", "/x/.."] {
        assert!(!script("/srv/w.wsgi", rest), "{rest}");
    }
}

#[test]
fn a_resource_has_the_case_of_its_path_unless_that_does_not_count() {
    for (case_sensitive, name) in [(true, &b"host|/App/\xc3\x84X"[..]), (false, b"host|/app/\xc3\x84x")] {
        let script_name = path::resource(b"/App/\xc3\x84X", case_sensitive);
        let facts = Facts {
            server_name: b"host",
            host: None,
            port: 80,
            script_name: &script_name,
            variable: &|_: &[u8]| None,
        };
        assert_eq!(template("%{RESOURCE}").expand(&facts), name);
        assert_eq!(template("Name").expand(&facts), b"Name", "only paths are folded");
    }
}

#[test]
fn script_name_is_what_the_path_info_leaves() {
    assert_eq!(script_name(b"/app/x/y", b"/x/y"), b"/app");
    assert_eq!(script_name(b"/x", b"/x"), b"");
    assert_eq!(script_name(b"/app", b""), b"/app");
    assert_eq!(script_name(b"//app//x///y", b"/x/y"), b"/app");
    assert_eq!(script_name(b"/app/rewritten/tail", b"/other/tail"), b"/app/rewritten");
}

#[test]
fn names_expand_as_in_the_reference() {
    let variable = |name: &[u8]| match name {
        b"G" => Some(b"blue".to_vec()),
        b"R" => Some(b"%{RESOURCE}".to_vec()),
        b"LOOP" => Some(b"%{ENV:LOOP}".to_vec()),
        _ => None,
    };
    for (text, port, expected) in [
        ("%{GLOBAL}", 80, ""),
        ("%{SERVER}", 443, "example.org"),
        ("%{SERVER}", 8080, "example.org:8080"),
        ("%{HOST}", 80, "www.example.org"),
        ("%{RESOURCE}", 8080, "example.org:8080|/app"),
        ("%{ENV:G}", 80, "blue"),
        ("%{ENV:R}", 80, "example.org|/app"),
        ("%{ENV:LOOP}", 80, "%{ENV:LOOP}"),
        ("%{ENV:UNSET}", 80, "%{ENV:UNSET}"),
        ("name", 80, "name"),
    ] {
        assert_eq!(template(text).expand(&facts(port, &variable)), expected.as_bytes(), "{text}");
    }
    for bad in ["", "%{global}", "%x", "%{ENV:}", "%{ENV:A}b}"] {
        assert!(Template::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    let callable = |text: &[u8]| Callable::parse(text).unwrap().expand(&facts(80, &variable));
    assert_eq!(callable(b"app"), b"app");
    assert_eq!(callable(b"%{ENV:G}"), b"blue");
    assert_eq!(callable(b"%{ENV:UNSET}"), b"application");
    assert!(Callable::parse(b"%{GLOBAL}").is_err() && Callable::literal(b"%{ENV:G}").is_err());
}

#[test]
fn the_nearest_setting_wins() {
    let level = |name: &str| Settings { process_group: Some(template(name)), ..Settings::default() };
    let none = |_: &[u8]| None;
    let facts = facts(80, &none);
    let (alias, dir, server) = (level("alias"), level("dir"), level("server"));
    assert_eq!(alias.over(&dir).over(&server).process_group(&facts), b"alias");
    assert_eq!(Settings::default().over(&dir.over(&server)).process_group(&facts), b"dir");
    assert_eq!(Settings::default().process_group(&facts), b"");
    assert_eq!(Settings::default().callable(&facts), b"application");
}

#[test]
fn the_only_application_of_a_group_gets_the_main_interpreter() {
    let none = |_: &[u8]| None;
    let facts = facts(80, &none);
    let unset = Settings::default();
    assert_eq!(unset.application_group(&facts, true), b"");
    assert_eq!(unset.application_group(&facts, false), b"example.org|/app");
    let set = Settings { application_group: Some(template("%{RESOURCE}")), ..Settings::default() };
    assert_eq!(set.application_group(&facts, true), b"example.org|/app");
}

fn lead(location: &str, target: &str, group: Option<&str>) -> Lead {
    Lead {
        directive: location.to_owned(),
        location: location.into(),
        reach: Reach::Prefix,
        target: target.into(),
        pattern: None,
        several: target.ends_with('/') || target.contains('$'),
        group: group.map(template),
        application_group: None,
        callable: None,
        order: Lead::LAST,
    }
}

/// In these tests, files are below `/srv`.
fn kind(path: &str) -> Kind {
    match path {
        _ if path.starts_with("/srv") => Kind::Directory,
        _ if path.starts_with('/') => Kind::Location,
        _ => Kind::Other,
    }
}

fn server(group: Option<&str>, leads: Vec<Lead>, sections: &[(&str, &str)]) -> ServerLeads {
    let section = |(path, group): &(&str, &str)| Section {
        kind: kind(path),
        path: (*path).into(),
        group: Some(template(group)),
        application_group: None,
        dispatch: false,
    };
    let sections = sections.iter().map(section).collect();
    ServerLeads { leads, group: group.map(template), sections, ..ServerLeads::default() }
}

#[test]
fn one_alias_is_one_application() {
    let one = [server(Some("g"), vec![lead("/", "/srv/a.wsgi", None)], &[])];
    assert!(destination(&one, b"g").sole);
    assert!(!destination(&one, b"other").sole && destination(&one, b"other").roots.is_empty());
    // The same script in the virtual hosts for http and https is one application.
    assert!(destination(&[one[0].clone(), one[0].clone()], b"g").sole);
    let two = [server(Some("g"), vec![lead("/", "/a", None), lead("/b", "/b", None)], &[])];
    assert!(!destination(&two, b"g").sole);
    assert_eq!(destination(&two, b"g").roots.len(), 2);
    let folder = [server(Some("g"), vec![lead("/", "/srv/apps/", None)], &[])];
    assert!(!destination(&folder, b"g").sole);
}

#[test]
fn sk_10_a_group_may_load_only_what_leads_to_it() {
    let a = server(None, vec![lead("/", "/srv/a/w.wsgi", None)], &[("/srv/a/", "a")]);
    let b = server(None, vec![lead("/", "/srv/b/w.wsgi", None)], &[("/srv/b/", "b")]);
    let both = [a, b];
    assert_eq!(roots(&both, b"a"), [b"/srv/a/w.wsgi"]);
    assert!(destination(&both, b"b").sole);
    let open = [server(Some("%{ENV:X}"), vec![lead("/", "/srv/$1/w.wsgi", None)], &[])];
    assert_eq!(roots(&open, b"a"), [b"/srv"]);
}

#[test]
fn sk_10_files_belong_to_the_group_of_their_innermost_directory() {
    let files = ["/srv/a", "/srv/b", "/srv/c/d"].map(|place| places::lead(&place.as_bytes().to_vec().into()));
    let sections = [("/srv/a/", "a"), ("/srv/b", "b"), ("/srv/", "all"), ("/srv/b/deeper", "deeper")];
    let servers = [server(Some("usual"), files.to_vec(), &sections)];
    assert_eq!(roots(&servers, b"a"), [b"/srv/a"]);
    assert_eq!(roots(&servers, b"b"), [b"/srv/b"]);
    assert_eq!(roots(&servers, b"all"), [b"/srv/c/d"]);
    assert_eq!(roots(&servers, b"deeper"), [b"/srv/b"], "a part of these files");
    assert!(roots(&servers, b"usual").is_empty(), "a directory says otherwise for all files");
    assert!(!destination(&servers, b"a").sole);
    // A handler's own path says nothing about the files that it handles.
    let handler = Lead { reach: Reach::Handler, ..lead("", "/srv/a/h.py", None) };
    let servers = [server(Some("usual"), vec![handler], &sections)];
    assert_eq!((roots(&servers, b"b").len(), roots(&servers, b"usual").len()), (1, 1));
}

fn roots(servers: &[ServerLeads], group: &[u8]) -> Vec<Vec<u8>> {
    destination(servers, group).roots.into_keys().collect()
}

/// The names allowed for the only root of the group `g`.
fn names(servers: &[ServerLeads]) -> Names {
    let mut roots = destination(servers, b"g").roots.into_values();
    let names = roots.next().unwrap().names;
    assert!(roots.next().is_none());
    names
}

fn only(names: &[&str]) -> Allowed {
    Allowed::Only(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn sk_10_names_that_the_configuration_fixes_are_the_only_ones() {
    let plain = || lead("/", "/srv/w.wsgi", Some("g"));
    let application_group = |name: &str| Lead { application_group: Some(template(name)), ..plain() };
    let callable = |text: &[u8]| Lead { callable: Some(Callable::parse(text).unwrap()), ..plain() };
    let of = |lead: Lead| names(&[server(None, vec![lead], &[])]);
    assert_eq!(of(callable(b"app")).callable, only(&["app"]));
    assert_eq!(of(callable(b"%{ENV:X}")).callable, Allowed::Any);
    assert_eq!(of(plain()).callable, Allowed::Any, "an .htaccess file may name one");
    assert_eq!(of(plain()).application_group, only(&[""]), "the only application of its group");
    assert_eq!(of(application_group("%{GLOBAL}")).application_group, only(&[""]));
    assert_eq!(of(application_group("x")).application_group, only(&["x"]));
    for varies in ["%{SERVER}", "%{HOST}", "%{RESOURCE}", "%{ENV:X}"] {
        assert_eq!(of(application_group(varies)).application_group, Allowed::Any, "{varies}");
    }
    let shared = [server(Some("g"), vec![lead("/a", "/a/", None)], &[])];
    assert_eq!(names(&shared).application_group, Allowed::Any, "%{{RESOURCE}} keeps its scripts apart");
}

#[test]
fn sk_10_every_place_that_can_name_an_application_group_counts() {
    let section = |path: &str, name: &str| Section {
        kind: kind(path),
        path: path.into(),
        application_group: Some(template(name)),
        group: None,
        dispatch: false,
    };
    let mut one = server(Some("g"), vec![lead("/x", "/srv/x.wsgi", None)], &[]);
    one.sections = vec![section("/srv", "inside"), section("/other", "elsewhere")];
    assert_eq!(names(&[one.clone()]).application_group, only(&["", "inside"]));
    one.application_group = Some(template("server"));
    assert_eq!(names(&[one.clone()]).application_group, only(&["inside", "server"]));
    // The same script in another virtual host.
    let mut two = server(Some("g"), vec![lead("/", "/srv/x.wsgi", None)], &[]);
    two.application_group = Some(template("%{GLOBAL}"));
    assert_eq!(names(&[one.clone(), two.clone()]).application_group, only(&["", "inside", "server"]));
    two.application_group = Some(template("%{HOST}"));
    assert_eq!(names(&[one, two]).application_group, Allowed::Any);
}

#[test]
fn sk_10_a_dispatch_script_leads_its_aliases_anywhere_and_no_others() {
    let mut leads = vec![lead("/x", "/srv/x.wsgi", Some("g")), lead("/y", "/srv/y.wsgi", Some("g"))];
    leads.iter_mut().for_each(|lead| lead.application_group = Some(template("mine")));
    let mut one = server(None, leads, &[]);
    one.sections = vec![Section {
        kind: Kind::Location,
        path: b"/x".to_vec(),
        group: None,
        application_group: None,
        dispatch: true,
    }];
    let anywhere = destination(std::slice::from_ref(&one), b"other");
    assert_eq!(anywhere.roots.keys().collect::<Vec<_>>(), [b"/srv/x.wsgi"]);
    let open = Names { callable: Allowed::Any, application_group: Allowed::Any };
    assert_eq!(anywhere.roots[&b"/srv/x.wsgi"[..]].names, open);
    let at_home = destination(std::slice::from_ref(&one), b"g");
    assert_eq!(at_home.roots[&b"/srv/x.wsgi"[..]].names, open);
    assert_eq!(at_home.roots[&b"/srv/y.wsgi"[..]].names.application_group, only(&["mine"]));
    // Another server's aliases stay where they are.
    let two = server(None, vec![lead("/", "/srv/z.wsgi", Some("g"))], &[]);
    assert!(!destination(&[one.clone(), two], b"other").roots.contains_key(&b"/srv/z.wsgi"[..]));
    one.dispatch = true;
    assert_eq!(destination(std::slice::from_ref(&one), b"other").roots.len(), 2);
    let nowhere = server(None, vec![lead("/", "/srv/z.wsgi", None)], &[]);
    assert!(without_group(&[ServerLeads { dispatch: true, ..nowhere }]).is_empty());
}

#[test]
fn sections_reach_the_aliases_they_may_cover() {
    let leads = || vec![lead("/x", "/srv/x.wsgi", None), lead("/y", "/srv/y.wsgi", None)];
    let location = [server(None, leads(), &[("/x", "g")])];
    assert!(destination(&location, b"g").sole);
    assert_eq!(without_group(&location), ["/y".to_owned()].into());
    let files = [server(None, leads(), &[("w*.wsgi", "g")])];
    assert_eq!(destination(&files, b"g").roots.len(), 2);
    let fixed = [server(None, vec![lead("/x", "/srv/x.wsgi", Some("h"))], &[("/x", "g")])];
    assert!(destination(&fixed, b"g").roots.is_empty());
    assert_eq!(used_names(&fixed), [b"g".to_vec(), b"h".to_vec()].into());
}

#[test]
fn embedded_aliases_are_named() {
    let servers = [server(Some("%{GLOBAL}"), vec![lead("/a", "/a", None), lead("/b", "/b", Some("g"))], &[])];
    assert_eq!(without_group(&servers), ["/a".to_owned()].into());
}

proptest! {
    #[test]
    fn a_match_ends_inside_the_uri(uri in "/[ab/]{0,12}", prefix in "/[ab/]{0,6}") {
        if let Some(used) = matched(uri.as_bytes(), prefix.as_bytes()) {
            prop_assert!(used <= uri.len());
            prop_assert_eq!(collapse(&uri.as_bytes()[..used]), collapse(prefix.as_bytes()));
        }
    }

    #[test]
    fn every_path_matches_its_own_prefix(prefix in "(/[a-c]{1,3}){1,3}", rest in "(/[a-c]{0,3}){0,3}") {
        let uri = format!("{prefix}{rest}");
        prop_assert_eq!(matched(uri.as_bytes(), prefix.as_bytes()), Some(prefix.len()));
    }

    #[test]
    fn script_name_and_path_info_make_up_the_path(script in "(/[ab]{1,3}){0,3}", info in "(/[ab]{0,3}){0,3}") {
        let uri = format!("{script}{info}");
        let start = path_info_start(uri.as_bytes(), info.as_bytes());
        // A slash run that reaches back into the script belongs to the path info.
        prop_assert!(start <= script.len());
        prop_assert!(script.as_bytes()[start..].iter().all(|byte| *byte == b'/'));
    }

    #[test]
    fn no_text_makes_routing_panic(uri in ".{0,40}", info in ".{0,40}", text in ".{0,40}") {
        let (uri, info, text) = (uri.as_bytes(), info.as_bytes(), text.as_bytes());
        let _ = (matched(uri, text), script_name(uri, info), Template::parse(text), Callable::parse(text));
        prop_assert!(path_info_start(uri, info) <= uri.len());
    }
}

/// Settings with every field set; `number` makes two of them differ in all.
fn all_set(number: u8) -> Settings {
    let (odd, text) = (number % 2 == 1, vec![b'a' + number]);
    Settings {
        process_group: Some(Template::Name(text.clone())),
        application_group: Some(Template::Name(text.clone())),
        callable: Some(Callable::Name(text.clone())),
        pass_authorization: Some(odd),
        chunked_request: Some(odd),
        buffering: Some(odd),
        seekable_input: Some(odd),
        script_reloading: Some(odd),
        error_override: Some(odd),
        head_as_get: Some(if odd { HeadAsGet::On } else { HeadAsGet::Off }),
        ignore_activity: Some(odd),
        sendfile: Some(odd),
        location_redirect: Some(odd),
        restrict_process: Some([text.clone()].into()),
        proxy_headers: Some([&crate::proxies::REGISTRY[usize::from(number)]].into()),
        proxies: Some([crate::proxies::parse(format!("10.0.0.{number}").as_bytes()).unwrap()].into()),
        dispatch: Some(Arc::new(super::calls::CallScript {
            path: format!("/{number}"),
            application_group: Template::Global,
            process_group: None,
        })),
    }
}

#[test]
fn what_is_said_further_in_replaces_all_of_what_is_said_further_out() {
    let (inner, outer, nothing) = (all_set(1), all_set(2), Settings::default());
    assert_eq!(inner.over(&outer), inner, "lists are replaced as a whole");
    assert_eq!(nothing.over(&outer), outer);
    assert_eq!(inner.over(&nothing), inner);
}
