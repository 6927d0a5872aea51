//! Values and strategies that several test files share; no assertions.

use proptest::collection::vec;
use proptest::prelude::*;
use wire::{Body, Flags, Request, RequestEncoder, RequestFields, WireError};

/// A request that owns its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    pub flags: Flags,
    pub times: (u64, u64),
    pub names: (Vec<u8>, Vec<u8>, Vec<u8>),
    pub environ: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: OwnedBody,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedBody {
    Inline(Vec<u8>),
    File(u64),
    Stream(Option<u64>),
}

impl OwnedBody {
    pub fn borrow(&self) -> Body<'_> {
        match self {
            Self::Inline(bytes) => Body::Inline(bytes),
            Self::File(length) => Body::File(*length),
            Self::Stream(length) => Body::Stream(*length),
        }
    }
}

impl Owned {
    /// A small request with every field in use.
    pub fn sample() -> Self {
        Self {
            flags: Flags { https: true, seekable_input: true, ..Flags::default() },
            times: (1, u64::MAX),
            names: (b"group".to_vec(), b"/srv/site/app.wsgi".to_vec(), b"application".to_vec()),
            environ: vec![
                (b"PATH_INFO".to_vec(), b"/caf\xc3\xa9\0".to_vec()),
                (b"HTTP_HOST".to_vec(), b"localhost".to_vec()),
                (b"HTTP_HOST".to_vec(), Vec::new()),
            ],
            body: OwnedBody::Inline(b"a=1".to_vec()),
        }
    }

    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        let fields = RequestFields {
            flags: self.flags,
            request_start: self.times.0,
            queue_start: self.times.1,
            application_group: &self.names.0,
            script: &self.names.1,
            callable: &self.names.2,
        };
        let mut encoder = RequestEncoder::new(out, &fields)?;
        for (key, value) in &self.environ {
            encoder.pair(key, value)?;
        }
        encoder.finish(self.body.borrow())
    }

    pub fn of(request: &Request<'_>) -> Self {
        Self {
            flags: request.flags,
            times: (request.request_start, request.queue_start),
            names: (request.application_group.to_vec(), request.script.to_vec(), request.callable.to_vec()),
            environ: request.environ().map(|(key, value)| (key.to_vec(), value.to_vec())).collect(),
            body: match request.body {
                Body::Inline(bytes) => OwnedBody::Inline(bytes.to_vec()),
                Body::File(length) => OwnedBody::File(length),
                Body::Stream(length) => OwnedBody::Stream(length),
            },
        }
    }
}

/// Bytes of any value, NUL included, sometimes as long as 64 KiB and beyond.
pub fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..40),
        1 => (0_u8.., 65_530_usize..65_550).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

pub fn body() -> impl Strategy<Value = OwnedBody> {
    prop_oneof![
        vec(any::<u8>(), 0..200).prop_map(OwnedBody::Inline),
        Just(OwnedBody::Inline(vec![0; wire::frame::MAX_INLINE_BODY as usize])),
        any::<u64>().prop_map(OwnedBody::File),
        any::<Option<u64>>().prop_map(OwnedBody::Stream),
    ]
}

pub fn request() -> impl Strategy<Value = Owned> {
    let script = vec(1_u8.., 0..60).prop_map(|mut rest| {
        rest.insert(0, b'/');
        rest
    });
    // Few different bytes make equal keys likely.
    let key = prop_oneof![vec(b'A'..=b'C', 1..3), vec(any::<u8>(), 1..30)];
    (
        any::<[bool; 4]>(),
        any::<(u64, u64)>(),
        (vec(any::<u8>(), 0..20), script, vec(any::<u8>(), 0..20)),
        vec((key, value()), 0..8),
        body(),
    )
        .prop_map(
            |([https, script_reloading, seekable_input, ignore_activity], times, names, environ, body)| {
                let flags = Flags { https, script_reloading, seekable_input, ignore_activity };
                Owned { flags, times, names, environ, body }
            },
        )
}

/// `PROPTEST_CASES` from the environment, else `usual`.
pub fn cases(usual: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(wanted.unwrap_or(usual)) }
}
