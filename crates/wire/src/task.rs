//! What a request asks a worker to do: run an application, or call a function of a script on behalf of the server and answer it.

use crate::frame::{self, Kind, MAX_ANSWER};
use crate::{Cursor, WireError};

/// What the worker is to do. All but [`Task::Application`] are calls: no body, and an [`Answer`] in place of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Task<'a> {
    /// Run the callable as a WSGI application.
    #[default]
    Application,
    /// `allow_access(environ, host)`.
    AllowAccess {
        /// The client's name, or its address.
        host: &'a [u8],
    },
    /// `check_password(environ, user, password)`.
    CheckPassword {
        /// As the client has sent it.
        user: &'a [u8],
        /// As the client has sent it.
        password: &'a [u8],
    },
    /// `get_realm_hash(environ, user, realm)`.
    RealmHash {
        /// As the client has sent it.
        user: &'a [u8],
        /// `AuthName`.
        realm: &'a [u8],
    },
    /// `groups_for_user(environ, user)`.
    GroupsForUser {
        /// Who was authenticated.
        user: &'a [u8],
    },
    /// `process_group(environ)`, `application_group(environ)` and `callable_object(environ)`, as far as there are such.
    Dispatch,
}

impl<'a> Task<'a> {
    /// Whether it is answered by an answer frame.
    #[must_use]
    pub fn is_call(&self) -> bool {
        *self != Self::Application
    }

    pub(crate) fn decode(c: &mut Cursor<'a>) -> Result<Self, WireError> {
        Ok(match c.u8("task")? {
            0 => Self::Application,
            1 => Self::AllowAccess { host: c.short("host")? },
            2 => Self::CheckPassword { user: c.short("user")?, password: c.short("password")? },
            3 => Self::RealmHash { user: c.short("user")?, realm: c.short("realm")? },
            4 => Self::GroupsForUser { user: c.short("user")? },
            5 => Self::Dispatch,
            _ => return Err(WireError::Invalid("task")),
        })
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        match *self {
            Self::Application => out.push(0),
            Self::AllowAccess { host } => {
                out.push(1);
                frame::put_short(out, "host", host)?;
            }
            Self::CheckPassword { user, password } => {
                out.push(2);
                frame::put_short(out, "user", user)?;
                frame::put_short(out, "password", password)?;
            }
            Self::RealmHash { user, realm } => {
                out.push(3);
                frame::put_short(out, "user", user)?;
                frame::put_short(out, "realm", realm)?;
            }
            Self::GroupsForUser { user } => {
                out.push(4);
                frame::put_short(out, "user", user)?;
            }
            Self::Dispatch => out.push(5),
        }
        Ok(())
    }
}

/// What a call came to. Which of these fits which task is the receiver's to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The function has no opinion.
    Nothing,
    /// Denied.
    No,
    /// Granted.
    Yes,
    /// A text: the user's name, or the hash of a password. Never empty, no NUL.
    Text(&'a [u8]),
    /// The user's groups.
    Names(Names<'a>),
    /// What a dispatch script has chosen.
    Choice(Choice<'a>),
}

/// Names in an answer, each without NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    entries: &'a [u8],
    count: u16,
}

impl<'a> Names<'a> {
    /// Number of names.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// True without names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The names in the order in which they were sent.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut c = Cursor::new(self.entries);
        core::iter::from_fn(move || c.short("name").ok())
    }
}

/// The names that a dispatch script gives, `None` where what is configured stays. They are expanded as the directives' arguments
/// are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choice<'a> {
    /// In place of `WSGIProcessGroup`.
    pub process_group: Option<&'a [u8]>,
    /// In place of `WSGIApplicationGroup`.
    pub application_group: Option<&'a [u8]>,
    /// In place of `WSGICallableObject`.
    pub callable: Option<&'a [u8]>,
}

