//! `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid>).

use parvis_e2ee::{ToDevice, ToDeviceMessages};
use parvis_wire::Call;
use ruma::api::client::to_device::send_event_to_device::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::caller};

/// Sends messages to devices.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { event_type, txn_id, messages, .. } = call.request;
    api.rooms.refuse_call_between_apps(&event_type.to_string())?;
    let messages: ToDeviceMessages = messages
        .into_iter()
        .map(|(user_id, devices)| {
            (user_id, devices.into_iter().map(|(device, content)| (device, content.into_json())).collect())
        })
        .collect();
    let sent = ToDevice { kind: &event_type.to_string(), messages: &messages };
    api.e2ee.send_to_device(&caller(&call.principal), txn_id.as_str(), sent).await?;
    Ok(Response::new())
}
