//! What the server has to say to its users, in a room of each user's own
//! (<https://spec.matrix.org/v1.19/client-server-api/#server-notices>).
//!
//! The room is plain whatever the policy on encryption: the server has no keys. Who has left it is invited again by the
//! next notice.

use parvis_events::Membership;
use parvis_policy::{ClientKind, Preset};
use parvis_storage::{CommitError, DeviceSn, NOTICE_ROOM_IS_NEW, RoomSn, UserSn, WriteSet};
use ruma::{OwnedEventId, UserId};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{Action, Actor, CreateRoom, RoomError, Rooms, SendEvent, content::raw};

/// The localpart of the user as whom the server speaks. Nobody can register it.
pub const NOTICES_LOCALPART: &str = "_server";
/// What the server and its room are called.
const NAME: &str = "Server Notices";
/// The tag by which clients know the room.
const TAG: &str = "m.server_notice";
/// The server has no device; its transaction ids count as if it had this one.
const NO_DEVICE: DeviceSn = DeviceSn(0);

impl Rooms {
    /// Says something to a user of this server. With the same transaction id from the same administrator, the first
    /// event's id is given again.
    ///
    /// # Errors
    /// [`RoomError::NotFound`] for who has no account here, [`RoomError::InviteBlocked`] for who takes no
    /// invitations, and what sending fails with.
    pub async fn send_notice(
        &self,
        administrator: &UserId,
        to: &UserId,
        content: Box<RawValue>,
        transaction_id: Option<&str>,
    ) -> Result<OwnedEventId, RoomError> {
        let nobody = RoomError::NotFound("there is no such user here");
        let Some(user) = self.store.find_user(to).await? else { return Err(nobody) };
        if self.store.account(user).await?.is_none_or(|account| account.deactivated) {
            return Err(nobody);
        }
        let server = self.notices_actor().await?;
        // Two notices at a time shall not make two rooms.
        let _turn = self.noticing.lock().await;
        let room = match self.store.notice_room(user).await? {
            Some(room) => room,
            None => self.new_notice_room(&server, user).await?,
        };
        let member = self.store.member(user, room).await?;
        if !member.is_some_and(|member| matches!(member.membership, Membership::Join | Membership::Invite)) {
            self.act_on_member(&server, room, to, Action::Invite, None).await?;
        }
        let transaction_id = match transaction_id {
            Some(transaction_id) => format!("{administrator} {transaction_id}"),
            None => self.ambient.chance.text(24),
        };
        let room_id = self.store.room_id(room).await?;
        let event = SendEvent { kind: "m.room.message".to_owned(), content, transaction_id };
        self.send(&server, &room_id, event).await
    }

    /// The server, as somebody who acts.
    async fn notices_actor(&self) -> Result<Actor, RoomError> {
        let user_id = UserId::parse_with_server_name(NOTICES_LOCALPART, &self.identity.server_name);
        let user_id = user_id.map_err(|error| RoomError::InvalidParam(error.to_string()))?;
        let user = self.store.intern_user(&user_id).await?;
        Ok(Actor::new(user, user_id, NO_DEVICE, ClientKind::of_user_agent(None)))
    }

    async fn new_notice_room(&self, server: &Actor, user: UserSn) -> Result<RoomSn, RoomError> {
        let mut set = WriteSet::new();
        set.put_profile_field(server.user, "displayname", &NAME.into());
        self.store.commit(set).await?;
        let wanted = CreateRoom {
            name: Some(NAME.to_owned()),
            preset: Some(Preset::PrivateChat),
            creation_content: Map::from_iter([("m.federate".to_owned(), Value::Bool(false))]),
            // Users listen here.
            power_levels: Map::from_iter([("users_default".to_owned(), Value::from(-10))]),
            plain: true,
            ..CreateRoom::default()
        };
        let room_id = self.create(server, wanted).await?;
        let room = self.find(&room_id).await?;
        let mut set = WriteSet::new();
        set.put_notice_room(user, room);
        set.put_account_data(user, Some(room), "m.tag", &raw(&json!({ "tags": { TAG: {} } })));
        match self.store.commit(set).await {
            Ok(_) => Ok(room),
            // Another node was quicker; its room is the one.
            Err(CommitError::Guard(NOTICE_ROOM_IS_NEW)) => {
                self.store.notice_room(user).await?.ok_or(RoomError::Busy)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses to reject the invitation to the room in which the server speaks.
    pub(crate) async fn must_not_reject_notices(
        &self,
        user: UserSn,
        room: RoomSn,
        membership: Membership,
    ) -> Result<(), RoomError> {
        let invited = membership == Membership::Invite;
        match invited && self.store.notice_room(user).await? == Some(room) {
            true => Err(RoomError::NoticeRoom),
            false => Ok(()),
        }
    }
}
