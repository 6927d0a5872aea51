//! A light load in the background of a test: every request is accounted for exactly once.

use crate::http::{Connection, Request};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Clients that send requests one after another until told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Tally>>,
}

/// What became of the requests.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answered with 200 and the whole body.
    pub good: usize,
    /// Everything else, in words.
    pub bad: Vec<String>,
}

impl Load {
    /// `clients` clients that GET `target`, each request on a connection of its own.
    pub fn start(address: SocketAddr, target: &str, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let served = Arc::new(AtomicUsize::new(0));
        let clients = (0..clients)
            .map(|_| {
                let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
                let request = Request::new(address, "GET", target);
                std::thread::spawn(move || client(&request, &stop, &served))
            })
            .collect();
        Self { stop, served, clients }
    }

    /// How many requests were answered so far.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// Waits until `more` further requests have been answered.
    #[track_caller]
    pub fn wait_served(&self, more: usize) {
        let goal = self.served() + more;
        crate::wait_until(crate::LIMIT, "the load is served", || self.served() >= goal);
    }

    /// Ends the load after the running requests.
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Tally::default();
        for client in self.clients {
            let tally = client.join().expect("a client does not panic");
            sum.good += tally.good;
            sum.bad.extend(tally.bad);
        }
        sum
    }
}

fn client(request: &Request, stop: &AtomicBool, served: &AtomicUsize) -> Tally {
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        match request.start().and_then(|mut connection: Connection| connection.read_response("GET")) {
            Ok(response) if response.status == 200 && response.end != crate::End::Truncated => {
                tally.good += 1;
                served.fetch_add(1, Ordering::Relaxed);
            }
            Ok(response) => {
                tally.bad.push(format!("{} {:?} {}", response.status, response.end, response.text()))
            }
            Err(error) => tally.bad.push(error.to_string()),
        }
    }
    tally
}
