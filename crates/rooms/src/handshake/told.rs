//! What a resident tells of a room when it lets somebody in.
//!
//! The answer for a large room has tens of megabytes. Its events are not copied out of it: each is a part of the body as
//! it arrived, which goes when the last of them has been read.

use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

/// What a resident tells of a room.
pub(super) struct Told {
    /// The join with the resident's signature, where it gives that.
    pub(super) event: Option<Bytes>,
    /// The state before the join.
    pub(super) state: Vec<Bytes>,
    /// What authorises it.
    pub(super) auth_chain: Vec<Bytes>,
}

/// The answer's body. <https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid>
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    state: Vec<&'a RawValue>,
    #[serde(borrow)]
    auth_chain: Vec<&'a RawValue>,
}

/// The body as the first version of the endpoint has it: behind a status.
#[derive(Deserialize)]
struct FirstVersion<'a>(IgnoredAny, #[serde(borrow)] Answer<'a>);

impl Told {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// Where it is no such answer.
    pub(super) fn read(body: &Bytes) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body).map(|answer| Self::of(body, &answer))
    }

    /// Reads the body of an answer by the first version of the endpoint.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) fn read_first_version(body: &Bytes) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body).map(|FirstVersion(_, answer)| Self::of(body, &answer))
    }

    fn of(body: &Bytes, answer: &Answer<'_>) -> Self {
        let part = |event: &&RawValue| body.slice_ref(event.get().as_bytes());
        Self {
            event: answer.event.as_ref().map(part),
            state: answer.state.iter().map(part).collect(),
            auth_chain: answer.auth_chain.iter().map(part).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Told;

    #[test]
    fn events_are_parts_of_the_body() {
        let body =
            Bytes::from_static(br#"{"state":[{"a": 1},{"b":2}],"members_omitted":false,"auth_chain":[]}"#);
        let told = Told::read(&body).unwrap();
        assert_eq!(told.state, [&br#"{"a": 1}"#[..], br#"{"b":2}"#]);
        assert!(told.auth_chain.is_empty() && told.event.is_none());
        assert!(body.as_ptr_range().contains(&told.state[1].as_ptr()));
    }

    #[test]
    fn first_version_has_the_answer_behind_a_status() {
        let body = Bytes::from_static(br#"[200,{"auth_chain":[{"c":3}],"state":[],"event":{"d":4}}]"#);
        let told = Told::read_first_version(&body).unwrap();
        assert_eq!(told.auth_chain, [&br#"{"c":3}"#[..]]);
        assert_eq!(told.event.as_deref(), Some(&br#"{"d":4}"#[..]));
        assert!(Told::read(&body).is_err());
    }
}
