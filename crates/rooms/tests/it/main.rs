//! What rooms do, on a real store.

mod creation;
mod membership;
mod sending;
mod world;
