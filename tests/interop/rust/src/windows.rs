//! A client that syncs as Element X does: `SyncService` with its two loops of sliding sync, the list of rooms that
//! grows, subscriptions to rooms that are open, and timelines.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use matrix_sdk::Client;
use matrix_sdk::latest_events::LatestEventValue;
use matrix_sdk::room::MessagesOptions;
use matrix_sdk::ruma::events::AnyToDeviceEvent;
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{OwnedRoomId, OwnedUserId, RoomId};
use matrix_sdk::sync::JoinedRoomUpdate;
use matrix_sdk_ui::RoomListService;
use matrix_sdk_ui::eyeball_im::Vector;
use matrix_sdk_ui::room_list_service::filters::{
    BoxedFilterFn, new_filter_favourite, new_filter_fuzzy_match_room_name, new_filter_invite,
    new_filter_non_left, new_filter_unread,
};
use matrix_sdk_ui::room_list_service::{RoomList, RoomListItem, RoomListLoadingState};
use matrix_sdk_ui::sync_service::{State, SyncService};
use matrix_sdk_ui::timeline::{RoomExt, Timeline};
use tokio::sync::broadcast::error::RecvError;

use crate::Outcome;
use crate::seen::Seen;

/// How long to wait before the service is started again after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// Of how many rooms everything that comes is brought; a client in more rooms has the list alone, and what it opens.
const FOLLOWED: usize = 10;

/// How many events are asked for that were left out.
const GAP: u32 = 50;

/// More rooms than any story makes.
const PAGE: usize = 10_000;

/// What of the list a person wants to see.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shown {
    Invitations,
    Favourites,
    Unread,
    Named(String),
}

/// A room as the list shows it.
#[derive(serde::Serialize)]
pub(crate) struct Row {
    room: OwnedRoomId,
    name: Option<String>,
    /// The text of the newest message, where the client was told to look for it.
    latest: Option<String>,
    /// By the server's count.
    unread: u64,
    encrypted: bool,
}

/// The windows of one client.
pub(crate) struct Windows {
    service: Arc<SyncService>,
    list: Arc<RoomList>,
    /// The rooms that were not left, in the order of the list, as its changes have led to.
    rows: Arc<Mutex<Vector<RoomListItem>>>,
    /// The types of the messages to this device.
    to_device: Arc<Mutex<Vec<String>>>,
    timelines: tokio::sync::Mutex<Vec<Timeline>>,
}

impl Windows {
    /// Begins to sync; what comes is put down in `seen`.
    pub(crate) async fn open(client: &Client, me: OwnedUserId, seen: &Arc<Mutex<Seen>>) -> Outcome<Self> {
        client.event_cache().subscribe()?;
        let service = Arc::new(SyncService::builder(client.clone()).build().await?);
        let list = Arc::new(service.room_list_service().all_rooms().await?);
        let rows = Arc::default();
        tokio::spawn(keep_list(Arc::clone(&list), Arc::clone(&rows)));
        let to_device: Arc<Mutex<Vec<String>>> = Arc::default();
        let put_down = Arc::clone(&to_device);
        client.add_event_handler(move |event: Raw<AnyToDeviceEvent>| {
            let kind = event.get_field("type").ok().flatten().unwrap_or_default();
            lock(&put_down).push(kind);
            std::future::ready(())
        });
        tokio::spawn(keep_seeing(client.clone(), Arc::clone(&service), me, Arc::clone(seen)));
        tokio::spawn(keep_running(Arc::clone(&service), Arc::clone(seen)));
        service.start().await;
        Ok(Self { service, list, rows, to_device, timelines: tokio::sync::Mutex::default() })
    }

    /// The list as it stands, or what is shown of it.
    pub(crate) async fn rows(&self, shown: Option<Shown>) -> Vec<Row> {
        let Some(shown) = shown else { return lock(&self.rows).iter().map(Row::of).collect() };
        let (changes, controller) = self.list.entries_with_dynamic_adapters(PAGE);
        controller.set_filter(shown.filter());
        let mut rows = Vector::new();
        let mut changes = pin!(changes);
        for change in changes.next().await.unwrap_or_default() {
            change.apply(&mut rows);
        }
        rows.iter().map(Row::of).collect()
    }

    /// Looks for the newest message of each of these rooms from now on.
    pub(crate) async fn watch(&self, client: &Client, rooms: &[OwnedRoomId]) -> Outcome<()> {
        let latest = client.latest_events().await;
        for room in rooms {
            latest.listen_to_room(room).await?;
        }
        Ok(())
    }

    /// The types of all messages to this device that came, in their order.
    pub(crate) fn to_device(&self) -> Vec<String> {
        lock(&self.to_device).clone()
    }

    /// How many rooms the server says there are; `None` before it has.
    pub(crate) fn count(&self) -> Option<u32> {
        match self.list.loading_state().get() {
            RoomListLoadingState::Loaded { maximum_number_of_rooms } => maximum_number_of_rooms,
            RoomListLoadingState::NotLoaded => None,
        }
    }

