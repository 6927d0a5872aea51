//! Trusted headers, proved against a second, plain writing of the rules that works on a table of variables.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

type Table = BTreeMap<String, String>;

/// The rules once more, step by step on a table as the reference tells them. Shares nothing with the code under test but
/// `Network`, which has tests of its own.
fn model(table: &mut Table, listed: &[String], networks: Option<&[Network]>) {
    const CATEGORIES: [&[&str]; 6] = [
        &["HTTP_X_FORWARDED_FOR", "HTTP_X_CLIENT_IP", "HTTP_X_REAL_IP"],
        &["HTTP_X_FORWARDED_HOST", "HTTP_X_HOST"],
        &["HTTP_X_FORWARDED_SERVER"],
        &["HTTP_X_FORWARDED_PORT"],
        &["HTTP_X_SCRIPT_NAME", "HTTP_X_FORWARDED_SCRIPT_NAME"],
        &[
            "HTTP_X_FORWARDED_PROTO",
            "HTTP_X_FORWARDED_SCHEME",
            "HTTP_X_SCHEME",
            "HTTP_X_FORWARDED_HTTPS",
            "HTTP_X_FORWARDED_SSL",
            "HTTP_X_HTTPS",
        ],
    ];
    let peer_is_trusted = match networks {
        None => true,
        Some(networks) => model_trusts(&table["REMOTE_ADDR"], networks),
    };
    let mut kept: Vec<Option<&str>> = vec![None; CATEGORIES.len()];
    if peer_is_trusted {
        for name in listed {
            let Some(value) = table.get(name).cloned() else { continue };
            let Some(at) = CATEGORIES.iter().position(|names| names.contains(&name.as_str())) else {
                continue;
            };
            kept[at] = Some(name);
            model_step(table, name, &value, networks);
        }
    }
    for (names, kept) in CATEGORIES.iter().zip(kept) {
        if listed.iter().any(|name| names.contains(&name.as_str())) {
            table.retain(|name, _| !names.contains(&name.as_str()) || Some(name.as_str()) == kept);
        }
    }
}

fn model_trusts(address: &str, networks: &[Network]) -> bool {
    address.parse::<IpAddr>().is_ok_and(|address| networks.iter().any(|network| network.contains(address)))
}

fn model_step(table: &mut Table, name: &str, value: &str, networks: Option<&[Network]>) {
    let mut set = |key: &str, value: &str| table.insert(key.to_owned(), value.to_owned());
    match name {
        "HTTP_X_FORWARDED_FOR" => model_chain(table, value, networks),
        "HTTP_X_SCRIPT_NAME" | "HTTP_X_FORWARDED_SCRIPT_NAME" => {
            set("SCRIPT_NAME", value);
            set("mod_wsgi.mount_point", value);
        }
        "HTTP_X_FORWARDED_PROTO" | "HTTP_X_FORWARDED_SCHEME" | "HTTP_X_SCHEME" => {
            match value.to_lowercase().as_str() {
                "https" => drop(set("HTTPS", "1")),
                "http" => drop(table.remove("HTTPS")),
                _ => {}
            }
        }
        "HTTP_X_FORWARDED_HTTPS" | "HTTP_X_FORWARDED_SSL" | "HTTP_X_HTTPS" => {
            match value.to_lowercase().as_str() {
                "on" | "true" | "1" => drop(set("HTTPS", "1")),
                "off" | "false" | "0" => drop(table.remove("HTTPS")),
                _ => {}
            }
        }
        _ if value.is_empty() => {}
        "HTTP_X_CLIENT_IP" | "HTTP_X_REAL_IP" => drop(set("REMOTE_ADDR", value)),
        "HTTP_X_FORWARDED_HOST" | "HTTP_X_HOST" => drop(set("HTTP_HOST", value)),
        "HTTP_X_FORWARDED_SERVER" => drop(set("SERVER_NAME", value)),
        "HTTP_X_FORWARDED_PORT" => drop(set("SERVER_PORT", value)),
        _ => {}
    }
}

