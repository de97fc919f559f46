//! What a client has not seen yet, and what it may see at all.
//!
//! [`View`] decides what one reader sees of events: which of them, and with what said about them. This crate
//! reads what others have committed; it changes no room, and knows nothing of HTTP or of the organisation's
//! policy. Its answers are typed values which the API writes as JSON.

mod view;

pub use view::{Reader, Relations, ShownEvent, ThreadSummary, View};
