//! Which worker takes a request, and what happens when none can: pure functions of counts. The counts live in `layout`.

/// What a group allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests that one worker works on at a time.
    pub threads: u32,
    /// Requests that may wait for a slot of the group, all of httpd's children together.
    pub queue: u32,
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Give it to this worker slot (from 0 within the group), which was seen with this many requests.
    Take {
        /// The slot.
        slot: usize,
        /// Requests it had when it was chosen.
        seen: u32,
    },
    /// Wait until a slot is free.
    Wait,
    /// Turn it away: enough others wait already.
    TurnAway,
}

/// Decides about a request that has not begun to wait. `busy` holds the requests of each worker slot, `waiting` how many
/// requests of the group wait.
#[must_use]
pub fn admit(busy: impl IntoIterator<Item = u32>, waiting: u32, limits: Limits) -> Decision {
    match least_busy(busy, limits.threads) {
        Some((slot, seen)) => Decision::Take { slot, seen },
        None if waiting < limits.queue => Decision::Wait,
        None => Decision::TurnAway,
    }
}

/// The slot with the fewest requests, if it has a free thread. Among equals the first: a worker that was just used is warm.
#[must_use]
pub fn least_busy(busy: impl IntoIterator<Item = u32>, threads: u32) -> Option<(usize, u32)> {
    let mut best: Option<(usize, u32)> = None;
    for (slot, count) in busy.into_iter().enumerate() {
        if count == 0 {
            return (threads > 0).then_some((slot, 0));
        }
        if count < threads && best.is_none_or(|(_, least)| count < least) {
            best = Some((slot, count));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { threads: 2, queue: 3 };

    #[test]
    fn the_least_busy_worker_takes_the_request() {
        assert_eq!(admit([1, 0, 1], 9, LIMITS), Decision::Take { slot: 1, seen: 0 });
        assert_eq!(admit([2, 1, 1], 0, LIMITS), Decision::Take { slot: 1, seen: 1 });
        assert_eq!(admit([2, 7, 1], 0, LIMITS), Decision::Take { slot: 2, seen: 1 });
    }

    #[test]
    fn re_7_a_full_group_lets_requests_wait_up_to_its_limit() {
        assert_eq!(admit([2, 2], 0, LIMITS), Decision::Wait);
        assert_eq!(admit([2, 2], 2, LIMITS), Decision::Wait);
        assert_eq!(admit([2, 2], 3, LIMITS), Decision::TurnAway);
        assert_eq!(admit([3, 2], u32::MAX, LIMITS), Decision::TurnAway);
        assert_eq!(admit([2], 0, Limits { threads: 2, queue: 0 }), Decision::TurnAway);
    }

    #[test]
    fn a_group_without_threads_takes_nothing() {
        assert_eq!(least_busy([0, 0], 0), None);
        assert_eq!(least_busy([], 5), None);
    }
}
