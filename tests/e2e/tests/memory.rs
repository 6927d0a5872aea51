//! Memory: nothing of Apache's in a worker (ME-1), nothing writable shared (ME-2), layouts of their own (ME-3), and how much a
//! child of Apache grows by the module.

use crate::{ours, two_sites};
use kit::{LIMIT, Mpm, Process, Setup, need, run, wait_until};
use std::collections::{BTreeMap, BTreeSet};
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

/// A key for TLS: its name in the configuration, openssl's words for it, and where in its DER encoding (PKCS #8, RFC 5958) 32
/// bytes stand that are secret: the end of the RSA key is its coefficient, the EC scalar lies behind the headers of P-256, an
/// Ed25519 key is its seed.
const KEYS: [(&str, &[&str], SecretAt); 3] = [
    ("rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], SecretAt::End),
    ("ec", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], SecretAt::Byte(36)),
    ("ed25519", &["-algorithm", "ED25519"], SecretAt::End),
];

enum SecretAt {
    End,
    Byte(usize),
}

/// Makes a key and its certificate below `dir` and returns its secret as it can stand in memory: bytes in both orders, and the
/// middle of the text of its file.
fn tls_key(
    dir: &std::path::Path,
    name: &str,
    algorithm: &[&str],
    place: &SecretAt,
) -> Result<Vec<Vec<u8>>, String> {
    const LENGTH: usize = 32;
    let [key, certificate, der] = ["key", "crt", "der"].map(|kind| dir.join(format!("{name}.{kind}")));
    run(Command::new("openssl").arg("genpkey").args(algorithm).arg("-out").arg(&key))?;
    let request = ["req", "-x509", "-days", "2", "-subj", "/CN=test", "-key"];
    run(Command::new("openssl").args(request).arg(&key).arg("-out").arg(&certificate))?;
    let encode = ["pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in"];
    run(Command::new("openssl").args(encode).arg(&key).arg("-out").arg(&der))?;
    let bytes = fs::read(&der).expect("openssl wrote it");
    let start = match place {
        SecretAt::End => bytes.len().checked_sub(LENGTH),
        SecretAt::Byte(start) => Some(*start),
    };
    let secret = start.and_then(|start| bytes.get(start..start + LENGTH)).expect("a key is longer").to_vec();
    let pem = fs::read_to_string(&key).expect("openssl wrote it");
    let text: Vec<u8> = pem.lines().filter(|line| !line.starts_with('-')).flat_map(str::bytes).collect();
    let middle = text.len() / 2 - LENGTH / 2;
    let reversed = secret.iter().rev().copied().collect();
    Ok(vec![secret, reversed, text[middle..middle + LENGTH].to_vec()])
}

#[test]
fn me_1_nothing_of_apaches_memory_is_in_a_worker() {
    let (mut setup, _, _) = need!(two_sites("threads=1"));
    let mut kinds = Vec::new();
    for (name, algorithm, place) in &KEYS {
        kinds.push((*name, need!(tls_key(setup.root(), name, algorithm, place))));
        let host = format!(
            "<VirtualHost 127.0.0.2:@PORT@>\nServerName {name}.test\nSSLEngine On\nSSLCertificateFile @ROOT@/{name}.crt\n\
             SSLCertificateKeyFile @ROOT@/{name}.key\n</VirtualHost>"
        );
        setup = setup.config(&host);
    }
    let mut secrets = Vec::new();
    for number in 0..3 {
        let secret =
            run(Command::new("openssl").args(["rand", "-hex", "24"])).expect("openssl worked before");
        setup =
            setup.config(&format!("<Location /b>\nSetEnv SECRET_{number} {}\n</Location>", secret.trim()));
        secrets.push(secret.trim().as_bytes().to_vec());
    }
    kinds.push(("SetEnv", secrets));
    let apache = setup
        .modules(&["ssl", "socache_shmcb"])
        .config("Listen 127.0.0.2:@PORT@")
        .expect_log("ssl:warn.*AH01(873|882|906|909): ")
        .start();
    let needles: Vec<Vec<u8>> = kinds.iter().flat_map(|(_, needles)| needles.clone()).collect();
    let expression = any_of(&needles);
    let in_parent = found_in(apache.parent(), &expression);
    for (name, needles) in &kinds {
        let held = needles.iter().any(|needle| in_parent.contains_key(needle));
        assert!(held, "the test wants Apache to hold its {name} secret: {:?}", in_parent.values());
    }
    for process in [apache.worker_of("/a"), apache.wait_supervisor()] {
        let found = found_in(&process, &expression);
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

/// The average PSS in KiB of Apache's children after they served requests for a file and, with the module, for an application.
fn child_pss(setup: Setup, with_module: bool) -> u64 {
    let apache = setup.file("www/static.txt", "x").start();
    let mut seen = BTreeSet::new();
    let measured = |seen: &BTreeSet<String>| -> Vec<Process> {
        let mut children = apache.children();
        children.retain(|child| !with_module || seen.contains(&child.pid.to_string()));
        children
    };
    wait_until(LIMIT, "half of the children have served", || {
        for _ in 0..40 {
            apache.get("/static.txt").expect_status(200);
            if with_module {
                let child = apache.eval("/eval", "result = environ['mod_wsgi.server_pid']");
                seen.insert(child.as_str().expect("a process id").to_owned());
            }
        }
        2 * measured(&seen).len() >= apache.children().len()
    });
    let children: Vec<u64> = measured(&seen).iter().filter_map(Process::pss_kib).collect();
    let average = children.iter().sum::<u64>() / children.len().max(1) as u64;
    apache.finish();
    average
}

fn child_growth(mpm: Mpm) -> Result<(), String> {
    let with = child_pss(ours()?.mpm(mpm).one_daemon("threads=2").fixture("eval"), true);
    let without = child_pss(Setup::with(None).mpm(mpm), false);
    assert!(with <= without + 1024, "{mpm:?}: with the module {with} KiB, without {without} KiB");
    Ok(())
}

#[test]
fn a_serving_child_of_mpm_event_grows_by_at_most_one_megabyte() {
    need!(child_growth(Mpm::Event));
}

#[test]
fn a_serving_child_of_mpm_prefork_grows_by_at_most_one_megabyte() {
    need!(child_growth(Mpm::Prefork));
}
