//! Asking application services for what only they know: users and aliases that are not here yet, other networks, and
//! whether they are there. <https://spec.matrix.org/v1.19/application-service-api/#querying>

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::Method;
use parvis_ambient::Ambient;
use parvis_application_services::{ApplicationService, ApplicationServices};
use parvis_peers::{Limits, PeerError, ServiceAddress, ServiceCaller};
use ruma::{RoomAliasId, UserId};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

/// How long a service may take for an answer, and how long that may be.
const QUESTION: Limits =
    Limits { timeout: Duration::from_secs(10), max_bytes: 1 << 20, despite_back_off: true };
/// A service that is asked for a user or an alias may have to make it first.
const CREATION: Limits =
    Limits { timeout: Duration::from_secs(30), max_bytes: 64 << 10, despite_back_off: true };
/// How many questions are under way at a time.
const MOST_QUESTIONS: usize = 32;

/// Asks application services. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServiceQueries {
    services: ApplicationServices,
    caller: ServiceCaller,
    ambient: Ambient,
    slots: Arc<Semaphore>,
    nudges: Nudges,
}

/// For each service that listens, what wakes its task.
pub(super) type Nudges = Arc<HashMap<String, Nudge>>;

/// What wakes the task of a service.
#[derive(Debug, Default)]
pub(super) struct Nudge {
    /// There is something new for it.
    pub(super) news: Notify,
    /// It can be reached again: what has failed may be tried at once.
    pub(super) retry: Notify,
}

/// What is looked for in other networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThirdParty {
    /// Users.
    User,
    /// Rooms.
    Location,
}

impl ThirdParty {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Location => "location",
        }
    }
}

/// Why a service did not answer a ping.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// It listens nowhere.
    #[error("the application service has no URL")]
    NoUrl,
    /// It did not answer in time.
    #[error("the application service did not answer in time")]
    Timeout,
    /// It cannot be reached.
    #[error("the application service cannot be reached: {0}")]
    Unreachable(String),
    /// It answered with a status that is none of success.
    #[error("the application service answered {status}")]
    BadStatus {
        /// The status.
        status: u16,
        /// What it said.
        body: String,
    },
}

impl ServiceQueries {
    /// Asks these services.
    pub fn new(services: ApplicationServices, caller: ServiceCaller, ambient: Ambient) -> Self {
        let listening = services.iter().filter(|service| service.registration().url.is_some());
        let nudges = listening.map(|service| (service.id().to_owned(), Nudge::default())).collect();
        let slots = Arc::new(Semaphore::new(MOST_QUESTIONS));
        Self { services, caller, ambient, slots, nudges: Arc::new(nudges) }
    }

    pub(super) fn services(&self) -> &ApplicationServices {
        &self.services
    }

    pub(super) fn caller(&self) -> &ServiceCaller {
        &self.caller
    }

    pub(super) fn nudges(&self) -> Nudges {
        Arc::clone(&self.nudges)
    }

    /// Whether a service may have this user.
    pub fn may_have_user(&self, user: &UserId) -> bool {
        self.services.iter().any(|service| service.registration().url.is_some() && service.may_act_as(user))
    }

    /// Whether a service may have this alias.
    pub fn may_have_alias(&self, alias: &RoomAliasId) -> bool {
        self.services
            .iter()
            .any(|service| service.registration().url.is_some() && service.cares_for_alias(alias))
    }

    /// Whether a service says that it has this user, and so has made it by now.
    pub async fn has_user(&self, user: &UserId) -> bool {
        let path = format!("/_matrix/app/v1/users/{}", encode(user.as_str()));
        self.any(&path, |service| service.may_act_as(user)).await
    }

    /// Whether a service says that it has this alias, and so has made it by now.
    pub async fn has_alias(&self, alias: &RoomAliasId) -> bool {
        let path = format!("/_matrix/app/v1/rooms/{}", encode(alias.as_str()));
        self.any(&path, |service| service.cares_for_alias(alias)).await
    }

    async fn any(&self, path: &str, concerns: impl Fn(&ApplicationService) -> bool) -> bool {
        for service in self.services.iter().filter(|service| concerns(service)) {
            match self.ask(service, Method::GET, path, Bytes::new(), CREATION).await {
                Ok(_) => return true,
                Err(error) => note(service, &error),
            }
        }
        false
    }

    /// What the services say of the networks to which they lead, by the networks' names; of one that is named, or all.
    pub async fn protocols(&self, wanted: Option<&str>) -> BTreeMap<String, Value> {
        let mut protocols: BTreeMap<String, Value> = BTreeMap::new();
        for service in self.services.iter() {
            let names = service.registration().protocols.iter();
            for name in names.filter(|name| wanted.is_none_or(|wanted| wanted == name.as_str())) {
                let path = format!("/_matrix/app/v1/thirdparty/protocol/{}", encode(name));
                let Some(mut protocol) = self.ask_json(service, &path).await.filter(Value::is_object) else {
                    continue;
                };
                for instance in protocol["instances"].as_array_mut().into_iter().flatten() {
                    if let (Some(fields), Some(network)) =
                        (instance.as_object(), instance["network_id"].as_str())
                    {
                        let id = service.instance_id(network);
                        let mut fields = fields.clone();
                        fields.insert("instance_id".to_owned(), id.into());
                        *instance = Value::Object(fields);
                    }
                }
                merge(protocols.entry(name.clone()).or_insert(Value::Null), protocol);
            }
        }
        protocols
    }

