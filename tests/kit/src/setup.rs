//! What a test says about the Apache it wants, and the configuration file made of it. Starting and stopping it is in
//! `apache.rs`.

use crate::apache::Apache;
use crate::pythons::Python;
use crate::server::{self, Kind, Server};
use crate::users::{self, Account};
use crate::{fixture, run};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Multi-processing modules of httpd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mpm {
    /// mpm_event.
    Event,
    /// mpm_worker.
    Worker,
    /// mpm_prefork.
    Prefork,
}

impl Mpm {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Event, Self::Worker, Self::Prefork];

    /// The one the variable `MPM` names, event when unset.
    pub fn from_env() -> Self {
        match std::env::var("MPM").as_deref() {
            Err(_) | Ok("" | "event") => Self::Event,
            Ok("worker") => Self::Worker,
            Ok("prefork") => Self::Prefork,
            Ok(other) => panic!("MPM={other}: it is event, worker or prefork"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Worker => "worker",
            Self::Prefork => "prefork",
        }
    }

    fn limits(self) -> &'static str {
        match self {
            Self::Event | Self::Worker => {
                "StartServers 1\nServerLimit 4\nThreadsPerChild 25\nMaxRequestWorkers 100\nMinSpareThreads 10\nMaxSpareThreads 100"
            }
            Self::Prefork => {
                "StartServers 4\nServerLimit 40\nMaxRequestWorkers 40\nMinSpareServers 4\nMaxSpareServers 10"
            }
        }
    }
}

/// httpd modules that every test gets.
const MODULES: [&str; 8] = ["authn_core", "authz_core", "alias", "dir", "env", "mime", "setenvif", "rewrite"];

/// An Apache to be started in a folder of its own. In configuration and file texts `@ROOT@` is that folder, `@SITE@` its
/// folder for scripts, `@SCRATCH@` one that everybody may write to, `@PORT@` the port and `@HOME@` the Python home that fits the server under test.
pub struct Setup {
    pub(crate) root: TempDir,
    pub(crate) server: Option<Server>,
    mpm: Mpm,
    modules: Vec<String>,
    config: String,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) launcher: Vec<String>,
    pub(crate) account: Account,
    pub(crate) expected: Vec<String>,
    pub(crate) settles: bool,
}

impl Setup {
    /// For the server that `SERVER_UNDER_TEST` names.
    pub fn new() -> Result<Self, String> {
        Server::under_test().map(|server| Self::with(Some(server)))
    }

    /// For a given server, or none at all: an Apache without the module.
    pub fn with(server: Option<Server>) -> Self {
        let root = tempfile::Builder::new().prefix("wsgi-test-").tempdir().expect("the temp dir is writable");
        for dir in ["run", "logs", "site", "www", "scratch"] {
            fs::create_dir(root.path().join(dir)).expect("the folder is new");
        }
        for (dir, mode) in [("", 0o755), ("scratch", 0o1777)] {
            fs::set_permissions(root.path().join(dir), fs::Permissions::from_mode(mode))
                .expect("the folder is ours");
        }
        let account =
            if users::am_root() { Account::named("root").expect("root exists") } else { Account::own() };
        Self {
            root,
            server,
            mpm: Mpm::from_env(),
            modules: MODULES.map(str::to_owned).to_vec(),
            config: String::new(),
            env: Vec::new(),
            launcher: Vec::new(),
            account,
            expected: Vec::new(),
            settles: true,
        }
    }

    /// Chooses the multi-processing module.
    #[must_use]
    pub fn mpm(mut self, mpm: Mpm) -> Self {
        self.mpm = mpm;
        self
    }

