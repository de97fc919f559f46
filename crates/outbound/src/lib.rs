//! What others have not been told: one queue for each server, and one for each phone.
//!
//! [`Outbound`] follows the store's stream of changes and tells other servers of what concerns them: events,
//! receipts, typing, presence, and whatever was put down for them in the store. Nothing is written for each event
//! and server: one position says up to where everybody was told everything, and the few servers that lag behind
//! have a row of their own. A server that was told everything costs nothing; one that does not answer costs a few
//! numbers, and delays nobody.
//!
//! [`Answers`] is the other half: what other servers' own transactions were answered.
//!
//! [`ServiceTransactions`] tells application services, and [`ServiceQueries`] asks them.
//!
//! [`Push`] does the same for the push gateways that users' apps have named.
//!
//! This crate knows nothing of discovery, keys and back-off, which the network brings, and nothing of what users want
//! to be told, for which there is the door [`Attention`].
//!
//! From below: `error`, `load`, `queue`, `queues` and `news` (pure), `transaction` and `audience` (what the store says),
//! `engine` (tasks). `push` stands by itself.

mod answers;
mod application_services;
mod audience;
mod engine;
mod error;
mod load;
mod news;
mod push;
mod queue;
mod queues;
mod transaction;

pub use answers::{Answers, Turn};
pub use application_services::{PingError, ServiceQueries, ServiceTransactions, ThirdParty};
pub use engine::{Outbound, OutboundStatus};
pub use push::{Attention, MailPush, Push, PushSettings, PushStatus, PusherCounts};
pub use queues::QueueStatus;
