//! Names of process groups, application groups and callables that depend on the request: `%{GLOBAL}`, `%{SERVER}`, `%{HOST}`,
//! `%{RESOURCE}`, `%{ENV:NAME}`.

/// What a name may depend on.
pub struct Facts<'a> {
    /// `ServerName` of the server that the request arrived at.
    pub server_name: &'a [u8],
    /// The `Host` header without a port, where there is one.
    pub host: Option<&'a [u8]>,
    /// Port of the server.
    pub port: u16,
    /// `SCRIPT_NAME`.
    pub script_name: &'a [u8],
    /// A note, request variable or process variable, looked for in this order.
    pub variable: &'a dyn Fn(&[u8]) -> Option<Vec<u8>>,
}

impl Facts<'_> {
    /// `name`, with the port unless it is the one of http or https.
    fn with_port(&self, name: &[u8]) -> Vec<u8> {
        let mut text = name.to_vec();
        if self.port != 80 && self.port != 443 {
            text.extend_from_slice(format!(":{}", self.port).as_bytes());
        }
        text
    }
}

/// Why a text is no name.
pub type Refusal = &'static str;

/// A group's name as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// `%{GLOBAL}`: the empty name.
    Global,
    /// `%{SERVER}`: `ServerName`, with its port unless 80 or 443.
    Server,
    /// `%{HOST}`: the `Host` header, with the server's port unless 80 or 443.
    Host,
    /// `%{RESOURCE}`: `%{SERVER}`, a bar, `SCRIPT_NAME`.
    Resource,
    /// `%{ENV:NAME}`: the value of a variable.
    Variable(Vec<u8>),
    /// The name itself; never empty.
    Name(Vec<u8>),
}

/// As it is written.
impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Global => f.write_str("%{GLOBAL}"),
            Self::Server => f.write_str("%{SERVER}"),
            Self::Host => f.write_str("%{HOST}"),
            Self::Resource => f.write_str("%{RESOURCE}"),
            Self::Variable(name) => write!(f, "%{{ENV:{}}}", name.escape_ascii()),
            Self::Name(name) => f.write_str(&String::from_utf8_lossy(name)),
        }
    }
}

impl Template {
    /// Reads a configured name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        match text {
            b"" => Err("is empty"),
            b"%{GLOBAL}" => Ok(Self::Global),
            b"%{SERVER}" => Ok(Self::Server),
            b"%{HOST}" => Ok(Self::Host),
            b"%{RESOURCE}" => Ok(Self::Resource),
            _ if text.starts_with(b"%") => match variable(text) {
                Some(name) => Ok(Self::Variable(name.to_vec())),
                None => Err("is none of %{GLOBAL}, %{SERVER}, %{HOST}, %{RESOURCE} and %{ENV:NAME}"),
            },
            _ => Ok(Self::Name(text.to_vec())),
        }
    }

    /// The name, if it is the same for every request.
    #[must_use]
    pub fn fixed(&self) -> Option<&[u8]> {
        match self {
            Self::Global => Some(b""),
            Self::Name(name) => Some(name),
            Self::Server | Self::Host | Self::Resource | Self::Variable(_) => None,
        }
    }

    /// The variable that the name is the value of.
    #[must_use]
    pub fn variable(&self) -> Option<&[u8]> {
        match self {
            Self::Variable(name) => Some(name),
            Self::Global | Self::Server | Self::Host | Self::Resource | Self::Name(_) => None,
        }
    }

    /// The name for a request. A variable's value may be one of the other forms; a variable that is not set leaves the text
    /// as it was configured, which names no group.
    #[must_use]
    pub fn expand(&self, facts: &Facts<'_>) -> Vec<u8> {
        match self {
            Self::Global => Vec::new(),
            Self::Name(name) => name.clone(),
            Self::Server => facts.with_port(facts.server_name),
            Self::Host => facts.with_port(facts.host.unwrap_or(facts.server_name)),
            Self::Resource => [&facts.with_port(facts.server_name), &b"|"[..], facts.script_name].concat(),
            Self::Variable(name) => match (facts.variable)(name) {
                None => [b"%{ENV:", name.as_slice(), b"}"].concat(),
                Some(value) => match Self::parse(&value) {
                    // One step only: a variable that names a variable stays as it is.
                    Ok(Self::Variable(_)) | Err(_) => value,
                    Ok(template) => template.expand(facts),
                },
            },
        }
    }
}

/// A callable's name as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callable {
    /// The value of a variable.
    Variable(Vec<u8>),
    /// The name itself; never empty.
    Name(Vec<u8>),
}

impl Callable {
    /// The name of PEP 3333's examples, which mod_wsgi made the default.
    pub const DEFAULT: &'static [u8] = b"application";

    /// Reads the argument of `WSGICallableObject`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        match variable(text) {
            Some(name) => Ok(Self::Variable(name.to_vec())),
            None if text.starts_with(b"%") => Err("is not a name, and not %{ENV:NAME}"),
            None => Self::literal(text),
        }
    }

    /// Reads an alias's `callable-object=`, where nothing is expanded.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn literal(text: &[u8]) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err("is empty");
        }
        let odd =
            |byte: &u8| byte.is_ascii_control() || byte.is_ascii_whitespace() || b"%{}.:()".contains(byte);
        if text.iter().any(odd) {
            return Err("is not the name of a global of the script");
        }
        Ok(Self::Name(text.to_vec()))
    }

    /// The name for a request; the default where the variable is not set.
    #[must_use]
    pub fn expand(&self, facts: &Facts<'_>) -> Vec<u8> {
        match self {
            Self::Name(name) => name.clone(),
            Self::Variable(name) => (facts.variable)(name)
                .filter(|value| !value.is_empty() && !value.starts_with(b"%"))
                .unwrap_or_else(|| Self::DEFAULT.to_vec()),
        }
    }
}

/// The name inside `%{ENV:NAME}`.
fn variable(text: &[u8]) -> Option<&[u8]> {
    let name = text.strip_prefix(b"%{ENV:")?.strip_suffix(b"}")?;
    (!name.is_empty() && !name.contains(&b'}')).then_some(name)
}
