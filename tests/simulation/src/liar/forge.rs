//! Making events and requests: signed as they must be, or nearly.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use parvis_dag::auth_types;
use parvis_events::{Pdu, canonical};
use ruma::{
    CanonicalJsonObject, EventId, OwnedEventId, ServerName, ServerSigningKeyId,
    api::federation::authentication::XMatrix,
    serde::Base64,
    signatures::{hash_and_sign_event, reference_hash, to_canonical_json_string_for_signing},
};
use serde_json::{Value, json, value::to_raw_value};

use super::Liar;

impl Liar {
    /// A request in this server's name, to a path behind `/_matrix/federation/`.
    pub(super) fn request(
        &self,
        to: &str,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> http::Request<Bytes> {
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = http::Request::builder().method(method).uri(format!("/_matrix/federation/{path}"));
        let mut request = request.header(header::CONTENT_TYPE, "application/json").body(body).unwrap();
        let to = <&ServerName>::try_from(to).unwrap();
        if let Ok(object) = XMatrix::request_object(&request, &self.name, to) {
            let text = to_canonical_json_string_for_signing(&object).unwrap();
            let signature = Base64::parse(self.key.sign_bytes(text.as_bytes())).unwrap();
            let key = <&ServerSigningKeyId>::try_from(self.key.key_id()).unwrap();
            let header = XMatrix::new(self.name.clone(), to.to_owned(), key.to_owned(), signature);
            request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from(&header));
        }
        request
    }

    /// A transaction.
    pub(super) fn transaction(&mut self, to: &str, pdus: &[Value], edus: &[Value]) -> http::Request<Bytes> {
        self.transactions += 1;
        let id = format!("lie{}", self.transactions);
        self.transaction_of(to, &id, pdus, edus)
    }

    /// A transaction of this id.
    pub(super) fn transaction_of(
        &self,
        to: &str,
        id: &str,
        pdus: &[Value],
        edus: &[Value],
    ) -> http::Request<Bytes> {
        let body =
            json!({ "origin": self.name, "origin_server_ts": self.now_ms, "pdus": pdus, "edus": edus });
        self.request(to, &Method::PUT, &format!("v1/send/{id}"), Some(&body))
    }

    /// An event as it is signed and hashed, from its fields, which need not make sense.
    pub(super) fn forge(&self, event: Value) -> Pdu {
        let mut object: CanonicalJsonObject = serde_json::from_value(event).unwrap();
        for field in ["hashes", "signatures", "unsigned"] {
            object.remove(field);
        }
        let rules = self.version.rules();
        hash_and_sign_event(self.name.as_str(), &self.pair, &mut object, &rules.redaction).unwrap();
        let id: OwnedEventId = format!("${}", reference_hash(&object, rules).unwrap()).try_into().unwrap();
        let room = self.room.clone().unwrap();
        Pdu::from_stored(id, room, self.version, canonical::to_text(&object)).unwrap()
    }

    /// The fields of an event of the first user that is as it must be: at the ends of the room, allowed by the
    /// state as it is known here.
    pub(super) fn fields(&self, kind: &str, state_key: Option<&str>, content: &Value) -> Value {
        let prev: Vec<&OwnedEventId> = self.heads.iter().take(10).collect();
        let depth = prev.iter().filter_map(|id| self.known.get(*id)).map(Pdu::depth).max().unwrap_or(1);
        let mut event = json!({
            "room_id": self.room,
            "sender": self.users[0],
            "type": kind,
            "content": content,
            "prev_events": prev,
            "auth_events": self.authority(kind, state_key, content),
            "depth": depth.saturating_add(1).min(parvis_events::MAX_DEPTH),
            "origin_server_ts": self.now_ms,
        });
        if let Some(state_key) = state_key {
            event["state_key"] = state_key.into();
        }
        event
    }

    /// What allows an event, by the state as it is known here.
    pub(super) fn authority(
        &self,
        kind: &str,
        state_key: Option<&str>,
        content: &Value,
    ) -> Vec<OwnedEventId> {
        let sender = self.users[0].as_str().try_into().unwrap();
        let content = to_raw_value(content).unwrap();
        let keys = auth_types(self.version, sender, kind, state_key, &content).unwrap_or_default();
        let keys =
            keys.into_iter().filter(|key| key.0 != "m.room.create" || !self.version.room_id_is_create_hash());
        keys.filter_map(|key| self.state.get(&key).cloned()).collect()
    }

    /// A message that is as it must be.
    pub(super) fn message(&mut self, text: &str) -> Pdu {
        self.transactions += 1;
        let body = format!("{text} {} of {}", self.transactions, self.name);
        self.forge(self.fields("m.room.message", None, &json!({ "msgtype": "m.text", "body": body })))
    }

    /// Everything that allows these events, and allows that in turn, as far as it is known here.
    pub(super) fn chain<'a>(&self, of: impl Iterator<Item = &'a OwnedEventId>) -> BTreeSet<OwnedEventId> {
        let mut chain = BTreeSet::new();
        let mut to_look_at: Vec<OwnedEventId> = of.cloned().collect();
        while let Some(id) = to_look_at.pop() {
            for auth in self.event(&id).map(|pdu| pdu.auth_events().to_vec()).unwrap_or_default() {
                if chain.insert(auth.clone()) {
                    to_look_at.push(auth);
                }
            }
        }
        chain
    }

    /// An event that it has heard of or made up.
    pub(super) fn event(&self, id: &EventId) -> Option<&Pdu> {
        self.known.get(id).or_else(|| self.made_up.get(id))
    }
}

/// An event as it is sent.
pub(super) fn sent(pdu: &Pdu) -> Value {
    serde_json::from_str(pdu.json()).unwrap()
}
