//! The raw steps between fork and exec: a checked fork, a descriptor table with nothing else in it, default signals, an
//! empty bounding set. What a new process is for, and who it becomes, is the caller's part.

use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::ForkResult;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use crate::channel::timespec;

/// A forked process, not yet reaped.
#[derive(Debug)]
pub struct Child {
    /// Its number, for messages only: signals go through [`Self::handle`].
    pub pid: i32,
    /// Its pidfd (pidfd_open(2)), close-on-exec.
    pub handle: OwnedFd,
}

impl Child {
    /// Ends it at once and reaps it: for a child that cannot be watched.
    ///
    /// # Errors
    /// Any of pidfd_send_signal(2) and waitid(2).
    pub fn discard(self) -> Result<()> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        kill(&self.handle)?;
        let options = WaitIdOptions::EXITED;
        rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(self.handle.as_fd()), options))?;
        Ok(())
    }
}

/// Sends SIGKILL to the process of a pidfd; nothing to do when it has ended.
///
/// # Errors
/// Any of pidfd_send_signal(2) but `ESRCH`.
pub fn kill(handle: impl AsFd) -> Result<()> {
    match rustix::process::pidfd_send_signal(handle, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until the process of a pidfd has ended, and does not reap it. False when `timeout` passed first.
///
/// # Errors
/// Any of poll(2).
pub fn wait_for_end(handle: impl AsFd, timeout: Duration) -> Result<bool> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&timespec(left))) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Forks. The child runs `body`, which is to execute a program, and ends with the exit status that `body` returns.
/// In the child only `descriptors` are open, numbered from 0; everything else `body` holds is closed.
///
/// # Errors
/// `Unsupported` when this process has more than one thread; otherwise what fork(2) and pidfd_open(2) say.
pub fn fork(descriptors: &[BorrowedFd<'_>], body: impl FnOnce() -> u8) -> Result<Child> {
    if threads()? != 1 {
        return Err(Error::new(ErrorKind::Unsupported, "a process with several threads cannot fork safely"));
    }
    // Sources above every target, so that no dup2 overwrites one that is still needed.
    let floor = i32::try_from(descriptors.len()).map_err(|_| ErrorKind::InvalidInput)?;
    let sources = descriptors
        .iter()
        .map(|descriptor| rustix::io::fcntl_dupfd_cloexec(descriptor, floor))
        .collect::<rustix::io::Result<Vec<OwnedFd>>>()?;
    // SAFETY: this is the only thread (checked above), so no lock is held by a thread that the child does not have:
    // the child may allocate and call anything.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => {
            let pid = Pid::from_raw(child.as_raw()).ok_or(ErrorKind::InvalidData)?;
            // Nobody else reaps our children, so the number still names this child even when it has ended.
            match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
                Ok(handle) => Ok(Child { pid: child.as_raw(), handle }),
                Err(error) => {
                    // Without a handle it could not be watched: it must not stay.
                    rustix::process::kill_process(pid, Signal::KILL)?;
                    rustix::process::waitpid(Some(pid), WaitOptions::empty())?;
                    Err(error.into())
                }
            }
        }
        ForkResult::Child => {
            let status = match place(&sources) {
                Ok(()) => body(),
                Err(_) => 127,
            };
            // SAFETY: _exit(2) has no preconditions; handlers of the parent's exit must not run here.
            unsafe { libc::_exit(i32::from(status)) }
        }
    }
}

/// Has `handler` run in every process that is forked from this one and from those (pthread_atfork(3)). It may run in a copy of a
/// process with several threads: it must take no lock and no memory. When the handler's library is unloaded, glibc forgets it
/// (the call is bound to the library that makes it), and musl unloads nothing.
///
/// # Errors
/// `ENOMEM`.
pub fn on_fork_in_child(handler: extern "C" fn()) -> Result<()> {
    // SAFETY: the handler is a function of this library, which is called only while it is loaded, as said above.
    match unsafe { libc::pthread_atfork(None, None, Some(handler)) } {
        0 => Ok(()),
        error => Err(Error::from_raw_os_error(error)),
    }
}

/// Number of threads of this process: the link count of its task directory (proc(5)).
pub(crate) fn threads() -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata("/proc/self/task")?.nlink().saturating_sub(2))
}

