//! The only crate with SQL: SQLite and PostgreSQL behind one [`Store`].
//!
//! Reads come in batches and mostly from memory; writes come as [`WriteSet`]s, which are gathered, written in
//! groups and answered once they are durable. Each query is written once, for both engines
//! (`statement`); what differs is a named function in `dialect`. Names are interned to numbers, what is
//! written is immutable wherever possible, and every change that a reader must notice has a [`Position`] in
//! one stream. This crate knows nothing of HTTP, of authorisation or of the organisation's policy.
//!
//! The modules lie in layers, and import only from layers below their own. From below:
//!
//! 1. `error`, `numbers`, `value`, `statement`, `engine`, `migrate`, `state_tree`, `changes`, `token`:
//!    the engines, and the words that everything else is said in;
//! 2. `model`: plain types that are kept in memory or handed to readers; `dialect`;
//! 3. `write_set`, which gathers rows and what they change in memory;
//! 4. `shared`: memory, brought up to date with each commit;
//! 5. `writer` and `store`;
//! 6. a module for each family of tables: its statements, how a [`WriteSet`] writes it, how a [`Store`] reads
//!    it. Types of a family that memory keeps or a write set carries belong into `model`, its cache into `shared`;
//! 7. `registry`, which lists the statements of all.

mod account_data;
mod accounts;
mod addresses;
mod aggregations;
mod application_services;
mod browser_sessions;
mod changes;
mod cross_signing;
mod dehydrated;
mod delayed_events;
mod device_keys;
mod device_lists;
mod dialect;
mod engine;
mod error;
mod events;
mod failing_servers;
mod filters;
mod graph;
mod head;
mod identity_providers;
mod inbox;
mod interactive_auth;
mod intern;
mod key_backups;
mod media;
mod members;
mod migrate;
mod model;
mod notice_rooms;
mod numbers;
mod oauth;
mod one_time_keys;
mod outbound;
mod outside;
mod pace;
mod passes;
mod peer_keys;
mod policy_changes;
mod profiles;
mod pushers;
mod receipts;
mod registration_tokens;
mod registry;
mod relationships;
mod remote_media;
mod reports;
mod restored;
mod rooms;
mod search;
mod servers;
mod sessions;
mod shared;
mod state;
mod state_tree;
mod statement;
mod store;
mod thread_subscriptions;
mod to_device;
mod token;
mod upstream_sessions;
mod value;
mod write_set;
mod writer;

pub use account_data::ACCOUNT_DATA_IS_UNCHANGED;
pub use accounts::{ACCOUNT_IS_NEW, ACCOUNT_IS_OPEN_AS_BEFORE, Account};
pub use addresses::{
    ADDRESS_IS_FREE, ADDRESS_TOKEN_IS_UNUSED, ADDRESS_VALIDATION_IS_UNUSED, AddressValidation, UserAddress,
};
pub use application_services::{ServiceStanding, ServiceTransaction};
pub use browser_sessions::StoredBrowserSession;
pub use changes::{Announced, Change, GoneDevices};
pub use cross_signing::{CrossSigningKey, KeySignature};
pub use dehydrated::DehydratedDevice;
pub use delayed_events::DelayedEvent;
pub use device_keys::{DeviceChange, DeviceKeys};
pub use device_lists::DeviceList;
pub use engine::{DatabaseSettings, EngineKind};
pub use error::{CommitError, StorageError};
pub use events::{Direction, Relation, ThreadRoot};
pub use failing_servers::FailingServer;
pub use graph::{AuthEdges, MissingEvent};
pub use head::HeadFollower;
pub use identity_providers::{EXTERNAL_ID_IS_NEW, UPSTREAM_LOGIN_IS_UNUSED, UpstreamLogin};
pub use inbox::InboxEvent;
pub use interactive_auth::InteractiveAuth;
pub use key_backups::{BackedUpKey, KEY_BACKUP_IS_NEW, KEY_BACKUP_IS_UNCHANGED, KeyBackup, KeysMeant};
pub use media::{ContentHash, MediaContent, StoredMedia, StoredThumbnail, ThumbnailKey};
pub use model::{
    AccountData, Aggregation, DeviceState, EventFlags, Member, NewEvent, Receipt, RoomHead, RoomMembers,
    RoomReceipts, RoomServers, SearchTerms, SearchWord, StoredEvent, ThreadPart, UserRooms,
};
pub use notice_rooms::NOTICE_ROOM_IS_NEW;
pub use numbers::{DeviceSn, EventSn, Place, Position, RoomSn, SessionSn, Slot, TypeSn, UpstreamSn, UserSn};
pub use oauth::{
    OAUTH_CLIENT_IS_KNOWN, OAUTH_DEVICE_GRANT_IS_THERE, OAUTH_DEVICE_GRANT_IS_UNANSWERED,
    OAUTH_GRANT_IS_UNUSED, OAUTH_USER_CODE_IS_NEW, OAuthDeviceGrant, OAuthGrant,
};
pub use one_time_keys::{ClaimedKey, FallbackKey, OneTimeKey};
pub use outbound::OutgoingEdu;
pub use outside::OutsideView;
pub use pace::{Pace, Turn, Work};
pub use passes::{PASS_IS_UNUSED, Pass, PassPurpose};
pub use peer_keys::{PeerKey, StoredServerKey};
pub use policy_changes::PolicyChange;
pub use profiles::{Findable, Profile};
pub use pushers::{MAIL_APP, NewPusher, PusherKey, StoredPusher};
pub use receipts::NewReceipt;
pub use registration_tokens::{
    GivenToken, REGISTRATION_TOKEN_IS_GOOD_STILL, REGISTRATION_TOKEN_IS_NEW, REGISTRATION_TOKEN_IS_THERE,
};
pub use registry::{SchemaColumn, check_statements, fresh_schema, pretend_newer_schema, schema};
pub use relationships::EventChild;
pub use remote_media::RemoteThumbnailKey;
pub use reports::{NewReport, REPORT_IS_THERE, Report, ReportedThing, ReportsWanted};
pub use rooms::{Alias, RoomStanding};
pub use search::{SearchDocument, SearchMarks, SearchMatch, SearchScope};
pub use sessions::{DEVICE_IS_NEW, DEVICE_IS_THERE, Device, NewSession, SESSION_IS_THERE, StoredSession};
pub use state_tree::{Difference, StateRoot};
pub use store::{Store, StoreSettings};
pub use thread_subscriptions::{Subscription, THREAD_SUBSCRIPTION_IS_UNCHANGED, ThreadSubscription};
pub use to_device::WaitingMessages;
pub use token::{Ephemeral, InvalidToken, Token};
pub use upstream_sessions::{
    FoundUpstreamSession, LOGOUT_TOKEN_IS_NEW, UPSTREAM_SESSION_IS_THERE, UpstreamSession,
};
pub use write_set::{TransactionKey, WriteSet};
pub use writer::{Committed, Submitted};
