//! The supervisor's end of the control channel: what httpd's parent says, and the answers. Nobody else is listened to.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use spec::control::{FromSupervisor, ToSupervisor};
use unix::channel::{Message, Received, Receiver};

use super::{NO_LIMIT, Server};
use crate::codes::Code;

/// A message from httpd's parent comes in one go, and it waits for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

impl Server {
    pub(super) fn read_channel(&mut self) {
        let Some(channel) = &self.channel else { return };
        let received = Receiver::of(channel, self.parent_pid).receive(Instant::now() + PATIENCE);
        match received {
            Ok(Received::Message(message)) => self.obey(message),
            Ok(Received::Foreign(pid)) => self.tell_foreign(pid),
            // httpd's parent is dead, or has unloaded the module: nobody can tell us anything any more.
            Ok(Received::Closed) => {
                self.close_channel();
                self.stop(NO_LIMIT);
            }
            Err(error) => {
                self.main_log
                    .say(Code::Broken, &format!("Reading from Apache's parent process failed: {error}."));
                self.close_channel();
                self.stop(NO_LIMIT);
            }
        }
    }

    fn obey(&mut self, message: Message) {
        match serde_json::from_slice(&message.bytes) {
            Ok(ToSupervisor::Stop) => self.stop(NO_LIMIT),
            Ok(ToSupervisor::Define { definitions, attached }) => {
                self.define(&definitions, &attached, message.descriptors);
            }
            Err(error) => self.answer(
                &FromSupervisor::Refused {
                    reason: format!(
                        "wsgi-supervisor does not understand mod_wsgi.so ({error}); install both from the same version"
                    ),
                },
                &[],
            ),
        }
    }

    /// One line, however often it happens: it comes from somebody who may want to fill the log.
    fn tell_foreign(&mut self, pid: i32) {
        if !std::mem::replace(&mut self.foreign_told, true) {
            let parent = self.parent_pid;
            let facts = format!(
                "The process {pid} has written to the control channel, which belongs to Apache's parent process {parent}."
            );
            self.main_log.say(Code::Foreign, &facts);
        }
    }

    pub(super) fn answer(&mut self, message: &FromSupervisor, attached: &[BorrowedFd<'_>]) {
        let Some(channel) = &self.channel else { return };
        let sent = serde_json::to_vec(message)
            .map_err(std::io::Error::from)
            .and_then(|bytes| unix::channel::send(channel, &bytes, attached, Instant::now() + PATIENCE));
        if let Err(error) = sent {
            self.main_log.say(Code::Broken, &format!("Answering Apache's parent process failed: {error}."));
            self.close_channel();
            self.stop(NO_LIMIT);
        }
    }

    pub(super) fn close_channel(&mut self) {
        if let Some(channel) = self.channel.take() {
            self.sources.remove(&channel);
        }
    }
}
