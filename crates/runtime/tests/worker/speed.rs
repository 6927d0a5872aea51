//! How much processor time a small request takes in the worker. Prints; what is fast enough depends on the machine.

use std::time::{Duration, Instant};

use crate::harness::{Wish, Worker};

const REQUESTS: u32 = 6000;

/// Microseconds of processor time of the worker so far.
fn processor_time(worker: &Worker) -> f64 {
    let mut total = 0.0;
    for task in std::fs::read_dir(format!("/proc/{}/task", worker.pid)).unwrap() {
        let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        total += text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1000.0;
    }
    total
}

#[test]
fn processor_time_of_hello_world() {
    // The pause is what Apache does between two requests.
    for (connections, pause) in [(1, 0), (1, 60), (4, 0)] {
        let pause = Duration::from_micros(pause);
        let worker = Wish { threads: 10, ..Wish::new() }.start();
        worker.get("/hello");
        let (before, start) = (processor_time(&worker), Instant::now());
        std::thread::scope(|scope| {
            for _ in 0..connections {
                scope.spawn(|| {
                    let mut child = worker.connect();
                    let ask = worker.ask("/hello");
                    for _ in 0..REQUESTS / connections {
                        assert_eq!(child.get(&ask).status, 200);
                        let answered = Instant::now();
                        while answered.elapsed() < pause {
                            std::hint::spin_loop();
                        }
                    }
                });
            }
        });
        let each = (processor_time(&worker) - before) / f64::from(REQUESTS);
        let rate = f64::from(REQUESTS) / start.elapsed().as_secs_f64();
        println!(
            "{connections} connection(s), pause {pause:?}: {each:.1} µs of the worker for each request, {rate:.0} requests/s"
        );
    }
}
