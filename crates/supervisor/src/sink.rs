//! Where log lines go: a file, pipe, socket or terminal that is never waited for. What the lines say is `log`'s part.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::net::SendFlags;

/// A write of this size to a pipe is not mixed with those of others, and is done whole or not at all (`PIPE_BUF`, pipe(7)).
const PIPE_RECORD: usize = 4096;
/// Longest line in a file; httpd's own end at 8 KiB.
const FILE_LINE: usize = 10 * 1024;
/// Several lines at once.
const FILE_RECORD: usize = 64 * 1024;

/// An open log.
#[derive(Debug)]
pub struct Sink {
    file: OwnedFd,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Takes lines at once.
    File,
    /// A pipe that was opened anew without waiting: httpd's own descriptor of it stays as it is.
    Pipe,
    /// The call itself can be told not to wait.
    Socket,
    /// A terminal, or a pipe that cannot be opened anew: asked before each line. Somebody else may fill it just then.
    Asked,
}

impl Sink {
    /// Writes to what this descriptor is open for.
    #[must_use]
    pub fn new(file: OwnedFd) -> Self {
        let kind = rustix::fs::fstat(&file).map(|stat| FileType::from_raw_mode(stat.st_mode));
        match kind {
            Ok(FileType::RegularFile) => Self { file, kind: Kind::File },
            Ok(FileType::Socket) => Self { file, kind: Kind::Socket },
            Ok(FileType::Fifo) => match anew(&file) {
                Ok(file) => Self { file, kind: Kind::Pipe },
                Err(_) => Self { file, kind: Kind::Asked },
            },
            _ => Self { file, kind: Kind::Asked },
        }
    }

    /// Longest line in bytes, with its end.
    #[must_use]
    pub fn longest_line(&self) -> usize {
        if self.kind == Kind::File { FILE_LINE } else { PIPE_RECORD }
    }

    /// Most bytes of whole lines for one [`Self::put`].
    #[must_use]
    pub fn longest_record(&self) -> usize {
        if self.kind == Kind::File { FILE_RECORD } else { PIPE_RECORD }
    }

    /// One write; false when the log cannot take it now.
    #[must_use]
    pub fn put(&self, record: &[u8]) -> bool {
        let written = match self.kind {
            Kind::File | Kind::Pipe => rustix::io::retry_on_intr(|| rustix::io::write(&self.file, record)),
            Kind::Socket => {
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                rustix::io::retry_on_intr(|| rustix::net::send(&self.file, record, flags))
            }
            Kind::Asked if self.is_writable() => {
                rustix::io::retry_on_intr(|| rustix::io::write(&self.file, record))
            }
            Kind::Asked => return false,
        };
        written.is_ok_and(|count| count == record.len())
    }

    fn is_writable(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut ready = [PollFd::new(&self.file, PollFlags::OUT)];
        poll(&mut ready, Some(&now)).is_ok_and(|count| count > 0)
            && ready.iter().all(|fd| fd.revents().contains(PollFlags::OUT))
    }
}

impl AsFd for Sink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The same pipe as an open file of our own, so that not waiting is our own setting, too (`O_NONBLOCK`, fcntl(2)).
fn anew(pipe: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::open(path, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    #[test]
    fn lg_2_no_kind_of_log_is_waited_for() {
        let (_reader, pipe) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let shared = pipe.try_clone().unwrap();
        let (_peer, socket) = UnixStream::pair().unwrap();
        for sink in [Sink::new(pipe), Sink::new(socket.into())] {
            assert_ne!(sink.kind, Kind::Asked);
            let taken = (0..10_000).take_while(|_| sink.put(&[b'x'; 1000])).count();
            assert!(taken > 10 && taken < 10_000, "{taken}");
        }
        let flags = rustix::fs::fcntl_getfl(&shared).unwrap();
        assert!(!flags.contains(OFlags::NONBLOCK), "the descriptor that others share is as it was");
    }
}
