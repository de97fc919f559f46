//! The document in which a server publishes its keys, read and checked.
//! <https://spec.matrix.org/v1.19/server-server-api/#publishing-keys>

use std::collections::BTreeMap;

use parvis_events::canonical::{CanonicalJsonObject, CanonicalJsonValue, parse_object};
use ruma::{
    OwnedServerName, ServerName, SigningKeyAlgorithm,
    serde::Base64,
    signatures::{to_canonical_json_string_for_signing, verify_canonical_json_bytes},
};

/// How many keys of one document are looked at.
const MOST_KEYS: usize = 64;

/// A key that a document publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishedKey {
    /// In unpadded base64.
    pub(crate) public_key: String,
    /// When the server stopped to sign with it, if it did.
    pub(crate) retired_ts: Option<i64>,
}

/// A document that is signed by each of the keys in use that it publishes.
#[derive(Clone, Debug)]
pub(crate) struct KeyDocument {
    pub(crate) server: OwnedServerName,
    /// As the server says it: to be capped.
    pub(crate) valid_until_ts: i64,
    pub(crate) keys: BTreeMap<String, PublishedKey>,
    object: CanonicalJsonObject,
}

impl KeyDocument {
    /// Reads a document. A key in use that has not signed it counts for nothing: whoever published it has not
    /// shown that it is theirs.
    ///
    /// # Errors
    /// In words, where it is no such document or none of its keys has signed it.
    pub(crate) fn read(json: &[u8]) -> Result<Self, String> {
        let object = parse_object(json).map_err(|error| error.to_string())?;
        let name = text(&object, "server_name").ok_or("it names no server")?;
        let server = ServerName::parse(name).map_err(|_| format!("{name:?} is no server name"))?;
        let valid_until_ts = integer(&object, "valid_until_ts").ok_or("it does not say how long it holds")?;
        let mut document = Self { server, valid_until_ts, keys: BTreeMap::new(), object };
        let in_use = document.list("verify_keys", |_| None);
        let signed = in_use
            .into_iter()
            .filter(|(key_id, key)| document.is_signed_by(&document.server, key_id, &key.public_key));
        let mut keys: BTreeMap<_, _> = signed.collect();
        if keys.is_empty() {
            return Err("none of its keys has signed it".to_owned());
        }
        for (key_id, key) in document.list("old_verify_keys", |key| integer(key, "expired_ts")) {
            if key.retired_ts.is_some() {
                keys.entry(key_id).or_insert(key);
            }
        }
        document.keys = keys;
        Ok(document)
    }

    /// The Ed25519 keys of a field.
    fn list(
        &self,
        field: &str,
        retired_ts: impl Fn(&CanonicalJsonObject) -> Option<i64>,
    ) -> Vec<(String, PublishedKey)> {
        let Some(CanonicalJsonValue::Object(keys)) = self.object.get(field) else { return Vec::new() };
        let key = |(key_id, value): (&String, &CanonicalJsonValue)| {
            let CanonicalJsonValue::Object(value) = value else { return None };
            let public_key = text(value, "key").filter(|_| key_id.starts_with("ed25519:"))?.to_owned();
            Some((key_id.clone(), PublishedKey { public_key, retired_ts: retired_ts(value) }))
        };
        keys.iter().filter_map(key).take(MOST_KEYS).collect()
    }

    /// Whether a server's key has signed this document.
    pub(crate) fn is_signed_by(&self, server: &ServerName, key_id: &str, public_key: &str) -> bool {
        let Some(signature) = self.signatures(server).and_then(|signatures| text(signatures, key_id)) else {
            return false;
        };
        let Ok(message) = to_canonical_json_string_for_signing(&self.object) else { return false };
        let bytes = |text: &str| Base64::<ruma::serde::base64::Standard>::parse(text).ok();
        let (Some(key), Some(signature)) = (bytes(public_key), bytes(signature)) else { return false };
        let algorithm = SigningKeyAlgorithm::Ed25519;
        let message = message.as_bytes();
        verify_canonical_json_bytes(&algorithm, key.as_bytes(), signature.as_bytes(), message).is_ok()
    }

