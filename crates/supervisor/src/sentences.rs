//! What the log says about workers: one sentence with group, slot, pid, cause and what happens next. Pure.

use std::time::Duration;

use spec::worker::{Cause, Failure};
use unix::process::{Ending, signal_name};

use crate::codes::Code;
use crate::group::Ended;
use crate::launch::bootstrap;
use crate::launch::failure::LaunchFailure;
use crate::life::Phase;

/// The end of a worker, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Death<'a> {
    /// Process group.
    pub group: &'a str,
    /// Worker slot.
    pub slot: u32,
    /// Process.
    pub pid: i32,
    /// How it ended; `None` when the kernel did not tell.
    pub ending: Option<Ending>,
    /// What it was doing, and what follows.
    pub ended: Option<Ended>,
    /// What it could not do before it became a worker.
    pub launch_failure: Option<LaunchFailure>,
    /// Why it said it gave up.
    pub reported: Option<Failure>,
}

impl Death<'_> {
    /// The line about it; `None` when it ended as it was told to.
    #[must_use]
    pub fn line(&self) -> Option<(Code, String)> {
        let ended = self.ended?;
        if self.is_as_told(&ended) {
            return None;
        }
        let Self { group, slot, pid, .. } = self;
        let next = next(ended.restart);
        if let Some(failure) = self.launch_failure {
            let (_, advice) = failure.step.explain();
            let space = if advice.is_empty() { "" } else { " " };
            let clause = failure.clause();
            let facts = format!(
                "Process group '{group}', slot {slot}: process {pid} did not become a worker: {clause}.{space}{advice} {next}"
            );
            return Some((Code::LaunchFailed, facts));
        }
        let age = seconds(ended.age);
        if ended.phase == Phase::Killed && !ended.was_ready {
            let facts = format!(
                "Process group '{group}', slot {slot}: worker {pid} was not ready after {age}. {next}"
            );
            return Some((Code::NotReady, facts));
        }
        let (how, why, doing) = (self.how(), self.why(), ended.phase.doing());
        let advice = self.advice(&ended);
        let facts = format!(
            "Process group '{group}', slot {slot}: worker {pid} {how} while {doing}, {age} after its start{why}. {next} {advice}"
        );
        Some((Code::WorkerDied, facts))
    }

    fn is_as_told(&self, ended: &Ended) -> bool {
        use Phase::{Draining, Killed, Stopping};
        const TERM: i32 = 15;
        let told =
            matches!(ended.phase, Draining { .. } | Stopping { .. } | Killed) && self.reported.is_none();
        let plain = match self.ending {
            Some(Ending::Exited(status)) => status == 0,
            Some(Ending::Signalled(signal, _)) => signal == TERM || ended.phase == Killed,
            None => false,
        };
        // Killed in its slot (not replaced, not stopped) means that it never got ready: that is worth a line.
        told && plain && ended.restart.is_none()
    }

    fn how(&self) -> String {
        match self.ending {
            Some(Ending::Exited(status)) => format!("ended with exit status {status}"),
            Some(Ending::Signalled(signal, true)) => {
                format!("was ended by {} (core dumped)", signal_name(signal))
            }
            Some(Ending::Signalled(signal, false)) => format!("was ended by {}", signal_name(signal)),
            None => "ended".to_owned(),
        }
    }

    /// Where to look. Nobody can write a line when SIGKILL comes.
    fn advice(&self, ended: &Ended) -> &'static str {
        const KILL: i32 = 9;
        match self.ending {
            Some(Ending::Signalled(KILL, _)) if ended.phase != Phase::Killed => {
                "The kernel's out-of-memory killer has killed it, which `dmesg` shows, or somebody else has."
            }
            _ => "The lines above it in this log may say why.",
        }
    }

    fn why(&self) -> &'static str {
        match (self.reported, self.ending) {
            (Some(Failure::Identity), _) => ": it was not the user it should be",
            (Some(Failure::Config), _) => ": it could not read its configuration",
            (Some(Failure::Python), _) => ": it could not set up Python",
            (Some(Failure::System), _) => ": a system call failed",
            (None, Some(Ending::Exited(bootstrap::NOT_LOADED))) => {
                ": its Python could not load the runtime extension"
            }
            (None, Some(Ending::Exited(bootstrap::TOO_OLD))) => ": its Python is older than 3.10",
            _ => "",
        }
    }
}

