//! Whether a client sends its body about as fast as it can be read: then the application may read it as it comes. Gathering first
//! would cost more time than the client takes. What is read here is the body's beginning, whatever becomes of the rest.

use std::time::{Duration, Instant};

use unix::stream::{self, Interest};

use super::client::Client;
use crate::body::{BodyError, BodyRead};

/// Bytes that show it: more than the kernel keeps for a connection that nobody has read from, so that most of them were sent while
/// they were read.
pub const BEGINNING: usize = 1024 * 1024;
/// How long the client may be waited for until they are here: a hundred megabytes a second.
pub const PATIENCE: Duration = Duration::from_millis(10);
/// Bytes to read at a time.
const STEP: usize = 64 * 1024;
/// Length of a body in bytes from which on this is worth a look: shorter ones are gathered in no time.
pub const WORTHWHILE: u64 = 2 * BEGINNING as u64;

/// Reads the beginning of a body into `buffer`. True when the client hardly had to be waited for. When it is false, less may be
/// there, and no client keeps as much memory as this takes for longer than [`PATIENCE`]: `gather` gives it back before it waits
/// for the client.
///
/// # Errors
/// [`BodyError`]; the body is then over.
pub fn is_fast(client: &mut impl Client, buffer: &mut Vec<u8>) -> Result<bool, BodyError> {
    let mut left = PATIENCE;
    buffer.reserve_exact(BEGINNING + STEP);
    while buffer.len() < BEGINNING {
        match client.read_body(buffer, STEP, false)? {
            BodyRead::Data => {}
            BodyRead::End => return Ok(false),
            BodyRead::WouldBlock => {
                let Some(socket) = client.socket() else { return Ok(false) };
                let begin = Instant::now();
                if !matches!(stream::wait([(socket, Interest::Read)], left), Ok(true)) {
                    return Ok(false);
                }
                left = left.saturating_sub(begin.elapsed());
            }
        }
    }
    Ok(true)
}
