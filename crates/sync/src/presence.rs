//! Who is there (<https://spec.matrix.org/v1.19/client-server-api/#presence>).
//!
//! What the devices of a user say is merged into one state: the liveliest counts. Kept in memory only. Knows
//! users and devices by number, and times by the clock of whoever calls; who may know of whom is decided
//! elsewhere.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use parvis_ambient::Timestamp;
use parvis_storage::{DeviceSn, UserSn};
use ruma::presence::PresenceState;

use crate::ephemeral::Counter;

/// After how long without a sync a device is taken to be gone.
const GONE: Duration = Duration::from_secs(30);
/// After how long without doing anything a user who is online counts as away.
const IDLE: Duration = Duration::from_secs(300);
/// For how long after doing something a user counts as active.
const ACTIVE: Duration = Duration::from_secs(60);
/// After how long another server's word about its user is not believed any more.
const BELIEVED: Duration = Duration::from_secs(30 * 60);

/// How far presence goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceMode {
    /// Nobody's presence is known.
    Off,
    /// Users of this server know of each other.
    Local,
    /// Users of other servers, too.
    On,
}

/// Everybody's presence. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    mode: PresenceMode,
    counter: Counter,
    state: Arc<Mutex<State>>,
}

/// What others are told of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) state: PresenceState,
    pub(crate) status_message: Option<String>,
    pub(crate) currently_active: bool,
    pub(crate) last_active: Option<Timestamp>,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            state: PresenceState::Offline,
            status_message: None,
            currently_active: false,
            last_active: None,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    users: HashMap<UserSn, User>,
    by_change: BTreeMap<u64, UserSn>,
    /// When a user's presence may change by itself. One entry for each user at most.
    due: BTreeMap<(Timestamp, UserSn), ()>,
}

#[derive(Debug, Default)]
struct User {
    devices: HashMap<DeviceSn, Device>,
    status_message: Option<String>,
    /// For a user of another server, what that server has said, and when.
    heard: Option<(Shown, Timestamp)>,
    shown: Shown,
    changed: u64,
    due: Option<Timestamp>,
}

#[derive(Debug)]
struct Device {
    says: PresenceState,
    /// How many syncs it is waiting in.
    waiting: usize,
    seen: Timestamp,
    active: Timestamp,
}

impl Device {
    fn is_gone(&self, now: Timestamp) -> bool {
        self.waiting == 0 && now.since(self.seen) >= GONE
    }

    /// What it says, unless it is gone or its user has fallen asleep.
    fn state(&self, now: Timestamp) -> PresenceState {
        match self.says {
            _ if self.is_gone(now) => PresenceState::Offline,
            PresenceState::Online if now.since(self.active) >= IDLE => PresenceState::Unavailable,
            ref says => says.clone(),
        }
    }

    /// When what it says changes by itself.
    fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let gone = (self.waiting == 0).then(|| self.seen.plus(GONE));
        let online = self.says == PresenceState::Online;
        let times = [gone, online.then(|| self.active.plus(ACTIVE)), online.then(|| self.active.plus(IDLE))];
        times.into_iter().flatten().filter(|time| *time > now).min()
    }
}

/// How lively a state is.
fn liveliness(state: &PresenceState) -> u8 {
    match state {
        PresenceState::Offline => 0,
        PresenceState::Unavailable => 1,
        PresenceState::Online => 2,
        // `busy`, where a client knows it: there, and not to be disturbed.
        _ => 3,
    }
}

impl User {
    fn refresh(&self, now: Timestamp) -> Shown {
        if let Some((heard, at)) = &self.heard {
            let believed = now.since(*at) < BELIEVED;
            return if believed {
                heard.clone()
            } else {
                Shown { last_active: heard.last_active, ..Shown::default() }
            };
        }
        let states = self.devices.values().map(|device| device.state(now));
        let state = states.max_by_key(liveliness).unwrap_or(PresenceState::Offline);
        let last_active = self.devices.values().map(|device| device.active).max().or(self.shown.last_active);
        let active = last_active.is_some_and(|last_active| now.since(last_active) < ACTIVE);
        Shown {
            currently_active: active && state == PresenceState::Online,
            status_message: self.status_message.clone(),
            last_active,
            state,
        }
    }

    /// When what others are told of the user may change by itself.
    fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let heard = self.heard.as_ref().filter(|heard| heard.0.state != PresenceState::Offline);
        let ends = heard.map(|heard| heard.1.plus(BELIEVED)).filter(|end| *end > now);
        self.devices.values().filter_map(|device| device.due(now)).chain(ends).min()
    }
}

impl Presence {
    /// Nobody is there. Changes are counted by `counter`.
    pub(crate) fn new(mode: PresenceMode, counter: Counter) -> Self {
        Self { mode, counter, state: Arc::default() }
    }

