//! Admission: a request gets a worker's thread before anything is sent, or waits, or is turned away. Counts are shared by all of
//! httpd's children; which worker is chosen is decided in `decide`, where the counters stand is known to `layout`.
//!
//! A child may be killed between any two instructions. Each change touches the child's own cell so that the parent can take
//! back what it held ([`Ledger::take_back`]); a slot is first counted as busy and then as held, and freed in the reverse
//! order, so that a death in between can only make a worker look busier than it is, which is found by comparing.

mod decide;
mod layout;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

pub use decide::{Decision, Limits, admit};
use layout::Layout;
pub use layout::{Row, cells_needed};

/// Longest sleep without a look at the counters. A wake-up is lost when the child that sends it is killed.
const NAP: Duration = Duration::from_secs(1);
/// How often busy and held are compared before a difference is believed: requests come and go meanwhile.
const COMPARISONS: u32 = 16;

/// The counters of one configuration.
#[derive(Debug, Clone, Copy)]
pub struct Ledger<'a> {
    at: Layout<'a>,
}

/// A process group's place in the ledger and its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Its first worker slot.
    pub first_slot: usize,
    /// Its number of worker slots.
    pub slots: usize,
    /// What it allows.
    pub limits: Limits,
}

/// Why a request got no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// As many as allowed wait already.
    QueueFull,
    /// No slot became free in time.
    TimedOut,
}

/// One thread of one worker, reserved; freed on drop.
#[derive(Debug)]
pub struct Reservation<'a> {
    ledger: Ledger<'a>,
    row: Row,
    group: Group,
    slot: usize,
}

impl<'a> Ledger<'a> {
    /// The ledger in `cells`, which were made with [`cells_needed`] for these numbers.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn new(cells: &'a [AtomicU32], children: usize, slots: usize) -> Self {
        Self { at: Layout::new(cells, children, slots) }
    }

    /// Gives the child `pid` a row of its own, or the common one when all are taken.
    #[must_use]
    pub fn claim(&self, pid: u32) -> Row {
        let free = |row: &Row| self.at.pid(*row).compare_exchange(0, pid, SeqCst, SeqCst).is_ok();
        self.at.own_rows().find(free).unwrap_or(self.at.common_row())
    }

    /// Reserves a thread of the least busy worker of `group`, waiting up to `patience`.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn reserve(&self, row: Row, group: &Group, patience: Duration) -> Result<Reservation<'a>, Refused> {
        match self.try_take(row, group) {
            Ok(reservation) => Ok(reservation),
            Err(Decision::TurnAway) => Err(Refused::QueueFull),
            Err(_) => self.wait(row, group, patience),
        }
    }

    /// Threads of `group` that are reserved now, those of requests that wait in a worker's socket included.
    #[must_use]
    pub fn busy(&self, group: &Group) -> u32 {
        let slots = group.first_slot..group.first_slot + group.slots;
        slots.map(|slot| self.at.busy(slot).load(SeqCst)).fold(0, u32::saturating_add)
    }

    fn try_take(&self, row: Row, group: &Group) -> Result<Reservation<'a>, Decision> {
        loop {
            let busy = (0..group.slots).map(|slot| self.at.busy(group.first_slot + slot).load(SeqCst));
            let waiting = self.at.waiting(group.first_slot).load(SeqCst);
            let (slot, seen) = match admit(busy, waiting, group.limits) {
                Decision::Take { slot, seen } => (group.first_slot + slot, seen),
                other => return Err(other),
            };
            if self.at.busy(slot).compare_exchange(seen, seen + 1, SeqCst, SeqCst).is_ok() {
                self.at.held(row, slot).fetch_add(1, SeqCst);
                return Ok(Reservation { ledger: *self, row, group: *group, slot });
            }
        }
    }

    fn wait(&self, row: Row, group: &Group, patience: Duration) -> Result<Reservation<'a>, Refused> {
        let _queued = Queued::enter(self.at, row, group).ok_or(Refused::QueueFull)?;
        let begin = Instant::now();
        let freed = self.at.freed(group.first_slot);
        loop {
            // Read before the try: a slot that is freed after the try changes it, and the sleep does not begin.
            let before = freed.load(SeqCst);
            if let Ok(reservation) = self.try_take(row, group) {
                return Ok(reservation);
            }
            let left = patience.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Err(Refused::TimedOut);
            }
            let _ = unix::futex::wait(freed, before, left.min(NAP));
        }
    }

    /// Frees what the dead child `pid` held. For httpd's parent, once it has reaped the child.
    pub fn take_back(&self, pid: u32) {
        let Some(row) = self.at.own_rows().find(|row| pid != 0 && self.at.pid(*row).load(SeqCst) == pid)
        else {
            return;
        };
        for slot in 0..self.at.slots() {
            subtract(self.at.busy(slot), self.at.held(row, slot).swap(0, SeqCst));
            subtract(self.at.waiting(slot), self.at.queued(row, slot).swap(0, SeqCst));
        }
        self.at.pid(row).store(0, SeqCst);
        for slot in 0..self.at.slots() {
            self.settle(|row| self.at.held(row, slot), self.at.busy(slot));
            self.settle(|row| self.at.queued(row, slot), self.at.waiting(slot));
            self.at.freed(slot).fetch_add(1, SeqCst);
            unix::futex::wake(self.at.freed(slot), i32::MAX as u32);
        }
    }

    /// Removes from `total` what no child accounts for: a child died between its two steps. Requests that come and go make
    /// the two differ for an instant, so the smallest difference counts.
    fn settle(&self, part: impl Fn(Row) -> &'a AtomicU32, total: &AtomicU32) {
        let mut lost = u32::MAX;
        for _ in 0..COMPARISONS {
            let seen = total.load(SeqCst);
            let rows = self.at.own_rows().chain([self.at.common_row()]);
            let sum: u32 = rows.map(|row| part(row).load(SeqCst)).sum();
            lost = lost.min(seen.saturating_sub(sum));
            if lost == 0 {
                return;
            }
            std::thread::yield_now();
        }
        subtract(total, lost);
    }
}

