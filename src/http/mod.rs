//! HTTP/1 as bytes: heads, framing, the chunked coding, and the heads that we write.
//!
//! Pure: a head is parsed in place and described by ranges into the buffer that holds it. Everything that two parsers
//! could read in two ways is refused here (spec 20 §9, 60 §2), and what goes on to the Engine or the client is written
//! anew from the parsed values, so nobody downstream can see another framing than the one that was judged.

pub mod chunked;
pub mod date;
pub mod fields;
pub mod forward;
pub mod framing;
pub mod head;
pub mod reply;

pub use fields::{Field, FieldName, Span};
pub use framing::Framing;
pub use head::{HeadEnd, HeadError, RequestHead, ResponseHead, Version};
