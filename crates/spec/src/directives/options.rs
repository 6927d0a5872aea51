//! The table of options that directives other than `WSGIDaemonProcess` take behind their arguments. The readers of the module look
//! names up here; refusals, the reference page and a test of every option come from it.

use super::{
    ACCESS_SCRIPT, AUTH_GROUP_SCRIPT, AUTH_USER_SCRIPT, DISPATCH_SCRIPT, DirectiveRow, HANDLER_SCRIPT,
    IMPORT_SCRIPT, INTERPRETER_OPTIONS, SCRIPT_ALIAS, SCRIPT_ALIAS_MATCH,
};

/// What an option is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The process group.
    ProcessGroup,
    /// The interpreter.
    ApplicationGroup,
    /// The name of the application in the script.
    CallableObject,
    /// Whether the script sees the header `Authorization`.
    PassAuthorization,
}

impl Key {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ProcessGroup, Self::ApplicationGroup, Self::CallableObject, Self::PassAuthorization];

    /// As written in front of `=`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcessGroup => "process-group",
            Self::ApplicationGroup => "application-group",
            Self::CallableObject => "callable-object",
            Self::PassAuthorization => "pass-authorization",
        }
    }

    /// The value in a line of syntax.
    const fn placeholder(self) -> &'static str {
        match self {
            Self::ProcessGroup | Self::ApplicationGroup | Self::CallableObject => "NAME",
            Self::PassAuthorization => "On|Off",
        }
    }
}

/// One option of a directive.
#[derive(Debug, Clone, Copy)]
pub struct ScriptOption {
    /// Which.
    pub key: Key,
    /// What is allowed behind `=`.
    pub syntax: &'static str,
    /// What holds without the option; `None` where it must be given.
    pub default: Option<&'static str>,
    /// What it does.
    pub meaning: &'static str,
    /// What mod_wsgi 6 does otherwise; empty when nothing.
    pub difference: &'static str,
}

/// The directives that take options, each with those it takes.
pub const TAKING: &[(&DirectiveRow, &[ScriptOption])] = &[
    (&SCRIPT_ALIAS, ALIAS),
    (&SCRIPT_ALIAS_MATCH, ALIAS),
    (&HANDLER_SCRIPT, HANDLER),
    (&IMPORT_SCRIPT, IMPORT),
    (&DISPATCH_SCRIPT, ASKED),
    (&ACCESS_SCRIPT, ASKED),
    (&AUTH_USER_SCRIPT, ASKED),
    (&AUTH_GROUP_SCRIPT, ASKED),
    (&INTERPRETER_OPTIONS, SELECTORS),
];

impl DirectiveRow {
    /// The options it takes behind its arguments; those of `WSGIDaemonProcess` are in [`crate::options`].
    #[must_use]
    pub fn options(&self) -> &'static [ScriptOption] {
        TAKING.iter().find(|(row, _)| row.name == self.name).map_or(&[], |(_, options)| *options)
    }

    /// The option of this name, as it takes it.
    #[must_use]
    pub fn option(&self, name: &[u8]) -> Option<&'static ScriptOption> {
        self.options().iter().find(|option| option.key.name().as_bytes() == name)
    }

    /// The names of its options, for sentences: `process-group=, application-group=`.
    #[must_use]
    pub fn option_names(&self) -> String {
        let names: Vec<String> =
            self.options().iter().map(|option| format!("{}=", option.key.name())).collect();
        names.join(", ")
    }

    /// Its arguments with its options.
    #[must_use]
    pub fn usage(&self) -> String {
        let (arguments, end) =
            self.syntax.strip_suffix('>').map_or((self.syntax, ""), |arguments| (arguments, ">"));
        let options = self.options().iter().map(|option| {
            let text = format!("{}={}", option.key.name(), option.key.placeholder());
            if option.default.is_some() { format!("[{text}]") } else { text }
        });
        let arguments = Some(arguments.to_owned()).filter(|arguments| !arguments.is_empty());
        arguments.into_iter().chain(options).collect::<Vec<_>>().join(" ") + end
    }
}

/// The words that stand for names.
const TEMPLATE: &str = "NAME, %{GLOBAL}, %{SERVER}, %{HOST}, %{RESOURCE} or %{ENV:NAME}";
const FIXED: &str = "NAME or %{GLOBAL}";
const CHECKED: &str = "an unknown %{...} is refused";
const LEADS_AWAY: &str = "any other %{...} is refused";

const PROCESS_GROUP: ScriptOption = ScriptOption {
    key: Key::ProcessGroup,
    syntax: TEMPLATE,
    default: Some("what WSGIProcessGroup says"),
    meaning: "the process group that serves requests for the script",
    difference: CHECKED,
};

