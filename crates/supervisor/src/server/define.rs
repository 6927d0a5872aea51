//! Taking definitions: checked whole, listeners bound, and only then put in force. What fails leaves everything as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use spec::control::{Attachment, FromSupervisor, ListenerName};
use spec::group::socket_file_name;
use spec::{Definitions, ProcessGroup};

use super::{Entry, START_LIMIT, Server};
use crate::codes::Code;
use crate::group::Group;
use crate::launch::Facts;
use crate::life::Limits;
use crate::log::Log;
use crate::sockets::{SocketDirectory, SocketError, remove_leftovers};

/// Most supplementary groups that Linux takes (`NGROUPS_MAX`).
const MOST_GROUPS: usize = 65_536;

/// Why definitions are not taken.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("wsgi-supervisor is stopping and takes no new configuration")]
    Stopping,
    #[error(
        "wsgi-supervisor got {descriptors} descriptors with {attached} descriptions; install mod_wsgi.so and wsgi-supervisor from the same version"
    )]
    Mismatch { descriptors: usize, attached: usize },
    #[error("process group '{group}': {reason}")]
    Group { group: String, reason: String },
    #[error("process group '{group}', slot {slot}: {error}")]
    Socket { group: String, slot: u32, error: SocketError },
    #[error(transparent)]
    Directory(#[from] SocketError),
}

/// A listener that is going to be used.
enum Listener {
    /// Stays where it is: this one of the entry in force.
    Kept(OwnedFd),
    /// The parent has it already.
    Adopted(OwnedFd),
    /// The parent has to get it.
    Bound(OwnedFd),
}

struct Attached {
    listeners: BTreeMap<ListenerName, OwnedFd>,
    logs: BTreeMap<String, OwnedFd>,
}

impl Server {
    /// Takes definitions, or refuses them, and answers.
    pub(super) fn define(
        &mut self,
        definitions: &Definitions,
        attached: &[Attachment],
        descriptors: Vec<OwnedFd>,
    ) {
        match self.try_define(definitions, attached, descriptors) {
            Ok(new) => {
                let listeners = new.iter().map(|(name, _)| name.clone()).collect();
                let descriptors: Vec<BorrowedFd<'_>> = new.iter().map(|(_, fd)| fd.as_fd()).collect();
                self.answer(&FromSupervisor::Defined { listeners }, &descriptors);
            }
            Err(refusal) => {
                self.main_log.say(Code::Refused, &format!("The configuration was not taken: {refusal}."));
                self.answer(&FromSupervisor::Refused { reason: refusal.to_string() }, &[]);
            }
        }
    }

