//! Request bodies, gathered before a worker's thread is taken: a slow upload costs a thread of httpd, never one of a worker.
//! Short ones stay in memory and travel inside the request frame, longer ones go into a file without a name, whose descriptor
//! travels. Bodies that are streamed instead are `relay::upload`'s part.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Longest body that stays in memory, in bytes.
pub const IN_MEMORY: usize = wire::frame::MAX_INLINE_BODY as usize;

/// Room that a buffer keeps while the client is waited for, in bytes: reads add up to [`IN_MEMORY`] to less than that.
const KEPT: usize = 2 * IN_MEMORY;

/// What reading from the client brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyRead {
    /// Bytes were added to the buffer.
    Data,
    /// The body is complete.
    End,
    /// Nothing is there yet.
    WouldBlock,
}

/// Why the body ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// The client sent nothing for too long.
    Timeout,
    /// The client is gone.
    Gone,
    /// httpd refuses it and says with which status.
    Refused(u16),
    /// A filter of httpd has refused it and has answered with this status already.
    Answered(u16),
}

/// A gathered body.
#[derive(Debug)]
pub enum Gathered {
    /// All of it is in the caller's buffer.
    InMemory,
    /// In a file from offset 0, open for reading only; the length in bytes.
    InFile(File, u64),
}

/// Why a body was not gathered.
#[derive(Debug)]
pub enum GatherError {
    /// The client's end.
    Client(BodyError),
    /// The file.
    Spool(io::Error),
}

/// Reads a whole body. `read` adds up to that many bytes to the buffer (or, when a filter of httpd does so, more) and waits for
/// them. `announced` is Content-Length, where there is one; it only saves a copy. What is in `buffer` is the body's beginning.
///
/// # Errors
/// [`GatherError`]; the file, if any, is gone.
pub fn gather(
    mut read: impl FnMut(&mut Vec<u8>, usize) -> Result<BodyRead, BodyError>,
    announced: Option<u64>,
    directory: &Path,
    buffer: &mut Vec<u8>,
) -> Result<Gathered, GatherError> {
    let mut spool: Option<(File, u64)> = None;
    if announced.is_some_and(|length| length > IN_MEMORY as u64) {
        spool = Some((unix::files::unnamed(directory).map_err(GatherError::Spool)?, 0));
    }
    // The beginning was read into much more room than a slow client may keep.
    buffer.shrink_to(KEPT);
    loop {
        if spool.is_none() && buffer.len() > IN_MEMORY {
            spool = Some((unix::files::unnamed(directory).map_err(GatherError::Spool)?, 0));
        }
        // Small pieces, such as chunks of some bytes, are put together before they are written.
        if let Some(spool) = spool.as_mut().filter(|_| buffer.len() >= IN_MEMORY) {
            store(buffer, spool)?;
        }
        // `WouldBlock` is only an answer to reads that do not wait.
        if read(buffer, IN_MEMORY).map_err(GatherError::Client)? == BodyRead::End {
            break;
        }
    }
    let Some(mut spool) = spool else { return Ok(Gathered::InMemory) };
    store(buffer, &mut spool)?;
    let (file, length) = spool;
    if length <= IN_MEMORY as u64 {
        // The client announced more than it sent: httpd has let that pass, and an empty file cannot be told from none.
        return reread(&file, buffer).map_err(GatherError::Spool);
    }
    let file = unix::files::read_only(&file).map_err(GatherError::Spool)?;
    Ok(Gathered::InFile(file, length))
}

/// Moves the buffer's content into the file.
fn store(buffer: &mut Vec<u8>, (file, length): &mut (File, u64)) -> Result<(), GatherError> {
    file.write_all(buffer).map_err(GatherError::Spool)?;
    *length += buffer.len() as u64;
    buffer.clear();
    buffer.shrink_to(KEPT);
    Ok(())
}

fn reread(mut file: &File, buffer: &mut Vec<u8>) -> io::Result<Gathered> {
    use io::{Read, Seek};
    file.rewind()?;
    file.read_to_end(buffer)?;
    Ok(Gathered::InMemory)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn run(body: &[u8], piece: usize, announced: Option<u64>) -> (Vec<u8>, bool) {
        let mut left = body;
        let read = |buffer: &mut Vec<u8>, limit: usize| {
            if left.is_empty() {
                return Ok(BodyRead::End);
            }
            let (now, rest) = left.split_at(piece.min(limit).min(left.len()));
            buffer.extend_from_slice(now);
            left = rest;
            Ok(BodyRead::Data)
        };
        let mut buffer = Vec::new();
        match gather(read, announced, &std::env::temp_dir(), &mut buffer).unwrap() {
            Gathered::InMemory => (buffer, false),
            Gathered::InFile(mut file, length) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes.len() as u64, length);
                (bytes, true)
            }
        }
    }

    #[test]
    fn sl_6_every_size_arrives_whole() {
        for size in [0, 1, 4096, IN_MEMORY - 1, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY + 7] {
            let body: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            for piece in [1000, IN_MEMORY, usize::MAX] {
                for announced in [None, Some(size as u64)] {
                    let (got, in_file) = run(&body, piece, announced);
                    assert!(got == body, "{size} bytes in pieces of {piece}");
                    assert_eq!(in_file, size > IN_MEMORY);
                }
            }
        }
    }

    #[test]
    fn a_body_shorter_than_announced_stays_in_memory() {
        assert_eq!(run(b"short", 5, Some(1 << 40)), (b"short".to_vec(), false));
    }

    #[test]
    fn errors_of_both_ends_are_told_apart() {
        let mut buffer = Vec::new();
        let gone = gather(|_, _| Err(BodyError::Gone), None, &std::env::temp_dir(), &mut buffer);
        assert!(matches!(gone, Err(GatherError::Client(BodyError::Gone))));
        let read = |buffer: &mut Vec<u8>, _| {
            buffer.resize(IN_MEMORY + 1, 0);
            Ok(BodyRead::Data)
        };
        let nowhere = gather(read, None, Path::new("/nowhere"), &mut buffer);
        assert!(matches!(nowhere, Err(GatherError::Spool(error)) if error.kind() == io::ErrorKind::NotFound));
    }
}
