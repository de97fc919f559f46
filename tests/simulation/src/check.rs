//! What must hold when all has come to rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parvis_storage::{EventFlags, Store, StoredEvent};
use parvis_testkit::simulated::{USERS, World};
use ruma::{EventId, RoomId};
use serde_json::Value;

use crate::{
    bounds,
    follow::ClientState,
    people::{Who, Wish, encode},
    report::{Report, Tally},
    story::Story,
};

/// How many events a page of history holds.
const PAGE: usize = 100;
/// How many pages there are at most.
const PAGES: usize = 50;

/// What a homeserver says of the room.
#[derive(Debug, Default)]
struct Saying {
    /// Who of its users is in the room, by its own word.
    inside: Vec<Who>,
    state: ClientState,
    membership: BTreeMap<String, String>,
    /// The history as one of its users reads it, newest first.
    history: Vec<Value>,
}

/// Checks everything, and ends the world.
pub(crate) fn check(mut story: Story) -> Report {
    let mut faults = std::mem::take(&mut story.faults);
    let mut tally = Tally {
        worlds: 1,
        servers: story.world.homeservers() as u64,
        acknowledged: story.wishes.acknowledged.len() as u64,
        refused: story.wishes.refused.values().sum(),
        unanswered: story.wishes.lost,
        retried: story.wishes.retried,
        liars: story.liars.len() as u64,
        peaks: story.peaks,
        ..Tally::default()
    };
    let sayings: Vec<Saying> =
        (0..story.world.homeservers()).map(|server| hear(&mut story, server, &mut faults)).collect();
    same_everywhere(&sayings, &mut faults);
    own_members(&sayings, &story.world, &mut faults);
    followers(&mut story, &sayings, &mut faults);
    let liars: Vec<String> = story.liars.iter().map(|liar| liar.get().name.to_string()).collect();
    once_each(&sayings, &liars, &mut faults);
    tally.network = story.world.counts();
    for liar in &story.liars {
        tally.lies.add(&liar.get().lies);
    }
    for server in 0..story.world.homeservers() {
        for history in story.world.histories(server) {
            tally.soft_failed += history.soft_failed;
            tally.rejected += history.rejected;
            tally.given_up += history.given_up;
            tally.merges += history.merges;
            tally.forks += history.forks;
            tally.resolutions += history.resolutions;
            tally.conflicts += history.conflicts;
        }
    }
    let mut trace = story.world.trace();
    let unexpected = trace.iter().filter(|line| line.contains("FAULT?"));
    faults.extend(unexpected.cloned());
    let has_liars = !story.liars.is_empty();
    let Story { world, wishes, followers, room, .. } = story;
    let databases = world.close();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (server, saying) in sayings.iter().enumerate() {
            let store = databases.open(server).await;
            bounds::check_rest(&store, server, &room, has_liars, &mut faults).await;
            let seen = followers.iter().filter(|follower| follower.who.server == server);
            let shown = seen.filter_map(|follower| follower.seen.get(&room)).flatten();
            let shown = shown.cloned().chain(saying.history.iter().map(id)).collect();
            let mut judge = Judge { server, store: &store, faults: &mut faults };
            judge.shown(&shown).await;
            if !saying.inside.is_empty() {
                let history: BTreeSet<String> = saying.history.iter().map(id).collect();
                for acknowledged in &wishes.acknowledged {
                    let by = format!("{:?} {} at {}", acknowledged.who, acknowledged.path, acknowledged.at);
                    judge.acknowledged(&acknowledged.event, &by, &history).await;
                }
            }
            if !faults.is_empty() {
                trace.extend(
                    graph(&store, &room).await.into_iter().map(|line| format!("{server} holds {line}")),
                );
            }
            store.close().await;
        }
    });
    Report { tally, faults, trace }
}

