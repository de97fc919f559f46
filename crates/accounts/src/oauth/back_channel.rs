//! What an identity provider tells us without a browser: that somebody's sign-in there has ended
//! (<https://openid.net/specs/openid-connect-backchannel-1_0.html>).

use parvis_storage::{
    CommitError, FoundUpstreamSession, LOGOUT_TOKEN_IS_NEW, StorageError, UpstreamSn, WriteSet,
};

use super::upstream::ProviderError;
use crate::{
    accounts::{Accounts, plain},
    id_token::BadIdToken,
    logout_token::Ended,
    settings::BackChannelLogout,
};

const HEARD: BadIdToken = BadIdToken("it was heard before");

impl Accounts {
    /// Ends what began with a sign-in at a provider, as its logout token says. Gives how many sign-ins that were.
    ///
    /// It can be told again where it was not told that all is done: only the last step notes that it was heard.
    ///
    /// # Errors
    /// [`ProviderError::Unknown`] if there is no such provider or it is not listened to,
    /// [`ProviderError::NotBelieved`], [`ProviderError::Unreachable`], or if the store fails.
    pub async fn end_by_provider(&self, id: &str, token: &str) -> Result<usize, ProviderError> {
        let provider = self.provider(id)?;
        if provider.back_channel_logout == BackChannelLogout::Ignored {
            return Err(ProviderError::Unknown);
        }
        let mut known = self.known_provider(provider).await?;
        if !known.has_key_of(token) {
            known = self.newer_keys(provider, known).await?;
        }
        let now = self.now().millis();
        let ended = known.read_end(token, (&provider.issuer, &provider.client_id), now / 1_000)?;
        let heard = heard(id, &ended);
        if self.store.knows_logout_token(&heard).await? {
            return Err(HEARD.into());
        }
        let (subject, sid) = (ended.subject.as_deref(), ended.sid.as_deref());
        let mut meant = self.store.upstream_sessions(id, subject, sid).await?;
        meant.retain(|found| ended.means(found));
        let mut first = WriteSet::new();
        for found in &meant {
            first.end_upstream_session(found.upstream);
        }
        if !first.is_empty() {
            self.store.commit(first).await.map_err(plain)?;
        }
        if provider.back_channel_logout == BackChannelLogout::Devices {
            for found in &meant {
                self.end_devices_of(found.upstream).await?;
            }
        }
        let mut last = WriteSet::new();
        for found in &meant {
            last.delete_upstream_session(found.upstream);
        }
        last.add_logout_token(&heard, now, ended.stale.saturating_mul(1_000));
        match self.store.commit(last).await {
            Ok(_) => Ok(meant.len()),
            Err(CommitError::Guard(LOGOUT_TOKEN_IS_NEW)) => Err(HEARD.into()),
            Err(error) => Err(plain(error).into()),
        }
    }

    /// Takes away the devices with sessions that began with a sign-in. It has ended, so there will be no more of them.
    async fn end_devices_of(&self, upstream: UpstreamSn) -> Result<(), StorageError> {
        let devices = self.store.devices_of_upstream(upstream).await?;
        let mut users: Vec<_> = devices.iter().map(|(user, _)| *user).collect();
        users.dedup();
        for user in users {
            self.delete_devices_where(user, |device| devices.contains(&(user, device.device))).await?;
        }
        Ok(())
    }
}

impl Ended {
    /// Whether it speaks of this sign-in. One for which the provider gave no name at its beginning ends with any of the
    /// same person's.
    fn means(&self, found: &FoundUpstreamSession) -> bool {
        let subject = self.subject.as_ref().is_none_or(|subject| *subject == found.subject);
        let named = match (&self.sid, &found.sid) {
            (None, _) => true,
            (Some(sid), Some(own)) => sid == own,
            (Some(_), None) => self.subject.is_some(),
        };
        subject && named
    }
}

/// What is kept of a token that was heard.
fn heard(provider: &str, ended: &Ended) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("parvis logout token of a provider");
    hasher.update(provider.as_bytes()).update(&[0]).update(ended.jti.as_bytes());
    *hasher.finalize().as_bytes()
}
