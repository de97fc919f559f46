//! The search: finding messages, and the names and topics of rooms, by their words.
//!
//! A word is found in whatever form it stands, inflected or accented, in the languages of the organisation. What that
//! means is decided here ([`Normaliser`]) and not in the database, so that both engines find the same: texts come to
//! the index as normalised words, and questions too. A worker follows the store's stream from its own cursor
//! ([`Search`]), puts in what is new, takes out what was redacted, and goes through what was there before it.
//!
//! This crate does not know who may see what: it finds candidates, which the `view` of `sync` then lets through or not.
//! What is encrypted it cannot read, and does not try to.
//!
//! From below: `language` and `fold` (pure), `normaliser`, `question`, `text` (what of an event is sought), `documents`
//! (what the store says of it), `engine` (the worker, and finding).

mod documents;
mod engine;
mod fold;
mod language;
mod normaliser;
mod question;
mod text;

pub use engine::{Candidate, Scope, Search, SearchSettings, SearchStatus};
pub use language::{Language, UnknownLanguage};
pub use normaliser::Normaliser;
pub use question::{Question, Weight};
pub use text::TextKind;
