//! Sliding syncs: the waiting around the looks.

use parvis_storage::{StorageError, Token};

use super::{LONGEST_WAIT, SyncEngine};
use crate::{
    sliding::{SlidingAnswer, SlidingError, SlidingRequest},
    view::Reader,
};

impl SyncEngine {
    /// What is new on a connection. Where nothing is, waits for as long as is asked for, and then says so.
    ///
    /// # Errors
    /// Any [`SlidingError`].
    pub async fn slide(
        &self,
        reader: Reader,
        request: &SlidingRequest,
    ) -> Result<SlidingAnswer, SlidingError> {
        let inner = &self.0;
        // From here on, what happens is either seen by the look below or wakes the wait after it.
        let waiting = inner.waiters.register(reader.user);
        let mut closing = inner.closing.subscribe();
        let _attending = inner.attend(reader, &request.set_presence);
        let timeout = inner.ambient.clock.sleep(request.timeout.min(LONGEST_WAIT));
        tokio::pin!(timeout);
        self.acknowledge_messages(reader, request).await?;
        let attached = inner.sliding.attach(&inner.parts, reader, request, inner.now()).await?;
        let mut is_over = request.pos.is_none() || request.timeout.is_zero();
        loop {
            is_over |= *closing.borrow();
            let look = Box::pin(inner.sliding.answer(&inner.parts, reader, request, &attached, is_over));
            let answer = look.await?;
            if let Some(answer) = answer {
                return Ok(answer);
            }
            tokio::select! {
                biased;
                () = waiting.woken() => {}
                () = &mut timeout => is_over = true,
                _ = closing.changed() => is_over = true,
            }
        }
    }

    /// Throws away the messages to the device that it has, as it says.
    async fn acknowledge_messages(
        &self,
        reader: Reader,
        request: &SlidingRequest,
    ) -> Result<(), StorageError> {
        let has = request.extensions.to_device.and_then(|wanted| wanted.since);
        self.0.acknowledge(reader, has.map(Token::from)).await
    }
}
