//! What can be measured: kinds of work, how clients ask for it, and which of all combinations are of interest. Which servers they are
//! measured with is the plan's; no server and no load is made here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the application does for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// 14 bytes.
    Hello,
    /// The login page of Django's admin.
    Django,
    /// 200 µs of Python.
    Compute,
    /// 1 ms of waiting.
    Wait,
    /// A JSON document of 10 KB is posted.
    Document,
    /// 64 KiB from memory.
    Page,
    /// A file through `wsgi.file_wrapper`, in megabytes.
    File(u32),
    /// A generator of 64 KiB blocks, in megabytes.
    Generator(u32),
    /// An upload that the application reads, in megabytes.
    Upload(u32),
}

impl Work {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Hello,
        Self::Django,
        Self::Compute,
        Self::Wait,
        Self::Document,
        Self::Page,
        Self::File(10),
        Self::File(100),
        Self::Generator(10),
        Self::Generator(100),
        Self::Upload(10),
        Self::Upload(100),
    ];

    /// Path and query of the request.
    pub fn target(self) -> String {
        match self {
            Self::Hello => "/hello".to_owned(),
            Self::Django => "/admin/login/".to_owned(),
            Self::Compute => "/compute".to_owned(),
            Self::Wait => "/wait".to_owned(),
            Self::Document => "/document".to_owned(),
            Self::Page => "/page".to_owned(),
            Self::File(_) => format!("/file?{}", self.transfer()),
            Self::Generator(_) => format!("/generate?{}", self.transfer()),
            Self::Upload(_) => "/upload".to_owned(),
        }
    }

    /// Bytes of the body that is large; 0 where none is.
    pub fn transfer(self) -> u64 {
        match self {
            Self::File(megabytes) | Self::Generator(megabytes) | Self::Upload(megabytes) => {
                u64::from(megabytes) * 1_000_000
            }
            _ => 0,
        }
    }

    /// The application that does it.
    pub fn application(self) -> Application {
        if self == Self::Django { Application::Site } else { Application::Small }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello => f.write_str("hello"),
            Self::Django => f.write_str("django"),
            Self::Compute => f.write_str("compute-200us"),
            Self::Wait => f.write_str("wait-1ms"),
            Self::Document => f.write_str("json-10kb"),
            Self::Page => f.write_str("page-64kb"),
            Self::File(size) => write!(f, "file-{size}mb"),
            Self::Generator(size) => write!(f, "generator-{size}mb"),
            Self::Upload(size) => write!(f, "upload-{size}mb"),
        }
    }
}

/// Which Python module a server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Application {
    /// `app/small.py`.
    Small,
    /// `app/site_with_django.py`.
    Site,
}

impl Application {
    /// Its module.
    pub fn module(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Site => "site_with_django",
        }
    }
}

/// How clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP/1.1, connections stay open.
    Http,
    /// HTTP/1.1, a connection for each request.
    HttpOnce,
    /// HTTP/1.1 over TLS, connections stay open.
    Https,
    /// HTTP/2 without TLS.
    Http2,
}

/// What a server is started for; cases that agree in it share the running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stage {
    /// What it runs.
    pub application: Application,
    /// Worker processes.
    pub processes: u32,
    /// Whether it speaks TLS, or HTTP/2.
    pub transport: Transport,
}

/// One table of the report. In files it is its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Case {
    /// What is done.
    pub work: Work,
    /// By how many clients at a time.
    pub connections: u32,
    /// Worker processes.
    pub processes: u32,
    /// How they ask.
    pub transport: Transport,
}

impl Case {
    const fn new(work: Work, connections: u32, processes: u32, transport: Transport) -> Self {
        Self { work, connections, processes, transport }
    }

    /// What the server has to be started for.
    pub fn stage(&self) -> Stage {
        // A connection for each request is the client's choice alone.
        let transport = if self.transport == Transport::HttpOnce { Transport::Http } else { self.transport };
        Stage { application: self.work.application(), processes: self.processes, transport }
    }

    /// Every case of the comparison, those of a stage side by side.
    pub fn all() -> Vec<Self> {
        use Transport::{Http, Http2, HttpOnce, Https};
        let mut all = Vec::new();
        for work in Work::ALL {
            let connections: &[u32] = match work {
                Work::Hello | Work::Django => &[1, 4, 32, 256],
                Work::Compute | Work::Wait => &[4, 32],
                Work::Document | Work::Page => &[1, 32],
                Work::File(_) | Work::Generator(_) | Work::Upload(_) => &[1, 4],
            };
            all.extend(connections.iter().map(|connections| Self::new(work, *connections, 1, Http)));
        }
        all.push(Self::new(Work::Hello, 32, 1, HttpOnce));
        for connections in [4, 16, 32] {
            all.push(Self::new(Work::Hello, connections, 2, Http));
        }
        for (work, connections) in
            [(Work::Compute, 4), (Work::Compute, 32), (Work::Django, 4), (Work::Django, 32)]
        {
            all.push(Self::new(work, connections, 2, Http));
        }
        for transport in [Https, Http2] {
            all.push(Self::new(Work::Hello, 32, 1, transport));
        }
        all
    }

