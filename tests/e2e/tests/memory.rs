//! Memory: nothing of Apache's in a worker (ME-1), nothing writable shared (ME-2), layouts of their own (ME-3), and how much a
//! child of Apache grows by the module.

use crate::{ours, two_sites};
use kit::{Mpm, Process, Setup, need, run};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;

/// The bytes of a process's readable memory that match `needles`, by the name of the mapping; read as root.
fn found_in(process: &Process, needles: &regex::bytes::Regex) -> BTreeMap<Vec<u8>, String> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.pid)).expect("it lives");
    let memory = fs::File::open(format!("/proc/{}/mem", process.pid)).expect("we are root");
    let mut found = BTreeMap::new();
    let mut read = 0;
    for line in maps.lines().filter(|line| line[..line.find(' ').unwrap_or(0) + 2].contains('r')) {
        let span =
            line.split(' ').next().and_then(|span| span.split_once('-')).expect("a line of maps has a span");
        let (low, high) = (u64::from_str_radix(span.0, 16), u64::from_str_radix(span.1, 16));
        let (Ok(low), Ok(high)) = (low, high) else { continue };
        let mut data = vec![0; (high - low) as usize];
        // Special mappings such as [vvar] cannot be read.
        if memory.read_exact_at(&mut data, low).is_ok() {
            read += data.len();
            found.extend(needles.find_iter(&data).map(|hit| (hit.as_bytes().to_vec(), line.to_owned())));
        }
    }
    assert!(read > 3_000_000, "only {read} bytes of {process:?} could be read");
    found
}

/// An expression that matches any of these byte strings.
fn any_of(needles: &[Vec<u8>]) -> regex::bytes::Regex {
    let escaped = |needle: &Vec<u8>| needle.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let all: Vec<String> = needles.iter().map(escaped).collect();
    regex::bytes::Regex::new(&format!("(?-u){}", all.join("|"))).expect("is valid")
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
        needles.extend(need!(tls_key(setup.root(), name, &algorithm)));
        let host = format!(
            "<VirtualHost 127.0.0.2:@PORT@>\nServerName {name}.test\nSSLEngine On\nSSLCertificateFile @ROOT@/{name}.crt\n\
             SSLCertificateKeyFile @ROOT@/{name}.key\n</VirtualHost>"
        );
        setup = setup.config(&host);
    }
    for number in 0..3 {
        let secret =
            run(Command::new("openssl").args(["rand", "-hex", "24"])).expect("openssl worked before");
        setup =
            setup.config(&format!("<Location /b>\nSetEnv SECRET_{number} {}\n</Location>", secret.trim()));
        needles.push(secret.trim().as_bytes().to_vec());
    }
    let apache = setup
        .modules(&["ssl", "socache_shmcb"])
        .config("Listen 127.0.0.2:@PORT@")
        .expect_log("ssl:warn|AH0")
        .start();
    let needles = any_of(&needles);
    let in_parent = found_in(apache.parent(), &needles);
    assert!(in_parent.len() >= 4, "the test wants Apache to hold its secrets: {:?}", in_parent.values());
    for process in [apache.worker_of("/a"), apache.wait_supervisor()] {
        let found = found_in(&process, &needles);
        assert!(found.is_empty(), "{process:?} holds {:?}", found.values());
    }
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
