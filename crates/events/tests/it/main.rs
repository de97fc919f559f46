//! Tests of `parvis-events`, one module for each subject.
#![expect(clippy::unwrap_used, reason = "tests")]

mod canonical;
mod client_form;
mod content;
mod draft;
mod receive;
mod redaction;
mod room_version;
mod server_key;
mod world;
