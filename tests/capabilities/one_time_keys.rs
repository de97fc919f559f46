//! The server is killed while twenty clients claim the one-time keys of one device. No key is given to two of them,
//! whatever they were told of it, and who comes after the last one gets the fallback key.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Method;
use parvis_testkit::{Engine, Program, User, messages_in, timeline};
use serde_json::{Value, json};

const CLAIMANTS: usize = 20;
const KEYS: usize = 50;
/// After how many answers in all the server is killed.
const KILLED_AFTER: [usize; 4] = [5, 14, 23, 32];
/// How often it is done with new keys.
const ROUNDS: usize = 3;
const FALLBACK: &str = "signed_curve25519:fallback";
/// How long the killer looks away at most between two looks, and how often it looks.
const LOOK: Duration = Duration::from_micros(200);
const LOOKS: usize = 100_000;

fn keys(round: usize, numbers: Range<usize>) -> BTreeMap<String, Value> {
    let key = |number| {
        (format!("signed_curve25519:r{round}n{number:03}"), json!({ "key": format!("{round}/{number}") }))
    };
    numbers.map(key).collect()
}

fn upload_of(round: usize) -> Value {
    json!({ "one_time_keys": keys(round, 0..KEYS), "fallback_keys": { (FALLBACK): { "key": "f", "fallback": true } } })
}

/// One who claims, and the names of the keys that they were given.
struct Claimant {
    user: User,
    given: Vec<String>,
    unanswered: usize,
}

impl Claimant {
    /// Claims a key of the owner's device; gives its name. Nothing, if there was no answer.
    async fn claim(&self, owner: &User) -> Option<String> {
        let wanted = json!({ (owner.id.as_str()): { (owner.device_id.as_str()): "signed_curve25519" } });
        let body = json!({ "one_time_keys": wanted }).to_string();
        let answer = self.user.try_send(Method::POST, "v3/keys/claim", body).await.ok()?.ok();
        let keys = answer["one_time_keys"][&owner.id][&owner.device_id].as_object().unwrap().clone();
        assert_eq!(keys.len(), 1, "{answer}");
        keys.into_iter().next().map(|(name, _)| name)
    }

    /// Claims until the server is gone, or has only the fallback key left.
    async fn claim_until_the_end(mut self, owner: User, answers: Arc<AtomicUsize>) -> Self {
        for _ in 0..=KEYS {
            match self.claim(&owner).await {
                Some(name) if name == FALLBACK => return self,
                Some(name) => {
                    self.given.push(name);
                    answers.fetch_add(1, Ordering::SeqCst);
                }
                None => {
                    self.unanswered += 1;
                    return self;
                }
            }
        }
        panic!("{} was given more keys than there are: {:?}", self.user.id, self.given);
    }
}

