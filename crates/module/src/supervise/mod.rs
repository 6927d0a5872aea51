//! The parent's side of the supervisor: started, told the configuration, watched, replaced when it dies, stopped with httpd.
//!
//! ```text
//! start, graceful, restart   put_in_force: start it if none runs, Define, wait for Defined
//! supervisor gives no answer end: kill it, so that no two serve the same sockets; start another
//! supervisor dies            died: start another with the listeners that the parent kept, Define again
//! httpd stops                the configuration's pool is cleared: Stop, wait within the groups' time-outs
//! ```

mod deaths;
mod kept;
mod launch;
mod talk;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use httpd::{Child, ChildEvent, ChildStatus, Level, Mpm, Parent, Server};
use spec::Definitions;
use spec::control::{Attachment, ListenerName};

pub use deaths::Deaths;
use kept::Kept;
pub use kept::close_in_forked_processes;
use talk::NotDefined;

use crate::admission::Ledger;
use crate::check;
use crate::companions::Companions;
use crate::generation::Generation;
use crate::groups::{GroupHandle, Groups, Resolved};
use crate::hooks::Wsgi;

/// The supervisor answers a definition within this time: it binds sockets and forks, and waits for nothing.
const ANSWER: Duration = Duration::from_secs(10);
/// A killed supervisor is gone within this time.
const END: Duration = Duration::from_secs(2);
/// What a stop may take beyond the longest shutdown-timeout.
const STOP_MARGIN: Duration = Duration::from_secs(2);
/// How often httpd's parent has time for [`restart_if_due`] (`ap_hook_monitor`).
const MONITOR: Duration = Duration::from_secs(10);
/// Number of the configuration that httpd is started with.
const FIRST: u64 = 1;
/// `ServerTokens` and the start line of the error log show it.
const COMPONENT: &str = concat!("mod_wsgi-rs/", env!("CARGO_PKG_VERSION"));

/// What the supervisor is told.
///
/// # Errors
/// A sentence.
pub fn definitions(
    parent: &Parent<'_>,
    groups: &[Resolved],
    companions: &Companions,
    generation: u64,
) -> Result<Definitions, String> {
    let main = parent.server().config::<Wsgi>();
    Ok(Definitions {
        generation,
        httpd_uid: check::children_uid(),
        socket_directory: check::socket_directory(parent, main, std::process::id())?,
        httpd_version: httpd::httpd_version(),
        runtime: companions.runtime.clone(),
        groups: groups.iter().map(|group| group.definition.clone()).collect(),
    })
}

/// Puts the configuration in force: at a start, a graceful restart and a restart.
///
/// # Errors
/// A sentence; httpd does not start, or ends.
pub fn put_in_force(parent: &Parent<'_>) -> Result<(), String> {
    httpd::add_version_component(parent.pconf(), COMPONENT);
    let resolution = check::resolve(parent);
    resolution.log(parent);
    if let Some(mistake) = resolution.mistakes.first() {
        return Err(mistake.clone());
    }
    let mut kept = Kept::open()?;
    if resolution.groups.is_empty() && kept.supervisor().is_none() {
        // Nothing to serve and nothing to end: requests are told what is missing.
        return install(parent, resolution.groups, &mut kept);
    }
    httpd::notice_children_at_once(parent.pconf());
    install(parent, resolution.groups, &mut kept)?;
    let parent_pid = std::process::id();
    parent.pconf().on_cleanup(move || {
        // Children run the pool's cleanups too when they exit; a restart clears the pool and goes on.
        if std::process::id() == parent_pid && httpd::is_exiting() {
            stop();
        }
    });
    let Some(generation) = parent.server().config::<Wsgi>().generation() else { return Ok(()) };
    match define(parent, generation, &mut kept) {
        // A server that has just been started must say at once that it cannot serve; one that serves goes on.
        Err(reason) if generation.definitions.generation > FIRST => {
            not_in_force(parent, generation, &mut kept, &reason);
            Ok(())
        }
        outcome => outcome,
    }
}

