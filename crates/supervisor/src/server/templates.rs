//! Templates of `shared-imports=`: one for all groups with the same plan, of one configuration. A template that fails costs memory and
//! nothing else: until the next configuration the workers of its groups are started without it.

use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::Shutdown;
use spec::worker::{Fate, REPORT_LEN};
use unix::process::{Child, Ending};

use super::Server;
use super::outputs::Output;
use super::sources::Source;
use crate::codes::Code;
use crate::group::WorkerId;
use crate::launch::Started;
use crate::launch::child::Plan;
use crate::launch::failure::LaunchFailure;
use crate::launch::template;

/// How long a template has to say how its worker has ended.
const WORD: Duration = Duration::from_secs(1);

/// Messages of a template about nobody: of workers that have ended before they could be named there may be some.
const MOST_STRAYS: u32 = 1000;

/// A template.
pub(super) struct Template {
    id: WorkerId,
    plan: Plan,
    /// The first group that wanted it, for messages.
    key: u64,
    group: String,
    /// `None` once it has ended.
    running: Option<(Child, OwnedFd)>,
    /// False once it takes no messages.
    open: bool,
    /// False once there is a newer configuration.
    current: bool,
    failure: Option<LaunchFailure>,
    /// So far.
    strays: u32,
}

impl Server {
    /// Has a worker of this group forked; `None` when it is to be started without a template. With the template's number.
    pub(super) fn fork_worker(
        &mut self,
        key: u64,
        slot: u32,
    ) -> Option<std::io::Result<(Started, WorkerId)>> {
        let id = self.template(key)?;
        let facts = self.facts.as_ref()?;
        let template = self.templates.iter_mut().find(|found| found.id == id)?;
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        let (_, control) = template.running.as_ref()?;
        let listener = entry.listener(slot)?.as_fd();
        match template::fork(control, &entry.definition, facts, listener) {
            // It is ending, which its pidfd tells in a moment.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                template.open = false;
                None
            }
            forked => Some(forked.map(|started| (started, id))),
        }
    }

    /// The running template of a group that wants one, started where there is none yet.
    fn template(&mut self, key: u64) -> Option<WorkerId> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        if entry.definition.shared_imports.is_empty() {
            return None;
        }
        let plan = template::plan(&entry.definition, self.facts.as_ref()?).ok()?;
        let known = self.templates.iter().find(|template| template.current && template.plan == plan);
        if let Some(known) = known {
            return (known.open && known.running.is_some()).then_some(known.id);
        }
        let group = entry.definition.name.clone();
        let id = WorkerId(self.next_worker);
        self.next_worker += 1;
        let started = template::start(&plan).and_then(|started| {
            let added = self.sources.add(&started.child.handle, Source::Exit(id)).and_then(|()| {
                self.sources.add(&started.control, Source::Status(id))?;
                self.sources.add(&started.output, Source::Output(id))
            });
            match added {
                Ok(()) => Ok(started),
                Err(error) => {
                    started.child.discard()?;
                    Err(error)
                }
            }
        });
        let running = match started {
            Ok(started) => {
                let output = Output::new(key, group.clone(), started.child.pid, started.output);
                self.outputs.insert(id, output);
                Some((started.child, started.control))
            }
            Err(error) => {
                let line = format!(
                    "Process group '{group}': no process for shared-imports= can be started: {error}."
                );
                self.log(key).say(Code::TemplateEnded, &line);
                None
            }
        };
        let there = running.is_some().then_some(id);
        self.templates.push(Template {
            id,
            plan,
            key,
            group,
            running,
            open: true,
            current: true,
            failure: None,
            strays: 0,
        });
        there
    }

    /// From now on workers are forked from new templates; the former ones leave when their last worker has ended.
    pub(super) fn retire_templates(&mut self) {
        self.templates.retain(|template| template.running.is_some());
        for template in &mut self.templates {
            template.current = false;
            if let Some((_, control)) = &template.running {
                // It still says how its workers end. ENOTCONN: it is ending.
                let _ended = rustix::net::shutdown(control, Shutdown::Write);
            }
        }
    }

    /// Ends all templates at once: their workers have ended.
    pub(super) fn end_templates(&mut self) {
        for (child, _) in self.templates.drain(..).filter_map(|template| template.running) {
            let _ended = child.discard();
        }
    }

    /// Ends a template that owes a worker.
    pub(super) fn kill_template(&self, id: WorkerId) {
        let template = self.templates.iter().find(|template| template.id == id);
        if let Some((child, _)) = template.and_then(|template| template.running.as_ref()) {
            // What fails here has ended.
            let _ended = unix::process::kill(&child.handle);
        }
    }

    /// Whether this is one.
    pub(super) fn is_template(&self, id: WorkerId) -> bool {
        self.templates.iter().any(|template| template.id == id)
    }

    /// Takes what a template says about its workers.
    pub(super) fn read_fates(&mut self, id: WorkerId) {
        let Some(template) = self.templates.iter_mut().find(|template| template.id == id) else { return };
        let Some((child, control)) = &template.running else { return };
        let (mut buffer, mut descriptors) = ([0; 32 * REPORT_LEN], Vec::new());
        let flags = rustix::net::RecvFlags::DONTWAIT;
        let bytes = match unix::descriptors::receive(control, &mut buffer, &mut descriptors, flags) {
            Err(Errno::AGAIN) => return,
            Ok(count @ 1..) => buffer.get(..count).unwrap_or_default(),
            // It is ending, which its pidfd tells.
            Ok(0) | Err(_) => return self.sources.remove(control),
        };
        let (messages, rest) = bytes.as_chunks::<REPORT_LEN>();
        for message in messages {
            if let Some(failure) = LaunchFailure::from_bytes(*message) {
                template.failure = Some(failure);
            } else if let Some(fate) = Fate::from_bytes(*message) {
                // Only about its own.
                let own = self.workers.values_mut().find(|worker| worker.is(fate.pid, id));
                match own.filter(|worker| worker.fate.is_none()) {
                    Some(worker) => worker.fate = Some(ending(fate)),
                    None => template.strays += 1,
                }
            }
        }
        // Messages come whole, and once for each worker.
        if !rest.is_empty() || template.strays > MOST_STRAYS {
            let _ended = unix::process::kill(&child.handle);
        }
    }

    /// A forked worker has ended. How it did its template learns in the same moment; until it says so the worker is still there.
    pub(super) fn forked_worker_ended(&mut self, id: WorkerId, template: WorkerId) {
        let running = self.templates.iter().any(|found| found.id == template && found.running.is_some());
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if let Some(child) = &worker.child {
            self.sources.remove(&child.handle);
        }
        worker.word_until = Some(Instant::now() + if running { WORD } else { Duration::ZERO });
        self.read_fates(template);
        self.bury_forked(Instant::now());
    }

    /// Forgets the workers that have ended, once it is known how or nobody will say.
    pub(super) fn bury_forked(&mut self, now: Instant) {
        let due = self.workers.iter().filter(|(_, worker)| {
            worker.word_until.is_some_and(|until| worker.fate.is_some() || until <= now)
        });
        let due: Vec<(WorkerId, Option<Ending>)> = due.map(|(id, worker)| (*id, worker.fate)).collect();
        for (id, ending) in due {
            self.bury(id, ending);
        }
    }

    /// When [`Self::bury_forked`] has something to do.
    pub(super) fn words_deadline(&self) -> Option<Instant> {
        self.workers.values().filter_map(|worker| worker.word_until).min()
    }

    /// A template has ended.
    pub(super) fn template_ended(&mut self, id: WorkerId) {
        self.read_fates(id);
        self.last_words(id);
        let orphans = self.workers.values_mut().filter(|worker| worker.template == Some(id));
        // Nobody will say more.
        orphans.filter_map(|worker| worker.word_until.as_mut()).for_each(|until| *until = Instant::now());
        let Some(template) = self.templates.iter_mut().find(|template| template.id == id) else { return };
        let Some((child, control)) = template.running.take() else { return };
        self.sources.remove(&child.handle);
        self.sources.remove(&control);
        let ending = unix::process::reap(&child.handle).ok().flatten();
        let (key, current, line) = (template.key, template.current, template.line(ending));
        self.templates.retain(|template| template.current || template.running.is_some());
        if current && !self.stopping {
            self.log(key).say(Code::TemplateEnded, &line);
        }
    }
}

impl Template {
    fn line(&self, ending: Option<Ending>) -> String {
        let group = &self.group;
        let how = match (self.failure, ending) {
            (Some(failure), _) => format!("could not start: {}", failure.clause()),
            (None, Some(Ending::Exited(status))) => format!("ended with exit status {status}"),
            (None, Some(Ending::Signalled(signal, _))) => {
                format!("was ended by {}", unix::process::signal_name(signal))
            }
            (None, None) => "ended".to_owned(),
        };
        format!("Process group '{group}': the process for shared-imports= {how}.")
    }
}

fn ending(fate: Fate) -> Ending {
    let value = i32::from(fate.value);
    if fate.signal { Ending::Signalled(value, fate.core) } else { Ending::Exited(value) }
}
