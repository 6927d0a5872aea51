//! Native request threads that take jobs from a channel.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use gateway::{Gateway, Request, Served, WorkerThread};

use crate::memory::{Job, Memory};

/// The result of a job.
pub struct Done {
    pub memory: Memory,
    pub seconds: f64,
}

/// The way in to one thread.
pub type Entrance = Sender<(Job, Sender<Done>)>;

/// One request thread; dropping it ends and joins the thread.
pub struct Pool {
    entrance: Option<Entrance>,
    thread: Option<JoinHandle<()>>,
}

impl Pool {
    pub fn start(gateway: &Arc<Gateway>, id: u32) -> Self {
        let (entrance, jobs) = channel();
        let gateway = Arc::clone(gateway);
        let body = move || work(&mut gateway.worker(id, Arc::default()), &jobs);
        Self { entrance: Some(entrance), thread: Builder::new().stack_size(8 << 20).spawn(body).ok() }
    }

    pub fn entrance(&self) -> Option<Entrance> {
        self.entrance.clone()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.entrance = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs a job on the thread and waits.
pub fn run(entrance: &Entrance, job: Job) -> Option<Done> {
    let (sender, result) = channel();
    entrance.send((job, sender)).ok()?;
    result.recv().ok()
}

fn work(worker: &mut WorkerThread, jobs: &Receiver<(Job, Sender<Done>)>) {
    while let Ok((job, sender)) = jobs.recv() {
        let start = Instant::now();
        let mut result = None;
        for _ in 0..job.times {
            let mut memory = Memory::new(&job);
            let mut environ = job.environ.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
            let has = |option: &[u8]| job.options.iter().any(|(key, _)| key == option);
            let request = Request {
                environ: &mut environ,
                script: job.script.as_bytes(),
                callable: &job.callable,
                application_group: &job.group,
                script_reloading: has(b"reloading"),
                https: has(b"https"),
                body_length: has(b"gathered").then(|| job.body.iter().map(|block| block.len() as u64).sum()),
                seekable_input: has(b"seekable"),
                server_pid: 7,
                request_start: 1.0,
                queue_start: 2.0,
                daemon_start: 3.0,
            };
            if worker.serve(request, &mut memory) == Served::OutOfDate {
                memory.out_of_date();
            }
            result = Some(memory);
        }
        let Some(memory) = result else { continue };
        let seconds = start.elapsed().as_secs_f64();
        let _ = sender.send(Done { memory, seconds });
    }
}
