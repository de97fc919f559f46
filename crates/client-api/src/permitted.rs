//! Who may not call which endpoint, though their token is good: users who are suspended, and guests.
//!
//! The endpoints stand in two lists, by method and path; so no handler can forget to ask.

use axum::extract::MatchedPath;
use http::{Method, StatusCode, request::Parts};
use parvis_accounts::Session;
use parvis_wire::MatrixError;
use ruma::api::error::ErrorCode;

/// What suspended users may not do: what changes rooms for others, and their profile
/// (<https://spec.matrix.org/v1.19/client-server-api/#account-suspension>). They may still leave, and redact what they
/// have sent themselves, which the handlers of redactions see to.
const NOT_WHILE_SUSPENDED: &[(Method, &str)] = &[
    (Method::POST, "createRoom"),
    (Method::POST, "join/{}"),
    (Method::POST, "knock/{}"),
    (Method::POST, "rooms/{}/join"),
    (Method::POST, "rooms/{}/invite"),
    (Method::POST, "rooms/{}/kick"),
    (Method::POST, "rooms/{}/ban"),
    (Method::POST, "rooms/{}/unban"),
    (Method::POST, "rooms/{}/upgrade"),
    (Method::PUT, "rooms/{}/send/{}/{}"),
    (Method::PUT, "rooms/{}/state/{}"),
    (Method::PUT, "rooms/{}/state/{}/"),
    (Method::PUT, "rooms/{}/state/{}/{}"),
    (Method::PUT, "profile/{}/{}"),
    (Method::DELETE, "profile/{}/{}"),
    (Method::PUT, "directory/room/{}"),
    (Method::DELETE, "directory/room/{}"),
    (Method::PUT, "directory/list/room/{}"),
    (Method::POST, "account/3pid/delete"),
    (Method::POST, "account/3pid/unbind"),
];

/// What guests may do (<https://spec.matrix.org/v1.19/client-server-api/#guest-access>), besides what needs no token.
const FOR_GUESTS: &[(Method, &str)] = &[
    (Method::GET, "versions"),
    (Method::GET, "account/whoami"),
    (Method::GET, "devices"),
    (Method::GET, "devices/{}"),
    (Method::PUT, "devices/{}"),
    (Method::GET, "events"),
    (Method::POST, "keys/upload"),
    (Method::POST, "keys/query"),
    (Method::POST, "keys/claim"),
    (Method::GET, "media/download/{}/{}"),
    (Method::GET, "media/download/{}/{}/{}"),
    (Method::GET, "media/thumbnail/{}/{}"),
    (Method::PUT, "profile/{}/{}"),
    (Method::DELETE, "profile/{}/{}"),
    (Method::GET, "rooms/{}/context/{}"),
    (Method::GET, "rooms/{}/event/{}"),
    (Method::GET, "rooms/{}/initialSync"),
    (Method::POST, "rooms/{}/join"),
    (Method::POST, "rooms/{}/leave"),
    (Method::GET, "rooms/{}/members"),
    (Method::GET, "rooms/{}/messages"),
    (Method::PUT, "rooms/{}/send/{}/{}"),
    (Method::GET, "rooms/{}/state"),
    (Method::GET, "rooms/{}/state/{}"),
    (Method::GET, "rooms/{}/state/{}/"),
    (Method::GET, "rooms/{}/state/{}/{}"),
    (Method::PUT, "rooms/{}/state/{}"),
    (Method::PUT, "rooms/{}/state/{}/"),
    (Method::PUT, "rooms/{}/state/{}/{}"),
    (Method::PUT, "sendToDevice/{}/{}"),
    (Method::GET, "sync"),
];

/// Returns if the caller may call this endpoint.
///
/// # Errors
/// `M_USER_SUSPENDED` or `M_GUEST_ACCESS_FORBIDDEN`.
pub(crate) fn check(session: &Session, request: &Parts) -> Result<(), MatrixError> {
    if !session.suspended && !session.guest {
        return Ok(());
    }
    let path =
        request.extensions.get::<MatchedPath>().map_or_else(|| request.uri.path(), MatchedPath::as_str);
    let path = without_version(path);
    let listed = |list: &[(Method, &str)]| {
        list.iter().any(|(method, template)| *method == request.method && *template == path)
    };
    if session.guest && !listed(FOR_GUESTS) {
        return Err(MatrixError::new(
            StatusCode::FORBIDDEN,
            ErrorCode::GuestAccessForbidden,
            "Guests may not do this.",
        ));
    }
    let redacts = request.uri.path().contains("/send/m.room.redaction/");
    if session.suspended && listed(NOT_WHILE_SUSPENDED) && !redacts {
        return Err(suspended());
    }
    Ok(())
}

/// What suspended users are told.
pub(crate) fn suspended() -> MatrixError {
    let message = "You cannot do this while your account is suspended.";
    MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::UserSuspended, message)
}

/// A path without what stands before its endpoint's name, and without the names of its variables: `rooms/{}/join`.
fn without_version(path: &str) -> String {
    let Some(rest) = path.strip_prefix("/_matrix/client/") else { return path.to_owned() };
    let mut segments = rest.split('/').peekable();
    let is_version = |segment: &&str| {
        let digits = segment.strip_prefix(['v', 'r']).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|letter| letter.is_ascii_digit())
    };
    if segments.next_if_eq(&"unstable").is_some() {
        // A feature that is not part of the specification yet has a name with dots.
        let _ = segments.next_if(|segment| segment.contains('.'));
    } else {
        let _ = segments.next_if_eq(&"api");
        let _ = segments.next_if(is_version);
    }
    let named = segments.map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    named.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::{FOR_GUESTS, NOT_WHILE_SUSPENDED, without_version};

    #[test]
    fn versions_and_names_do_not_matter() {
        for (path, expected) in [
            ("/_matrix/client/v3/rooms/{room_id}/join", "rooms/{}/join"),
            ("/_matrix/client/r0/rooms/{room_id}/join", "rooms/{}/join"),
            ("/_matrix/client/unstable/uk.tcpip.msc4133/profile/{user_id}/{field}", "profile/{}/{}"),
            ("/_matrix/client/api/v1/join/{room_id}", "join/{}"),
            ("/_matrix/client/versions", "versions"),
            ("/_matrix/media/v3/upload", "/_matrix/media/v3/upload"),
        ] {
            assert_eq!(without_version(path), expected);
        }
    }

    #[test]
    fn every_listed_endpoint_is_answered() {
        let routes: Vec<_> = crate::routes();
        for (method, template) in FOR_GUESTS.iter().chain(NOT_WHILE_SUSPENDED) {
            let known =
                routes.iter().any(|(known, path)| known == method && without_version(path) == *template);
            // The older event stream is not there; whether it is or not, guests could use it.
            let older = ["events", "rooms/{}/initialSync"].contains(template);
            assert!(known || older, "{method} {template}");
        }
    }
}
