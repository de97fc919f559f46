//! Simulated worlds: homeservers that share a network and a time which both do what a seed says.
//!
//! All waiting goes through one queue: sleeping on the clock, messages between servers, and each turn of a database.
//! One thread takes entry after entry out of it, lets one server go on until it waits again, and only then takes
//! the next. So virtual time never passes while something runs, and the order of things is the seed's. Each server
//! has an asynchronous runtime of its own, which runs only then; a crash drops it between two commits, and a
//! restart opens the same database file.
//!
//! Not simulated: SQLite itself, which works in real time on its own threads while the world waits for it; and
//! what the standard library draws by itself (the order of hash maps, which branch of a `select!` goes first). So
//! a run with the same seed has the same operations, partitions and fates of messages, and nearly always the same
//! trace; see `trace`.

mod ambient;
mod core;
mod fate;
mod member;
mod template;
mod weather;
mod wire;
mod world;

pub use self::{
    core::Moment,
    fate::{Fate, Stream},
    template::{Person, USERS},
    weather::{Counts, Weather},
    world::{Answered, Databases, Expected, Foreign, Planted, Ticket, World},
};
