//! The story of one seed: who is there, what they do, what goes wrong, and the end of it, when all is well again.

use std::time::Duration;

use parvis_testkit::simulated::{Fate, Foreign, Planted, Stream, USERS, Weather, World};
use serde_json::{Value, json};

use crate::{
    bounds::{self, Peaks},
    check::check,
    follow::Follower,
    liar::Shared,
    people::{Who, Wish, Wishes},
    report::{Report, Tally},
};

const NAMES: [&str; 4] = ["a.test", "b.test", "c.test", "d.test"];
/// Servers that are no homeservers of ours, and lie.
const LIARS: [&str; 2] = ["evil.test", "false.test"];
/// How often out of a hundred a liar speaks when somebody does something.
const LOQUACITY: u64 = 45;
/// The longest time, in milliseconds, between two things that somebody does.
const LONGEST_PAUSE_MS: u64 = 2_500;
/// How long everything is given to come to rest in the end. Back-off after failures takes some hours at most.
const REST: Duration = Duration::from_secs(4 * 3600);

/// What a run is like.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// From which everything follows.
    pub seed: u64,
    /// How many times somebody does something, or 0 for as many as the seed says.
    pub acts: u64,
    /// How many homeservers there are, or 0 for as many as the seed says.
    pub servers: usize,
    /// Whether the network and the machines are good.
    pub fair: bool,
    /// Whether the trace tells of each turn of a database.
    pub turns: bool,
    /// Whether there are no liars; else the seed says it.
    pub honest: bool,
    /// A fault to be found.
    pub planted: Option<Planted>,
}

/// A world while its story goes on.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) room: String,
    pub(crate) followers: Vec<Follower>,
    pub(crate) liars: Vec<Shared>,
    /// Chances that only exist where there are liars.
    lying: Stream,
    pub(crate) wishes: Wishes,
    pub(crate) faults: Vec<String>,
    pub(crate) peaks: Peaks,
    dice: Stream,
    transactions: u64,
}

/// Plays the world of a seed.
pub fn run(settings: Settings) -> Report {
    let fate = Fate::new(settings.seed);
    let mut dice = fate.stream("story", &[]);
    let chosen = 2 + dice.index(NAMES.len() - 1);
    let count = if settings.servers > 0 { settings.servers.min(NAMES.len()) } else { chosen };
    let mut lying = fate.stream("liars", &[]);
    let liars = match lying.below(10) {
        _ if settings.honest || settings.fair || count < 2 => 0,
        0..4 => 0,
        4..9 => 1,
        _ => 2,
    };
    let mut world = World::new(fate, Weather::FAIR, &NAMES[..count], &LIARS[..liars]);
    let names: Vec<String> = LIARS[..liars].iter().map(ToString::to_string).collect();
    let liars: Vec<Shared> = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let liar = Shared::new(name, &names, fate.stream("liar", &[number as u64]));
            world.play(name, Box::new(liar.clone()) as Box<dyn Foreign>);
            liar
        })
        .collect();
    if settings.turns {
        world.note_turns();
    }
    let follower = |server| {
        let who = Who { server, number: 0 };
        Follower::new(who, who.id(&world))
    };
    let followers = (0..count).map(follower).collect();
    let mut story = Story {
        world,
        room: String::new(),
        followers,
        liars,
        lying,
        wishes: Wishes::default(),
        faults: Vec::new(),
        peaks: Peaks::default(),
        dice,
        transactions: 0,
    };
    if let Err(problem) = story.open() {
        story.faults.push(format!("the world cannot be set up: {problem}"));
        let trace = story.world.trace();
        return Report { tally: Tally::default(), faults: story.faults, trace };
    }
    if let Some(fault) = settings.planted {
        story.world.plant(fault);
    }
    story.act(&settings);
    if !story.liars.is_empty() {
        bounds::check_databases(&mut story);
    }
    story.come_to_rest(&settings);
    check(story)
}

impl Story {
    fn homeservers(&self) -> usize {
        self.world.homeservers()
    }

    /// A room comes about, and people come in from everywhere.
    fn open(&mut self) -> Result<(), String> {
        let version = *self.dice.of(&["6", "10", "11", "12", "12"]);
        let creator = Who { server: 0, number: 0 };
        let preset = *self.dice.of(&["public_chat", "public_chat", "private_chat"]);
        let body = json!({ "preset": preset, "room_version": version });
        let created = Wish::create_room(creator, body).demand(&mut self.world)?;
        self.wishes.inside.insert(creator);
        self.room = created["room_id"].as_str().unwrap_or_default().to_owned();
        self.world.note(&format!("{} of version {version}, {preset}", self.room));
        let via = vec![self.world.name(0)];
        for server in 0..self.homeservers() {
            for number in 0..2 {
                let who = Who { server, number };
                if who == creator {
                    continue;
                }
                if preset == "private_chat" {
                    let id = who.id(&self.world);
                    Wish::on_member(creator, &self.room, "invite", &id).demand(&mut self.world)?;
                    self.world.run_for(Duration::from_secs(2));
                }
                Wish::join(who, &self.room, &via).demand(&mut self.world)?;
                self.wishes.inside.insert(who);
            }
        }
        self.let_liars_in(creator, preset, version)?;
        let levels = self.levels();
        Wish::put_state(creator, &self.room, "m.room.power_levels", "", levels).demand(&mut self.world)?;
        self.world.run_for(Duration::from_secs(5));
        Ok(())
    }

