//! Values and strategies that several test files share; no assertions.

use proptest::collection::vec;
use proptest::prelude::*;
use wire::{Body, Flags, Request, RequestEncoder, RequestFields, Task, WireError};

/// A request that owns its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    pub flags: Flags,
    pub times: (u64, u64),
    pub names: (Vec<u8>, Vec<u8>, Vec<u8>),
    pub task: OwnedTask,
    pub environ: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: OwnedBody,
}

/// A task by its number, with two arguments of which it may use fewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedTask(pub u8, pub Vec<u8>, pub Vec<u8>);

impl OwnedTask {
    pub fn borrow(&self) -> Task<'_> {
        let Self(number, first, second) = self;
        match number {
            0 => Task::Application,
            1 => Task::AllowAccess { host: first },
            2 => Task::CheckPassword { user: first, password: second },
            3 => Task::RealmHash { user: first, realm: second },
            4 => Task::GroupsForUser { user: first },
            _ => Task::Dispatch,
        }
    }

    fn of(task: Task<'_>) -> Self {
        let (number, first, second): (u8, &[u8], &[u8]) = match task {
            Task::Application => (0, b"", b""),
            Task::AllowAccess { host } => (1, host, b""),
            Task::CheckPassword { user, password } => (2, user, password),
            Task::RealmHash { user, realm } => (3, user, realm),
            Task::GroupsForUser { user } => (4, user, b""),
            Task::Dispatch => (5, b"", b""),
        };
        Self(number, first.to_vec(), second.to_vec())
    }
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
            task: OwnedTask(0, Vec::new(), Vec::new()),
            environ: vec![
                (b"PATH_INFO".to_vec(), b"/caf\xc3\xa9\0".to_vec()),
                (b"HTTP_HOST".to_vec(), b"localhost".to_vec()),
                (b"HTTP_HOST".to_vec(), Vec::new()),
            ],
            body: OwnedBody::Inline(b"a=1".to_vec()),
        }
    }

    /// The same as a call of the task with this number.
    pub fn call(number: u8) -> Self {
        let mut owned = Self { body: OwnedBody::Inline(Vec::new()), ..Self::sample() };
        owned.names.2.clear();
        owned.task = OwnedTask::of(OwnedTask(number, b"ann".to_vec(), b"secret".to_vec()).borrow());
        owned
    }

    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        let fields = RequestFields {
            flags: self.flags,
            request_start: self.times.0,
            queue_start: self.times.1,
            application_group: &self.names.0,
            script: &self.names.1,
            callable: &self.names.2,
            task: self.task.borrow(),
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
            task: OwnedTask::of(request.task),
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
        (0..=5_u8, value(), vec(any::<u8>(), 0..20)),
    )
        .prop_map(
            |(
                [https, script_reloading, seekable_input, ignore_activity],
                times,
                names,
                environ,
                body,
                task,
            )| {
                let flags = Flags { https, script_reloading, seekable_input, ignore_activity };
                let (number, mut first, second) = task;
                first.truncate(usize::from(u16::MAX));
                let task = OwnedTask::of(OwnedTask(number, first, second).borrow());
                let mut owned = Owned { flags, times, names, task, environ, body };
                if number > 0 {
                    owned.names.2.clear();
                    owned.body = OwnedBody::Inline(Vec::new());
                }
                owned
            },
        )
}

/// `PROPTEST_CASES` from the environment, else `usual`.
pub fn cases(usual: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(wanted.unwrap_or(usual)) }
}
