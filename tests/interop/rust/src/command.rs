//! What a story can ask a person to do, or to tell.

use matrix_sdk::ruma::api::client::room::Visibility;
use matrix_sdk::ruma::api::client::room::create_room::v3::{Request, RoomPreset};
use matrix_sdk::ruma::events::AnyInitialStateEvent;
use matrix_sdk::ruma::events::room::power_levels::RoomPowerLevelsEventContent;
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Outcome;
use crate::person::Person;
use crate::windows::Shown;

/// Who logs in, where, and how the device shall be called.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    pub(crate) homeserver: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) label: String,
    /// Whether the client syncs as Element X does.
    #[serde(default)]
    pub(crate) windows: bool,
}

/// One line of standard input, such as `{"do": "say", "room": "!…", "body": "Hello"}`.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Command {
    /// Publishes cross-signing keys, without a password.
    CrossSign,
    /// Whether the own device is signed by its owner.
    IsSigned,
    /// Makes a room by the body of `POST /createRoom`, and tells its id.
    CreateRoom {
        content: Value,
    },
    Join {
        room: OwnedRoomId,
    },
    /// Of a client with windows: how many rooms the server says there are, and how many the client knows.
    CountRooms,
    /// Of a client with windows: the texts on a room's timeline, which is opened.
    Texts {
        room: OwnedRoomId,
    },
    /// Of a client with windows: the rooms of the list in their order, or those that are shown.
    Rows {
        shown: Option<Shown>,
    },
    /// Of a client with windows: looks for the newest message of these rooms from now on.
    Watch {
        rooms: Vec<OwnedRoomId>,
    },
    /// Of a client with windows: the types of the messages to this device.
    ToDevice,
    /// Of a client with windows: stops to sync, and keeps the positions.
    Close,
    /// Of a client with windows: goes on from the positions that were kept.
    OpenAgain,
    /// The membership of a person, as this client knows it.
    Membership {
        room: OwnedRoomId,
        user: OwnedUserId,
    },
    /// Whether the client would encrypt what it sends there.
    IsEncrypted {
        room: OwnedRoomId,
    },
    TurnEncryptionOn {
        room: OwnedRoomId,
    },
    /// Forgets the key that the client writes with: the next message comes with a new one.
    RenewKey {
        room: OwnedRoomId,
    },
    /// Sends a state event with an empty state key, as it is given.
    SendState {
        room: OwnedRoomId,
        r#type: String,
        content: Value,
    },
    /// Sends a text and tells its event's id.
    Say {
        room: OwnedRoomId,
        body: String,
    },
    /// Whether sync has brought the event.
    Sees {
        event: OwnedEventId,
    },
    /// The content of an event that came encrypted and can be read; `null` before.
    Reads {
        room: OwnedRoomId,
        event: OwnedEventId,
    },
    /// Whether this event, which the story has from elsewhere, could be decrypted.
    CanRead {
        room: OwnedRoomId,
        event: Value,
    },
    /// How many events of the room cannot be read.
    Unreadable {
        room: OwnedRoomId,
    },
    /// Asks a person in a room to compare emoji; tells the flow's id.
    AskToVerify {
        room: OwnedRoomId,
        user: OwnedUserId,
    },
    /// Who asked to be verified, and the flow's id; `null` before somebody did.
    IsAsked,
    AcceptVerification {
        user: OwnedUserId,
        flow: String,
    },
    IsVerificationReady {
        user: OwnedUserId,
        flow: String,
    },
    BeginVerification {
        user: OwnedUserId,
        flow: String,
    },
    /// The names of the emoji; `null` before they are known.
    Emoji {
        user: OwnedUserId,
        flow: String,
    },
    ConfirmEmoji {
        user: OwnedUserId,
        flow: String,
    },
    IsVerificationDone {
        user: OwnedUserId,
        flow: String,
    },
    /// Whether that person is verified.
    Trusts {
        user: OwnedUserId,
    },
    /// Sets up secret storage and a backup of keys, and tells the recovery key.
    SetUpRecovery,
    /// Takes the secrets out of the secret storage, and signs this device with them.
    Recover {
        key: String,
    },
    /// Takes the room's keys out of the backup.
    RestoreBackup {
        room: OwnedRoomId,
    },
    /// Whether the client knows of a device.
    KnowsDevice {
        user: OwnedUserId,
        device: OwnedDeviceId,
    },
    LogOut,
    /// Whether the last sync was answered.
    IsSyncing,
}

