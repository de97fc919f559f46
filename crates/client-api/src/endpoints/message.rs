//! Sending, redacting, and paging through what was sent.

mod get_message_events;
mod redact_event;
mod send_message_event;

use http::request::Parts;
use parvis_wire::{Endpoint, Endpoints, MatrixError};
use ruma::api::client::message::get_message_events::v3 as get_message_events_v3;

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::streaming::<get_message_events_v3::Request, _, _, _>(get_message_events::handle))
        .with(Endpoint::typed(redact_event::handle))
        .with(Endpoint::typed(send_message_event::handle))
}

/// Refuses a request to send later, which this server cannot do: sending at once would be wrong.
pub(crate) fn refuse_delay(parts: &Parts) -> Result<(), MatrixError> {
    let query = parts.uri.query().unwrap_or_default();
    match query.split('&').any(|pair| pair.starts_with("org.matrix.msc4140.delay=")) {
        true => Err(MatrixError::invalid_param("events cannot be delayed on this server")),
        false => Ok(()),
    }
}
