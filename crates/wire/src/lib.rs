//! Frames between an httpd child and a worker: layout, limits, order. No I/O, no allocation whose size a peer chooses.
//!
//! Both ends treat the other as hostile: an httpd child relays requests of strangers, a worker runs the code of a site.
//! Every length is checked against what is left before anything is read or reserved, an unknown tag is an error, and the
//! order of frames is a state machine ([`order`]). The two ends use this one crate; there is no second parser.
//!
//! One connection carries one request at a time. All integers are little-endian.
//!
//! ```text
//! frame    = kind u8, version u8, zero u16, payload length u32, payload
//! child  → = Request (Body* (BodyEnd | BodyAbort))?          the part in brackets only for a streamed body
//! worker → = (Log | WantBody)* ( Head (Data | File | Log)* (End | Abort) | Fail | Refuse )
//!          | Log* ( Answer | Fail | Refuse )                       when the request is a call, see [`Task`]
//! ```
#![forbid(unsafe_code)]

pub mod cursor;
pub mod error;
pub mod frame;
pub mod head;
pub mod order;
pub mod request;
pub mod response;
pub mod task;

pub use cursor::Cursor;
pub use error::WireError;
pub use frame::{FrameHeader, HEADER_LEN, Kind, Split, VERSION, split};
pub use order::{RequestOrder, ResponseOrder};
pub use request::{Body, Flags, Request, RequestEncoder, RequestFields};
pub use response::{FilePart, Log, LogLevel, Refusal, RefusalReason, ResponseHead};
pub use task::{Answer, Choice, Names, Task};
