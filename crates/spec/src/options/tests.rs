//! The option table, the parser and the resolution, proved without a user database or files.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Timers;
use crate::interpreter::PythonDirectives;

struct Machine;

impl Accounts for Machine {
    fn user_by_name(&self, name: &str) -> Option<User> {
        [0, 33, 1001].into_iter().filter_map(|uid| self.user_by_id(uid)).find(|user| user.name == name)
    }
    fn user_by_id(&self, uid: u32) -> Option<User> {
        let (name, home) = match uid {
            0 => ("root", "/root"),
            33 => ("www-data", "/var/www"),
            1001 => ("site", "/home/site"),
            1002 => ("wheel", "/home/wheel"),
            _ => return None,
        };
        Some(User { name: name.to_owned(), uid, home: home.into() })
    }
    fn group_by_name(&self, name: &str) -> Option<u32> {
        [("root", 0), ("www-data", 33), ("site", 1001), ("media", 44)]
            .into_iter()
            .find(|(n, _)| *n == name)
            .map(|(_, gid)| gid)
    }
    fn groups_of(&self, user: &str, gid: u32) -> Option<Vec<u32>> {
        match user {
            "site" => Some(vec![gid, 44, 1001]),
            "wheel" => Some(vec![gid, 0]),
            _ => Some(vec![gid]),
        }
    }
}

struct Files(&'static [&'static str]);

impl Executables for Files {
    fn is_executable(&self, root: &Path, path: &Path) -> bool {
        self.0.iter().any(|known| root.join(path.strip_prefix("/").unwrap()) == Path::new(known))
    }

    fn is_directory(&self, path: &Path) -> bool {
        path == Path::new("/srv/jail")
    }
}

fn server() -> ServerFacts {
    ServerFacts {
        root: true,
        uid: 33,
        gid: 33,
        timeout: std::time::Duration::from_secs(60),
        python_home: None,
        python: PythonDirectives::default(),
        server: String::new(),
    }
}

fn resolve(line: &str) -> Result<crate::ProcessGroup, String> {
    let draft = Draft::parse(line).map_err(|error| error.to_string())?;
    let files = Files(&["/usr/bin/python3"]);
    draft.resolve(&server(), &Machine, &files, Code::default()).map_err(|error| error.to_string())
}

#[test]
fn the_classic_line_means_what_it_says() {
    let group = resolve(
        "projectname user=site group=site processes=1 threads=10 python-home=/home/site/venv \
         python-path=/home/site/projectname:/home/site/lib:",
    )
    .unwrap();
    let account = group.account.unwrap();
    assert_eq!((account.uid, account.gid, account.groups), (1001, 1001, vec![44, 1001]));
    assert_eq!(account.home.unwrap(), Path::new("/home/site"));
    assert_eq!((group.processes, group.multiprocess, group.threads), (1, true, 10));
    assert_eq!(group.python, Path::new("/home/site/venv/bin/python"));
    assert_eq!(group.python_path.len(), 2);
    assert_eq!(group.display_name, "(wsgi:projectname)");
    assert_eq!(group.timeouts.socket.as_secs(), 60);
    assert!(!group.new_privileges);
}

#[test]
fn defaults_are_those_of_the_reference() {
    let group = resolve("a").unwrap();
    assert_eq!(
        (group.processes, group.multiprocess, group.threads, group.listen_backlog),
        (1, false, 15, 100)
    );
    assert_eq!(group.python, Path::new("/usr/bin/python3"));
    assert_eq!(group.account.unwrap().uid, 33);
    let times = group.timeouts;
    assert_eq!((times.shutdown.as_secs(), times.graceful.as_secs(), times.connect.as_secs()), (5, 15, 15));
    assert_eq!(times.queue, None);
}

