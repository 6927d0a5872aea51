//! Memory: nothing of Apache's in a worker (ME-1), nothing writable shared (ME-2), layouts of their own (ME-3), and how much a
//! child of Apache grows by the module.

use crate::{ours, two_sites};
use kit::{Mpm, Process, Setup, need, run};
use std::fs;
use std::process::Command;

/// Searches the worker's own memory for needles it knows only by their first four bytes and a hash of the first 32, so that the
/// search cannot find itself.
const SCAN: &str = r#"
import hashlib, re
needles = @NEEDLES@
result = []
scanned = 0
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        span, rights = line.split()[:2]
        if "r" not in rights or "[vvar" in line or "[vsyscall" in line:
            continue
        low, high = (int(end, 16) for end in span.split("-"))
        try:
            memory.seek(low)
            data = memory.read(high - low)
        except (OSError, ValueError):
            continue
        scanned += len(data)
        for name, start, digest in needles:
            start = bytes.fromhex(start)
            place = data.find(start)
            while place >= 0:
                if hashlib.sha256(data[place:place + 32]).hexdigest() == digest:
                    result.append([name, line.strip()])
                place = data.find(start, place + 1)
        del data
result = {"hits": result, "scanned": scanned}
"#;

/// Name, first four bytes and hash of a secret.
fn needle(name: &str, secret: &[u8]) -> Result<String, String> {
    let file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    fs::write(file.path(), &secret[..32]).map_err(|error| error.to_string())?;
    let sum = run(Command::new("sha256sum").arg(file.path()))?;
    let start: String = secret[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("[{name:?}, {start:?}, {:?}]", &sum[..64]))
}

/// Makes a key and its certificate below `dir` and returns the middle of the key as it stands in its file and in memory.
fn tls_key(dir: &std::path::Path, name: &str, algorithm: &[&str]) -> Result<Vec<Vec<u8>>, String> {
    let (key, certificate) = (dir.join(format!("{name}.key")), dir.join(format!("{name}.crt")));
    run(Command::new("openssl").arg("genpkey").args(algorithm).arg("-out").arg(&key))?;
    let request = ["req", "-x509", "-days", "2", "-subj", "/CN=test", "-key"];
    run(Command::new("openssl").args(request).arg(&key).arg("-out").arg(&certificate))?;
    let pem = fs::read_to_string(&key).map_err(|error| error.to_string())?;
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = run(Command::new("sh")
        .args(["-c", "openssl pkey -in \"$0\" -outform DER | xxd -p | tr -d '\\n'"])
        .arg(&key))?;
    let der: Vec<u8> =
        (0..der.len() / 2).filter_map(|at| u8::from_str_radix(&der[2 * at..2 * at + 2], 16).ok()).collect();
    // The last 32 bytes of the private part: of an RSA key the end of its coefficient, else the end of the scalar.
    let tail =
        if name == "ec" { der[36..68.min(der.len())].to_vec() } else { der[der.len() - 32..].to_vec() };
    let reversed: Vec<u8> = tail.iter().rev().copied().collect();
    let middle = base64.len() / 2;
    let text = base64.as_bytes()[middle.saturating_sub(16)..][..32.min(base64.len())].to_vec();
    Ok(vec![tail, reversed, text].into_iter().filter(|part| part.len() >= 32).collect())
}

