//! A worker that sends anything but a proper answer: RS-2, RS-3, RS-4. In the place of its Python stands
//! `fixtures/hostile_worker.py`, which answers a request with the bytes that the request tells.

use crate::ours;
use kit::{Apache, LIMIT, Process, Setup, need, wait_until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use wire::response::{data_frames, put_head};
use wire::{FilePart, HEADER_LEN, Kind};

/// Stands in everything that must not reach the client.
const CANARY: &str = "CANARY";

/// What the log says to bytes that are no answer.
const NAMED: &str = r"WSGI\d{4}: Process group 'app', slot 0: (it broke the protocol|its response head is not acceptable|the descriptor it sent was refused|the worker closed the connection|its body has)";

/// An Apache with one child of one thread: what the memory of the child grows by is the work of one request.
fn setup() -> Result<Setup, String> {
    let python = kit::Python::default_for_tests()?;
    let worker = format!("#!{} -I\n{}", python.executable.display(), kit::fixture("hostile_worker.py"));
    let setup = ours()?.file("hostile_worker", &worker).fixture("hello");
    let file = setup.root().join("hostile_worker");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    Ok(setup
        .config("WSGIDaemonProcess app threads=4 python=@ROOT@/hostile_worker\nWSGIProcessGroup app")
        .config("ServerLimit 1\nMaxRequestWorkers 1\nStartServers 1")
        .config("<IfModule mpm_prefork_module>\nMinSpareServers 1\nMaxSpareServers 1\n</IfModule>")
        .config("<IfModule !mpm_prefork_module>\nThreadsPerChild 1\nMinSpareThreads 1\nMaxSpareThreads 3\n</IfModule>")
        // That one thread is the limit is told now and then.
        .expect_log("AH(00484|00161): server reached MaxRequestWorkers"))
}

/// How a connection goes on after the answer.
#[derive(Clone, Copy)]
enum Then {
    Keep,
    Close,
}

/// The body of a request that is answered with `first`, and then with `again` for as long as the connection takes it.
fn attack(then: Then, first: &[u8], again: &[u8]) -> String {
    let mut script = vec![match then {
        Then::Keep => b'k',
        Then::Close => b'c',
    }];
    script.extend(u32::try_from(first.len()).expect("is short").to_le_bytes());
    script.extend_from_slice(first);
    script.extend_from_slice(again);
    let hex: String = script.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("attack:{hex}")
}

/// All bytes that the client gets.
#[track_caller]
fn raw_answer(apache: &Apache, body: &str) -> String {
    let mut connection = apache.request("POST", "/hello").body(body).start().expect("is sent");
    String::from_utf8_lossy(&connection.read_to_end().expect("is answered")).into_owned()
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("is short").to_le_bytes();
    [&[kind, wire::VERSION, 0, 0], &length[..], payload].concat()
}

fn empty(kind: Kind) -> Vec<u8> {
    frame(kind as u8, &[])
}

fn data(text: &str) -> Vec<u8> {
    data_frames(Kind::Data, text.as_bytes()).flat_map(|(header, piece)| [&header, piece].concat()).collect()
}

fn head(status: u16, reason: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    put_head(&mut out, status, reason.as_bytes(), headers).expect("fits a frame");
    out
}

/// A whole response with this head.
fn response(status: u16, reason: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    [head(status, reason, headers), data(CANARY), empty(Kind::End)].concat()
}

/// Each answer becomes a 502 with nothing of it, one line in the log, and the same child goes on.
#[track_caller]
fn all_refused(apache: &Apache, attacks: &[(String, Then, Vec<u8>)]) {
    let child = apache.children().remove(0);
    let mut wrong = Vec::new();
    for (at, (name, then, bytes)) in attacks.iter().enumerate() {
        let answer = raw_answer(apache, &attack(*then, bytes, &[]));
        if !answer.starts_with("HTTP/1.1 502 ")
            || answer.contains(CANARY)
            || answer.matches("HTTP/1.1").count() != 1
        {
            wrong.push(format!("{name}: {answer}"));
        }
        wait_until(LIMIT, &format!("a line about {name}"), || apache.log().lines(NAMED).len() > at);
    }
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}\n{}", wrong.len(), attacks.len(), apache.log().tail());
    assert_eq!(apache.children(), [child]);
    let good = response(200, "OK", &[("X-Good", "yes")]);
    let answer = raw_answer(apache, &attack(Then::Keep, &good, &[]));
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains(CANARY), "{answer}");
    apache.expect_log(NAMED);
}

