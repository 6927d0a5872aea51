//! What a process group does next: which slots start a worker, which workers leave. Pure: events and time go in, actions
//! come out. Processes, sockets and the log belong to the server.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use spec::worker::{Cause, Report};
use unix::clock::later;

use crate::backoff::{BackOff, HEALTHY_AFTER};
use crate::life::{Life, Limits, Order, Phase};

/// Shortest life of a worker that is replaced by its own wish, so that one that always wishes it does not keep the machine
/// busy with starting. Its successor waits for the rest.
const PACE: Duration = Duration::from_secs(1);
/// The same where requests are counted: `maximum-requests=1` starts a Python for each request, because that is asked for.
const PACE_OF_REQUESTS: Duration = Duration::from_millis(100);
/// Workers of a slot that leave and finish their requests: with as many, the next one to leave early is replaced as after a crash.
const MOST_LEAVING: usize = 4;

/// Names a worker process for as long as the supervisor lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u64);

/// What the server is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start a worker in this slot, then call [`Group::started`] or [`Group::start_failed`].
    Start {
        /// The slot.
        slot: u32,
    },
    /// Do this to a worker.
    Order(WorkerId, Order),
    /// Tell the administrator.
    Note(Note),
}

/// What the administrator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// All workers of the newest definition are ready.
    AllReady,
    /// Not all workers of the newest definition got ready in time; those of the former one go on serving.
    RollOverLate,
    /// Killed, as it did not stop in time.
    Overdue(WorkerId),
    /// Terminated, as it runs on without its status pipe.
    Lost(WorkerId),
    /// Leaves by its own wish: at once, or when its successor is ready.
    Replaced {
        /// The worker.
        id: WorkerId,
        /// Why.
        cause: Cause,
        /// After this time its successor is started.
        delay: Duration,
    },
}

/// A worker's end, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// What it was doing.
    pub phase: Phase,
    /// How long it lived.
    pub age: Duration,
    /// Whether it was ever ready.
    pub was_ready: bool,
    /// After this time its slot starts another one; `None`: a replacement is there, or none is wanted.
    pub restart: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    id: WorkerId,
    life: Life,
    /// It serves until the worker of this slot is ready.
    relief: Option<u32>,
    /// It leaves by its own wish.
    wished: bool,
}

#[derive(Debug, Clone, Copy)]
enum Lane {
    Waiting(Instant),
    Launching,
    Running(Member),
    Stopped,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    lane: Lane,
    back_off: BackOff,
    /// Its last worker ended before it was ready, or could not be made.
    failed: bool,
}

/// The state of one process group.
#[derive(Debug)]
pub struct Group {
    limits: Limits,
    slots: Vec<Slot>,
    /// Workers that a slot's newer worker replaces or has replaced.
    former: Vec<Member>,
    /// Until when all workers of the newest definition should be ready, while that is awaited.
    roll_over: Option<Instant>,
    announced: bool,
}

impl Group {
    /// A group whose workers are all to be started now.
    #[must_use]
    pub fn new(processes: u32, limits: Limits, now: Instant) -> Self {
        Self { limits, slots: fresh(processes, now), former: Vec::new(), roll_over: None, announced: false }
    }

    /// A newer definition: workers start beside the present ones, which leave when all new ones are ready.
    pub fn redefine(&mut self, processes: u32, limits: Limits, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        for slot in std::mem::replace(&mut self.slots, fresh(processes, now)) {
            let Lane::Running(mut member) = slot.lane else { continue };
            if !member.life.was_ready() {
                // It serves nobody yet, and what it is starting is no longer wanted.
                let order = member.life.terminate(now, self.limits.shutdown);
                actions.extend(order.map(|order| Action::Order(member.id, order)));
            }
            self.former.push(member);
        }
        // Slots have new meanings: all of them leave together.
        self.former.iter_mut().for_each(|member| (member.relief, member.wished) = (None, false));
        self.limits = limits;
        self.announced = false;
        if limits.alone {
            self.roll_over = None;
            let formers = self.former.iter_mut();
            actions.extend(formers.filter_map(|m| m.life.drain(now).map(|order| Action::Order(m.id, order))));
        } else {
            self.roll_over = self.serving_formers().then(|| later(now, limits.start));
        }
        actions
    }

    /// Every worker leaves after its requests; none is started any more.
    pub fn retire(&mut self, now: Instant) -> Vec<Action> {
        self.close_lanes();
        self.former
            .iter_mut()
            .filter_map(|m| m.life.drain(now).map(|order| Action::Order(m.id, order)))
            .collect()
    }

    /// Every worker ends within the shutdown timeout, at most within `most`; none is started any more.
    pub fn stop(&mut self, now: Instant, most: Duration) -> Vec<Action> {
        self.close_lanes();
        let patience = self.limits.shutdown.min(most);
        let ends = |m: &mut Member| m.life.terminate(now, patience).map(|order| Action::Order(m.id, order));
        self.former.iter_mut().filter_map(ends).collect()
    }

