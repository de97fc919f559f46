//! This server's Ed25519 signing key.
//!
//! Does not know where it is kept nor how long it is valid; the bytes for it come from outside.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use ruma::ServerName;

use crate::{
    FormatError,
    canonical::{CanonicalJsonObject, CanonicalJsonValue},
};

/// A signing key and its version, together named by a key id such as `ed25519:a1`.
///
/// Printing it never shows the secret.
#[derive(Clone)]
pub struct ServerKey {
    secret: SigningKey,
    key_id: String,
}

impl ServerKey {
    /// Makes a key from 32 unpredictable bytes.
    ///
    /// # Errors
    ///
    /// [`InvalidServerKey::Version`] unless the version is one or more of `a–z`, `A–Z`, `0–9` and `_`.
    pub fn generate(seed: [u8; 32], version: &str) -> Result<Self, InvalidServerKey> {
        if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(InvalidServerKey::Version);
        }
        Ok(Self { secret: SigningKey::from_bytes(&seed), key_id: format!("ed25519:{version}") })
    }

    /// Brings back a key from [`ServerKey::to_bytes`].
    ///
    /// # Errors
    ///
    /// [`InvalidServerKey`] where the bytes are not 32 or the version has an unusable form.
    pub fn from_bytes(bytes: &[u8], version: &str) -> Result<Self, InvalidServerKey> {
        let seed = bytes.try_into().map_err(|_| InvalidServerKey::Length(bytes.len()))?;
        Self::generate(seed, version)
    }

    /// The secret, to be stored. Handle with care.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.secret.to_bytes()
    }

    /// The key id: `ed25519:` and the version.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The key's version: the part of the key id after the colon.
    pub fn version(&self) -> &str {
        self.key_id.split_once(':').map_or("", |(_, version)| version)
    }

    /// The public key in unpadded base64, as other servers fetch it.
    pub fn public_key_base64(&self) -> String {
        STANDARD_NO_PAD.encode(self.secret.verifying_key().as_bytes())
    }

    /// The signature of bytes, in unpadded base64.
    pub fn sign_bytes(&self, message: &[u8]) -> String {
        STANDARD_NO_PAD.encode(self.secret.sign(message).to_bytes())
    }

    /// Signs an object in the name of a server, beside the signatures that it has.
    ///
    /// `signatures` and `unsigned` are not covered by the signature.
    /// <https://spec.matrix.org/v1.19/appendices/#signing-details>
    ///
    /// # Errors
    ///
    /// [`FormatError::Field`] where `signatures` is there but has not the form of signatures.
    pub fn sign_json(
        &self,
        object: &mut CanonicalJsonObject,
        server: &ServerName,
    ) -> Result<(), FormatError> {
        let text = ruma::signatures::to_canonical_json_string_for_signing(object)
            .map_err(|error| FormatError::NotCanonical(error.to_string()))?;
        self.insert_signature(object, server, self.sign_bytes(text.as_bytes()))
    }

    /// Puts a signature of this key into an object.
    pub(crate) fn insert_signature(
        &self,
        object: &mut CanonicalJsonObject,
        server: &ServerName,
        signature: String,
    ) -> Result<(), FormatError> {
        insert_signature(object, server, &self.key_id, signature)
    }
}

/// Puts a signature beside those that are there.
pub(crate) fn insert_signature(
    object: &mut CanonicalJsonObject,
    server: &ServerName,
    key_id: &str,
    signature: String,
) -> Result<(), FormatError> {
    let empty = || CanonicalJsonValue::Object(CanonicalJsonObject::new());
    let CanonicalJsonValue::Object(signatures) = object.entry("signatures".to_owned()).or_insert_with(empty)
    else {
        return Err(FormatError::field("signatures", "must be an object"));
    };
    let CanonicalJsonValue::Object(of_server) = signatures.entry(server.to_string()).or_insert_with(empty)
    else {
        return Err(FormatError::field("signatures", "must be an object of objects"));
    };
    of_server.insert(key_id.to_owned(), CanonicalJsonValue::String(signature));
    Ok(())
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// Why bytes or a version do not make a signing key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServerKey {
    /// A secret has 32 bytes.
    #[error("a signing key has 32 bytes, not {0}")]
    Length(usize),
    /// The version may only hold letters, digits and underscores.
    #[error("a key version consists of letters, digits and underscores")]
    Version,
}
