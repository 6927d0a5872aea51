//! Every sentence this program refuses with: what is wrong, with which value, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a command does not do what it was asked for.
#[derive(Debug, Error)]
pub enum Error {
    /// `check` has found mistakes, and has printed them.
    #[error("{} found; see above", if *.0 == 1 { "1 mistake was".to_owned() } else { format!("{} mistakes were", .0) })]
    Mistakes(usize),
    /// Apache does not take the configuration.
    #[error("Apache does not take the configuration:\n{0}")]
    BadConfiguration(String),
    /// The file of `check -f`.
    #[error("--file {}: {why}; name a configuration file of Apache", path.display())]
    NoConfiguration {
        /// As given.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// Nothing was reported.
    #[error(
        "the configuration is good, and loads no mod_wsgi-rs: write LoadModule wsgi_module with the path of its mod_wsgi.so (on Debian \
         `a2enmod wsgi`); one line for another mod_wsgi has to go"
    )]
    NotLoaded,
    /// The module's report cannot be read.
    #[error(
        "mod_wsgi.so reports what this wsgictl does not understand: install both from the same version, and call the wsgictl beside it"
    )]
    OtherVersion,
    /// `explain` with something else than a code.
    #[error(
        "{word} is no log code of wsgictl {}: write it as it stands in the error log (WSGI and four digits), or its number; \
         docs/errors.md lists all (AH00000 and the like are Apache's own)",
        env!("CARGO_PKG_VERSION")
    )]
    UnknownCode {
        /// As given.
        word: String,
    },
    /// Root without `--user`.
    #[error(
        "root does not serve a site as root: name the user it runs as with --user NAME (and --group NAME if it is not the user's own)"
    )]
    RootNeedsUser,
    /// `--user` by somebody who cannot change users.
    #[error("--user {0}: only root can serve as another user; leave the option out to serve as yourself")]
    UserNeedsRoot(String),
    /// The account database has no such name.
    #[error("--{option} {name}: there is no such {option} on this machine; `getent {database}` lists them")]
    NoSuchAccount {
        /// `user` or `group`.
        option: &'static str,
        /// As given.
        name: String,
        /// The database of getent(1).
        database: &'static str,
    },
    /// An account with root's number.
    #[error("--{option} {name} is root's: a site never runs as root; name another {option}")]
    AccountOfRoot {
        /// `user` or `group`.
        option: &'static str,
        /// As given.
        name: String,
    },
    /// No Apache.
    #[error("Apache is not installed; install it: {0}")]
    NoApache(&'static str),
    /// The program given as `--httpd`, or what it is, is of no use.
    #[error("--httpd {}: {why}; give the program of Apache 2.4, such as /usr/sbin/apache2", path.display())]
    BadApache {
        /// The program.
        path: PathBuf,
        /// What happened.
        why: String,
    },
    /// A part of Apache is missing.
    #[error("Apache's module {file} was found in none of {folders}; reinstall Apache: {install}")]
    NoApacheModule {
        /// File name.
        file: String,
        /// Where it was looked for.
        folders: String,
        /// The command.
        install: &'static str,
    },
    /// A file of this product is missing.
    #[error("{file} is not in {}, where wsgictl is; install the four release files in one folder", folder.display())]
    NoCompanion {
        /// File name.
        file: &'static str,
        /// Folder of wsgictl.
        folder: PathBuf,
    },
    /// A path that is not what it should be.
    #[error("{what} {}: {why}", path.display())]
    BadPath {
        /// The option or argument.
        what: &'static str,
        /// As given.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// A Python that cannot be used.
    #[error("{what} {}: {why}", path.display())]
    BadPython {
        /// The option that named it.
        what: &'static str,
        /// The program.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// No Python at all.
    #[error("there is no python3 on PATH; name the site's Python with --python PATH")]
    NoPython,
    /// The port is taken, or cannot be had.
    #[error(
        "cannot listen on {host} port {port}: {why}; choose another with --port, or --port 0 for a free one"
    )]
    Listen {
        /// `--host`.
        host: std::net::IpAddr,
        /// `--port`.
        port: u16,
        /// The system's reason.
        why: String,
    },
    /// Apache does not accept the configuration that was written.
    #[error("Apache refuses the configuration:\n{0}")]
    Refused(String),
    /// Apache left by itself.
    #[error("Apache ended by itself ({0}); its last lines above say why")]
    Ended(std::process::ExitStatus),
    /// Apache was killed.
    #[error(
        "Apache was killed (SIGKILL), and its children were stopped: somebody has done it, or the kernel for want of memory, \
         which `dmesg` shows; start it again"
    )]
    Killed,
    /// Apache neither serves nor ends.
    #[error(
        "Apache did not listen on {0} within 30 seconds and was stopped; its last lines above say what it waited for: repair \
         that, or try again when the machine is less busy"
    )]
    NotReady(std::net::SocketAddr),
    /// The system refused something.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was tried, with the file's name.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// Says what was tried when the system refuses it.
pub trait Doing<T> {
    /// `verb` and `path` complete the sentence "cannot ...".
    fn doing(self, verb: &str, path: &Path) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, verb: &str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::System { doing: format!("{verb} {}", path.display()), source })
    }
}

/// The system's reason without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