#[test]
fn pd_4_groups_are_exactly_the_configured_ones() {
    assert_eq!(resolve("a user=site group=site supplementary-groups=").unwrap().account.unwrap().groups, []);
    let group = resolve("a user=site supplementary-groups=media,#7").unwrap();
    assert_eq!(group.account.unwrap().groups, [7, 44]);
    let account = resolve("a user=#61999 group=#61999").unwrap().account.unwrap();
    assert_eq!((account.uid, account.groups, account.name, account.home), (61999, vec![], None, None));
    assert!(resolve("a user=#61999").unwrap_err().contains("group="));
}

#[test]
fn pd_4_too_many_groups_are_a_clean_error() {
    let list: Vec<String> = (1..=65537).map(|id| format!("#{id}")).collect();
    let error = resolve(&format!("a user=site supplementary-groups={}", list.join(","))).unwrap_err();
    assert!(error.contains("65537 supplementary groups are too many"), "{error}");
}

#[test]
fn pd_5_root_and_odd_ids_are_refused() {
    let bad =
        ["root", "#0", "#00", "#-1", "#4294967295", "#4294967296", "#", "0x0", "", "\"a b\"", "-1", "# 5"];
    for value in bad {
        for option in ["user", "group", "socket-user", "supplementary-groups"] {
            if value.is_empty() && option == "supplementary-groups" {
                continue;
            }
            let error = resolve(&format!("a {option}={value}")).unwrap_err();
            assert!(error.contains(option), "{option}={value}: {error}");
        }
    }
    assert!(resolve("a user=#1002").unwrap_err().contains("member of root's group"));
    assert!(resolve("a user=#1002 supplementary-groups=media").is_ok());
}

#[test]
fn pd_6_new_privileges_are_off_unless_asked_for() {
    assert!(resolve("a new-privs=On").unwrap().new_privileges);
    assert!(!resolve("a new-privs=off").unwrap().new_privileges);
    assert!(resolve("a new-privs=yes").is_err());
}

#[test]
fn an_unprivileged_server_keeps_its_identity() {
    let draft = Draft::parse("a user=nobody-there group=x socket-user=y").unwrap();
    assert!(draft.names_account());
    let facts = ServerFacts { root: false, uid: 1000, gid: 1000, ..server() };
    let group = draft.resolve(&facts, &Machine, &Files(&["/usr/bin/python3"]), Code::default()).unwrap();
    assert_eq!((group.account, group.socket_uid), (None, 1000));
}

#[test]
fn python_is_chosen_in_the_documented_order() {
    let choose = |line: &str, home: Option<&str>, files| {
        let facts = ServerFacts { python_home: home.map(Into::into), ..server() };
        let group = Draft::parse(line).unwrap().resolve(&facts, &Machine, &Files(files), Code::default());
        group.map(|group| group.python.display().to_string())
    };
    assert_eq!(choose("a python=/p", Some("/h"), &[]).unwrap(), "/p");
    assert_eq!(choose("a python-home=/v", Some("/h"), &["/v/bin/python3"]).unwrap(), "/v/bin/python3");
    assert_eq!(choose("a", Some("/h"), &[]).unwrap(), "/h/bin/python");
    let both = &["/usr/bin/python3", "/usr/local/bin/python3"];
    assert_eq!(choose("a", None, both).unwrap(), "/usr/local/bin/python3");
    assert!(choose("a", None, &[]).unwrap_err().to_string().contains("python=/path"));
    assert!(Draft::parse("a python=/p python-home=/h").is_err());
}

