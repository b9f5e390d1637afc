//! The edge over real sockets: a small service ([`lights`]) built as the real ones are, and a client ([`wire`])
//! that can also say what no well-behaved client would.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod lights;
mod wire;

mod bodies;
mod document;
mod headers;
mod limits;
mod routing;
mod watching;
