//! Push rules, pushers and notifications
//! (<https://spec.matrix.org/v1.19/client-server-api/#push-notifications>).

mod delete_pushrule;
mod get_notifications;
mod get_pushers;
mod get_pushrule;
mod get_pushrule_actions;
mod get_pushrule_enabled;
mod get_pushrules_all;
mod get_pushrules_global_scope;
mod set_pusher;
mod set_pushrule;
mod set_pushrule_actions;
mod set_pushrule_enabled;
mod stop_mails;

use http::Method;
use parvis_wire::{Endpoint, Endpoints, MatrixError};
use ruma::api::client::push;

use crate::ClientApi;

/// Whether a pusher is told anything, and the device that set it
/// (<https://github.com/matrix-org/matrix-spec-proposals/pull/3881>).
const ENABLED: &str = "org.matrix.msc3881.enabled";
const DEVICE_ID: &str = "org.matrix.msc3881.device_id";

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(delete_pushrule::handle))
        .with(Endpoint::typed(get_pushrule::handle))
        .with(Endpoint::typed(get_pushrule_actions::handle))
        .with(Endpoint::typed(get_pushrule_enabled::handle))
        .with(Endpoint::typed(get_pushrules_all::handle))
        .with(Endpoint::typed(get_pushrules_global_scope::handle))
        .with(Endpoint::typed(set_pusher::handle))
        .with(Endpoint::typed(set_pushrule_actions::handle))
        .with(Endpoint::typed(set_pushrule_enabled::handle))
        .with(Endpoint::with_own_reply(get_notifications::handle))
        .with(Endpoint::with_own_reply(get_pushers::handle))
        .with(Endpoint::open(Method::GET, stop_mails::PATH, stop_mails::show))
        .with(Endpoint::open(Method::POST, stop_mails::PATH, stop_mails::stop))
        .with(Endpoint::streaming::<push::set_pushrule::v3::Request, _, _, _>(set_pushrule::handle))
}

fn no_such_rule() -> MatrixError {
    MatrixError::not_found("There is no such push rule.")
}
