//! One person's client: it syncs, writes, reads and keeps keys.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use matrix_sdk::config::{RequestConfig, SyncSettings};
use matrix_sdk::deserialized_responses::{TimelineEvent, TimelineEventKind};
use matrix_sdk::ruma::api::client::filter::FilterDefinition;
use matrix_sdk::ruma::api::client::room::create_room;
use matrix_sdk::ruma::events::room::encrypted::OriginalSyncRoomEncryptedEvent;
use matrix_sdk::ruma::events::room::message::RoomMessageEventContent;
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{DeviceId, EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use matrix_sdk::{Client, Room};
use serde_json::{Value, json};

use crate::Outcome;
use crate::command::Credentials;
use crate::seen::Seen;
use crate::windows::Windows;

/// How long the server may hold a sync open.
const SYNC_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before the next sync after one that failed.
const SYNC_PAUSE: Duration = Duration::from_millis(200);

/// How many events of a room one sync may bring.
const TIMELINE_LIMIT: u32 = 100;

/// A person at a client that is logged in.
pub(crate) struct Person {
    pub(crate) client: Client,
    seen: Arc<Mutex<Seen>>,
    /// For who syncs as Element X does.
    windows: Option<Windows>,
}

impl Person {
    /// Logs in and begins to sync.
    pub(crate) async fn arrive(credentials: Credentials) -> Outcome<Self> {
        let client = Client::builder()
            .homeserver_url(&credentials.homeserver)
            .respect_login_well_known(false)
            .request_config(RequestConfig::new().disable_retry()) // a failure is the story's to see
            .build()
            .await?;
        client
            .matrix_auth()
            .login_username(&credentials.user, &credentials.password)
            .initial_device_display_name(&credentials.label)
            .send()
            .await?;
        client.encryption().wait_for_e2ee_initialization_tasks().await;
        let seen = Arc::default();
        let mut person = Self { client, seen, windows: None };
        if credentials.windows {
            person.windows = Some(Windows::open(&person.client, person.id()?, &person.seen).await?);
            return Ok(person);
        }
        let response = person.client.sync_once(sync_settings().timeout(Duration::ZERO)).await?;
        person.seen().take(response.rooms, &person.id()?);
        tokio::spawn(keep_syncing(person.client.clone(), person.id()?, Arc::clone(&person.seen)));
        Ok(person)
    }

    /// The windows of a client that has some.
    pub(crate) fn windows(&self) -> Outcome<&Windows> {
        self.windows.as_ref().ok_or_else(|| "this client has no windows".into())
    }

    /// The session, as the answer to a login.
    pub(crate) fn session(&self) -> Value {
        json!(self.client.matrix_auth().session())
    }

    pub(crate) fn room(&self, room: &RoomId) -> Outcome<Room> {
        self.client.get_room(room).ok_or_else(|| format!("{room} is not known").into())
    }

    fn id(&self) -> Outcome<OwnedUserId> {
        Ok(self.client.user_id().ok_or("nobody is logged in")?.to_owned())
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    pub(crate) async fn cross_sign(&self) -> Outcome<()> {
        Ok(self.client.encryption().bootstrap_cross_signing(None).await?)
    }

    pub(crate) async fn is_signed(&self) -> Outcome<bool> {
        let device = self.client.encryption().get_own_device().await?;
        Ok(device.is_some_and(|device| device.is_cross_signed_by_owner()))
    }

    pub(crate) async fn create_room(&self, request: create_room::v3::Request) -> Outcome<OwnedRoomId> {
        Ok(self.client.create_room(request).await?.room_id().to_owned())
    }

    pub(crate) async fn join(&self, room: &RoomId) -> Outcome<()> {
        self.client.join_room_by_id(room).await?;
        Ok(())
    }

    pub(crate) async fn membership(&self, room: &RoomId, user: &UserId) -> Outcome<Option<String>> {
        let Some(room) = self.client.get_room(room) else { return Ok(None) };
        let member = room.get_member_no_sync(user).await?;
        Ok(member.map(|member| member.membership().to_string()))
    }

    pub(crate) async fn is_encrypted(&self, room: &RoomId) -> Outcome<bool> {
        Ok(self.room(room)?.latest_encryption_state().await?.is_encrypted())
    }

    pub(crate) async fn say(&self, room: &RoomId, body: String) -> Outcome<OwnedEventId> {
        let content = RoomMessageEventContent::text_plain(body);
        Ok(self.room(room)?.send(content).await?.response.event_id)
    }

    pub(crate) fn sees(&self, event: &EventId) -> bool {
        self.seen().events.contains_key(event)
    }

    pub(crate) async fn reads(&self, room: &RoomId, event: &EventId) -> Outcome<Option<Value>> {
        let seen = self.seen().events.get(event).map(|(_, event)| event.clone());
        let Some(event) = seen else { return Ok(None) };
        match self.as_readable_now(room, event).await?.kind {
            TimelineEventKind::Decrypted(event) => Ok(event.event.get_field("content")?),
            _ => Ok(None),
        }
    }

    pub(crate) async fn can_read(
        &self,
        room: &RoomId,
        event: &Raw<OriginalSyncRoomEncryptedEvent>,
    ) -> Outcome<bool> {
        Ok(!self.room(room)?.decrypt_event(event, None).await?.kind.is_utd())
    }

    pub(crate) async fn unreadable(&self, room: &RoomId) -> Outcome<usize> {
        let events: Vec<_> = self.seen().events.values().filter(|(its, _)| its == room).cloned().collect();
        let mut unreadable = 0;
        for (_, event) in events {
            unreadable += usize::from(self.as_readable_now(room, event).await?.kind.is_utd());
        }
        Ok(unreadable)
    }

    /// Tries once more to decrypt what could not be read when it came.
    async fn as_readable_now(&self, room: &RoomId, event: TimelineEvent) -> Outcome<TimelineEvent> {
        if !event.kind.is_utd() {
            return Ok(event);
        }
        Ok(self.room(room)?.decrypt_event(event.raw().cast_ref_unchecked(), None).await?)
    }

    pub(crate) fn is_asked(&self) -> Option<(OwnedUserId, OwnedEventId)> {
        self.seen().asked.clone()
    }

    pub(crate) async fn trusts(&self, user: &UserId) -> Outcome<bool> {
        let identity = self.client.encryption().get_user_identity(user).await?;
        Ok(identity.is_some_and(|identity| identity.is_verified()))
    }

    pub(crate) async fn set_up_recovery(&self) -> Outcome<String> {
        Ok(self.client.encryption().recovery().enable().wait_for_backups_to_upload().await?)
    }

    pub(crate) async fn recover(&self, key: &str) -> Outcome<()> {
        Ok(self.client.encryption().recovery().recover(key).await?)
    }

    pub(crate) async fn restore_backup(&self, room: &RoomId) -> Outcome<()> {
        Ok(self.client.encryption().backups().download_room_keys_for_room(room).await?)
    }

    pub(crate) async fn knows_device(&self, user: &UserId, device: &DeviceId) -> Outcome<bool> {
        Ok(self.client.encryption().get_device(user, device).await?.is_some())
    }

    pub(crate) async fn log_out(&self) -> Outcome<()> {
        self.client.matrix_auth().logout().await?;
        Ok(())
    }

    pub(crate) fn is_syncing(&self) -> bool {
        self.seen().is_syncing
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As clients of matrix-sdk sync that do not use sliding sync: with lazily loaded members.
fn sync_settings() -> SyncSettings {
    let mut filter = FilterDefinition::with_lazy_loading();
    filter.room.timeline.limit = Some(TIMELINE_LIMIT.into());
    SyncSettings::new().timeout(SYNC_TIMEOUT).filter(filter.into())
}

/// Syncs until the process ends or the server has ended the session.
async fn keep_syncing(client: Client, me: OwnedUserId, seen: Arc<Mutex<Seen>>) {
    loop {
        match client.sync_once(sync_settings()).await {
            Ok(response) => lock(&seen).take(response.rooms, &me),
            Err(error) => {
                lock(&seen).is_syncing = false;
                if error
                    .client_api_error_kind()
                    .is_some_and(|kind| kind.errcode().as_str() == "M_UNKNOWN_TOKEN")
                {
                    return;
                }
                tokio::time::sleep(SYNC_PAUSE).await;
            }
        }
    }
}
