//! Calls on behalf of the server: functions of access, authentication and dispatch scripts, and what their results mean.

use std::sync::Arc;

use python::{Attached, Error, Kind, Object, Result};

use super::{Cache, Errors, WorkerThread, is_reusable};
use crate::active::{self, Active};
use crate::codes::{self, Code};
use crate::config::{Answer, Call, Question};
use crate::exchange::{Exchange, Level};
use crate::log;
use crate::response::Response;

/// In front of the name of a variable of mod_ssl, which `mod_ssl.var_lookup` finds.
const SSL_VARIABLE: &[u8] = b"mod_ssl.var.";
/// Room for a user's groups in an answer, in bytes.
const MAX_NAMES: usize = wire::frame::MAX_ANSWER as usize - 3;

/// A result that cannot be used: what the log says.
enum Unusable<'py> {
    /// Not what the function may return.
    Result(Code, String),
    /// An exception, and what raised it.
    Raised(&'static str, Error<'py>),
}

type Judged<'py, T> = std::result::Result<T, Unusable<'py>>;

impl WorkerThread {
    /// Calls the function that a question is about. Called without the GIL; the exchange is for log lines only.
    /// [`Answer::Failed`]: the reason is logged.
    pub fn ask(&mut self, mut call: Call<'_>, exchange: &mut (dyn Exchange + 'static)) -> Answer {
        if let Err(text) = self.prepare(call.application_group) {
            let script = String::from_utf8_lossy(call.script);
            text.lines().for_each(|line| exchange.log(Level::Error, &script, line));
            return Answer::Failed;
        }
        let Some(cache) = self.caches.get_mut(call.application_group) else { return Answer::Failed };
        let active = Active::new(cache.script(call.script), Response::default());
        let native = &mut self.native;
        let mut answer = Answer::Failed;
        active.exchange.lend(exchange, || {
            let interpreter = Arc::clone(&cache.group.interpreter);
            answer = native.attach(&interpreter, |py| in_python(py, cache, &active, &mut call));
        });
        answer
    }
}

/// The part of a call that holds the GIL.
fn in_python(py: Attached<'_>, cache: &mut Cache, active: &Arc<Active>, call: &mut Call<'_>) -> Answer {
    active::set_current(Some(Arc::clone(active)));
    let answer = answer(py, cache, active, call).unwrap_or_else(|error| {
        let facts = "The script could not be called:";
        active.report(py, Level::Error, codes::SCRIPT_NOT_CALLED, facts, Some(&error));
        Answer::Failed
    });
    log::flush_thread(py, active);
    active::set_current(None);
    active.finish();
    answer
}

fn answer<'py>(
    py: Attached<'py>,
    cache: &mut Cache,
    active: &Arc<Active>,
    call: &mut Call<'_>,
) -> Result<'py, Answer> {
    let loaded = match active.script.current(py, &cache.group.finder, call.script_reloading) {
        Ok(loaded) => loaded,
        Err(failure) => {
            let (code, facts, error) = failure.report();
            active.report(py, Level::Error, code, facts, error);
            return Ok(Answer::Failed);
        }
    };
    let module = loaded.namespace(py);
    let environ = environ(py, cache, call)?;
    let (errors, log) = cache.errors(py, active)?;
    environ.dict_set(&cache.group.python.keys.errors.get(py), &errors)?;
    let judged = judge(py, &module, &environ, &call.question);
    drop(environ);
    log.unbind(py);
    if is_reusable(&errors, &cache.group.python) {
        cache.errors = Some(Errors { stream: errors.store(), log });
    }
    Ok(judged.unwrap_or_else(|unusable| {
        match unusable {
            Unusable::Result(code, facts) => active.report(py, Level::Error, code, facts, None),
            Unusable::Raised(function, error) => {
                let facts = format_args!("{function}() raised an exception:");
                let code = if error.is(Kind::SystemExit) {
                    codes::APPLICATION_EXIT
                } else {
                    codes::APPLICATION_RAISED
                };
                active.report(py, Level::Error, code, facts, Some(&error));
            }
        }
        Answer::Failed
    }))
}

