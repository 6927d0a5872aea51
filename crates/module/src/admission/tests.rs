//! Tests of the ledger with threads that play httpd's children.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use unix::shared::SharedCounters;

use super::*;

const CHILDREN: usize = 4;
const SLOTS: usize = 3;
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(20);

fn counters() -> SharedCounters {
    SharedCounters::new(cells_needed(CHILDREN, SLOTS)).unwrap()
}

fn ledger(counters: &SharedCounters) -> Ledger<'_> {
    Ledger::new(counters.cells(), CHILDREN, SLOTS)
}

fn group(threads: u32, queue: u32) -> Group {
    Group { first_slot: 1, slots: 2, limits: Limits { threads, queue } }
}

fn assert_empty(counters: &SharedCounters) {
    let ledger = ledger(counters);
    for slot in 0..SLOTS {
        assert_eq!(ledger.at.busy(slot).load(SeqCst), 0, "busy {slot}");
        assert_eq!(ledger.at.waiting(slot).load(SeqCst), 0, "waiting {slot}");
        for row in ledger.at.own_rows().chain([ledger.at.common_row()]) {
            assert_eq!(ledger.at.held(row, slot).load(SeqCst), 0);
            assert_eq!(ledger.at.queued(row, slot).load(SeqCst), 0);
        }
    }
}

#[test]
fn each_child_gets_its_row_and_late_ones_share() {
    let counters = counters();
    let ledger = ledger(&counters);
    let rows: Vec<Row> = (1..=6).map(|pid| ledger.claim(pid)).collect();
    assert_eq!(rows[4], rows[5]);
    assert!(rows[..5].iter().enumerate().all(|(at, row)| !rows[..at].contains(row)));
    ledger.take_back(2);
    assert_eq!(ledger.claim(7), rows[1]);
}

#[test]
fn re_7_full_is_told_at_once_and_late_at_the_deadline() {
    let counters = counters();
    let ledger = ledger(&counters);
    let row = ledger.claim(1);
    let held: Vec<_> = (0..4).map(|_| ledger.reserve(row, &group(2, 0), LONG).unwrap()).collect();
    assert_eq!(held.iter().map(Reservation::slot).collect::<Vec<_>>(), [1, 2, 1, 2]);
    let begin = Instant::now();
    assert_eq!(ledger.reserve(row, &group(2, 0), LONG).unwrap_err(), Refused::QueueFull);
    assert!(begin.elapsed() < LONG);
    assert_eq!(ledger.reserve(row, &group(2, 1), SHORT).unwrap_err(), Refused::TimedOut);
    assert!(begin.elapsed() >= SHORT);
    drop(held);
    assert_empty(&counters);
}

#[test]
fn a_freed_slot_wakes_who_waits() {
    let counters = counters();
    let ledger = ledger(&counters);
    let row = ledger.claim(1);
    let one = Group { slots: 1, ..group(1, 5) };
    let held = ledger.reserve(row, &one, LONG).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| ledger.reserve(ledger.claim(2), &one, LONG).map(|r| r.slot()));
        while ledger.at.waiting(1).load(SeqCst) == 0 {
            thread::yield_now();
        }
        drop(held);
        assert_eq!(waiter.join().unwrap(), Ok(1));
    });
    assert_empty(&counters);
}

#[test]
fn ki_1_what_a_dead_child_held_is_taken_back_and_waiters_wake() {
    let counters = counters();
    let ledger = ledger(&counters);
    let (dying, living) = (ledger.claim(41), ledger.claim(42));
    let all = group(1, 9);
    std::mem::forget(ledger.reserve(dying, &all, LONG).unwrap());
    let kept = ledger.reserve(living, &all, LONG).unwrap();
    std::mem::forget(Queued::enter(ledger.at, dying, &all).unwrap());
    // Killed between its two steps: counted as busy, held by nobody.
    ledger.at.waiting(1).fetch_add(1, SeqCst);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| ledger.reserve(living, &all, LONG).map(|r| r.slot()));
        while ledger.at.queued(living, 1).load(SeqCst) == 0 {
            thread::yield_now();
        }
        ledger.take_back(41);
        assert_eq!(waiter.join().unwrap(), Ok(1));
    });
    assert_eq!(ledger.at.busy(2).load(SeqCst), 1);
    drop(kept);
    assert_empty(&counters);
    ledger.take_back(41);
    ledger.take_back(0);
    assert_empty(&counters);
}

#[test]
fn a_busy_slot_that_nobody_holds_is_found() {
    let counters = counters();
    let ledger = ledger(&counters);
    let _dead = ledger.claim(5);
    ledger.at.busy(2).fetch_add(3, SeqCst);
    ledger.take_back(5);
    assert_empty(&counters);
}

#[test]
fn no_slot_is_lost_and_no_worker_gets_more_than_its_threads() {
    let counters = counters();
    let at_work: Vec<AtomicU32> = (0..SLOTS).map(|_| AtomicU32::new(0)).collect();
    let (threads, rounds) = (2, 2_000);
    let limits = group(threads, 100);
    thread::scope(|scope| {
        for child in 0..8_u32 {
            let (counters, at_work) = (&counters, &at_work);
            scope.spawn(move || {
                let ledger = ledger(counters);
                let row = ledger.claim(child + 1);
                for _ in 0..rounds {
                    let slot = ledger.reserve(row, &limits, LONG).unwrap();
                    assert!(at_work[slot.slot()].fetch_add(1, SeqCst) < threads);
                    thread::yield_now();
                    at_work[slot.slot()].fetch_sub(1, SeqCst);
                }
            });
        }
    });
    assert_empty(&counters);
}
