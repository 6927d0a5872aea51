//! The pages of the probe: each answers in its own way.

use crate::Probe;
use httpd::{Answer, Body, Brigade, Level, Mpm, Read, Regex, Request, Tail, Wait};

pub fn say(request: &mut Request<'_>, text: &[u8]) -> Answer {
    let mut brigade = Brigade::new(request);
    match brigade.pass_borrowed(request, &[text], Tail::End) {
        Ok(()) => Answer::Ok,
        Err(_) => Answer::Done,
    }
}

pub fn config_page(request: &mut Request<'_>) -> Answer {
    let (server, dir) = (request.server_config::<Probe>(), request.dir_config::<Probe>());
    let mut text = format!("greeting={}\n", server.greeting.as_deref().unwrap_or(b"-").escape_ascii());
    text += &format!("loud={:?}\n", dir.loud);
    for (name, value) in &dir.options {
        text += &format!("{}={}\n", name.escape_ascii(), value.escape_ascii());
    }
    request.set_content_type(b"text/plain");
    say(request, text.as_bytes())
}

pub fn facts_page(request: &mut Request<'_>) -> Answer {
    let connection = request.connection();
    let show = |text: Option<&[u8]>| text.unwrap_or(b"-").escape_ascii().to_string();
    let mpm = Mpm::query();
    let mut text = format!(
        "method={}\nuri={}\nargs={}\nprotocol={}\nhost={}\nscheme={}\nserver={}:{}\nclient={}\nlocal={}:{}\n",
        show(request.method()),
        show(request.uri()),
        show(request.args()),
        show(request.protocol()),
        show(request.hostname()),
        request.scheme().escape_ascii(),
        request.server_name().escape_ascii(),
        request.server_port(),
        request.useragent().ip.escape_ascii(),
        connection.local().ip.escape_ascii(),
        connection.local().port,
    );
    text += &format!(
        "aborted={} https={} socket={}\nmpm={} threaded={}\npassauth={:?} pathinfo={:?} execcgi={}\n",
        connection.aborted(),
        connection.is_https(),
        connection.socket().is_some(),
        mpm.name,
        mpm.is_threaded,
        request.cgi_pass_auth(),
        request.path_info_rule(),
        request.allows_exec_cgi(),
    );
    for (name, value) in request.headers_in() {
        text += &format!("header {}={}\n", name.escape_ascii(), value.escape_ascii());
    }
    say(request, text.as_bytes())
}

pub fn more_facts(request: &mut Request<'_>) -> Answer {
    let (pool, user) = (request.pool(), httpd::apache_user());
    let lossy = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let root = httpd::server_root_relative(pool, b"x").unwrap_or_default();
    let runtime = httpd::runtime_dir_relative(pool, b"y").unwrap_or_default();
    let error_log = request.server().error_log_fd().ok().flatten().is_some();
    let mut text = format!(
        "user={}:{}\nbanner={}\nroot={}\nruntime={}\nlog={error_log}\n",
        user.uid,
        user.gid,
        lossy(&httpd::server_banner()),
        lossy(&root),
        lossy(&runtime),
    );
    text += &format!(
        "document={}\ncontext={}|{}\nlimit={:?}\nfile={:?}\n",
        lossy(request.document_root()),
        lossy(request.context_prefix()),
        lossy(request.context_document_root()),
        request.limit_request_body(),
        request.file().kind,
    );
    let notes = request.notes();
    notes.set(b"one", b"1");
    notes.add(b"ONE", b"2");
    notes.add(b"two", b"a\0b");
    text += &format!("notes={} {:?}", notes.len(), notes.get(c"One").map(lossy));
    notes.unset(c"one");
    text += &format!(" {} {:?}", notes.len(), notes.get("two").map(lossy));
    notes.clear();
    text += &format!(" {}\n", notes.is_empty());
    say(request, text.as_bytes())
}

