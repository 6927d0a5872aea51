//! What a worker has produced and the client has not taken: a queue in an unlinked private file, so that a slow client holds no
//! thread of a worker (SL-2). When it is used is `passing`'s part.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use wire::FilePart;

/// Bytes that are taken out at a time.
const PIECE: usize = 16 * 1024;

/// A part of a response that waits.
#[derive(Debug)]
enum Held {
    /// This many bytes of the file, behind those before.
    Bytes(u64),
    /// A file of the application's.
    File(OwnedFd, FilePart),
}

/// The first part that waits, taken out.
#[derive(Debug)]
pub enum Taken {
    /// This many bytes, in the buffer of [`Backlog::take`].
    Bytes(usize),
    /// A file of the application's.
    File(OwnedFd, FilePart),
}

/// A part that is handed over for good.
#[derive(Debug)]
pub enum Rest<'a> {
    /// A part of the private file.
    Private(&'a File, FilePart),
    /// A file of the application's.
    File(OwnedFd, FilePart),
}

/// The queue.
#[derive(Debug, Default)]
pub struct Backlog {
    queue: VecDeque<Held>,
    file: Option<File>,
    /// Where the bytes that wait begin and end in the file.
    begin: u64,
    end: u64,
}

impl Backlog {
    /// True when nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes in the private file that wait.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end - self.begin
    }

    /// Whether no more should be added, when this many bytes may wait. The file, whose space is used again only when nothing waits,
    /// stays below twice as much: for a client that never quite catches up it would grow as long as the response does.
    #[must_use]
    pub fn is_full(&self, most: u64) -> bool {
        self.bytes() >= most || (!self.is_empty() && self.end >= most.saturating_mul(2))
    }

    /// Adds bytes; the file is made in `directory`.
    ///
    /// # Errors
    /// The file cannot be made or written to. What was in the queue is still there.
    pub fn put(&mut self, bytes: &[u8], directory: &Path) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(unix::files::unnamed(directory)?),
        };
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        file.write_all_at(bytes, self.end)?;
        let count = bytes.len() as u64;
        self.end += count;
        match self.queue.back_mut() {
            Some(Held::Bytes(length)) => *length += count,
            _ => self.queue.push_back(Held::Bytes(count)),
        }
        Ok(())
    }

    /// Adds a file of the application's.
    pub fn put_file(&mut self, file: OwnedFd, part: FilePart) {
        self.queue.push_back(Held::File(file, part));
    }

    /// Takes out the first part, or the beginning of it; `None` when nothing waits.
    ///
    /// # Errors
    /// The private file cannot be read.
    pub fn take(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Taken>> {
        let Some(first) = self.queue.pop_front() else { return Ok(None) };
        let length = match first {
            Held::File(file, part) => return Ok(Some(Taken::File(file, part))),
            Held::Bytes(length) => length,
        };
        let count = usize::try_from(length).unwrap_or(PIECE).min(PIECE);
        buffer.resize(count, 0);
        if let Some(file) = &self.file {
            file.read_exact_at(buffer, self.begin)?;
        }
        self.begin += count as u64;
        if length > count as u64 {
            self.queue.push_front(Held::Bytes(length - count as u64));
        }
        Ok(Some(Taken::Bytes(count)))
    }

    /// Everything that waits, in order. Nothing can be added afterwards.
    pub fn rest(&mut self) -> impl Iterator<Item = Rest<'_>> {
        let (file, mut offset) = (self.file.as_ref(), self.begin);
        self.begin = self.end;
        self.queue.drain(..).filter_map(move |held| match held {
            Held::File(file, part) => Some(Rest::File(file, part)),
            Held::Bytes(length) => {
                let part = FilePart { offset, length };
                offset += length;
                file.map(|file| Rest::Private(file, part))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(backlog: &mut Backlog, bytes: &[u8]) {
        backlog.put(bytes, &std::env::temp_dir()).unwrap();
    }

    fn taken(backlog: &mut Backlog) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = Vec::new();
        while let Some(Taken::Bytes(count)) = backlog.take(&mut buffer).unwrap() {
            all.extend_from_slice(&buffer[..count]);
        }
        all
    }

    #[test]
    fn sl_2_bytes_come_out_as_they_went_in() {
        let mut backlog = Backlog::default();
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        for round in 1..4 {
            bytes.chunks(30_001).for_each(|piece| put(&mut backlog, piece));
            assert_eq!(backlog.bytes(), bytes.len() as u64);
            assert!(taken(&mut backlog) == bytes && backlog.is_empty(), "round {round}");
        }
        let size = backlog.file.as_ref().unwrap().metadata().unwrap().len();
        assert_eq!(size, bytes.len() as u64, "the file is used again from its beginning");
    }

    #[test]
    fn sl_2_the_file_does_not_grow_with_the_response() {
        const MOST: u64 = 100_000;
        let (mut backlog, mut buffer) = (Backlog::default(), Vec::new());
        let (mut made, mut taken) = (0_u64, 0_u64);
        while made < 100 * MOST {
            while !backlog.is_full(MOST) {
                put(&mut backlog, &[7; 10_000]);
                made += 10_000;
            }
            // The client is always behind.
            while backlog.is_full(MOST) {
                let Some(Taken::Bytes(count)) = backlog.take(&mut buffer).unwrap() else { panic!("nothing") };
                taken += count as u64;
            }
            let size = backlog.file.as_ref().unwrap().metadata().unwrap().len();
            assert!(size <= 2 * MOST + 10_000, "{size} bytes after {made}");
        }
        assert_eq!(made - taken, backlog.bytes());
    }

    #[test]
    fn sl_2_files_keep_their_place_and_the_rest_is_a_part_of_the_file() {
        let mut backlog = Backlog::default();
        put(&mut backlog, &[1; PIECE + 5]);
        let null = File::open("/dev/null").unwrap();
        backlog.put_file(null.into(), FilePart { offset: 7, length: 9 });
        put(&mut backlog, b"end");
        assert!(matches!(backlog.take(&mut Vec::new()).unwrap(), Some(Taken::Bytes(PIECE))));
        let rest: Vec<_> = backlog.rest().collect();
        let place = PIECE as u64;
        assert!(matches!(rest[0], Rest::Private(_, part) if part == FilePart { offset: place, length: 5 }));
        assert!(matches!(rest[1], Rest::File(_, part) if part.offset == 7));
        assert!(
            matches!(rest[2], Rest::Private(_, part) if part == FilePart { offset: place + 5, length: 3 })
        );
        drop(rest);
        assert!(backlog.is_empty() && backlog.bytes() == 0);
    }

    #[test]
    fn sl_2_a_file_that_cannot_be_made_is_an_error() {
        assert!(Backlog::default().put(b"x", Path::new("/nowhere")).is_err());
    }
}