fn model_chain(table: &mut Table, value: &str, networks: Option<&[Network]>) {
    let mut items = Vec::new();
    for part in value.split(',') {
        let part = part.trim_matches([' ', '\t']);
        if !part.is_empty() {
            items.push(part);
        }
    }
    if items.is_empty() {
        return;
    }
    let Some(networks) = networks else {
        table.insert("REMOTE_ADDR".to_owned(), items[0].to_owned());
        return;
    };
    let mut first_trusted = None;
    let mut at = items.len();
    while at > 0 && model_trusts(items[at - 1], networks) {
        at -= 1;
        first_trusted = Some(at);
    }
    let client = match first_trusted {
        Some(0) => 0,
        Some(first) => first - 1,
        None => items.len() - 1,
    };
    table.insert("REMOTE_ADDR".to_owned(), items[client].to_owned());
    table.insert("HTTP_X_FORWARDED_FOR".to_owned(), items[client..].join(", "));
}

/// The same table after the changes were carried out.
fn changed(table: &Table, listed: &[String], networks: Option<&[Network]>) -> Table {
    let headers: Vec<&'static Header> =
        listed.iter().filter_map(|key| Header::with_key(key.as_bytes())).collect();
    let rules = Rules { headers: &headers, networks };
    let value = |name: &std::ffi::CStr| {
        let key = format!("HTTP_{}", name.to_str().unwrap().replace('-', "_").to_uppercase());
        table.get(&key).map(String::as_bytes)
    };
    let changes = changes(rules, table["REMOTE_ADDR"].as_bytes(), value);
    let mut result: Table = table.clone();
    let mut set = |key: &str, value: Option<&[u8]>| {
        if let Some(value) = value {
            result.insert(key.to_owned(), String::from_utf8(value.to_vec()).unwrap());
        }
    };
    set("REMOTE_ADDR", changes.remote_addr);
    set("HTTP_X_FORWARDED_FOR", changes.forwarded_for.as_deref());
    set("HTTP_HOST", changes.host);
    set("SERVER_NAME", changes.server_name);
    set("SERVER_PORT", changes.server_port);
    set("SCRIPT_NAME", changes.script_name);
    set("mod_wsgi.mount_point", changes.script_name);
    set("HTTPS", changes.https.filter(|on| *on).map(|_| &b"1"[..]));
    if changes.https == Some(false) {
        result.remove("HTTPS");
    }
    result.retain(|key, _| !changes.hides(key.as_bytes()));
    result
}

fn table(headers: &[(usize, String)], peer: &str, https: bool) -> Table {
    let fixed = [("HTTP_HOST", "h"), ("SERVER_NAME", "s"), ("SERVER_PORT", "80"), ("SCRIPT_NAME", "/app")];
    let mut table: Table =
        fixed.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    table.insert("REMOTE_ADDR".to_owned(), peer.to_owned());
    if https {
        table.insert("HTTPS".to_owned(), "1".to_owned());
    }
    table.extend(headers.iter().map(|(place, value)| (REGISTRY[*place].key.to_owned(), value.clone())));
    table
}

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| parse(text.as_bytes()).unwrap()).collect()
}

const TRUSTED: [&str; 4] = ["10.0.0.0/8", "127.0.0.1", "2001:db8::/32", "::1"];

fn item() -> impl Strategy<Value = String> {
    let known = [
        "10.0.0.1",
        "10.9.9.9",
        "192.0.2.1",
        "198.51.100.7",
        "2001:db8::5",
        "2001:DB8::6",
        "2001:db9::1",
        "::1",
        "::ffff:10.0.0.3",
        "::ffff:192.0.2.9",
        "[2001:db8::1]",
        "10.0.0.1:8080",
        "[::1]:80",
        "unknown",
        "_hidden",
        "10.0.0",
        "10.0.0.256",
        "",
        " ",
        "\t",
        "fe80::1%eth0",
        "a b",
        "caf\u{e9}",
    ];
    prop_oneof![9 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "[ -~]{0,12}"]
}

fn chain() -> impl Strategy<Value = String> {
    let short = proptest::collection::vec(item(), 0..6);
    let long = proptest::collection::vec(item(), 90..110);
    prop_oneof![9 => short, 1 => long].prop_map(|items| items.join(", "))
}

fn value() -> impl Strategy<Value = String> {
    let words =
        ["https", "HTTPS", "http", "ftp", "On", "off", "true", "FALSE", "1", "0", "", "/mount", "host:99"];
    prop_oneof![chain(), proptest::sample::select(words.to_vec()).prop_map(str::to_owned)]
}