impl<'a> Answer<'a> {
    /// Decodes the payload of an answer frame.
    ///
    /// # Errors
    /// Any [`WireError`]; nothing is allocated.
    pub fn decode(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut c = Cursor::new(payload);
        let answer = match c.u8("answer")? {
            0 => Self::Nothing,
            1 => Self::No,
            2 => Self::Yes,
            3 => match text(&mut c, "text")? {
                b"" => return Err(WireError::Invalid("text")),
                text => Self::Text(text),
            },
            4 => {
                let count = c.u16("name count")?;
                let entries = c.rest();
                for _ in 0..count {
                    text(&mut c, "name")?;
                }
                let entries = entries.get(..entries.len() - c.rest().len()).unwrap_or_default();
                Self::Names(Names { entries, count })
            }
            5 => Self::Choice(Choice {
                process_group: optional(&mut c, "process group")?,
                application_group: optional(&mut c, "application group")?,
                callable: optional(&mut c, "callable")?,
            }),
            _ => return Err(WireError::Invalid("answer")),
        };
        c.end()?;
        Ok(answer)
    }

    /// Appends the frame.
    ///
    /// # Errors
    /// [`WireError::TooLong`], or [`WireError::Invalid`] for what [`Answer::decode`] would refuse; `out` is then as before.
    pub fn put(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        match self {
            Self::Names(names) => put_names(out, names.iter()),
            other => framed(out, |out| other.fill(out)),
        }
    }

    fn fill(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        match *self {
            Self::Nothing => out.push(0),
            Self::No => out.push(1),
            Self::Yes => out.push(2),
            Self::Text(text) => {
                out.push(3);
                if text.is_empty() {
                    return Err(WireError::Invalid("text"));
                }
                put_text(out, "text", text)?;
            }
            Self::Names(names) => fill_names(out, names.iter())?,
            Self::Choice(choice) => {
                out.push(5);
                put_optional(out, "process group", choice.process_group)?;
                put_optional(out, "application group", choice.application_group)?;
                put_optional(out, "callable", choice.callable)?;
            }
        }
        Ok(())
    }
}

/// Appends an answer frame with names.
///
/// # Errors
/// As [`Answer::put`].
pub fn put_names<'n>(out: &mut Vec<u8>, names: impl IntoIterator<Item = &'n [u8]>) -> Result<(), WireError> {
    framed(out, |out| fill_names(out, names))
}

fn framed(
    out: &mut Vec<u8>,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let start = frame::open(Kind::Answer, out);
    if let Err(error) = fill(out) {
        out.truncate(start);
        return Err(error);
    }
    frame::close(Kind::Answer, start, out)
}

fn fill_names<'n>(out: &mut Vec<u8>, names: impl IntoIterator<Item = &'n [u8]>) -> Result<(), WireError> {
    out.push(4);
    let count_at = out.len();
    out.extend_from_slice(&[0, 0]);
    let mut count = 0_u16;
    for name in names {
        let too_many = WireError::TooLong {
            what: "name count",
            length: u64::from(u16::MAX) + 1,
            limit: u64::from(u16::MAX),
        };
        count = count.checked_add(1).ok_or(too_many)?;
        put_text(out, "name", name)?;
        if out.len() - count_at > MAX_ANSWER as usize {
            let (length, limit) = ((out.len() - count_at) as u64, u64::from(MAX_ANSWER));
            return Err(WireError::TooLong { what: "names", length, limit });
        }
    }
    if let Some(place) = out.get_mut(count_at..count_at + 2) {
        place.copy_from_slice(&count.to_le_bytes());
    }
    Ok(())
}

/// A text that becomes a C string of httpd's.
fn text<'a>(c: &mut Cursor<'a>, what: &'static str) -> Result<&'a [u8], WireError> {
    let text = c.short(what)?;
    if text.contains(&0) { Err(WireError::Invalid(what)) } else { Ok(text) }
}

fn put_text(out: &mut Vec<u8>, what: &'static str, text: &[u8]) -> Result<(), WireError> {
    if text.contains(&0) { Err(WireError::Invalid(what)) } else { frame::put_short(out, what, text) }
}

fn optional<'a>(c: &mut Cursor<'a>, what: &'static str) -> Result<Option<&'a [u8]>, WireError> {
    match c.u8(what)? {
        0 => Ok(None),
        1 => text(c, what).map(Some),
        _ => Err(WireError::Invalid(what)),
    }
}

fn put_optional(out: &mut Vec<u8>, what: &'static str, value: Option<&[u8]>) -> Result<(), WireError> {
    out.push(u8::from(value.is_some()));
    value.map_or(Ok(()), |value| put_text(out, what, value))
}