#[test]
fn rs_2_a_head_that_must_not_reach_a_client_is_a_502() {
    let mut attacks = Vec::new();
    for status in [0, 1, 99, 100, 101, 103, 199, 1000, 2000, u16::MAX] {
        attacks.push((format!("status {status}"), Then::Keep, response(status, CANARY, &[])));
    }
    let long = format!("{CANARY}{}", "x".repeat(9 * 1024));
    let split = format!("OK\r\nX-{CANARY}: 1");
    let doubled = format!("OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 {CANARY}");
    for reason in
        [split.as_str(), &doubled, "CANARY\n", "CANARY\r", "CANARY\0", "CANARY\x07", "CANARY\x7f", &long]
    {
        attacks.push((format!("reason {reason:.40?}"), Then::Keep, response(200, reason, &[])));
    }
    for name in [
        "",
        "X CANARY",
        "X-CANARY:",
        "X-CANARY\r\nX-Second",
        "X-CANARY\n",
        "X-CANARY\0",
        "X-CANARY-\u{e9}",
        " X-CANARY",
        "X-CANARY(",
        &long,
    ] {
        attacks.push((format!("name {name:.40?}"), Then::Keep, response(200, "OK", &[(name, "CANARY")])));
    }
    for value in [
        "CANARY\r\nX-Second: 1",
        "CANARY\n X",
        "CANARY\r",
        "CANARY\0",
        "CANARY\x07",
        "\x7fCANARY",
        "\x1b[1mCANARY",
    ] {
        attacks.push((format!("value {value:?}"), Then::Keep, response(200, "OK", &[("X-CANARY", value)])));
    }
    for byte in (0..0x20_u8).chain([0x7f]).map(char::from) {
        let text = format!("CANARY{byte}CANARY");
        attacks.push((format!("reason with {byte:?}"), Then::Keep, response(200, &text, &[])));
        attacks.push((format!("name with {byte:?}"), Then::Keep, response(200, "OK", &[(&text, "CANARY")])));
        attacks.push((
            format!("value with {byte:?}"),
            Then::Keep,
            response(200, "OK", &[("X-CANARY", &text)]),
        ));
    }
    for lengths in [&["x"][..], &["-1"], &["6, 6"], &["6", "7"], &["9223372036854775808"], &["0x6"], &[""]] {
        let headers: Vec<_> = lengths.iter().map(|length| ("Content-Length", *length)).collect();
        attacks.push((format!("Content-Length {lengths:?}"), Then::Keep, response(200, "CANARY", &headers)));
    }
    let apache = need!(setup()).start();
    all_refused(&apache, &attacks);
    apache.finish();
}

