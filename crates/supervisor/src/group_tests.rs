//! Tests of the group's decisions, with a clock of their own.

use super::*;

const LIMITS: Limits = Limits {
    start: Duration::from_secs(60),
    graceful: Duration::from_secs(15),
    eviction: Duration::from_secs(15),
    shutdown: Duration::from_secs(5),
    alone: false,
};
/// The middle of the jitter.
const CHANCE: u32 = 200;

/// A group whose starts are carried out: worker ids count up.
struct World {
    group: Group,
    now: Instant,
    next: u64,
    orders: Vec<(u64, Order)>,
    notes: Vec<Note>,
}

impl World {
    fn new(processes: u32) -> Self {
        let now = Instant::now();
        let group = Group::new(processes, LIMITS, now);
        let mut world = Self { group, now, next: 0, orders: Vec::new(), notes: Vec::new() };
        world.after(0);
        world
    }

    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start { slot } => {
                    self.group.started(slot, WorkerId(self.next), self.now);
                    self.next += 1;
                }
                Action::Order(id, order) => self.orders.push((id.0, order)),
                Action::Note(note) => self.notes.push(note),
            }
        }
    }

    fn after(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        let actions = self.group.tick(self.now);
        self.take(actions);
    }

    fn report(&mut self, id: u64, report: Report) {
        let actions = self.group.report(WorkerId(id), report, self.now, CHANCE);
        self.take(actions);
    }

    fn ended(&mut self, id: u64) -> Option<u64> {
        let ended = self.group.ended(WorkerId(id), self.now, CHANCE).unwrap();
        ended.restart.map(|delay| delay.as_secs())
    }

    fn redefine(&mut self, processes: u32) {
        let actions = self.group.redefine(processes, LIMITS, self.now);
        self.take(actions);
        self.after(0);
    }
}

#[test]
fn cr_1_a_crashing_slot_backs_off_and_health_resets_it() {
    let mut world = World::new(1);
    let mut delays = Vec::new();
    for id in 0..5 {
        let delay = world.ended(id).unwrap();
        delays.push(delay);
        world.after(delay * 1000);
    }
    assert_eq!(delays, [0, 1, 2, 4, 8]);
    world.report(5, Report::Ready);
    world.after(10_000);
    assert_eq!(world.ended(5), Some(0));
}

#[test]
fn cr_1_ready_but_short_lived_is_not_healthy() {
    let mut world = World::new(1);
    world.report(0, Report::Ready);
    assert_eq!(world.ended(0), Some(0));
    world.after(0);
    world.report(1, Report::Ready);
    world.after(9_000);
    assert_eq!(world.ended(1), Some(1));
}

#[test]
fn cr_4_a_crashing_slot_does_not_slow_its_siblings() {
    let mut world = World::new(2);
    world.report(1, Report::Ready);
    let mut crashing = 0;
    for _ in 0..4 {
        let delay = world.ended(crashing).unwrap();
        world.after(delay * 1000 + 10_000);
        crashing = world.next - 1;
    }
    assert_eq!(world.ended(1), Some(0));
}

#[test]
fn roll_over_drains_when_all_new_workers_are_ready() {
    let mut world = World::new(2);
    world.report(0, Report::Ready);
    world.report(1, Report::Ready);
    assert_eq!(world.notes, [Note::AllReady]);
    world.redefine(2);
    assert_eq!(world.next, 4);
    world.report(2, Report::Ready);
    assert_eq!(world.orders, []);
    world.report(3, Report::Ready);
    world.orders.sort_by_key(|order| order.0);
    assert_eq!(world.orders, [(0, Order::Drain), (1, Order::Drain)]);
    assert_eq!(world.ended(0), None);
    world.after(15_000);
    world.after(5_000);
    assert_eq!(world.orders[2..], [(1, Order::Terminate), (1, Order::Kill)]);
    assert_eq!(world.notes[2..], [Note::Overdue(WorkerId(1))]);
}

#[test]
fn roll_over_that_fails_keeps_the_former_workers() {
    let mut world = World::new(1);
    world.report(0, Report::Ready);
    world.redefine(1);
    for id in 1..6 {
        let delay = world.ended(id).unwrap();
        world.after(delay * 1000);
    }
    world.after(50_000);
    assert!(world.notes.contains(&Note::RollOverLate));
    assert_eq!(world.orders.iter().filter(|(id, _)| *id == 0).count(), 0);
    let newest = world.next - 1;
    world.report(newest, Report::Ready);
    assert_eq!(world.orders.last(), Some(&(0, Order::Drain)));
}