#[test]
fn a_root_directory_is_roots_and_python_is_inside() {
    let choose = |line: &str, root, files| {
        let facts = ServerFacts { root, ..server() };
        let group = Draft::parse(line).unwrap().resolve(&facts, &Machine, &Files(files), Code::default());
        group
            .map(|group| (group.chroot.unwrap().directory().to_owned(), group.python))
            .map_err(|e| e.to_string())
    };
    let inside = &["/srv/jail/usr/bin/python3", "/usr/local/bin/python3"];
    assert_eq!(
        choose("a chroot=/srv/jail/", true, inside),
        Ok(("/srv/jail".into(), "/usr/bin/python3".into())),
        "what is outside does not count"
    );
    assert_eq!(choose("a chroot=/srv/jail python=/p", true, &[]).unwrap().1, Path::new("/p"));
    let refused = |line, root| choose(line, root, &["/usr/bin/python3"]).unwrap_err();
    assert!(refused("a chroot=/srv/jail", true).contains("inside of chroot=/srv/jail"));
    assert!(refused("a chroot=/srv/jail", false).contains("Cannot chroot WSGI daemon process when not root"));
    assert!(refused("a chroot=/absent", true).contains("Invalid chroot directory"));
    for bad in ["a chroot=jail", "a chroot=", "a chroot=/srv/../etc"] {
        assert!(matches!(Draft::parse(bad), Err(OptionError::Value { .. })), "{bad}");
    }
}

