//! What a search finds: those candidates that the user may see, in the order asked for, and the page of them that is
//! told.

use std::collections::{BTreeMap, HashSet};

use parvis_rooms::{Actor, Searched};
use parvis_search::{Candidate, Question, Scope, Weight};
use parvis_sync::Reader;

use super::asked::{Asked, At, Batch, Group};
use crate::{ApiError, ClientApi};

/// How many of the newest candidates are looked at: by rank, the best of them are found, and no more are counted.
const CANDIDATES: usize = 1_000;

/// What a search has found.
#[derive(Default)]
pub(super) struct Found {
    /// How many there are, of all pages.
    pub(super) count: usize,
    /// The page.
    pub(super) results: Vec<(Candidate, Weight)>,
    /// Where the next page begins.
    pub(super) next: Option<Batch>,
    /// The groups of the page's results: which results, and where more of the group begin.
    pub(super) groups: BTreeMap<Group, GroupFound>,
}

/// The results of a group.
pub(super) struct GroupFound {
    /// Which of the page's results.
    pub(super) results: Vec<usize>,
    /// Where more begin.
    pub(super) next: Option<Batch>,
}

/// Finds what is asked for.
pub(super) async fn find(
    api: &ClientApi,
    actor: &Actor,
    reader: Reader,
    asked: &Asked,
) -> Result<Found, ApiError> {
    let question = api.search.question(&asked.term);
    if question.is_empty() {
        return Ok(Found::default());
    }
    let Searched { rooms, senders } = searched(api, actor, asked).await?;
    if rooms.is_empty() || senders.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Found::default());
    }
    api.search.catch_up().await;
    let senders = senders.unwrap_or_default();
    let scope = Scope { rooms, senders, kinds: asked.kinds.clone(), until_ts: i64::MAX, limit: CANDIDATES };
    let search = Seeking { api, reader, asked, question };
    match asked.by_rank {
        true => search.by_rank(&scope).await,
        false => search.by_time(scope).await,
    }
}

/// Where is sought: what the client has named, and of that no more than the group of which it wants the next page.
async fn searched(api: &ClientApi, actor: &Actor, asked: &Asked) -> Result<Searched, ApiError> {
    let (rooms, senders) = (asked.rooms.as_deref(), asked.senders.as_deref());
    let mut searched = api.rooms.searched(actor, rooms, senders).await?;
    match asked.from.as_ref().and_then(|from| from.group.as_ref()) {
        None => {}
        Some(Group::Room(room_id)) => {
            let of_group = api.rooms.searched(actor, Some(std::slice::from_ref(room_id)), None).await?.rooms;
            searched.rooms.retain(|room| of_group.contains(room));
        }
        Some(Group::Sender(user_id)) => {
            let of_group = api.rooms.searched(actor, Some(&[]), Some(std::slice::from_ref(user_id))).await?;
            let wanted = of_group.senders.unwrap_or_default();
            searched.senders = match searched.senders {
                None => Some(wanted),
                Some(senders) => Some(senders.into_iter().filter(|sender| wanted.contains(sender)).collect()),
            };
        }
    }
    Ok(searched)
}

/// A search that is under way.
struct Seeking<'a> {
    api: &'a ClientApi,
    reader: Reader,
    asked: &'a Asked,
    question: Question,
}