fn listed() -> impl Strategy<Value = Vec<String>> {
    let one = prop_oneof![
        9 => (0..REGISTRY.len()).prop_map(|place| REGISTRY[place].key.to_owned()),
        1 => Just("HTTP_X_UNKNOWN".to_owned()),
    ];
    proptest::collection::vec(one, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn hd_3_changes_are_those_of_the_plain_rules(
        headers in proptest::collection::vec((0..REGISTRY.len(), value()), 0..10),
        listed in listed(),
        peer in item(),
        limited: bool,
        https: bool,
    ) {
        let list = networks(&TRUSTED);
        let networks = limited.then_some(list.as_slice());
        let before = table(&headers, &peer, https);
        let mut expected = before.clone();
        model(&mut expected, &listed, networks);
        prop_assert_eq!(changed(&before, &listed, networks), expected);
    }

    #[test]
    fn hd_3_a_peer_that_is_not_trusted_changes_nothing(
        headers in proptest::collection::vec((0..REGISTRY.len(), value()), 0..10),
        listed in listed(),
    ) {
        let list = networks(&TRUSTED);
        let before = table(&headers, "192.0.2.1", false);
        let after = changed(&before, &listed, Some(&list));
        for (key, value) in &before {
            if !key.starts_with("HTTP_X_") {
                prop_assert_eq!(after.get(key), Some(value));
            }
        }
        for name in &listed {
            prop_assert!(!after.contains_key(name));
        }
    }
}

/// Every header of the registry, listed alone or not at all, from a trusted and an untrusted peer.
#[test]
fn hd_3_each_header_counts_only_when_listed_and_from_a_trusted_peer() {
    let list = networks(&TRUSTED);
    for (place, header) in REGISTRY.iter().enumerate() {
        let sent = [(place, "1".to_owned())];
        let (trusted, other) = (table(&sent, "10.0.0.1", false), table(&sent, "192.0.2.1", false));
        assert_eq!(changed(&trusted, &[], Some(&list)), trusted, "{}: not listed", header.key);
        let listed = [header.key.to_owned()];
        let believed = changed(&trusted, &listed, Some(&list));
        assert_eq!(believed.get(header.key).map(String::as_str), Some("1"), "{}: listed", header.key);
        let is_scheme_name = header.form == super::registry::Form::SchemeName;
        assert_eq!(believed == trusted, is_scheme_name, "{}: \"1\" says something", header.key);
        let refused = changed(&other, &listed, Some(&list));
        assert_eq!(refused, table(&[], "192.0.2.1", false), "{}: from anybody", header.key);
        assert_eq!(changed(&other, &listed, None).get(header.key).map(String::as_str), Some("1"));
    }
}

#[test]
fn a_chain_is_believed_from_its_end() {
    let list = networks(&TRUSTED);
    for (chain, client, rest) in [
        ("192.0.2.1, 10.0.0.1", "192.0.2.1", "192.0.2.1, 10.0.0.1"),
        ("1.1.1.1, 192.0.2.1, 10.0.0.1, 10.0.0.2", "192.0.2.1", "192.0.2.1, 10.0.0.1, 10.0.0.2"),
        ("10.0.0.1, 192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1,10.0.0.2", "10.0.0.1", "10.0.0.1, 10.0.0.2"),
        ("192.0.2.1,, 10.0.0.1, ,", "192.0.2.1", "192.0.2.1, 10.0.0.1"),
        ("192.0.2.1, unknown, 10.0.0.1", "unknown", "unknown, 10.0.0.1"),
        ("192.0.2.1, 10.0.0.1:80", "10.0.0.1:80", "10.0.0.1:80"),
        (
            "2001:db9::1, 2001:DB8::1, ::ffff:10.0.0.1",
            "2001:db9::1",
            "2001:db9::1, 2001:DB8::1, ::ffff:10.0.0.1",
        ),
        (" , ", "10.1.1.1", " , "),
    ] {
        let before = table(&[(0, chain.to_owned())], "10.1.1.1", false);
        let after = changed(&before, &["HTTP_X_FORWARDED_FOR".to_owned()], Some(&list));
        assert_eq!((&*after["REMOTE_ADDR"], &*after["HTTP_X_FORWARDED_FOR"]), (client, rest), "{chain}");
    }
}