    /// Whether presence is kept at all.
    pub(crate) fn is_on(&self) -> bool {
        self.mode != PresenceMode::Off
    }

    /// Notes that a device begins a sync, and what it says of its user. Says whether others are to be told.
    pub(crate) fn begin_sync(
        &self,
        user: UserSn,
        device: DeviceSn,
        says: &PresenceState,
        now: Timestamp,
    ) -> bool {
        // A sync that says "offline" leaves the presence as it is.
        if *says == PresenceState::Offline {
            return false;
        }
        self.change(user, now, |user| {
            let known = user.device(device, now);
            if *says == PresenceState::Online && known.state(now) == PresenceState::Offline {
                known.active = now;
            }
            known.says = says.clone();
            known.seen = now;
            known.waiting += 1;
        })
    }

    /// Notes that a sync ends that was begun with these words.
    pub(crate) fn end_sync(&self, user: UserSn, device: DeviceSn, says: &PresenceState, now: Timestamp) {
        if *says == PresenceState::Offline {
            return;
        }
        self.change(user, now, |user| {
            if let Some(device) = user.devices.get_mut(&device) {
                device.waiting = device.waiting.saturating_sub(1);
                device.seen = now;
            }
        });
    }

    /// Sets what a device says of its user, and the user's words about it. Says whether others are to be told.
    pub(crate) fn set(
        &self,
        user: UserSn,
        device: DeviceSn,
        says: &PresenceState,
        status_message: Option<String>,
        now: Timestamp,
    ) -> bool {
        self.change(user, now, |user| {
            let known = user.device(device, now);
            known.says = says.clone();
            known.seen = now;
            if *says == PresenceState::Online {
                known.active = now;
            }
            user.status_message = status_message;
        })
    }

    /// Notes that a user did something on a device. Says whether others are to be told.
    pub(crate) fn act(&self, user: UserSn, device: DeviceSn, now: Timestamp) -> bool {
        let known = self.lock().users.get(&user).is_some_and(|user| user.devices.contains_key(&device));
        known && self.change(user, now, |user| user.device(device, now).active = now)
    }

    /// Notes what another server says of its user. Says whether others are to be told.
    pub(crate) fn hear(&self, user: UserSn, heard: Shown, now: Timestamp) -> bool {
        self.change(user, now, |user| user.heard = Some((heard, now)))
    }

    /// Whether a user's presence is told to other servers from here.
    pub(crate) fn is_told_elsewhere(&self, user: UserSn) -> bool {
        let own = self.lock().users.get(&user).is_some_and(|user| user.heard.is_none());
        self.mode == PresenceMode::On && own
    }

    /// Whether other servers are believed about their users.
    pub(crate) fn hears_others(&self) -> bool {
        self.mode == PresenceMode::On
    }

    /// Lets time pass: gives those of whom others are to be told.
    pub(crate) fn pass(&self, now: Timestamp) -> Vec<UserSn> {
        let mut users = Vec::new();
        loop {
            let due = self.lock().due.first_key_value().map(|(due, ())| *due).filter(|due| due.0 <= now);
            let Some((_, user)) = due else { return users };
            if self.change(user, now, |user| user.devices.retain(|_, device| !device.is_gone(now))) {
                users.push(user);
            }
        }
    }

