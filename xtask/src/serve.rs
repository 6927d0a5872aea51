//! `cargo xtask serve`: the Django example behind the system's Apache, from nothing.
//!
//! An ordinary user gets everything below `target/serve`. For root, a checkout may be unreadable for the site's user, and nothing
//! that root executes may be writable for it: the files go to a folder of root's, and only the site's data belongs to the site.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::site::{self, Account};
use crate::workspace::Workspace;
use crate::{dist, packages, run};

/// The account that serves the example when root runs this and names no other.
const ACCOUNT: &str = "mod-wsgi-example";
/// Where root puts the example.
const STAGE: &str = "/var/lib/mod-wsgi-example";

/// The example, below the checkout.
const EXAMPLE: &str = "examples/django";

/// Options of `cargo xtask serve`.
#[derive(clap::Args)]
pub struct Args {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// As root: the user the site runs as (a system user is created for it otherwise)
    #[arg(long)]
    user: Option<String>,
}

/// Where the example's files are and whose.
struct Stage {
    dist: PathBuf,
    venv: PathBuf,
    site: PathBuf,
    account: Option<Account>,
}

/// Prepares everything, then becomes `wsgictl serve`.
pub fn run(args: &Args) -> Result<()> {
    need_port(args.port)?;
    packages::need(&[&packages::COMPILER, &packages::APACHE, &packages::VENV])?;
    let workspace = Workspace::find()?;
    let dist = dist::run()?;
    let stage = stage(&workspace, dist, args.user.as_deref())?;
    let account = stage.account.as_ref();
    let requirements = workspace.root.join(EXAMPLE).join("requirements.txt");
    let python = site::venv(&site::python(account)?, &stage.venv, &requirements)?;
    let password = prepare(&workspace, &stage, &python)?;
    println!("the site's administrator: log in at /admin/ as admin, password {password}");

    let mut serve = Command::new(stage.dist.join("wsgictl"));
    serve.arg("serve").arg(stage.site.join("example/wsgi.py")).arg("--python").arg(&python);
    serve.arg("--python-path").arg(&stage.site).args(["--port", &args.port.to_string()]);
    serve.arg("--static").arg(format!("/static={}", stage.site.join("var/static").display()));
    if let Some(account) = account {
        serve.args(["--user", &account.name]);
    }
    Err(serve.exec()).context("cannot run wsgictl")
}

/// Refuses a port that is taken before anything is touched: a running example uses the files and the password that would be
/// replaced.
fn need_port(port: u16) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_free) => Ok(()),
        Err(error) => bail!(
            "cannot listen on 127.0.0.1 port {port} ({error}): stop what serves there, perhaps the example, or choose another \
             port with --port; nothing was changed"
        ),
    }
}

/// Chooses the folders and the user.
fn stage(workspace: &Workspace, dist: PathBuf, user: Option<&str>) -> Result<Stage> {
    if !nix::unistd::geteuid().is_root() {
        if let Some(user) = user {
            bail!("--user {user}: only root can serve as another user; leave it out");
        }
        let folder = workspace.target.join("serve");
        return Ok(Stage { dist, venv: folder.join("venv"), site: folder.join("site"), account: None });
    }
    // What root writes here is for the site to read, whatever umask root has.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let account = account(user)?;
    let folder = Path::new(STAGE);
    public_folder(folder)?;
    let installed = folder.join("dist");
    public_folder(&installed)?;
    for entry in std::fs::read_dir(&dist)? {
        let entry = entry?;
        let new = installed.join("new");
        std::fs::copy(entry.path(), &new)?;
        std::fs::rename(&new, installed.join(entry.file_name()))?;
    }
    println!("serving as the user {}; the files are in {STAGE}", account.name);
    Ok(Stage {
        dist: installed,
        venv: folder.join("venv"),
        site: folder.join("site"),
        account: Some(account),
    })
}

/// The account the site runs as. Root never serves a site as root, and `www-data` or `nobody` have other things to lose.
fn account(user: Option<&str>) -> Result<Account> {
    if let Some(user) = user {
        return Account::named(user)?
            .with_context(|| format!("--user {user}: there is no such user on this machine"));
    }
    if Account::named(ACCOUNT)?.is_none() {
        println!("creating the system user {ACCOUNT} for the example (`userdel {ACCOUNT}` removes it)");
        let mut useradd = Command::new("useradd");
        useradd.args(["--system", "--user-group", "--no-create-home", "--home-dir", STAGE]);
        run::check(useradd.args(["--shell", "/usr/sbin/nologin", ACCOUNT]))?;
    }
    Account::named(ACCOUNT)?.with_context(|| format!("useradd made no user {ACCOUNT}"))
}

/// Creates the folder if need be and makes it readable for everybody, whatever the umask is.
fn public_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755))
        .with_context(|| format!("cannot change the mode of {}", folder.display()))
}

/// Copies the example, makes its database and static files, and sets a new password for its administrator, which is returned.
fn prepare(workspace: &Workspace, stage: &Stage, python: &Path) -> Result<String> {
    site::copy_tree(&workspace.root.join(EXAMPLE), &stage.site)?;
    let var = stage.site.join("var");
    std::fs::create_dir_all(&var).with_context(|| format!("cannot create {}", var.display()))?;
    stage.account.as_ref().map_or(Ok(()), |account| account.own(&var))?;
    let password = password()?;
    let mut prepare = site::command_as(stage.account.as_ref(), python);
    prepare.arg(stage.site.join("prepare.py")).args(["--admin", "admin"]).current_dir(&stage.site);
    run::check(prepare.env("EXAMPLE_ADMIN_PASSWORD", &password))?;
    Ok(password)
}

/// 64 random bits in hexadecimal digits.
fn password() -> Result<String> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
