//! Who showed a third party an OpenID token.
//! <https://spec.matrix.org/v1.19/server-server-api/#openid>

mod get_openid_userinfo;

use parvis_wire::{Endpoint, Endpoints};

use crate::FederationApi;

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new().with(Endpoint::typed(get_openid_userinfo::handle))
}