impl Command {
    /// Does it, and tells what is to be told.
    pub(crate) async fn run(self, person: &Person) -> Outcome<Value> {
        match self {
            Self::CrossSign => told(person.cross_sign().await?),
            Self::IsSigned => told(person.is_signed().await?),
            Self::CreateRoom { content } => {
                let wish: RoomWish = serde_json::from_value(content)?;
                told(person.create_room(wish.into()).await?)
            }
            Self::Join { room } => told(person.join(&room).await?),
            Self::CountRooms => {
                let (server, client) = (person.windows()?.count(), person.client.rooms().len());
                told(json!({ "server": server, "client": client }))
            }
            Self::Texts { room } => told(person.windows()?.texts(&person.client, &room).await?),
            Self::Rows { shown } => told(person.windows()?.rows(shown).await),
            Self::Watch { rooms } => told(person.windows()?.watch(&person.client, &rooms).await?),
            Self::ToDevice => told(person.windows()?.to_device()),
            Self::Close => told(person.windows()?.close().await),
            Self::OpenAgain => told(person.windows()?.open_again().await),
            Self::Membership { room, user } => told(person.membership(&room, &user).await?),
            Self::IsEncrypted { room } => told(person.is_encrypted(&room).await?),
            Self::TurnEncryptionOn { room } => told(person.room(&room)?.enable_encryption().await?),
            Self::RenewKey { room } => told(person.room(&room)?.discard_room_key().await?),
            Self::SendState { room, r#type, content } => {
                let sent = person.room(&room)?.send_state_event_raw(&r#type, "", content).await?;
                told(sent.event_id)
            }
            Self::Say { room, body } => told(person.say(&room, body).await?),
            Self::Sees { event } => told(person.sees(&event)),
            Self::Reads { room, event } => told(person.reads(&room, &event).await?),
            Self::CanRead { room, event } => {
                told(person.can_read(&room, &serde_json::from_value(event)?).await?)
            }
            Self::Unreadable { room } => told(person.unreadable(&room).await?),
            Self::AskToVerify { room, user } => told(person.ask_to_verify(&room, &user).await?),
            Self::IsAsked => {
                told(person.is_asked().map(|(user, flow)| json!({ "user": user, "flow": flow })))
            }
            Self::AcceptVerification { user, flow } => told(person.accept_verification(&user, &flow).await?),
            Self::IsVerificationReady { user, flow } => {
                told(person.is_verification_ready(&user, &flow).await?)
            }
            Self::BeginVerification { user, flow } => told(person.begin_verification(&user, &flow).await?),
            Self::Emoji { user, flow } => told(person.emoji(&user, &flow).await?),
            Self::ConfirmEmoji { user, flow } => told(person.confirm_emoji(&user, &flow).await?),
            Self::IsVerificationDone { user, flow } => told(person.is_verification_done(&user, &flow).await?),
            Self::Trusts { user } => told(person.trusts(&user).await?),
            Self::SetUpRecovery => told(person.set_up_recovery().await?),
            Self::Recover { key } => told(person.recover(&key).await?),
            Self::RestoreBackup { room } => told(person.restore_backup(&room).await?),
            Self::KnowsDevice { user, device } => told(person.knows_device(&user, &device).await?),
            Self::LogOut => told(person.log_out().await?),
            Self::IsSyncing => told(person.is_syncing()),
        }
    }
}

fn told(value: impl serde::Serialize) -> Outcome<Value> {
    Ok(serde_json::to_value(value)?)
}

/// The body of `POST /createRoom`, as far as a story uses it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomWish {
    preset: RoomPreset,
    visibility: Visibility,
    name: String,
    invite: Vec<OwnedUserId>,
    initial_state: Vec<Raw<AnyInitialStateEvent>>,
    power_level_content_override: Raw<RoomPowerLevelsEventContent>,
}

impl From<RoomWish> for Request {
    fn from(wish: RoomWish) -> Self {
        let mut request = Self::new();
        request.preset = Some(wish.preset);
        request.visibility = wish.visibility;
        request.name = Some(wish.name);
        request.invite = wish.invite;
        request.initial_state = wish.initial_state;
        request.power_level_content_override = Some(wish.power_level_content_override.cast_unchecked());
        request
    }
}
