//! What a client has not seen yet, and what it may see at all.
//!
//! [`View`] decides what one reader sees of events: which of them, and with what said about them.
//! [`SyncEngine`] says what is new since a place in the stream, and waits for it. This crate reads what others
//! have committed; it changes no room, and knows nothing of HTTP or of the organisation's policy. Its answers
//! are typed values which the API writes as JSON.

mod answer;
mod classic;
mod engine;
mod ephemeral;
mod filter;
mod followed;
mod heroes;
mod lazy;
mod notices;
mod parts;
mod passing;
mod presence;
mod receipts;
mod relation_filter;
mod rules;
mod sliding;
mod stripped;
mod threads;
mod timeline;
mod typing;
mod unread;
mod view;
mod waiters;

pub use answer::{
    DeviceLists, JoinedRoom, LeftRoom, PresenceUpdate, StrippedRoom, Summary, SyncAnswer, SyncRequest,
    Timeline, UnreadCounts,
};
pub use engine::{HeardPresence, PresenceError, SubscriptionError, SyncEngine, SyncSettings, TypingError};
pub use filter::{EventFilter, Filter};
pub use followed::FollowedThread;
pub use notices::{Notices, Notification, NotificationsPage, UnreadTotal};
pub use parvis_storage::{AccountData, DeviceState, InvalidToken, Position, Receipt, Subscription, Token};
pub use passing::Passing;
pub use presence::PresenceMode;
pub use receipts::{HeardReceipt, ReadMark, ReadThread, ReceiptError};
pub use relation_filter::RelationFilter;
pub use sliding::{
    AccountDataNews, E2eeNews, ExtensionsWanted, Hero, KeyWanted, ListWanted, RoomFilter, RoomWanted, Scope,
    SlidingAnswer, SlidingError, SlidingRequest, SlidingRoom, StatePattern, StateWanted, ThreadNews,
    ToDeviceNews, ToDeviceWanted,
};
pub use view::{Reader, Relations, ShownEvent, ThreadSummary, View};