#[test]
fn rs_3_missing_or_reordered_parts_are_a_502() {
    let ok = head(200, "CANARY", &[("X-CANARY", "CANARY")]);
    let mut part = Vec::new();
    FilePart { offset: 0, length: 10 }.put(&mut part);
    let end = empty(Kind::End);
    let header = |bytes: [u8; HEADER_LEN]| bytes.to_vec();
    let attacks: Vec<(&str, Then, Vec<u8>)> = vec![
        ("nothing", Then::Close, vec![]),
        ("half a frame header", Then::Close, ok[..5].to_vec()),
        ("half a head", Then::Close, ok[..ok.len() - 3].to_vec()),
        ("end before a head", Then::Keep, end.clone()),
        ("abort before a head", Then::Keep, empty(Kind::Abort)),
        ("body before a head", Then::Keep, [data(CANARY), ok.clone(), end.clone()].concat()),
        ("two heads", Then::Keep, [ok.clone(), ok.clone(), data(CANARY), end.clone()].concat()),
        ("a failure with a status that is none", Then::Keep, frame(Kind::Fail as u8, &200_u16.to_le_bytes())),
        ("a failure with a status above", Then::Keep, frame(Kind::Fail as u8, &700_u16.to_le_bytes())),
        ("a refusal for no known reason", Then::Keep, frame(Kind::Refuse as u8, b"\x09CANARY")),
        ("a request", Then::Keep, frame(Kind::Request as u8, b"CANARY")),
        ("an unknown frame", Then::Keep, frame(0x7f, b"CANARY")),
        ("an unknown frame of no direction", Then::Keep, frame(0, b"CANARY")),
        ("a call for a body that came already", Then::Keep, [empty(Kind::WantBody), ok.clone()].concat()),
        ("an empty piece of body", Then::Keep, [ok.clone(), empty(Kind::Data), end.clone()].concat()),
        ("a file without a descriptor", Then::Keep, [ok.clone(), part, end.clone()].concat()),
        ("a log line of no level", Then::Keep, frame(Kind::Log as u8, b"\x63CANARY")),
        ("reserved bytes", Then::Keep, header([Kind::Head as u8, wire::VERSION, 1, 0, 8, 0, 0, 0])),
        ("an end with a payload", Then::Keep, frame(Kind::End as u8, b"CANARY")),
        ("a head with bytes behind", Then::Keep, frame(Kind::Head as u8, b"\xc8\x00\x00\x00\x00\x00CANARY")),
        ("a head with fewer headers", Then::Keep, frame(Kind::Head as u8, b"\xc8\x00\x00\x00\x05\x00")),
    ];
    let attacks: Vec<_> =
        attacks.into_iter().map(|(name, then, bytes)| (name.to_owned(), then, bytes)).collect();
    let apache = need!(setup()).start();
    all_refused(&apache, &attacks);
    apache.finish();
}

#[test]
fn wf_5_a_worker_of_another_version_is_a_503_that_says_so() {
    let apache = need!(setup()).start();
    let mut newer = response(200, "OK", &[("X-CANARY", CANARY)]);
    newer[1] = wire::VERSION + 1;
    let text = b"HTTP/1.1 200 CANARY\r\nContent-Length: 0\r\n\r\n".to_vec();
    for bytes in [newer, text] {
        let answer = raw_answer(&apache, &attack(Then::Keep, &bytes, &[]));
        assert!(answer.starts_with("HTTP/1.1 503 ") && !answer.contains(CANARY), "{answer}");
    }
    apache.log().wait("WSGI1111: .* are of different versions");
    apache.finish();
}

/// The most memory a process ever had in use, in KiB.
fn peak(process: &Process) -> u64 {
    let line = process.status("VmHWM").expect("it lives");
    line.trim_end_matches("kB").trim().parse().expect("a number of kB")
}

#[test]
fn rs_4_the_memory_for_a_head_is_bounded() {
    const ROUNDS: usize = 6;
    let apache = need!(setup()).start();
    apache.expect_log(NAMED);
    let child = apache.children().remove(0);
    let good = response(200, "OK", &[]);
    for _ in 0..4 * ROUNDS {
        raw_answer(&apache, &attack(Then::Keep, &good, &[]));
    }
    let before = peak(&child);
    let largest = Kind::Head.payload_limits().1;
    let open = |length: u32| [&[Kind::Head as u8, wire::VERSION, 0, 0], &length.to_le_bytes()[..]].concat();
    let header = [&b"\x08\0X-CANARY"[..], &b"\x06\0\0\0CANARY"[..]].concat();
    let start = |length: u32| [open(length), b"\xc8\0\x02\0OK\xff\xff".to_vec()].concat();
    let thousand = |length: u32| [open(length), b"\xc8\0\x02\0OK\xe8\x03".to_vec()].concat();
    let attacks = [
        ("more than the limit", start(largest + 1), header.clone()),
        ("4 GiB", start(u32::MAX), header.clone()),
        ("65535 headers", start(largest), header.clone()),
        ("1000 headers and more", thousand(largest), header.clone()),
        ("heads without end", Vec::new(), head(200, "OK", &[("X-CANARY", CANARY)])),
    ];
    for (name, first, again) in &attacks {
        for _ in 0..ROUNDS {
            let answer = raw_answer(&apache, &attack(Then::Keep, first, again));
            assert!(answer.starts_with("HTTP/1.1 502 ") && !answer.contains(CANARY), "{name}: {answer:.300}");
        }
    }
    let after = peak(&child);
    assert!(after <= before + 1024, "the child had {before} KiB, then {after} KiB");
    assert_eq!(apache.children(), [child]);
    apache.finish();
}
