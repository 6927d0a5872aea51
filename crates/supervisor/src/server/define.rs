//! Taking definitions: everything they need is prepared first, then put in force. What fails leaves everything as it was.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use spec::control::{Attachment, FromSupervisor, ListenerName};
use spec::group::socket_file_name;
use spec::{Definitions, ProcessGroup};

use super::prepare::{InForce, Prepared, Refusal};
use super::{Entry, START_LIMIT, Server};
use crate::codes::Code;
use crate::group::Group;
use crate::life::Limits;
use crate::log::Log;
use crate::sockets::SocketDirectory;
use crate::throttle::Throttle;

impl Server {
    /// Takes definitions, or refuses them, and answers.
    pub(super) fn define(
        &mut self,
        definitions: &Definitions,
        attached: &[Attachment],
        descriptors: Vec<OwnedFd>,
    ) {
        match self.prepare(definitions, attached, descriptors) {
            Ok(prepared) => {
                let new = self.commit(definitions, prepared);
                let listeners = new.iter().map(|(name, _)| name.clone()).collect();
                let descriptors: Vec<BorrowedFd<'_>> = new.iter().map(|(_, fd)| fd.as_fd()).collect();
                self.answer(&FromSupervisor::Defined { listeners }, &descriptors);
            }
            Err(Refusal::Stopping) => self.answer(&FromSupervisor::Stopping, &[]),
            Err(refusal) => {
                self.main_log.say(Code::Refused, &format!("The configuration was not taken: {refusal}."));
                self.answer(&FromSupervisor::Refused { reason: refusal.to_string() }, &[]);
            }
        }
    }

    fn prepare(
        &self,
        definitions: &Definitions,
        attached: &[Attachment],
        descriptors: Vec<OwnedFd>,
    ) -> Result<Prepared, Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        let former = InForce { directory: self.directory.as_ref(), entries: &self.entries };
        Prepared::new(definitions, attached, descriptors, self.inherited.clone(), former)
    }

    /// Puts what was prepared in force. Nothing in it can fail in a way that asks for the former definitions. Returns the
    /// listeners that the parent has to get.
    fn commit(&mut self, definitions: &Definitions, prepared: Prepared) -> Vec<(ListenerName, OwnedFd)> {
        let Prepared { facts, moved, mut listeners, new, mut logs, rejected } = prepared;
        if let Some((log, limit)) = logs.remove("") {
            self.main_log.replace(log, limit);
            self.main_log.take_standard_streams();
        }
        for error in rejected {
            self.main_log.say(Code::ListenerRejected, &format!("Not used: {error}."));
        }
        self.forget_down();
        let first = self.directory.is_none();
        if let Some(directory) = moved {
            self.move_to(directory);
        }
        self.facts = Some(facts);
        let now = Instant::now();
        for group in &definitions.groups {
            let listeners = listeners.remove(&group.name).unwrap_or_default();
            self.put_in_force(group, listeners, logs.remove(&group.name), now);
        }
        self.retire_others(definitions, now);
        if let Some(directory) = self.directory.as_ref().filter(|_| first) {
            for path in directory.remove_leftovers() {
                let facts = format!("The sockets of a dead server in {} cannot be removed.", path.display());
                self.main_log.say(Code::LeftOver, &facts);
            }
        }
        new
    }

    fn move_to(&mut self, directory: SocketDirectory) {
        if let Some(former) = self.directory.replace(directory) {
            let path = former.path().to_owned();
            if let Err(error) = former.remove() {
                self.main_log.say(Code::LeftOver, &format!("Cannot remove {}: {error}.", path.display()));
            }
        }
    }

    fn put_in_force(
        &mut self,
        group: &ProcessGroup,
        listeners: Vec<OwnedFd>,
        log: Option<(OwnedFd, u8)>,
        now: Instant,
    ) {
        let limits = Limits {
            start: START_LIMIT,
            graceful: group.timeouts.graceful,
            eviction: group.timers.eviction.unwrap_or(group.timeouts.graceful),
            shutdown: group.timeouts.shutdown,
            alone: group.threads == 0,
        };
        if group.new_privileges {
            let facts = format!("Process group '{}' runs without no_new_privs, as configured.", group.name);
            self.main_log.say(Code::NewPrivileges, &facts);
        }
        let present =
            self.entries.iter_mut().find(|entry| entry.defined && entry.definition.name == group.name);
        let Some(entry) = present else {
            self.entries.push(Entry {
                key: self.next_key,
                defined: true,
                definition: group.clone(),
                machine: Group::new(group.processes, limits, now),
                listeners,
                down: BTreeSet::new(),
                log: log.map(|(file, limit)| Log::limited(file, limit)),
                throttle: Throttle::new(now),
            });
            self.next_key += 1;
            return;
        };
        let surplus = group.processes..entry.definition.processes;
        if let Some(directory) = &self.directory {
            surplus.for_each(|slot| directory.unlink(&socket_file_name(&group.name, slot)));
        }
        entry.definition = group.clone();
        entry.listeners = listeners;
        match (&mut entry.log, log) {
            (Some(log), Some((file, limit))) => log.replace(file, limit),
            (_, log) => entry.log = log.map(|(file, limit)| Log::limited(file, limit)),
        }
        let (key, actions) = (entry.key, entry.machine.redefine(group.processes, limits, now));
        self.perform(key, actions, now);
    }

    /// Groups that are no longer defined finish their requests; their sockets go at once.
    fn retire_others(&mut self, definitions: &Definitions, now: Instant) {
        let names: BTreeSet<&str> = definitions.groups.iter().map(|group| group.name.as_str()).collect();
        let mut retired = Vec::new();
        for entry in &mut self.entries {
            if !entry.defined || names.contains(entry.definition.name.as_str()) {
                continue;
            }
            entry.defined = false;
            entry.listeners.clear();
            if let Some(directory) = &self.directory {
                let name = |slot| socket_file_name(&entry.definition.name, slot);
                (0..entry.definition.processes).for_each(|slot| directory.unlink(&name(slot)));
            }
            retired.push((entry.key, entry.machine.retire(now)));
        }
        for (key, actions) in retired {
            self.perform(key, actions, now);
        }
    }
}
