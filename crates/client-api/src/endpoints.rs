//! All endpoints, by section. A section's module lists its endpoints; each has a file of its own.

mod account;
mod account_page;
mod admin;
mod appservice;
mod authenticated_media;
mod backup;
mod config;
mod dehydrated_device;
mod delayed_event;
mod device;
mod directory;
mod discovery;
mod filter;
mod keys;
mod media;
mod membership;
mod message;
mod oauth;
mod old_sync;
mod presence;
mod profile;
mod push;
mod read_marker;
mod receipt;
mod relations;
mod rendezvous;
mod reporting;
mod room;
mod search;
mod session;
mod state;
mod sync;
mod tag;
mod thirdparty;
mod thread_subscription;
mod to_device;
mod typing;
mod user_directory;
mod voip;

use parvis_rooms::HistoryToken;
use parvis_wire::{Endpoints, MatrixError};

use crate::ClientApi;

pub(crate) fn all() -> Endpoints<ClientApi> {
    Endpoints::new()
        .merge(account::endpoints())
        .merge(account_page::endpoints())
        .merge(admin::endpoints())
        .merge(appservice::endpoints())
        .merge(authenticated_media::endpoints())
        .merge(backup::endpoints())
        .merge(config::endpoints())
        .merge(dehydrated_device::endpoints())
        .merge(delayed_event::endpoints())
        .merge(device::endpoints())
        .merge(directory::endpoints())
        .merge(discovery::endpoints())
        .merge(filter::endpoints())
        .merge(keys::endpoints())
        .merge(media::endpoints())
        .merge(membership::endpoints())
        .merge(message::endpoints())
        .merge(oauth::endpoints())
        .merge(old_sync::endpoints())
        .merge(presence::endpoints())
        .merge(profile::endpoints())
        .merge(push::endpoints())
        .merge(read_marker::endpoints())
        .merge(receipt::endpoints())
        .merge(relations::endpoints())
        .merge(rendezvous::endpoints())
        .merge(reporting::endpoints())
        .merge(room::endpoints())
        .merge(search::endpoints())
        .merge(session::endpoints())
        .merge(state::endpoints())
        .merge(sync::endpoints())
        .merge(tag::endpoints())
        .merge(thirdparty::endpoints())
        .merge(thread_subscription::endpoints())
        .merge(to_device::endpoints())
        .merge(typing::endpoints())
        .merge(user_directory::endpoints())
        .merge(voip::endpoints())
}

/// A place in a room's history, from a parameter of this name.
pub(crate) fn token(text: Option<&str>, name: &str) -> Result<Option<HistoryToken>, MatrixError> {
    let bad = || MatrixError::invalid_param(format!("`{name}` is no token of this server"));
    text.map(|text| HistoryToken::parse(text).ok_or_else(bad)).transpose()
}
