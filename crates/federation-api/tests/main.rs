//! The server-server API, one endpoint at a time.

#![expect(clippy::unwrap_used, reason = "tests")]

mod authentication;
mod directory;
mod discovery;
mod event;
mod hostile;
mod keys;
mod media;
mod membership;
mod openid;
mod transactions;
mod world;
