//! What definitions need, made before anything in force is changed: checked, directory opened, listeners bound, copies made. When
//! one part cannot be had, what was made goes again. Putting it in force is `define`'s part.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};

use spec::control::{Attachment, ListenerName};
use spec::group::socket_file_name;
use spec::{Definitions, ProcessGroup};

use super::Entry;
use crate::launch::{Facts, Inherited};
use crate::rules::{self, Broken};
use crate::sockets::{SocketDirectory, SocketError};

/// Why definitions are not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("wsgi-supervisor is stopping and takes no new configuration")]
    Stopping,
    #[error(
        "wsgi-supervisor got {descriptors} descriptors with {attached} descriptions; install mod_wsgi.so and wsgi-supervisor from the same version"
    )]
    Mismatch { descriptors: usize, attached: usize },
    #[error("process group '{0}': is defined twice; give one of the two another name")]
    Twice(String),
    #[error("process group '{group}': {broken}")]
    Group { group: String, broken: Broken },
    #[error("process group '{group}': its python= or env= contains a NUL character; remove it")]
    Nul { group: String },
    #[error("process group '{group}', slot {slot}: {error}")]
    Socket { group: String, slot: u32, error: SocketError },
    #[error(transparent)]
    Directory(#[from] SocketError),
}

/// All that definitions need.
pub(super) struct Prepared {
    /// For workers.
    pub(super) facts: Facts,
    /// The directory of the sockets, when it is another one than before.
    pub(super) moved: Option<SocketDirectory>,
    /// The listeners of each group, in the order of its slots.
    pub(super) listeners: BTreeMap<String, Vec<OwnedFd>>,
    /// Copies, for the parent, of those that it does not hold yet.
    pub(super) new: Vec<(ListenerName, OwnedFd)>,
    /// The error log of each group, with its `LogLevel`; the main one under the empty name.
    pub(super) logs: BTreeMap<String, (OwnedFd, u8)>,
    /// Why listeners that were there are not used.
    pub(super) rejected: Vec<SocketError>,
}

/// What is in force.
#[derive(Clone, Copy)]
pub(super) struct InForce<'a> {
    pub(super) directory: Option<&'a SocketDirectory>,
    pub(super) entries: &'a [Entry],
}

impl Prepared {
    /// Prepares definitions.
    ///
    /// # Errors
    /// What is wrong or cannot be had; everything is as it was before.
    pub(super) fn new(
        definitions: &Definitions,
        attached: &[Attachment],
        descriptors: Vec<OwnedFd>,
        inherited: Inherited,
        former: InForce<'_>,
    ) -> Result<Self, Refusal> {
        let Attached { mut listeners, logs } = sort(attached, descriptors)?;
        let facts = Facts::new(definitions, inherited);
        check(definitions, &facts)?;
        let same = former
            .directory
            .filter(|directory| directory.path() == definitions.socket_directory && directory.is_in_place());
        let (moved, entries) = match same {
            Some(_) => (None, former.entries),
            // No listener that is in force is in this directory.
            None => (Some(SocketDirectory::open(&definitions.socket_directory)?), &[][..]),
        };
        let mut prepared =
            Self { facts, moved, listeners: BTreeMap::new(), new: Vec::new(), logs, rejected: Vec::new() };
        for group in &definitions.groups {
            if let Err(refusal) = prepared.add(group, former.directory, entries, &mut listeners) {
                prepared.undo(former);
                return Err(refusal);
            }
        }
        Ok(prepared)
    }

