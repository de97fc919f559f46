//! The organisation's decisions, as pure functions from facts to a [`Decision`] that says why.
//!
//! A decision binds what our own users do and what our server accepts at its edges. It never changes the verdict
//! on a remote event. This crate knows nothing of HTTP, storage or time; whoever asks brings the facts.

mod client_kind;
mod decision;
pub mod encryption;
pub mod federation;
mod glob;
pub mod push;
mod room_class;
mod settings;
mod standing;

pub use client_kind::ClientKind;
pub use decision::{Decision, Setting};
pub use room_class::{Preset, RoomClass, RoomTraits};
pub use settings::{Policy, SettingError, Settings};
pub use standing::Standing;
