//! Letting an app in by a QR code: where the two devices meet.

use crate::{
    accounts::Accounts,
    rendezvous::{LARGEST_RENDEZVOUS_MESSAGE, RendezvousError, RendezvousMessage},
};

impl Accounts {
    /// Makes a place with a first message. Gives its name, which cannot be guessed.
    ///
    /// # Errors
    /// [`RendezvousError::TooLarge`] or [`RendezvousError::Full`].
    pub fn begin_rendezvous(&self, content: Vec<u8>) -> Result<(String, RendezvousMessage), RendezvousError> {
        bounded(&content)?;
        self.places.begin(content)
    }

    /// What was left last at a place.
    pub fn rendezvous(&self, id: &str) -> Option<RendezvousMessage> {
        self.places.look(id)
    }

    /// Leaves a message, in the place of the one that is called `seen`.
    ///
    /// # Errors
    /// [`RendezvousError::TooLarge`], [`RendezvousError::Gone`] or [`RendezvousError::Changed`].
    pub fn leave_at_rendezvous(
        &self,
        id: &str,
        seen: &str,
        content: Vec<u8>,
    ) -> Result<RendezvousMessage, RendezvousError> {
        bounded(&content)?;
        self.places.leave(id, seen, content)
    }

    /// Takes a place away. `false` if there is none.
    pub fn end_rendezvous(&self, id: &str) -> bool {
        self.places.end(id)
    }
}

fn bounded(content: &[u8]) -> Result<(), RendezvousError> {
    if content.len() > LARGEST_RENDEZVOUS_MESSAGE { Err(RendezvousError::TooLarge) } else { Ok(()) }
}
