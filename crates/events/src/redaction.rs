//! Redaction: what stays of an event when its content is taken away.
//!
//! The list of what stays differs between room versions, and event ids and signatures are taken over
//! exactly that: one key more or less, and no other server knows our events. Who may redact what is decided
//! elsewhere. <https://spec.matrix.org/v1.19/client-server-api/#redactions>

use ruma::room_version_rules::RedactionRules;

use crate::{
    canonical::{CanonicalJsonObject, CanonicalJsonValue},
    room_version::RoomVersion,
};

/// What stays of an event.
pub(crate) fn redacted_event(object: &CanonicalJsonObject, version: RoomVersion) -> CanonicalJsonObject {
    let rules = &version.rules().redaction;
    let kind = match object.get("type") {
        Some(CanonicalJsonValue::String(kind)) => kind.as_str(),
        _ => "",
    };
    object
        .iter()
        .filter(|(key, _)| stays_at_top_level(rules, key))
        .map(|(key, value)| match value {
            CanonicalJsonValue::Object(content) if key == "content" => {
                (key.clone(), CanonicalJsonValue::Object(redacted_content(content, kind, version)))
            }
            _ => (key.clone(), value.clone()),
        })
        .collect()
}

/// What stays of the content of an event of this type.
pub(crate) fn redacted_content(
    content: &CanonicalJsonObject,
    kind: &str,
    version: RoomVersion,
) -> CanonicalJsonObject {
    let rules = &version.rules().redaction;
    if kind == "m.room.create" && rules.keep_room_create_content {
        return content.clone();
    }
    let mut kept: CanonicalJsonObject = content
        .iter()
        .filter(|(key, _)| stays_in_content(rules, kind, key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if kind == "m.room.member"
        && rules.keep_room_member_third_party_invite_signed
        && let Some(CanonicalJsonValue::Object(invite)) = content.get("third_party_invite")
    {
        let signed = invite.get_key_value("signed").map(|(key, value)| (key.clone(), value.clone()));
        kept.insert(
            "third_party_invite".to_owned(),
            CanonicalJsonValue::Object(signed.into_iter().collect()),
        );
    }
    kept
}

fn stays_at_top_level(rules: &RedactionRules, key: &str) -> bool {
    match key {
        "event_id" | "type" | "room_id" | "sender" | "state_key" | "content" | "hashes" | "signatures"
        | "depth" | "prev_events" | "auth_events" | "origin_server_ts" => true,
        "origin" | "membership" | "prev_state" => rules.keep_origin_membership_prev_state,
        _ => false,
    }
}

fn stays_in_content(rules: &RedactionRules, kind: &str, key: &str) -> bool {
    match (kind, key) {
        ("m.room.member", "membership")
        | ("m.room.create", "creator")
        | ("m.room.join_rules", "join_rule")
        | ("m.room.history_visibility", "history_visibility")
        | (
            "m.room.power_levels",
            "ban" | "events" | "events_default" | "kick" | "redact" | "state_default" | "users"
            | "users_default",
        ) => true,
        ("m.room.member", "join_authorised_via_users_server") => {
            rules.keep_room_member_join_authorised_via_users_server
        }
        ("m.room.join_rules", "allow") => rules.keep_room_join_rules_allow,
        ("m.room.power_levels", "invite") => rules.keep_room_power_levels_invite,
        ("m.room.redaction", "redacts") => rules.keep_room_redaction_redacts,
        ("m.room.aliases", "aliases") => rules.keep_room_aliases_aliases,
        _ => false,
    }
}
