//! What people can do, told over HTTP against whole homeservers.

#![expect(clippy::unwrap_used, reason = "tests")]

mod application_services;
mod calls;
mod conversations;
mod delayed;
mod directory;
mod elsewhere;
mod encryption;
mod entry;
mod ephemeral;
mod federation;
mod handshakes;
mod keys;
mod limits;
mod media;
mod messages;
mod moderation;
mod push;
mod rooms;
mod sessions;
mod strangers;
mod third_parties;
mod unread;

use parvis_testkit::Engine;

/// Runs a test on each database at hand.
async fn on_each_engine<F>(test: impl Fn(Engine) -> F)
where
    F: Future<Output = ()>,
{
    for engine in Engine::at_hand() {
        test(engine).await;
    }
}