    /// Servers that lie come into the room like all others.
    fn let_liars_in(&mut self, creator: Who, preset: &str, version: &str) -> Result<(), String> {
        for liar in self.liars.clone() {
            let user = liar.get().users[0].clone();
            if preset == "private_chat" {
                Wish::on_member(creator, &self.room, "invite", &user).demand(&mut self.world)?;
                self.world.run_for(Duration::from_secs(2));
            }
            let by = self.lying.index(self.homeservers());
            let by = self.world.name(by);
            liar.join(&mut self.world, &by, &self.room, version)?;
            self.world.run_for(Duration::from_secs(2));
        }
        Ok(())
    }

    /// Liars say something.
    fn lie(&mut self) {
        let servers: Vec<String> = (0..self.homeservers()).map(|server| self.world.name(server)).collect();
        for liar in self.liars.clone() {
            if !liar.get().is_inside() || !self.lying.percent(LOQUACITY) {
                continue;
            }
            let (kind, said) = liar.get().speak(self.world.now_ms(), &servers);
            let name = liar.get().name.to_string();
            self.world.note(&format!("{name}: {kind}"));
            for (to, request) in said {
                drop(self.world.send_from(&name, &to, request));
            }
        }
    }

    /// Power levels, in which several have much power.
    fn levels(&mut self) -> Value {
        let creator = Who { server: 0, number: 0 };
        let path = format!("v3/rooms/{}/state/m.room.power_levels/", crate::people::encode(&self.room));
        let mut levels = Wish::get(creator, path).demand(&mut self.world).unwrap_or_else(|_| json!({}));
        for server in 0..self.homeservers() {
            for number in 0..2 {
                let who = Who { server, number };
                let level = *self.dice.of(&[0, 50, 50, 75, 100]);
                if who != creator && level > 0 {
                    levels["users"][who.id(&self.world)] = json!(level);
                }
            }
        }
        for liar in &self.liars {
            let level = *self.lying.of(&[0, 0, 0, 50, 100]);
            if level > 0 {
                levels["users"][&liar.get().users[0]] = json!(level);
            }
        }
        levels["events"]["m.room.topic"] = json!(*self.dice.of(&[0, 0, 50]));
        levels
    }

    fn act(&mut self, settings: &Settings) {
        let weather = if settings.fair || self.dice.percent(15) { Weather::FAIR } else { Weather::STORM };
        self.world.set_weather(weather);
        let acts = if settings.acts > 0 { settings.acts } else { 20 + self.dice.below(25) };
        for _ in 0..acts {
            // Often several do something at the same time.
            let pause = if self.dice.percent(50) { 0 } else { self.dice.below(LONGEST_PAUSE_MS) };
            self.world.run_for(Duration::from_millis(pause));
            self.wishes.collect(&self.world);
            if weather.lost_requests > 0 && self.homeservers() > 1 && self.dice.percent(6) {
                self.part();
            }
            if self.dice.percent(30) {
                let follower = self.dice.index(self.followers.len());
                self.followers[follower].begin(&mut self.world);
            }
            let wish = self.wish();
            self.world.note(&format!("{:?} {} {} {}", wish.who, wish.method, wish.path, wish.body));
            self.wishes.begin(&mut self.world, wish);
            self.lie();
            bounds::check_memory(self);
        }
    }

    /// Some servers are cut off from the others for a while.
    fn part(&mut self) {
        let count = 1 + self.dice.index(self.homeservers() - 1);
        let first = self.dice.index(self.homeservers());
        let group: Vec<usize> = (0..count).map(|step| (first + step) % self.homeservers()).collect();
        let duration = Duration::from_millis(500 + self.dice.below(25_000));
        self.world.part(&group, duration);
    }

    /// Anybody.
    fn anybody(&mut self) -> Who {
        Who { server: self.dice.index(self.homeservers()), number: self.dice.index(USERS.len()) }
    }

    /// Somebody who is in the room, as a rule.
    fn somebody(&mut self) -> Who {
        let inside: Vec<Who> = self.wishes.inside.iter().copied().collect();
        if inside.is_empty() || self.dice.percent(5) { self.anybody() } else { *self.dice.of(&inside) }
    }

    /// Somebody who is not in the room, if there is such a one.
    fn outsider(&mut self) -> Who {
        let some: Vec<Who> = (0..10).map(|_| self.anybody()).collect();
        *some.iter().find(|who| !self.wishes.inside.contains(who)).unwrap_or(&some[0])
    }

