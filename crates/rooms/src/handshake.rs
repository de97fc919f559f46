//! Handshakes across servers: how users come into, leave and knock at rooms that their own server is not in.
//!
//! Two halves. The resident's: this server is in the room, and helps another with an event of its user (`offer`
//! makes a template of it, `sent` takes the signed event in and answers with what the newcomer needs). The
//! joiner's: this server asks a resident (`joining`, `departure`, `knocking`), checks what it is given, and never
//! trusts a template or an answer further than its signatures and the rules of the room go. Invitations go the
//! other way around: `inviting` sends them, `invitation` takes them.
//!
//! A room that is known only from an invitation or a knock is kept without heads and without state (`outside`).

mod answer;
mod departure;
mod enter;
mod import;
mod invitation;
mod inviting;
mod joining;
mod knocking;
mod lagging;
mod offer;
mod older;
mod outside;
mod residents;
mod restricted;
mod sent;
mod stripped;
mod template;
mod third_party;
mod told;
mod verify;

pub use self::{
    answer::JoinAnswer,
    invitation::Invitation,
    offer::Template,
    third_party::{Bound, ThirdPartyInvite},
};
pub(crate) use self::{joining::Wish, outside::Doors, verify::bytes_of};
