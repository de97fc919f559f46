//! The few calls of the client-server API that the scenarios make, in stable spec paths where there are some. Bodies are handed in
//! serialised; answers are searched for the one value that is needed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method};
use serde_json::json;

use crate::{
    connection::{Answer, Call, Connection, Failure, Server},
    scan,
};

/// A user with an access token.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// `@localpart:server`.
    pub(crate) user_id: String,
    bearer: HeaderValue,
}

impl Account {
    /// From what the login answered.
    pub(crate) fn new(user_id: String, access_token: &str) -> Result<Self, Failure> {
        let bearer = HeaderValue::from_str(&format!("Bearer {access_token}"))
            .map_err(|_| Failure::Unexpected("an access token that cannot stand in a header".to_owned()))?;
        Ok(Self { user_id, bearer })
    }
}

/// One user on one connection.
pub(crate) struct Client {
    account: Arc<Account>,
    connection: Connection,
}

impl Client {
    /// Connects with the first call.
    pub(crate) fn new(server: &Arc<Server>, account: &Arc<Account>) -> Self {
        Self { account: Arc::clone(account), connection: Connection::new(Arc::clone(server)) }
    }

    /// Waits this long for each answer.
    pub(crate) fn patient(mut self, limit: Duration) -> Self {
        self.connection.limit = limit;
        self
    }

    /// The next calls are made by another user over the same connection.
    pub(crate) fn act_as(&mut self, account: &Arc<Account>) {
        self.account = Arc::clone(account);
    }

    /// `POST /createRoom`; the new room's id.
    pub(crate) async fn create_room(&mut self, body: &Bytes) -> Result<String, Failure> {
        let body = self.post("createRoom", "/_matrix/client/v3/createRoom", body.clone()).await?;
        owned(&body, "room_id")
    }

    /// `POST /rooms/{roomId}/join`.
    pub(crate) async fn join(&mut self, room_id: &str) -> Result<(), Failure> {
        let path = format!("/_matrix/client/v3/rooms/{}/join", encoded(room_id));
        self.post("join", &path, Bytes::from_static(b"{}")).await.map(drop)
    }

    /// `POST /join/{roomIdOrAlias}` into a room that this server knows.
    pub(crate) async fn join_via(&mut self, room_id: &str, server: &str) -> Result<(), Failure> {
        let (room_id, server) = (encoded(room_id), encoded(server));
        let path = format!("/_matrix/client/v3/join/{room_id}?via={server}&server_name={server}");
        self.post("join", &path, Bytes::from_static(b"{}")).await.map(drop)
    }

    /// `PUT /rooms/{roomId}/send/m.room.message/{txnId}`. `room` is a [`send_path`].
    pub(crate) async fn send(&mut self, room: &str, txn_id: &str, body: &Bytes) -> Result<(), Failure> {
        let path = format!("{room}{txn_id}");
        self.call(Method::PUT, &path, body.clone()).await?.success("send").map(drop)
    }

    /// `POST /user/{userId}/filter`; the filter's id.
    pub(crate) async fn upload_filter(&mut self, filter: Bytes) -> Result<String, Failure> {
        let path = format!("/_matrix/client/v3/user/{}/filter", encoded(&self.account.user_id));
        let body = self.post("filter", &path, filter).await?;
        owned(&body, "filter_id")
    }

    /// `GET /sync` with these query parameters; the body and its `next_batch`.
    pub(crate) async fn sync(&mut self, query: &str) -> Result<(Bytes, String), Failure> {
        let body = self.get("sync", &format!("/_matrix/client/v3/sync?{query}")).await?;
        let next_batch = owned(&body, "next_batch")?;
        Ok((body, next_batch))
    }

    /// One request of sliding sync, as clients make it today, with these query parameters; the body and its `pos`.
    pub(crate) async fn slide(&mut self, query: &str, body: &Bytes) -> Result<(Bytes, String), Failure> {
        let path = format!("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?{query}");
        let body = self.post("sliding sync", &path, body.clone()).await?;
        let pos = owned(&body, "pos")?;
        Ok((body, pos))
    }

    /// Any `GET` that must succeed; `endpoint` names it in the report should it fail.
    pub(crate) async fn get(&mut self, endpoint: &'static str, path: &str) -> Result<Bytes, Failure> {
        self.call(Method::GET, path, Bytes::new()).await?.success(endpoint)
    }

    async fn post(&mut self, endpoint: &'static str, path: &str, body: Bytes) -> Result<Bytes, Failure> {
        self.call(Method::POST, path, body).await?.success(endpoint)
    }

    async fn call(&mut self, method: Method, path: &str, body: Bytes) -> Result<Answer, Failure> {
        self.connection.call(Call { method, path, bearer: Some(&self.account.bearer), body }).await
    }
}

/// The fixed beginning of the paths that send a message into this room.
pub(crate) fn send_path(room_id: &str) -> String {
    format!("/_matrix/client/v3/rooms/{}/send/m.room.message/", encoded(room_id))
}

/// The body of an ordinary text message.
pub(crate) fn text_message(text: &str) -> Bytes {
    serialised(&json!({ "msgtype": "m.text", "body": text }))
}

/// A JSON value as a body that can be shared.
pub(crate) fn serialised(value: &serde_json::Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// A value as it must stand in a path segment or a query.
pub(crate) fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn owned(body: &Bytes, key: &str) -> Result<String, Failure> {
    let found = scan::text_of(body, key).map(str::to_owned);
    found.ok_or_else(|| Failure::Unexpected(format!("an answer without {key}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn identifiers_are_encoded_for_paths() {
        assert_eq!(super::encoded("!a_b:h:1"), "%21a_b%3Ah%3A1");
    }
}
