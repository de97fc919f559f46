//! What passes between servers beside events: each kind is checked and handed to the engine whose business it is.
//!
//! A server speaks of its own users only, and where rooms are concerned only in those that let it in. What is
//! false or not understood is passed over: it must not keep the rest of a transaction from being taken.

use std::collections::BTreeMap;

use parvis_rooms::RoomError;
use parvis_sync::{HeardPresence, HeardReceipt, ReadThread};
use ruma::{
    EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, ServerName,
    api::federation::transactions::edu::{PresenceContent, PresenceUpdate, TypingContent},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{ApiError, FederationApi};

/// How many receipts and presences of one transaction are heeded, of each.
const MOST: usize = 2_000;

#[derive(Deserialize)]
struct Edu<'a> {
    edu_type: String,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// Receipts of a room, by user. Private ones do not leave their server.
#[derive(Deserialize)]
struct RoomReceipts {
    #[serde(rename = "m.read", default)]
    read: BTreeMap<OwnedUserId, UserReceipt>,
}

#[derive(Deserialize)]
struct UserReceipt {
    #[serde(default)]
    data: ReceiptData,
    event_ids: Vec<OwnedEventId>,
}

#[derive(Default, Deserialize)]
struct ReceiptData {
    ts: Option<i64>,
    thread_id: Option<String>,
}

/// Takes in the EDUs of a transaction.
///
/// # Errors
/// If an engine fails; not for what an EDU says.
pub(crate) async fn receive<'a>(
    api: &FederationApi,
    origin: &ServerName,
    edus: impl Iterator<Item = &'a RawValue>,
) -> Result<(), ApiError> {
    let mut left = Left { receipts: MOST, presences: MOST };
    for edu in edus {
        let Ok(Edu { edu_type, content }) = serde_json::from_str(edu.get()) else { continue };
        match edu_type.as_str() {
            "m.typing" => typing(api, origin, content).await?,
            "m.receipt" => receipts(api, origin, content, &mut left.receipts).await?,
            "m.presence" => presence(api, origin, content, &mut left.presences).await?,
            kind => {
                if !api.e2ee.receive_edu(origin, kind, content).await? {
                    tracing::trace!(%origin, kind, "an EDU that is not understood");
                }
            }
        }
    }
    Ok(())
}

/// How much more of each is heeded.
struct Left {
    receipts: usize,
    presences: usize,
}

/// The content of an EDU, if it is sound.
fn read<T: DeserializeOwned>(origin: &ServerName, content: &RawValue) -> Option<T> {
    serde_json::from_str(content.get())
        .map_err(|error| tracing::debug!(%origin, %error, "an EDU that is not sound"))
        .ok()
}

/// Whether a room lets a server speak in it.
async fn lets_in(api: &FederationApi, room_id: &RoomId, origin: &ServerName) -> Result<bool, ApiError> {
    match api.rooms.check_server_acl(room_id, origin).await {
        Ok(()) => Ok(true),
        Err(RoomError::Forbidden(_) | RoomError::UnknownRoom) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn typing(api: &FederationApi, origin: &ServerName, content: &RawValue) -> Result<(), ApiError> {
    let Some(TypingContent { room_id, user_id, typing, .. }) = read(origin, content) else { return Ok(()) };
    if user_id.server_name() == origin && lets_in(api, &room_id, origin).await? {
        api.sync.hear_typing(&room_id, &user_id, typing).await?;
    }
    Ok(())
}

async fn receipts(
    api: &FederationApi,
    origin: &ServerName,
    content: &RawValue,
    left: &mut usize,
) -> Result<(), ApiError> {
    let rooms: Option<BTreeMap<OwnedRoomId, Box<RawValue>>> = read(origin, content);
    for (room_id, receipts) in rooms.unwrap_or_default() {
        let Some(RoomReceipts { read }) = read(origin, &receipts) else { continue };
        if *left == 0 || !lets_in(api, &room_id, origin).await? {
            continue;
        }
        for (user_id, receipt) in read {
            if user_id.server_name() != origin || *left == 0 {
                continue;
            }
            *left -= 1;
            if let Some(heard) = heard_receipt(api, &room_id, user_id, receipt) {
                api.sync.hear_receipt(heard).await?;
            }
        }
    }
    Ok(())
}

fn heard_receipt(
    api: &FederationApi,
    room_id: &RoomId,
    user_id: OwnedUserId,
    receipt: UserReceipt,
) -> Option<HeardReceipt> {
    let thread = match receipt.data.thread_id.as_deref() {
        None => ReadThread::Unthreaded,
        Some("main") => ReadThread::Main,
        Some(root) => ReadThread::Thread(EventId::parse(root).ok()?),
    };
    Some(HeardReceipt {
        room_id: room_id.to_owned(),
        user_id,
        event_id: receipt.event_ids.into_iter().next()?,
        thread,
        ts: receipt.data.ts.unwrap_or_else(|| api.ambient.now().millis()),
    })
}

async fn presence(
    api: &FederationApi,
    origin: &ServerName,
    content: &RawValue,
    left: &mut usize,
) -> Result<(), ApiError> {
    let Some(PresenceContent { push, .. }) = read(origin, content) else { return Ok(()) };
    for update in push {
        let PresenceUpdate { user_id, presence, status_msg, last_active_ago, currently_active, .. } = update;
        if user_id.server_name() != origin || *left == 0 {
            continue;
        }
        *left -= 1;
        let heard = HeardPresence {
            user_id,
            state: presence,
            status_message: status_msg,
            last_active_ago_millis: last_active_ago.into(),
            currently_active,
        };
        api.sync.hear_presence(heard).await?;
    }
    Ok(())
}
