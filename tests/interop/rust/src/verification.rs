//! Two people compare emoji. Each function is one step of one side.

use std::time::Duration;

use matrix_sdk::encryption::verification::{SasState, SasVerification, VerificationRequest};
use matrix_sdk::ruma::events::key::verification::VerificationMethod;
use matrix_sdk::ruma::{RoomId, UserId};

use crate::Outcome;
use crate::person::Person;

/// How long the mark of a direct room may take to come back by sync, and how often to look.
const DIRECT_LIMIT: Duration = Duration::from_secs(5);
const DIRECT_PAUSE: Duration = Duration::from_millis(20);

impl Person {
    /// Asks `user`, and returns the flow's id. The SDK asks in the direct room with that person, so the room becomes
    /// it.
    pub(crate) async fn ask_to_verify(&self, room: &RoomId, user: &UserId) -> Outcome<String> {
        self.room(room)?.set_is_direct(true).await?;
        tokio::time::timeout(DIRECT_LIMIT, self.is_direct(room, user)).await?;
        let identity = self.client.encryption().request_user_identity(user).await?;
        let identity = identity.ok_or_else(|| format!("{user} has no identity"))?;
        let request = identity.request_verification_with_methods(vec![VerificationMethod::SasV1]).await?;
        Ok(request.flow_id().to_owned())
    }

    async fn is_direct(&self, room: &RoomId, user: &UserId) {
        while self.client.get_dm_room(user).is_none_or(|direct| direct.room_id() != room) {
            tokio::time::sleep(DIRECT_PAUSE).await;
        }
    }

    pub(crate) async fn accept_verification(&self, user: &UserId, flow: &str) -> Outcome<()> {
        let request = self.request(user, flow).await?;
        Ok(request.accept_with_methods(vec![VerificationMethod::SasV1]).await?)
    }

    pub(crate) async fn is_verification_ready(&self, user: &UserId, flow: &str) -> Outcome<bool> {
        Ok(self.request(user, flow).await?.is_ready())
    }

    pub(crate) async fn begin_verification(&self, user: &UserId, flow: &str) -> Outcome<()> {
        self.request(user, flow).await?.start_sas().await?.ok_or("the comparison cannot begin")?;
        Ok(())
    }

    /// The names of the emoji, once they are known. The side that did not begin agrees to begin.
    pub(crate) async fn emoji(&self, user: &UserId, flow: &str) -> Outcome<Option<Vec<&'static str>>> {
        let Some(sas) = self.comparison(user, flow).await else { return Ok(None) };
        if let Some(reason) = sas.cancel_info() {
            return Err(format!("the comparison was given up: {}", reason.reason()).into());
        }
        if !sas.we_started() && matches!(sas.state(), SasState::Started { .. }) {
            sas.accept().await?;
        }
        Ok(sas.emoji().map(|emoji| emoji.iter().map(|one| one.description).collect()))
    }

    pub(crate) async fn confirm_emoji(&self, user: &UserId, flow: &str) -> Outcome<()> {
        let sas = self.comparison(user, flow).await.ok_or("there is nothing to confirm")?;
        Ok(sas.confirm().await?)
    }

    pub(crate) async fn is_verification_done(&self, user: &UserId, flow: &str) -> Outcome<bool> {
        Ok(self.comparison(user, flow).await.is_some_and(|sas| sas.is_done()))
    }

    async fn request(&self, user: &UserId, flow: &str) -> Outcome<VerificationRequest> {
        let request = self.client.encryption().get_verification_request(user, flow).await;
        request.ok_or_else(|| format!("there is no verification {flow} with {user}").into())
    }

    async fn comparison(&self, user: &UserId, flow: &str) -> Option<SasVerification> {
        self.client.encryption().get_verification(user, flow).await?.sas()
    }
}
