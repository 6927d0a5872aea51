//! The configuration that Apache is started with: a pure function of what is served. Whether a value makes sense is for Apache and
//! the module to say; here it only has to arrive as it was meant.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::error::{Error, Result};

/// How the site's Python is named to the module.
#[derive(Debug, Clone)]
pub enum PythonOption {
    /// `python=`: a program.
    Program(PathBuf),
    /// `python-home=`: an environment or installation.
    Home(PathBuf),
}

/// Everything that is served, with absolute paths.
#[derive(Debug)]
pub struct Site {
    /// The server root.
    pub root: PathBuf,
    /// Names and files of Apache's modules.
    pub modules: Vec<(&'static str, PathBuf)>,
    /// `mod_wsgi.so`.
    pub wsgi_module: PathBuf,
    /// Whom the site runs as when that is not whoever starts Apache.
    pub account: Option<Account>,
    /// Where Apache listens.
    pub address: SocketAddr,
    /// `processes=`.
    pub processes: Option<u32>,
    /// `threads=`.
    pub threads: Option<u32>,
    /// The site's Python.
    pub python: PythonOption,
    /// `python-path=`.
    pub python_path: Vec<PathBuf>,
    /// The script.
    pub script: PathBuf,
    /// The callable in it.
    pub callable: String,
    /// Where it is mounted.
    pub url_path: String,
    /// Folders of files that Apache serves: URL path and folder.
    pub static_files: Vec<(String, PathBuf)>,
    /// `LogLevel`.
    pub log_level: String,
}

/// The text of `httpd.conf`. Fails for a path that the configuration's syntax cannot carry.
pub fn httpd_conf(site: &Site) -> Result<String> {
    let mut lines = Lines::default();
    for (name, file) in &site.modules {
        lines.add(format_args!("LoadModule {name} {}", quoted(file)?));
    }
    lines.add(format_args!("LoadModule wsgi_module {}", quoted(&site.wsgi_module)?));
    server(&mut lines, site)?;
    process_group(&mut lines, site)?;
    for (url, folder) in &site.static_files {
        lines.add(format_args!("Alias {url} {}", quoted(folder)?));
        lines.grant(folder)?;
    }
    lines.add(format_args!("WSGICallableObject {}", site.callable));
    lines.add(format_args!("WSGIScriptAlias {} {}", site.url_path, quoted(&site.script)?));
    lines.grant(site.script.parent().unwrap_or(&site.script))?;
    Ok(lines.0)
}

fn server(lines: &mut Lines, site: &Site) -> Result<()> {
    if let Some(account) = &site.account {
        lines.add(format_args!("User {}", account.user));
        lines.add(format_args!("Group {}", account.group));
    }
    lines.add(format_args!("ServerRoot {}", quoted(&site.root)?));
    lines.add(format_args!("ServerName {}", server_name(site.address.ip())));
    lines.add(format_args!("Listen {}", site.address));
    for line in ["DefaultRuntimeDir run", "PidFile run/httpd.pid", "Mutex posixsem", "ServerTokens Prod"] {
        lines.add(format_args!("{line}"));
    }
    lines.add(format_args!("LogLevel {}", site.log_level));
    lines.add(format_args!("ErrorLog logs/error.log"));
    lines.add(format_args!(r#"CustomLog logs/access.log "%h %l %u %t \"%r\" %>s %b""#));
    lines.add(format_args!("TypesConfig {}", types_file()));
    lines.add(format_args!("DocumentRoot {}", quoted(&site.root.join("htdocs"))?));
    lines.add(format_args!("<Directory />\n    AllowOverride None\n    Require all denied\n</Directory>"));
    Ok(())
}

/// The name in redirects that Apache makes itself.
fn server_name(ip: IpAddr) -> String {
    match ip {
        ip if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Which file ending means which media type: the system's list, or none.
fn types_file() -> &'static str {
    if Path::new("/etc/mime.types").is_file() { "/etc/mime.types" } else { "/dev/null" }
}

fn process_group(lines: &mut Lines, site: &Site) -> Result<()> {
    let mut options = String::new();
    let mut option = |name: &str, value: String| options.push_str(&format!(" {name}={value}"));
    if let Some(account) = &site.account {
        option("user", account.user.clone());
        option("group", account.group.clone());
    }
    if let Some(processes) = site.processes {
        option("processes", processes.to_string());
    }
    if let Some(threads) = site.threads {
        option("threads", threads.to_string());
    }
    match &site.python {
        PythonOption::Program(path) => option("python", quoted(path)?),
        PythonOption::Home(path) => option("python-home", quoted(path)?),
    }
    if !site.python_path.is_empty() {
        let paths: Result<Vec<String>> = site.python_path.iter().map(|path| plain(path)).collect();
        option("python-path", format!("\"{}\"", paths?.join(":")));
    }
    lines.add(format_args!("WSGISocketPrefix run/wsgi"));
    lines.add(format_args!("WSGIRestrictEmbedded On"));
    lines.add(format_args!("WSGIDaemonProcess site{options}"));
    lines.add(format_args!("WSGIProcessGroup site"));
    lines.add(format_args!("WSGIApplicationGroup %{{GLOBAL}}"));
    Ok(())
}

/// The lines so far.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn grant(&mut self, folder: &Path) -> Result<()> {
        self.add(format_args!("<Directory {}>\n    Require all granted\n</Directory>", quoted(folder)?));
        Ok(())
    }
}

fn quoted(path: &Path) -> Result<String> {
    Ok(format!("\"{}\"", plain(path)?))
}

/// A path with nothing that the configuration would read as something else: quotes, wildcards of `<Directory>`, `${VARIABLE}`
/// (<https://httpd.apache.org/docs/2.4/configuring.html#syntax>).
fn plain(path: &Path) -> Result<String> {
    let bad = |why: String| Error::BadPath { what: "the path", path: path.to_path_buf(), why };
    let Some(text) = path.to_str() else {
        return Err(bad("it is no UTF-8; rename it".to_owned()));
    };
    let odd = text.chars().find(|c| c.is_control() || "\"\\*?[".contains(*c));
    if let Some(odd) = odd {
        let odd = if odd.is_control() { odd.escape_default().to_string() } else { odd.to_string() };
        return Err(bad(format!(
            "the character {odd} cannot stand in Apache's configuration; rename the file or folder"
        )));
    }
    if text.contains("${") {
        return Err(bad("Apache would read `${` as a variable; rename the file or folder".to_owned()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site {
            root: "/tmp/root".into(),
            modules: vec![("alias_module", "/m/mod_alias.so".into())],
            wsgi_module: "/opt/wsgi/mod_wsgi.so".into(),
            account: None,
            address: ([127, 0, 0, 1], 8000).into(),
            processes: None,
            threads: None,
            python: PythonOption::Program("/usr/bin/python3".into()),
            python_path: Vec::new(),
            script: "/srv/my site/wsgi.py".into(),
            callable: "application".into(),
            url_path: "/".into(),
            static_files: Vec::new(),
            log_level: "warn".into(),
        }
    }

    #[test]
    fn paths_with_spaces_arrive_whole() {
        let text = httpd_conf(&site()).unwrap();
        assert!(text.contains("WSGIScriptAlias / \"/srv/my site/wsgi.py\"\n"), "{text}");
        assert!(text.contains("<Directory \"/srv/my site\">\n"), "{text}");
        assert!(text.contains("WSGIDaemonProcess site python=\"/usr/bin/python3\"\n"), "{text}");
        assert!(!text.contains("User "), "{text}");
    }

    #[test]
    fn an_account_is_that_of_apache_and_of_the_group() {
        let account = Account { user: "anna".into(), group: "web".into(), uid: 1000, gid: 1000 };
        let text =
            httpd_conf(&Site { account: Some(account), processes: Some(2), threads: Some(3), ..site() })
                .unwrap();
        assert!(text.contains("User anna\nGroup web\n"), "{text}");
        assert!(text.contains("WSGIDaemonProcess site user=anna group=web processes=2 threads=3 "), "{text}");
    }

    #[test]
    fn an_alias_comes_with_its_permission() {
        let files = vec![("/static".to_owned(), PathBuf::from("/srv/static"))];
        let text = httpd_conf(&Site { static_files: files, ..site() }).unwrap();
        let expected = "Alias /static \"/srv/static\"\n<Directory \"/srv/static\">\n    Require all granted\n</Directory>\n";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_path_that_would_change_the_configuration_is_refused() {
        for odd in ["/a\nUser root", "/a\"b", "/a*", "/a${HOME}", "/a\\"] {
            let error = httpd_conf(&Site { script: odd.into(), ..site() }).unwrap_err().to_string();
            assert!(error.starts_with("the path "), "{error}");
        }
    }
}
