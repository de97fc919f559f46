//! What those are promised who want a mail of what they have missed: one mail of everything, late, and none of what they
//! have read.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use parvis_outbound::{Attention, MailPush, Push, PushSettings};
use parvis_peers::{Language, Mail, MailError, Mailer, NoNetwork, Transport};
use parvis_policy::push::{MailContent, PushRules};
use parvis_storage::{MAIL_APP, NewPusher, StoredEvent, WriteSet};
use serde_json::json;

use crate::{
    eager::Eager,
    world::{Person, Room, World},
};

const MINUTE: Duration = Duration::from_secs(60);
const DELAY: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_secs(3_600);

/// A mail server that keeps what it is given, unless it is away.
#[derive(Debug, Default)]
struct Postbox {
    mails: Mutex<Vec<Mail>>,
    away: Mutex<bool>,
}

#[async_trait]
impl Mailer for Postbox {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        if *self.away.lock().unwrap() {
            return Err(MailError::Failed("421 not now".to_owned()));
        }
        self.mails.lock().unwrap().push(mail);
        Ok(())
    }
}

struct Office {
    world: World,
    postbox: Arc<Postbox>,
    eager: Arc<Eager>,
    push: Push,
    content: MailContent,
}

async fn start(world: &World, postbox: &Arc<Postbox>, eager: &Arc<Eager>, content: MailContent) -> Push {
    let mail = MailPush {
        mailer: Arc::clone(postbox) as Arc<dyn Mailer>,
        organisation: "Example".to_owned(),
        stop_link: "https://parvis.test/stop".to_owned(),
        default_language: Language::German,
        delay: DELAY,
        pause: PAUSE,
    };
    let rules = PushRules { mail: content, ..PushRules::default() };
    let settings = PushSettings { rules, mail: Some(mail) };
    let attention = Arc::clone(eager) as Arc<dyn Attention>;
    let network = Arc::new(NoNetwork) as Arc<dyn Transport>;
    Push::start(world.store.clone(), world.ambient(), network, attention, settings).await.unwrap()
}

impl Office {
    async fn on(world: World, content: MailContent) -> Self {
        let postbox = Arc::<Postbox>::default();
        let eager = Eager::new(&world.store);
        let push = start(&world, &postbox, &eager, content).await;
        Self { world, postbox, eager, push, content }
    }

    async fn restart(self, orderly: bool) -> Self {
        let Self { world, postbox, eager, push, content } = self;
        if orderly {
            push.close().await;
        } else {
            push.stop();
        }
        drop((push, eager));
        let world = world.restart(orderly).await;
        let eager = Eager::new(&world.store);
        let push = start(&world, &postbox, &eager, content).await;
        Self { world, postbox, eager, push, content }
    }

    /// Somebody who reads mails in this language.
    async fn person(&self, name: &str, language: &str) -> Person {
        let person = self.world.person(&format!("@{name}:parvis.test")).await;
        let device = parvis_storage::DeviceSn(self.world.store.next_number().await.unwrap());
        let pusher = json!({ "kind": "email", "lang": language, "org.parvis.stop": "1.secret" }).to_string();
        let mut set = WriteSet::new();
        set.add_device(person.user, device, ruma::device_id!("LAPTOP"), None, 0);
        set.put_pusher(&NewPusher {
            user: person.user,
            device,
            app_id: MAIL_APP,
            pushkey: &format!("{name}@example.org"),
            pusher: &pusher,
            created_ts: 0,
            enabled: true,
        });
        self.world.store.commit(set).await.unwrap();
        person
    }

    /// Lets time pass, and what is due be done.
    async fn pass(&self, duration: Duration) {
        self.settle().await;
        self.world.clock.advance(duration);
        self.settle().await;
    }

