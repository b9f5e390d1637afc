//! A body of unknown length that nobody reads to its end. What is left of it would be taken for the next head, and
//! actix waits for it without end: the answer is the last one of its line, which gives the rest a deadline.

use std::{cell::Cell, rc::Rc, task::Poll};

use actix_web::{
    HttpMessage as _,
    dev::{Payload, ResponseHead, ServiceRequest},
    http::ConnectionType,
};
use futures_util::{StreamExt as _, stream::poll_fn};

use crate::server::line::Line;

pub(super) struct Unread {
    line: Option<Line>,
    is_read: Rc<Cell<bool>>,
}

impl Unread {
    /// `None` where the length is declared: actix itself ends what is left of such a body.
    pub(super) fn of(request: &mut ServiceRequest) -> Option<Self> {
        if !request.chunked().unwrap_or(false) {
            return None;
        }
        let is_read = Rc::new(Cell::new(false));
        let at_end = Rc::clone(&is_read);
        let end = poll_fn(move |_| {
            at_end.set(true);
            Poll::Ready(None)
        });
        let body = request.take_payload().chain(end);
        request.set_payload(Payload::Stream {
            payload: Box::pin(body),
        });
        Some(Self {
            line: request.conn_data::<Line>().cloned(),
            is_read,
        })
    }

    /// Makes this answer the last one, unless the body was read by now.
    pub(super) fn answer(&self, head: &mut ResponseHead) {
        if self.is_read.get() {
            return;
        }
        head.set_connection_type(ConnectionType::Close);
        if let Some(line) = &self.line {
            line.end();
        }
    }
}