/// The graph of a room as a database holds it, for who looks for the cause of a fault: the ends of the room, and every
/// event that is no outlier.
async fn graph(store: &Store, room: &str) -> Vec<String> {
    let Ok(room) = <&RoomId>::try_from(room) else { return Vec::new() };
    let Ok(Some(room)) = store.room_sn(room).await else { return Vec::new() };
    let Ok(Some(head)) = store.room_head(room).await else { return Vec::new() };
    let mut lines = Vec::new();
    let mut next = head.heads.clone();
    let mut seen: BTreeSet<_> = next.iter().copied().collect();
    while !next.is_empty() {
        let Ok(events) = store.events(&next).await else { break };
        next = events.iter().flat_map(|event| event.prev.clone()).filter(|prev| seen.insert(*prev)).collect();
        for event in events {
            let end = if head.heads.contains(&event.sn) { "the end " } else { "" };
            let (pdu, flags) = (&event.pdu, event.flags);
            lines.push(format!("{end}{} {flags:?} {:?} {}", pdu.event_id(), pdu.prev_events(), pdu.json()));
        }
    }
    lines
}

fn id(event: &Value) -> String {
    event["event_id"].as_str().unwrap_or_default().to_owned()
}

/// Asks a homeserver what it thinks of the room.
fn hear(story: &mut Story, server: usize, faults: &mut Vec<String>) -> Saying {
    let mut saying = Saying::default();
    let room = story.room.clone();
    for number in 0..USERS.len() {
        let who = Who { server, number };
        match Wish::get(who, "v3/joined_rooms".to_owned()).demand(&mut story.world) {
            Ok(body) => {
                let rooms = body["joined_rooms"].as_array().cloned().unwrap_or_default();
                if rooms.iter().any(|joined| joined == &Value::String(room.clone())) {
                    saying.inside.push(who);
                }
            }
            Err(problem) => faults.push(problem),
        }
    }
    let Some(who) = saying.inside.first().copied() else { return saying };
    match Wish::get(who, format!("v3/rooms/{}/state", encode(&room))).demand(&mut story.world) {
        Ok(state) => {
            for event in state.as_array().into_iter().flatten() {
                let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
                if text("type") == "m.room.member" {
                    let membership = event["content"]["membership"].as_str().unwrap_or_default().to_owned();
                    saying.membership.insert(text("state_key"), membership);
                }
                saying.state.insert((text("type"), text("state_key")), text("event_id"));
            }
        }
        Err(problem) => faults.push(problem),
    }
    saying.history = history(&mut story.world, who, &room, faults);
    saying
}

fn history(world: &mut World, who: Who, room: &str, faults: &mut Vec<String>) -> Vec<Value> {
    let mut events = Vec::new();
    let mut from = String::new();
    for _ in 0..PAGES {
        let path = format!("v3/rooms/{}/messages?dir=b&limit={PAGE}{from}", encode(room));
        let page = match Wish::get(who, path).demand(world) {
            Ok(page) => page,
            Err(problem) => {
                faults.push(problem);
                return events;
            }
        };
        events.extend(page["chunk"].as_array().cloned().unwrap_or_default());
        match page["end"].as_str() {
            Some(end) => from = format!("&from={}", encode(end)),
            None => return events,
        }
    }
    faults.push(format!("the history of {who:?} does not end"));
    events
}

/// Every homeserver with somebody in the room holds the same state.
fn same_everywhere(sayings: &[Saying], faults: &mut Vec<String>) {
    let mut sharing = sayings.iter().enumerate().filter(|(_, saying)| !saying.inside.is_empty());
    let Some((first, said)) = sharing.next() else { return };
    for (other, says) in sharing {
        let keys: BTreeSet<_> = said.state.keys().chain(says.state.keys()).collect();
        for key in keys {
            let (one, two) = (said.state.get(key), says.state.get(key));
            if one != two {
                faults.push(format!("{key:?} is {one:?} on {first} and {two:?} on {other}"));
            }
        }
    }
}

/// What a homeserver tells its users about where they are is what the room's state says.
fn own_members(sayings: &[Saying], world: &World, faults: &mut Vec<String>) {
    for (judging, said) in sayings.iter().enumerate().filter(|(_, saying)| !saying.inside.is_empty()) {
        for (server, saying) in sayings.iter().enumerate() {
            for number in 0..USERS.len() {
                let who = Who { server, number };
                let believes = saying.inside.contains(&who);
                let membership = said.membership.get(&who.id(world)).map_or("none", String::as_str);
                if believes != (membership == "join") {
                    faults.push(format!(
                        "{} is in the room by their own server: {believes}; by the state on {judging}: {membership}",
                        who.id(world)
                    ));
                }
            }
        }
    }
}