    /// What the services find in other networks: in one, by the fields in a query string; or by the name that it has
    /// here, which is in the query string then.
    pub async fn third_party(&self, kind: ThirdParty, protocol: Option<&str>, query: &str) -> Vec<Value> {
        let mut found = Vec::new();
        for service in self.services.iter() {
            let speaks = |protocol: &str| service.registration().protocols.iter().any(|own| own == protocol);
            if !protocol.map_or(!service.registration().protocols.is_empty(), speaks) {
                continue;
            }
            let mut path = format!("/_matrix/app/v1/thirdparty/{}", kind.name());
            if let Some(protocol) = protocol {
                path.push('/');
                path.push_str(&encode(protocol));
            }
            if !query.is_empty() {
                path.push('?');
                path.push_str(query);
            }
            if let Some(Value::Array(list)) = self.ask_json(service, &path).await {
                found.extend(list.into_iter().filter(Value::is_object));
            }
        }
        found
    }

    /// Has a service show that it is there; gives how long that took.
    ///
    /// # Errors
    /// [`PingError`].
    pub async fn ping(
        &self,
        service: &ApplicationService,
        transaction_id: Option<&str>,
    ) -> Result<Duration, PingError> {
        if service.registration().url.is_none() {
            return Err(PingError::NoUrl);
        }
        let body = match transaction_id {
            Some(id) => json!({ "transaction_id": id }),
            None => json!({}),
        };
        let began = self.ambient.now();
        let answer =
            self.ask(service, Method::POST, "/_matrix/app/v1/ping", body.to_string().into(), QUESTION);
        match answer.await {
            Ok(_) => {
                // What waits for it need wait no longer.
                if let Some(nudge) = self.nudges.get(service.id()) {
                    nudge.retry.notify_one();
                }
                Ok(self.ambient.now().since(began))
            }
            Err(PeerError::Timeout(_)) => Err(PingError::Timeout),
            Err(PeerError::Refused { status, message, body, .. }) => Err(PingError::BadStatus {
                status: status.as_u16(),
                body: body.map_or(message, |body| body.to_string()),
            }),
            Err(error) => Err(PingError::Unreachable(error.to_string())),
        }
    }

    async fn ask_json(&self, service: &ApplicationService, path: &str) -> Option<Value> {
        let answer = self.ask(service, Method::GET, path, Bytes::new(), QUESTION).await;
        let body = answer.inspect_err(|error| note(service, error)).ok()?;
        serde_json::from_slice(&body).ok()
    }

    async fn ask(
        &self,
        service: &ApplicationService,
        method: Method,
        path: &str,
        body: Bytes,
        limits: Limits,
    ) -> Result<Bytes, PeerError> {
        let registration = service.registration();
        let Some(url) = registration.url.as_deref() else {
            return Err(PeerError::Unsendable(format!("{} listens nowhere", service.id())));
        };
        // The semaphore is never closed.
        let _slot = self.slots.acquire().await.ok();
        let address = ServiceAddress { url, token: registration.hs_token.reveal() };
        self.caller.call(address, method, path, body, limits).await
    }
}

/// That a service does not have what it is asked for is no trouble.
fn note(service: &ApplicationService, error: &PeerError) {
    if !matches!(error, PeerError::Refused { .. }) {
        tracing::debug!(%error, service = service.id(), "an application service cannot be asked");
    }
}

/// Two services may lead to the same network: the first describes it, and both name their instances.
fn merge(into: &mut Value, other: Value) {
    if into.is_null() {
        *into = other;
        return;
    }
    let more = other["instances"].as_array().cloned().unwrap_or_default();
    if let Some(instances) = into.get_mut("instances").and_then(Value::as_array_mut) {
        instances.extend(more);
    }
}

/// A text as one segment of a path.
fn encode(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_segment_of_a_path() {
        assert_eq!(encode("#irc_#rust/x:parvis.test"), "%23irc_%23rust%2Fx%3Aparvis.test");
    }

    #[test]
    fn instances_of_two_services_are_told_together() {
        let mut first = json!({ "icon": "mxc://a/b", "instances": [{ "network_id": "a" }] });
        merge(&mut first, json!({ "icon": "other", "instances": [{ "network_id": "b" }] }));
        let instances = json!([{ "network_id": "a" }, { "network_id": "b" }]);
        assert_eq!(first, json!({ "icon": "mxc://a/b", "instances": instances }));
    }
}