/// The line about a worker for which no process could be made.
#[must_use]
pub fn not_started(group: &str, slot: u32, error: &std::io::Error, delay: Duration) -> String {
    let next = next(Some(delay));
    format!("Process group '{group}', slot {slot}: cannot make a process for a worker: {error}. {next}")
}

/// The line about a worker that leaves by its own wish.
#[must_use]
pub fn replaced(group: &str, slot: u32, pid: i32, cause: Cause, delay: Duration) -> String {
    let (cause, next) = (cause.name(), next(Some(delay)));
    format!("Process group '{group}', slot {slot}: worker {pid} is replaced because of {cause}. {next}")
}

fn next(restart: Option<Duration>) -> String {
    match restart {
        None => "It is not started again.".to_owned(),
        Some(Duration::ZERO) => "A new one starts at once.".to_owned(),
        Some(delay) => format!("A new one starts in {}.", seconds(delay)),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::launch::failure::Step;

    fn death(ending: Ending, phase: Phase, restart: Option<u64>) -> Death<'static> {
        let ended = Ended {
            phase,
            age: Duration::from_millis(12_340),
            was_ready: phase == Phase::Ready,
            restart: restart.map(Duration::from_secs),
        };
        Death {
            group: "site",
            slot: 1,
            pid: 42,
            ending: Some(ending),
            ended: Some(ended),
            launch_failure: None,
            reported: None,
        }
    }

    #[test]
    fn lg_4_a_death_names_group_pid_cause_and_what_follows() {
        let (code, line) = death(Ending::Signalled(11, true), Phase::Ready, Some(2)).line().unwrap();
        assert_eq!(code, Code::WorkerDied);
        assert_eq!(
            line,
            "Process group 'site', slot 1: worker 42 was ended by SIGSEGV (core dumped) while ready to serve, \
             12.3 s after its start. A new one starts in 2.0 s. The lines above it in this log may say why."
        );
    }

    #[test]
    fn lg_4_a_killed_worker_points_at_the_kernel_s_log() {
        let (code, line) = death(Ending::Signalled(9, false), Phase::Ready, Some(0)).line().unwrap();
        assert_eq!(code, Code::WorkerDied);
        assert!(
            line.contains("SIGKILL") && line.contains("`dmesg`") && !line.contains("lines above"),
            "{line}"
        );
    }

    #[test]
    fn lg_4_a_launch_failure_names_step_error_and_advice() {
        let mut death = death(Ending::Exited(127), Phase::Starting { until: Instant::now() }, Some(0));
        death.launch_failure = Some(LaunchFailure { step: Step::Home, errno: 13 });
        let (code, line) = death.line().unwrap();
        assert_eq!(code, Code::LaunchFailed);
        assert!(line.contains("(chdir) failed: Permission denied") && line.contains("Check home="), "{line}");
    }

    #[test]
    fn an_end_as_told_is_not_worth_a_line() {
        let until = Instant::now();
        assert!(death(Ending::Exited(0), Phase::Draining { until }, None).line().is_none());
        assert!(death(Ending::Signalled(15, false), Phase::Stopping { until }, None).line().is_none());
        assert!(death(Ending::Signalled(9, false), Phase::Killed, None).line().is_none());
        assert!(death(Ending::Signalled(11, false), Phase::Draining { until }, None).line().is_some());
        let (code, _) = death(Ending::Signalled(9, false), Phase::Killed, Some(1)).line().unwrap();
        assert_eq!(code, Code::NotReady);
    }
}
