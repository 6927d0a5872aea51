//! What directives say about Python, at the top level and in `<WSGIInterpreterOptions>`, and which of it wins.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{HashSeed, InterpreterSettings, Interpreters, PythonSettings};

/// All of it. `None` is "not written".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PythonDirectives {
    /// `WSGIPythonOptimize`.
    pub optimize: Option<u8>,
    /// `WSGIPythonWarnings`, in the order of the lines.
    pub warnings: Vec<String>,
    /// `WSGIDontWriteBytecode`.
    pub dont_write_bytecode: Option<bool>,
    /// `WSGIPythonHashSeed`.
    pub hash_seed: Option<HashSeed>,
    /// `WSGIDestroyInterpreter`.
    pub destroy_interpreters: Option<bool>,
    /// `WSGICaseSensitivity`.
    pub case_sensitive: Option<bool>,
    /// Outside of sections: holds where no section says otherwise. Its switch interval and path are embedded mode's, and mean
    /// nothing for process groups.
    pub top: Said,
    /// The sections, in the order of the configuration.
    pub sections: Vec<Section>,
}

/// What one place says about interpreters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// `WSGIPerInterpreterGIL`.
    pub own_gil: Option<bool>,
    /// `WSGIFreeThreading`.
    pub free_threading: Option<bool>,
    /// `WSGISwitchInterval`.
    pub switch_interval: Option<Duration>,
    /// `WSGIPythonPath`; a later line replaces an earlier one.
    pub python_path: Vec<PathBuf>,
    /// `WSGIRestrictStdin`.
    pub restrict_stdin: Option<bool>,
    /// `WSGIRestrictStdout`.
    pub restrict_stdout: Option<bool>,
    /// `WSGIRestrictSignal`.
    pub restrict_signal: Option<bool>,
}

/// A `<WSGIInterpreterOptions>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Which interpreters it is about.
    pub selector: Selector,
    /// What it says about them.
    pub said: Said,
    /// File and line, for sentences.
    pub place: String,
}

/// The interpreters that a section is about; `None` selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Name of the process group; empty for embedded mode.
    pub process_group: Option<String>,
    /// Name of the application group; empty for the main interpreter.
    pub application_group: Option<String>,
}

impl Selector {
    /// Whether it is about interpreters of this process group. The application group is looked at by itself.
    #[must_use]
    pub fn selects_group(&self, process_group: &str) -> bool {
        self.process_group.as_deref().is_none_or(|name| name == process_group)
    }

    fn selects(&self, process_group: &str, application_group: Option<&str>) -> bool {
        let wanted = self.application_group.as_deref();
        self.selects_group(process_group) && (wanted.is_none() || wanted == application_group)
    }

    /// How many names it gives: more of them win.
    fn specificity(&self) -> u8 {
        u8::from(self.process_group.is_some()) + u8::from(self.application_group.is_some())
    }
}

/// A switch interval for one interpreter that shares its GIL: it would be every interpreter's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "<WSGIInterpreterOptions application-group={name}>: WSGISwitchInterval would change the interval of every interpreter of the \
     process, as application group {name} shares its GIL with them: write WSGIPerInterpreterGIL On there{}, or say it for the whole \
     process group with switch-interval= of WSGIDaemonProcess ({place})",
    if *.main { " for a sub-interpreter (this is the main one, which never has a GIL of its own)" } else { "" }
)]
pub struct MisplacedInterval {
    name: String,
    main: bool,
    place: String,
}

impl PythonDirectives {
    /// What it comes to for a process group. `switch_interval` is the group's own option.
    #[must_use]
    pub fn resolve(&self, group: &str, switch_interval: Option<Duration>) -> PythonSettings {
        let names = self.sections.iter().filter(|section| section.selector.selects_group(group));
        let names = names.filter_map(|section| section.selector.application_group.as_deref());
        let named: BTreeMap<String, InterpreterSettings> = names
            .chain([""])
            .map(|name| (name.to_owned(), self.interpreter(group, Some(name), switch_interval)))
            .collect();
        PythonSettings {
            optimize: self.optimize.unwrap_or(0),
            warnings: self.warnings.clone(),
            write_bytecode: !self.dont_write_bytecode.unwrap_or(false),
            hash_seed: self.hash_seed.unwrap_or_default(),
            destroy_interpreters: self.destroy_interpreters.unwrap_or(true),
            // It is the process's: what is said about single interpreters cannot count.
            free_threading: self.winner(group, None, |said| said.free_threading).unwrap_or(false),
            case_sensitive: self.case_sensitive.unwrap_or(true),
            interpreters: Interpreters { usual: self.interpreter(group, None, switch_interval), named },
        }
    }

    /// The switch intervals of a process group that would reach other interpreters than those they are written for.
    #[must_use]
    pub fn misplaced_intervals(&self, group: &str) -> Vec<MisplacedInterval> {
        let about_one = |section: &&Section| {
            section.selector.selects_group(group) && section.said.switch_interval.is_some()
        };
        let sections = self.sections.iter().filter(about_one);
        let shared = sections.filter_map(|section| {
            let name = section.selector.application_group.as_deref()?;
            let main = name.is_empty();
            let shown = if main { "%{GLOBAL}" } else { name };
            let refused = MisplacedInterval { name: shown.to_owned(), main, place: section.place.clone() };
            (!self.has_own_gil(group, Some(name))).then_some(refused)
        });
        shared.collect()
    }

    fn has_own_gil(&self, group: &str, application_group: Option<&str>) -> bool {
        application_group != Some("")
            && self.winner(group, application_group, |said| said.own_gil).unwrap_or(false)
    }

    /// One interpreter; `None` stands for those that no section names.
    fn interpreter(
        &self,
        group: &str,
        application_group: Option<&str>,
        option: Option<Duration>,
    ) -> InterpreterSettings {
        let flag = |get: fn(&Said) -> Option<bool>| self.winner(group, application_group, get);
        let own_gil = self.has_own_gil(group, application_group);
        let interval = |name| self.in_sections(group, name, |said| said.switch_interval).or(option);
        let mut layers: Vec<&Section> = self.layers(group, application_group);
        layers.reverse();
        InterpreterSettings {
            own_gil,
            switch_interval: match application_group {
                _ if own_gil => interval(application_group),
                Some("") => interval(None),
                _ => None,
            },
            // Each layer goes in front of the one before it.
            python_path: layers.iter().flat_map(|section| section.said.python_path.iter().cloned()).collect(),
            restrict_stdin: flag(|said| said.restrict_stdin).unwrap_or(false),
            restrict_stdout: flag(|said| said.restrict_stdout).unwrap_or(false),
            restrict_signal: flag(|said| said.restrict_signal).unwrap_or(true),
        }
    }

    /// The value that counts: a section's, else the top level's.
    fn winner<T>(&self, group: &str, name: Option<&str>, get: fn(&Said) -> Option<T>) -> Option<T> {
        self.in_sections(group, name, get).or_else(|| get(&self.top))
    }

    /// The value of the most specific section that has one, of several the last.
    fn in_sections<T>(&self, group: &str, name: Option<&str>, get: fn(&Said) -> Option<T>) -> Option<T> {
        self.layers(group, name).into_iter().rev().find_map(|section| get(&section.said))
    }

    /// The sections about an interpreter, the one that wins last.
    fn layers(&self, group: &str, name: Option<&str>) -> Vec<&Section> {
        let mut layers: Vec<&Section> =
            self.sections.iter().filter(|section| section.selector.selects(group, name)).collect();
        // Stable: of two with the same number of names, the later one wins.
        layers.sort_by_key(|section| section.selector.specificity());
        layers
    }
}