#[test]
fn me_1_nothing_of_apaches_memory_is_in_a_worker() {
    let (mut setup, _, _) = need!(two_sites("threads=1"));
    let mut needles = Vec::new();
    for (name, algorithm) in [
        ("rsa", vec!["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        ("ec", vec!["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("ed25519", vec!["-algorithm", "ED25519"]),
    ] {
        for part in need!(tls_key(setup.root(), name, &algorithm)) {
            needles.push(need!(needle(name, &part)));
        }
        let host = format!(
            "<VirtualHost 127.0.0.1:@PORT@>\nServerName {name}.test\nSSLEngine On\nSSLCertificateFile @ROOT@/{name}.crt\n\
             SSLCertificateKeyFile @ROOT@/{name}.key\n</VirtualHost>"
        );
        setup = setup.config(&host);
    }
    let mut secrets = Vec::new();
    for number in 0..3 {
        let secret =
            run(Command::new("openssl").args(["rand", "-hex", "24"])).expect("openssl worked before");
        needles.push(need!(needle("secret", secret.trim().as_bytes())));
        secrets.push(format!("SetEnv SECRET_{number} {}", secret.trim()));
    }
    // Two lists of virtual hosts on the one port cannot mix TLS and none: the sites get a port of their own through a second
    // Listen of the same number on another loopback address.
    let apache = setup
        .modules(&["ssl", "socache_shmcb"])
        .config("Listen 127.0.0.2:@PORT@")
        .config(&format!("<VirtualHost 127.0.0.2:@PORT@>\nServerName b.test\n<Location /b>\n{}\n</Location>\n</VirtualHost>", secrets.join("\n")))
        .expect_log("ssl:warn|AH0")
        .start();
    let plain = std::net::SocketAddr::from(([127, 0, 0, 2], apache.address().port()));
    let scan = SCAN.replace("@NEEDLES@", &format!("[{}]", needles.join(", ")));
    let response = kit::Request::new(plain, "POST", "/a").body(scan).send().expect_status(200).json();
    assert_eq!(response["hits"], serde_json::json!([]), "of {} bytes", response["scanned"]);
    assert!(response["scanned"].as_u64().is_some_and(|bytes| bytes > 5_000_000), "{response}");
    apache.finish();
}

/// The writable shared mappings of a process.
fn writable_shared(process: &Process) -> Vec<String> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.pid)).expect("it lives");
    let shared = |line: &&str| {
        line.split_whitespace().nth(1).is_some_and(|rights| rights.contains('w') && rights.ends_with('s'))
    };
    maps.lines().filter(shared).map(str::to_owned).collect()
}

#[test]
fn me_2_no_writable_memory_is_shared() {
    let (setup, _, _) = need!(two_sites("threads=2"));
    let apache = setup.start();
    for process in [apache.worker_of("/a"), apache.worker_of("/b"), apache.wait_supervisor()] {
        assert_eq!(writable_shared(&process), Vec::<String>::new(), "{process:?}");
    }
    apache.finish();
}

#[test]
fn me_3_every_process_has_its_own_layout() {
    let (setup, _, _) = need!(two_sites("threads=1"));
    let apache = setup.start();
    let base = |process: &Process| -> Vec<String> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", process.pid)).expect("it lives");
        let start =
            |what: &str| maps.lines().find(|line| line.contains(what)).map(|line| line[..12].to_owned());
        [start("libc.so.6"), start("[stack]")].into_iter().flatten().collect()
    };
    let bases = [apache.parent().clone(), apache.worker_of("/a"), apache.worker_of("/b")]
        .map(|process| base(&process));
    assert_ne!(bases[0], bases[1]);
    assert_ne!(bases[1], bases[2]);
    apache.finish();
}

/// The average PSS in KiB of Apache's children after they served some requests for a file.
fn child_pss(setup: Setup) -> u64 {
    let apache = setup.mpm(Mpm::Prefork).file("www/static.txt", "x").start();
    for _ in 0..40 {
        apache.get("/static.txt").expect_status(200);
    }
    let children: Vec<u64> = apache.children().iter().filter_map(Process::pss_kib).collect();
    let average = children.iter().sum::<u64>() / children.len().max(1) as u64;
    apache.finish();
    average
}

#[test]
fn a_child_of_apache_grows_by_at_most_one_megabyte() {
    let with = child_pss(need!(ours()).one_daemon("threads=2").fixture("hello"));
    let without = child_pss(Setup::with(None));
    assert!(with <= without + 1024, "with the module {with} KiB, without {without} KiB");
}