/// All but `wsgi.errors`.
fn environ<'py>(py: Attached<'py>, cache: &mut Cache, call: &mut Call<'_>) -> Result<'py, Object<'py>> {
    let environ = python::dict(py)?;
    let ssl = python::dict(py)?;
    for (name, value) in &mut *call.environ {
        if let Some(name) = name.strip_prefix(SSL_VARIABLE) {
            ssl.dict_set(&python::latin1(py, name)?, &python::latin1(py, value)?)?;
            continue;
        }
        let text = match name {
            b"SCRIPT_FILENAME" | b"DOCUMENT_ROOT" => {
                python::fs_path(py, value).or_else(|_| python::latin1(py, value))?
            }
            _ => python::latin1(py, value)?,
        };
        environ.dict_set(&cache.environs.keys.key(py, name)?, &text)?;
    }
    let constants = &cache.group.python;
    let all = constants.environ.get(py);
    for name in ["apache.version", "mod_wsgi.version"] {
        let name = python::interned(py, name.as_bytes())?;
        if let Some(value) = all.dict_get(&name)? {
            environ.dict_set(&name, &value)?;
        }
    }
    if !matches!(call.question, Question::Dispatch) {
        let https = python::int(py, i64::from(call.https))?;
        let functions = constants.ssl.get(py).call([&https, &ssl])?;
        for (index, name) in ["mod_ssl.is_https", "mod_ssl.var_lookup"].into_iter().enumerate() {
            if let Some(function) = functions.tuple_item(index) {
                environ.dict_set(&python::interned(py, name.as_bytes())?, &function)?;
            }
        }
    }
    Ok(environ)
}

/// Calls what the question is about and says what the result means.
fn judge<'py>(
    py: Attached<'py>,
    module: &Object<'py>,
    environ: &Object<'py>,
    question: &Question<'_>,
) -> Judged<'py, Answer> {
    match *question {
        Question::AllowAccess { host } => {
            let result = call(py, module, codes::NO_ALLOW_ACCESS, "allow_access", environ, &[host])?;
            verdict(py, &result).ok_or_else(|| {
                let what = result.type_name();
                Unusable::Result(
                    codes::NOT_A_VERDICT,
                    format!("allow_access() returned an object of type {what}."),
                )
            })
        }
        Question::CheckPassword { user, password } => {
            let arguments = [user, password];
            let result = call(py, module, codes::NO_CHECK_PASSWORD, "check_password", environ, &arguments)?;
            match verdict(py, &result) {
                Some(answer) => Ok(answer),
                None => user_name(&result),
            }
        }
        Question::RealmHash { user, realm } => {
            let arguments = [user, realm];
            let result = call(py, module, codes::NO_REALM_HASH, "get_realm_hash", environ, &arguments)?;
            realm_hash(&result)
        }
        Question::GroupsForUser { user } => {
            let result = call(py, module, codes::NO_GROUPS, "groups_for_user", environ, &[user])?;
            groups(&result)
        }
        Question::Dispatch => Ok(Answer::Choice {
            process_group: choice(py, module, "process_group", environ)?,
            application_group: choice(py, module, "application_group", environ)?,
            callable: choice(py, module, "callable_object", environ)?,
        }),
    }
}

/// Calls a function of the script with the environ and texts.
fn call<'py>(
    py: Attached<'py>,
    module: &Object<'py>,
    missing: Code,
    name: &'static str,
    environ: &Object<'py>,
    texts: &[&[u8]],
) -> Judged<'py, Object<'py>> {
    let raised = |error| Unusable::Raised(name, error);
    let function = python::str(py, name).and_then(|name| module.dict_get(&name)).map_err(raised)?;
    let function = function.ok_or_else(|| {
        Unusable::Result(missing, format!("The script does not define the function {name}()."))
    })?;
    let text = |index: usize| python::latin1(py, texts.get(index).copied().unwrap_or_default());
    match texts.len() {
        0 => function.call([environ]),
        1 => text(0).and_then(|first| function.call([environ, &first])),
        _ => text(0).and_then(|first| function.call([environ, &first, &text(1)?])),
    }
    .map_err(raised)
}

/// `None`, `False` and `True` themselves; other objects have no truth here, as a mistake must not let anybody in.
fn verdict<'py>(py: Attached<'py>, result: &Object<'py>) -> Option<Answer> {
    if result.is_none() {
        return Some(Answer::Nothing);
    }
    let is = |value| result.is(&python::bool(py, value));
    if is(true) { Some(Answer::Yes) } else { is(false).then_some(Answer::No) }
}