    /// Those about which something is promised: they are measured with all servers, and with all that can be measured.
    pub const GOALS: [Self; 8] = [
        Self::new(Work::Hello, 1, 1, Transport::Http),
        Self::new(Work::Hello, 32, 1, Transport::Http),
        Self::new(Work::Hello, 4, 2, Transport::Http),
        Self::new(Work::Hello, 16, 2, Transport::Http),
        Self::new(Work::Django, 4, 1, Transport::Http),
        Self::new(Work::File(100), 1, 1, Transport::Http),
        Self::new(Work::Generator(100), 1, 1, Transport::Http),
        Self::new(Work::Upload(100), 1, 1, Transport::Http),
    ];

    /// Together with the goals: every kind of work and every transport; measured with all servers, too.
    pub const KINDS: [Self; 7] = [
        Self::new(Work::Compute, 4, 1, Transport::Http),
        Self::new(Work::Wait, 32, 1, Transport::Http),
        Self::new(Work::Document, 32, 1, Transport::Http),
        Self::new(Work::Page, 32, 1, Transport::Http),
        Self::new(Work::Hello, 32, 1, Transport::HttpOnce),
        Self::new(Work::Hello, 32, 1, Transport::Https),
        Self::new(Work::Hello, 32, 1, Transport::Http2),
    ];

    /// The same work with other sizes, numbers of connections and of processes; some servers are enough to see what these change.
    pub const SIZES: [Self; 7] = [
        Self::new(Work::Hello, 4, 1, Transport::Http),
        Self::new(Work::Hello, 256, 1, Transport::Http),
        Self::new(Work::Django, 1, 1, Transport::Http),
        Self::new(Work::Compute, 4, 2, Transport::Http),
        Self::new(Work::File(10), 4, 1, Transport::Http),
        Self::new(Work::Generator(10), 4, 1, Transport::Http),
        Self::new(Work::Upload(10), 4, 1, Transport::Http),
    ];

    /// Those of a run without options.
    pub fn usual() -> Vec<Self> {
        [Self::GOALS.as_slice(), &Self::KINDS, &Self::SIZES].concat()
    }

    /// Whether something is promised about it.
    pub fn is_goal(&self) -> bool {
        Self::GOALS.contains(self)
    }

    /// Whether latency at a fixed rate can be measured: its client sends plain GETs on connections that stay open.
    pub fn can_be_paced(&self) -> bool {
        self.transport == Transport::Http && self.work.transfer() == 0 && self.work != Work::Document
    }
}

impl From<Case> for String {
    fn from(case: Case) -> Self {
        case.to_string()
    }
}

impl TryFrom<String> for Case {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let found = Self::all().into_iter().find(|case| case.to_string() == name);
        found.ok_or_else(|| format!("no case is called {name:?}"))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { work, connections, processes, transport } = self;
        write!(f, "{work}-c{connections}-p{processes}")?;
        f.write_str(match transport {
            Transport::Http => "",
            Transport::HttpOnce => "-new-connections",
            Transport::Https => "-https",
            Transport::Http2 => "-http2",
        })
    }
}

/// Whether a name is meant by one of the patterns: each is a part of the name, and none means all.
pub fn is_meant(name: &str, patterns: &[String]) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| name.contains(pattern.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let all = Case::all();
        let names: HashSet<String> = all.iter().map(Case::to_string).collect();
        assert_eq!(names.len(), all.len());
        assert!(names.contains("hello-c32-p1-new-connections"), "{names:?}");
        for case in all {
            assert_eq!(Case::try_from(String::from(case)), Ok(case));
        }
        assert!(Case::try_from("hello".to_owned()).is_err());
    }

    #[test]
    fn the_usual_cases_leave_nothing_out() {
        let usual = Case::usual();
        assert!(usual.iter().all(|case| Case::all().contains(case)), "one of them is not among all");
        let has = |of: &dyn Fn(&Case) -> bool| usual.iter().any(of);
        for work in Work::ALL {
            assert!(has(&|case| case.work == work), "{work}");
        }
        for connections in [1, 4, 32, 256] {
            assert!(has(&|case| case.connections == connections), "{connections}");
        }
        for transport in [Transport::Http, Transport::HttpOnce, Transport::Https, Transport::Http2] {
            assert!(has(&|case| case.transport == transport), "{transport:?}");
        }
        assert!(has(&|case| case.processes == 2));
    }

    #[test]
    fn a_pattern_is_a_part_of_the_name() {
        let patterns = ["c32".to_owned(), "file".to_owned()];
        assert!(is_meant("hello-c32-p1", &patterns) && is_meant("file-10mb-c1-p1", &patterns));
        assert!(!is_meant("hello-c1-p1", &patterns) && is_meant("hello-c1-p1", &[]));
    }
}
