//! Calls: what a worker may answer to them, and that nothing else counts as an answer.

use wire::task::put_names;
use wire::{Answer, Choice, Kind};

use super::*;

fn framed(answer: &Answer<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    answer.put(&mut bytes).unwrap();
    bytes
}

/// What comes of a call that a worker answers with these bytes.
fn called(bytes: &[u8]) -> Outcome {
    let frame = frame();
    let call = Outgoing { terms: Terms { call: true, ..terms() }, ..outgoing(&frame) };
    run(Recorder::default(), &call, move |mut worker| {
        take_request(&mut worker);
        // The child may be gone before it has read all of it.
        let _ = worker.write_all(bytes);
        let _ = worker.shutdown(std::net::Shutdown::Write);
        let _ = worker.read(&mut [0; 1]);
    })
}

#[test]
fn an_answer_comes_with_its_log_lines() {
    let choice = Choice { process_group: Some(b"a"), ..Choice::default() };
    for answer in [Answer::Nothing, Answer::No, Answer::Yes, Answer::Text(b"ann"), Answer::Choice(choice)] {
        let mut bytes = Vec::new();
        wire::response::put_log(&mut bytes, LogLevel::Info, b"asked\n");
        answer.put(&mut bytes).unwrap();
        let outcome = called(&bytes);
        let Ok(Ended::Answer(payload)) = &outcome.result else { panic!("{:?}", outcome.result) };
        assert_eq!(Answer::decode(payload), Ok(answer));
        assert_eq!(outcome.client.logs, [(LogLevel::Info, "asked".to_owned())]);
        assert!(outcome.kept && outcome.client.calls.is_empty());
    }
}

#[test]
fn a_script_that_fails_is_no_answer() {
    let mut bytes = Vec::new();
    wire::response::put_fail(&mut bytes, 500);
    assert_eq!(called(&bytes).result.unwrap(), Ended::Status(500));
}

/// Whatever else a worker sends lets nobody in, and reaches no client.
#[test]
fn wf_3_a_hostile_worker_cannot_answer_a_call_otherwise() {
    let head = head(200, &[]);
    let mut names = Vec::new();
    put_names(&mut names, [&b"staff"[..]]).unwrap();
    let mut cut = framed(&Answer::Text(b"root"));
    cut.pop();
    let mut tag = framed(&Answer::Yes);
    *tag.last_mut().unwrap() = 6;
    let mut nul = framed(&Answer::Text(b"root"));
    *nul.last_mut().unwrap() = 0;
    let hostile = [
        Vec::new(),
        head.clone(),
        [head, data(b"x"), empty(Kind::End)].concat(),
        empty(Kind::End),
        empty(Kind::WantBody),
        data(b"x"),
        cut,
        tag,
        nul,
        names[..names.len() - 1].to_vec(),
        b"\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
    ];
    for bytes in hostile {
        let outcome = called(&bytes);
        assert!(outcome.result.is_err(), "{bytes:?}: {:?}", outcome.result);
        assert!(!outcome.kept && outcome.client.status.is_none() && outcome.client.body.is_empty());
        assert!(outcome.client.calls.is_empty(), "{bytes:?}");
    }
}

#[test]
fn wf_3_an_answer_is_none_to_a_request() {
    let outcome = answer(&framed(&Answer::Yes));
    assert_eq!(outcome.error_status(), 502);
    assert!(!outcome.kept);
}

#[test]
fn more_than_an_answer_is_not_used_again() {
    let bytes = [framed(&Answer::Yes), framed(&Answer::Yes)].concat();
    let outcome = called(&bytes);
    assert!(matches!(outcome.result, Ok(Ended::Answer(_))) && !outcome.kept);
}
