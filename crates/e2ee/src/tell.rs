//! Telling other servers of the devices of our users
//! (<https://spec.matrix.org/v1.19/server-server-api/#device-management>).
//!
//! A reader of the stream with a place of its own: for each change of a device, and for each server that comes
//! into a room with one of our users, updates are put down for the servers that must know, together with the place.

use std::collections::{BTreeMap, BTreeSet};

use parvis_storage::{Change, DeviceList, EventSn, Position, RoomSn, StorageError, UserSn, WriteSet};
use ruma::{DeviceId, OwnedDeviceId, OwnedServerName, ServerName, UserId};
use serde_json::{Value, json};

use crate::{
    engine::E2ee,
    error::plain,
    query::{Viewer, Wanted},
};

/// The name of the place in the stream.
const READER: &str = "device_lists";
/// After how many changes the place is written down though nothing was to be told.
const SAVE_AFTER: i64 = 200;
/// Of how many users a server is told at once that comes into a room. It asks for the others when it needs them.
const MOST_USERS: usize = 1_000;

/// What happened that other servers may have to be told of.
#[derive(Default)]
struct News {
    /// Whether devices have changed.
    devices: bool,
    /// Memberships that have changed, by which events where that is known, in order.
    members: Vec<(RoomSn, UserSn, Option<EventSn>)>,
}

/// What is to be told, and to whom.
#[derive(Default)]
struct Telling {
    /// Changes, by user: the device, or the keys for cross-signing.
    changes: BTreeMap<UserSn, BTreeSet<Option<OwnedDeviceId>>>,
    /// Servers that must know all of a user's devices.
    introductions: BTreeSet<(UserSn, OwnedServerName)>,
    /// Users of other servers whose lists are not followed any more.
    forgotten: BTreeSet<UserSn>,
}

impl E2ee {
    /// Up to where others were told of devices.
    pub(crate) async fn told(&self) -> Result<Position, StorageError> {
        Ok(self.store.cursor(READER).await?.unwrap_or(Position::START))
    }

    /// Tells others of what happened between two positions; `saved` is the place that is written down. Gives the
    /// place that is written down then.
    pub(crate) async fn tell(
        &self,
        saved: Position,
        since: Position,
        until: Position,
    ) -> Result<Position, StorageError> {
        let telling = self.telling(since, until).await?;
        let mut set = WriteSet::new();
        for (user, devices) in &telling.changes {
            self.put_changes(&mut set, *user, devices).await?;
        }
        for (user, server) in &telling.introductions {
            self.put_introduction(&mut set, *user, server).await?;
        }
        for user in &telling.forgotten {
            self.forget_list(&mut set, *user);
        }
        if set.is_empty() && until.0 - saved.0 < SAVE_AFTER {
            return Ok(saved);
        }
        set.put_cursor(READER, until);
        self.store.commit(set).await.map_err(plain)?;
        Ok(until)
    }

    async fn telling(&self, since: Position, until: Position) -> Result<Telling, StorageError> {
        let news = self.news(since, until).await?;
        let mut telling = Telling::default();
        if news.devices {
            for change in self.store.device_changes_between(since, until).await? {
                if self.is_ours(&self.store.user_id(change.user).await?) {
                    telling.changes.entry(change.user).or_default().insert(change.device_id);
                }
            }
        }
        for (room, user, event) in news.members {
            self.add_member(room, user, event, &mut telling).await?;
        }
        Ok(telling)
    }

    async fn news(&self, since: Position, until: Position) -> Result<News, StorageError> {
        let mut news = News::default();
        let recent = self.store.visit_changes(since, until, |announced| match &announced.change {
            Change::Devices { .. } => news.devices = true,
            Change::Event { room, event, member: Some(user) } => {
                news.members.push((*room, *user, Some(*event)));
            }
            Change::Membership { user, room } => news.members.push((*room, *user, None)),
            _ => {}
        });
        if !recent {
            let members = self.store.all_members_changed_between(since, until).await?;
            news.devices = true;
            news.members = members.into_iter().map(|(room, user)| (room, user, None)).collect();
        }
        Ok(news)
    }

    /// Notes what follows from a change of membership.
    async fn add_member(
        &self,
        room: RoomSn,
        user: UserSn,
        event: Option<EventSn>,
        telling: &mut Telling,
    ) -> Result<(), StorageError> {
        let user_id = self.store.user_id(user).await?;
        let servers = self.store.servers_of_room(room).await?;
        let is_here = self.is_ours(&user_id);
        let is_alone_here = servers.keys().all(|server| server == self.server_name());
        if (is_here && is_alone_here && servers.contains_key(self.server_name()))
            || !self.has_moved(room, &user_id, event).await?
        {
            return Ok(());
        }
        let member = self.store.member(user, room).await?;
        let is_joined = member.is_some_and(|member| member.is_joined());
        match (is_joined, is_here) {
            (true, true) => {
                let known = self.servers_of(user, Some(room)).await?;
                let new = servers.keys().filter(|server| self.is_new(server, &known));
                telling.introductions.extend(new.map(|server| (user, server.clone())));
            }
            (true, false) if servers.get(user_id.server_name()) == Some(&1) => {
                self.introduce_everybody(room, user_id.server_name(), telling).await?;
            }
            (true, false) => {}
            (false, false) => drop(telling.forgotten.insert(user)),
            (false, true) => self.forget_left_behind(room, telling).await?,
        }
        Ok(())
    }

    fn is_new(&self, server: &ServerName, known: &BTreeSet<OwnedServerName>) -> bool {
        server != self.server_name() && !known.contains(server)
    }

