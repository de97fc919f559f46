//! What is new.

mod sliding;
mod sync_events;