impl Seeking<'_> {
    async fn by_time(&self, scope: Scope) -> Result<Found, ApiError> {
        let (newest, is_all) = self.candidates(&scope).await?;
        let mut count = newest.len();
        let mut candidates = newest;
        if self.question.has_phrases() {
            candidates.retain(|candidate| self.weigh(candidate).is_some());
            count = candidates.len();
        }
        if let Some(At::Before(ts, place)) = self.asked.from.as_ref().map(|from| from.at) {
            let is_behind = |candidate: &Candidate| key(candidate) < (ts, place);
            if !is_all && !candidates.last().is_some_and(is_behind) {
                candidates = self.candidates(&Scope { until_ts: ts, ..scope }).await?.0;
            }
            candidates.retain(is_behind);
        }
        let mut results = Vec::with_capacity(self.asked.limit);
        let mut last = None;
        for candidate in candidates {
            last = Some(key(&candidate));
            // The index may know a word of a text that was edited a moment ago.
            if let Some(weight) = self.weigh(&candidate) {
                results.push((candidate, weight));
            }
            if results.len() == self.asked.limit {
                break;
            }
        }
        let next = last.filter(|_| results.len() == self.asked.limit);
        let next = next.map(|(ts, place)| self.batch(At::Before(ts, place), None));
        Ok(self.found(count, results, next, |group, last| {
            Some(self.batch(At::Before(last.0, last.1), Some(group)))
        }))
    }

    async fn by_rank(&self, scope: &Scope) -> Result<Found, ApiError> {
        let (candidates, _) = self.candidates(scope).await?;
        let weighed = candidates.into_iter().filter_map(|candidate| {
            let weight = self.weigh(&candidate)?;
            Some((candidate, weight))
        });
        let mut weighed: Vec<(Candidate, Weight)> = weighed.collect();
        // Those of the same rank stay in order of time.
        weighed.sort_by(|one, other| other.1.rank.total_cmp(&one.1.rank));
        let count = weighed.len();
        let behind = match self.asked.from.as_ref().map(|from| from.at) {
            Some(At::Behind(behind)) => behind,
            _ => 0,
        };
        let results: Vec<_> = weighed.into_iter().skip(behind).take(self.asked.limit).collect();
        let end = behind.saturating_add(results.len());
        let next = (results.len() == self.asked.limit).then(|| self.batch(At::Behind(end), None));
        // Where the best of a group go on cannot be said in terms of all results.
        Ok(self.found(count, results, next, |_, _| None))
    }

    /// The candidates that the reader may see and wants, newest first; and whether these are all.
    async fn candidates(&self, scope: &Scope) -> Result<(Vec<Candidate>, bool), ApiError> {
        let mut found = self.api.search.find(&self.question, scope).await?;
        let is_all = found.len() < scope.limit;
        let group = self.asked.from.as_ref().and_then(|from| from.group.as_ref());
        found.retain(|candidate| {
            self.asked.filter.wants(&candidate.event.pdu)
                && group.is_none_or(|group| group.has(&candidate.event))
        });
        let events = found.iter().flat_map(|found| [Some(&found.event), found.edit.as_ref()]).flatten();
        let seen = self.api.view.sift(self.reader, events.cloned().collect()).await?;
        let seen: HashSet<_> = seen.iter().map(|event| event.sn).collect();
        // What somebody may see who may not see its newest text is not found by that.
        found.retain(|found| {
            seen.contains(&found.event.sn) && found.edit.as_ref().is_none_or(|edit| seen.contains(&edit.sn))
        });
        Ok((found, is_all))
    }

    fn weigh(&self, candidate: &Candidate) -> Option<Weight> {
        self.api.search.weigh(&self.question, candidate)
    }

    fn batch(&self, at: At, group: Option<Group>) -> Batch {
        let group = group.or_else(|| self.asked.from.as_ref().and_then(|from| from.group.clone()));
        Batch { at, group }
    }

    fn found(
        &self,
        count: usize,
        results: Vec<(Candidate, Weight)>,
        next: Option<Batch>,
        group_goes_on: impl Fn(Group, (i64, i64)) -> Option<Batch>,
    ) -> Found {
        let mut groups: BTreeMap<Group, GroupFound> = BTreeMap::new();
        for (number, (candidate, _)) in results.iter().enumerate() {
            for by in &self.asked.group_by {
                let group = by.group_of(&candidate.event);
                let next = next.is_some().then(|| group_goes_on(group.clone(), key(candidate))).flatten();
                let found = groups.entry(group).or_insert(GroupFound { results: Vec::new(), next: None });
                found.results.push(number);
                found.next = next;
            }
        }
        Found { count, results, next, groups }
    }
}

/// What results are ordered by in time.
fn key(candidate: &Candidate) -> (i64, i64) {
    (candidate.event.pdu.origin_server_ts(), candidate.event.place.0)
}
