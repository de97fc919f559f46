//! What other servers are told, and when: against a network that only records.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod eager;
mod mailing;
mod pushing;
mod telling;
mod world;
