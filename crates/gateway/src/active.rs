//! A request while it is being served: what its Python objects share. They may outlive it; then they find nothing.

use std::cell::RefCell;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use python::{Attached, Error, Loan, Mutex, Stored};

use crate::codes::Code;
use crate::events::Meter;
use crate::exchange::{BodyError, Exchange, Level, WriteError};
use crate::hint;
use crate::response::Response;
use crate::script::Script;

thread_local! {
    /// The request this thread serves now.
    static CURRENT: RefCell<Option<Arc<Active>>> = const { RefCell::new(None) };
}

/// The request the calling thread serves, if it is a request thread at work.
pub(crate) fn current() -> Option<Arc<Active>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Makes it the request of this thread, or none.
pub(crate) fn set_current(active: Option<Arc<Active>>) {
    CURRENT.set(active);
}

pub(crate) struct Active {
    pub(crate) exchange: Loan<dyn Exchange>,
    pub(crate) response: Mutex<Response>,
    pub(crate) script: Arc<Script>,
    /// `mod_wsgi.request_data()`; taken out while attached, before the request ends.
    pub(crate) data: Mutex<Option<Arc<Stored>>>,
    over: AtomicBool,
    /// What all events of the request have; `None` while no subscriber is told about it. As `data`.
    events: Mutex<Option<Arc<Stored>>>,
    /// Counts only while subscribers are told.
    pub(crate) meter: Mutex<Meter>,
    metered: AtomicBool,
}

impl Active {
    pub(crate) fn new(script: Arc<Script>, response: Response) -> Arc<Self> {
        Arc::new(Self {
            exchange: Loan::default(),
            response: Mutex::new(response),
            script,
            data: Mutex::new(None),
            over: AtomicBool::new(false),
            events: Mutex::new(None),
            meter: Mutex::default(),
            metered: AtomicBool::new(false),
        })
    }

    /// Begins the response, with the memory of the one before.
    pub(crate) fn renew_response(&self, head_request: bool) {
        let mut response = self.response.lock();
        *response = std::mem::take(&mut *response).renewed(head_request);
    }

    /// From now on subscribers are told about the request.
    pub(crate) fn watch(&self, base: Stored) {
        *self.events.lock() = Some(Arc::new(base));
        self.metered.store(true, Ordering::Release);
    }

    /// What all events of the request have, when subscribers are told about it.
    pub(crate) fn watched(&self) -> Option<Arc<Stored>> {
        if self.metered.load(Ordering::Acquire) { self.events.lock().clone() } else { None }
    }

    /// Tells subscribers nothing more. Attached.
    pub(crate) fn unwatch(&self) {
        if self.metered.swap(false, Ordering::AcqRel) {
            let base = self.events.lock().take();
            drop(base);
        }
    }

    fn metered<R>(&self, work: impl FnOnce() -> R, count: impl FnOnce(&mut Meter, &R, Duration)) -> R {
        if !self.metered.load(Ordering::Relaxed) {
            return work();
        }
        let begun = Instant::now();
        let result = work();
        count(&mut self.meter.lock(), &result, begun.elapsed());
        result
    }

    /// Reads from the body; `None` when the request is over. Not attached.
    pub(crate) fn read_body(&self, into: &mut [u8]) -> Option<Result<usize, BodyError>> {
        let read = || self.exchange.with(|exchange| exchange.read_body(into));
        self.metered(read, |meter, read, time| {
            meter.input_reads += 1;
            meter.input_time += time;
            if let Some(Ok(count)) = read {
                meter.input_length += *count as u64;
            }
        })
    }

    /// Python's part is over: objects that are still around must refuse.
    pub(crate) fn finish(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Logs a coded line, and below it the traceback of an exception where there is one.
    pub(crate) fn report(
        &self,
        py: Attached<'_>,
        level: Level,
        code: Code,
        facts: impl Display,
        error: Option<&Error<'_>>,
    ) {
        let mut text = code.line(facts);
        if let Some(error) = error {
            text.push('\n');
            text.push_str(&error.format());
            text.push_str(&hint::about(error));
        }
        self.log_lines(py, level, &text);
    }

    /// Logs each line.
    pub(crate) fn log_lines(&self, py: Attached<'_>, level: Level, text: &str) {
        py.detach(|| {
            self.exchange.with(|exchange| {
                for line in text.lines() {
                    exchange.log(level, self.script.shown(), line);
                }
            })
        });
    }

    /// Sends one block at once, the head before it. Not attached.
    pub(crate) fn transmit(&self, block: &[u8]) -> Result<(), WriteError> {
        let allowed = self.response.lock().admit(block.len())?;
        self.send(|exchange| match block.get(..allowed) {
            Some(block) if !block.is_empty() => exchange.data(block),
            _ => Ok(()),
        })
    }

    /// Sends the head if that has not happened, then does `work`. Not attached.
    pub(crate) fn send(
        &self,
        work: impl FnOnce(&mut dyn Exchange) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let send = || {
            self.exchange.with(|exchange| {
                self.response.lock().send_head(exchange);
                work(exchange)
            })
        };
        let sent = self.metered(send, |meter, _, time| {
            meter.output_writes += 1;
            meter.output_time += time;
        });
        let outcome = sent.unwrap_or_else(|| Err(WriteError::Failed("the request is over".to_owned())));
        if let Err(error) = &outcome {
            self.response.lock().broken = Some(error.clone());
        }
        outcome
    }
}
