//! Places where two devices leave messages for one another before one of them is logged in: how a QR code lets an app in
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/4108>).
//!
//! What is left is encrypted between the two, so it says nothing here. It lives in memory, for minutes, and there is a
//! bound on how much there is.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use parvis_ambient::{Ambient, Timestamp};

/// How long a place lasts from its beginning: somebody scans a code and lets an app in meanwhile.
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How many there are at a time.
const MOST: usize = 2_000;

/// The largest message, in bytes.
pub const LARGEST_RENDEZVOUS_MESSAGE: usize = 4 << 10;

/// All places.
pub(crate) struct Places {
    ambient: Ambient,
    held: Mutex<HashMap<String, RendezvousMessage>>,
}

impl fmt::Debug for Places {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Places")
    }
}

/// What was left last at a place.
#[derive(Clone, Debug)]
pub struct RendezvousMessage {
    /// What was left.
    pub content: Vec<u8>,
    /// How many messages were left there before it.
    pub version: u64,
    /// When it was left.
    pub changed: Timestamp,
    /// Until when the place lasts.
    pub expires: Timestamp,
}

impl RendezvousMessage {
    /// The name of this message among those of its place (<https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3>).
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }
}

/// Why nothing is left at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RendezvousError {
    /// There are too many.
    #[error("there are too many places")]
    Full,
    /// There is none of that name, or no more.
    #[error("there is no such place")]
    Gone,
    /// Something else was left there meanwhile.
    #[error("something else was left there")]
    Changed,
    /// It is too large.
    #[error("the message is too large")]
    TooLarge,
}

impl Places {
    pub(crate) fn new(ambient: Ambient) -> Self {
        Self { ambient, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, RendezvousMessage>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, content: Vec<u8>) -> Result<(String, RendezvousMessage), RendezvousError> {
        let now = self.ambient.now();
        let id = self.ambient.chance.text(32);
        let message = RendezvousMessage { content, version: 1, changed: now, expires: now.plus(LIFETIME) };
        let mut held = self.held();
        if held.len() >= MOST {
            held.retain(|_, message| message.expires > now);
        }
        if held.len() >= MOST {
            return Err(RendezvousError::Full);
        }
        held.insert(id.clone(), message.clone());
        Ok((id, message))
    }

    pub(crate) fn look(&self, id: &str) -> Option<RendezvousMessage> {
        let now = self.ambient.now();
        self.held().get(id).filter(|message| message.expires > now).cloned()
    }

    pub(crate) fn end(&self, id: &str) -> bool {
        self.held().remove(id).is_some()
    }

    pub(crate) fn leave(
        &self,
        id: &str,
        seen: &str,
        content: Vec<u8>,
    ) -> Result<RendezvousMessage, RendezvousError> {
        let now = self.ambient.now();
        let mut held = self.held();
        let last = held.get_mut(id).filter(|last| last.expires > now).ok_or(RendezvousError::Gone)?;
        if last.etag() != seen {
            return Err(RendezvousError::Changed);
        }
        *last = RendezvousMessage {
            content,
            version: last.version.saturating_add(1),
            changed: now,
            expires: last.expires,
        };
        Ok(last.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parvis_ambient::{Ambient, SeededChance, TestClock};

    use super::{LIFETIME, MOST, Places, RendezvousError};

    #[test]
    fn there_are_so_many_places_and_no_more() {
        let clock = Arc::new(TestClock::starting_at(0));
        let clock_for_places = Arc::clone(&clock);
        let places = Places::new(Ambient { clock: clock_for_places, chance: Arc::new(SeededChance::new(1)) });
        let first = places.begin(Vec::new()).unwrap().0;
        for _ in 1..MOST {
            places.begin(Vec::new()).unwrap();
        }
        assert_eq!(places.begin(Vec::new()).unwrap_err(), RendezvousError::Full);
        clock.advance(LIFETIME);
        assert!(places.look(&first).is_none(), "it has expired");
        let later = places.begin(b"a".to_vec()).unwrap().0;
        assert_eq!(places.held().len(), 1, "those that have expired make room");
        assert_eq!(places.look(&later).unwrap().content, b"a");
    }
}
