//! The processes of a running Apache, by what they are.

use crate::apache::{Apache, LIMIT};
use crate::proc::Process;
use crate::wait::wait_for;

impl Apache {
    /// Our supervisor; `None` while there is none.
    pub fn supervisor(&self) -> Option<Process> {
        self.parent()
            .children()
            .into_iter()
            .find(|process| process.name == "wsgi-supervisor" && process.state != 'Z')
    }

    /// Waits for our supervisor.
    #[track_caller]
    pub fn wait_supervisor(&self) -> Process {
        wait_for(LIMIT, "a supervisor runs", || self.supervisor())
    }

    /// Apache's own children: those that serve connections.
    pub fn children(&self) -> Vec<Process> {
        let mut children = self.parent().children();
        children.retain(|process| process.name == self.parent().name && process.state != 'Z');
        children
    }

    /// The workers of ours, that is, the supervisor's children once they execute Python.
    pub fn workers(&self) -> Vec<Process> {
        let Some(supervisor) = self.supervisor() else { return Vec::new() };
        let mut workers = supervisor.children();
        workers.retain(|process| process.executable().contains("python") && process.state != 'Z');
        workers
    }
}