#[test]
fn a_second_definition_replaces_a_roll_over_in_progress() {
    let mut world = World::new(1);
    world.report(0, Report::Ready);
    world.redefine(1);
    world.redefine(2);
    assert_eq!(world.orders, [(1, Order::Terminate)]);
    world.report(1, Report::Ready);
    assert_eq!(world.orders.len(), 1);
    world.report(2, Report::Ready);
    world.report(3, Report::Ready);
    assert_eq!(world.orders[1..], [(0, Order::Drain)]);
}

/// What the group says when the worker with this id leaves by its own wish.
fn replaced(id: u64, cause: Cause, milliseconds: u64) -> Note {
    Note::Replaced { id: WorkerId(id), cause, delay: Duration::from_millis(milliseconds) }
}

#[test]
fn a_worker_that_leaves_by_itself_is_replaced_at_once() {
    let mut world = World::new(1);
    world.report(0, Report::Ready);
    world.after(20_000);
    world.report(0, Report::Leaving(Cause::ScriptReload));
    assert_eq!(world.notes.last(), Some(&replaced(0, Cause::ScriptReload, 0)));
    world.after(0);
    assert_eq!(world.next, 2);
    world.report(1, Report::Ready);
    assert_eq!(world.orders, [], "it drains already");
    assert_eq!(world.ended(0), None);
}

#[test]
fn a_worker_that_asks_for_its_replacement_serves_until_that_is_ready() {
    let mut world = World::new(2);
    world.report(0, Report::Ready);
    world.report(1, Report::Ready);
    world.after(20_000);
    world.report(1, Report::Replace(Cause::MaximumRequests));
    world.report(1, Report::Replace(Cause::MaximumRequests));
    world.after(0);
    assert_eq!((world.next, world.orders.len()), (3, 0));
    // The first attempt fails: the old one goes on.
    assert_eq!(world.ended(2), Some(0));
    world.after(0);
    assert_eq!((world.next, world.orders.len()), (4, 0));
    world.report(3, Report::Ready);
    assert_eq!(world.orders, [(1, Order::Drain)]);
    assert_eq!(world.ended(1), None);
    assert_eq!(world.notes, [Note::AllReady, replaced(1, Cause::MaximumRequests, 0)]);
}

#[test]
fn planned_replacements_do_not_back_off_and_do_not_spin() {
    for (cause, pace) in [(Cause::MaximumRequests, 100), (Cause::RestartInterval, 1000)] {
        let mut world = World::new(1);
        for id in 0..50 {
            world.report(id, Report::Ready);
            world.after(40);
            world.report(id, Report::Leaving(cause));
            assert_eq!(world.notes.last(), Some(&replaced(id, cause, pace - 40)));
            world.after(pace - 41);
            assert_eq!(world.next, id + 1, "{cause:?}");
            world.after(1);
            assert_eq!(world.next, id + 2, "{cause:?}");
            assert_eq!(world.ended(id), None);
        }
    }
}

/// Workers that report that they are ready and leave when they are `age` old, and then stay as long as they may, for ten minutes: most
/// at a time, and starts in all.
fn leave_and_stay(age: Duration) -> (usize, u64) {
    let mut world = World::new(1);
    let mut most = 0;
    let mut begun = (0, world.now);
    for _ in 0..6000 {
        if begun.0 != world.next {
            begun = (world.next, world.now);
            world.report(world.next - 1, Report::Ready);
        }
        if world.now - begun.1 >= age {
            world.report(world.next - 1, Report::Leaving(Cause::MaximumRequests));
        }
        world.after(100);
        most = most.max(world.group.former.len());
        for (id, order) in std::mem::take(&mut world.orders) {
            if order == Order::Kill {
                assert_eq!(world.ended(id), None);
            }
        }
    }
    (most, world.next)
}

#[test]
fn cr_1_workers_that_always_leave_and_never_end_do_not_pile_up() {
    // Each stays for the graceful and the shutdown timeout, 20 s in all.
    let (most, starts) = leave_and_stay(Duration::ZERO);
    assert!(most <= 10 && starts <= 100, "{most} at a time, {starts} in all");
    // Who has served for a while has its successor at once, however many still finish their requests.
    let (most, starts) = leave_and_stay(Duration::from_secs(10));
    assert!(most == 2 && starts >= 58, "{most} at a time, {starts} in all");
}

