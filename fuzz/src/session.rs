//! What the fuzz targets do with bytes: read them as one side of a connection, frame by frame, as the receiver does.
//! Every frame that is accepted must be exactly what the encoder writes for its value. Also replayed by wire's own tests.
#![forbid(unsafe_code)]

use wire::response::{decode_fail, put_fail, put_head, put_log};
use wire::{
    Answer, Body, FilePart, FrameHeader, HEADER_LEN, Kind, Log, Refusal, Request, RequestEncoder,
    RequestFields, RequestOrder, ResponseHead, ResponseOrder, Split, WireError, split,
};

/// Reads `bytes` as a worker reads a child.
pub fn request(bytes: &[u8]) {
    let mut order = RequestOrder::default();
    let _ = frames(bytes, |kind, payload| {
        let request = if kind == Kind::Request { Some(Request::decode(payload)?) } else { None };
        let streamed = request.as_ref().is_some_and(|request| matches!(request.body, Body::Stream(_)));
        order.accept(kind, streamed)?;
        if let Some(request) = request {
            same(payload, |out| encode(&request, out));
        }
        if order == RequestOrder::Complete {
            assert!(order.answered(), "a complete request leaves the connection usable");
        }
        Ok(())
    });
}

/// Reads `bytes` as a child reads a worker. The lowest bit of the first byte says whether the request had a streamed body, the
/// third whether requests are calls.
pub fn response(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let begin =
        |bit| if first & 4 == 4 { ResponseOrder::call() } else { ResponseOrder::new(first & bit == bit) };
    let mut order = begin(1);
    let _ = frames(bytes, |kind, payload| {
        order.accept(kind)?;
        match kind {
            Kind::Head => {
                let head = ResponseHead::decode(payload)?;
                assert_eq!(head.headers().count(), head.len());
                same(payload, |out| put_head(out, head.status, head.reason, head.headers()));
            }
            Kind::File => {
                let part = FilePart::decode(payload)?;
                assert!(i64::try_from(part.offset + part.length).is_ok(), "{part:?}");
                same(payload, |out| {
                    part.put(out);
                    Ok(())
                });
            }
            Kind::Fail => {
                let status = decode_fail(payload)?;
                same(payload, |out| {
                    put_fail(out, status);
                    Ok(())
                });
            }
            Kind::Log => {
                let log = Log::decode(payload)?;
                same(payload, |out| {
                    put_log(out, log.level, log.text);
                    Ok(())
                });
            }
            Kind::Refuse => {
                let refusal = Refusal::decode(payload)?;
                same(payload, |out| {
                    refusal.put(out);
                    Ok(())
                });
            }
            Kind::Answer => answer(payload)?,
            Kind::Data => assert!(!payload.is_empty(), "data frames are never empty"),
            Kind::End | Kind::Abort | Kind::WantBody => {
                assert!(payload.is_empty(), "{kind:?} carries nothing")
            }
            Kind::Request | Kind::Body | Kind::BodyEnd | Kind::BodyAbort => {
                panic!("{kind:?} was taken from a worker")
            }
        }
        if order.is_done() {
            order = begin(2);
        }
        Ok(())
    });
}

fn answer(payload: &[u8]) -> Result<(), WireError> {
    let answer = Answer::decode(payload)?;
    if let Answer::Names(names) = answer {
        assert_eq!(names.iter().count(), names.len());
    }
    same(payload, |out| answer.put(out));
    Ok(())
}

/// Hands each frame to `take` until the bytes or the patience of one side end.
fn frames(
    mut bytes: &[u8],
    mut take: impl FnMut(Kind, &[u8]) -> Result<(), WireError>,
) -> Result<(), WireError> {
    loop {
        match split(bytes)? {
            Split::Frame { kind, payload, consumed } => {
                assert_eq!(consumed, HEADER_LEN + payload.len());
                take(kind, payload)?;
                bytes = bytes.get(consumed..).unwrap_or_default();
            }
            Split::Need(needed) => {
                assert!(needed > bytes.len(), "asks for {needed} and has {}", bytes.len());
                if let Some(header) = bytes.first_chunk::<HEADER_LEN>() {
                    let (_, most) = FrameHeader::parse(*header)?.kind.payload_limits();
                    assert!(needed <= HEADER_LEN + most as usize, "asks for {needed}");
                }
                return Ok(());
            }
        }
    }
}

/// The encoder must write `payload` again.
fn same(payload: &[u8], put: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>) {
    let mut again = Vec::new();
    match put(&mut again) {
        Ok(()) => {
            assert_eq!(again.get(HEADER_LEN..), Some(payload), "accepted, but not what the encoder writes")
        }
        Err(error) => panic!("accepted, but refused by the encoder: {error}"),
    }
}

fn encode(request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), WireError> {
    let fields = RequestFields {
        flags: request.flags,
        request_start: request.request_start,
        queue_start: request.queue_start,
        application_group: request.application_group,
        script: request.script,
        callable: request.callable,
        task: request.task,
    };
    let mut encoder = RequestEncoder::new(out, &fields)?;
    assert_eq!(request.environ().count(), request.environ_len());
    for (key, value) in request.environ() {
        encoder.pair(key, value)?;
    }
    encoder.finish(request.body)
}
