//! `POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid>).

use parvis_sync::{ReadMark, ReadThread};
use parvis_wire::{Call, MatrixError};
use ruma::{
    EventId,
    api::client::receipt::create_receipt::v3::{ReceiptType, Request, Response},
    events::receipt::ReceiptThread,
};

use crate::{ApiError, ClientApi, Session, actor::reader};

/// Moves a receipt of the caller forward.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_id, receipt_type, event_id, thread, .. } = call.request;
    let thread = read_thread(&thread)?;
    let mark = match receipt_type {
        ReceiptType::Read => ReadMark::Public(thread),
        ReceiptType::ReadPrivate => ReadMark::Private(thread),
        ReceiptType::FullyRead if thread == ReadThread::Unthreaded => ReadMark::Fully,
        ReceiptType::FullyRead => {
            return Err(MatrixError::invalid_param("`m.fully_read` speaks of no thread").into());
        }
        _ => return Err(MatrixError::invalid_param("there is no receipt of this type").into()),
    };
    api.sync.mark_read(reader(&call.principal), &room_id, &[(mark, event_id)]).await?;
    Ok(Response::new())
}

fn read_thread(thread: &ReceiptThread) -> Result<ReadThread, MatrixError> {
    Ok(match thread {
        ReceiptThread::Unthreaded => ReadThread::Unthreaded,
        ReceiptThread::Main => ReadThread::Main,
        other => {
            let root = other.as_str().and_then(|root| EventId::parse(root).ok());
            ReadThread::Thread(root.ok_or_else(|| MatrixError::invalid_param("`thread_id` is no thread"))?)
        }
    })
}