/// A client that has followed all the time knows the same state as one that comes now.
fn followers(story: &mut Story, sayings: &[Saying], faults: &mut Vec<String>) {
    let room = story.room.clone();
    for follower in &mut story.followers {
        follower.catch_up(&mut story.world);
        faults.append(&mut follower.faults);
        let saying = &sayings[follower.who.server];
        if !saying.inside.contains(&follower.who) {
            continue;
        }
        let known = follower.states.get(&room).cloned().unwrap_or_default();
        for (key, event) in &saying.state {
            if known.get(key) != Some(event) {
                let has = known.get(key);
                faults.push(format!("{:?} was told {has:?} for {key:?}, which is {event}", follower.who));
            }
        }
    }
}

/// Nothing is in a history twice: not the same event, and not the same message as two events.
fn once_each(sayings: &[Saying], liars: &[String], faults: &mut Vec<String>) {
    for (server, saying) in sayings.iter().enumerate() {
        let (mut ids, mut texts) = (BTreeSet::new(), BTreeSet::new());
        for event in &saying.history {
            if !ids.insert(id(event)) {
                faults.push(format!("{} is in the history of {server} twice", id(event)));
            }
            let is_honest = !event["sender"]
                .as_str()
                .is_some_and(|sender| liars.iter().any(|liar| sender.ends_with(liar)));
            if let Some(text) = event["content"]["body"].as_str()
                && is_honest
                && !texts.insert((event["sender"].clone().to_string(), text.to_owned()))
            {
                faults.push(format!("`{text}` of {} is in the history of {server} twice", event["sender"]));
            }
        }
    }
}

/// Whether an event may be shown to nobody.
fn is_hidden(flags: EventFlags) -> bool {
    [EventFlags::OUTLIER, EventFlags::REJECTED, EventFlags::SOFT_FAILED]
        .into_iter()
        .any(|flag| flags.contains(flag))
}

/// Whether an event, though soft-failed, may have become part of the room's state where forks met. Whom it puts out of
/// the room is shown it then, as the reason.
/// <https://spec.matrix.org/v1.19/server-server-api/#soft-failure>
fn may_be_state(event: &StoredEvent) -> bool {
    event.flags == EventFlags::SOFT_FAILED && event.pdu.kind() == "m.room.member"
}

/// Compares what was said and shown with what a database holds.
struct Judge<'a> {
    server: usize,
    store: &'a Store,
    faults: &'a mut Vec<String>,
}

impl Judge<'_> {
    /// An event as it is stored here, if it is known.
    async fn stored(&mut self, event: &str) -> Option<Arc<StoredEvent>> {
        let event = <&EventId>::try_from(event).ok()?;
        self.store.event_by_id(event).await.unwrap_or_else(|error| {
            self.faults.push(format!("the database of {} is damaged: {error}", self.server));
            None
        })
    }

    /// How an event was judged here, if it is known.
    async fn flags(&mut self, event: &str) -> Option<EventFlags> {
        self.stored(event).await.map(|stored| stored.flags)
    }

    /// Nothing that was shown to a client was rejected or soft-failed.
    async fn shown(&mut self, events: &BTreeSet<String>) {
        for event in events {
            let server = self.server;
            match self.stored(event).await {
                None => self.faults.push(format!("{event} was shown by {server}, which does not know it")),
                Some(stored) if is_hidden(stored.flags) && !may_be_state(&stored) => {
                    let flags = stored.flags;
                    self.faults.push(format!("{event} was shown by {server}, where it is {flags:?}"));
                }
                Some(_) => {}
            }
        }
    }

    /// An event that an honest server has acknowledged is in the history of every server that shares the room,
    /// unless it was soft-failed there, or is a redaction without effect: then it is known, and not shown. It is
    /// rejected nowhere.
    async fn acknowledged(&mut self, event: &str, by: &str, history: &BTreeSet<String>) {
        let server = self.server;
        match self.flags(event).await {
            Some(flags) if flags.contains(EventFlags::REJECTED) => {
                self.faults.push(format!("{event} ({by}) is rejected on {server}"));
            }
            Some(flags) if flags.contains(EventFlags::SOFT_FAILED) || flags.contains(EventFlags::IDLE) => {}
            _ if history.contains(event) => {}
            flags => {
                self.faults.push(format!("{event} ({by}) is not in the history of {server}: {flags:?}"));
            }
        }
    }
}
