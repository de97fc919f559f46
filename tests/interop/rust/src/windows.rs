//! A client that syncs as Element X does: `SyncService` with its two loops of sliding sync, the list of rooms that
//! grows, subscriptions to rooms that are open, and timelines.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use matrix_sdk::Client;
use matrix_sdk::ruma::{OwnedRoomId, OwnedUserId, RoomId};
use matrix_sdk_ui::RoomListService;
use matrix_sdk_ui::room_list_service::{RoomList, RoomListLoadingState};
use matrix_sdk_ui::sync_service::{State, SyncService};
use matrix_sdk_ui::timeline::{RoomExt, Timeline};
use tokio::sync::broadcast::error::RecvError;

use crate::Outcome;
use crate::seen::Seen;

/// How long to wait before the service is started again after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// The windows of one client.
pub(crate) struct Windows {
    service: Arc<SyncService>,
    list: RoomList,
    timelines: tokio::sync::Mutex<Vec<Timeline>>,
}

impl Windows {
    /// Begins to sync; what comes is put down in `seen`.
    pub(crate) async fn open(client: &Client, me: OwnedUserId, seen: &Arc<Mutex<Seen>>) -> Outcome<Self> {
        client.event_cache().subscribe()?;
        let service = Arc::new(SyncService::builder(client.clone()).build().await?);
        let list = service.room_list_service().all_rooms().await?;
        tokio::spawn(keep_seeing(client.clone(), Arc::clone(&service), me, Arc::clone(seen)));
        tokio::spawn(keep_running(Arc::clone(&service), Arc::clone(seen)));
        service.start().await;
        Ok(Self { service, list, timelines: tokio::sync::Mutex::default() })
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

    /// Ends both loops, and begins them again with the positions that the client has kept.
    pub(crate) async fn close_and_open(&self) {
        self.service.stop().await;
        self.service.start().await;
    }
}

/// Puts down what comes, and subscribes to every room of which something comes, so that none of it is left out.
async fn keep_seeing(client: Client, service: Arc<SyncService>, me: OwnedUserId, seen: Arc<Mutex<Seen>>) {
    let mut updates = client.subscribe_to_all_room_updates();
    let mut open: BTreeSet<OwnedRoomId> = BTreeSet::new();
    loop {
        match updates.recv().await {
            Ok(rooms) => {
                let known = open.len();
                open.extend(rooms.joined.keys().cloned());
                if open.len() > known && open.len() <= 20 {
                    subscribe(&service.room_list_service(), &open).await;
                }
                lock(&seen).take(rooms, &me);
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
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

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
