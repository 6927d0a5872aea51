//! The conversation with the supervisor: a definition and its answer, and the request to stop.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use spec::Definitions;
use spec::control::{Attachment, FromSupervisor, ListenerName, ToSupervisor};
use thiserror::Error;
use unix::channel;

/// Why a definition is not in force.
#[derive(Debug, Error)]
pub(super) enum NotDefined {
    /// The supervisor has ended or does not answer.
    #[error("wsgi-supervisor gives no answer: {0}")]
    Gone(std::io::Error),
    /// It answered with something that is no answer.
    #[error(
        "wsgi-supervisor answers in a language that this module does not know: install both from the same version"
    )]
    Language,
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

impl From<std::io::Error> for NotDefined {
    fn from(error: std::io::Error) -> Self {
        Self::Gone(error)
    }
}

/// Sends the definitions with what belongs to them; returns the listeners that were bound for it.
pub(super) fn define(
    channel: BorrowedFd<'_>,
    definitions: &Definitions,
    listeners: Vec<(ListenerName, OwnedFd)>,
    logs: Vec<(Attachment, OwnedFd)>,
    deadline: Instant,
) -> Result<Vec<(ListenerName, OwnedFd)>, NotDefined> {
    let listeners = listeners.into_iter().map(|(name, fd)| (Attachment::Listener(name), fd));
    let (attached, descriptors): (Vec<Attachment>, Vec<OwnedFd>) = listeners.chain(logs).unzip();
    let message = ToSupervisor::Define { definitions: Box::new(definitions.clone()), attached };
    let bytes = serde_json::to_vec(&message).map_err(|_| NotDefined::Language)?;
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    channel::send(channel, &bytes, &borrowed, deadline)?;
    let answer = channel::receive(channel, deadline)?
        .ok_or_else(|| NotDefined::Gone(ErrorKind::UnexpectedEof.into()))?;
    match serde_json::from_slice(&answer.bytes).map_err(|_| NotDefined::Language)? {
        FromSupervisor::Refused { reason } => Err(NotDefined::Refused(reason)),
        FromSupervisor::Stopping => {
            Err(NotDefined::Gone(std::io::Error::other("somebody else has told it to stop")))
        }
        FromSupervisor::Defined { listeners } if listeners.len() == answer.descriptors.len() => {
            Ok(listeners.into_iter().zip(answer.descriptors).collect())
        }
        FromSupervisor::Defined { .. } => Err(NotDefined::Language),
    }
}

/// Asks the supervisor to stop and waits until it has closed the channel, at most until `deadline`.
pub(super) fn stop(channel: BorrowedFd<'_>, deadline: Instant) -> Result<(), NotDefined> {
    let bytes = serde_json::to_vec(&ToSupervisor::Stop).map_err(|_| NotDefined::Language)?;
    channel::send(channel, &bytes, &[], deadline)?;
    while channel::receive(channel, deadline)?.is_some() {}
    Ok(())
}