/// A text from `check_password` is the name that the user is known by from now on.
fn user_name<'py>(result: &Object<'py>) -> Judged<'py, Answer> {
    let name = if result.is_str() { result.as_utf8() } else { None };
    match name {
        Some("") => {
            Err(Unusable::Result(codes::EMPTY_USER, "check_password() returned an empty string.".to_owned()))
        }
        Some(name) if !name.contains('\0') => Ok(Answer::Text(name.as_bytes().to_vec())),
        Some(_) => {
            Err(Unusable::Result(codes::NO_USER, "check_password() returned a name with a NUL.".to_owned()))
        }
        None => {
            let what = result.type_name();
            let facts = format!("check_password() returned an object of type {what} that is no user name.");
            Err(Unusable::Result(codes::NO_USER, facts))
        }
    }
}

fn realm_hash<'py>(result: &Object<'py>) -> Judged<'py, Answer> {
    if result.is_none() {
        return Ok(Answer::Nothing);
    }
    match octets(result) {
        Some(hash) if hash.is_empty() => {
            Err(Unusable::Result(codes::EMPTY_HASH, "get_realm_hash() returned an empty string.".to_owned()))
        }
        Some(hash) if !hash.contains(&0) => Ok(Answer::Text(hash)),
        _ => {
            let what = result.type_name();
            let facts = format!("get_realm_hash() returned an object of type {what} that is no hash.");
            Err(Unusable::Result(codes::NO_HASH, facts))
        }
    }
}

fn groups<'py>(result: &Object<'py>) -> Judged<'py, Answer> {
    let Ok(iterator) = result.iter() else {
        let what = result.type_name();
        let facts = format!("groups_for_user() returned an object of type {what}, which cannot be iterated.");
        return Err(Unusable::Result(codes::GROUPS_NOT_ITERABLE, facts));
    };
    let (mut names, mut size) = (Vec::new(), 0);
    while let Some(item) = iterator.next() {
        let item = item.map_err(|error| Unusable::Raised("groups_for_user", error))?;
        let Some(name) = octets(&item) else {
            let (code, what) = if item.is_str() {
                (codes::GROUP_NOT_LATIN_1, "a string with characters that are not latin-1".to_owned())
            } else {
                (codes::GROUP_NOT_TEXT, format!("an object of type {}", item.type_name()))
            };
            return Err(Unusable::Result(
                code,
                format!("An item that groups_for_user() returned is {what}."),
            ));
        };
        size += name.len() + 2;
        if size > MAX_NAMES || names.len() >= usize::from(u16::MAX) {
            let facts = format!("groups_for_user() returned more than {MAX_NAMES} bytes of names.");
            return Err(Unusable::Result(codes::TOO_MANY_NAMES, facts));
        }
        // httpd's names end at a NUL, so no `Require` can mean this one.
        if !name.contains(&0) {
            names.push(name);
        }
    }
    Ok(Answer::Names(names))
}

/// What one function of a dispatch script chooses; `None` where there is no such function, or it returns None.
fn choice<'py>(
    py: Attached<'py>,
    module: &Object<'py>,
    name: &'static str,
    environ: &Object<'py>,
) -> Judged<'py, Option<Vec<u8>>> {
    let raised = |error| Unusable::Raised(name, error);
    let function = python::str(py, name).and_then(|name| module.dict_get(&name)).map_err(raised)?;
    let Some(function) = function else { return Ok(None) };
    let result = function.call([environ]).map_err(raised)?;
    if result.is_none() {
        return Ok(None);
    }
    let chosen = octets(&result).filter(|name| !name.contains(&0) && name.len() <= usize::from(u16::MAX) / 4);
    chosen.map(Some).ok_or_else(|| {
        let what = result.type_name();
        Unusable::Result(
            codes::NOT_A_NAME,
            format!("{name}() returned an object of type {what} that is no name."),
        )
    })
}

/// Bytes, or a string as latin-1.
fn octets(object: &Object<'_>) -> Option<Vec<u8>> {
    if object.is_str() {
        let bytes = object.to_latin1().ok()?;
        return bytes.as_bytes().map(<[u8]>::to_vec);
    }
    object.as_bytes().map(<[u8]>::to_vec)
}
