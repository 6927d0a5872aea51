//! From a draft to a process group: names become ids, defaults come from the server. Facts come in, nothing is looked up here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::draft::Draft;
use super::error::ResolveError;
use super::python::{Executables, PythonChoice};
use super::value::{Backlog, Identity, Processes, Threads, Timeout, Umask};
use crate::interpreter::PythonDirectives;
use crate::{Account, Chroot, Preload, ProcessGroup, Root, ScriptOwner, Timeouts, Timers, Transfer};

/// `NGROUPS_MAX` of Linux: setgroups(2) refuses more.
pub const MAX_GROUPS: usize = 65536;

const DEFAULT_THREADS: u32 = 15;
const DEFAULT_DEADLOCK: Duration = Duration::from_secs(300);
const DEFAULT_BACKLOG: u32 = 100;
// Threads that Python did not start get the stack they are given; deep recursion needs as much as the main thread has.
const DEFAULT_STACK: u64 = 8 * 1024 * 1024;

/// An entry of the user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Id.
    pub uid: u32,
    /// Home directory.
    pub home: PathBuf,
}

/// The user and group databases.
pub trait Accounts {
    /// The user of this name.
    fn user_by_name(&self, name: &str) -> Option<User>;
    /// The user with this id.
    fn user_by_id(&self, uid: u32) -> Option<User>;
    /// The id of the group of this name.
    fn group_by_name(&self, name: &str) -> Option<u32>;
    /// What initgroups(3) would set for the user; `None` when the database does not answer.
    fn groups_of(&self, user: &str, gid: u32) -> Option<Vec<u32>>;
}

/// What the server around a group is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Whether httpd's parent is root and can change its identity.
    pub root: bool,
    /// uid of httpd's children (`User`).
    pub uid: u32,
    /// gid of httpd's children (`Group`).
    pub gid: u32,
    /// `Timeout` of the server that declares the group.
    pub timeout: Duration,
    /// `WSGIPythonHome`.
    pub python_home: Option<PathBuf>,
    /// The other directives about Python.
    pub python: PythonDirectives,
    /// `ServerName` of the virtual host that declares the group; empty for the main server.
    pub server: String,
}

/// The code that the configuration has for a process group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Code {
    /// The targets of the aliases that lead to it, and what else it may load.
    pub roots: Vec<Root>,
    /// What it loads at its start.
    pub preload: Vec<Preload>,
}

impl Draft {
    /// The process group that the line means on this machine.
    ///
    /// # Errors
    /// The first thing that is missing or not allowed here.
    pub fn resolve(
        &self,
        facts: &ServerFacts,
        accounts: &dyn Accounts,
        files: &dyn Executables,
        code: Code,
    ) -> Result<ProcessGroup, ResolveError> {
        let account = if facts.root { Some(self.account(facts, accounts)?) } else { None };
        self.check_chroot(facts, files)?;
        let title = format!("(wsgi:{})", self.name);
        Ok(ProcessGroup {
            name: self.name.clone(),
            server: facts.server.clone(),
            account,
            processes: self.processes.map_or(1, Processes::get),
            multiprocess: self.processes.is_some(),
            threads: self.threads.map_or(DEFAULT_THREADS, Threads::get),
            stack_size: self.stack_size.unwrap_or(DEFAULT_STACK),
            python: self.interpreter(facts, files)?,
            python_path: self.python_path.clone().unwrap_or_default(),
            python_eggs: self.python_eggs.clone(),
            chroot: self.chroot.clone(),
            home: self.home.clone(),
            umask: self.umask.map(Umask::get),
            lang: self.lang.clone(),
            locale: self.locale.clone(),
            display_name: self.display_name.clone().filter(|name| name != "%{GROUP}").unwrap_or(title),
            environment: self.environment.clone(),
            listen_backlog: self.backlog.map_or(DEFAULT_BACKLOG, Backlog::get),
            socket_uid: self.socket_uid(facts, accounts)?,
            cpu_priority: self.priority.filter(|nice| *nice != 0),
            virtual_memory_limit: self.virtual_memory_limit.flatten(),
            memory_limit: self.memory_limit.flatten(),
            new_privileges: self.new_privileges.unwrap_or(false),
            timeouts: self.timeouts(facts.timeout),
            timers: self.timers(),
            transfer: self.transfer(),
            script_owner: self.script_owner(accounts)?,
            roots: code.roots,
            preload: code.preload,
            python_settings: facts.python.resolve(&self.name, self.switch_interval),
        })
    }

