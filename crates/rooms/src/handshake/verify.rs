//! Reading and checking events from others: one, or the many that come with a join.

use std::{
    collections::HashSet,
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use parvis_events::{Pdu, RawPdu, RoomVersion, SignedPdu, WellFormedPdu};
use parvis_peers::{WantedKeys, want_keys};
use ruma::OwnedEventId;
use serde_json::value::RawValue;

use crate::{RoomError, Rooms};

/// Fewer events than this are not worth other threads.
const FEW: usize = 64;
/// How many threads share the work at most.
const MOST_THREADS: usize = 8;

impl Rooms {
    /// Checks hashes and signatures of one event.
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`] if they do not vouch for it.
    pub(super) async fn verify_one(&self, event: WellFormedPdu) -> Result<Pdu, RoomError> {
        let mut verified = parvis_peers::verify_events(vec![event], &*self.others.keys).await;
        let verified = verified.pop().ok_or_else(|| RoomError::InvalidParam("no event".to_owned()))?;
        verified.map(SignedPdu::into_pdu).map_err(|error| RoomError::InvalidParam(error.to_string()))
    }

    /// Those of many events that are well-formed and signed, without repetition, in the order given. What fails
    /// is left out.
    pub(crate) async fn verify_many(
        &self,
        events: Vec<Bytes>,
        version: RoomVersion,
    ) -> Result<Vec<Pdu>, RoomError> {
        // An event that was taken apart is many times larger than its text. So each is taken apart twice, once for the
        // keys that it wants and once to be verified, and none waits so for the others.
        let parse = move |event: &[u8]| RawPdu::parse(event, version).and_then(RawPdu::check_format).ok();
        let keys = Arc::new(Mutex::new(WantedKeys::new()));
        let to_fill = Arc::clone(&keys);
        let look_at = move |event: Bytes| {
            let parsed = parse(&event)?;
            want_keys(&mut to_fill.lock().unwrap_or_else(PoisonError::into_inner), &parsed);
            Some((parsed.event_id().to_owned(), event))
        };
        let events = in_parallel(events, look_at).await?;
        let mut seen: HashSet<OwnedEventId> = HashSet::with_capacity(events.len());
        let events = events.into_iter().filter_map(|(id, event)| seen.insert(id).then_some(event)).collect();
        drop(seen);
        let keys = std::mem::take(&mut *keys.lock().unwrap_or_else(PoisonError::into_inner));
        let book = Arc::new(self.others.keys.keys(&keys).await);
        let verify = move |event: Bytes| {
            let event = parse(&event)?;
            let usable = book.usable_for(&event);
            event.verify(&usable).ok().map(SignedPdu::into_pdu)
        };
        in_parallel(events, verify).await
    }
}

/// The bytes of an event that stands by itself.
pub(crate) fn bytes_of(event: Box<RawValue>) -> Bytes {
    Bytes::from(Box::<str>::from(event).into_boxed_bytes())
}

/// Does the same with many things on several threads; what gives nothing is left out, the order stays.
async fn in_parallel<T, U>(
    things: Vec<T>,
    work: impl Fn(T) -> Option<U> + Clone + Send + 'static,
) -> Result<Vec<U>, RoomError>
where
    T: Send + 'static,
    U: Send + 'static,
{
    if things.len() < FEW {
        return Ok(things.into_iter().filter_map(work).collect());
    }
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let piece = things.len().div_ceil(threads);
    let mut things = things.into_iter();
    let mut running = Vec::with_capacity(threads);
    loop {
        let part: Vec<T> = things.by_ref().take(piece).collect();
        if part.is_empty() {
            break;
        }
        let work = work.clone();
        running
            .push(tokio::task::spawn_blocking(move || part.into_iter().filter_map(work).collect::<Vec<U>>()));
    }
    let mut done = Vec::new();
    for part in running {
        // Only a runtime that shuts down, or a fault of ours, ends such a task early.
        done.extend(part.await.map_err(|_| RoomError::Busy)?);
    }
    Ok(done)
}