impl Reservation<'_> {
    /// The worker slot, numbered through all groups.
    #[must_use]
    pub fn slot(&self) -> usize {
        self.slot
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let at = self.ledger.at;
        subtract(at.held(self.row, self.slot), 1);
        subtract(at.busy(self.slot), 1);
        let group = self.group.first_slot;
        at.freed(group).fetch_add(1, SeqCst);
        // Who waits has announced itself before it looked at `freed`, so none is missed here.
        if at.waiting(group).load(SeqCst) > 0 {
            unix::futex::wake(at.freed(group), 1);
        }
    }
}

/// A request that waits; counted out on drop.
struct Queued<'a> {
    at: Layout<'a>,
    row: Row,
    group: usize,
}

impl<'a> Queued<'a> {
    /// `None` when as many as allowed wait already.
    fn enter(at: Layout<'a>, row: Row, group: &Group) -> Option<Self> {
        let room = |waiting: u32| (waiting < group.limits.queue).then_some(waiting + 1);
        at.waiting(group.first_slot).fetch_update(SeqCst, SeqCst, room).ok()?;
        at.queued(row, group.first_slot).fetch_add(1, SeqCst);
        Some(Self { at, row, group: group.first_slot })
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        subtract(self.at.queued(self.row, self.group), 1);
        subtract(self.at.waiting(self.group), 1);
    }
}

/// Never below zero: after a repair a count may be too small by one for a moment, which is harmless, but 2^32 − 1 is not.
fn subtract(cell: &AtomicU32, count: u32) {
    if count > 0 {
        let _ = cell.fetch_update(SeqCst, SeqCst, |value| Some(value.saturating_sub(count)));
    }
}

#[cfg(test)]
mod tests;
