//! `PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`

use std::collections::BTreeMap;

use axum::response::Response;
use parvis_e2ee::{KeyUpload, NewDehydratedDevice};
use parvis_wire::{Stream, parse_json, read_body};
use ruma::{
    OwnedDeviceId,
    api::{auth_scheme::AccessToken, metadata},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{ApiError, ClientApi, Session, actor::caller, reply::Reply};

/// The largest body: the keys of a device and what wakes it.
const BODY_LIMIT_BYTES: usize = 256 << 10;

/// Stands for the request in the table of endpoints; what it holds is read by the handler.
#[derive(Debug)]
pub(super) struct Request;

metadata! {
    method: PUT,
    rate_limited: false,
    authentication: AccessToken,
    path: "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device",
}

#[derive(Deserialize)]
struct Content {
    device_id: OwnedDeviceId,
    initial_device_display_name: Option<String>,
    device_data: Box<RawValue>,
    device_keys: Option<Box<RawValue>>,
    #[serde(default)]
    one_time_keys: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    fallback_keys: BTreeMap<String, Box<RawValue>>,
}

fn named(keys: &BTreeMap<String, Box<RawValue>>) -> Vec<(&str, &RawValue)> {
    keys.iter().map(|(name, key)| (name.as_str(), &**key)).collect()
}

/// Lays by a device, in place of the one that was before.
pub(super) async fn handle(api: ClientApi, request: Stream<Session>) -> Result<Response, ApiError> {
    let content: Content = parse_json(&read_body(request.body, BODY_LIMIT_BYTES).await?)?;
    let new = NewDehydratedDevice {
        device_id: &content.device_id,
        display_name: content.initial_device_display_name.as_deref(),
        device_data: &content.device_data,
        keys: KeyUpload {
            device_keys: content.device_keys.as_deref(),
            one_time_keys: named(&content.one_time_keys),
            fallback_keys: named(&content.fallback_keys),
        },
    };
    api.e2ee.lay_by(&caller(&request.principal), &new).await?;
    Ok(Reply::new().text("device_id", content.device_id.as_str()).done())
}
