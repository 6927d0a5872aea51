//! Requests to a real worker, one after another on one connection, as an httpd child sends them.

use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use wire::{Kind, ResponseHead, ResponseOrder, Split, split};

use crate::facts;

/// Caches are filled, Python has specialised its byte-code.
const WARM_UP: u32 = 100;
/// Outside of what the worker may load: it refuses the request, and callgrind, which was told to, begins a new count.
const REFUSED: &[u8] = b"/refused";

/// Sends requests and refused ones around them; an answer that is not the expected one is an error.
pub fn run(socket: &Path, script: &[u8], number: u32) -> Result<(), Box<dyn Error>> {
    let mut connection = UnixStream::connect(socket)?;
    let mut ask = |script: &[u8], expected: Kind| -> Result<(), Box<dyn Error>> {
        let mut request = Vec::new();
        facts::frame(script, &mut request)?;
        connection.write_all(&request)?;
        let last = answer(&mut connection)?;
        if last == expected { Ok(()) } else { Err(format!("the worker answers with {last:?}").into()) }
    };
    (0..WARM_UP).try_for_each(|_| ask(script, Kind::End))?;
    ask(REFUSED, Kind::Refuse)?;
    (0..number).try_for_each(|_| ask(script, Kind::End))?;
    ask(REFUSED, Kind::Refuse)
}

/// Reads one answer; the kind of its last frame.
fn answer(connection: &mut UnixStream) -> Result<Kind, Box<dyn Error>> {
    let mut order = ResponseOrder::new(false);
    let (mut received, mut last) = (Vec::new(), Kind::End);
    while !order.is_done() {
        match split(&received)? {
            Split::Frame { kind, payload, consumed } => {
                order.accept(kind)?;
                if kind == Kind::Head && ResponseHead::decode(payload)?.status != 200 {
                    return Err("the application has failed".into());
                }
                last = kind;
                received.drain(..consumed);
            }
            Split::Need(_) => {
                let mut piece = [0; 4096];
                let count = connection.read(&mut piece)?;
                if count == 0 {
                    return Err("the worker has closed the connection".into());
                }
                received.extend_from_slice(piece.get(..count).unwrap_or_default());
            }
        }
    }
    Ok(last)
}
