//! The Debian packages a command needs: installs them when it may, else says how.

use std::process::Command;

use anyhow::{Result, bail};

use crate::run;

/// What shows that a package is there: its program, which a system without dpkg has too; else dpkg says it.
enum Sign {
    Program(&'static str),
    Dpkg,
}

/// A package and how to see that it is installed.
pub struct Package {
    name: &'static str,
    sign: Sign,
}

/// The web server.
pub const APACHE: Package = Package { name: "apache2", sign: Sign::Program("apache2") };
/// `apxs`, with which mod_wsgi from PyPI is built, and the headers that our bindings are compared with.
pub const APACHE_DEV: Package = Package { name: "apache2-dev", sign: Sign::Program("apxs") };
/// A C compiler: the linker of Rust.
pub const COMPILER: Package = Package { name: "gcc", sign: Sign::Program("cc") };
/// A C++ compiler, for libFuzzer.
pub const CXX: Package = Package { name: "g++", sign: Sign::Program("c++") };
/// `python3 -m venv`.
pub const VENV: Package = Package { name: "python3-venv", sign: Sign::Dpkg };
/// The headers that mod_wsgi from PyPI is built with.
pub const PYTHON_DEV: Package = Package { name: "python3-dev", sign: Sign::Dpkg };
/// Shows and breaks system calls in the tests of privileges.
pub const STRACE: Package = Package { name: "strace", sign: Sign::Program("strace") };
/// Points a copied Python at its own shared library, in the tests.
pub const PATCHELF: Package = Package { name: "patchelf", sign: Sign::Program("patchelf") };
/// Makes keys and certificates, in the tests of memory and of TLS.
pub const OPENSSL: Package = Package { name: "openssl", sign: Sign::Program("openssl") };
/// Speaks TLS, in a test.
pub const CURL: Package = Package { name: "curl", sign: Sign::Program("curl") };
/// Speaks HTTP/2, in a test.
pub const NGHTTP: Package = Package { name: "nghttp2-client", sign: Sign::Program("nghttp") };
/// Counts instructions.
pub const VALGRIND: Package = Package { name: "valgrind", sign: Sign::Program("valgrind") };
/// Makes load.
pub const WRK: Package = Package { name: "wrk", sign: Sign::Program("wrk") };
/// Makes load with HTTP/2.
pub const H2LOAD: Package = Package { name: "nghttp2-client", sign: Sign::Program("h2load") };
/// What bjoern is built with.
pub const LIBEV: Package = Package { name: "libev-dev", sign: Sign::Dpkg };
/// What uWSGI is built with, to have HTTPS.
pub const LIBSSL_DEV: Package = Package { name: "libssl-dev", sign: Sign::Dpkg };
/// mod_wsgi 4.9, a server of the comparison.
pub const MOD_WSGI_4: Package = Package { name: "libapache2-mod-wsgi-py3", sign: Sign::Dpkg };
/// A server of the comparison.
pub const MOD_PYTHON: Package = Package { name: "libapache2-mod-python", sign: Sign::Dpkg };
/// A server of the comparison.
pub const PASSENGER: Package = Package { name: "libapache2-mod-passenger", sign: Sign::Dpkg };
/// Passes requests to uWSGI.
pub const MOD_PROXY_UWSGI: Package = Package { name: "libapache2-mod-proxy-uwsgi", sign: Sign::Dpkg };

impl Package {
    fn installed(&self) -> bool {
        match self.sign {
            Sign::Program(name) => run::which(name).is_some(),
            Sign::Dpkg => run::succeeds(Command::new("dpkg").args(["-s", self.name])),
        }
    }
}

/// Makes sure that the packages are there. Fails, with the one line to type, when they are not and this is not root.
pub fn need(packages: &[&Package]) -> Result<()> {
    let missing: Vec<&str> = packages.iter().filter(|p| !p.installed()).map(|p| p.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !nix::unistd::geteuid().is_root() {
        bail!("some Debian packages are missing; install them and run this again: sudo {line}");
    }
    if run::which("apt-get").is_none() {
        bail!(
            "these programs are missing, and there is no apt-get to install them with: {}",
            missing.join(", ")
        );
    }
    println!("installing: {}", missing.join(" "));
    // The list of packages of a new machine is empty or old: refresh it only when the first try fails.
    if install(&missing).is_err() {
        run::check(Command::new("apt-get").args(["update", "-qq"]))?;
        install(&missing)?;
    }
    Ok(())
}

/// `apt-get install`, without questions and without starting the services that come with the packages.
fn install(names: &[&str]) -> Result<()> {
    let keep = NoServices::new()?;
    let mut apt = Command::new("apt-get");
    apt.args(["install", "-y", "-qq", "--no-install-recommends"]).args(names);
    let result = run::check(apt.env("DEBIAN_FRONTEND", "noninteractive").stdout(std::process::Stdio::null()));
    drop(keep);
    result
}

/// While it lives, packages do not start their services: an Apache on port 80 is not what was asked for.
/// See invoke-rc.d(8) for the file; one that is there already is left alone.
struct NoServices {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoServices {
    fn new() -> Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(POLICY);
        let Ok(mut file) = file else { return Ok(Self { ours: false }) };
        std::io::Write::write_all(&mut file, b"#!/bin/sh\nexit 101\n")?;
        Ok(Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            // A failure leaves a file that only keeps services from starting; there is nobody to tell.
            let _ = std::fs::remove_file(POLICY);
        }
    }
}