    /// Adds the listeners of a group: those in force, those handed over, and new ones.
    fn add(
        &mut self,
        group: &ProcessGroup,
        former: Option<&SocketDirectory>,
        entries: &[Entry],
        attached: &mut BTreeMap<ListenerName, OwnedFd>,
    ) -> Result<(), Refusal> {
        let Some(directory) = self.moved.as_ref().or(former) else { return Ok(()) };
        let entry = entries.iter().find(|entry| entry.defined && entry.definition.name == group.name);
        let kept = entry.map_or(&[][..], |entry| &entry.listeners);
        let mut listeners = Vec::new();
        for slot in 0..group.processes {
            let name = ListenerName { group: group.name.clone(), slot };
            let failed = |error| Refusal::Socket { group: group.name.clone(), slot, error };
            let kept = usize::try_from(slot).ok().and_then(|slot| kept.get(slot));
            let there = match kept {
                Some(kept) => Some(copy(kept, directory, group, slot).map_err(failed)?),
                None => attached.remove(&name),
            };
            if let Some(listener) = there {
                let file = socket_file_name(&group.name, slot);
                match directory.adopt(listener.as_fd(), &file, group.socket_uid, group.listen_backlog) {
                    Ok(()) => {
                        listeners.push(listener);
                        continue;
                    }
                    Err(error) => self.rejected.push(error),
                }
            }
            let file = socket_file_name(&group.name, slot);
            let bound = directory.bind(&file, group.socket_uid, group.listen_backlog).map_err(failed)?;
            let for_parent = copy(&bound, directory, group, slot).map_err(|error| {
                directory.unlink(&file);
                failed(error)
            })?;
            self.new.push((name, for_parent));
            listeners.push(bound);
        }
        self.listeners.insert(group.name.clone(), listeners);
        Ok(())
    }

    /// Removes the sockets that were bound, and gives those in force the owner and queue that they had.
    fn undo(self, former: InForce<'_>) {
        if let Some(directory) = self.moved {
            self.new.iter().for_each(|(name, _)| directory.unlink(&socket_file_name(&name.group, name.slot)));
            if former.directory.is_some() {
                // Nothing but what was bound just now was in it.
                let _left = directory.remove();
            }
            return;
        }
        let Some(directory) = former.directory else { return };
        self.new.iter().for_each(|(name, _)| directory.unlink(&socket_file_name(&name.group, name.slot)));
        for entry in former.entries.iter().filter(|entry| entry.defined) {
            let group = &entry.definition;
            for (slot, listener) in (0_u32..).zip(&entry.listeners) {
                let name = socket_file_name(&group.name, slot);
                // It held before; what cannot be had back now was lost to somebody else.
                let _lost = directory.adopt(listener.as_fd(), &name, group.socket_uid, group.listen_backlog);
            }
        }
    }
}

struct Attached {
    listeners: BTreeMap<ListenerName, OwnedFd>,
    logs: BTreeMap<String, (OwnedFd, u8)>,
}

fn sort(attached: &[Attachment], descriptors: Vec<OwnedFd>) -> Result<Attached, Refusal> {
    if attached.len() != descriptors.len() {
        return Err(Refusal::Mismatch { descriptors: descriptors.len(), attached: attached.len() });
    }
    let mut sorted = Attached { listeners: BTreeMap::new(), logs: BTreeMap::new() };
    for (attachment, descriptor) in attached.iter().zip(descriptors) {
        match attachment {
            Attachment::Listener(name) => sorted.listeners.insert(name.clone(), descriptor).map(drop),
            Attachment::ErrorLog { group, limit } => {
                sorted.logs.insert(group.clone(), (descriptor, *limit)).map(drop)
            }
        };
    }
    Ok(sorted)
}

/// What must hold whatever the module has checked.
fn check(definitions: &Definitions, facts: &Facts) -> Result<(), Refusal> {
    let root = rustix::process::geteuid().is_root();
    let mut names = BTreeSet::new();
    for group in &definitions.groups {
        let name = || group.name.clone();
        if !names.insert(&group.name) {
            return Err(Refusal::Twice(name()));
        }
        rules::check(group, root).map_err(|broken| Refusal::Group { group: name(), broken })?;
        crate::launch::plan(group, facts, &[]).map_err(|_| Refusal::Nul { group: name() })?;
    }
    Ok(())
}

fn copy(
    listener: &OwnedFd,
    directory: &SocketDirectory,
    group: &ProcessGroup,
    slot: u32,
) -> Result<OwnedFd, SocketError> {
    listener.try_clone().map_err(|error| SocketError::System {
        action: "copy the listener of",
        path: directory.path().join(socket_file_name(&group.name, slot)),
        error,
    })
}