    /// A worker was started in a slot.
    pub fn started(&mut self, slot: u32, id: WorkerId, now: Instant) {
        let life = Life::new(now, self.limits);
        match self.slot(slot) {
            Some(slot) if !matches!(slot.lane, Lane::Stopped) => {
                slot.lane = Lane::Running(Member { id, life, relief: None, wished: false })
            }
            _ => self.former.push(Member { id, life, relief: None, wished: false }),
        }
    }

    /// No process could be made; the delay before the next attempt.
    pub fn start_failed(&mut self, slot: u32, now: Instant, chance: u32) -> Duration {
        let Some(slot) = self.slot(slot) else { return Duration::ZERO };
        slot.failed = true;
        let delay = slot.back_off.next(chance);
        slot.lane = Lane::Waiting(later(now, delay));
        delay
    }

    /// A worker has reported.
    pub fn report(&mut self, id: WorkerId, report: Report, now: Instant, chance: u32) -> Vec<Action> {
        if let Some(member) = self.former.iter_mut().find(|member| member.id == id) {
            member.life.report(report, now);
            return Vec::new();
        }
        let crowded = self.is_crowded();
        let mut numbered = (0_u32..).zip(&mut self.slots);
        let Some((number, slot)) = numbered.find(|(_, slot)| slot.runs(id)) else { return Vec::new() };
        let Lane::Running(member) = &mut slot.lane else { return Vec::new() };
        member.life.report(report, now);
        let (cause, relief) = match (report, member.life.phase()) {
            (Report::Leaving(cause), Phase::Draining { .. }) => (cause, None),
            (Report::Replace(cause), Phase::Ready) => (cause, Some(number)),
            (Report::Ready, Phase::Ready) => {
                let mut actions = self.relieve(number, now);
                actions.extend(self.promote(now));
                return actions;
            }
            _ => return Vec::new(),
        };
        let member = Member { relief, wished: true, ..*member };
        let delay = slot.delay_for(cause, &member.life, crowded, now, chance);
        slot.failed &= cause.is_failure(); // Its threads serve, and may find a changed script, before it says that it is ready.
        slot.lane = Lane::Waiting(later(now, delay));
        self.former.push(member);
        vec![Action::Note(Note::Replaced { id, cause, delay })]
    }

    /// A worker has closed its status pipe: it ends now, or is terminated soon.
    pub fn silent(&mut self, id: WorkerId, now: Instant) {
        if let Some(member) = self.member(id) {
            member.life.silence(now);
        }
    }

    /// A worker is not to be trusted any more: it is terminated at once.
    pub fn give_up(&mut self, id: WorkerId, now: Instant) -> Option<Action> {
        let patience = self.limits.shutdown;
        let order = self.member(id)?.life.terminate(now, patience)?;
        Some(Action::Order(id, order))
    }

    /// A worker's process has ended. `None`: not one of this group.
    pub fn ended(&mut self, id: WorkerId, now: Instant, chance: u32) -> Option<Ended> {
        let end = |life: &Life, restart| Ended {
            phase: life.phase(),
            age: life.age(now),
            was_ready: life.was_ready(),
            restart,
        };
        if let Some(at) = self.former.iter().position(|member| member.id == id) {
            let member = self.former.swap_remove(at);
            return Some(end(&member.life, None));
        }
        let slot = self.slots.iter_mut().find(|slot| slot.runs(id))?;
        let Lane::Running(member) = slot.lane else { return None };
        let delay = slot.delay_after(&member.life, now, chance);
        slot.lane = Lane::Waiting(later(now, delay));
        Some(end(&member.life, Some(delay)))
    }

    /// What is due by now.
    pub fn tick(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        let running = self.slots.iter_mut().filter_map(|slot| match &mut slot.lane {
            Lane::Running(member) => Some(member),
            _ => None,
        });
        for member in running.chain(&mut self.former) {
            let (before, lost) = (member.life.phase(), member.life.is_lost(now));
            let Some(order) = member.life.tick(now) else { continue };
            if let Phase::Stopping { .. } = before {
                actions.push(Action::Note(Note::Overdue(member.id)));
            } else if lost {
                actions.push(Action::Note(Note::Lost(member.id)));
            }
            actions.push(Action::Order(member.id, order));
        }
        let waits = self.waits_for_formers();
        for (number, slot) in (0_u32..).zip(&mut self.slots).filter(|_| !waits) {
            if matches!(slot.lane, Lane::Waiting(until) if until <= now) {
                slot.lane = Lane::Launching;
                actions.push(Action::Start { slot: number });
            }
        }
        if self.roll_over.is_some_and(|until| until <= now) {
            self.roll_over = None;
            actions.push(Action::Note(Note::RollOverLate));
        }
        actions
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let lanes = self.slots.iter().filter_map(|slot| match slot.lane {
            Lane::Waiting(until) => Some(until).filter(|_| !self.waits_for_formers()),
            Lane::Running(member) => member.life.deadline(),
            Lane::Launching | Lane::Stopped => None,
        });
        let formers = self.former.iter().filter_map(|member| member.life.deadline());
        lanes.chain(formers).chain(self.roll_over).min()
    }

