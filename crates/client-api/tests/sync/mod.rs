//! What is new.

mod sync_events;