/// Makes the generation that requests are served under.
fn install(parent: &Parent<'_>, resolved: Vec<Resolved>, kept: &mut Kept) -> Result<(), String> {
    let main = parent.server().config::<Wsgi>();
    let companions = if resolved.is_empty() { Companions::default() } else { Companions::find()? };
    let definitions = definitions(parent, &resolved, &companions, kept.next_generation()?)?;
    let children = usize::try_from(Mpm::query().max_children).unwrap_or(usize::MAX);
    let listener_uid = if check::is_root() { 0 } else { check::children_uid() };
    let groups = Groups::new(resolved, &definitions.socket_directory, listener_uid, children)
        .map_err(|error| format!("the memory for counting requests cannot be mapped: {error}"))?;
    let generation = Arc::new(Generation {
        groups,
        restrict_embedded: main.global.restrict_embedded.unwrap_or(false),
        case_sensitive: main.global.python.case_sensitive.unwrap_or(true),
        definitions,
        companions,
        deaths: Mutex::default(),
    });
    parent.servers().for_each(|server| server.config::<Wsgi>().set_generation(&generation));
    Ok(())
}

/// Has the running supervisor, or else a new one, take the definitions.
fn define(parent: &Parent<'_>, generation: &Generation, kept: &mut Kept) -> Result<(), String> {
    if let (Some(pid), Some(channel)) = (kept.supervisor(), kept.channel()) {
        // Whatever comes of it, it is httpd's to reap.
        watch(parent, pid);
        let error = match tell(parent, generation, kept, &channel, Vec::new()) {
            Ok(()) => return Ok(()),
            Err(NotDefined::Refused(reason)) => return Err(reason),
            Err(error @ (NotDefined::Gone(_) | NotDefined::Language)) => error,
        };
        let text = format!("WSGI1307: wsgi-supervisor (process {pid}) is replaced by another one: {error}");
        parent.log().write(Level::Error, text.as_bytes());
        end(kept)?;
    }
    launch(parent, generation, kept)
}

/// Ends a supervisor that gives no answer: it may only be asleep, and two of them must not serve the same sockets. Its workers
/// notice its end and finish what they have begun.
fn end(kept: &mut Kept) -> Result<(), String> {
    if let Some(handle) = kept.handle() {
        let ended = unix::process::kill(&handle).and_then(|()| unix::process::wait_for_end(&handle, END));
        match ended {
            Ok(true) => {}
            Ok(false) => {
                return Err(format!("wsgi-supervisor did not end within {} s of SIGKILL", END.as_secs()));
            }
            Err(error) => return Err(format!("wsgi-supervisor cannot be ended: {error}")),
        }
    }
    kept.forget_supervisor()
}

/// The server goes on without the new definitions.
fn not_in_force(parent: &Parent<'_>, generation: &Generation, kept: &mut Kept, reason: &str) {
    if kept.supervisor().is_none() {
        return not_started(parent, generation, kept, reason);
    }
    let text = format!(
        "WSGI1312: the new configuration of the process groups is not in force: {reason}. The workers of the former one go on          serving, and groups that are new are answered with 503: repair it and run `apachectl graceful`"
    );
    parent.log().write(Level::Error, text.as_bytes());
}

/// What has to last from one reading of the configuration to the next cannot be had.
fn not_kept(parent: &Parent<'_>, reason: &str) {
    parent.log().write(Level::Error, format!("WSGI1313: {reason}").as_bytes());
}

/// No supervisor runs; another start follows, sooner or later. The listeners go: a request in the queue of one that nobody serves
/// would wait for its whole socket-timeout.
fn not_started(parent: &Parent<'_>, generation: &Generation, kept: &mut Kept, reason: &str) {
    if let Err(error) = kept.update_listeners(Vec::new(), |_| false) {
        not_kept(parent, &error);
    }
    let wait = generation.deaths.lock().unwrap_or_else(PoisonError::into_inner).note(Instant::now());
    let seconds = wait.max(MONITOR).as_secs();
    let text = format!(
        "WSGI1309: {reason}. It is tried again in about {seconds} seconds; until then, process groups are answered with 503"
    );
    parent.log().write(Level::Error, text.as_bytes());
}

