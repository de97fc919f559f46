//! From a session to what engines want to know of who acts.

use parvis_e2ee::Caller;
use parvis_policy::ClientKind;
use parvis_rooms::Actor;
use parvis_sync::Reader;
use parvis_wire::Call;
use ruma::MilliSecondsSinceUnixEpoch;

use crate::Session;

/// Who made a request, and with what kind of client.
pub(crate) fn actor<T>(call: &Call<T, Session>) -> Actor {
    actor_of(&call.principal, call.user_agent())
}

/// As [`actor`], for an event that counts as sent at this time, where an application service says so.
pub(crate) fn actor_at<T>(call: &Call<T, Session>, timestamp: Option<MilliSecondsSinceUnixEpoch>) -> Actor {
    let actor = actor(call);
    let timestamp = timestamp.filter(|_| actor.service.is_some()).map(|timestamp| timestamp.get().into());
    Actor { timestamp, ..actor }
}

/// As [`actor`], for requests whose session is optional.
pub(crate) fn actor_of(session: &Session, user_agent: Option<&str>) -> Actor {
    Actor {
        user: session.user,
        user_id: session.user_id.clone(),
        device: Some(session.device),
        client: ClientKind::of_user_agent(user_agent),
        service: session.service.clone(),
        timestamp: None,
    }
}

/// Which device asks, for keys and messages.
pub(crate) fn caller(session: &Session) -> Caller {
    Caller {
        user: session.user,
        user_id: session.user_id.clone(),
        device: session.device,
        device_id: session.device_id.clone(),
    }
}

/// Who reads, for the view.
pub(crate) fn reader(session: &Session) -> Reader {
    Reader { user: session.user, device: session.device }
}
