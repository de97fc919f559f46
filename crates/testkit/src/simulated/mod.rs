//! Simulated worlds: homeservers that share a network and a time which both do what a seed says.
//!
//! All waiting goes through one queue: sleeping on the clock, messages between servers, and each turn of a database.
//! One thread takes entry after entry out of it, lets one server go on until it waits again, and only then takes
//! the next. So virtual time never passes while something runs, and the order of things is the seed's. Each server
//! has an asynchronous runtime of its own, which runs only then; a crash drops it between two commits, and a
//! restart opens the same database file.
//!
//! Not simulated: SQLite itself, which works in real time on its own threads, for one statement or commit at a
//! time, while the world waits for it; and the thread for work that blocks, which works only while nothing else
//! does. So what they give back is noticed in the same order each time, and a run with the same seed is the same
//! run, to the microsecond. What breaks this is chance that the standard library or the runtime draws by
//! themselves: where the order of things follows from that of a hash map, from a `select!` that is not `biased`, or
//! from who is told first of what a `watch` channel carries. Then the test of this finds it; `--times 2 --turns`
//! shows where two runs part.

mod ambient;
mod core;
mod fate;
mod idle;
mod member;
mod sizes;
mod template;
mod weather;
mod wire;
mod world;

pub use self::{
    core::Moment,
    fate::{Fate, Stream},
    sizes::Sizes,
    template::{Person, USERS},
    weather::{Counts, Weather},
    world::{Answered, Databases, Expected, Files, Foreign, Planted, Ticket, World},
};