    fn try_define(
        &mut self,
        definitions: &Definitions,
        attached: &[Attachment],
        descriptors: Vec<OwnedFd>,
    ) -> Result<Vec<(ListenerName, OwnedFd)>, Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        let attached = sort(attached, descriptors)?;
        let facts = Facts::new(definitions, self.inherited.clone());
        check(definitions, &facts)?;
        let first = self.directory.is_none();
        let same = self.directory.as_ref().filter(|d| d.path() == definitions.socket_directory);
        let moved = match same {
            Some(_) => None,
            None => Some(SocketDirectory::open(&definitions.socket_directory)?),
        };
        let Attached { mut listeners, mut logs } = attached;
        if let Some(log) = logs.remove("") {
            self.main_log.replace(log);
        }
        let ready = self.listeners(definitions, moved.as_ref(), &mut listeners);
        let mut ready = match ready {
            Ok(ready) => ready,
            Err(refusal) => {
                if let Some(directory) = moved.filter(|_| !first) {
                    // Nothing but what was bound just now is in it.
                    let _left = directory.remove();
                }
                return Err(refusal);
            }
        };
        if let Some(directory) = moved {
            self.move_to(directory);
        }
        self.facts = Some(facts);
        let new = copies(&ready)?;
        let now = Instant::now();
        for group in &definitions.groups {
            let listeners = ready.remove(&group.name).unwrap_or_default();
            let listeners = listeners.into_iter().map(Listener::into_inner).collect();
            self.put_in_force(group, listeners, logs.remove(&group.name), now);
        }
        self.retire_others(definitions, now);
        if first {
            for path in remove_leftovers(&definitions.socket_directory) {
                let facts = format!("The sockets of a dead server in {} cannot be removed.", path.display());
                self.main_log.say(Code::LeftOver, &facts);
            }
        }
        Ok(new)
    }

    /// The listeners of all slots: those in force, those handed over, and new ones.
    fn listeners(
        &mut self,
        definitions: &Definitions,
        moved: Option<&SocketDirectory>,
        attached: &mut BTreeMap<ListenerName, OwnedFd>,
    ) -> Result<BTreeMap<String, Vec<Listener>>, Refusal> {
        let Some(directory) = moved.or(self.directory.as_ref()) else { return Ok(BTreeMap::new()) };
        let mut bound = Vec::new();
        let mut rejected = Vec::new();
        let mut all = BTreeMap::new();
        for group in &definitions.groups {
            let entry =
                self.entries.iter().find(|entry| entry.defined && entry.definition.name == group.name);
            let kept = entry.filter(|_| moved.is_none()).map_or(&[][..], |entry| &entry.listeners);
            let mut listeners = Vec::new();
            for slot in 0..group.processes {
                let kept = usize::try_from(slot).ok().and_then(|slot| kept.get(slot));
                let given = attached.remove(&ListenerName { group: group.name.clone(), slot });
                match listener(directory, group, slot, kept, given, &mut rejected) {
                    Ok(listener) => {
                        if let Listener::Bound(_) = listener {
                            bound.push(socket_file_name(&group.name, slot));
                        }
                        listeners.push(listener);
                    }
                    Err(error) => {
                        bound.iter().for_each(|name| directory.unlink(name));
                        return Err(Refusal::Socket { group: group.name.clone(), slot, error });
                    }
                }
            }
            all.insert(group.name.clone(), listeners);
        }
        for error in rejected {
            self.main_log.say(Code::ListenerRejected, &format!("Not used: {error}."));
        }
        Ok(all)
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
        log: Option<OwnedFd>,
        now: Instant,
    ) {
        let limits = Limits {
            start: START_LIMIT,
            graceful: group.timeouts.graceful,
            shutdown: group.timeouts.shutdown,
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
                log: log.map(Log::new),
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
            (Some(log), Some(file)) => log.replace(file),
            (_, file) => entry.log = file.map(Log::new),
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

impl Listener {
    fn into_inner(self) -> OwnedFd {
        match self {
            Self::Kept(fd) | Self::Adopted(fd) | Self::Bound(fd) => fd,
        }
    }
}

/// The listener of one slot.
fn listener(
    directory: &SocketDirectory,
    group: &ProcessGroup,
    slot: u32,
    kept: Option<&OwnedFd>,
    given: Option<OwnedFd>,
    rejected: &mut Vec<SocketError>,
) -> Result<Listener, SocketError> {
    let name = socket_file_name(&group.name, slot);
    let (owner, backlog) = (group.socket_uid, group.listen_backlog);
    let kept = kept.and_then(|fd| fd.try_clone().ok()).map(Listener::Kept);
    if let Some(candidate) = kept.or(given.map(Listener::Adopted)) {
        let (Listener::Kept(fd) | Listener::Adopted(fd) | Listener::Bound(fd)) = &candidate;
        match directory.adopt(fd.as_fd(), &name, owner, backlog) {
            Ok(()) => return Ok(candidate),
            Err(error) => rejected.push(error),
        }
    }
    directory.bind(&name, owner, backlog).map(Listener::Bound)
}

/// Copies of the listeners that the parent has to get.
fn copies(ready: &BTreeMap<String, Vec<Listener>>) -> Result<Vec<(ListenerName, OwnedFd)>, Refusal> {
    let mut new = Vec::new();
    for (group, listeners) in ready {
        for (slot, listener) in (0_u32..).zip(listeners) {
            let Listener::Bound(fd) = listener else { continue };
            let copy = fd.try_clone().map_err(|error| Refusal::Group {
                group: group.clone(),
                reason: format!("cannot copy a listener: {error}"),
            })?;
            new.push((ListenerName { group: group.clone(), slot }, copy));
        }
    }
    Ok(new)
}

fn sort(attached: &[Attachment], descriptors: Vec<OwnedFd>) -> Result<Attached, Refusal> {
    if attached.len() != descriptors.len() {
        return Err(Refusal::Mismatch { descriptors: descriptors.len(), attached: attached.len() });
    }
    let mut sorted = Attached { listeners: BTreeMap::new(), logs: BTreeMap::new() };
    for (attachment, descriptor) in attached.iter().zip(descriptors) {
        match attachment {
            Attachment::Listener(name) => sorted.listeners.insert(name.clone(), descriptor).map(drop),
            Attachment::ErrorLog { group } => sorted.logs.insert(group.clone(), descriptor).map(drop),
        };
    }
    Ok(sorted)
}

/// What must hold whatever the module has checked: this process is the last one before root's rights are used.
fn check(definitions: &Definitions, facts: &Facts) -> Result<(), Refusal> {
    let root = rustix::process::geteuid().is_root();
    let mut names = BTreeSet::new();
    for group in &definitions.groups {
        let refuse = |reason: String| Err(Refusal::Group { group: group.name.clone(), reason });
        if !names.insert(&group.name) {
            return refuse("is defined twice".to_owned());
        }
        match (&group.account, root) {
            (None, true) => {
                return refuse("has no user, and workers never run as root; set user=".to_owned());
            }
            (Some(_), false) => {
                return refuse(
                    "has a user, but Apache was not started by root; remove user= and group=".to_owned(),
                );
            }
            (Some(account), true) if account.uid == 0 || account.gid == 0 => {
                return refuse(
                    "its workers would run as root, which is refused; set another user= or group=".to_owned(),
                );
            }
            (Some(account), true) if account.uid == u32::MAX || account.gid == u32::MAX => {
                return refuse("the id -1 means \"unchanged\" to the kernel and is refused".to_owned());
            }
            (Some(account), true) if account.groups.len() > MOST_GROUPS => {
                let count = account.groups.len();
                return refuse(format!("has {count} supplementary groups, {MOST_GROUPS} are possible"));
            }
            _ => {}
        }
        if group.processes == 0 {
            return refuse("has no processes; processes= must be at least 1".to_owned());
        }
        if crate::launch::plan(group, facts, &[]).is_err() {
            return refuse("its python= or env= contains a NUL character".to_owned());
        }
    }
    Ok(())
}
