//! Proving to a third party who one is, with a token that is good for nothing else
//! (<https://spec.matrix.org/v1.19/client-server-api/#openid>).

use std::time::Duration;

use parvis_storage::{Pass, PassPurpose, StorageError, WriteSet};
use ruma::OwnedUserId;

use crate::{
    accounts::{Accounts, plain},
    secret::{self, TokenKind, new_token},
    session::Session,
};

/// How long such a token is good.
const LIFETIME: Duration = Duration::from_secs(3_600);

impl Accounts {
    /// A token that shows who this user is, and how long it is good.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn openid_token(&self, session: &Session) -> Result<(String, Duration), StorageError> {
        let token = new_token(&*self.ambient.chance, TokenKind::OpenId);
        let now = self.now();
        let pass = Pass { user: session.user, expires_ts: now.plus(LIFETIME).millis(), upstream: None };
        let mut set = WriteSet::new();
        set.delete_old_passes(now.millis());
        set.add_pass(&secret::hash(&token), PassPurpose::OpenId, pass);
        self.store.commit(set).await.map_err(plain)?;
        Ok((token, LIFETIME))
    }

    /// Who showed this token; `None` for one that is not good.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn openid_user(&self, token: &str) -> Result<Option<OwnedUserId>, StorageError> {
        let pass = self.store.pass(&secret::hash(token), PassPurpose::OpenId).await?;
        match pass.filter(|pass| pass.expires_ts > self.now().millis()) {
            Some(pass) => self.store.user_id(pass.user).await.map(Some),
            None => Ok(None),
        }
    }
}