/// Starts a supervisor and tells it everything.
fn launch(parent: &Parent<'_>, generation: &Generation, kept: &mut Kept) -> Result<(), String> {
    let log = parent.server().error_log_fd().ok().flatten();
    let started = launch::start(&generation.companions.supervisor, log)?;
    let channel = started.channel.try_clone().map_err(|error| format!("wsgi-supervisor: {error}"))?;
    kept.set_supervisor(started.pid, started.handle, started.channel)?;
    watch(parent, started.pid);
    let listeners = kept.listeners();
    let error = match tell(parent, generation, kept, &channel, listeners) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match error {
        // It has nothing to do, and ends by itself when its channel closes.
        NotDefined::Refused(_) => kept.forget_supervisor()?,
        NotDefined::Gone(_) | NotDefined::Language => end(kept)?,
    }
    Err(error.to_string())
}

fn tell(
    parent: &Parent<'_>,
    generation: &Generation,
    kept: &mut Kept,
    channel: &OwnedFd,
    listeners: Vec<(ListenerName, OwnedFd)>,
) -> Result<(), NotDefined> {
    let definitions = &generation.definitions;
    let wanted = |name: &ListenerName| {
        definitions.groups.iter().any(|group| group.name == name.group && name.slot < group.processes)
    };
    let listeners = listeners.into_iter().filter(|(name, _)| wanted(name)).collect();
    let deadline = Instant::now() + ANSWER;
    let bound = talk::define(channel.as_fd(), definitions, listeners, error_logs(parent), deadline)?;
    let longest = definitions.groups.iter().map(|group| group.timeouts.shutdown).max();
    kept.set_shutdown_limit(longest.unwrap_or_default());
    kept.update_listeners(bound, wanted).map_err(|reason| NotDefined::Gone(std::io::Error::other(reason)))
}

/// The main error log (after a rotation of logs it is another file) under an empty name, and that of each group: the log of the
/// server which declares it.
fn error_logs(parent: &Parent<'_>) -> Vec<(Attachment, OwnedFd)> {
    let named = |group: &str, server: &Server<'_>| Attachment::ErrorLog {
        group: group.to_owned(),
        limit: server.log().limit(),
    };
    let main = parent.server();
    let mut logs = Vec::new();
    logs.extend(main.error_log_fd().ok().flatten().map(|log| (named("", &main), log)));
    for server in parent.servers() {
        let config = server.config::<Wsgi>();
        if server.is_virtual() && std::ptr::eq(config, main.config::<Wsgi>()) {
            continue;
        }
        for declared in &config.declared {
            let own = server.error_log_fd().ok().flatten();
            if let Some(log) = own.or_else(|| main.error_log_fd().ok().flatten()) {
                logs.push((named(&declared.draft.name, &server), log));
            }
        }
    }
    logs
}

fn watch(parent: &Parent<'_>, pid: i32) {
    parent.watch_child(pid, move |parent, event| {
        if let ChildEvent::Died { status } = event {
            died(parent, pid, status);
        }
    });
}

/// The supervisor has died: httpd's parent has reaped it.
fn died(parent: &Parent<'_>, pid: i32, status: i32) {
    use std::os::unix::process::ExitStatusExt;
    let forgotten = Kept::open().and_then(|mut kept| match kept.supervisor() == Some(pid) {
        true => kept.forget_supervisor().map(|()| true),
        false => Ok(false),
    });
    match forgotten {
        Ok(true) => {
            let status = std::process::ExitStatus::from_raw(status);
            again(parent, &format!("WSGI1308: wsgi-supervisor (process {pid}) has ended: {status}"));
        }
        Ok(false) => {}
        Err(reason) => not_kept(parent, &reason),
    }
}

/// Says what happened and starts another supervisor, now or later.
fn again(parent: &Parent<'_>, what: &str) {
    // Whoever stops the server may have stopped the supervisor too; after a restart the next configuration starts one.
    if Mpm::is_stopping() {
        return;
    }
    let Some(generation) = parent.server().config::<Wsgi>().generation() else { return };
    let wait = generation.deaths.lock().unwrap_or_else(PoisonError::into_inner).note(Instant::now());
    let when = match wait.as_secs() {
        0 => "now".to_owned(),
        seconds => format!("in about {seconds} seconds, as this happens too often"),
    };
    let text = format!("{what}: another one is started {when}; its workers finish what they have begun");
    parent.log().write(Level::Error, text.as_bytes());
    restart_if_due(parent);
}

