//! Templates: processes that have imported the modules of `shared-imports=` and fork workers. Each is started as a worker is, by the
//! same plan, as the same user; groups whose plans differ in nothing have one together.

use std::io::{IoSlice, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use spec::ProcessGroup;
use spec::worker::descriptor;

use super::child::{self, Home, Plan};
use super::{Facts, Pipes, Started};

/// A template that was forked, and our ends.
#[derive(Debug)]
pub struct Template {
    /// The process.
    pub child: unix::process::Child,
    /// Where workers are asked for, and where it says how they have ended.
    pub control: OwnedFd,
    /// What it prints; never blocks.
    pub output: OwnedFd,
}

/// The plan of the template for a group. Workers go to `home=` themselves, so that sites with different ones can share it.
///
/// # Errors
/// `InvalidInput` when a text contains a NUL byte.
pub fn plan(group: &ProcessGroup, facts: &Facts) -> Result<Plan> {
    let mut plan = super::plan_of_python(group, facts, &group.shared_imports)?;
    let account_home = group.account.as_ref().and_then(|account| account.home.clone());
    plan.home = Home::Preferred(account_home.unwrap_or_else(|| "/".into()));
    Ok(plan)
}

/// Starts a template.
///
/// # Errors
/// No process was made. (That it could not carry out the plan comes through `control`.)
pub fn start(plan: &Plan) -> Result<Template> {
    let null = super::null()?;
    let (control, theirs) = pair()?;
    let (output, log) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(&output, OFlags::NONBLOCK)?;
    let table = [null.as_fd(), log.as_fd(), log.as_fd(), theirs.as_fd()];
    let child = child::fork(plan, &table, descriptor::FORKS)?;
    Ok(Template { child, control, output })
}

/// Asks a template for a worker. Who it is the kernel says with the first bytes of its status.
///
/// # Errors
/// The template does not take it: `WouldBlock` when it has too many to do, `BrokenPipe` when it has ended.
pub fn fork(
    control: &OwnedFd,
    group: &ProcessGroup,
    facts: &Facts,
    listener: BorrowedFd<'_>,
) -> Result<Started> {
    let status = pair()?;
    unix::peer::name_senders(&status.0)?;
    let Pipes { ours, log, config, report, command } = Pipes::new(group, facts, status)?;
    let sent = [log.as_fd(), config.as_fd(), listener, report.as_fd(), command.as_fd()];
    unix::descriptors::send(control, &[IoSlice::new(b"F")], &sent, SendFlags::DONTWAIT)?;
    Ok(ours)
}

fn pair() -> Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}
