//! Following the error log to the terminal while the server runs.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the log is looked at: often enough for a person who waits for a line.
const PAUSE: Duration = Duration::from_millis(100);

/// Copies what is added to a log to standard error, until it is dropped; then once more what came last.
#[derive(Debug)]
pub struct Follower {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts at the file's present end; it need not exist yet.
    pub fn start(path: PathBuf) -> Self {
        let (stop, stopped) = channel::<()>();
        let skip = std::fs::metadata(&path).map_or(0, |found| found.len());
        let thread = std::thread::spawn(move || {
            let mut file = None;
            loop {
                let last = stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout);
                if file.is_none() {
                    file = open_at(&path, skip).ok();
                }
                if let Some(file) = &mut file {
                    // The log is still in its file when the terminal is gone.
                    let _ = copy(file);
                }
                if last {
                    return;
                }
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It ends by itself; if it panicked, it has said so.
            let _ = thread.join();
        }
    }
}

fn open_at(path: &PathBuf, skip: u64) -> io::Result<File> {
    let mut file = File::open(path)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(skip))?;
    Ok(file)
}

/// Everything from where the file stands to its end.
fn copy(file: &mut File) -> io::Result<()> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    io::stderr().write_all(&text)
}
