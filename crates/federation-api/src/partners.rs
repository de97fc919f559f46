//! With which servers the organisation federates, as far as this crate asks.

use std::fmt;

use ruma::ServerName;

/// Knows with which servers the organisation federates.
pub trait Partners: Send + Sync + fmt::Debug {
    /// Whether requests of this server are answered.
    fn allows(&self, server: &ServerName) -> bool;
}

/// Federates with everybody.
#[derive(Clone, Copy, Debug)]
pub struct Everybody;

impl Partners for Everybody {
    fn allows(&self, _: &ServerName) -> bool {
        true
    }
}
