//! The only crate with SQL: SQLite and PostgreSQL behind one [`Store`].
//!
//! Reads come in batches and mostly from memory; writes come as [`WriteSet`]s, which are gathered, written in
//! groups and answered once they are durable. Each query is written once, for both engines
//! ([`statement`]); what differs is a named function in [`dialect`]. Names are interned to numbers, what is
//! written is immutable wherever possible, and every change that a reader must notice has a [`Position`] in
//! one stream. This crate knows nothing of HTTP, of authorisation or of the organisation's policy.

mod account_data;
mod accounts;
mod aggregations;
mod changes;
mod dialect;
mod engine;
mod error;
mod events;
mod filters;
mod interactive_auth;
mod intern;
mod media;
mod members;
mod migrate;
mod numbers;
mod passes;
mod profiles;
mod pushers;
mod receipts;
mod registry;
mod rooms;
mod sessions;
mod state;
mod state_tree;
mod statement;
mod store;
mod token;
mod value;
mod write_set;
mod writer;

pub use account_data::{ACCOUNT_DATA_IS_UNCHANGED, AccountData};
pub use accounts::{ACCOUNT_IS_NEW, Account};
pub use aggregations::{Aggregation, ThreadPart};
pub use changes::{Announced, Change};
pub use engine::{DatabaseSettings, EngineKind};
pub use error::{CommitError, StorageError};
pub use events::{Direction, EventFlags, NewEvent, Relation, StoredEvent, ThreadRoot};
pub use interactive_auth::InteractiveAuth;
pub use media::{ContentHash, MediaContent, StoredMedia, StoredThumbnail, ThumbnailKey};
pub use members::{Member, RoomMembers, UserRooms};
pub use numbers::{DeviceSn, EventSn, Position, RoomSn, SessionSn, Slot, TypeSn, UserSn};
pub use passes::{PASS_IS_UNUSED, Pass, PassPurpose};
pub use profiles::Profile;
pub use pushers::NewPusher;
pub use receipts::{NewReceipt, Receipt};
pub use registry::{SchemaColumn, check_statements, fresh_schema, pretend_newer_schema, schema};
pub use rooms::{Alias, RoomHead};
pub use sessions::{DEVICE_IS_NEW, Device, NewSession, SESSION_IS_THERE, StoredSession};
pub use state_tree::{Difference, StateRoot};
pub use store::{Store, StoreSettings};
pub use token::{Ephemeral, InvalidToken, Token};
pub use write_set::{TransactionKey, WriteSet};
pub use writer::{Committed, Submitted};