/// Lets all claim at once; kills the server when there were so many answers in all, if so many are given.
async fn claim_all(
    program: &mut Program,
    owner: &User,
    claimants: Vec<Claimant>,
    answers: &Arc<AtomicUsize>,
    killed_after: Option<usize>,
) -> Vec<Claimant> {
    let claiming: Vec<_> = claimants
        .into_iter()
        .map(|claimant| tokio::spawn(claimant.claim_until_the_end(owner.clone(), Arc::clone(answers))))
        .collect();
    if let Some(killed_after) = killed_after {
        for _ in 0..LOOKS {
            if answers.load(Ordering::SeqCst) >= killed_after
                || claiming.iter().all(|task| task.is_finished())
            {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        program.kill();
    }
    let mut claimants = Vec::new();
    for claimant in claiming {
        claimants.push(claimant.await.unwrap());
    }
    claimants
}

async fn left(owner: &User) -> u64 {
    owner.get("v3/sync").await.ok()["device_one_time_keys_count"]["signed_curve25519"].as_u64().unwrap()
}

async fn claim_under_fire(engine: &Engine) {
    let mut program = Program::start(engine, "").await;
    let owner = program.user("owner").await;
    let mut claimants = Vec::new();
    for number in 0..CLAIMANTS {
        let user = program.user(&format!("claimant{number}")).await;
        claimants.push(Claimant { user, given: Vec::new(), unanswered: 0 });
    }
    for round in 0..ROUNDS {
        owner.post("v3/keys/upload", upload_of(round)).await.ok();
        let answers = Arc::default();
        for killed_after in KILLED_AFTER {
            claimants = claim_all(&mut program, &owner, claimants, &answers, Some(killed_after)).await;
            program.run().await;
            // The owner's client does not know whether its upload arrived, and repeats it.
            owner.post("v3/keys/upload", upload_of(round)).await.ok();
        }
        claimants = claim_all(&mut program, &owner, claimants, &answers, None).await;

        assert_eq!(left(&owner).await, 0);
        for claimant in &claimants {
            assert_eq!(claimant.claim(&owner).await.as_deref(), Some(FALLBACK), "to {}", claimant.user.id);
        }
        let given: Vec<&String> = claimants.iter().flat_map(|claimant| &claimant.given).collect();
        let different: BTreeSet<&String> = given.iter().copied().collect();
        assert_eq!(different.len(), given.len(), "a key was given twice: {given:?}");
        let unanswered: usize = claimants.iter().map(|claimant| claimant.unanswered).sum();
        let all = KEYS * (round + 1);
        assert!(given.len() + unanswered >= all, "{} and {unanswered} of {all}: keys were lost", given.len());
        println!(
            "{engine}, round {round}: of {all} keys {} were given, {unanswered} claims unanswered",
            given.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_given_twice_though_the_server_is_killed_on_sqlite() {
    claim_under_fire(&Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_given_twice_though_the_server_is_killed_on_postgres() {
    for engine in Engine::at_hand().into_iter().filter(|engine| *engine != Engine::Sqlite) {
        claim_under_fire(&engine).await;
    }
}

#[tokio::test]
async fn restored_server_gives_no_key_that_it_gave_after_the_backup() {
    let mut program = Program::start(&Engine::Sqlite, "").await;
    let (owner, user) = (program.user("owner").await, program.user("claimant").await);
    let claimant = Claimant { user, given: Vec::new(), unanswered: 0 };
    owner.post("v3/keys/upload", upload_of(0)).await.ok();
    let room = owner.room_with(&[&claimant.user]).await;
    let mut before = owner.follow();
    before.now().await;
    program.kill();
    program.back_up();

    program.run().await;
    assert!(claimant.claim(&owner).await.unwrap().contains("r0n000"));
    let mut after = owner.follow();
    for n in 0..30 {
        claimant.user.say(&room, &n.to_string()).await;
    }
    after.now().await;
    program.kill();
    program.restore();
    program.command(&["restored"]);
    program.run().await;

    assert_eq!(left(&owner).await, 0);
    assert_eq!(claimant.claim(&owner).await.as_deref(), Some(FALLBACK));
    assert_eq!(
        owner.get("v3/sync").await.ok()["device_unused_fallback_key_types"],
        json!([]),
        "the device makes a new one"
    );
    owner.post("v3/keys/upload", upload_of(0)).await.ok();
    assert_eq!(left(&owner).await, 0, "old keys do not come back");
    owner.post("v3/keys/upload", upload_of(1)).await.ok();
    assert!(claimant.claim(&owner).await.unwrap().contains("r1n000"));

    // Who has seen what is lost begins anew, and sees what comes.
    claimant.user.say(&room, "after the restore").await;
    let anew = after.wait(0).await;
    let told = timeline(&anew, &room);
    assert_eq!(
        (told[0]["type"].as_str(), messages_in(&told)),
        (Some("m.room.create"), vec!["after the restore".to_owned()])
    );
    let news = timeline(&before.wait(0).await, &room);
    assert_eq!((news.len(), messages_in(&news)), (1, vec!["after the restore".to_owned()]));
}
