//! Application services as their registrations describe them: who they are, and what is theirs.
//!
//! A [`Registration`] is what a file says. [`ApplicationServices`] are those of one organisation: found by token or
//! by name, and asked to whom a user, an alias or a room belongs. All of it is pure; this crate knows nothing of
//! sessions, of rooms, and of how a service is reached.
//!
//! <https://spec.matrix.org/v1.19/application-service-api/#registration>

mod namespace;
mod registration;
mod services;

pub use namespace::Namespace;
pub use registration::{EphemeralForms, Registration, RegistrationError, Secret};
pub use services::{ApplicationService, ApplicationServices, Conflict};
