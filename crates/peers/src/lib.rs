//! The door to other machines: what we ask of them, in terms that the real network and a simulated one both
//! meet.
//!
//! A [`Transport`] carries one HTTP exchange to a homeserver. [`Federation`] speaks the server-server API over
//! it, with ruma's types, and signs what it says. [`ServerKeys`] knows the keys that other servers sign with.
//! [`ServiceCaller`] asks application services, and [`ProviderCaller`] identity providers. A [`Mailer`] hands mails to a
//! mail server. A [`PeopleDirectory`] knows the people of the organisation.
//! This crate knows nothing of sockets, of discovery, or of where keys are kept: `peers-http` does.
//!
//! <https://spec.matrix.org/v1.19/server-server-api/>

mod directory;
mod error;
pub mod event_relationships;
mod federation;
mod keys;
mod language;
mod mail;
mod providers;
mod services;
mod transport;

pub use directory::{DirectoryError, PeopleDirectory, Person};
pub use error::PeerError;
pub use federation::{Authentication, Federation};
pub use keys::{
    KeyBook, KeyQuery, KeysWanted, NoKeys, ServerKeys, VerifyKey, WantedKeys, verify_events, want_keys,
    wanted_keys,
};
pub use language::Language;
pub use mail::{Mail, MailError, Mailer, in_html};
pub use providers::{ProviderCaller, ProviderQuestion};
pub use services::{ServiceAddress, ServiceCaller};
pub use transport::{Body, Limits, NoNetwork, Page, PageWish, Transport};
