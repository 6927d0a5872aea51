//! Which section wins, and which values are read.

use std::path::Path;

use super::values::{hash_seed, optimize, switch_interval, warning};
use super::*;

fn section(group: Option<&str>, application: Option<&str>, said: Said) -> Section {
    let selector = Selector {
        process_group: group.map(str::to_owned),
        application_group: application.map(str::to_owned),
    };
    Section { selector, said, place: "a.conf:1".to_owned() }
}

fn stdin(on: bool) -> Said {
    Said { restrict_stdin: Some(on), ..Said::default() }
}

fn path(directory: &str) -> Said {
    Said { python_path: vec![directory.into()], ..Said::default() }
}

fn millis(count: u64) -> Option<Duration> {
    Some(Duration::from_millis(count))
}

#[test]
fn nothing_said_is_what_the_reference_does() {
    let settings = PythonSettings::default();
    assert_eq!((settings.optimize, settings.write_bytecode, settings.hash_seed), (0, true, HashSeed::Usual));
    assert!(settings.destroy_interpreters && settings.case_sensitive && !settings.free_threading);
    for name in [&b""[..], b"x", b"\xff"] {
        let one = settings.interpreters.of(name);
        assert!(!one.own_gil && !one.restrict_stdin && !one.restrict_stdout && one.restrict_signal);
        assert_eq!((one.switch_interval, one.python_path.len()), (None, 0));
    }
}

#[test]
fn the_most_specific_section_wins_and_of_equals_the_last() {
    let stdin_of = |sections: Vec<Section>, group: &str, name: &[u8]| {
        let directives = PythonDirectives { top: stdin(false), sections, ..PythonDirectives::default() };
        directives.resolve(group, None).interpreters.of(name).restrict_stdin
    };
    let everywhere = || section(None, None, stdin(true));
    assert!(stdin_of(vec![everywhere()], "g", b"x"), "a section is above the top level");
    let sections = || vec![section(Some("g"), Some("x"), stdin(false)), everywhere()];
    assert!(!stdin_of(sections(), "g", b"x"), "two names are above none, wherever they stand");
    assert!(stdin_of(sections(), "g", b"") && stdin_of(sections(), "h", b"x"));
    let tie = || vec![section(Some("g"), None, stdin(false)), section(None, Some("x"), stdin(true))];
    assert!(stdin_of(tie(), "g", b"x"), "the last of two with one name");
    assert!(!stdin_of(tie().into_iter().rev().collect(), "g", b"x"));
    assert!(stdin_of(vec![section(None, Some(""), stdin(true))], "g", b""), "the main interpreter");
    assert!(!stdin_of(vec![section(Some(""), None, stdin(true))], "g", b""), "embedded mode");
}

#[test]
fn paths_of_all_layers_count_the_most_specific_in_front() {
    let directives = PythonDirectives {
        top: path("/embedded"),
        sections: vec![
            section(Some("g"), Some("x"), path("/gx")),
            section(None, Some("x"), path("/x")),
            section(None, None, path("/all")),
            section(Some("g"), None, path("/g")),
            section(Some("h"), None, path("/h")),
        ],
        ..PythonDirectives::default()
    };
    let settings = directives.resolve("g", None);
    let of =
        |name| -> Vec<&Path> { settings.interpreters.of(name).python_path.iter().map(|p| &**p).collect() };
    assert_eq!(of(b"x"), ["/gx", "/g", "/x", "/all"].map(Path::new));
    assert_eq!(of(b"other"), ["/g", "/all"].map(Path::new));
}

#[test]
fn a_switch_interval_reaches_only_what_it_is_written_for() {
    let interval = |count| Said { switch_interval: millis(count), ..Said::default() };
    let own = |count| Said { own_gil: Some(true), ..interval(count) };
    let directives =
        |sections| PythonDirectives { top: interval(1), sections, ..PythonDirectives::default() };
    let none = directives(vec![]).resolve("g", None);
    assert_eq!(none.interpreters.of(b"").switch_interval, None, "the top level is embedded mode's");
    let option = directives(vec![]).resolve("g", millis(2));
    assert_eq!(option.interpreters.of(b"").switch_interval, millis(2));
    assert_eq!(
        option.interpreters.of(b"x").switch_interval,
        None,
        "it shares the GIL of the main interpreter"
    );

    let both = directives(vec![section(Some("g"), None, interval(3)), section(None, Some("x"), own(4))]);
    let settings = both.resolve("g", millis(2));
    assert_eq!(settings.interpreters.of(b"").switch_interval, millis(3));
    assert_eq!(settings.interpreters.of(b"x").switch_interval, millis(4));
    assert_eq!(both.misplaced_intervals("g"), []);

    let shared = directives(vec![section(None, Some("x"), interval(3)), section(None, Some(""), own(3))]);
    let sentences: Vec<String> = shared.misplaced_intervals("g").iter().map(ToString::to_string).collect();
    assert_eq!(sentences.len(), 2, "{sentences:?}");
    assert!(
        sentences[0].contains("application-group=x>") && sentences[0].contains("a.conf:1"),
        "{sentences:?}"
    );
    assert!(sentences[1].contains("%{GLOBAL}") && sentences[1].contains("main one"), "{sentences:?}");
    assert!(!shared.resolve("g", None).interpreters.of(b"").own_gil);
}

#[test]
fn free_threading_is_the_process_s() {
    let on = Said { free_threading: Some(true), ..Said::default() };
    let with = |sections| PythonDirectives { sections, ..PythonDirectives::default() }.resolve("g", None);
    assert!(with(vec![section(Some("g"), None, on.clone())]).free_threading);
    assert!(!with(vec![section(Some("h"), None, on.clone())]).free_threading);
    assert!(!with(vec![section(Some("g"), Some("x"), on)]).free_threading);
}

#[test]
fn values_are_strict() {
    assert_eq!((optimize("2"), optimize("0")), (Ok(2), Ok(0)));
    for bad in ["", "3", "-1", "1x", "O"] {
        assert!(optimize(bad).is_err(), "{bad}");
    }
    assert_eq!(hash_seed("random"), Ok(HashSeed::Random));
    assert_eq!(hash_seed("4294967295"), Ok(HashSeed::Fixed(u32::MAX)));
    for bad in ["", "Random", "-1", "4294967296", "1 ", "+1", "0x1"] {
        assert!(hash_seed(bad).is_err(), "{bad}");
    }
    assert_eq!(switch_interval("0.005"), Ok(Duration::from_millis(5)));
    assert_eq!(
        (switch_interval("1"), switch_interval("5e-3")),
        (Ok(Duration::from_secs(1)), Ok(Duration::from_millis(5)))
    );
    for bad in ["", "0", "0.0", "-1", "nan", "inf", "1s", "0.0000001", "9999999", "e", "1e999"] {
        assert!(switch_interval(bad).is_err(), "{bad}");
    }
    for good in ["ignore", "error::DeprecationWarning", "i", "default:x:UserWarning:app.models:12"] {
        assert_eq!(warning(good).as_deref(), Ok(good));
    }
    for bad in ["", "none", "error\n", "error:a:b:c:d:e", "error::::x", ":x"] {
        assert!(warning(bad).is_err(), "{bad}");
    }
}