const APPLICATION_GROUP: ScriptOption = ScriptOption {
    key: Key::ApplicationGroup,
    syntax: TEMPLATE,
    default: Some("what WSGIApplicationGroup says"),
    meaning: "the interpreter that the script is loaded in",
    difference: CHECKED,
};

const PASS_AUTHORIZATION: ScriptOption = ScriptOption {
    key: Key::PassAuthorization,
    syntax: "On or Off",
    default: Some("what WSGIPassAuthorization says"),
    meaning: "whether the script gets HTTP_AUTHORIZATION in its environ",
    difference: "",
};

/// Of `WSGIScriptAlias` and `WSGIScriptAliasMatch`.
const ALIAS: &[ScriptOption] = &[
    ScriptOption {
        meaning: "the process group that serves requests for the script; with application-group=, and neither depends on the \
                  request, the script is loaded when its workers start",
        ..PROCESS_GROUP
    },
    APPLICATION_GROUP,
    ScriptOption {
        key: Key::CallableObject,
        syntax: "NAME; nothing is expanded",
        default: Some("what WSGICallableObject says"),
        meaning: "the name of the application in the script",
        difference: "what can be no name is refused",
    },
    PASS_AUTHORIZATION,
];

/// Of `WSGIHandlerScript`, whose callable has a fixed name.
const HANDLER: &[ScriptOption] = &[PROCESS_GROUP, APPLICATION_GROUP, PASS_AUTHORIZATION];

/// Of `WSGIImportScript`: no request is there that a name could depend on.
const IMPORT: &[ScriptOption] = &[
    ScriptOption {
        key: Key::ProcessGroup,
        syntax: FIXED,
        default: None,
        meaning: "the process group whose workers load the script",
        difference: LEADS_AWAY,
    },
    ScriptOption {
        key: Key::ApplicationGroup,
        syntax: FIXED,
        default: None,
        meaning: "the interpreter that it is loaded in",
        difference: LEADS_AWAY,
    },
];

/// Of the scripts that the server asks.
const ASKED: &[ScriptOption] = &[
    ScriptOption {
        key: Key::ApplicationGroup,
        syntax: "NAME, %{GLOBAL}, %{SERVER} or %{HOST}",
        default: Some("%{GLOBAL}"),
        meaning: "the interpreter that the script is loaded in",
        difference: "",
    },
    ScriptOption {
        key: Key::ProcessGroup,
        syntax: "NAME of a WSGIDaemonProcess; not in .htaccess files",
        default: Some("a group of its own, as the web server's user"),
        meaning: "the process group whose workers run the script",
        difference: "ours",
    },
];

/// Of `<WSGIInterpreterOptions>`.
const SELECTORS: &[ScriptOption] = &[
    ScriptOption {
        key: Key::ProcessGroup,
        syntax: FIXED,
        default: Some("all"),
        meaning: "the process group whose interpreters are meant; written at most once, in upper or lower case",
        difference: LEADS_AWAY,
    },
    ScriptOption {
        key: Key::ApplicationGroup,
        syntax: FIXED,
        default: Some("all"),
        meaning: "the interpreter that is meant; written at most once, in upper or lower case",
        difference: LEADS_AWAY,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_complete_and_keys_are_given_once() {
        for (row, options) in TAKING {
            assert!(!options.is_empty() && row.options().len() == options.len(), "{:?}", row.name);
            assert_eq!(TAKING.iter().filter(|(other, _)| other.name == row.name).count(), 1);
            for option in *options {
                let name = option.key.name();
                assert_eq!(options.iter().filter(|other| other.key == option.key).count(), 1, "{name}");
                assert_eq!(row.option(name.as_bytes()).map(|found| found.key), Some(option.key));
                assert!(!option.syntax.is_empty() && !option.meaning.is_empty(), "{name}");
                assert!(!option.meaning.ends_with('.') && !option.difference.ends_with('.'), "{name}");
            }
            assert!(row.option(b"threads").is_none());
        }
        assert!(super::super::DAEMON_PROCESS.options().is_empty());
    }

    #[test]
    fn usage_has_the_options() {
        assert_eq!(IMPORT_SCRIPT.usage(), "FILE process-group=NAME application-group=NAME");
        assert_eq!(INTERPRETER_OPTIONS.usage(), "[process-group=NAME] [application-group=NAME]>");
        assert_eq!(ACCESS_SCRIPT.usage(), "FILE [application-group=NAME] [process-group=NAME]");
        assert!(SCRIPT_ALIAS.usage().ends_with(" [callable-object=NAME] [pass-authorization=On|Off]"));
        assert_eq!(HANDLER_SCRIPT.option_names(), "process-group=, application-group=, pass-authorization=");
    }
}
