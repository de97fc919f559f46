//! Transactions: what is told at once, put into words.
//! <https://spec.matrix.org/v1.19/server-server-api/#transactions>

use std::collections::BTreeMap;

use parvis_ambient::Timestamp;
use parvis_storage::{EventSn, Position, Receipt, RoomSn, StorageError, Store, UserSn};
use ruma::{OwnedRoomId, OwnedUserId, ServerName, api::federation::transactions::edu::PresenceUpdate};
use serde_json::{Value, json};

use crate::load::{Load, MOST_EDUS, Transaction};

/// How many EDUs with receipts a transaction carries at most: one says where a user has read one thread of a room.
const MOST_RECEIPT_EDUS: usize = 20;
/// How many bytes of EDUs that were put down a transaction carries, about.
const STORED_EDU_BYTES: usize = 1 << 20;

/// Puts a load into words.
pub(crate) async fn compose(
    store: &Store,
    origin: &ServerName,
    destination: &ServerName,
    id: String,
    load: &Load,
    now: Timestamp,
) -> Result<Transaction, StorageError> {
    let mut edus: Vec<String> = Vec::new();
    for (room, user, typing) in &load.typing {
        edus.push(typing_edu(store, *room, *user, *typing).await?);
    }
    if !load.presence.is_empty() {
        edus.push(presence_edu(&load.presence));
    }
    edus.extend(receipt_edus(store, &load.receipts).await?);
    let mut last_stored_edu = None;
    let mut leaves_stored_edus = false;
    if load.stored_edus {
        let room = MOST_EDUS.saturating_sub(edus.len());
        let stored = store.outgoing_edus(destination, room + 1).await?;
        let mut bytes = 0;
        let fits = |edu: &&parvis_storage::OutgoingEdu| {
            bytes += edu.edu.len();
            bytes <= STORED_EDU_BYTES || bytes == edu.edu.len()
        };
        let taken: Vec<_> = stored.iter().take(room).take_while(fits).collect();
        last_stored_edu = taken.last().map(|edu| edu.position);
        leaves_stored_edus = stored.len() > taken.len();
        edus.extend(taken.into_iter().map(|edu| edu.edu.clone()));
    }
    let events: Vec<EventSn> = load.events.iter().map(|event| event.1).collect();
    let events = store.events(&events).await?;
    let events: Vec<&str> = events.iter().map(|event| event.pdu.json()).collect();
    Ok(Transaction {
        id,
        body: body(origin, now, &events, &edus).into(),
        last_event: load.events.last().map(|event| event.0),
        last_stored_edu,
        leaves_stored_edus,
        is_empty: events.is_empty() && edus.is_empty(),
    })
}

/// The body of a transaction. Events and EDUs are JSON already.
fn body(origin: &ServerName, now: Timestamp, events: &[&str], edus: &[String]) -> String {
    let origin = Value::from(origin.as_str());
    let (events, edus) = (events.join(","), edus.join(","));
    format!(r#"{{"origin":{origin},"origin_server_ts":{},"pdus":[{events}],"edus":[{edus}]}}"#, now.millis())
}

async fn typing_edu(store: &Store, room: RoomSn, user: UserSn, typing: bool) -> Result<String, StorageError> {
    let (room_id, user_id) = (store.room_id(room).await?, store.user_id(user).await?);
    let content = json!({ "room_id": room_id, "user_id": user_id, "typing": typing });
    Ok(json!({ "edu_type": "m.typing", "content": content }).to_string())
}

fn presence_edu(updates: &[PresenceUpdate]) -> String {
    json!({ "edu_type": "m.presence", "content": { "push": updates } }).to_string()
}

/// What `m.receipt` says of the users of a room.
type RoomReceipts = BTreeMap<OwnedUserId, Value>;

/// Receipts of all rooms and users in as few EDUs as can be: one for each thread that the same user has read of
/// the same room.
async fn receipt_edus(
    store: &Store,
    moved: &[(RoomSn, UserSn, Position)],
) -> Result<Vec<String>, StorageError> {
    let mut layers: Vec<BTreeMap<OwnedRoomId, RoomReceipts>> = Vec::new();
    for (room, user, since) in moved {
        let room_id = store.room_id(*room).await?;
        let receipts = store.receipts_of_room(*room).await?.of(*user);
        let news =
            receipts.iter().filter(|receipt| receipt.receipt_type == "m.read" && receipt.position >= *since);
        for (layer, receipt) in news.take(MOST_RECEIPT_EDUS).enumerate() {
            if layers.len() <= layer {
                layers.push(BTreeMap::new());
            }
            let users = layers[layer].entry(room_id.clone()).or_default();
            users.insert(receipt.user_id.clone(), receipt_json(receipt));
        }
    }
    Ok(layers.iter().map(receipt_edu).collect())
}

fn receipt_edu(rooms: &BTreeMap<OwnedRoomId, RoomReceipts>) -> String {
    let rooms: serde_json::Map<String, Value> =
        rooms.iter().map(|(room, users)| (room.to_string(), json!({ "m.read": users }))).collect();
    json!({ "edu_type": "m.receipt", "content": rooms }).to_string()
}

fn receipt_json(receipt: &Receipt) -> Value {
    let mut data = json!({ "ts": receipt.ts });
    if !receipt.thread.is_empty() {
        data["thread_id"] = receipt.thread.as_str().into();
    }
    json!({ "data": data, "event_ids": [receipt.event_id] })
}
