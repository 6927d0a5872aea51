//! Workers that flood their log, or become something else: the supervisor and other groups go on as before.

use std::fs;
use std::time::{Duration, Instant};

use crate::kit::{Place, READY, Supervisor, UNTIL_DRAINED, group, is_alive, kill, status, wait_for};
use rustix::process::Signal;

/// Processor time of a process so far.
fn processor_time(pid: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // USER_HZ is 100 on Linux.
    Duration::from_millis(ticks * 10)
}

/// A group that floods its log with `text` for ever beside a good one: what the supervisor does meanwhile.
fn flood(text: &str) {
    let place = Place::new();
    let flood = place.script("flood", &format!("{READY}exec yes '{text}'"));
    let talker = place
        .script("talker", &format!("{READY}for i in 1 2 3 4 5; do echo line $i of B; done\n{UNTIL_DRAINED}"));
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![group("bad", &flood), group("good", &talker)]));
    supervisor.wait_for_log("'good' is ready");
    supervisor.wait_for_log("WSGI1015: Process group 'bad': ");
    let (since, before) = (Instant::now(), processor_time(supervisor.pid()));
    for _ in 0..3 {
        let good = supervisor
            .workers()
            .into_iter()
            .find(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() == "head\n");
        let Some(good) = good else { panic!("no good worker: {}", supervisor.log()) };
        let readies = || supervisor.log().matches("'good', slot 0: worker").count();
        let (deaths, killed) = (readies(), Instant::now());
        kill(good, Signal::KILL);
        wait_for("the line about the death", || readies() > deaths);
        assert!(killed.elapsed() < Duration::from_millis(300), "{:?}", killed.elapsed());
        wait_for("the next good worker", || {
            supervisor
                .workers()
                .iter()
                .any(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default() == "head\n")
        });
    }
    let passed = since.elapsed();
    let share = (processor_time(supervisor.pid()) - before).as_secs_f64() / passed.as_secs_f64();
    println!("{share:.2} of a processor in {passed:?}");
    assert!(share < 0.5, "{share}");
    for number in 1..=5 {
        let line = format!("line {number} of B\n");
        wait_for("what each good worker says", || supervisor.log().matches(&line).count() == 4);
    }
    let log = supervisor.log();
    let relayed = log.lines().filter(|line| line.contains("(group bad)")).count();
    assert!(relayed < 4000 + 2100 * (passed.as_secs() as usize + 3), "{relayed}");
}

#[test]
fn cr_4_lg_2_a_flood_of_empty_lines_slows_nobody() {
    flood("");
}

#[test]
fn cr_4_lg_2_a_flood_of_lines_slows_nobody() {
    flood("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

#[test]
fn lg_2_a_log_program_that_stands_still_never_blocks() {
    let place = Place::new();
    let (reader, log) = std::io::pipe().unwrap();
    let file = fs::File::from(std::os::fd::OwnedFd::from(log));
    let talker = place.script("talker", &format!("{READY}exec yes line"));
    let supervisor = Supervisor::start(&place);
    let definitions = place.definitions(vec![group("bad", &talker), group("good", &place.good_worker())]);
    supervisor.try_define(&definitions, &[crate::kit::log_attachment("bad", &file)]).unwrap();
    supervisor.wait_for_log("'good' is ready");
    // Nobody has read a byte of the group's log; the supervisor goes on taking messages.
    wait_for("the full pipe", || rustix::io::ioctl_fionread(&reader).unwrap() > 60_000);
    supervisor.define(&definitions);
    drop(reader);
}

#[test]
fn ki_6_a_worker_that_executes_something_else_is_replaced() {
    let place = Place::new();
    // Its end of the status pipe is closed on exec, as the runtime does.
    let worker = place.script("worker", &format!("{READY}exec 5>&-\nexec sleep 1000"));
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![group("site", &worker)]));
    supervisor.wait_for_log("WSGI1001");
    let lost = supervisor.workers()[0];
    supervisor.wait_for_log("WSGI1016");
    wait_for("its end", || !is_alive(lost));
    supervisor.wait_for_log("was ended by SIGTERM while stopping");
    wait_for("the next worker", || supervisor.workers().first().is_some_and(|pid| *pid != lost));
    let line = format!("the worker with pid {lost} has closed its status pipe and runs on");
    assert_eq!(supervisor.log().matches(&line).count(), 1, "{}", supervisor.log());
}

#[test]
fn ki_6_a_worker_that_ignores_signals_is_killed_in_the_end() {
    let place = Place::new();
    let worker =
        place.script("worker", &format!("trap '' TERM INT HUP\n{READY}exec 5>&- 6<&-\nexec sleep 1000"));
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![group("site", &worker)]));
    supervisor.wait_for_log("WSGI1001");
    let lost = supervisor.workers()[0];
    supervisor.wait_for_log("WSGI1016");
    supervisor.wait_for_log("WSGI1006");
    wait_for("its end", || !is_alive(lost));
}

#[test]
fn fd_4_a_worker_that_sends_no_reports_is_terminated() {
    let place = Place::new();
    let worker = place.script("worker", &format!("{READY}printf 'garbage!' >&5\n{UNTIL_DRAINED}"));
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![group("site", &worker)]));
    supervisor.wait_for_log("WSGI1008");
    supervisor.wait_for_log("was ended by SIGTERM");
}

#[test]
fn sk_5_a_worker_that_never_stops_to_report_is_terminated() {
    let place = Place::new();
    // Well-formed, and for ever: the supervisor would do nothing else than read them.
    let report = READY.trim_end();
    let worker = place.script("worker", &format!("while :; do {report} || exit 0; done"));
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![group("site", &worker)]));
    supervisor.wait_for_log("WSGI1008");
    supervisor.wait_for_log("has written more reports to its status pipe than a worker has to make");
    supervisor.wait_for_log("was ended by SIGTERM");
}

#[test]
fn co_1_workers_leave_no_core_files() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![group("site", &place.good_worker())]));
    let worker = supervisor.wait_for_workers(1)[0];
    let limits = fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{line}");
    assert_eq!(status(worker, "State").chars().next(), Some('S'));
}