    /// Whether somebody came or went by an event, rather than changed their name.
    async fn has_moved(
        &self,
        room: RoomSn,
        user_id: &UserId,
        event: Option<EventSn>,
    ) -> Result<bool, StorageError> {
        let Some(event) = event else { return Ok(true) };
        let event = self.store.event(event).await?;
        let before =
            self.store.state_event(room, event.state_root, "m.room.member", user_id.as_str()).await?;
        Ok(before.and_then(|before| before.pdu.membership()) != event.pdu.membership())
    }

    /// The servers with which a user shares rooms, but for one room.
    async fn servers_of(
        &self,
        user: UserSn,
        but: Option<RoomSn>,
    ) -> Result<BTreeSet<OwnedServerName>, StorageError> {
        let mut servers = BTreeSet::new();
        for (room, member) in self.store.rooms_of_user(user).await?.all() {
            if member.is_joined() && Some(room) != but {
                servers.extend(self.store.servers_of_room(room).await?.keys().cloned());
            }
        }
        servers.remove(self.server_name());
        Ok(servers)
    }

    /// A server has come into a room: it must know the devices of our users there, if it does not yet.
    async fn introduce_everybody(
        &self,
        room: RoomSn,
        server: &ServerName,
        telling: &mut Telling,
    ) -> Result<(), StorageError> {
        let mut introduced = 0;
        for user in self.store.members_of_room(room).await?.joined() {
            if introduced >= MOST_USERS {
                break;
            }
            if self.is_ours(&self.store.user_id(user).await?)
                && !self.servers_of(user, Some(room)).await?.contains(server)
            {
                telling.introductions.insert((user, server.to_owned()));
                introduced += 1;
            }
        }
        Ok(())
    }

    /// One of our users has left a room: those of other servers with whom nobody here shares a room any more are
    /// not followed.
    async fn forget_left_behind(&self, room: RoomSn, telling: &mut Telling) -> Result<(), StorageError> {
        if self.store.servers_of_room(room).await?.contains_key(self.server_name()) {
            return Ok(());
        }
        let members = self.store.members_of_room(room).await?.joined();
        for list in self.store.device_lists(&members).await? {
            if !self.is_ours(&self.store.user_id(list.user).await?) && !self.follows(list.user).await? {
                telling.forgotten.insert(list.user);
            }
        }
        Ok(())
    }

    /// Puts down what changed in a list for every server that shares a room with its user.
    async fn put_changes(
        &self,
        set: &mut WriteSet,
        user: UserSn,
        devices: &BTreeSet<Option<OwnedDeviceId>>,
    ) -> Result<(), StorageError> {
        let servers = self.servers_of(user, None).await?;
        if servers.is_empty() {
            return Ok(());
        }
        let user_id = self.store.user_id(user).await?;
        let mut stream_id = self.stream_id(user).await?;
        for device in devices {
            let edu = match device {
                Some(device_id) => {
                    stream_id += 1;
                    self.device_edu(user, &user_id, device_id, stream_id, vec![stream_id - 1]).await?
                }
                None => self.signing_key_edu(&user_id).await?,
            };
            self.put_edu(set, servers.iter(), &edu);
        }
        set.put_device_list(DeviceList { user, stream_id, stale: false });
        Ok(())
    }

    /// Puts down all devices of a user for a server that does not know them: it asks for the list then.
    async fn put_introduction(
        &self,
        set: &mut WriteSet,
        user: UserSn,
        server: &OwnedServerName,
    ) -> Result<(), StorageError> {
        let user_id = self.store.user_id(user).await?;
        let stream_id = self.stream_id(user).await?;
        for device in self.store.devices(user).await? {
            let edu = self.device_edu(user, &user_id, &device.device_id, stream_id, Vec::new()).await?;
            self.put_edu(set, std::iter::once(server), &edu);
        }
        Ok(())
    }

    fn put_edu<'a>(
        &self,
        set: &mut WriteSet,
        servers: impl Iterator<Item = &'a OwnedServerName>,
        edu: &Value,
    ) {
        let (edu, now) = (edu.to_string(), self.now().millis());
        for server in servers {
            set.put_outgoing_edu(server, &edu, now);
        }
    }

    async fn device_edu(
        &self,
        user: UserSn,
        user_id: &UserId,
        device_id: &DeviceId,
        stream_id: i64,
        prev_id: Vec<i64>,
    ) -> Result<Value, StorageError> {
        let mut content = json!({
            "user_id": user_id,
            "device_id": device_id,
            "stream_id": stream_id,
            "prev_id": prev_id,
        });
        match self.store.device(user, device_id).await? {
            None => content["deleted"] = json!(true),
            Some(device) => {
                let wanted = Wanted::from([(user_id.to_owned(), vec![device_id.to_owned()])]);
                let keys = self.known_keys(&wanted, Viewer::Server).await?;
                if let Some(keys) = keys.device_keys.get(user_id).and_then(|devices| devices.get(device_id)) {
                    content["keys"] = json!(keys);
                }
                if let Some(name) = device.display_name.filter(|_| self.settings.share_device_names) {
                    content["device_display_name"] = json!(name);
                }
            }
        }
        Ok(json!({ "edu_type": "m.device_list_update", "content": content }))
    }

    async fn signing_key_edu(&self, user_id: &UserId) -> Result<Value, StorageError> {
        let wanted = Wanted::from([(user_id.to_owned(), Vec::new())]);
        let keys = self.known_keys(&wanted, Viewer::Server).await?;
        let mut content = json!({ "user_id": user_id });
        if let Some(key) = keys.master_keys.get(user_id) {
            content["master_key"] = json!(key);
        }
        if let Some(key) = keys.self_signing_keys.get(user_id) {
            content["self_signing_key"] = json!(key);
        }
        Ok(json!({ "edu_type": "m.signing_key_update", "content": content }))
    }
}
