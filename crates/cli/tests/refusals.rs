//! What `wsgictl` refuses, and with which sentence. Apache is played by a script here; `serving.rs` runs the real one.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use nix::unistd::geteuid;
use predicates::prelude::*;
use tempfile::TempDir;

/// Answers `-l` as an Apache with everything compiled in and `-t` with a refusal.
const APACHE: &str = "#!/bin/sh\n\
    [ \"$1\" = -l ] && echo mod_so.c event.c mod_unixd.c mod_authz_core.c mod_log_config.c mod_alias.c mod_mime.c | tr ' ' '\\n' \
    && exit 0\n\
    echo 'Syntax error on line 1: no such group' >&2; exit 1\n";

/// Copies in a process of its own: a process that another test forks meanwhile would hold the file open for writing, and such
/// a program cannot be executed.
fn copy_program(from: &Path, to: &Path) {
    assert!(std::process::Command::new("cp").args([from, to]).status().unwrap().success());
}

/// An installation of wsgictl with empty companions, a script, and the played Apache.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder };
        fs::set_permissions(place.folder.path(), Permissions::from_mode(0o755)).unwrap();
        copy_program(assert_cmd::cargo::cargo_bin!("wsgictl"), &place.path("wsgictl"));
        for file in ["mod_wsgi.so", "wsgi-supervisor", "_wsgi_runtime.abi3.so", "hello.wsgi"] {
            fs::write(place.path(file), "").unwrap();
        }
        place.program("httpd", APACHE);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, text: &str) -> PathBuf {
        let (source, path) = (self.path("source"), self.path(name));
        fs::write(&source, text).unwrap();
        copy_program(&source, &path);
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// `wsgictl serve hello.wsgi` with what any user needs to get further than the first question.
    fn serve(&self) -> Command {
        self.serve_with(&self.path("httpd"), Path::new("/usr/bin/python3"), 0)
    }

    fn serve_with(&self, httpd: &Path, python: &Path, port: u16) -> Command {
        let mut command = Command::new(self.path("wsgictl"));
        command
            .arg("serve")
            .arg(self.path("hello.wsgi"))
            .arg("--httpd")
            .arg(httpd)
            .arg("--python")
            .arg(python);
        command.args(["--port", &port.to_string()]).env("TMPDIR", self.folder.path());
        if geteuid().is_root() {
            command.args(["--user", "nobody"]);
        }
        command
    }
}

/// Fails, and what is printed contains the sentence.
fn refuses(command: &mut Command, sentence: &str) {
    command.assert().code(1).stderr(predicate::str::contains(sentence));
}

#[test]
fn st_3_root_has_to_name_a_user() {
    let place = Place::new();
    let mut command = Command::new(place.path("wsgictl"));
    command.arg("serve").arg(place.path("hello.wsgi"));
    if geteuid().is_root() {
        refuses(
            &mut command,
            "root does not serve a site as root: name the user it runs as with --user NAME",
        );
    } else {
        refuses(command.args(["--user", "nobody"]), "--user nobody: only root can serve as another user");
    }
}

#[test]
fn st_3_the_user_is_not_root_either() {
    let place = Place::new();
    let mut command = Command::new(place.path("wsgictl"));
    command.arg("serve").arg(place.path("hello.wsgi")).args(["--user", "root"]);
    let root = geteuid().is_root();
    refuses(
        &mut command,
        if root { "--user root is root's: a site never runs as root" } else { "only root can" },
    );
}

#[test]
fn an_unknown_user_is_named() {
    let place = Place::new();
    let mut command = Command::new(place.path("wsgictl"));
    command.arg("serve").arg(place.path("hello.wsgi")).args(["--user", "no-such-user"]);
    let root = geteuid().is_root();
    refuses(&mut command, if root { "--user no-such-user: there is no such user" } else { "only root can" });
}

#[test]
fn a_script_that_is_not_there_is_named() {
    let place = Place::new();
    fs::remove_file(place.path("hello.wsgi")).unwrap();
    refuses(&mut place.serve(), "hello.wsgi: no such file or directory; give the path of a WSGI script");
}

#[test]
fn a_folder_is_no_script() {
    let place = Place::new();
    fs::remove_file(place.path("hello.wsgi")).unwrap();
    fs::create_dir(place.path("hello.wsgi")).unwrap();
    refuses(&mut place.serve(), "hello.wsgi: it is no file");
}

#[test]
fn a_script_that_the_site_cannot_read_is_named() {
    let place = Place::new();
    fs::set_permissions(place.path("hello.wsgi"), Permissions::from_mode(0o000)).unwrap();
    refuses(&mut place.serve(), "hello.wsgi: ");
}

#[test]
fn a_program_that_is_no_apache_is_named() {
    let place = Place::new();
    let mut command = place.serve_with(Path::new("/bin/true"), Path::new("/usr/bin/python3"), 0);
    refuses(&mut command, "--httpd /bin/true: it does not answer `-l` with a list of modules");
    let mut command = place.serve_with(Path::new("/no/httpd"), Path::new("/usr/bin/python3"), 0);
    refuses(&mut command, "--httpd /no/httpd: it cannot be run: no such file or directory");
}

#[test]
fn a_missing_companion_is_named_with_its_folder() {
    let place = Place::new();
    fs::remove_file(place.path("wsgi-supervisor")).unwrap();
    refuses(&mut place.serve(), "wsgi-supervisor is not in ");
}

#[test]
fn a_port_in_use_is_named() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut command = place.serve_with(&place.path("httpd"), Path::new("/usr/bin/python3"), port);
    let sentence =
        format!("cannot listen on 127.0.0.1 port {port}: address already in use; choose another with --port");
    refuses(&mut command, &sentence);
}

#[test]
fn what_is_no_python_is_named() {
    let place = Place::new();
    refuses(&mut with_python(&place, Path::new("/no/python")), "--python /no/python: it cannot be run");
    refuses(
        &mut with_python(&place, Path::new("/bin/true")),
        "--python /bin/true: it does not run Python code",
    );
    let old = r#"echo '{"executable":"/x","version":[3,8,1],"implementation":"cpython","unreadable":[]}'"#;
    let old = place.program("old-python", &format!("#!/bin/sh\n{old}\n"));
    refuses(&mut with_python(&place, &old), "it is Python 3.8.1; 3.10 or newer is needed");
}

fn with_python(place: &Place, python: &Path) -> Command {
    place.serve_with(&place.path("httpd"), python, 0)
}

#[test]
fn what_apache_refuses_is_shown_and_the_temporary_root_is_gone() {
    let place = Place::new();
    refuses(&mut place.serve(), "Apache refuses the configuration:\nSyntax error on line 1: no such group");
    let left = fs::read_dir(place.folder.path()).unwrap().flatten();
    let left: Vec<_> =
        left.filter(|entry| entry.file_name().to_string_lossy().starts_with("wsgictl-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_version_is_printed() {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("wsgictl"));
    command.arg("version").assert().success().stdout(predicate::str::starts_with("wsgictl 0."));
}
