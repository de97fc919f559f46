//! What is known of one server's keys, and what a new document changes about it.

use std::{collections::HashMap, time::Duration};

use parvis_ambient::Timestamp;
use parvis_peers::VerifyKey;
use parvis_storage::PeerKey;

use crate::key_document::KeyDocument;

/// No key is trusted for longer than this without being fetched again, whatever its server says: the owner of a
/// server that was broken into must be able to get rid of the thief's key.
const LONGEST_TRUST: Duration = Duration::from_secs(7 * 24 * 3_600);
/// An event may be dated a little ahead of us, not by more than others ask for in advance.
const AHEAD: Duration = Duration::from_secs(3_600);
/// How long a server is not asked again after it answered, and after it did not.
const PAUSE_AFTER_ANSWER: Duration = Duration::from_secs(10);
const PAUSE_AFTER_SILENCE: Duration = Duration::from_secs(30);

/// Who has told of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The server itself, over TLS: what it says is so.
    Itself,
    /// A notary, whose knowledge may be older than ours.
    Notary,
}

/// What is known of one server's keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownKeys {
    keys: HashMap<String, VerifyKey>,
    /// Until when the server is not asked again, and the notaries are not asked about it.
    pause: Timestamp,
    notary_pause: Timestamp,
}

impl KnownKeys {
    /// Takes over what is stored.
    pub(crate) fn add_stored(&mut self, key: PeerKey) {
        let PeerKey { key_id, public_key, valid_until_ts, retired, .. } = key;
        self.keys.insert(key_id, VerifyKey { public_key, valid_until_ts, retired });
    }

    pub(crate) fn get(&self, key_id: &str) -> Option<&VerifyKey> {
        self.keys.get(key_id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&String, &VerifyKey)> {
        self.keys.iter()
    }

    /// A key that is good for a request now.
    pub(crate) fn for_request(&self, key_id: &str, now: Timestamp) -> Option<&VerifyKey> {
        self.get(key_id).filter(|key| !key.retired && key.valid_until_ts >= now.millis())
    }

    /// Whether a key is known to have been good at a time. Of times to come, only what is near is asked for.
    pub(crate) fn satisfies(&self, key_id: &str, at_ts: i64, now: Timestamp) -> bool {
        let at_ts = at_ts.min(now.plus(AHEAD).millis());
        self.get(key_id).is_some_and(|key| key.retired || key.valid_until_ts >= at_ts)
    }

    /// Whether the server may be asked, or the notaries about it.
    pub(crate) fn may_ask(&self, source: Source, now: Timestamp) -> bool {
        now >= match source {
            Source::Itself => self.pause,
            Source::Notary => self.notary_pause,
        }
    }

    /// Notes that it was asked.
    pub(crate) fn asked(&mut self, source: Source, answered: bool, now: Timestamp) {
        let pause = if answered { PAUSE_AFTER_ANSWER } else { PAUSE_AFTER_SILENCE };
        match source {
            Source::Itself => self.pause = now.plus(pause),
            Source::Notary => self.notary_pause = now.plus(pause),
        }
    }

    /// Takes over what a document of this server says; gives what it has changed or confirmed, to be stored.
    pub(crate) fn learn(&mut self, document: &KeyDocument, source: Source, now: Timestamp) -> Vec<PeerKey> {
        let cap = document.valid_until_ts.min(now.plus(LONGEST_TRUST).millis());
        let mut changed = Vec::new();
        for (key_id, published) in &document.keys {
            let new = VerifyKey {
                public_key: published.public_key.clone(),
                valid_until_ts: published.retired_ts.map_or(cap, |ts| ts.min(now.millis())),
                retired: published.retired_ts.is_some(),
            };
            if source == Source::Notary && !self.is_news(key_id, &new) {
                continue;
            }
            changed.push(PeerKey {
                server_name: document.server.to_string(),
                key_id: key_id.clone(),
                public_key: new.public_key.clone(),
                valid_until_ts: new.valid_until_ts,
                retired: new.retired,
                fetched_ts: now.millis(),
            });
            self.keys.insert(key_id.clone(), new);
        }
        changed
    }

    /// Whether what a notary says goes beyond what is known.
    fn is_news(&self, key_id: &str, new: &VerifyKey) -> bool {
        match self.get(key_id) {
            None => true,
            Some(known) if known.retired || known.public_key != new.public_key => false,
            Some(known) => new.retired || new.valid_until_ts > known.valid_until_ts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const DAY: i64 = 24 * 3_600 * 1_000;

    fn key(public_key: &str, valid_until_ts: i64, retired: bool) -> VerifyKey {
        VerifyKey { public_key: public_key.to_owned(), valid_until_ts, retired }
    }

    #[test]
    fn key_satisfies_up_to_its_end_and_a_retired_one_always() {
        let mut known = KnownKeys::default();
        known.keys.insert("now".to_owned(), key("k", NOW.0 + 2 * DAY, false));
        known.keys.insert("over".to_owned(), key("k", NOW.0 - DAY, false));
        known.keys.insert("old".to_owned(), key("k", NOW.0 - DAY, true));
        for (key_id, at_ts, satisfied) in [
            ("now", NOW.0, true),
            // Far in the future: no document will ever say so much.
            ("now", NOW.0 + 100 * DAY, true),
            ("over", NOW.0 - 2 * DAY, true),
            ("over", NOW.0, false),
            ("old", NOW.0, true),
            ("unknown", NOW.0, false),
        ] {
            assert_eq!(known.satisfies(key_id, at_ts, NOW), satisfied, "{key_id} {at_ts}");
        }
        assert!(known.for_request("now", NOW).is_some());
        assert!(known.for_request("over", NOW).is_none() && known.for_request("old", NOW).is_none());
    }

    #[test]
    fn notary_adds_to_what_is_known_and_contradicts_nothing() {
        for (known, told, news) in [
            (None, key("k", 5, false), true),
            (Some(key("k", 5, false)), key("k", 6, false), true),
            (Some(key("k", 5, false)), key("k", 4, false), false),
            (Some(key("k", 5, false)), key("k", 3, true), true),
            (Some(key("k", 5, false)), key("other", 9, false), false),
            (Some(key("k", 5, true)), key("k", 9, false), false),
        ] {
            let mut keys = KnownKeys::default();
            keys.keys.extend(known.clone().map(|key| ("id".to_owned(), key)));
            assert_eq!(keys.is_news("id", &told), news, "{known:?} {told:?}");
        }
    }
}
