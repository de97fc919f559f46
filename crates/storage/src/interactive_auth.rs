//! Sessions of user-interactive authentication: how far somebody has come in proving who they are.
//!
//! Knows nothing of stages: it only keeps their names.

use crate::{UserSn, error::StorageError, statement::statements, store::Store, write_set::WriteSet};

statements! {
    INTERACTIVE_AUTH = "SELECT user_sn, endpoint, body_hash, completed, saved, expires_ts
        FROM interactive_auth WHERE key = $1";
    PUT_INTERACTIVE_AUTH(rows of 7, key 1) =
        "INSERT INTO interactive_auth (key, user_sn, endpoint, body_hash, completed, saved, expires_ts)
         VALUES {rows}
         ON CONFLICT (key) DO UPDATE SET body_hash = excluded.body_hash, completed = excluded.completed,
             saved = excluded.saved";
    DELETE_OLD_INTERACTIVE_AUTH = "DELETE FROM interactive_auth WHERE expires_ts <= $1";
}

/// Who authenticates where somebody without an account does.
const NOBODY: UserSn = UserSn(0);

/// How far an authentication has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractiveAuth {
    /// Who authenticates; `None` where it is somebody without an account.
    pub user: Option<UserSn>,
    /// For which operation.
    pub endpoint: String,
    /// A hash of what the operation was asked to do.
    pub body_hash: Vec<u8>,
    /// The stages that are done, in order.
    pub completed: Vec<String>,
    /// What the operation keeps until it is done, or to answer again.
    pub saved: Option<String>,
    /// Until when it is good, in milliseconds since the Unix epoch.
    pub expires_ts: i64,
}

impl WriteSet {
    /// Keeps an authentication under a key.
    pub fn put_interactive_auth(&mut self, key: &[u8; 32], auth: &InteractiveAuth) {
        self.write(
            &PUT_INTERACTIVE_AUTH,
            vec![
                key.as_slice().into(),
                auth.user.unwrap_or(NOBODY).into(),
                auth.endpoint.as_str().into(),
                auth.body_hash.as_slice().into(),
                auth.completed.join(" ").into(),
                auth.saved.as_deref().into(),
                auth.expires_ts.into(),
            ],
        );
    }

    /// Forgets the authentications that were good until `now` at most.
    pub fn delete_old_interactive_auth(&mut self, now: i64) {
        self.write(&DELETE_OLD_INTERACTIVE_AUTH, vec![now.into()]);
    }
}

impl Store {
    /// The authentication with this key, good or not.
    pub async fn interactive_auth(&self, key: &[u8; 32]) -> Result<Option<InteractiveAuth>, StorageError> {
        let Some(row) = self.engine.fetch_one(&INTERACTIVE_AUTH, vec![key.as_slice().into()]).await? else {
            return Ok(None);
        };
        let user = UserSn(row.int(0)?);
        Ok(Some(InteractiveAuth {
            user: (user != NOBODY).then_some(user),
            endpoint: row.text(1)?,
            body_hash: row.bytes(2)?,
            completed: row.text(3)?.split_whitespace().map(str::to_owned).collect(),
            saved: row.opt_text(4)?,
            expires_ts: row.int(5)?,
        }))
    }
}