    /// Opens a room, as if it were shown, and tells the texts on its timeline.
    pub(crate) async fn texts(&self, client: &Client, room: &RoomId) -> Outcome<Vec<String>> {
        let mut timelines = self.timelines.lock().await;
        if !timelines.iter().any(|timeline| timeline.room().room_id() == room) {
            self.service.room_list_service().subscribe_to_rooms(&[room]).await;
            let room = client.get_room(room).ok_or("the room is not known")?;
            timelines.push(room.timeline().await?);
        }
        let open = timelines.iter().find(|timeline| timeline.room().room_id() == room);
        let items = open.ok_or("the timeline is not open")?.items().await;
        let texts = items.iter().filter_map(|item| {
            let message = item.as_event()?.content().as_message()?;
            Some(message.body().to_owned())
        });
        Ok(texts.collect())
    }

    /// Ends both loops; the client keeps its positions.
    pub(crate) async fn close(&self) {
        self.service.stop().await;
    }

    /// Begins both loops again, with the positions that were kept.
    pub(crate) async fn open_again(&self) {
        self.service.start().await;
    }
}

impl Shown {
    fn filter(self) -> BoxedFilterFn {
        match self {
            Self::Invitations => Box::new(new_filter_invite()),
            Self::Favourites => Box::new(new_filter_favourite()),
            Self::Unread => Box::new(new_filter_unread()),
            Self::Named(pattern) => Box::new(new_filter_fuzzy_match_room_name(&pattern)),
        }
    }
}

impl Row {
    fn of(item: &RoomListItem) -> Self {
        Self {
            room: item.room_id().to_owned(),
            name: item.cached_display_name().map(|name| name.to_string()),
            latest: text(matrix_sdk::BaseRoom::latest_event(item)),
            unread: item.unread_notification_counts().notification_count,
            encrypted: item.encryption_state().is_encrypted(),
        }
    }
}

fn text(latest: LatestEventValue) -> Option<String> {
    let LatestEventValue::Remote(event) = latest else { return None };
    let content: serde_json::Value = event.raw().get_field("content").ok()??;
    Some(content.get("body")?.as_str()?.to_owned())
}

/// Follows the changes of the list.
async fn keep_list(list: Arc<RoomList>, rows: Arc<Mutex<Vector<RoomListItem>>>) {
    let (changes, controller) = list.entries_with_dynamic_adapters(PAGE);
    controller.set_filter(Box::new(new_filter_non_left()));
    let mut changes = pin!(changes);
    while let Some(together) = changes.next().await {
        for change in together {
            change.apply(&mut lock(&rows));
        }
    }
}

/// Puts down what comes. Subscribes to the rooms of which something comes while they are few, anew wherever events were
/// left out (so it is when the connection began anew, of which the SDK forgets the subscriptions), and asks for those
/// events, as a timeline that is shown does.
async fn keep_seeing(client: Client, service: Arc<SyncService>, me: OwnedUserId, seen: Arc<Mutex<Seen>>) {
    let mut updates = client.subscribe_to_all_room_updates();
    let mut open: BTreeSet<OwnedRoomId> = BTreeSet::new();
    loop {
        match updates.recv().await {
            Ok(rooms) => {
                let known = open.len();
                open.extend(rooms.joined.keys().cloned());
                let gaps: Vec<_> = rooms
                    .joined
                    .iter()
                    .filter_map(|(room, update)| Some((room.clone(), gap(update)?)))
                    .collect();
                lock(&seen).take(rooms, &me);
                if open.len() > FOLLOWED {
                    continue;
                }
                if open.len() > known || !gaps.is_empty() {
                    subscribe(&service.room_list_service(), &open).await;
                }
                for (room, before) in gaps {
                    if let Err(error) = fill(&client, &room, before, &seen).await {
                        eprintln!("what was left out of {room} cannot be had: {error}");
                    }
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// From where the events must be asked for that were left out before an update.
fn gap(update: &JoinedRoomUpdate) -> Option<String> {
    update.timeline.prev_batch.clone().filter(|_| update.timeline.limited)
}

/// Puts down the last events before a gap's end.
async fn fill(client: &Client, room: &RoomId, before: String, seen: &Mutex<Seen>) -> Outcome<()> {
    let room = client.get_room(room).ok_or("the room is not known")?;
    let mut wanted = MessagesOptions::backward().from(&*before);
    wanted.limit = GAP.into();
    let page = room.messages(wanted).await?;
    lock(seen).add(room.room_id(), page.chunk);
    Ok(())
}

async fn subscribe(list: &RoomListService, rooms: &BTreeSet<OwnedRoomId>) {
    let rooms: Vec<&RoomId> = rooms.iter().map(|room| &**room).collect();
    list.subscribe_to_rooms(&rooms).await;
}

/// Starts the service again whenever it ends: it gives up when the server is away.
async fn keep_running(service: Arc<SyncService>, seen: Arc<Mutex<Seen>>) {
    let mut states = service.state();
    while let Some(state) = states.next().await {
        lock(&seen).is_syncing = matches!(state, State::Running);
        if matches!(state, State::Error(_)) {
            tokio::time::sleep(PAUSE).await;
            service.start().await;
        }
    }
}

fn lock<T>(one: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    one.lock().unwrap_or_else(PoisonError::into_inner)
}
