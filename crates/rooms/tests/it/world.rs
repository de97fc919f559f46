//! A store with rooms in it, and people.

#![expect(clippy::unwrap_used, reason = "a world that cannot be made fails its test")]

use std::{future::Future, sync::Arc};

use parvis_ambient::{Ambient, SeededChance, TestClock};
use parvis_events::{RoomVersion, ServerKey};
use parvis_policy::{ClientKind, Policy, Standing, encryption::EncryptionPolicy};
use parvis_rooms::{Actor, CreateRoom, Identity, Others, RoomError, RoomSettings, Rooms, SendEvent};
use parvis_storage::{DatabaseSettings, DeviceSn, Store, StoreSettings};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, server_name};
use serde_json::{Value, value::RawValue};

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) rooms: Rooms,
    _directory: tempfile::TempDir,
}

pub(crate) async fn world() -> World {
    world_with(EncryptionPolicy::default(), RoomVersion::DEFAULT).await
}

pub(crate) async fn world_with(encryption: EncryptionPolicy, default_version: RoomVersion) -> World {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("parvis.db");
    let database = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true };
    let store = Store::open(&StoreSettings { database, cache_bytes: 16 << 20 }).await.unwrap();
    let ambient = Ambient {
        clock: Arc::new(TestClock::starting_at(1_700_000_000_000)),
        chance: Arc::new(SeededChance::new(1)),
    };
    let identity = Identity {
        server_name: server_name!("parvis.test").to_owned(),
        key: Arc::new(ServerKey::generate([3; 32], "1").unwrap()),
    };
    let allowed_versions = RoomVersion::supported().collect();
    let policy = Standing::new(Policy { encryption });
    let settings = RoomSettings {
        default_version,
        allowed_versions,
        policy,
        may_publish: true,
        join_old_versions: false,
        calls_between_apps: true,
        services: parvis_application_services::ApplicationServices::default(),
    };
    let others = Others::none(&identity);
    let rooms = Rooms::new(store.clone(), ambient, identity, others, settings);
    World { store, rooms, _directory: directory }
}

pub(crate) fn json(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

impl World {
    pub(crate) async fn person(&self, name: &str) -> Actor {
        let user_id = OwnedUserId::try_from(format!("@{name}:parvis.test")).unwrap();
        let user = self.store.intern_user(&user_id).await.unwrap();
        Actor::new(user, user_id, DeviceSn(user.0), ClientKind::FollowsPublishedDefault)
    }

    pub(crate) async fn room(&self, creator: &Actor, wanted: CreateRoom) -> OwnedRoomId {
        self.rooms.create(creator, wanted).await.unwrap()
    }

    pub(crate) async fn join(&self, actor: &Actor, room_id: &RoomId) -> Result<(), RoomError> {
        self.rooms.join(actor, room_id, &[], None, &serde_json::Map::new()).await
    }

    pub(crate) async fn say(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        text: &str,
        transaction_id: &str,
    ) -> Result<OwnedEventId, RoomError> {
        let content = json(&serde_json::json!({ "msgtype": "m.text", "body": text }));
        let kind = "m.room.message".to_owned();
        let event = SendEvent { kind, content, transaction_id: transaction_id.to_owned() };
        self.rooms.send(actor, room_id, event).await
    }

    /// The types of the room's state events, in the order of their sending.
    pub(crate) async fn history(&self, actor: &Actor, room_id: &RoomId) -> Vec<String> {
        let page = self.rooms.messages(actor, room_id, None, None, parvis_storage::Direction::Forward, 500);
        page.await.unwrap().events.iter().map(|event| event.pdu.kind().to_owned()).collect()
    }

    pub(crate) async fn content(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        kind: &str,
        key: &str,
    ) -> Option<Value> {
        let event = self.rooms.state_event(actor, room_id, kind, key).await.ok()?;
        event.pdu.content_as().ok()
    }
}

/// For tests that run once for each of some cases.
pub(crate) async fn for_each<T, F>(cases: impl IntoIterator<Item = T>, test: impl Fn(T) -> F)
where
    F: Future<Output = ()>,
{
    for case in cases {
        test(case).await;
    }
}
