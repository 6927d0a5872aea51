//! Compiling a small C program against the installed headers of httpd.

use std::path::Path;
use std::process::Command;

/// The headers the bindings are made from.
pub const HEADERS: &str = include_str!("../../bindings/wrapper.h");

/// Where distributions put httpd's headers.
const HEADER_FOLDERS: [&str; 4] = [
    "/usr/include/apache2",
    "/usr/include/httpd",
    "/usr/local/apache2/include",
    "/usr/local/include/apache24",
];

/// Compiles and runs a program and returns what it prints; an error is why that is not possible here. A program that
/// does not compile although headers and compiler are there is a failure of the test.
pub fn compile_and_run(name: &str, program: &str) -> Result<String, String> {
    let Some(headers) = HEADER_FOLDERS.into_iter().find(|folder| Path::new(folder).join("httpd.h").exists())
    else {
        return Err("httpd's headers are not installed (Debian: apt-get install apache2-dev)".to_owned());
    };
    let apr = Command::new("apr-1-config").args(["--includes", "--cppflags"]).output();
    let Ok(apr) = apr else { return Err("apr-1-config is not installed (Debian: libapr1-dev)".to_owned()) };
    let flags = String::from_utf8(apr.stdout).unwrap();
    let folder = std::env::temp_dir().join(format!("httpd-sys-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, binary) = (folder.join("program.c"), folder.join("program"));
    std::fs::write(&source, program).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(flags.split_whitespace()).arg(format!("-I{headers}")).arg("-o").arg(&binary).arg(&source);
    let outcome = match compiler.output() {
        Err(_) => Err("there is no C compiler (Debian: apt-get install gcc)".to_owned()),
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Ok(String::from_utf8(Command::new(&binary).output().unwrap().stdout).unwrap())
        }
    };
    std::fs::remove_dir_all(&folder).unwrap();
    outcome
}
