//! Messages between httpd's parent and the supervisor. Descriptors travel beside them, in the order given here. Also what
//! `wsgi-supervisor --check` answers.

use serde::{Deserialize, Serialize};

use crate::Definitions;

/// Names a worker slot's listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ListenerName {
    /// Process group.
    pub group: String,
    /// Worker slot, from 0.
    pub slot: u32,
}

/// What a descriptor that comes with a message is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attachment {
    /// A listening socket that a former supervisor has bound.
    Listener(ListenerName),
    /// The error log for what this group's workers print outside requests.
    ErrorLog {
        /// Process group; empty for the main server's log, where the supervisor writes its own lines.
        group: String,
        /// `LogLevel` for this module, as httpd's number: what is less grave is not written.
        limit: u8,
    },
}

/// From httpd's parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSupervisor {
    /// The configuration, whole. Answered by [`FromSupervisor::Defined`] or [`FromSupervisor::Refused`].
    Define {
        /// All groups.
        definitions: Box<Definitions>,
        /// What the attached descriptors are, in their order.
        attached: Vec<Attachment>,
    },
    /// Stop everything within the groups' shutdown timeouts, then leave.
    Stop,
}

/// From the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromSupervisor {
    /// The definitions are in force; workers are starting.
    Defined {
        /// The listeners that were bound for it, in the order of the attached descriptors.
        listeners: Vec<ListenerName>,
    },
    /// The definitions were not taken; the former ones stay in force.
    Refused {
        /// A sentence for the error log.
        reason: String,
    },
    /// It was told to stop by somebody else and takes no definitions any more: another one is needed.
    Stopping,
}

/// A line of the output of `wsgi-supervisor --check`, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// Something that is wrong.
    Problem(Problem),
    /// What the Python of a process group says of itself.
    Python {
        /// The process group.
        group: String,
        /// What it says, without control characters.
        python: crate::report::Python,
    },
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The process group that has it; `None` when it is not about one.
    pub group: Option<String>,
    /// What is wrong and what to do, without control characters.
    pub sentence: String,
}
