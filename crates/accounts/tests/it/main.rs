//! What the accounts engine promises on a real store: above all where several do something at once, or on
//! several nodes. What it answers one request at a time is tested through HTTP, in `client-api`.

#![expect(clippy::unwrap_used, reason = "tests")]

mod at_once;
mod nodes;
mod seen;
mod world;
