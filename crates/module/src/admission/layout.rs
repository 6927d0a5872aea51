//! Where each counter stands in the shared memory of httpd's children. Only places and names, no decisions.
//!
//! ```text
//! busy[slots]  waiting[slots]  freed[slots]  then for each child: pid, held[slots], queued[slots]
//! ```
//! Slots are numbered through all groups of a configuration; what belongs to a group stands at its first slot. The last row
//! belongs to children that found no row of their own: their requests are counted, but cannot be taken back.

use std::sync::atomic::AtomicU32;

/// Number of counters for `children` httpd children and `slots` worker slots of all groups.
#[must_use]
pub fn cells_needed(children: usize, slots: usize) -> usize {
    3 * slots + (children + 1) * row_len(slots)
}

const fn row_len(slots: usize) -> usize {
    1 + 2 * slots
}

/// A row of the ledger: the counts of one httpd child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row(usize);

/// The counters by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'a> {
    cells: &'a [AtomicU32],
    children: usize,
    slots: usize,
}

impl<'a> Layout<'a> {
    /// # Panics
    /// When `cells` is shorter than [`cells_needed`] says: memory of another configuration.
    pub(super) fn new(cells: &'a [AtomicU32], children: usize, slots: usize) -> Self {
        assert!(cells.len() >= cells_needed(children, slots), "the admission counters are of another layout");
        Self { cells, children, slots }
    }

    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// Rows that a child can have for itself.
    pub(super) fn own_rows(&self) -> impl Iterator<Item = Row> + use<> {
        (0..self.children).map(Row)
    }

    pub(super) fn common_row(&self) -> Row {
        Row(self.children)
    }

    /// Requests at a worker slot.
    pub(super) fn busy(&self, slot: usize) -> &'a AtomicU32 {
        &self.cells[self.checked(slot)]
    }

    /// Requests of a group that wait for a slot.
    pub(super) fn waiting(&self, group: usize) -> &'a AtomicU32 {
        &self.cells[self.slots + self.checked(group)]
    }

    /// Counts how often a slot of a group was freed; who waits sleeps on it.
    pub(super) fn freed(&self, group: usize) -> &'a AtomicU32 {
        &self.cells[2 * self.slots + self.checked(group)]
    }

    /// Process id of a row's child, 0 for a free row.
    pub(super) fn pid(&self, row: Row) -> &'a AtomicU32 {
        &self.cells[self.start(row)]
    }

    /// Requests that a child has at a worker slot.
    pub(super) fn held(&self, row: Row, slot: usize) -> &'a AtomicU32 {
        &self.cells[self.start(row) + 1 + self.checked(slot)]
    }

    /// Requests of a child that wait for a slot of a group.
    pub(super) fn queued(&self, row: Row, group: usize) -> &'a AtomicU32 {
        &self.cells[self.start(row) + 1 + self.slots + self.checked(group)]
    }

    fn start(&self, row: Row) -> usize {
        3 * self.slots + row.0.min(self.children) * row_len(self.slots)
    }

    fn checked(&self, slot: usize) -> usize {
        assert!(slot < self.slots, "worker slot {slot} of {}", self.slots);
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_counters_share_a_place() {
        let (children, slots) = (3, 4);
        let cells: Vec<AtomicU32> =
            (0..cells_needed(children, slots)).map(|_| AtomicU32::default()).collect();
        let layout = Layout::new(&cells, children, slots);
        let add = |cell: &AtomicU32| cell.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        for slot in 0..slots {
            let _ = [layout.busy(slot), layout.waiting(slot), layout.freed(slot)].map(add);
        }
        for row in layout.own_rows().chain([layout.common_row()]) {
            add(layout.pid(row));
            for slot in 0..slots {
                let _ = [layout.held(row, slot), layout.queued(row, slot)].map(add);
            }
        }
        assert!(cells.iter().all(|cell| cell.load(std::sync::atomic::Ordering::Relaxed) == 1));
    }
}