    /// The ids of a server's keys that have signed this document, or so it says.
    pub(crate) fn signers(&self, server: &ServerName) -> impl Iterator<Item = &String> {
        self.signatures(server).into_iter().flat_map(CanonicalJsonObject::keys)
    }

    fn signatures(&self, server: &ServerName) -> Option<&CanonicalJsonObject> {
        let Some(CanonicalJsonValue::Object(signatures)) = self.object.get("signatures") else { return None };
        let CanonicalJsonValue::Object(of_server) = signatures.get(server.as_str())? else { return None };
        Some(of_server)
    }

    /// The document, to be signed by another.
    pub(crate) fn into_object(self) -> CanonicalJsonObject {
        self.object
    }
}

fn text<'a>(object: &'a CanonicalJsonObject, field: &str) -> Option<&'a str> {
    match object.get(field) {
        Some(CanonicalJsonValue::String(text)) => Some(text),
        _ => None,
    }
}

fn integer(object: &CanonicalJsonObject, field: &str) -> Option<i64> {
    match object.get(field) {
        Some(CanonicalJsonValue::Integer(number)) => Some(i64::from(*number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use parvis_events::{ServerKey, canonical::to_text};
    use ruma::server_name;
    use serde_json::{Value, json};

    use super::*;

    fn key(version: &str) -> ServerKey {
        ServerKey::generate([version.as_bytes()[0]; 32], version).unwrap()
    }

    fn published(key: &ServerKey) -> Value {
        json!({ key.key_id(): { "key": key.public_key_base64() } })
    }

    /// The document `fields`, signed in the name of the server by `keys`.
    fn signed(fields: Value, keys: &[&ServerKey]) -> Vec<u8> {
        let mut object = parse_object(fields.to_string().as_bytes()).unwrap();
        keys.iter().for_each(|key| key.sign_json(&mut object, server_name!("a.example")).unwrap());
        to_text(&object).into_bytes()
    }

    #[test]
    fn keys_that_have_signed_the_document_are_read() {
        let (one, old, thief) = (key("one"), key("old"), key("thief"));
        let mut verify_keys = published(&one);
        verify_keys["ed25519:thief"] = json!({ "key": thief.public_key_base64() });
        verify_keys["rsa:1"] = json!({ "key": "AAAA" });
        let fields = json!({
            "server_name": "a.example", "valid_until_ts": 5, "verify_keys": verify_keys,
            "old_verify_keys": {
                "ed25519:old": { "key": old.public_key_base64(), "expired_ts": 3 },
                "ed25519:without_end": { "key": old.public_key_base64() },
                "ed25519:one": { "key": old.public_key_base64(), "expired_ts": 3 },
            },
        });
        let document = KeyDocument::read(&signed(fields, &[&one])).unwrap();
        let retired: Vec<_> = document.keys.iter().map(|(id, key)| (id.as_str(), key.retired_ts)).collect();
        assert_eq!(retired, [("ed25519:old", Some(3)), ("ed25519:one", None)]);
        assert_eq!((document.server.as_str(), document.valid_until_ts), ("a.example", 5));
        assert!(document.is_signed_by(server_name!("a.example"), "ed25519:one", &one.public_key_base64()));
        assert!(!document.is_signed_by(server_name!("b.example"), "ed25519:one", &one.public_key_base64()));
    }

    #[test]
    fn documents_that_prove_nothing_are_refused() {
        let (one, other) = (key("one"), key("two"));
        let good = json!({ "server_name": "a.example", "valid_until_ts": 5, "verify_keys": published(&one) });
        let without = |field: &str| {
            let mut fields = good.clone();
            fields.as_object_mut().unwrap().remove(field);
            signed(fields, &[&one])
        };
        let mut tampered = String::from_utf8(signed(good.clone(), &[&one])).unwrap();
        tampered = tampered.replace("\"valid_until_ts\":5", "\"valid_until_ts\":6");
        for (document, why) in [
            (without("server_name"), "names no server"),
            (without("valid_until_ts"), "how long"),
            (without("verify_keys"), "none of its keys"),
            (signed(good.clone(), &[]), "none of its keys"),
            (signed(good.clone(), &[&other]), "none of its keys"),
            (tampered.into_bytes(), "none of its keys"),
            (b"[]".to_vec(), ""),
        ] {
            let error = KeyDocument::read(&document).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