    fn wish(&mut self) -> Wish {
        self.transactions += 1;
        let (who, target, outsider) = (self.somebody(), self.somebody(), self.outsider());
        let number = self.transactions;
        let room = self.room.clone();
        match self.dice.below(100) {
            0..36 => Wish::say(who, &room, number, &format!("message {number}")),
            36..52 => {
                let about = *self.dice.of(&["m.room.topic", "m.room.name", "test.setting"]);
                Wish::put_state(who, &room, about, "", json!({ "topic": "x", "name": "x", "n": number }))
            }
            52..62 => {
                let mut levels = self.current_levels(who);
                levels["users"][target.id(&self.world)] = json!(*self.dice.of(&[0, 25, 50, 75, 100]));
                Wish::put_state(who, &room, "m.room.power_levels", "", levels)
            }
            62..66 => {
                let rule = *self.dice.of(&["public", "public", "invite"]);
                Wish::put_state(
                    who,
                    &room,
                    "m.room.join_rules",
                    "",
                    json!({ "join_rule": rule, "n": number }),
                )
            }
            66..70 => {
                let id = target.id(&self.world);
                Wish::on_member(who, &room, "ban", &id).moving(target, false)
            }
            70..74 => Wish::on_member(who, &room, "unban", &outsider.id(&self.world)),
            74..78 => {
                let id = target.id(&self.world);
                Wish::on_member(who, &room, "kick", &id).moving(target, false)
            }
            78..83 => Wish::on_member(who, &room, "invite", &outsider.id(&self.world)),
            83..92 => {
                let mut via: Vec<String> =
                    (0..self.homeservers()).map(|server| self.world.name(server)).collect();
                if let Some(liar) = self.liars.first().filter(|_| self.lying.percent(40)) {
                    via.insert(0, liar.get().name.to_string());
                }
                Wish::join(outsider, &room, &via).moving(outsider, true)
            }
            92..95 => Wish::leave(who, &room).moving(who, false),
            _ => match self.wishes.acknowledged.last() {
                Some(last) => Wish::redact(who, &room, &last.event, number),
                None => Wish::say(who, &room, number, &format!("message {number}")),
            },
        }
    }

    /// The levels as somebody sees them now, or simple ones.
    fn current_levels(&mut self, who: Who) -> Value {
        let path = format!("v3/rooms/{}/state/m.room.power_levels/", crate::people::encode(&self.room));
        let ticket = Wish::get(who, path).begin(&mut self.world);
        self.world.run_for(Duration::from_millis(60));
        match ticket.answer() {
            Some(Ok((200, levels))) => levels,
            _ => json!({ "users": {} }),
        }
    }

    /// All is well again, and stays so; then a last word from everywhere, so that the branches meet.
    fn come_to_rest(&mut self, settings: &Settings) {
        self.world.note("all is well again");
        for liar in &self.liars {
            let mut liar = liar.get();
            let manner = liar.grow_quiet();
            self.world.note(&format!("{} is {manner} from now on", liar.name));
        }
        if let Some(Planted::Forgetful(server)) = settings.planted {
            self.world.crash(server);
        }
        self.world.heal_all();
        self.world.set_weather(Weather::FAIR);
        self.world.start_all();
        for _ in 0..200 {
            self.world.run_for(Duration::from_secs(5));
            self.wishes.collect(&self.world);
            if !self.wishes.are_waiting() {
                break;
            }
        }
        if self.wishes.are_waiting() {
            self.faults.push("some requests of clients are never answered".to_owned());
        }
        self.wishes.retry(&mut self.world);
        self.world.run_for(REST);
        self.wishes.collect(&self.world);
        // The room has as many ends as there were branches. Whoever speaks joins those that their server knows.
        // An event follows 20 ends at most, and a flood leaves many.
        let is_flooded = self.liars.iter().any(|liar| liar.get().lies.has("flood of events"));
        for round in 0..if is_flooded { 6 } else { 3 } {
            for server in 0..self.homeservers() {
                // One of each server who is in the room is enough, and in each round another: whom the others put out
                // on one of two branches, and whose server sees both, may be inside for that server alone, by the
                // rules; what such a one says brings nothing together (world 819).
                let spoken = self.wishes.acknowledged.len();
                for number in (0..USERS.len()).map(|number| (number + round) % USERS.len()) {
                    if self.wishes.acknowledged.len() > spoken {
                        break;
                    }
                    self.transactions += 1;
                    let who = Who { server, number };
                    let text = format!("last word {round} of {}", who.id(&self.world));
                    let wish = Wish::say(who, &self.room, self.transactions, &text);
                    self.wishes.begin(&mut self.world, wish);
                    self.world.run_for(Duration::from_secs(20));
                    self.wishes.collect(&self.world);
                }
            }
        }
        self.world.run_for(Duration::from_secs(1800));
    }
}
