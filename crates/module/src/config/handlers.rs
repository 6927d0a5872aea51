//! Handler scripts: what `WSGIHandlerScript` declares, by the handler's name.

use std::collections::BTreeMap;
use std::sync::Arc;

use httpd::Request;

use crate::hooks::Wsgi;
use crate::routing::Settings;
use crate::routing::expand::{Callable, Template};
use crate::routing::leads::{Lead, Reach};

/// A script that handles requests for other files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerScript {
    /// Absolute path of the script; it need not exist.
    pub path: Vec<u8>,
    /// Its options. The callable is always `handle_request`.
    pub settings: Settings,
}

/// The handler scripts of one place, by name. A clone is cheap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handlers(Option<Arc<BTreeMap<Vec<u8>, HandlerScript>>>);

impl HandlerScript {
    /// The callable of a handler script.
    const CALLABLE: &'static [u8] = b"handle_request";

    /// A script with its options.
    #[must_use]
    pub fn new(path: Vec<u8>, settings: Settings) -> Self {
        let callable = Some(Callable::Name(Self::CALLABLE.to_vec()));
        Self { path, settings: Settings { callable, ..settings } }
    }

    /// The script behind a handler's name for a request: the section's, else the server's.
    #[must_use]
    pub fn of<'r>(request: &Request<'r>, name: &[u8]) -> Option<&'r Self> {
        let in_section = request.dir_config::<Wsgi>().handlers.get(name);
        in_section.or_else(|| request.server_config::<Wsgi>().handlers.get(name))
    }

    /// The script for the analysis of where requests can lead. Which URLs have the handler, other modules decide.
    #[must_use]
    pub fn lead(&self, name: &[u8]) -> Lead {
        Lead {
            directive: format!("WSGIHandlerScript {}", name.escape_ascii()),
            location: name.to_vec(),
            reach: Reach::Handler,
            target: self.path.clone(),
            several: false,
            group: self.settings.process_group.clone(),
            application_group: self.settings.application_group.clone(),
            callable: self.settings.callable.clone(),
            pattern: None,
            order: Lead::LAST,
        }
    }
}

impl Handlers {
    /// Declares a handler; a later one of the same name takes its place.
    pub fn insert(&mut self, name: Vec<u8>, script: HandlerScript) {
        Arc::make_mut(self.0.get_or_insert_default()).insert(name, script);
    }

    /// What holds where `self` stands on `base`: the names of both, those of `self` first.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        let (Some(over), Some(under)) = (&self.0, &base.0) else {
            return Self(self.0.clone().or_else(|| base.0.clone()));
        };
        let mut all = BTreeMap::clone(under);
        all.extend(over.iter().map(|(name, script)| (name.clone(), script.clone())));
        Self(Some(Arc::new(all)))
    }

    /// The script of this name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&HandlerScript> {
        self.0.as_ref()?.get(name)
    }

    /// All, with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &HandlerScript)> {
        self.0.iter().flat_map(|all| all.iter().map(|(name, script)| (name.as_slice(), script)))
    }

    /// The variables that process groups of the scripts depend on.
    pub fn group_variables(&self) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .filter_map(|(_, script)| script.settings.process_group.as_ref().and_then(Template::variable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handlers(scripts: &[(&str, &str)]) -> Handlers {
        let mut all = Handlers::default();
        for (name, path) in scripts {
            all.insert((*name).into(), HandlerScript::new((*path).into(), Settings::default()));
        }
        all
    }

    #[test]
    fn names_of_both_places_count_and_the_inner_one_wins() {
        let (inner, outer) = (handlers(&[("a", "/1"), ("b", "/2")]), handlers(&[("b", "/3"), ("c", "/4")]));
        let both = inner.over(&outer);
        let path = |name: &[u8]| both.get(name).map(|script| script.path.as_slice());
        assert_eq!(
            [path(b"a"), path(b"b"), path(b"c"), path(b"d")],
            [Some(&b"/1"[..]), Some(b"/2"), Some(b"/4"), None]
        );
        assert_eq!(Handlers::default().over(&outer), outer);
        assert_eq!(inner.over(&Handlers::default()), inner);
    }

    #[test]
    fn the_callable_is_handle_request() {
        let options = Settings { callable: Some(Callable::Name(b"x".to_vec())), ..Settings::default() };
        let script = HandlerScript::new(b"/h.wsgi".to_vec(), options);
        assert_eq!(script.settings.callable, Some(Callable::Name(b"handle_request".to_vec())));
    }
}