/// Puts `sources` on 0, 1, 2 ... and closes everything above.
fn place(sources: &[OwnedFd]) -> Result<()> {
    let mut target = 0;
    for source in sources {
        // SAFETY: only called in a forked child that is about to execute or end: whoever owned the target number in the
        // parent never uses it here (the contract of `fork`). `source` stays open, as it is numbered above all targets.
        if unsafe { libc::dup2(source.as_raw_fd(), target) } < 0 {
            return Err(Error::last_os_error());
        }
        target += 1;
    }
    close_from(target.unsigned_abs())
}

/// Closes every descriptor from `first` on (close_range(2)). For the start of a program, when nothing owns them yet,
/// and for a child that is about to execute.
///
/// # Errors
/// Any of close_range(2), which needs Linux 5.9.
pub fn close_from(first: u32) -> Result<()> {
    // SAFETY: close_range takes three numbers; the callers are at a point where no owner uses what it closes.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0_u32) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

/// Takes the descriptor with this number, which whoever started the program has left open for it. Close-on-exec from now on.
///
/// # Errors
/// `EBADF` when it is not open.
pub fn inherited(number: i32) -> Result<OwnedFd> {
    if number < 0 {
        return Err(Errno::BADF.into());
    }
    // SAFETY: the number is only borrowed for the one call, which fails when it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let own = rustix::io::fcntl_dupfd_cloexec(borrowed, 3)?;
    // SAFETY: the program was started with this number open and nothing in it owns the number (it comes from the
    // protocol between two programs, not from an owner in this one); from here on only `own` is used.
    unsafe { libc::close(number) };
    Ok(own)
}

/// Ends this process without running anything more of it: no exit function, no destructor, nothing of Python (_exit(2)).
pub fn leave(status: i32) -> ! {
    // SAFETY: _exit(2) has no preconditions.
    unsafe { libc::_exit(status) }
}

/// No signal blocked, all at their defaults: what a program expects when it starts.
///
/// # Errors
/// Any of sigprocmask(2).
pub fn reset_signals() -> Result<()> {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL is no handler, so no code can run because of it. KILL, STOP and the C library's own are
        // refused, which is as it should be.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?)
}

/// Removes every capability from the bounding set (capabilities(7)): no later execve can gain one. Needs `CAP_SETPCAP`.
///
/// # Errors
/// Any of prctl(2).
pub fn empty_bounding_set() -> Result<()> {
    for capability in 0..64_u64 {
        // SAFETY: prctl with numbers only.
        let known = unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) };
        if known < 0 {
            // One above the last that this kernel knows.
            break;
        }
        // SAFETY: as above.
        if known == 1 && unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            return Err(Error::last_os_error());
        }
    }
    Ok(())
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this exit status.
    Exited(i32),
    /// By this signal; true when it left a core file.
    Signalled(i32, bool),
}

/// Reaps a child that has ended; `None` while it runs.
///
/// # Errors
/// Any of waitid(2).
pub fn reap(handle: impl AsFd) -> Result<Option<Ending>> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let Some(status) = waitid(WaitId::PidFd(handle.as_fd()), options)? else { return Ok(None) };
    Ok(Some(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ending::Exited(code),
        (None, Some(signal)) => Ending::Signalled(signal, status.dumped()),
        (None, None) => return Ok(None),
    }))
}

/// Name of a signal such as `SIGSEGV`.
#[must_use]
pub fn signal_name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {number}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::sync::atomic::{AtomicI32, Ordering};

    use super::*;

    static TOLD: AtomicI32 = AtomicI32::new(-1);

    extern "C" fn tell() {
        // SAFETY: write(2) with one byte that lives; a number that is not open is refused.
        unsafe { libc::write(TOLD.load(Ordering::Relaxed), b"x".as_ptr().cast(), 1) };
    }

    #[test]
    fn sk_5_every_forked_process_runs_the_handler() {
        let (reader, writer) = std::io::pipe().unwrap();
        TOLD.store(writer.as_raw_fd(), Ordering::Relaxed);
        on_fork_in_child(tell).unwrap();
        let mut command = std::process::Command::new("true");
        // SAFETY: it does nothing; it makes the command be started by fork(2) rather than by posix_spawn(3).
        unsafe { command.pre_exec(|| Ok(())) };
        assert!(command.status().unwrap().success());
        let mut byte = [0];
        assert_eq!(rustix::io::read(&reader, &mut byte).unwrap(), 1);
    }
}
