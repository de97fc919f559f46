//! Push rules and pushers.

mod pushers;
mod rules;
