//! The rule for invitations that answer one by a third party, such as to an e-mail address: the identity
//! server's signature stands for the inviter's.

use parvis_events::{
    Pdu,
    canonical::{CanonicalJsonObject, CanonicalJsonValue},
};
use ruma::{
    AnyKeyName, SigningKeyAlgorithm, SigningKeyId, UserId,
    serde::{Base64, base64::Standard},
    signatures::{to_canonical_json_string_for_signing, verify_canonical_json_bytes},
    third_party_invite::IdentityServerBase64PublicKey,
};
use serde_json::{Map, Value};

use super::{Room, require};
use crate::error::AuthError;

/// `content.third_party_invite`, where the event has it, whatever it holds.
pub(super) fn invitation(pdu: &Pdu) -> Option<Value> {
    if !pdu.content_json().contains("\"third_party_invite\"") {
        return None;
    }
    pdu.content_as::<Map<String, Value>>().ok()?.remove("third_party_invite")
}

pub(super) fn check(
    invitation: &Value,
    sender: &UserId,
    target: &UserId,
    room: &Room<'_>,
) -> Result<(), AuthError> {
    let signed = invitation.get("signed").and_then(|signed| serde_json::from_value(signed.clone()).ok());
    let signed: CanonicalJsonObject =
        signed.ok_or_else(|| AuthError::new("the third party's invitation has no signed part"))?;
    let field = |name: &str| match signed.get(name) {
        Some(CanonicalJsonValue::String(value)) => Ok(value.as_str()),
        _ => Err(AuthError::new(format!("the signed part of the third party's invitation has no `{name}`"))),
    };
    require(field("mxid")? == target.as_str(), || {
        format!("the third party's invitation is not for {target}")
    })?;
    let original = room
        .event("m.room.third_party_invite", field("token")?)
        .ok_or_else(|| AuthError::new("the room has no third party's invitation with this token"))?;
    require(original.sender() == sender, || {
        format!("the third party's invitation was not sent by {sender}")
    })?;
    require(is_signed(&signed, &public_keys(&original)), || {
        "the third party's invitation is not signed by one of its keys".to_owned()
    })
}

/// The keys of the identity server, which stand in the invitation to the third party.
fn public_keys(original: &Pdu) -> Vec<Vec<u8>> {
    let content: Map<String, Value> = original.content_as().unwrap_or_default();
    let listed = content.get("public_keys").and_then(Value::as_array).into_iter().flatten();
    content
        .get("public_key")
        .into_iter()
        .chain(listed.filter_map(|entry| entry.get("public_key")))
        .filter_map(|key| IdentityServerBase64PublicKey(key.as_str()?.to_owned()).decode().ok())
        .collect()
}

/// Whether any signature holds for any key.
fn is_signed(signed: &CanonicalJsonObject, keys: &[Vec<u8>]) -> bool {
    let Some(CanonicalJsonValue::Object(signatures)) = signed.get("signatures") else { return false };
    let Ok(text) = to_canonical_json_string_for_signing(signed) else { return false };
    let of_servers = signatures.values().filter_map(|of_server| match of_server {
        CanonicalJsonValue::Object(of_server) => Some(of_server),
        _ => None,
    });
    of_servers.flatten().any(|(key_id, signature)| {
        let CanonicalJsonValue::String(signature) = signature else { return false };
        let Ok(signature) = Base64::<Standard>::parse(signature) else { return false };
        let is_ed25519 = <&SigningKeyId<AnyKeyName>>::try_from(key_id.as_str())
            .is_ok_and(|key_id| key_id.algorithm() == SigningKeyAlgorithm::Ed25519);
        is_ed25519
            && keys.iter().any(|key| {
                verify_canonical_json_bytes(
                    &SigningKeyAlgorithm::Ed25519,
                    key,
                    signature.as_bytes(),
                    text.as_bytes(),
                )
                .is_ok()
            })
    })
}
