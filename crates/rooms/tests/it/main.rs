//! What rooms do, on a real store.

mod across;
mod cost;
mod creation;
mod forks;
mod handshakes;
mod large_join;
mod membership;
mod policy_servers;
mod receiving;
mod returning;
mod sending;
mod third_parties;
mod world;