    /// When somebody's presence may change by itself.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.lock().due.first_key_value().map(|((due, _), ())| *due)
    }

    /// What others are told of a user; nothing, of one who has not been there in this run.
    pub(crate) fn of(&self, user: UserSn) -> Option<Shown> {
        self.lock().users.get(&user).map(|user| user.shown.clone())
    }

    /// Those whose presence has changed after a count; without one, those who are not offline.
    pub(crate) fn changed_since(&self, count: Option<u64>) -> Vec<UserSn> {
        let state = self.lock();
        match count {
            Some(count) => state.by_change.range(count.saturating_add(1)..).map(|(_, user)| *user).collect(),
            None => {
                let there = state.users.iter().filter(|(_, user)| user.shown.state != PresenceState::Offline);
                there.map(|(user, _)| *user).collect()
            }
        }
    }

    /// Changes a user; says whether others are to be told.
    fn change(&self, user: UserSn, now: Timestamp, change: impl FnOnce(&mut User)) -> bool {
        if !self.is_on() {
            return false;
        }
        let mut state = self.lock();
        let known = state.users.entry(user).or_default();
        change(known);
        let shown = known.refresh(now);
        // That a user did something again is told with the next change.
        let told = Shown { last_active: known.shown.last_active, ..shown.clone() } != known.shown;
        known.shown = shown;
        let due = known.next_due(now);
        let (before_due, before_change) = (std::mem::replace(&mut known.due, due), known.changed);
        if told {
            known.changed = self.counter.next();
            let change = known.changed;
            state.by_change.remove(&before_change);
            state.by_change.insert(change, user);
        }
        if let Some(before) = before_due {
            state.due.remove(&(before, user));
        }
        if let Some(due) = due {
            state.due.insert((due, user), ());
        }
        told
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl User {
    fn device(&mut self, device: DeviceSn, now: Timestamp) -> &mut Device {
        self.devices.entry(device).or_insert(Device {
            says: PresenceState::Offline,
            waiting: 0,
            seen: now,
            active: now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserSn = UserSn(1);
    const PHONE: DeviceSn = DeviceSn(2);
    const DESK: DeviceSn = DeviceSn(3);

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    fn presence() -> Presence {
        Presence::new(PresenceMode::Local, Counter::new(1))
    }

    fn state(presence: &Presence) -> PresenceState {
        presence.of(USER).unwrap().state
    }

    #[test]
    fn liveliest_device_counts() {
        let presence = presence();
        assert!(presence.begin_sync(USER, PHONE, &PresenceState::Unavailable, at(0)));
        assert_eq!(state(&presence), PresenceState::Unavailable);
        assert!(presence.begin_sync(USER, DESK, &PresenceState::Online, at(1)));
        assert_eq!(state(&presence), PresenceState::Online);
        assert!(!presence.begin_sync(USER, PHONE, &PresenceState::Unavailable, at(2)), "nothing new");
        presence.end_sync(USER, DESK, &PresenceState::Online, at(3));
        assert_eq!(presence.pass(at(32)), []);
        assert_eq!(presence.pass(at(33)), [USER], "the desk is gone");
        assert_eq!(state(&presence), PresenceState::Unavailable);
    }

    #[test]
    fn crashed_client_goes_offline() {
        let presence = presence();
        presence.begin_sync(USER, PHONE, &PresenceState::Online, at(0));
        presence.end_sync(USER, PHONE, &PresenceState::Online, at(25));
        assert_eq!(presence.next_due(), Some(at(55)));
        assert_eq!(presence.pass(at(55)), [USER]);
        assert_eq!(state(&presence), PresenceState::Offline);
        assert_eq!(presence.next_due(), None);
        assert_eq!(presence.of(USER).unwrap().last_active, Some(at(0)), "when they were last active is kept");
    }

    #[test]
    fn user_who_does_nothing_becomes_inactive_and_then_away() {
        let presence = presence();
        presence.begin_sync(USER, PHONE, &PresenceState::Online, at(0));
        assert!(presence.of(USER).unwrap().currently_active);
        assert_eq!(presence.pass(at(60)), [USER]);
        assert!(!presence.of(USER).unwrap().currently_active);
        assert_eq!(presence.pass(at(300)), [USER]);
        assert_eq!(state(&presence), PresenceState::Unavailable);
        assert!(presence.act(USER, PHONE, at(400)));
        assert_eq!(state(&presence), PresenceState::Online);
        assert!(!presence.act(USER, PHONE, at(410)), "being active goes on");
        assert!(!presence.act(UserSn(9), PHONE, at(410)), "of whom nothing is known, nothing is told");
    }

    #[test]
    fn changes_are_told_by_count() {
        let presence = presence();
        presence.set(USER, PHONE, &PresenceState::Online, Some("here".to_owned()), at(0));
        presence.set(UserSn(5), DESK, &PresenceState::Unavailable, None, at(0));
        assert_eq!(presence.changed_since(Some(0)), [USER, UserSn(5)]);
        assert_eq!(presence.changed_since(Some(1)), [UserSn(5)]);
        assert!(presence.set(USER, PHONE, &PresenceState::Online, Some("there".to_owned()), at(0)));
        assert_eq!(presence.changed_since(Some(2)), [USER]);
        assert_eq!(presence.of(USER).unwrap().status_message.as_deref(), Some("there"));
    }

    #[test]
    fn another_servers_word_is_believed_for_a_while() {
        let presence = presence();
        let online = Shown { state: PresenceState::Online, ..Shown::default() };
        assert!(presence.hear(USER, online.clone(), at(0)));
        assert!(!presence.hear(USER, online, at(600)), "nothing new");
        assert_eq!(presence.next_due(), Some(at(2_400)));
        assert_eq!(presence.pass(at(2_399)), []);
        assert_eq!(presence.pass(at(2_400)), [USER]);
        assert_eq!((state(&presence), presence.next_due()), (PresenceState::Offline, None));
    }

    #[test]
    fn nothing_is_kept_where_presence_is_off() {
        let presence = Presence::new(PresenceMode::Off, Counter::new(1));
        assert!(!presence.begin_sync(USER, PHONE, &PresenceState::Online, at(0)));
        assert!(!presence.set(USER, PHONE, &PresenceState::Online, None, at(0)));
        assert_eq!(presence.of(USER), None);
        assert_eq!(presence.changed_since(None), []);
    }
}
