//! Telling somebody by mail what they have missed: late, all at once, and not again for a while.

use std::{sync::Arc, time::Duration};

use parvis_ambient::Timestamp;
use parvis_peers::{Language, MailError, Mailer};
use parvis_policy::push::Tell;
use parvis_storage::{EventSn, Position, PusherKey, StorageError, StoredEvent, StoredPusher, WriteSet};
use serde::Deserialize;

use super::{Inner, letter, missed::Missed, pushers::Number, sender::Failure};
use crate::error::refused;

/// What stands for the mail server where a push gateway has its name. No gateway is called like that.
pub(super) const MAIL_SERVER: &str = "(mail)";
/// Within which time those are tried who wait for a mail server that is back.
const SOON_MS: u64 = 5_000;
/// How many events are looked up for one mail. Of what is beyond, nothing is said.
const MOST_FOUND: usize = 200;

/// How mails are sent of what users have missed.
#[derive(Clone, Debug)]
pub struct MailPush {
    /// Who sends them.
    pub mailer: Arc<dyn Mailer>,
    /// What the organisation is called.
    pub organisation: String,
    /// The URL, without a query, at which a reader has them stopped.
    pub stop_link: String,
    /// The language for those who have said none that is known.
    pub default_language: Language,
    /// How long something is unread before it comes into a mail.
    pub delay: Duration,
    /// How long after a mail there is no other for the same address.
    pub pause: Duration,
}

/// What a pusher says of itself, as far as it matters here.
#[derive(Deserialize)]
struct Wishes {
    #[serde(default)]
    lang: String,
    /// With what its reader has the mails stopped.
    #[serde(rename = "org.parvis.stop", default)]
    stop: String,
}

/// Sends a mail of what is unread, once its time has come; none where everything was read meanwhile.
pub(super) async fn send(inner: &Inner, number: Number) -> Result<(), Failure> {
    while !inner.closing.is_cancelled() {
        let Some(key) = inner.pushers().key(number) else { return Ok(()) };
        let Some((after, until)) = inner.pushers().next_mail(number) else { return Ok(()) };
        let events = unread(inner, &key, after, until).await?;
        let Some(first) = events.iter().map(|event| event.pdu.origin_server_ts()).min() else {
            inner.pushers().finish_mail(number, until, None);
            continue;
        };
        let Some((pusher, mail)) = wanted(inner, number, &key).await? else { return Ok(()) };
        let now = inner.ambient.now();
        // Another server's clock may be wrong: nothing has happened in the future.
        let due = Timestamp(first.min(now.millis())).plus(mail.delay);
        let after_pause = inner.pushers().mailed(number).map(|mailed| mailed.plus(mail.pause));
        let due = after_pause.map_or(due, |after_pause| due.max(after_pause));
        if due > now {
            inner.pushers().postpone(number, due);
            return Ok(());
        }
        deliver(inner, number, &pusher, mail, &events).await?;
        inner.pushers().finish_mail(number, until, Some(now));
        inner.count_told();
    }
    Ok(())
}

/// What a user has not read, of all that came between two positions.
async fn unread(
    inner: &Inner,
    key: &PusherKey,
    after: Position,
    until: Position,
) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
    let found: Vec<(Position, EventSn)> =
        inner.attention.unread_between(key.user, after, until, MOST_FOUND).await?;
    let mut events = Vec::with_capacity(found.len());
    for (_, event) in found {
        let event = inner.store.event(event).await?;
        // As for phones: it may be redacted meanwhile, or not to be seen any more.
        if !inner.attention.actions(key.user, &event).await?.is_empty() {
            events.push(event);
        }
    }
    Ok(events)
}

/// A pusher as it is now, if mails are to be sent to it.
async fn wanted<'a>(
    inner: &'a Inner,
    number: Number,
    key: &PusherKey,
) -> Result<Option<(StoredPusher, &'a MailPush)>, StorageError> {
    let pusher = inner.store.pusher(key).await?.filter(|pusher| pusher.enabled);
    let mail = inner.settings.mail.as_ref();
    let mail = mail.filter(|_| inner.settings.rules.may_mail().outcome == Tell::Yes);
    let wanted = pusher.zip(mail);
    if wanted.is_none() {
        inner.pushers().forget(number);
    }
    Ok(wanted)
}

async fn deliver(
    inner: &Inner,
    number: Number,
    pusher: &StoredPusher,
    mail: &MailPush,
    events: &[Arc<StoredEvent>],
) -> Result<(), Failure> {
    let key = &pusher.key;
    let wishes: Wishes = serde_json::from_str(&pusher.pusher)
        .unwrap_or_else(|_| Wishes { lang: String::new(), stop: String::new() });
    let missed = Missed::of(&inner.store, inner.settings.rules.mail, key.user, events).await?;
    let language = Language::of_code(&wishes.lang).unwrap_or(mail.default_language);
    let stop = format!("{}?token={}", mail.stop_link, wishes.stop);
    let letter = letter::write(&missed, language, &mail.organisation, key.pushkey.clone(), stop);
    match mail.mailer.send(letter).await {
        Ok(()) => {
            // Those are tried soon for whom the mail server was away.
            let soon = Duration::from_millis(inner.ambient.chance.number() % SOON_MS);
            inner.pushers().succeed(number, 0, MAIL_SERVER, inner.ambient.now().plus(soon));
            Ok(())
        }
        Err(MailError::BadAddress) => {
            tracing::info!("no mail can be sent to a pusher's address; the pusher is removed");
            let mut set = WriteSet::new();
            set.delete_pusher(key.user, &key.app_id, &key.pushkey);
            inner.store.commit(set).await.map_err(refused)?;
            inner.pushers().forget(number);
            Ok(())
        }
        Err(error) => Err(Failure::Mail(error)),
    }
}