#[test]
fn cr_1_failures_back_off_however_long_they_took() {
    let mut world = World::new(1);
    let mut delays = Vec::new();
    for id in 0..5 {
        world.report(id, Report::Ready);
        world.after(30_000);
        world.report(id, Report::Leaving(Cause::StartupTimeout));
        let Some(Note::Replaced { delay, .. }) = world.notes.last() else { panic!("no note") };
        delays.push(delay.as_secs());
        world.after(60_000);
    }
    assert_eq!(delays, [0, 1, 2, 4, 8]);
    // Never ready, whatever it calls it.
    world.report(5, Report::Leaving(Cause::ScriptReload));
    assert_eq!(world.notes.last(), Some(&replaced(5, Cause::ScriptReload, 16_000)));
}

#[test]
fn cr_3_only_failures_to_get_ready_send_clients_away() {
    for (cause, is_down) in [(Cause::StartupTimeout, true), (Cause::ScriptReload, false)] {
        let mut world = World::new(1);
        for id in 0..3 {
            world.report(id, Report::Leaving(cause));
            assert_eq!(world.group.down(world.now).is_empty(), !is_down || id == 0, "{cause:?} {id}");
            world.after(60_000);
        }
    }
}

#[test]
fn a_definition_takes_over_replacements_in_progress() {
    let mut world = World::new(2);
    world.report(0, Report::Ready);
    world.report(1, Report::Ready);
    world.after(20_000);
    world.report(1, Report::Replace(Cause::RestartInterval));
    world.after(0);
    world.redefine(2);
    // 2 was the replacement and not ready: not wanted any more. 3 and 4 are new.
    assert_eq!((world.orders.as_slice(), world.next), (&[(2, Order::Terminate)][..], 5));
    world.report(4, Report::Ready);
    assert_eq!(world.orders.len(), 1, "the former ones leave together");
    world.report(3, Report::Ready);
    world.orders.sort_by_key(|order| order.0);
    assert_eq!(world.orders, [(0, Order::Drain), (1, Order::Drain), (2, Order::Terminate)]);
}

#[test]
fn a_service_script_starts_when_the_former_one_is_gone() {
    let limits = Limits { alone: true, ..LIMITS };
    let mut world = World::new(1);
    world.report(0, Report::Ready);
    let actions = world.group.redefine(1, limits, world.now);
    world.take(actions);
    assert_eq!(world.orders, [(0, Order::Drain)]);
    world.after(3_000);
    assert_eq!(world.next, 1, "the former one still runs");
    assert!(world.group.deadline().is_some_and(|at| at > world.now), "and nothing is due meanwhile");
    assert_eq!(world.ended(0), None);
    world.after(0);
    assert_eq!(world.next, 2);
    world.report(1, Report::Ready);
    world.after(20_000);
    world.report(1, Report::Leaving(Cause::GracefulSignal));
    world.after(0);
    assert_eq!(world.next, 2);
    world.ended(1);
    world.after(0);
    assert_eq!(world.next, 3);
}

#[test]
fn stopping_starts_nothing_and_kills_at_the_deadline() {
    let mut world = World::new(2);
    world.report(0, Report::Ready);
    let actions = world.group.stop(world.now, Duration::from_secs(2));
    world.take(actions);
    assert_eq!(world.orders, [(0, Order::Terminate), (1, Order::Terminate)]);
    assert_eq!(world.ended(0), None);
    world.after(2_000);
    assert_eq!(world.orders[2..], [(1, Order::Kill)]);
    assert_eq!(world.ended(1), None);
    assert!(world.group.is_gone());
    assert_eq!(world.group.deadline(), None);
}

#[test]
fn a_failed_fork_is_tried_again_later() {
    let mut world = World::new(1);
    world.ended(0).unwrap();
    let actions = world.group.tick(world.now);
    assert_eq!(actions, [Action::Start { slot: 0 }]);
    assert_eq!(world.group.start_failed(0, world.now, CHANCE).as_secs(), 1);
    assert_eq!(world.group.deadline(), Some(world.now + Duration::from_secs(1)));
}
