//! Answers as they arrive: bounded in bytes and time; and what went wrong, in words.

use std::{error::Error, pin::Pin};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use parvis_peers::{Body, PeerError};
use tokio::time::{Instant, timeout_at};

/// The pieces of a body that are still to come.
struct Pieces<H> {
    pieces: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    server: String,
    bytes_left: usize,
    deadline: Instant,
    /// Kept until the body has arrived or nobody wants it any more.
    _held: H,
}

/// An answer whose body ends in an error where it is larger or later than allowed. `held` is kept for as long as
/// the body arrives.
pub(crate) fn bounded<H: Send + 'static>(
    response: reqwest::Response,
    server: &str,
    max_bytes: usize,
    deadline: Instant,
    held: H,
) -> Result<http::Response<Body>, PeerError> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > max_bytes) {
        return Err(PeerError::TooLarge(server.to_owned()));
    }
    let mut head = http::Response::new(());
    *head.status_mut() = response.status();
    *head.headers_mut() = response.headers().clone();
    let pieces = Box::pin(response.bytes_stream());
    let pieces = Pieces { pieces, server: server.to_owned(), bytes_left: max_bytes, deadline, _held: held };
    let body = Body::new(stream::unfold(Some(pieces), next_piece));
    Ok(head.map(|()| body))
}

type Next<H> = Option<(Result<Bytes, PeerError>, Option<Pieces<H>>)>;

async fn next_piece<H>(pieces: Option<Pieces<H>>) -> Next<H> {
    let mut pieces = pieces?;
    let fail = |error| Some((Err(error), None));
    let Ok(next) = timeout_at(pieces.deadline, pieces.pieces.next()).await else {
        return fail(PeerError::Timeout(pieces.server));
    };
    match next? {
        Err(error) => fail(trouble(&pieces.server, &error)),
        Ok(piece) if piece.len() > pieces.bytes_left => fail(PeerError::TooLarge(pieces.server)),
        Ok(piece) => {
            pieces.bytes_left -= piece.len();
            Some((Ok(piece), Some(pieces)))
        }
    }
}

/// What went wrong on the way to a server.
pub(crate) fn trouble(server: &str, error: &reqwest::Error) -> PeerError {
    if error.is_timeout() && !error.is_connect() {
        return PeerError::Timeout(server.to_owned());
    }
    PeerError::Unreachable { server: server.to_owned(), problem: root_causes(error) }
}

/// What lies behind an error, from the second cause on: the first repeats the URL.
fn root_causes(error: &(dyn Error + 'static)) -> String {
    let mut causes: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // An error whose words hold its cause's words says all.
        if !causes.iter().any(|said| said.contains(&text)) {
            causes.push(text);
        }
        cause = error.source();
    }
    if causes.is_empty() { error.to_string() } else { causes.join(": ") }
}
