//! A call: a question of the server that a function of a script answers. Which scripts may be asked what is `scripts`' part.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gateway::{Answer, Call, Exchange, Level, Question, WorkerThread};
use spec::Purpose;
use wire::task::put_names;
use wire::{Choice, RefusalReason, Request, RequestOrder, Task, WireError};

use crate::codes;
use crate::link::Link;
use crate::reply::{Buffers, Reply, refuse};
use crate::thread::Shared;
use crate::upload::Upload;

/// Answers a call. The connection comes back when it can go on.
pub fn serve(
    shared: &Shared,
    worker: &mut WorkerThread,
    buffers: &mut Buffers,
    link: Link,
    request: &Request<'_>,
    order: RequestOrder,
) -> Option<Link> {
    let refused = |reason, text: &str, link| {
        refuse(link, wire::Refusal { reason, text: text.as_bytes() }, order, shared.silence)
    };
    let Some((purpose, question)) = question(&request.task) else {
        return refused(RefusalReason::Malformed, "the request is no call", link);
    };
    if let Err(error) = shared.roots.check_call(request.script, purpose, request.application_group) {
        return refused(RefusalReason::Script, &error.to_string(), link);
    }
    let Ok(application_group) = std::str::from_utf8(request.application_group) else {
        return refused(RefusalReason::Malformed, "the name of the application group is not UTF-8", link);
    };
    let upload = Upload::Inline(Vec::new(), 0);
    let mut reply = Reply::new(link, order, upload, shared.silence, std::mem::take(buffers));
    let _running = shared.pool.begin();
    let mut pairs = request.environ();
    let mut environ = std::iter::from_fn(|| pairs.next());
    let call = Call {
        environ: &mut environ,
        script: request.script,
        application_group,
        https: request.flags.https,
        script_reloading: request.flags.script_reloading,
        question,
    };
    match catch_unwind(AssertUnwindSafe(|| worker.ask(call, &mut reply))) {
        Ok(Answer::Failed) => reply.fail(500),
        Ok(answer) => reply.answer(|out| put(&answer, out)),
        Err(_) => {
            // The panic hook has written where it happened.
            let facts = "An internal error of the WSGI worker ended this call.";
            let script = String::from_utf8_lossy(request.script);
            reply.log(Level::Critical, &script, &codes::CALL_PANIC.line(facts));
        }
    }
    let (link, kept) = reply.finish();
    *buffers = kept;
    link
}

/// What a task asks of which scripts; `None` for a request to an application.
fn question<'a>(task: &Task<'a>) -> Option<(Purpose, Question<'a>)> {
    Some(match *task {
        Task::Application => return None,
        Task::AllowAccess { host } => (Purpose::Access, Question::AllowAccess { host }),
        Task::CheckPassword { user, password } => {
            (Purpose::AuthUser, Question::CheckPassword { user, password })
        }
        Task::RealmHash { user, realm } => (Purpose::AuthUser, Question::RealmHash { user, realm }),
        Task::GroupsForUser { user } => (Purpose::AuthGroup, Question::GroupsForUser { user }),
        Task::Dispatch => (Purpose::Dispatch, Question::Dispatch),
    })
}

fn put(answer: &Answer, out: &mut Vec<u8>) -> Result<(), WireError> {
    match answer {
        Answer::Nothing => wire::Answer::Nothing.put(out),
        Answer::No => wire::Answer::No.put(out),
        Answer::Yes => wire::Answer::Yes.put(out),
        Answer::Text(text) => wire::Answer::Text(text).put(out),
        Answer::Names(names) => put_names(out, names.iter().map(Vec::as_slice)),
        Answer::Choice { process_group, application_group, callable } => {
            let choice = Choice {
                process_group: process_group.as_deref(),
                application_group: application_group.as_deref(),
                callable: callable.as_deref(),
            };
            wire::Answer::Choice(choice).put(out)
        }
        Answer::Failed => Err(WireError::Invalid("answer")),
    }
}