    async fn settle(&self) {
        let mut calm = 0;
        for _ in 0..5_000 {
            calm = if self.push.status().unread_changes > 0 { 0 } else { calm + 1 };
            if calm > 15 {
                return;
            }
            self.world.clock.advance(Duration::from_millis(20));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("it never comes to rest: {:?}", self.push.status());
    }

    fn mails(&self) -> Vec<Mail> {
        self.postbox.mails.lock().unwrap().clone()
    }

    fn read(&self, who: &Person, event: &StoredEvent) {
        self.eager.reads(who.user, event.sn);
    }
}

async fn on_each_engine<F: Future<Output = ()>>(test: impl Fn(World) -> F) {
    test(World::new().await).await;
    if let Some(world) = World::on_postgres().await {
        test(world).await;
    }
}

#[tokio::test]
async fn one_mail_tells_of_everything_that_is_still_unread_after_a_while() {
    on_each_engine(async |world: World| {
        let office = Office::on(world, MailContent::Numbers).await;
        let alice = office.world.person("@alice:parvis.test").await;
        let bob = office.person("bob", "fr-CH").await;
        let mut room = Room::with(&office.world, "room", &[&alice, &bob]).await;
        let mut other = Room::with(&office.world, "other", &[&alice, &bob]).await;
        let first = room.say(&alice, "a secret").await;
        office.pass(5 * MINUTE).await;
        room.say(&alice, "another").await;
        other.say(&alice, "a third").await;
        office.read(&bob, &first);
        office.pass(6 * MINUTE).await;
        assert_eq!(office.mails(), [], "what was read does not count, and the rest is young");
        office.pass(5 * MINUTE).await;
        let mails = office.mails();
        assert_eq!(mails.len(), 1);
        let mail = &mails[0];
        assert_eq!(
            (mail.to.as_str(), mail.subject.as_str()),
            ("bob@example.org", "Messages non lus auprès de Example")
        );
        assert!(mail.text.contains("Messages non lus: 2\nNombre de salons: 2\n"), "{}", mail.text);
        assert!(!mail.text.contains("another") && !mail.text.contains("alice"), "{}", mail.text);
        assert_eq!(mail.stop.as_deref(), Some("https://parvis.test/stop?token=1.secret"));

        // After a mail there is no other for a while, and then one of what is new.
        room.say(&alice, "more").await;
        office.pass(20 * MINUTE).await;
        assert_eq!(office.mails().len(), 1);
        office.pass(PAUSE).await;
        assert_eq!(office.mails().len(), 2);
        assert!(office.mails()[1].text.contains("Messages non lus: 1\n"));
        office.pass(2 * PAUSE).await;
        assert_eq!(office.mails().len(), 2, "nothing is told twice");
    })
    .await;
}

#[tokio::test]
async fn mail_comes_once_also_over_restarts_and_when_the_mail_server_was_away() {
    on_each_engine(async |world: World| {
        let office = Office::on(world, MailContent::Messages).await;
        let alice = office.world.person("@alice:parvis.test").await;
        let bob = office.person("bob", "").await;
        let mut room = Room::with(&office.world, "room", &[&alice, &bob]).await;
        room.say(&alice, "hello").await;
        drop(room); // it holds the store
        office.pass(2 * MINUTE).await;
        let office = office.restart(true).await;
        office.pass(2 * MINUTE).await;
        assert_eq!(office.mails(), [], "a restart makes nothing due");
        *office.postbox.away.lock().unwrap() = true;
        office.pass(10 * MINUTE).await;
        assert_eq!(office.push.status().pushers.failing, 1);
        let office = office.restart(false).await;
        office.pass(MINUTE).await;
        *office.postbox.away.lock().unwrap() = false;
        office.pass(PAUSE).await;
        let mails = office.mails();
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].subject, "Ungelesene Nachrichten bei Example");
        assert!(mails[0].text.contains("@alice:parvis.test: hello\n"), "{}", mails[0].text);
        let office = office.restart(true).await;
        office.pass(PAUSE).await;
        assert_eq!(office.mails().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn organisation_that_wants_no_such_mails_sends_none() {
    let office = Office::on(World::new().await, MailContent::Off).await;
    let alice = office.world.person("@alice:parvis.test").await;
    let bob = office.person("bob", "en").await;
    let mut room = Room::with(&office.world, "room", &[&alice, &bob]).await;
    room.say(&alice, "hello").await;
    office.pass(PAUSE).await;
    assert_eq!(office.mails(), []);
}
