//! Keys as JSON objects that carry signatures. What they are for is not known here.

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, SigningKeyAlgorithm, UserId,
    serde::Base64,
    signatures::{to_canonical_json_string_for_signing, verify_canonical_json_bytes},
};
use serde_json::value::RawValue;

const SIGNATURES: &str = "signatures";
const UNSIGNED: &str = "unsigned";

/// Why something is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKey(pub String);

/// A key with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyObject(CanonicalJsonObject);

impl KeyObject {
    /// Reads a key, leaving out what is not signed.
    pub(crate) fn parse(json: &RawValue) -> Result<Self, InvalidKey> {
        Self::from_text(json.get())
    }

    /// As [`parse`](Self::parse), from text.
    pub(crate) fn from_text(json: &str) -> Result<Self, InvalidKey> {
        let mut object: CanonicalJsonObject =
            serde_json::from_str(json).map_err(|error| InvalidKey(format!("not a key: {error}")))?;
        object.remove(UNSIGNED);
        Ok(Self(object))
    }

    /// The one text that stands for it.
    pub(crate) fn text(&self) -> String {
        // Canonical JSON always serialises.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// As JSON.
    pub(crate) fn into_json(self) -> Box<RawValue> {
        RawValue::from_string(self.text()).unwrap_or_default()
    }

    /// A field.
    pub(crate) fn get(&self, name: &str) -> Option<&CanonicalJsonValue> {
        self.0.get(name)
    }

    /// A field that is a text.
    pub(crate) fn text_field(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(CanonicalJsonValue::as_str)
    }

    /// The public keys in it, by name.
    pub(crate) fn public_keys(&self) -> impl Iterator<Item = (&str, &str)> {
        let keys = self.get("keys").and_then(CanonicalJsonValue::as_object).into_iter().flatten();
        keys.filter_map(|(name, key)| Some((name.as_str(), key.as_str()?)))
    }

    /// The public key of this name.
    pub(crate) fn public_key(&self, name: &str) -> Option<&str> {
        self.public_keys().find(|(known, _)| *known == name).map(|(_, key)| key)
    }

    /// Whether both are the same but for signatures.
    pub(crate) fn is_same_key(&self, other: &Self) -> bool {
        let signed = |(name, _): &(&String, &CanonicalJsonValue)| name.as_str() != SIGNATURES;
        self.0.iter().filter(signed).eq(other.0.iter().filter(signed))
    }

    /// Demands that the signatures have the form of signatures, and leaves out those of others than this user.
    pub(crate) fn keep_signatures_of(&mut self, user_id: &UserId) -> Result<(), InvalidKey> {
        let empty = || CanonicalJsonValue::Object(CanonicalJsonObject::new());
        let signatures = self.0.entry(SIGNATURES.to_owned()).or_insert_with(empty);
        let Some(signatures) = signatures.as_object_mut() else {
            return Err(InvalidKey("the signatures are no object".to_owned()));
        };
        signatures.retain(|signer, _| signer == user_id.as_str());
        if signatures.values().any(|signatures| !signatures.is_object()) {
            return Err(InvalidKey("the signatures of a user are no object".to_owned()));
        }
        Ok(())
    }

    /// The signatures of a user, by name of the key that made them.
    pub(crate) fn signatures_of(&self, user_id: &UserId) -> impl Iterator<Item = (&str, &str)> {
        let all = self.get(SIGNATURES).and_then(CanonicalJsonValue::as_object);
        let theirs = all.and_then(|all| all.get(user_id.as_str())).and_then(CanonicalJsonValue::as_object);
        theirs.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// Puts a signature to those that are there.
    pub(crate) fn add_signature(&mut self, signer: &str, key_id: &str, signature: &str) {
        let empty = || CanonicalJsonValue::Object(CanonicalJsonObject::new());
        let all = self.0.entry(SIGNATURES.to_owned()).or_insert_with(empty);
        let Some(all) = all.as_object_mut() else { return };
        if let Some(theirs) = all.entry(signer.to_owned()).or_insert_with(empty).as_object_mut() {
            theirs.insert(key_id.to_owned(), CanonicalJsonValue::String(signature.to_owned()));
        }
    }

    /// Says what people call the device, beside what is signed.
    pub(crate) fn set_display_name(&mut self, name: &str) {
        let name = CanonicalJsonValue::String(name.to_owned());
        let unsigned = CanonicalJsonObject::from([("device_display_name".to_owned(), name)]);
        self.0.insert(UNSIGNED.to_owned(), CanonicalJsonValue::Object(unsigned));
    }

    /// Whether this is the signature that an Ed25519 key (in base64) makes on this key.
    pub(crate) fn is_signed(&self, signature: &str, public_key: &str) -> bool {
        let (Some(signature), Some(public_key)) = (decode(signature), decode(public_key)) else {
            return false;
        };
        let Ok(text) = to_canonical_json_string_for_signing(&self.0) else { return false };
        let ed25519 = SigningKeyAlgorithm::Ed25519;
        verify_canonical_json_bytes(&ed25519, &public_key, &signature, text.as_bytes()).is_ok()
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let decoded: Base64 = Base64::parse(text).ok()?;
    Some(decoded.into_inner())
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    fn object(json: &serde_json::Value) -> KeyObject {
        KeyObject::from_text(&json.to_string()).unwrap()
    }

    #[test]
    fn only_the_owners_signatures_are_kept() {
        let mut key = object(&serde_json::json!({
            "keys": { "ed25519:A": "key" },
            "signatures": { "@a:x": { "ed25519:A": "s" }, "@b:x": { "ed25519:B": "s" } },
            "unsigned": { "device_display_name": "n" },
        }));
        key.keep_signatures_of(user_id!("@a:x")).unwrap();
        assert_eq!(key.text(), r#"{"keys":{"ed25519:A":"key"},"signatures":{"@a:x":{"ed25519:A":"s"}}}"#);
        assert_eq!(key.signatures_of(user_id!("@a:x")).collect::<Vec<_>>(), [("ed25519:A", "s")]);
    }

    #[test]
    fn key_without_signatures_gets_none() {
        let mut key = object(&serde_json::json!({ "keys": {} }));
        key.keep_signatures_of(user_id!("@a:x")).unwrap();
        assert_eq!(key.text(), r#"{"keys":{},"signatures":{}}"#);
        let mut bad = object(&serde_json::json!({ "signatures": [] }));
        assert!(bad.keep_signatures_of(user_id!("@a:x")).is_err());
    }

    #[test]
    fn nonsense_is_no_signature() {
        let key = object(&serde_json::json!({ "keys": { "ed25519:A": "key" } }));
        for (signature, public_key) in [("", ""), ("!", "AAAA"), ("AAAA", "AAAA")] {
            assert!(!key.is_signed(signature, public_key));
        }
    }
}
