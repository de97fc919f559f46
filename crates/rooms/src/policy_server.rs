//! Policy servers: a room may name a server that says which events are welcome in it, by signing them. It is asked
//! before an event of ours is sent, and about those of others that it has not signed yet, before they are shown.
//!
//! What it will not sign is refused where it is made here, and kept out of sight where it comes from elsewhere. An
//! event that names another policy server, or none, needs nobody's signature: the room can always get rid of it.
//! History that is fetched when somebody reads back is not held up for it.
//! <https://spec.matrix.org/v1.19/server-server-api/#policy-servers>

use std::{collections::HashSet, time::Duration};

use futures_util::{StreamExt, stream};
use parvis_events::Pdu;
use parvis_peers::Limits;
use parvis_storage::RoomSn;
use ruma::{
    CanonicalJsonObject, OwnedEventId, SigningKeyAlgorithm,
    api::federation::policy::sign_event,
    events::room::policy::{POLICY_SERVER_ED25519_SIGNING_KEY_ID, RoomPolicyEventContent},
    signatures::verify_policy_server_signature,
};
use serde_json::value::RawValue;

use crate::{RoomError, Rooms};

/// How long it may take to look at an event. The next event of the room waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// For how long it is believed that it would not sign an event.
const REFUSAL_AGE: Duration = Duration::from_secs(600);
/// About how many events it is asked at the same time.
const SIDE_BY_SIDE: usize = 8;

/// The server that a room has named, and its key.
#[derive(Clone, Debug)]
pub(crate) struct PolicyServer(RoomPolicyEventContent);

impl PolicyServer {
    /// Whether an event may do without the signature, or has it.
    fn is_content_with(&self, pdu: &Pdu) -> bool {
        let Ok(object) = serde_json::from_str::<CanonicalJsonObject>(pdu.json()) else { return false };
        verify_policy_server_signature(&self.0, &object, pdu.version().rules()).is_ok()
    }
}

impl Rooms {
    /// The policy server that an `m.room.policy` event names, if it can be one: it has a key and a user in the room.
    pub(crate) async fn policy_server_of(
        &self,
        room: RoomSn,
        event: Option<&Pdu>,
    ) -> Result<Option<PolicyServer>, RoomError> {
        let named = event.and_then(|event| event.content_as::<RoomPolicyEventContent>().ok());
        let named = named.filter(|named| {
            named.public_keys.contains_key(&SigningKeyAlgorithm::Ed25519)
                && named.via != self.identity.server_name
        });
        let Some(named) = named else { return Ok(None) };
        let is_there = self.store.servers_of_room(room).await?.contains_key(&named.via);
        Ok(is_there.then_some(PolicyServer(named)))
    }

    /// The policy server of a room as it is now.
    async fn policy_server_now(&self, room: RoomSn) -> Result<Option<PolicyServer>, RoomError> {
        let Some(head) = self.store.room_head(room).await? else { return Ok(None) };
        let event = self.store.state_event(room, head.state_root, "m.room.policy", "").await?;
        self.policy_server_of(room, event.as_ref().map(|event| &event.pdu)).await
    }

    /// An event with the signature of the policy server, if the room has one.
    ///
    /// # Errors
    /// What the policy server says, or that it cannot be asked.
    pub(crate) async fn have_signed_by(
        &self,
        server: Option<&PolicyServer>,
        pdu: Pdu,
    ) -> Result<Pdu, RoomError> {
        let Some(server) = server.filter(|server| !server.is_content_with(&pdu)) else { return Ok(pdu) };
        let via = &server.0.via;
        let unfit = || RoomError::Unreachable(format!("{via} has not signed the event as the room wants it"));
        let json = RawValue::from_string(pdu.json().to_owned()).map_err(|_| unfit())?;
        let limits = Limits { timeout: PATIENCE, ..Limits::QUESTION };
        let answer = self.others.federation.call(via, sign_event::v1::Request::new(json), limits).await?;
        let signature = answer.ed25519_signature(via).ok_or_else(unfit)?;
        let signed = pdu.with_signature(via, POLICY_SERVER_ED25519_SIGNING_KEY_ID, signature);
        let signed = signed.map_err(|_| unfit())?;
        if server.is_content_with(&signed) { Ok(signed) } else { Err(unfit()) }
    }

    /// As [`have_signed_by`](Self::have_signed_by), by the policy server that the room has now.
    pub(crate) async fn have_signed_for(&self, room: RoomSn, pdu: Pdu) -> Result<Pdu, RoomError> {
        let server = self.policy_server_now(room).await?;
        self.have_signed_by(server.as_ref(), pdu).await
    }

    /// Asks the policy server of a room about events of other servers that it has not signed. Gives all of them,
    /// signed or not, in their order, and which of them it would not sign.
    pub(crate) async fn police(
        &self,
        room: RoomSn,
        pdus: Vec<Pdu>,
    ) -> Result<(Vec<Pdu>, HashSet<OwnedEventId>), RoomError> {
        let Some(server) = self.policy_server_now(room).await? else { return Ok((pdus, HashSet::new())) };
        let asked = stream::iter(pdus).map(|pdu| self.policed(&server, pdu)).buffered(SIDE_BY_SIDE);
        let asked: Vec<(Pdu, bool)> = asked.collect().await;
        let unwelcome = asked.iter().filter(|(_, is_welcome)| !is_welcome);
        let unwelcome = unwelcome.map(|(pdu, _)| pdu.owned_event_id().clone()).collect();
        Ok((asked.into_iter().map(|(pdu, _)| pdu).collect(), unwelcome))
    }

    async fn policed(&self, server: &PolicyServer, pdu: Pdu) -> (Pdu, bool) {
        let refused = self.unwelcome.get(pdu.event_id());
        if refused.is_some_and(|refused| self.ambient.now().since(refused) < REFUSAL_AGE) {
            return (pdu, false);
        }
        match self.have_signed_by(Some(server), pdu.clone()).await {
            Ok(signed) => (signed, true),
            Err(error) => {
                tracing::info!(event = %pdu.event_id(), room = %pdu.room_id(), %error, "not signed by the policy server");
                self.unwelcome.insert(pdu.owned_event_id().clone(), self.ambient.now());
                (pdu, false)
            }
        }
    }
}
