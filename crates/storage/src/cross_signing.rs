//! Keys for cross-signing, and signatures that came after the key they are on. Of users here and elsewhere.
//!
//! Knows nothing of whether a signature is good.

use crate::{
    Position, UserSn,
    changes::Change,
    error::StorageError,
    statement::statements,
    store::Store,
    write_set::{PendingChange, WriteSet},
};

statements! {
    CROSS_SIGNING_KEYS(list after 0) =
        "SELECT user_sn, usage, key FROM cross_signing_keys WHERE user_sn IN ({list})";
    PUT_CROSS_SIGNING_KEY(rows of 3, key 2) =
        "INSERT INTO cross_signing_keys (user_sn, usage, key) VALUES {rows}
         ON CONFLICT (user_sn, usage) DO UPDATE SET key = excluded.key";
    DELETE_CROSS_SIGNING_KEY = "DELETE FROM cross_signing_keys WHERE user_sn = $1 AND usage = $2";
    KEY_SIGNATURES(list after 1) =
        "SELECT s.target_sn, s.target, u.user_id, s.key_id, s.signature
         FROM key_signatures s JOIN users u ON u.user_sn = s.signer_sn
         WHERE (s.signer_sn = s.target_sn OR s.signer_sn = $1) AND s.target_sn IN ({list})";
    PUT_KEY_SIGNATURE(rows of 6, key 4) =
        "INSERT INTO key_signatures (target_sn, target, signer_sn, key_id, signature, position) VALUES {rows}
         ON CONFLICT (target_sn, target, signer_sn, key_id) DO UPDATE SET signature = excluded.signature,
             position = excluded.position";
    DELETE_SIGNATURES_BY = "DELETE FROM key_signatures WHERE signer_sn = $1 AND key_id = $2";
    DELETE_CROSS_SIGNING_KEYS = "DELETE FROM cross_signing_keys WHERE user_sn = $1";
    DELETE_ALL_SIGNATURES = "DELETE FROM key_signatures WHERE target_sn = $1 OR signer_sn = $1";
    USERS_SIGNED =
        "SELECT DISTINCT target_sn FROM key_signatures
         WHERE signer_sn = $1 AND position > $2 AND position <= $3 AND target_sn <> signer_sn";
}

/// A key for cross-signing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossSigningKey {
    /// Whose.
    pub user: UserSn,
    /// `master`, `self_signing` or `user_signing`.
    pub usage: String,
    /// The key as it was uploaded, a JSON object.
    pub key: String,
}

/// A signature on a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySignature {
    /// Whose key is signed.
    pub target: UserSn,
    /// Which: a device id, or the public key of a key for cross-signing.
    pub target_id: String,
    /// Who signs.
    pub signer: String,
    /// With which key: `ed25519:` and a device id or a public key.
    pub key_id: String,
    /// The signature, in base64.
    pub signature: String,
}

impl WriteSet {
    /// Keeps a key for cross-signing, in place of the one that was there.
    pub fn put_cross_signing_key(&mut self, user: UserSn, usage: &str, key: &str) {
        self.write(&PUT_CROSS_SIGNING_KEY, vec![user.into(), usage.into(), key.into()]);
    }

    /// Forgets a key for cross-signing.
    pub fn delete_cross_signing_key(&mut self, user: UserSn, usage: &str) {
        self.write(&DELETE_CROSS_SIGNING_KEY, vec![user.into(), usage.into()]);
    }

    /// Forgets all of a user's keys for cross-signing, and the signatures that they made and got.
    pub fn delete_cross_signing(&mut self, user: UserSn) {
        self.write(&DELETE_CROSS_SIGNING_KEYS, vec![user.into()]);
        self.write(&DELETE_ALL_SIGNATURES, vec![user.into()]);
    }

    /// Keeps a signature on a key. The signer's devices are told.
    pub fn put_key_signature(
        &mut self,
        signer: UserSn,
        target: UserSn,
        target_id: &str,
        key_id: &str,
        signature: &str,
    ) {
        let position = self.announce(PendingChange::Other(Change::Signed { signer, target }));
        let row =
            vec![target.into(), target_id.into(), signer.into(), key_id.into(), signature.into(), position];
        self.write(&PUT_KEY_SIGNATURE, row);
    }

    /// Forgets the signatures that a user has made with a key that is not theirs any more.
    pub fn delete_signatures_by(&mut self, user: UserSn, key_id: &str) {
        self.write(&DELETE_SIGNATURES_BY, vec![user.into(), key_id.into()]);
    }
}

impl Store {
    /// The keys for cross-signing of users.
    pub async fn cross_signing_keys(&self, users: &[UserSn]) -> Result<Vec<CrossSigningKey>, StorageError> {
        let rows = self.engine.fetch_list(&CROSS_SIGNING_KEYS, Vec::new(), users.iter().copied()).await?;
        let key = |row: &crate::value::Row| {
            Ok(CrossSigningKey { user: UserSn(row.int(0)?), usage: row.text(1)?, key: row.text(2)? })
        };
        rows.iter().map(key).collect()
    }

    /// The signatures on keys of these users that a viewer may know: those that each made on their own keys, and
    /// those that the viewer made.
    pub async fn key_signatures(
        &self,
        users: &[UserSn],
        viewer: Option<UserSn>,
    ) -> Result<Vec<KeySignature>, StorageError> {
        // Nobody has the number 0.
        let fixed = vec![viewer.unwrap_or(UserSn(0)).into()];
        let rows = self.engine.fetch_list(&KEY_SIGNATURES, fixed, users.iter().copied()).await?;
        let signature = |row: &crate::value::Row| {
            Ok(KeySignature {
                target: UserSn(row.int(0)?),
                target_id: row.text(1)?,
                signer: row.text(2)?,
                key_id: row.text(3)?,
                signature: row.text(4)?,
            })
        };
        rows.iter().map(signature).collect()
    }

    /// The other users whose keys a user has signed after one position, up to another.
    pub async fn users_signed_between(
        &self,
        signer: UserSn,
        after: Position,
        until: Position,
    ) -> Result<Vec<UserSn>, StorageError> {
        let values = vec![signer.into(), after.into(), until.into()];
        let rows = self.engine.fetch(&USERS_SIGNED, values).await?;
        rows.iter().map(|row| row.int(0).map(UserSn)).collect()
    }
}
