//! The process groups of one configuration as httpd's children see them: definitions, socket paths, shared admission counters.
//! Starting them is `supervise`'s part, counting their slots is `admission`'s, talking to them is `relay`'s.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use spec::ProcessGroup;
use unix::shared::SharedCounters;

use crate::proxies::{Header, Network};
use crate::routing::{HeadAsGet, Settings};

/// All process groups of one configuration. Made once by httpd's parent, read-only in its children.
#[derive(Debug)]
pub struct Groups {
    handles: Vec<GroupHandle>,
    counters: SharedCounters,
    children_limit: usize,
}

/// A process group and where its workers listen.
#[derive(Debug)]
pub struct GroupHandle {
    /// What the configuration says about the group.
    pub definition: ProcessGroup,
    /// The listening socket of each worker slot, in the order of the slots; never empty.
    pub sockets: Vec<PathBuf>,
    /// Number of worker slots of the groups before this one: the slots of a configuration are numbered through.
    pub first_slot: usize,
    /// Who may have called `listen` on a socket of the group (`SO_PEERCRED` of a connected client): the supervisor's uid.
    /// Anything else is not ours, whatever its path says.
    pub listener_uid: u32,
    /// Whether the group serves exactly one application, so that the main interpreter is its default.
    pub sole_application: bool,
}

/// A process group as the configuration defines it, before anything is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The definition.
    pub definition: ProcessGroup,
    /// See [`GroupHandle::sole_application`].
    pub sole_application: bool,
}

impl GroupHandle {
    /// Number of worker slots, at least 1.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.sockets.len()
    }

    /// What the workers call a file.
    #[must_use]
    pub fn inside<'a>(&self, path: &'a [u8]) -> &'a [u8] {
        self.definition.chroot.as_ref().map_or(path, |root| root.inside_or_same(path))
    }

    /// What the workers call a directory, if they can see it.
    #[must_use]
    pub fn directory<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        match &self.definition.chroot {
            None => Some(path),
            Some(root) if path == root.directory().as_os_str().as_bytes() => Some(b"/"),
            Some(root) => root.inside(path),
        }
    }

    /// Requests that the group can work on at the same time.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots() * self.definition.threads as usize
    }
}

impl Groups {
    /// Lays out the groups of a configuration. `children_limit` is the largest number of httpd children that can be alive at
    /// the same time, those of a former configuration included (`ServerLimit`).
    ///
    /// # Errors
    /// When the shared memory cannot be mapped.
    pub fn new(
        resolved: Vec<Resolved>,
        socket_directory: &Path,
        listener_uid: u32,
        children_limit: usize,
    ) -> std::io::Result<Self> {
        let mut first_slot = 0;
        let mut handles = Vec::with_capacity(resolved.len());
        for Resolved { definition, sole_application } in resolved {
            let file = |slot| socket_directory.join(spec::group::socket_file_name(&definition.name, slot));
            let sockets: Vec<PathBuf> = (0..definition.processes).map(file).collect();
            let slots = sockets.len();
            handles.push(GroupHandle { definition, sockets, first_slot, listener_uid, sole_application });
            first_slot += slots;
        }
        let counters = SharedCounters::new(crate::admission::cells_needed(children_limit, first_slot))?;
        Ok(Self { handles, counters, children_limit })
    }

    /// The group of this name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&GroupHandle> {
        self.handles.iter().find(|handle| handle.definition.name.as_bytes() == name)
    }

    /// The groups in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &GroupHandle> {
        self.handles.iter()
    }

    /// The counters that `admission` lays out, shared by this configuration's children and their parent.
    #[must_use]
    pub fn cells(&self) -> &[AtomicU32] {
        self.counters.cells()
    }

    /// Worker slots of all groups together.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.handles.iter().map(GroupHandle::slots).sum()
    }

    /// Most httpd children at a time.
    #[must_use]
    pub fn children_limit(&self) -> usize {
        self.children_limit
    }
}

/// What the configuration decided about one request that goes to a worker.
#[derive(Debug)]
pub struct RequestPlan<'a> {
    /// All groups, for the shared counters.
    pub groups: &'a Groups,
    /// The group that serves it.
    pub group: &'a GroupHandle,
    /// Resolved application group; empty for the main interpreter.
    pub application_group: Vec<u8>,
    /// Absolute path of the script file.
    pub script: Vec<u8>,
    /// The file that a handler script (`WSGIHandlerScript`) stands for; `None` where the script itself was asked for.
    pub resource: Option<Vec<u8>>,
    /// Name of the callable in the script's module.
    pub callable: Vec<u8>,
    /// `SCRIPT_NAME`: the URL path of the application, slash runs collapsed.
    pub script_name: Vec<u8>,
    /// `PATH_INFO`: the rest of the URL path, slash runs collapsed.
    pub path_info: Vec<u8>,
    /// Whether `HTTP_AUTHORIZATION` is passed on.
    pub pass_authorization: bool,
    /// Whether the body is gathered before a worker is asked (`WSGIRequestBuffering`); `None`: as the client sends it.
    pub buffering: Option<bool>,
    /// Whether the worker looks for a newer script first (`WSGIScriptReloading`).
    pub script_reloading: bool,
    /// Whether `wsgi.input` can seek.
    pub seekable_input: bool,
    /// What the directives make of the response.
    pub response: ResponsePlan,
    /// Whether the request leaves `inactivity-timeout` alone (`WSGIIgnoreActivity`).
    pub ignore_activity: bool,
    /// The headers that proxies may set (`WSGITrustedProxyHeaders`).
    pub proxy_headers: Option<Arc<[&'static Header]>>,
    /// The proxies (`WSGITrustedProxies`).
    pub proxies: Option<Arc<[Network]>>,
}

/// The part of the plan that is about the response.
#[derive(Debug, Clone, Copy)]
pub struct ResponsePlan {
    /// Whether the application sees GET for HEAD (`WSGIMapHEADToGET`).
    pub head_as_get: HeadAsGet,
    /// Whether httpd's page replaces a response with an error status (`WSGIErrorOverride`).
    pub error_override: bool,
    /// Whether a local `Location` with status 200 is answered by httpd (`WSGILocationRedirect`).
    pub location_redirect: bool,
    /// Whether files may be sent with sendfile(2); `None`: as `EnableSendfile` says (`WSGIEnableSendfile`).
    pub sendfile: Option<bool>,
}

impl From<&Settings> for ResponsePlan {
    fn from(settings: &Settings) -> Self {
        Self {
            head_as_get: settings.head_as_get.unwrap_or(HeadAsGet::Auto),
            error_override: settings.error_override.unwrap_or(false),
            location_redirect: settings.location_redirect.unwrap_or(false),
            sendfile: settings.sendfile,
        }
    }
}