/// Starts another supervisor if the last has died and it is time. Called by httpd's parent about every ten seconds too.
pub fn restart_if_due(parent: &Parent<'_>) {
    let Some(generation) = parent.server().config::<Wsgi>().generation() else { return };
    if !generation.deaths.lock().unwrap_or_else(PoisonError::into_inner).take_due(Instant::now()) {
        return;
    }
    let mut kept = match Kept::open() {
        Ok(kept) if kept.supervisor().is_none() => kept,
        Ok(_) => return,
        Err(reason) => return not_kept(parent, &reason),
    };
    if let Err(reason) = launch(parent, generation, &mut kept) {
        not_started(parent, generation, &mut kept, &reason);
    }
}

/// httpd ends: the supervisor stops its workers. Bounded by the longest shutdown-timeout.
fn stop() {
    let Ok(mut kept) = Kept::open() else { return };
    let Some(channel) = kept.channel().filter(|_| kept.is_mine()) else { return };
    // The file with the process number is gone by now: whoever starts the next httpd must find the addresses free.
    httpd::close_listeners();
    let deadline = Instant::now() + kept.shutdown_limit() + STOP_MARGIN;
    if let Err(error) = talk::stop(channel.as_fd(), deadline) {
        let text =
            format!("WSGI1310: wsgi-supervisor was told to stop: {error}; its workers end by themselves");
        httpd::Log::process().write(Level::Warn, text.as_bytes());
        // Nothing can be done about a process that outlives SIGKILL.
        let _ = end(&mut kept);
    }
    kept.close();
}

/// A child of httpd has nothing to do with the supervisor: it closes what it has inherited.
pub fn forget_in_child() {
    httpd::stop_noticing_children();
    // With -X the parent itself serves, and keeps what it owns.
    if let Ok(mut kept) = Kept::open()
        && !kept.is_mine()
    {
        kept.close();
    }
}

/// Says what keeps this child, which is Apache's user by now, from the sockets: a directory above them, or what connecting says.
pub fn look_for_sockets(child: &Child<'_>) {
    let Some(generation) = child.server().config::<Wsgi>().generation() else { return };
    if generation.definitions.groups.is_empty() {
        return;
    }
    let directory = &generation.definitions.socket_directory;
    let reasons: Vec<String> = match check::reach::stops_here(&directory.join("socket")) {
        Some(stopped) => vec![check::sockets_out_of_reach(&stopped, check::children_uid())],
        None => generation.groups.iter().filter_map(forbidden).collect(),
    };
    for reason in reasons {
        child.server().log().write(Level::Error, format!("WSGI1318: {reason}").as_bytes());
    }
}

/// What to say when connecting to a group's sockets, which all have the same owner, is forbidden.
fn forbidden(group: &GroupHandle) -> Option<String> {
    // Nobody takes connections where service scripts run.
    let path = group.sockets.first().filter(|_| group.definition.threads > 0)?;
    let error = unix::stream::connect_to(path).err()?;
    let (name, path, uid) = (&group.definition.name, path.display(), check::children_uid());
    (error.kind() == std::io::ErrorKind::PermissionDenied).then(|| {
        format!(
            "Process group '{name}': the web server's user (uid {uid}) may not connect to {path}: {error}. Leave socket-user= out, or \
             name that user there; where SELinux or AppArmor is in force, let httpd connect to sockets in this directory."
        )
    })
}

/// A child of httpd that has ended gives back the worker slots it held.
pub fn child_changed(parent: &Parent<'_>, status: ChildStatus) {
    let ChildStatus::Exited { pid, .. } = status else { return };
    let (Some(generation), Ok(pid)) = (parent.server().config::<Wsgi>().generation(), u32::try_from(pid))
    else {
        return;
    };
    let groups = &generation.groups;
    Ledger::new(groups.cells(), groups.children_limit(), groups.slots()).take_back(pid);
}
