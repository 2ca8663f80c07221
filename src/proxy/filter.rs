//! The response filter's place in the response path (spec 50 C, 60 §3.4).
//!
//! Runs on answers that an active redaction toggle covers. Such an answer is read whole before the client is told
//! anything; what cannot be rewritten with certainty is refused.

use super::connection::{After, Context};
use super::exchange::Exchange;
use super::forward::Delivery;
use super::local::{self, Failure};
use super::transport::Transport;
use crate::http::Framing;
use crate::rt::Stream;

/// Whether the answer in `exchange.answer` has to be filtered.
pub(super) fn applies(exchange: &Exchange, framing: Framing) -> bool {
    let status = exchange.answer.head.status;
    let has_body = framing != Framing::None;
    has_body && (200..300).contains(&status) && status != 205 && is_covered(exchange)
}

/// Whether answers on the path of this request are filtered.
pub(super) fn is_covered(exchange: &Exchange) -> bool {
    exchange.generation.as_deref().is_some_and(|one| one.redaction.covers(exchange.path.canonical()).is_some())
}

/// Answers with the filtered body.
pub(super) async fn respond<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: Stream,
    _delivery: Delivery,
) -> After {
    drop(engine);
    local::fail(context, exchange, Failure::Rejected, &"this answer cannot be redacted yet").await
}
