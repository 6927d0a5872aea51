//! The supervisor's log codes: number, level, and what the administrator is to do. The facts of a case are the caller's.
//! The only place where codes are given out.

pub use spec::log::Level;

/// Declares the codes: one line each, which makes the enum, its table and the reference page's list.
macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $number:literal, $level:ident, $advice:literal;)*) => {
        /// A log code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[$meta])* $name,)* }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number behind `WSGI`.
            #[must_use]
            pub fn number(self) -> u16 { match self { $(Self::$name => $number,)* } }

            /// Its level.
            #[must_use]
            pub fn level(self) -> Level { match self { $(Self::$name => Level::$level,)* } }

            /// What to do; empty where nothing is to be done.
            #[must_use]
            pub fn advice(self) -> &'static str { match self { $(Self::$name => $advice,)* } }
        }
    };
}

codes! {
    /// All workers of a definition are ready.
    GroupReady = 1001, Notice, "";
    /// A worker ended that was not told to.
    WorkerDied = 1002, Error, "";
    /// A process could not become a worker.
    LaunchFailed = 1003, Error, "";
    /// A worker did not get ready.
    NotReady = 1004, Error, "It was killed. Look for modules that block while they are imported at start (sitecustomize, .pth files).";
    /// The former workers go on after new definitions.
    RollOverLate = 1005, Warn, "The workers of the former configuration go on serving; repair the group and run `apachectl graceful`.";
    /// A worker did not stop.
    Overdue = 1006, Warn, "It was killed. Requests that take longer need a longer shutdown-timeout or graceful-timeout.";
    /// Output of workers was lost.
    LogDropped = 1007, Warn, "The error log did not take lines fast enough; see to the program behind ErrorLog.";
    /// A worker sent bytes that are no report.
    BadReport = 1008, Error, "It is terminated. Something in the application writes to descriptors it did not open.";
    /// Definitions could not be taken.
    Refused = 1009, Error, "The former definitions stay in force.";
    /// A group runs with new privileges allowed.
    NewPrivileges = 1010, Warn, "";
    /// A listener that was handed over is not used.
    ListenerRejected = 1011, Warn, "A new one was bound; connections that waited in the old one are lost.";
    /// Something of a dead server could not be removed.
    LeftOver = 1012, Warn, "Remove it by hand when no server uses it.";
    /// The supervisor cannot go on.
    Broken = 1013, Error, "All workers are told to stop.";
    /// The supervisor cannot start.
    CannotStart = 1014, Error, "";
    /// Workers print more than is logged.
    Flood = 1015, Warn, "The log takes 2000 lines of a process group in a second, and two empty lines in a row; let the application log less, or to a file of its own.";
    /// A worker runs on without its status pipe.
    Lost = 1016, Error, "It is terminated. Either it has executed another program (os.exec*), or something in the application closes descriptors it did not open.";
    /// Another process than httpd's parent has written to the control channel.
    Foreign = 1017, Error, "Nothing of it was obeyed. Find out what that process is: it was started by a module of Apache and holds descriptors of its parent.";
    /// A worker leaves by its own wish, as the configuration has it.
    Replaced = 1030, Info, "";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lg_4_numbers_are_unique_and_ours() {
        let numbers: Vec<u16> = Code::ALL.iter().map(|code| code.number()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.iter().all(|number| *number >= 1000));
    }
    #[test]
    fn the_catalogue_has_each_code_at_its_level() {
        for code in Code::ALL {
            let entry = spec::catalogue::find(code.number()).unwrap();
            assert_eq!(entry.level, code.level(), "{}", entry.name());
        }
    }
}
