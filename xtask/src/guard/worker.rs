//! A real worker under callgrind, with one request thread, started as a supervisor starts it, and asked by `examples/guard` of the
//! module. Counting begins when a frame is there and ends when the answer was sent; a refused request parts the warm-up from what
//! counts.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use spec::worker::{REPORT_LEN, Report, WorkerConfig};
use spec::{Allowed, Purpose, PythonSettings, Root, Timers};

use super::callgrind::{OPTIONS, Profile};
use super::machine::Python;
use crate::run;

/// Requests that count.
pub const REQUESTS: u64 = 200;
/// Length of the script's path, wherever temporary files are: each byte of it takes instructions.
const PATH: usize = 100;
const APPLICATION: &str = include_str!("app.py");
const LIBRARY: &str = "_wsgi_runtime.abi3.so";
/// What decides is the first argument, the library. `dlopen` of an extension outside of `sys.path`.
const BOOTSTRAP: &str = r#"
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
loader = ExtensionFileLoader("_wsgi_runtime", sys.argv[1])
module = module_from_spec(ModuleSpec("_wsgi_runtime", loader, origin=sys.argv[1]))
loader.exec_module(module)
sys.exit(module.run(3))
"#;
/// Gives the worker its descriptors (`spec::worker::descriptor`): what comes as standard input is its socket, what comes as output
/// its reports, what comes as errors its lifeline.
const DESCRIPTORS: &str = r#"exec 3<"$0/config.json" 4<&0 5>&1 6<&2 0</dev/null 1>"$0/log" 2>&1; exec "$@""#;
/// Neither root nor anybody: a worker refuses to run as root. Pythons below root's home folder can be read all the same.
const NOBODY: [&str; 7] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--no-new-privs",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
];

/// The profile of [`REQUESTS`] requests; a copy stays in the folder.
pub fn profile(python: &Python, library: &Path, child: &Path, folder: &Path) -> Result<Profile> {
    let directory = tempfile::Builder::new().prefix("wsgi-guard-").tempdir()?;
    // The worker's user writes the profile into it.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777))?;
    let site = Site::new(directory.path(), library)?;
    let (mut worker, mut reports, lifeline) = site.start(python)?;
    let outcome = site.ask(&mut reports, child);
    // The worker leaves when its supervisor is gone.
    drop(lifeline);
    let status = worker.wait()?;
    let log = || fs::read_to_string(site.directory.join("log")).unwrap_or_default();
    outcome.with_context(|| format!("the worker has written: {}", log()))?;
    if !status.success() {
        bail!("the worker ended with {status} and has written: {}", log());
    }
    let release = python.version.split_whitespace().next().unwrap_or_default();
    let kept = folder.join(format!("request-{release}.callgrind"));
    // The first is the warm-up.
    fs::copy(site.directory.join("profile.2"), &kept)
        .context("callgrind has not told the requests from the warm-up")?;
    Profile::read(&kept)
}

/// What a worker needs, in a folder.
struct Site {
    directory: PathBuf,
    script: PathBuf,
    socket: PathBuf,
    listener: UnixListener,
}

impl Site {
    fn new(directory: &Path, library: &Path) -> Result<Self> {
        let directory = directory.to_path_buf();
        fs::copy(library, directory.join(LIBRARY))
            .with_context(|| format!("cannot copy {}", library.display()))?;
        let rest = PATH.saturating_sub(directory.as_os_str().len() + "/.wsgi".len());
        if rest == 0 {
            bail!("the name of the folder for temporary files is too long: {}", directory.display());
        }
        let script = directory.join(format!("{}.wsgi", "a".repeat(rest)));
        fs::write(&script, APPLICATION)?;
        let socket = directory.join("socket");
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o777))?;
        fs::write(directory.join("config.json"), serde_json::to_vec(&config(&script))?)?;
        Ok(Self { directory, script, socket, listener })
    }

    fn start(&self, python: &Python) -> Result<(Child, std::io::PipeReader, std::io::PipeWriter)> {
        let (reports, status) = std::io::pipe()?;
        let (commands, lifeline) = std::io::pipe()?;
        let mut command = Command::new("sh");
        command.args(["-c", DESCRIPTORS]).arg(&self.directory);
        if nix::unistd::geteuid().is_root() {
            command.args(NOBODY);
        }
        let profile = format!("--callgrind-out-file={}", self.directory.join("profile").display());
        command.arg("valgrind").args(OPTIONS).arg(profile);
        command.args(["--collect-atstart=no", "--toggle-collect=*RequestThread*answer*"]);
        command.arg("--dump-before=*reply*refuse*");
        command.arg(&python.program).args(["-B", "-c", BOOTSTRAP]).arg(self.directory.join(LIBRARY));
        command.env_clear().envs(super::ENVIRONMENT).current_dir("/");
        let listener: OwnedFd = self.listener.try_clone()?.into();
        command.stdin(listener).stdout(status).stderr(Stdio::from(OwnedFd::from(commands)));
        let worker = command.spawn().context("cannot run sh")?;
        Ok((worker, reports, lifeline))
    }

    fn ask(&self, reports: &mut std::io::PipeReader, child: &Path) -> Result<()> {
        let mut report = [0; REPORT_LEN];
        reports.read_exact(&mut report).context("the worker has not become ready")?;
        if Report::from_bytes(report) != Some(Report::Ready) {
            bail!("the worker does not start");
        }
        let mut command = Command::new(child);
        run::check(command.arg("ask").arg(&self.socket).arg(&self.script).arg(REQUESTS.to_string()))
    }
}

fn config(script: &Path) -> WorkerConfig {
    WorkerConfig {
        group: "guard".to_owned(),
        account: None,
        new_privileges: true,
        peer_uid: nix::unistd::geteuid().as_raw(),
        threads: 1,
        stack_size: 8 << 20,
        processes: 1,
        multiprocess: false,
        python_path: Vec::new(),
        home: None,
        display_name: "(wsgi:guard)".to_owned(),
        script_owner: None,
        roots: vec![Root {
            path: script.to_owned(),
            patterns: Vec::new(),
            purpose: Purpose::Application,
            callable: Allowed::Only(vec!["application".to_owned()]),
            application_group: Allowed::Only(vec![String::new()]),
        }],
        preload: Vec::new(),
        python_settings: PythonSettings::default(),
        shutdown_timeout: Duration::from_secs(5),
        graceful_timeout: Duration::from_secs(15),
        timers: Timers::default(),
        // Far above what callgrind takes.
        socket_timeout: Duration::from_secs(300),
        send_buffer: None,
        receive_buffer: None,
        httpd_version: (2, 4, 62),
    }
}
