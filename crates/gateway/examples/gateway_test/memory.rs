//! The outside world in memory: what the gateway does becomes a list of events.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;

use gateway::{BodyError, Exchange, Level, ResponseHead, WriteError};
use python::Object;

/// One request, possibly many times.
pub struct Job {
    pub script: String,
    pub callable: String,
    pub group: String,
    pub environ: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<Vec<u8>>,
    pub times: i64,
    pub options: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The list of pairs of str or bytes.
pub fn pairs(list: &Object<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let raw = |object: Option<Object<'_>>| object.map(|object| bytes_of(&object)).unwrap_or_default();
    let mut pairs = Vec::new();
    while let Some(pair) = list.list_item(pairs.len()) {
        pairs.push((raw(pair.tuple_item(0)), raw(pair.tuple_item(1))));
    }
    pairs
}

/// The list of bytes.
pub fn blocks(list: &Object<'_>) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    while let Some(block) = list.list_item(blocks.len()) {
        blocks.push(bytes_of(&block));
    }
    blocks
}

fn bytes_of(object: &Object<'_>) -> Vec<u8> {
    object.as_bytes().map_or_else(|| object.as_utf8().unwrap_or_default().into(), <[u8]>::to_vec)
}

/// Kind, detail, bytes.
pub type Event = (&'static str, String, Vec<u8>);

pub struct Memory {
    body: Vec<Vec<u8>>,
    /// For seeking.
    whole: Vec<u8>,
    body_error: Option<BodyError>,
    /// Number of blocks after which the client is gone.
    writes_left: Option<usize>,
    write_error: WriteError,
    quiet: bool,
    pub events: Vec<Event>,
}

impl Memory {
    pub fn new(job: &Job) -> Self {
        let option = |name: &str| {
            let found = job.options.iter().find(|(key, _)| key == name.as_bytes());
            found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        Self {
            body: job.body.iter().rev().cloned().collect(),
            whole: job.body.concat(),
            body_error: option("body_error").map(|why| match why.as_str() {
                "closed" => BodyError::Closed,
                _ => BodyError::Failed(why),
            }),
            writes_left: option("writes").and_then(|number| number.parse().ok()),
            write_error: option("write_error").map_or(WriteError::ClientGone, WriteError::Failed),
            quiet: job.times > 1,
            events: Vec::new(),
        }
    }

    fn event(&mut self, kind: &'static str, detail: String, bytes: &[u8]) {
        if !self.quiet || kind == "log" {
            self.events.push((kind, detail, bytes.to_vec()));
        }
    }

    /// Another process has to serve the request.
    pub fn out_of_date(&mut self) {
        self.event("out_of_date", String::new(), b"");
    }

    fn write(&mut self) -> Result<(), WriteError> {
        match &mut self.writes_left {
            Some(0) => Err(self.write_error.clone()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Exchange for Memory {
    fn read_body(&mut self, buf: &mut [u8]) -> Result<usize, BodyError> {
        let Some(mut block) = self.body.pop() else {
            return self.body_error.clone().map_or(Ok(0), Err);
        };
        let count = block.len().min(buf.len());
        buf[..count].copy_from_slice(&block[..count]);
        if count < block.len() {
            self.body.push(block.split_off(count));
        }
        Ok(count)
    }

    fn seek_body(&mut self, position: u64) {
        let rest = self.whole.get(usize::try_from(position).unwrap_or(usize::MAX)..);
        self.body = rest.map(|rest| vec![rest.to_vec()]).unwrap_or_default();
    }

    fn head(&mut self, head: &ResponseHead) {
        if self.quiet {
            return;
        }
        let mut lines = Vec::new();
        for (name, value) in head.headers() {
            lines.extend_from_slice(name);
            lines.extend_from_slice(b": ");
            lines.extend_from_slice(value);
            lines.push(b'\n');
        }
        let reason: String = head.reason().iter().copied().map(char::from).collect();
        self.event("head", format!("{} {reason}", head.status()), &lines);
    }

    fn data(&mut self, block: &[u8]) -> Result<(), WriteError> {
        assert!(!block.is_empty(), "data is never empty");
        self.write()?;
        self.event("data", String::new(), block);
        Ok(())
    }

    fn end_with(&mut self, last: &[u8]) -> Result<(), WriteError> {
        self.write()?;
        self.event("end_with", String::new(), last);
        Ok(())
    }

    fn file(&mut self, fd: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), WriteError> {
        self.write()?;
        let file =
            File::from(fd.try_clone_to_owned().map_err(|error| WriteError::Failed(error.to_string()))?);
        let mut content = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact_at(&mut content, offset).map_err(|error| WriteError::Failed(error.to_string()))?;
        self.event("file", format!("{offset}+{length}"), &content);
        Ok(())
    }

    fn end(&mut self) -> Result<(), WriteError> {
        self.event("end", String::new(), b"");
        Ok(())
    }

    fn abort(&mut self, why: &str) {
        self.event("abort", why.to_owned(), b"");
    }

    fn give_up(&mut self, status: u16) {
        self.event("give_up", status.to_string(), b"");
    }

    fn fail(&mut self, status: u16) {
        self.event("fail", status.to_string(), b"");
    }

    fn log(&mut self, level: Level, _script: &str, line: &str) {
        self.event("log", format!("{level:?}"), line.as_bytes());
    }
}