    fn timeouts(&self, server: Duration) -> Timeouts {
        let seconds =
            |given: Option<Timeout>, default| given.map_or(Duration::from_secs(default), Timeout::get);
        Timeouts {
            shutdown: seconds(self.shutdown.filter(|time| time.some().is_some()), 5),
            graceful: seconds(self.graceful, 15),
            connect: seconds(self.connect, 15),
            socket: self.socket.and_then(Timeout::some).unwrap_or(server),
            queue: self.queue.and_then(Timeout::some),
        }
    }

    fn transfer(&self) -> Transfer {
        let time = |given: Option<Timeout>| given.and_then(Timeout::some);
        Transfer {
            header: self.header.flatten(),
            ahead: self.ahead.flatten().map_or(Transfer::AHEAD, u64::from),
            flush_delay: self.flush_delay.unwrap_or_default(),
            client: time(self.client).or_else(|| time(self.socket)),
            send_buffer: self.send_buffer.flatten(),
            receive_buffer: self.receive_buffer.flatten(),
        }
    }

    fn timers(&self) -> Timers {
        if self.threads.is_some_and(|threads| threads.get() == 0) {
            // A service script serves no requests, and two of it must not run at a time.
            let (cpu, eviction) = (self.timers.cpu, self.timers.eviction);
            return Timers { cpu, eviction, ..Timers::default() };
        }
        let deadlock = self.deadlock.map_or(Some(DEFAULT_DEADLOCK), Timeout::some);
        Timers { deadlock, ..self.timers.clone() }
    }

    fn interpreter(&self, facts: &ServerFacts, files: &dyn Executables) -> Result<PathBuf, ResolveError> {
        let home = self.python_home.clone().or_else(|| facts.python_home.clone());
        let choice = match (self.python.clone(), home) {
            (Some(path), _) => PythonChoice::Path(path),
            (None, Some(home)) => PythonChoice::Home(home),
            (None, None) => PythonChoice::Usual,
        };
        let root = self.chroot.as_ref().map_or(Path::new("/"), Chroot::directory);
        choice.interpreter(root, files).ok_or_else(|| {
            let (group, places) = (self.name.clone(), PythonChoice::USUAL.join(" and "));
            match &self.chroot {
                None => ResolveError::NoPython { group, places },
                Some(chroot) => {
                    let chroot = chroot.directory().display().to_string();
                    ResolveError::NoPythonInside { group, places, chroot }
                }
            }
        })
    }

    fn check_chroot(&self, facts: &ServerFacts, files: &dyn Executables) -> Result<(), ResolveError> {
        let Some(root) = &self.chroot else { return Ok(()) };
        let (group, chroot) = (self.name.clone(), root.directory().display().to_string());
        if !facts.root {
            return Err(ResolveError::ChrootWithoutRoot { group, chroot });
        }
        if !files.is_directory(root.directory()) {
            return Err(ResolveError::NoChroot { group, chroot });
        }
        Ok(())
    }

    fn socket_uid(&self, facts: &ServerFacts, accounts: &dyn Accounts) -> Result<u32, ResolveError> {
        // Only root can give a socket away.
        match &self.socket_user {
            Some(wanted) if facts.root => self.user(wanted, "socket-user", accounts).map(|(uid, _)| uid),
            _ => Ok(facts.uid),
        }
    }

    /// Nobody becomes the owner of scripts, so root may be one.
    fn script_owner(&self, accounts: &dyn Accounts) -> Result<Option<ScriptOwner>, ResolveError> {
        let group = || self.name.clone();
        Ok(match (&self.script_user, &self.script_group) {
            (Some(Identity::Number(uid)), _) => Some(ScriptOwner::User(*uid)),
            (Some(wanted @ Identity::Name(name)), _) => {
                let user = accounts.user_by_name(name);
                let option = "script-user";
                let unknown =
                    || ResolveError::UnknownUser { group: group(), option, value: wanted.to_string() };
                Some(ScriptOwner::User(user.ok_or_else(unknown)?.uid))
            }
            (None, Some(Identity::Number(gid))) => Some(ScriptOwner::Group(*gid)),
            (None, Some(wanted @ Identity::Name(name))) => {
                let option = "script-group";
                let unknown =
                    || ResolveError::UnknownGroup { group: group(), option, value: wanted.to_string() };
                Some(ScriptOwner::Group(accounts.group_by_name(name).ok_or_else(unknown)?))
            }
            (None, None) => None,
        })
    }

