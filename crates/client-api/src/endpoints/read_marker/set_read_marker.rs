//! `POST /_matrix/client/v3/rooms/{roomId}/read_markers`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidread_markers>).

use parvis_sync::{ReadMark, ReadThread};
use parvis_wire::Call;
use ruma::api::client::read_marker::set_read_marker::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::reader};

/// Moves the marker of what is fully read, and receipts, of the caller forward.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_id, fully_read, read_receipt, private_read_receipt, .. } = call.request;
    let marks = [
        (ReadMark::Fully, fully_read),
        (ReadMark::Public(ReadThread::Unthreaded), read_receipt),
        (ReadMark::Private(ReadThread::Unthreaded), private_read_receipt),
    ];
    let marks: Vec<_> = marks.into_iter().filter_map(|(mark, event)| Some((mark, event?))).collect();
    api.sync.mark_read(reader(&call.principal), &room_id, &marks).await?;
    Ok(Response::new())
}