pub fn match_page(request: &mut Request<'_>) -> Answer {
    let bad = Regex::new(b"(open").map(|_| ()).map_err(|error| error.to_string());
    let Ok(regex) = Regex::new(b"^/probe(/[a-z]+)$") else { return Answer::Status(500) };
    let Some(captures) = regex.captures(request.uri().unwrap_or_default()) else {
        return Answer::Status(500);
    };
    let replaced = captures.substitute(request.pool(), br"/srv$1.wsgi\$2");
    let text = format!(
        "{bad:?}\n{:?} {:?} {:?}\n{:?}\n",
        captures.range(0),
        captures.get(1).map(<[u8]>::escape_ascii).map(|text| text.to_string()),
        captures.get(2),
        replaced.map(|text| String::from_utf8_lossy(&text).into_owned()),
    );
    say(request, text.as_bytes())
}

pub fn echo(request: &mut Request<'_>) -> Answer {
    let (mut reader, mut body) = (Body::new(request), Vec::new());
    loop {
        match reader.read(request, &mut body, 8192, Wait::Yes) {
            Read::Data(_) | Read::WouldBlock => {}
            Read::End => return say(request, &body),
            Read::Timeout => return Answer::Status(408),
            Read::ClientGone => {
                request.log().write(Level::Notice, b"the client left");
                return Answer::Done;
            }
            Read::Refused(status) => return Answer::Status(status),
            Read::Answered => return Answer::Answered,
        }
    }
}

pub fn file(request: &mut Request<'_>) -> Answer {
    let Ok(file) = std::fs::File::open("/proc/self/exe") else { return Answer::Status(500) };
    let mut brigade = Brigade::new(request);
    request.set_content_length(1000);
    if brigade.push_file(request, file.into(), 1, 1000, None, b"the file is short").is_err() {
        return Answer::Status(500);
    }
    brigade.push_end();
    brigade.pass(request).map_or(Answer::Done, |()| Answer::Ok)
}

/// Sends a part of a file, as many bytes as the query says first, of which the second number are not there.
pub fn short_file(request: &mut Request<'_>) -> Answer {
    let numbers = std::str::from_utf8(request.args().unwrap_or_default()).unwrap_or_default();
    let mut numbers = numbers.split(',').filter_map(|number| number.parse::<u64>().ok());
    let (Some(length), Some(missing)) = (numbers.next(), numbers.next()) else { return Answer::Status(400) };
    let Ok(file) = std::fs::File::open("/proc/self/exe") else { return Answer::Status(500) };
    let size = file.metadata().map_or(0, |facts| facts.len());
    let mut brigade = Brigade::new(request);
    request.set_content_length(length);
    request.set_content_type(b"text/plain");
    let offset = size.saturating_sub(length - missing);
    if brigade.push_file(request, file.into(), offset, length, None, b"the file is short").is_err() {
        return Answer::Status(500);
    }
    brigade.push_end();
    brigade.pass(request).map_or(Answer::Done, |()| Answer::Ok)
}

pub fn stream(request: &mut Request<'_>) -> Answer {
    let mut brigade = Brigade::new(request);
    for number in 0..5 {
        let piece = format!("piece {number}\n");
        if brigade.pass_borrowed(request, &[piece.as_bytes()], Tail::Flush).is_err() {
            return Answer::Done;
        }
    }
    brigade.pass_borrowed(request, &[b"the end\n"], Tail::End).map_or(Answer::Done, |()| Answer::Ok)
}

pub fn broken(request: &mut Request<'_>) -> Answer {
    let mut brigade = Brigade::new(request);
    // The client may leave at any time; the response is broken anyway.
    let _ = brigade.pass_borrowed(request, &[b"half of"], Tail::Flush);
    request.break_off();
    Answer::Done
}

pub fn panic_late(request: &mut Request<'_>) -> Answer {
    let mut brigade = Brigade::new(request);
    let passed = brigade.pass_borrowed(request, &[b"half of"], Tail::Flush);
    panic!("asked to panic after {passed:?}");
}

pub fn long_line(request: &mut Request<'_>) -> Answer {
    let line = format!("begin {} end\u{7}", "0123456789".repeat(2000));
    request.log().write(Level::Error, line.as_bytes());
    say(request, b"logged")
}
