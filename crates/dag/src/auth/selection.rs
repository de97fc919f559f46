//! Which state an event is authorised by.

use parvis_events::{Pdu, RoomVersion};
use ruma::UserId;
use serde_json::{Map, Value, value::RawValue};

use crate::error::AuthError;

/// The keys (type, state key) of the state by which an event is authorised: those that exist in the current
/// state become the event's `auth_events`.
///
/// <https://spec.matrix.org/v1.19/server-server-api/#auth-events-selection>
///
/// # Errors
///
/// [`AuthError`] for a membership event that no state could allow: one without a state key, without a
/// membership, or with a third party's invitation that has no token.
pub fn auth_types(
    version: RoomVersion,
    sender: &UserId,
    kind: &str,
    state_key: Option<&str>,
    content: &RawValue,
) -> Result<Vec<(String, String)>, AuthError> {
    select(version, sender, kind, state_key, content.get())
}

/// [`auth_types`] of an event that is made already.
pub(crate) fn auth_types_of(pdu: &Pdu) -> Result<Vec<(String, String)>, AuthError> {
    select(pdu.version(), pdu.sender(), pdu.kind(), pdu.state_key(), pdu.content_json())
}

fn select(
    version: RoomVersion,
    sender: &UserId,
    kind: &str,
    state_key: Option<&str>,
    content: &str,
) -> Result<Vec<(String, String)>, AuthError> {
    if kind == "m.room.create" {
        return Ok(Vec::new());
    }
    let mut keys = vec![key("m.room.power_levels", ""), key("m.room.member", sender.as_str())];
    if !version.room_id_is_create_hash() {
        keys.push(key("m.room.create", ""));
    }
    if kind == "m.room.member" {
        add_membership_keys(version, state_key, content, &mut keys)?;
    }
    Ok(keys)
}

fn add_membership_keys(
    version: RoomVersion,
    state_key: Option<&str>,
    content: &str,
    keys: &mut Vec<(String, String)>,
) -> Result<(), AuthError> {
    let target = state_key.ok_or_else(|| AuthError::new("a membership event needs a state key"))?;
    add(keys, "m.room.member", target);
    let content: Map<String, Value> = serde_json::from_str(content).unwrap_or_default();
    let text = |name: &str| content.get(name).and_then(Value::as_str);
    let membership =
        text("membership").ok_or_else(|| AuthError::new("a membership event needs a membership"))?;
    if matches!(membership, "join" | "invite" | "knock") {
        add(keys, "m.room.join_rules", "");
    }
    if membership == "invite"
        && let Some(invite) = content.get("third_party_invite")
    {
        let token = invite.pointer("/signed/token").and_then(Value::as_str);
        let token = token.ok_or_else(|| AuthError::new("the third party's invitation has no token"))?;
        add(keys, "m.room.third_party_invite", token);
    }
    if membership == "join"
        && version.restricted()
        && let Some(authoriser) = text("join_authorised_via_users_server")
    {
        add(keys, "m.room.member", authoriser);
    }
    Ok(())
}

fn add(keys: &mut Vec<(String, String)>, kind: &str, state_key: &str) {
    let key = key(kind, state_key);
    if !keys.contains(&key) {
        keys.push(key);
    }
}

fn key(kind: &str, state_key: &str) -> (String, String) {
    (kind.to_owned(), state_key.to_owned())
}