#[test]
fn every_row_is_complete_and_behaves_as_its_state_says() {
    for row in rows() {
        assert!(!row.meaning.is_empty() && !row.syntax.is_empty() && !row.default.is_empty(), "{}", row.name);
        assert_eq!(rows().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
        let error = Draft::parse(&format!("a {}=\x01", row.name)).unwrap_err().to_string();
        assert!(error.contains(row.name), "{error}");
        match row.state {
            State::Works(_) => {
                assert!(error.contains(row.syntax) && error.contains(row.default), "{error}");
            }
            State::Removed(instead) => assert!(error.contains(instead), "{error}"),
        }
    }
}

#[test]
fn numbers_are_strict() {
    for line in [
        "a threads=10x",
        "a threads=",
        "a threads=+1",
        "a threads=65534",
        "a processes=0",
        "a umask=8",
        "a umask=1000",
        "a umask=00022",
        "a cpu-priority=20",
        "a cpu-priority=--1",
        "a queue-timeout=1.5",
        "a memory-limit=512",
        "a stack-size=1",
        "a listen-backlog=-1",
        "a connect-timeout=99999999999999999999",
    ] {
        assert!(matches!(Draft::parse(line), Err(OptionError::Value { .. })), "{line}");
    }
    assert_eq!(resolve("a umask=0027").unwrap().umask, Some(0o27));
    assert_eq!(resolve("a cpu-priority=-5").unwrap().cpu_priority, Some(-5));
    assert_eq!(resolve("a shutdown-timeout=0").unwrap().timeouts.shutdown.as_secs(), 5);
    let idle =
        |line| Draft::parse(line).unwrap().idle_options().map(|(option, _)| option).collect::<Vec<_>>();
    assert_eq!(idle("a shutdown-timeout=0 server-metrics=On"), ["shutdown-timeout=0", "server-metrics=On"]);
    assert_eq!(idle("a shutdown-timeout=1 server-metrics=Off"), [""; 0]);
    let timers = resolve("a").unwrap().timers;
    assert_eq!(timers, Timers { deadlock: Some(Duration::from_secs(300)), ..Timers::default() });
    let line =
        "a deadlock-timeout=0 request-timeout=2 inactivity-timeout=0 maximum-requests=9 cpu-time-limit=3";
    let timers = resolve(line).unwrap().timers;
    let second = |count| Some(Duration::from_secs(count));
    let wanted =
        Timers { request: second(2), cpu: second(3), maximum_requests: Some(9), ..Timers::default() };
    assert_eq!(timers, wanted);
    assert_eq!(resolve("a queue-timeout=3").unwrap().timeouts.queue.unwrap().as_secs(), 3);
}

#[test]
fn mistakes_of_form_are_sentences() {
    for (line, part) in [
        ("", "needs a name"),
        ("%{GLOBAL}", "begins with %"),
        ("a threads 5", "not an option"),
        ("a threads =5", "not an option"),
        ("a thread=5", "there is no option \"thread\": did you mean threads=? "),
        ("a memory-limit=512M", "did you mean memory-limit=536870912? write"),
        ("a home=\"/x", "not closed"),
        ("a home=/x home=/y", "given twice"),
        ("a home=x", "absolute"),
        ("a env=X", "env"),
        ("a env=X=1 env=X=2", "already"),
        ("a env=1X=2", "name of letters"),
    ] {
        let error = Draft::parse(line).unwrap_err().to_string();
        assert!(error.contains(part), "{line}: {error}");
    }
}

#[test]
fn quotes_work_as_in_httpd() {
    let group =
        resolve(r#""my site" home="/a b" env="X=a \"b\" \\ c=d" display-name=%{GROUP} env=Y="#).unwrap();
    assert_eq!((group.name.as_str(), group.home.unwrap().as_path()), ("my site", Path::new("/a b")));
    assert_eq!(group.environment.get("X").unwrap(), r#"a "b" \ c=d"#);
    assert_eq!(group.environment.get("Y").unwrap(), "");
    assert_eq!(group.display_name, "(wsgi:my site)");
}

proptest! {
    #[test]
    fn any_line_is_parsed_or_refused(line in ".{0,200}") {
        if let Err(error) = resolve(&line) {
            prop_assert!(!error.is_empty());
        }
    }

    #[test]
    fn a_quoted_value_survives(value in "[ -~ä-ü]{1,40}") {
        let quoted = value.replace('\\', r"\\").replace('"', "\\\"");
        let group = resolve(&format!("a lang=\"{quoted}\" threads=3")).map_err(TestCaseError::fail)?;
        prop_assert_eq!(group.lang.as_deref(), Some(value.as_str()));
        prop_assert_eq!(group.threads, 3);
    }

    #[test]
    fn pd_5_no_text_resolves_to_root(text in "#?[0-9a-z+-]{0,12}") {
        if let Ok(group) = resolve(&format!("a user={text} group={text}")) {
            let account = group.account.ok_or_else(|| TestCaseError::fail("no account"))?;
            prop_assert!(account.uid != 0 && account.gid != 0 && account.uid != u32::MAX);
        }
    }
}

#[test]
fn buffers_and_the_pace_of_responses() {
    let transfer = |line: &str| resolve(&format!("a {line}")).map(|group| group.transfer);
    assert_eq!(transfer("").unwrap(), crate::Transfer::default());
    let zero = "send-buffer-size=0 receive-buffer-size=0 header-buffer-size=0 response-buffer-size=0 response-socket-timeout=0 \
                response-flush-delay=0";
    assert_eq!(transfer(zero).unwrap(), crate::Transfer::default());
    let some = transfer(
        "send-buffer-size=512 receive-buffer-size=1000000 header-buffer-size=8192 response-buffer-size=65536 \
         response-socket-timeout=7 response-flush-delay=5",
    )
    .unwrap();
    let times = (some.flush_delay.as_millis(), some.client.map(|time| time.as_secs()));
    assert_eq!((some.send_buffer, some.receive_buffer), (Some(512), Some(1_000_000)));
    assert_eq!((some.header, some.ahead, times), (Some(8192), 65536, (5, Some(7))));
    let inherited = transfer("socket-timeout=9").unwrap().client;
    assert_eq!(inherited.map(|time| time.as_secs()), Some(9));
    for bad in [
        "send-buffer-size=511",
        "receive-buffer-size=1",
        "header-buffer-size=8191",
        "response-buffer-size=65535",
        "response-buffer-size=8M",
        "response-flush-delay=60001",
        "response-flush-delay=-1",
        "response-socket-timeout=x",
    ] {
        let error = transfer(bad).unwrap_err();
        let (option, value) = bad.split_once('=').unwrap();
        assert!(error.contains(option) && error.contains(value), "{bad}: {error}");
    }
}
