//! Replays the fuzzers' corpus, and keeps its seeds in step with the format: `UPDATE_SEEDS=1` writes them anew.

use std::fs;
use std::path::PathBuf;

use wire::frame::put_empty;
use wire::response::{data_frames, put_fail, put_head, put_log};
use wire::task::put_names;
use wire::{Answer, Choice, FilePart, Kind, LogLevel, Refusal, RefusalReason};

use crate::common::{Owned, OwnedBody};
use crate::session;

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

fn replay(target: &str, run: fn(&[u8])) {
    let mut count = 0;
    for entry in fs::read_dir(corpus(target)).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        run(&bytes);
        // A frame that ends early is the commonest accident; the corpus is small enough to try each.
        (0..bytes.len().min(600)).for_each(|end| run(&bytes[..end]));
        count += 1;
    }
    assert!(count > 0, "no file in {}", corpus(target).display());
}

#[test]
fn wf_1_request_corpus_is_replayed() {
    replay("request", session::request);
}

#[test]
fn wf_1_response_corpus_is_replayed() {
    replay("response", session::response);
}

#[test]
fn seeds_are_those_of_this_version() {
    for (target, name, bytes) in request_seeds().into_iter().chain(response_seeds()) {
        let path = corpus(target).join(format!("seed-{name}"));
        if std::env::var_os("UPDATE_SEEDS").is_some() {
            fs::write(&path, &bytes).unwrap();
        }
        let found = fs::read(&path).unwrap_or_default();
        assert!(found == bytes, "{} differs: run this test with UPDATE_SEEDS=1", path.display());
    }
}

type Seed = (&'static str, &'static str, Vec<u8>);

fn put_block(kind: Kind, block: &[u8], out: &mut Vec<u8>) {
    for (header, piece) in data_frames(kind, block) {
        out.extend_from_slice(&header);
        out.extend_from_slice(piece);
    }
}

fn request_seeds() -> Vec<Seed> {
    let with = |body| {
        let mut bytes = Vec::new();
        Owned { body, ..Owned::sample() }.encode(&mut bytes).unwrap();
        bytes
    };
    let streamed = |end| {
        let mut bytes = with(OwnedBody::Stream(Some(6)));
        put_block(Kind::Body, b"abc", &mut bytes);
        put_block(Kind::Body, b"def", &mut bytes);
        put_empty(end, &mut bytes);
        bytes
    };
    let two = [with(OwnedBody::Inline(Vec::new())), with(OwnedBody::Inline(b"x=1".to_vec()))].concat();
    let mut plain = Vec::new();
    let empty = Owned { environ: Vec::new(), body: OwnedBody::Stream(None), ..Owned::sample() };
    empty.encode(&mut plain).unwrap();
    let call = |number| {
        let mut bytes = Vec::new();
        Owned::call(number).encode(&mut bytes).unwrap();
        bytes
    };
    vec![
        ("request", "calls", (1..=5).flat_map(call).collect()),
        ("request", "two-inline", two),
        ("request", "file", with(OwnedBody::File(1 << 33))),
        ("request", "streamed", streamed(Kind::BodyEnd)),
        ("request", "streamed-aborted", streamed(Kind::BodyAbort)),
        ("request", "no-environ", plain),
    ]
}

fn response_seeds() -> Vec<Seed> {
    let head = |first: u8| {
        let mut bytes = vec![first];
        let headers: [(&[u8], &[u8]); 2] = [(b"Content-Type", b"text/plain"), (b"Set-Cookie", b"a=\xff")];
        put_log(&mut bytes, LogLevel::Error, b"line\nanother");
        put_head(&mut bytes, 200, b"OK", headers).unwrap();
        bytes
    };
    let mut whole = head(0);
    put_block(Kind::Data, b"hello", &mut whole);
    put_empty(Kind::End, &mut whole);
    let mut file = head(0);
    FilePart { offset: 3, length: 1 << 40 }.put(&mut file);
    put_empty(Kind::Abort, &mut file);
    let mut asked = vec![3];
    put_empty(Kind::WantBody, &mut asked);
    put_fail(&mut asked, 500);
    put_empty(Kind::WantBody, &mut asked);
    let mut refused = vec![0];
    Refusal { reason: RefusalReason::Script, text: b"not below a root" }.put(&mut refused);
    let mut answers = vec![4];
    let choice = Choice { process_group: Some(b"a"), callable: Some(b""), ..Choice::default() };
    for answer in [Answer::Nothing, Answer::No, Answer::Yes, Answer::Text(b"ann"), Answer::Choice(choice)] {
        put_log(&mut answers, LogLevel::Info, b"asked");
        answer.put(&mut answers).unwrap();
    }
    put_names(&mut answers, [&b"staff"[..], b"", b"\xff"]).unwrap();
    vec![
        ("response", "answers", answers),
        ("response", "whole", whole),
        ("response", "file-aborted", file),
        ("response", "want-body-fail", asked),
        ("response", "refused", refused),
    ]
}