    fn account(&self, facts: &ServerFacts, accounts: &dyn Accounts) -> Result<Account, ResolveError> {
        let (uid, entry) = match &self.user {
            Some(wanted) => self.user(wanted, "user", accounts)?,
            None => {
                self.not_root(facts.uid, "User", &Identity::Number(facts.uid))?;
                (facts.uid, accounts.user_by_id(facts.uid))
            }
        };
        let gid = match &self.group {
            Some(wanted) => self.group_id(wanted, "group", accounts)?,
            None if entry.is_none() && self.user.is_some() => {
                return Err(ResolveError::GroupNeeded { group: self.name.clone(), user: format!("#{uid}") });
            }
            None => self.not_root_group(facts.gid, "Group", &Identity::Number(facts.gid))?,
        };
        let mut groups = match (&self.supplementary, &entry) {
            (Some(list), _) => {
                let id = |wanted| self.group_id(wanted, "supplementary-groups", accounts);
                list.iter().map(id).collect::<Result<_, _>>()?
            }
            (None, Some(user)) => self.groups_of(user, gid, accounts)?,
            (None, None) => Vec::new(),
        };
        groups.sort_unstable();
        groups.dedup();
        if groups.len() > MAX_GROUPS {
            let (count, limit) = (groups.len(), MAX_GROUPS);
            return Err(ResolveError::TooManyGroups { group: self.name.clone(), count, limit });
        }
        let (name, home) = entry.map(|user| (user.name, user.home)).unzip();
        Ok(Account { name, uid, gid, groups, home })
    }

    fn groups_of(&self, user: &User, gid: u32, accounts: &dyn Accounts) -> Result<Vec<u32>, ResolveError> {
        let (group, name) = (self.name.clone(), user.name.clone());
        match accounts.groups_of(&user.name, gid) {
            None => Err(ResolveError::GroupsUnknown { group, user: name }),
            Some(groups) if groups.contains(&0) => Err(ResolveError::MemberOfRoot { group, user: name }),
            Some(groups) => Ok(groups),
        }
    }

    fn user(
        &self,
        wanted: &Identity,
        option: &'static str,
        accounts: &dyn Accounts,
    ) -> Result<(u32, Option<User>), ResolveError> {
        let (uid, entry) = match wanted {
            Identity::Number(uid) => (*uid, accounts.user_by_id(*uid)),
            Identity::Name(name) => {
                let user = accounts.user_by_name(name).ok_or_else(|| ResolveError::UnknownUser {
                    group: self.name.clone(),
                    option,
                    value: wanted.to_string(),
                })?;
                (user.uid, Some(user))
            }
        };
        self.not_root(uid, option, wanted)?;
        Ok((uid, entry))
    }

    fn not_root(&self, uid: u32, option: &'static str, written: &Identity) -> Result<(), ResolveError> {
        if uid != 0 && uid != u32::MAX {
            return Ok(());
        }
        Err(ResolveError::RootUser { group: self.name.clone(), option, value: written.to_string() })
    }

    fn group_id(
        &self,
        wanted: &Identity,
        option: &'static str,
        accounts: &dyn Accounts,
    ) -> Result<u32, ResolveError> {
        let gid = match wanted {
            Identity::Number(gid) => *gid,
            Identity::Name(name) => accounts.group_by_name(name).ok_or_else(|| {
                ResolveError::UnknownGroup { group: self.name.clone(), option, value: wanted.to_string() }
            })?,
        };
        self.not_root_group(gid, option, wanted)
    }

    fn not_root_group(
        &self,
        gid: u32,
        option: &'static str,
        written: &Identity,
    ) -> Result<u32, ResolveError> {
        if gid != 0 && gid != u32::MAX {
            return Ok(gid);
        }
        Err(ResolveError::RootGroup { group: self.name.clone(), option, value: written.to_string() })
    }
}
