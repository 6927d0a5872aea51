//! The command line as types. What an option means is said here once; whether its value holds on this machine is checked where it
//! is used.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, Subcommand};

/// Serve Python web applications through Apache.
#[derive(Debug, Parser)]
#[command(name = "wsgictl", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a WSGI script with the system's Apache, in the foreground, until Ctrl-C
    Serve(Box<ServeArgs>),
    /// Show what a configuration of Apache amounts to, and find mistakes in it
    Check(CheckArgs),
    /// Explain codes of the error log: what happened, why, and what to do
    Explain {
        /// A code such as WSGI0146, or its number
        #[arg(value_name = "CODE", required = true)]
        codes: Vec<String>,
    },
    /// Print the version
    Version,
}

/// Options of `wsgictl check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The configuration file [default: that of the system's Apache]
    #[arg(short, long, value_name = "CONF")]
    pub file: Option<PathBuf>,
    /// The program of Apache, or apachectl
    #[arg(long, value_name = "PATH")]
    pub httpd: Option<PathBuf>,
}

/// Options of `wsgictl serve`.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// The WSGI script: a Python file with the callable
    #[arg(value_name = "PATH.wsgi")]
    pub script: PathBuf,
    /// The user that Apache's children and the site run as (root has to name one; nobody else can)
    #[arg(long)]
    pub user: Option<String>,
    /// The group to run as [default: the user's]
    #[arg(long, requires = "user")]
    pub group: Option<String>,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8000)]
    pub port: u16,
    /// Worker processes [default: 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub processes: Option<u32>,
    /// Request threads in each worker process [default: 15]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65533))]
    pub threads: Option<u32>,
    /// The Python of the site [default: that of the active virtual environment, else python3]
    #[arg(long, value_name = "PATH", conflicts_with = "python_home")]
    pub python: Option<PathBuf>,
    /// The virtual environment or installation of the site's Python
    #[arg(long, value_name = "DIR")]
    pub python_home: Option<PathBuf>,
    /// A folder to find the site's modules in; may be given several times
    #[arg(long, value_name = "DIR")]
    pub python_path: Vec<PathBuf>,
    /// The name of the callable in the script
    #[arg(long, value_name = "NAME", default_value = "application", value_parser = identifier)]
    pub callable: String,
    /// The URL path the script is served at
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = url_path)]
    pub url_path: String,
    /// Files that Apache serves itself, such as /static=/srv/site/static; may be given several times
    #[arg(long = "static", value_name = "URL=DIR")]
    pub static_files: Vec<StaticFiles>,
    /// A folder for the configuration, the logs and the sockets, which is kept [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub server_root: Option<PathBuf>,
    /// What Apache logs
    #[arg(long, value_name = "LEVEL", default_value = "warn", value_parser = LEVELS)]
    pub log_level: String,
    /// The program of Apache [default: the system's]
    #[arg(long, value_name = "PATH")]
    pub httpd: Option<PathBuf>,
}

/// The levels of <https://httpd.apache.org/docs/2.4/mod/core.html#loglevel>.
const LEVELS: [&str; 16] = [
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1", "trace2", "trace3",
    "trace4", "trace5", "trace6", "trace7", "trace8",
];

/// A URL path and the folder whose files answer below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticFiles {
    /// Starts with `/`.
    pub url: String,
    /// As given.
    pub folder: PathBuf,
}

impl FromStr for StaticFiles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (url, folder) =
            text.split_once('=').ok_or("write it as URL=DIR, for example /static=/srv/site/static")?;
        if folder.is_empty() {
            return Err("the folder after `=` is empty".to_owned());
        }
        let url = url_path(url)?;
        // `Alias /static/ DIR` would glue the rest of the URL to DIR without a slash.
        let url = if url == "/" { url } else { url.trim_end_matches('/').to_owned() };
        Ok(Self { url, folder: PathBuf::from(folder) })
    }
}

/// A path that can stand in the configuration unquoted.
fn url_path(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~@+".contains(c);
    if !text.starts_with('/') {
        return Err("a URL path starts with `/`".to_owned());
    }
    if !text.chars().all(plain) {
        return Err("letters, digits and / - . _ ~ @ + can stand in this URL path".to_owned());
    }
    Ok(text.to_owned())
}

fn identifier(text: &str) -> Result<String, String> {
    let word = text.chars().all(|c| c.is_alphanumeric() || c == '_');
    if word && text.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return Ok(text.to_owned());
    }
    Err("the callable is a Python name, such as application".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn static_files_are_a_url_and_a_folder() {
        let parsed: StaticFiles = "/static/=/srv/a=b".parse().unwrap();
        assert_eq!(parsed, StaticFiles { url: "/static".into(), folder: "/srv/a=b".into() });
        assert!("/static".parse::<StaticFiles>().is_err());
        assert!("static=/srv".parse::<StaticFiles>().is_err());
        assert!("/a b=/srv".parse::<StaticFiles>().is_err());
        assert!("/static=".parse::<StaticFiles>().is_err());
    }

    #[test]
    fn a_callable_is_a_name() {
        assert!(identifier("application").is_ok());
        assert!(identifier("a.b").is_err());
        assert!(identifier("1a").is_err());
        assert!(identifier("").is_err());
    }
}
