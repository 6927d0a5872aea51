//! A client that behaves as a person's browser: it keeps cookies, follows redirects, and fills forms in.

use crate::{Apache, Response};
use regex::Regex;
use std::collections::BTreeMap;

/// Redirects followed in a row.
const REDIRECTS: usize = 10;
/// Between the parts of a form.
const EDGE: &str = "edge-of-a-part";

/// A browser without anything in its memory.
pub struct Browser<'a> {
    apache: &'a Apache,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    /// A new one, which visits this server.
    pub fn new(apache: &'a Apache) -> Self {
        Self { apache, cookies: BTreeMap::new() }
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// Sends a request with the cookies it has, and follows redirects with GET.
    #[track_caller]
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Response {
        let mut response = self.one(method, path, headers, body);
        for _ in 0..REDIRECTS {
            let (301..=303, Some(place)) = (response.status, response.header("Location")) else { break };
            let here = format!("http://{}", self.apache.address());
            let path = place.strip_prefix(&here).unwrap_or(place).to_owned();
            response = self.one("GET", &path, &[], None);
        }
        response
    }

    #[track_caller]
    fn one(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Response {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.apache.request(method, path);
        if !cookies.is_empty() {
            request = request.header("Cookie", &cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send();
        for cookie in response.headers_named("Set-Cookie") {
            let (name, value) =
                cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie has a name");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }

    /// A page that is there.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, &[], None).expect_status(200)
    }

    /// Sends fields as a simple form does.
    #[track_caller]
    pub fn post(&mut self, path: &str, fields: &str) -> Response {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        self.send("POST", path, &[kind], Some(fields.as_bytes().to_vec()))
    }

    /// Sends fields, and a file (name of the field, name of the file, content), as a form with an upload does.
    #[track_caller]
    pub fn upload(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        file: Option<(&str, &str, &[u8])>,
    ) -> Response {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part =
                format!("--{EDGE}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend(part.into_bytes());
        }
        if let Some((field, name, data)) = file {
            let head = format!(
                "--{EDGE}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            );
            body.extend(head.into_bytes());
            body.extend(data);
            body.extend(b"\r\n");
        }
        body.extend(format!("--{EDGE}--\r\n").into_bytes());
        let kind = format!("multipart/form-data; boundary={EDGE}");
        self.send("POST", path, &[("Content-Type", &kind)], Some(body))
    }

    /// Fills the form at `path` in and sends it, with the token that Django put into it.
    #[track_caller]
    pub fn submit(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        file: Option<(&str, &str, &[u8])>,
    ) -> Response {
        let page = self.get(path).text();
        let token = Regex::new(r#"name="csrfmiddlewaretoken" value="([^"]+)""#).expect("is valid");
        let token = token.captures(&page).unwrap_or_else(|| panic!("no CSRF token in {page}"))[1].to_owned();
        let fields = [&[("csrfmiddlewaretoken", token.as_str())], fields].concat();
        self.upload(path, &fields, file).expect_status(200)
    }
}
