//! Gets a request to a worker over a connection that works, and decides when it may be sent once more. The answer is
//! `exchange`'s part, where connections come from is `pool`'s.

use std::io::{ErrorKind, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use unix::stream::{self, Interest};
use wire::RefusalReason;

use super::client::Client;
use super::exchange::{Ended, Exchange, Terms};
use super::failure::{Failure, Stage};
use super::inbox::Inbox;

/// New connections that may be closed before they have taken the request: a worker that is being replaced closes one, its
/// successor hardly another.
const FRESH_TRIES: u32 = 4;
/// Workers that may answer that their script is out of date: the one that was running, and its successor when the script changes
/// once more while it starts.
const RELOADS: u32 = 3;

/// Where connections to one worker slot come from and go to.
pub trait Line {
    /// An idle one.
    fn idle(&self) -> Option<OwnedFd>;
    /// A new one.
    ///
    /// # Errors
    /// Why there is none.
    fn fresh(&self) -> Result<OwnedFd, Failure>;
    /// Keeps one for the next request.
    fn keep(&self, connection: OwnedFd);
    /// Drops all idle ones: the worker they lead to is gone.
    fn forget(&self);
}

/// A request, encoded.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The request frame.
    pub frame: &'a [u8],
    /// The body's file, which travels with the frame.
    pub file: Option<BorrowedFd<'a>>,
    /// What else is known.
    pub terms: Terms<'a>,
}

/// Sends the request and relays the answer. `free` is called as soon as the worker has no more to do with the request, before
/// the client has the last bytes.
///
/// # Errors
/// [`Failure`] and where it happened. When the client has got a part of the response, it has seen that the rest is missing.
pub fn deliver(
    client: &mut impl Client,
    inbox: &mut Inbox,
    line: &impl Line,
    request: &Outgoing<'_>,
    free: impl FnOnce(),
) -> Result<Ended, (Failure, Stage)> {
    let (mut fresh_only, mut repeated) = (false, false);
    let mut fresh = 0;
    let mut reloads = 0;
    loop {
        let idle = if fresh_only { None } else { line.idle() };
        fresh += u32::from(idle.is_none());
        let connection = match idle {
            Some(connection) => connection,
            None => line.fresh().map_err(|failure| (failure, Stage::Sending))?,
        };
        match send(&connection, request) {
            Ok(()) => {}
            // The worker takes no more on this connection: nothing of the request was looked at.
            Err(Failure::Reset) if fresh < FRESH_TRIES => continue,
            Err(Failure::Reset) => return Err((Failure::NotTaken(fresh), Stage::Sending)),
            Err(failure) => return Err((failure, Stage::Sending)),
        }
        let mut exchange = Exchange::new(client, inbox, request.terms);
        let result = exchange.run(connection.as_fd());
        if matches!(result, Err(Failure::Reset)) && exchange.is_untouched() {
            // It was closed with bytes of ours unread, and an application starts only when all of them were read. None of a
            // streamed body is among them: it was not asked for. The other idle connections lead to the same worker.
            line.forget();
            fresh_only = true;
            if std::mem::replace(&mut repeated, true) {
                return Err((Failure::NotTaken(fresh), Stage::Sending));
            }
            continue;
        }
        if let Err(Failure::Refused { reason: RefusalReason::Reload, .. }) = result {
            // Refused before the application saw it, and before the body was asked for: the successor gets all of it.
            line.forget();
            fresh_only = true;
            reloads += 1;
            if reloads < RELOADS {
                fresh = 0;
                continue;
            }
            return Err((Failure::Reloading(reloads), Stage::Sending));
        }
        if result.is_ok() && exchange.is_reusable() {
            line.keep(connection);
        } else {
            drop(connection);
        }
        free();
        let result = conclude(result, &mut exchange);
        return result.map_err(|failure| (failure, exchange.stage()));
    }
}

fn conclude<C: Client>(
    result: Result<Ended, Failure>,
    exchange: &mut Exchange<'_, C>,
) -> Result<Ended, Failure> {
    match result {
        Ok(Ended::Response) => exchange.finish().map(|()| Ended::Response),
        Ok(status) => Ok(status),
        Err(failure) => {
            if exchange.has_sent() && !matches!(failure, Failure::ClientGone | Failure::BodyGone) {
                exchange.break_off();
            }
            Err(failure)
        }
    }
}

/// [`Failure::Reset`] when the worker does not read on this connection.
fn send(connection: &OwnedFd, request: &Outgoing<'_>) -> Result<(), Failure> {
    let mut attached = request.file.as_slice();
    let mut rest = request.frame;
    while !rest.is_empty() {
        match stream::send(connection, &[IoSlice::new(rest)], attached) {
            Ok(count) => {
                rest = rest.get(count..).unwrap_or_default();
                attached = &[];
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {
                    match stream::wait([(connection.as_fd(), Interest::Write)], request.terms.silence) {
                        Ok(true) => {}
                        Ok(false) => return Err(Failure::Silent(request.terms.silence)),
                        Err(error) => return Err(Failure::Connection(error)),
                    }
                }
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => return Err(Failure::Reset),
                _ => return Err(Failure::Connection(error)),
            },
        }
    }
    Ok(())
}
