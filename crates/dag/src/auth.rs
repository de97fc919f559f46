//! The authorisation rules: which events a room's state allows.
//!
//! <https://spec.matrix.org/v1.19/server-server-api/#authorization-rules> and the page of each room version.

use parvis_events::{Pdu, RoomVersion};
use ruma::{EventId, UserId, events::TimelineEventType, state_res};
use serde_json::value::RawValue;

use crate::{Known, bridge::Bridge};

/// The rule by which an event is not allowed, in words for the developer of the client that sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuthError(String);

impl AuthError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The rule, as a phrase.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

/// The keys (type, state key) of the state by which an event is authorised: those of the current state that
/// exist become the event's `auth_events`.
///
/// <https://spec.matrix.org/v1.19/server-server-api/#auth-events-selection>
///
/// # Errors
///
/// [`AuthError`] for a membership event that no state could allow, since it has no state key or no
/// membership.
pub fn auth_types(
    version: RoomVersion,
    sender: &UserId,
    kind: &str,
    state_key: Option<&str>,
    content: &RawValue,
) -> Result<Vec<(String, String)>, AuthError> {
    let kind = TimelineEventType::from(kind);
    let rules = &version.rules().authorization;
    let types =
        state_res::auth_types_for_event(&kind, sender, state_key, content, rules).map_err(AuthError::new)?;
    Ok(types.into_iter().map(|(kind, state_key)| (kind.to_string(), state_key)).collect())
}

/// Checks the rules that look only at the event and the events that it cites.
///
/// `known` looks events up by id; it must know the auth events and, where the room id is the create event's
/// hash, the create event.
///
/// # Errors
///
/// [`AuthError`]: the event is rejected.
pub fn check_auth_events(pdu: &Pdu, known: impl Fn(&EventId) -> Option<Known>) -> Result<(), AuthError> {
    let rules = &pdu.version().rules().authorization;
    let event = Bridge(Known::accepted(pdu.clone()));
    state_res::check_state_independent_auth_rules(rules, event, |id| known(id).map(Bridge))
        .map_err(AuthError::new)
}

/// Checks the rules that look at a state of the room: whether that state allows the event.
///
/// `state` gives the event of a type and state key, and must give the create event. The event's signatures
/// are taken as checked.
///
/// # Errors
///
/// [`AuthError`] names the rule that forbids the event.
pub fn authorise(pdu: &Pdu, state: impl Fn(&str, &str) -> Option<Pdu>) -> Result<(), AuthError> {
    let rules = &pdu.version().rules().authorization;
    let event = Bridge(Known::accepted(pdu.clone()));
    state_res::check_state_dependent_auth_rules(rules, event, |kind, state_key| {
        state(&kind.to_string(), state_key).map(|pdu| Bridge(Known::accepted(pdu)))
    })
    .map_err(AuthError::new)
}