    /// The slots that nobody serves, and nobody will soon: their workers do not even get ready.
    #[must_use]
    pub fn down(&self, now: Instant) -> BTreeSet<u32> {
        let down = |slot: &Slot| matches!(slot.lane, Lane::Waiting(until) if slot.failed && until > now);
        (0_u32..).zip(&self.slots).filter(|(_, s)| !self.serving_formers() && down(s)).map(|s| s.0).collect()
    }

    /// True when no worker is left and none will be started.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.former.is_empty() && self.slots.iter().all(|slot| matches!(slot.lane, Lane::Stopped))
    }

    /// Once all workers of the newest definition are ready, the former ones leave.
    fn promote(&mut self, now: Instant) -> Vec<Action> {
        let ready = |slot: &Slot| matches!(slot.lane, Lane::Running(m) if m.life.phase() == Phase::Ready);
        if self.announced || !self.slots.iter().all(ready) {
            return Vec::new();
        }
        self.announced = true;
        self.roll_over = None;
        let mut actions = vec![Action::Note(Note::AllReady)];
        for member in &mut self.former {
            actions.extend(member.life.drain(now).map(|order| Action::Order(member.id, order)));
        }
        actions
    }

    /// The worker of this slot is ready: who has waited for that leaves.
    fn relieve(&mut self, slot: u32, now: Instant) -> Vec<Action> {
        let waiting = self.former.iter_mut().filter(|member| member.relief == Some(slot));
        waiting
            .filter_map(|member| member.life.drain(now).map(|order| Action::Order(member.id, order)))
            .collect()
    }

    fn waits_for_formers(&self) -> bool {
        self.limits.alone && !self.former.is_empty()
    }

    /// Whether too many workers have left by their own wish and are still there.
    fn is_crowded(&self) -> bool {
        let leaving = self.former.iter().filter(|m| m.wished && m.life.phase() != Phase::Ready).count();
        leaving >= self.slots.len() * MOST_LEAVING
    }

    fn serving_formers(&self) -> bool {
        self.former.iter().any(|member| member.life.phase() == Phase::Ready)
    }

    fn close_lanes(&mut self) {
        self.roll_over = None;
        for slot in &mut self.slots {
            if let Lane::Running(member) = std::mem::replace(&mut slot.lane, Lane::Stopped) {
                self.former.push(member);
            }
        }
    }

    fn member(&mut self, id: WorkerId) -> Option<&mut Member> {
        let running = self.slots.iter_mut().filter_map(|slot| match &mut slot.lane {
            Lane::Running(member) => Some(member),
            _ => None,
        });
        running.chain(&mut self.former).find(|member| member.id == id)
    }

    fn slot(&mut self, number: u32) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(number).ok()?)
    }
}

impl Slot {
    fn runs(&self, id: WorkerId) -> bool {
        matches!(self.lane, Lane::Running(member) if member.id == id)
    }

    /// The pause before the successor of a worker that leaves by its own wish. Only failures make it grow.
    fn delay_for(&mut self, cause: Cause, life: &Life, crowded: bool, now: Instant, chance: u32) -> Duration {
        self.failed = !life.was_ready();
        match cause {
            // Its age is the time-out's length, which says nothing about health.
            Cause::StartupTimeout => self.back_off.next(chance),
            cause if cause.is_failure() || !life.was_ready() => self.delay_after(life, now, chance),
            cause => {
                let pace = if cause == Cause::MaximumRequests { PACE_OF_REQUESTS } else { PACE };
                let pause = pace.saturating_sub(life.age(now));
                if life.age(now) >= HEALTHY_AFTER {
                    self.back_off.reset();
                    return pause;
                }
                if crowded { pause.max(self.back_off.next(chance)) } else { pause }
            }
        }
    }

    fn delay_after(&mut self, life: &Life, now: Instant, chance: u32) -> Duration {
        self.failed = !life.was_ready();
        if life.was_ready() && life.age(now) >= HEALTHY_AFTER {
            self.back_off.reset();
        }
        self.back_off.next(chance)
    }
}

fn fresh(processes: u32, now: Instant) -> Vec<Slot> {
    (0..processes)
        .map(|_| Slot { lane: Lane::Waiting(now), back_off: BackOff::default(), failed: false })
        .collect()
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