    /// Loads more of httpd's modules, by the names of their files without `mod_` and `.so`.
    #[must_use]
    pub fn modules(mut self, names: &[&str]) -> Self {
        self.modules.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Adds to the configuration.
    #[must_use]
    pub fn config(mut self, text: &str) -> Self {
        self.config.push_str(text);
        self.config.push('\n');
        self
    }

    /// Declares the daemon process group `name` with these options and the fitting `python-home`.
    #[must_use]
    pub fn daemon(self, name: &str, options: &str) -> Self {
        self.config(&format!("WSGIDaemonProcess {name} python-home=@HOME@ {options}"))
    }

    /// Declares the group `app` and makes everything run in it.
    #[must_use]
    pub fn one_daemon(self, options: &str) -> Self {
        self.daemon("app", options).config("WSGIProcessGroup app")
    }

    /// Writes a file below the root; `@...@` words are replaced.
    #[must_use]
    pub fn file(self, path: &str, text: &str) -> Self {
        let file = self.root.path().join(path);
        fs::create_dir_all(file.parent().expect("is below the root")).expect("the folder is ours");
        fs::write(&file, self.filled(text, 0)).expect("the folder is ours");
        self
    }

    /// Mounts the WSGI script with this source at `/name`.
    #[must_use]
    pub fn app(self, name: &str, source: &str) -> Self {
        self.file(&format!("site/{name}.wsgi"), source)
            .config(&format!("WSGIScriptAlias /{name} @SITE@/{name}.wsgi"))
    }

    /// Mounts `tests/fixtures/NAME.wsgi` at `/name`.
    #[must_use]
    pub fn fixture(self, name: &str) -> Self {
        let source = fixture(&format!("{name}.wsgi"));
        self.app(name, &source)
    }

    /// Gives Apache a variable of the environment. Nothing of the test's own environment reaches it but PATH.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts Apache through a program that executes the words after its own, such as `prlimit --nofile=50`.
    #[must_use]
    pub fn launcher(mut self, words: &[&str]) -> Self {
        self.launcher.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Runs Apache as this ordinary account.
    #[must_use]
    pub fn as_account(mut self, account: &Account) -> Self {
        account.clone_into(&mut self.account);
        self
    }

    /// Announces lines of level warn or worse that this test provokes.
    #[must_use]
    pub fn expect_log(mut self, regex: &str) -> Self {
        self.expected.push(regex.to_owned());
        self
    }

    /// Says that workers of this test do not come up or do not stay, so that nothing waits for them.
    #[must_use]
    pub fn unsettled(mut self) -> Self {
        self.settles = false;
        self
    }

    /// Puts the shell command `wrapper`, which executes the words behind it, in front of our supervisor: the four files are
    /// copied for this Apache, and a script stands in the supervisor's place.
    #[must_use]
    pub fn supervisor_through(mut self, wrapper: &str) -> Self {
        let dist = self.root.path().join("dist");
        fs::create_dir(&dist).expect("the folder is new");
        let server = self.server.as_mut().expect("a server is under test");
        server::copy_dist(server.dist(), &dist).expect("the files can be copied");
        let (place, real) = (dist.join("wsgi-supervisor"), dist.join("wsgi-supervisor.real"));
        fs::rename(&place, &real).expect("the folder is ours");
        server.module = dist.join("mod_wsgi.so");
        let script = format!("#!/bin/sh\nexec {} {} \"$@\"\n", self.filled(wrapper, 0), real.display());
        fs::write(&place, script).expect("the folder is ours");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("the file is ours");
        self
    }

    /// The folder everything of this Apache is in.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Makes a virtual environment `venv` below the root whose Python executes `code` when it starts, before anything else that
    /// is not Python's own.
    pub fn venv_that_runs(self, code: &str) -> Result<Self, String> {
        let python = Python::default_for_tests()?;
        python.private_venv(&self.root.path().join("venv"))?;
        let packages = format!("venv/lib/python3.{}/site-packages", python.minor);
        let setup = self.file(&format!("{packages}/at_start.pth"), "import at_start\n");
        Ok(setup.file(&format!("{packages}/at_start.py"), code))
    }

    /// Starts it and waits until it is ready; fails the test when it does not come up.
    #[track_caller]
    pub fn start(self) -> Apache {
        Apache::start(self)
    }

    /// What `apache2 -t` says to this configuration.
    pub fn check(&self) -> Check {
        self.write_config(1);
        self.hand_over();
        let output = self.command(&["-t"]).output().expect("apache2 can be executed");
        Check::from(&output)
    }

    /// What `wsgictl check` says to this configuration. For ours, as the user who runs the tests.
    pub fn examine(&self) -> Check {
        self.write_config(1);
        self.hand_over();
        let server = self.server.as_ref().expect("the setup has a server");
        let mut command = Command::new(server.file("wsgictl"));
        command.arg("check").arg("--file").arg(self.config_path()).arg("--httpd").arg(apache_binary());
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        Check::from(&command.output().expect("wsgictl can be executed"))
    }

    /// The command that runs Apache with this configuration and these arguments.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        // Whatever ends the test, Apache does not outlive it.
        let mut words = ["setpriv", "--pdeathsig=TERM"].map(str::to_owned).to_vec();
        if self.account.uid != users::Account::own().uid {
            let ids = [format!("--reuid={}", self.account.uid), format!("--regid={}", self.account.gid)];
            words.push("--clear-groups".to_owned());
            words.extend(ids);
        }
        words.extend(self.launcher.iter().cloned());
        words.push(apache_binary().display().to_string());
        words.extend(["-f".to_owned(), self.config_path().display().to_string()]);
        words.extend(args.iter().map(|word| (*word).to_owned()));
        let mut command = Command::new(&words[0]);
        // A process group of its own: a stopping prefork parent signals its whole group.
        command.args(&words[1..]).env_clear().current_dir("/").process_group(0);
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.root.path().join("httpd.conf")
    }

    /// Writes the configuration for this port.
    pub(crate) fn write_config(&self, port: u16) {
        let text = self.filled(&(self.preamble() + &self.config), port);
        fs::write(self.config_path(), text).expect("the folder is ours");
    }

    /// Gives the folder to the account that runs Apache.
    pub(crate) fn hand_over(&self) {
        if self.account.uid == users::Account::own().uid {
            return;
        }
        for dir in ["run", "logs"] {
            chown(self.root.path().join(dir), Some(self.account.uid), Some(self.account.gid))
                .expect("we are root");
        }
    }

    fn preamble(&self) -> String {
        let modules: String = [&[format!("mpm_{}", self.mpm.name())], self.modules.as_slice()]
            .concat()
            .iter()
            .map(|name| format!("LoadModule {name}_module {}/mod_{name}.so\n", modules_dir().display()))
            .collect();
        let user = if self.account.uid == 0 {
            format!("User {0}\nGroup {0}", users::apache().name)
        } else {
            String::new()
        };
        let wsgi = self.server.as_ref().map_or_else(String::new, |server| {
            let module = server.module.display();
            format!(
                "LoadModule wsgi_module {module}\nWSGISocketPrefix @ROOT@/run/wsgi\nWSGIRestrictEmbedded On\nLogLevel wsgi:info\n"
            )
        });
        let limits = self.mpm.limits();
        format!(
            "ServerRoot @ROOT@\nServerName localhost\nListen 127.0.0.1:@PORT@\n{modules}{user}\n{limits}\n\
             PidFile @ROOT@/run/apache.pid\nDefaultRuntimeDir @ROOT@/run\nMutex posixsem default\n\
             ErrorLog @ROOT@/logs/error.log\nLogLevel notice\n\
             CustomLog @ROOT@/logs/access.log \"%h %t \\\"%r\\\" %>s %B %X\"\n\
             TypesConfig /dev/null\nDocumentRoot @ROOT@/www\n<Directory />\nAllowOverride None\nRequire all granted\n</Directory>\n{wsgi}"
        )
    }

    /// Replaces the `@...@` words.
    pub(crate) fn filled(&self, text: &str, port: u16) -> String {
        let root = self.root.path().display().to_string();
        let home =
            self.server.as_ref().map(|server| server.python_home.display().to_string()).unwrap_or_default();
        text.replace("@SITE@", &format!("{root}/site"))
            .replace("@SCRATCH@", &format!("{root}/scratch"))
            .replace("@ROOT@", &root)
            .replace("@HOME@", &home)
            .replace("@PORT@", &port.to_string())
    }

    /// Whether there is anything for a supervisor to do.
    pub(crate) fn declares_daemons(&self) -> bool {
        self.config.contains("WSGIDaemonProcess")
    }

    /// Changes the part of the configuration that the test gave.
    pub(crate) fn change_config(&mut self, change: impl FnOnce(&str) -> String) {
        self.config = change(&self.config);
    }

    /// Whether ours is under test.
    pub(crate) fn is_ours(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.kind == Kind::Ours)
    }
}

/// What `apache2 -t` found.
#[derive(Debug)]
pub struct Check {
    /// Whether the configuration is good.
    pub good: bool,
    /// All it printed.
    pub text: String,
}

impl From<&Output> for Check {
    fn from(output: &Output) -> Self {
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Self { good: output.status.success(), text }
    }
}

/// httpd's executable: Debian calls it apache2.
pub fn apache_binary() -> PathBuf {
    let known = ["/usr/sbin/apache2", "/usr/sbin/httpd", "/usr/local/apache2/bin/httpd"];
    let found = known.into_iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("no Apache here: apt-get install apache2 apache2-dev")
}

fn modules_dir() -> PathBuf {
    let known = PathBuf::from("/usr/lib/apache2/modules");
    if known.exists() {
        return known;
    }
    let told =
        run(Command::new("apxs").args(["-q", "LIBEXECDIR"])).expect("apxs tells where httpd's modules are");
    PathBuf::from(told.trim())
}
