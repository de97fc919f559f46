//! Push rules, pushers and notifications.

mod notifications;
mod pushers;
mod rules;
