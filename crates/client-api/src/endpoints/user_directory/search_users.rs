//! `POST /_matrix/client/v3/user_directory/search`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3user_directorysearch>).

use parvis_wire::Call;
use ruma::api::client::user_directory::search_users::v3::{Request, Response, User};

use crate::{ApiError, ClientApi, Session};

/// Users of this homeserver whose name begins with what is sought.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let limit = u32::try_from(u64::from(call.request.limit)).unwrap_or(u32::MAX);
    let term = &call.request.search_term;
    let (found, limited) = api.accounts.search_users(call.principal.user, term, limit).await?;
    let results = found.into_iter().map(|found| {
        let mut user = User::new(found.user_id);
        user.display_name = found.profile.displayname().map(str::to_owned);
        user.avatar_url = found.profile.avatar_url().map(Into::into);
        user
    });
    Ok(Response::new(results.collect(), limited))
}
