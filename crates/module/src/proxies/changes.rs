//! What trusted headers change in an environ: a function of the configuration, the peer and the headers.

use std::ffi::CStr;
use std::net::IpAddr;

use super::network::Network;
use super::registry::{CATEGORIES, Category, Form, Header};

/// What is configured.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// `WSGITrustedProxyHeaders`, in the configured order.
    pub headers: &'a [&'static Header],
    /// `WSGITrustedProxies`; without it every peer is believed.
    pub networks: Option<&'a [Network]>,
}

/// The changes. What is `None` stays as it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes<'r> {
    /// `REMOTE_ADDR`
    pub remote_addr: Option<&'r [u8]>,
    /// `HTTP_X_FORWARDED_FOR`: the part of the chain that can be believed.
    pub forwarded_for: Option<Vec<u8>>,
    /// `HTTP_HOST`
    pub host: Option<&'r [u8]>,
    /// `SERVER_NAME`
    pub server_name: Option<&'r [u8]>,
    /// `SERVER_PORT`
    pub server_port: Option<&'r [u8]>,
    /// `SCRIPT_NAME`, also `mod_wsgi.mount_point`; `mod_wsgi.script_name` keeps what it was.
    pub script_name: Option<&'r [u8]>,
    /// Whether `wsgi.url_scheme` is `https`, whatever the connection is.
    pub https: Option<bool>,
    /// One for each category; `None` where nothing is configured.
    verdicts: Option<[Verdict; CATEGORIES]>,
}

/// Which headers of a category reach the application.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Verdict {
    /// All: none of them is configured.
    #[default]
    All,
    /// None: nobody vouches for them.
    None,
    /// This one.
    Only(&'static Header),
}

impl Changes<'_> {
    /// Whether the variable must not reach the application: a header that nobody vouches for.
    #[must_use]
    pub fn hides(&self, key: &[u8]) -> bool {
        let Some(verdicts) = &self.verdicts else { return false };
        let Some(header) = Header::with_key(key) else { return false };
        match verdicts[header.category as usize] {
            Verdict::All => false,
            Verdict::None => true,
            Verdict::Only(kept) => kept != header,
        }
    }
}

/// The key of the one header whose value changes.
const CHAIN: &[u8] = b"HTTP_X_FORWARDED_FOR";

/// Works the changes out. `peer` is who sent the request; `value` gives the value of one of its headers.
#[must_use]
pub fn changes<'r>(rules: Rules<'_>, peer: &[u8], value: impl Fn(&CStr) -> Option<&'r [u8]>) -> Changes<'r> {
    let mut changes = Changes::default();
    let mut verdicts = [Verdict::All; CATEGORIES];
    for header in rules.headers {
        verdicts[header.category as usize] = Verdict::None;
    }
    if rules.networks.is_none_or(|networks| is_trusted(peer, networks)) {
        for header in rules.headers {
            if let Some(value) = value(header.name) {
                // Of several synonyms, the last one that is there stays.
                verdicts[header.category as usize] = Verdict::Only(header);
                changes.apply(header, value, rules.networks);
            }
        }
    }
    changes.verdicts = Some(verdicts);
    if changes.hides(CHAIN) {
        changes.forwarded_for = None;
    }
    changes
}

fn is_trusted(item: &[u8], networks: &[Network]) -> bool {
    let address = std::str::from_utf8(item).ok().and_then(|text| text.parse::<IpAddr>().ok());
    address.is_some_and(|address| networks.iter().any(|network| network.contains(address)))
}

impl<'r> Changes<'r> {
    fn apply(&mut self, header: &Header, value: &'r [u8], networks: Option<&[Network]>) {
        // PEP 3333 wants SERVER_NAME and SERVER_PORT with something in them, and nothing is nobody's address.
        let text = Some(value).filter(|value| !value.is_empty());
        match (header.category, header.form) {
            (Category::Client, Form::Chain) => self.read_chain(value, networks),
            (Category::Client, _) => self.remote_addr = text.or(self.remote_addr),
            (Category::Host, _) => self.host = text.or(self.host),
            (Category::Server, _) => self.server_name = text.or(self.server_name),
            (Category::Port, _) => self.server_port = text.or(self.server_port),
            (Category::ScriptName, _) => self.script_name = Some(value),
            (Category::Scheme, Form::Flag) => self.https = flag(value).or(self.https),
            (Category::Scheme, _) => self.https = scheme(value).or(self.https),
        }
    }

    /// `X-Forwarded-For`. Without a list of proxies the first address is the client. With one, the chain is believed from its end
    /// as far as it consists of trusted proxies: the address in front of those is the client, and what stands further in front
    /// the client may have written itself.
    fn read_chain(&mut self, chain: &'r [u8], networks: Option<&[Network]>) {
        let items: Vec<&[u8]> =
            chain.split(|byte| *byte == b',').map(trimmed).filter(|i| !i.is_empty()).collect();
        let trusted = |networks| items.iter().rev().take_while(|item| is_trusted(item, networks)).count();
        let client = match networks {
            None => 0,
            Some(networks) => items.len().saturating_sub(trusted(networks) + 1),
        };
        let Some(believed) = items.get(client..).filter(|items| !items.is_empty()) else { return };
        self.remote_addr = believed.first().copied();
        if networks.is_some() {
            self.forwarded_for = Some(believed.join(&b", "[..]));
        }
    }
}

/// Without C's white space around it.
fn trimmed(item: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = item.iter().position(|byte| !is_space(byte)).unwrap_or(item.len());
    let end = item.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    item.get(start..end).unwrap_or_default()
}

fn scheme(value: &[u8]) -> Option<bool> {
    let is = |word: &[u8]| value.eq_ignore_ascii_case(word);
    if is(b"https") { Some(true) } else { is(b"http").then_some(false) }
}

fn flag(value: &[u8]) -> Option<bool> {
    let among = |words: [&[u8]; 3]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if among([b"on", b"true", b"1"]) { Some(true) } else { among([b"off", b"false", b"0"]).then_some(false) }
}
