//! A `WSGIDaemonProcess` line, parsed: every value is valid in itself, no name is looked up yet.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::error::OptionError;
use super::table::{self, State};
use super::value::{self, Backlog, Identity, Processes, Refusal, Threads, Timeout, Umask};
use super::words::Words;
use crate::{Chroot, Timers};

/// Stores one option's value in a draft.
pub type Apply = fn(&mut Draft, &str) -> Result<(), Refusal>;

/// A process group as written. `None` is "not written".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The group's name.
    pub name: String,
    pub(super) user: Option<Identity>,
    pub(super) group: Option<Identity>,
    pub(super) supplementary: Option<Vec<Identity>>,
    pub(super) script_user: Option<Identity>,
    pub(super) script_group: Option<Identity>,
    pub(super) processes: Option<Processes>,
    pub(super) threads: Option<Threads>,
    pub(super) python: Option<PathBuf>,
    pub(super) python_home: Option<PathBuf>,
    pub(super) python_path: Option<Vec<PathBuf>>,
    pub(super) python_eggs: Option<PathBuf>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) chroot: Option<Chroot>,
    pub(super) home: Option<PathBuf>,
    pub(super) umask: Option<Umask>,
    pub(super) lang: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) new_privileges: Option<bool>,
    pub(super) backlog: Option<Backlog>,
    pub(super) socket_user: Option<Identity>,
    pub(super) connect: Option<Timeout>,
    pub(super) socket: Option<Timeout>,
    pub(super) queue: Option<Timeout>,
    pub(super) shutdown: Option<Timeout>,
    pub(super) server_metrics: Option<bool>,
    pub(super) graceful: Option<Timeout>,
    pub(super) switch_interval: Option<Duration>,
    pub(super) priority: Option<i32>,
    pub(super) stack_size: Option<u64>,
    pub(super) memory_limit: Option<Option<u64>>,
    pub(super) virtual_memory_limit: Option<Option<u64>>,
    pub(super) deadlock: Option<Timeout>,
    pub(super) timers: Timers,
    pub(super) send_buffer: Option<Option<u32>>,
    pub(super) receive_buffer: Option<Option<u32>>,
    pub(super) header: Option<Option<u32>>,
    pub(super) ahead: Option<Option<u32>>,
    pub(super) client: Option<Timeout>,
    pub(super) flush_delay: Option<Duration>,
}

/// Name of the process group for scripts that the server asks, where their directives name none. `WSGIDaemonProcess` refuses it.
pub const AUTOMATIC: &str = "%{AUTH}";

impl Draft {
    /// The group named [`AUTOMATIC`]: one process with the usual number of threads, as Apache's user.
    #[must_use]
    pub fn automatic() -> Self {
        Self { name: AUTOMATIC.to_owned(), ..Self::default() }
    }

    /// Reads the arguments of a `WSGIDaemonProcess` line, as they stand in the file.
    ///
    /// # Errors
    /// The first mistake.
    pub fn parse(arguments: &str) -> Result<Self, OptionError> {
        // Words end at ASCII characters, so those of a text are texts.
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut words = Words::new(arguments.as_bytes());
        let name = text(&words.word()?.ok_or(OptionError::NameMissing)?);
        if let Err(reason) = value::group_name(&name) {
            return Err(OptionError::Name { name, reason });
        }
        let mut draft = Self { name, ..Self::default() };
        let mut seen = Vec::new();
        while let Some((option, value)) = words.option()? {
            let option = text(option);
            draft.set(&option, &text(&value))?;
            if option != "env" && seen.contains(&option) {
                return Err(OptionError::Twice { group: draft.name, option });
            }
            seen.push(option);
        }
        if draft.python.is_some() && draft.python_home.is_some() {
            return Err(OptionError::TwoPythons(draft.name));
        }
        if draft.script_user.is_some() && draft.script_group.is_some() {
            return Err(OptionError::TwoOwners(draft.name));
        }
        Ok(draft)
    }

    /// Whether the line asks for a user or group of its own.
    #[must_use]
    pub fn names_account(&self) -> bool {
        self.user.is_some() || self.group.is_some() || self.supplementary.is_some()
    }

    /// Options of the line that are allowed for compatibility, and why they have no effect.
    pub fn idle_options(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let endless = self.shutdown.is_some_and(|time| time.some().is_none());
        let metrics = self.server_metrics == Some(true);
        [
            endless.then_some((
                "shutdown-timeout=0",
                "a worker that does not end is always ended; the default of 5 seconds holds",
            )),
            metrics.then_some((
                "server-metrics=On",
                "this version of mod_wsgi-rs has no mod_wsgi.server_metrics()",
            )),
        ]
        .into_iter()
        .flatten()
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), OptionError> {
        let group = || self.name.clone();
        let Some(row) = table::row(option) else {
            return Err(OptionError::Unknown { group: group(), option: option.to_owned() });
        };
        match row.state {
            State::Works(apply) => apply(self, value).map_err(|reason| OptionError::Value {
                group: self.name.clone(),
                option: row.name,
                value: value.to_owned(),
                reason,
                syntax: row.syntax,
                default: row.default,
            }),
            State::Removed(instead) => {
                Err(OptionError::Removed { group: group(), option: row.name, instead })
            }
        }
    }

    pub(super) fn add_variable(&mut self, text: &str) -> Result<(), Refusal> {
        let (name, value) = value::variable(text)?;
        if self.environment.insert(name, value).is_some() {
            return Err("sets a variable that another env= of this line sets already");
        }
        Ok(())
    }
}
