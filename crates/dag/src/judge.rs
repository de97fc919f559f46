//! The ordered checks on one event: accept it, soft-fail it, or reject it.
//!
//! These are the checks 4 to 6 on receipt of a PDU; a [`Pdu`] has passed the first three by being one.
//! <https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu>

use std::collections::HashMap;

use parvis_events::{MAX_FIELD_BYTES, Pdu};
use ruma::EventId;

use crate::{
    auth::{authorise, check_auth_events},
    error::AuthError,
    known::{Known, create_event_id},
};

/// What is to be done with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to the room.
    Accept,
    /// It was allowed when it was sent, but the current state forbids it: kept, used for state resolution,
    /// not shown, and nothing is built on it.
    SoftFail(AuthError),
    /// It was never allowed: kept only so that its children can be judged.
    Reject(AuthError),
}

impl Verdict {
    /// Whether the event belongs to the room.
    pub fn is_accepted(&self) -> bool {
        *self == Self::Accept
    }

    /// Why the event does not belong to the room.
    pub fn reason(&self) -> Option<&AuthError> {
        match self {
            Self::Accept => None,
            Self::SoftFail(reason) | Self::Reject(reason) => Some(reason),
        }
    }
}

/// Judges an event against the events that it cites, the state before it, and the current state.
///
/// `known` must know every auth event (and the create event): fetch what is missing first, since an event
/// whose auth events are unknown is rejected. The closures for state give the event of a type and state key.
pub fn judge(
    pdu: &Pdu,
    known: impl Fn(&EventId) -> Option<Known>,
    state_before: impl Fn(&str, &str) -> Option<Pdu>,
    current_state: impl Fn(&str, &str) -> Option<Pdu>,
) -> Verdict {
    if let Err(reason) = check_sizes(pdu)
        .and_then(|()| check_auth_events(pdu, &known))
        .and_then(|()| authorise_by_auth_events(pdu, &known))
        .and_then(|()| authorise(pdu, state_before))
    {
        return Verdict::Reject(reason);
    }
    match authorise(pdu, current_state) {
        Ok(()) => Verdict::Accept,
        Err(reason) => Verdict::SoftFail(reason),
    }
}

/// Judges an event of which only those that it cites are known, such as one of an auth chain or of a state that came
/// with a join: the checks that need no state of the room.
///
/// # Errors
///
/// [`AuthError`]: the event is rejected.
pub fn judge_outlier(pdu: &Pdu, known: impl Fn(&EventId) -> Option<Known>) -> Result<(), AuthError> {
    check_sizes(pdu)?;
    check_auth_events(pdu, &known)?;
    authorise_by_auth_events(pdu, &known)
}

/// Rejects fields beyond 255 bytes that the older room versions let pass as far as here, because servers
/// once counted characters.
fn check_sizes(pdu: &Pdu) -> Result<(), AuthError> {
    let fields =
        [pdu.kind(), pdu.state_key().unwrap_or_default(), pdu.sender().as_str(), pdu.room_id().as_str()];
    if fields.iter().any(|field| field.len() > MAX_FIELD_BYTES) {
        return Err(AuthError::new(format!("a field of the event is longer than {MAX_FIELD_BYTES} bytes")));
    }
    Ok(())
}

/// Checks the event against the state that its auth events make up.
fn authorise_by_auth_events(pdu: &Pdu, known: impl Fn(&EventId) -> Option<Known>) -> Result<(), AuthError> {
    let mut cited: HashMap<(String, String), Pdu> = HashMap::new();
    let create = create_event_id(pdu);
    for id in pdu.auth_events().iter().chain(&create) {
        if let Some(Known { pdu, .. }) = known(id)
            && let Some(state_key) = pdu.state_key()
        {
            cited.insert((pdu.kind().to_owned(), state_key.to_owned()), pdu);
        }
    }
    authorise(pdu, |kind, state_key| cited.get(&(kind.to_owned(), state_key.to_owned())).cloned())
}
