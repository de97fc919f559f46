//! The rules of the graph: what an event may do, who may see it, and which state holds where forks meet.
//!
//! Everything here is a function of its arguments. Events are given through closures that look in memory;
//! fetching them, and remembering what was decided, is the business of others. No input or output, no clock,
//! no organisation's policy: two servers that are given the same events decide alike, or the room splits.
//!
//! <https://spec.matrix.org/v1.19/server-server-api/#pdus>

mod auth;
mod create;
mod error;
mod glob;
mod graph;
mod invite_permission;
mod judge;
mod known;
mod power;
mod resolution;
mod server_acl;
mod visibility;

pub use auth::{auth_types, authorise, check_auth_events, owner_of_state_key};
pub use error::AuthError;
pub use graph::{
    advance_extremities, auth_chain, conflicted_subgraph, forward_extremities, topological_order,
};
pub use invite_permission::{InvitePermission, InviteVerdict};
pub use judge::{Verdict, judge, judge_outlier};
pub use known::Known;
pub use power::{Power, PowerLevels};
pub use resolution::{Fork, ResolutionError, StateMap, relevant_keys, resolve};
pub use server_acl::ServerAcl;
pub use visibility::{HistoryVisibility, Standing, may_see, server_may_see};
