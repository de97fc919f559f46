//! The server is killed while messages to a device are sent and taken. Each arrives once, in order, however often it
//! was sent or shown again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Method;
use parvis_testkit::{Engine, Program, User};
use serde_json::{Value, json};

const MESSAGES: usize = 250;
/// After how many acknowledged messages the server is killed.
const KILLED_AFTER: [usize; 4] = [20, 70, 130, 190];
/// How often somebody tries at most who gets no answer, and how long they wait in between.
const TRIES: usize = 3_000;
const PAUSE: Duration = Duration::from_millis(10);

/// Sends numbers, each until it is acknowledged.
async fn whisper(sender: User, to: User, acknowledged: Arc<AtomicUsize>) {
    for n in 0..MESSAGES {
        let content = json!({ (to.id.as_str()): { (to.device_id.as_str()): { "n": n } } });
        let body = json!({ "messages": content }).to_string();
        let path = format!("v3/sendToDevice/m.test/t{n}");
        let mut answer = None;
        for _ in 0..TRIES {
            if let Ok(arrived) = sender.try_send(Method::PUT, &path, body.clone()).await {
                answer = Some(arrived);
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        answer.unwrap().ok();
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

/// Syncs until the last number has come; all that came.
async fn listen(receiver: User) -> Vec<usize> {
    let mut follower = receiver.follow();
    let mut heard = Vec::new();
    for _ in 0..TRIES {
        let Some(sync) = follower.try_wait(200).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let events = sync["to_device"]["events"].as_array().cloned().unwrap_or_default();
        let number = |event: &Value| usize::try_from(event["content"]["n"].as_u64().unwrap()).unwrap();
        heard.extend(events.iter().map(number));
        if heard.contains(&(MESSAGES - 1)) {
            break;
        }
    }
    heard
}

async fn whisper_under_fire(engine: &Engine) {
    let mut program = Program::start(engine, "").await;
    let (alice, bob) = (program.user("alice").await, program.user("bob").await);
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let listening = tokio::spawn(listen(bob.clone()));
    let whispering = tokio::spawn(whisper(alice, bob.clone(), Arc::clone(&acknowledged)));
    for killed_after in KILLED_AFTER {
        while acknowledged.load(Ordering::SeqCst) < killed_after && !whispering.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        program.kill();
        program.run().await;
    }
    whispering.await.unwrap();
    assert_eq!(listening.await.unwrap(), (0..MESSAGES).collect::<Vec<_>>());
    let mut late = bob.follow();
    let sync = late.now().await;
    let left = sync["to_device"]["events"].as_array().unwrap().len();
    assert!(left < MESSAGES, "what was acknowledged is thrown away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_to_a_device_arrive_once_though_the_server_is_killed_on_sqlite() {
    whisper_under_fire(&Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_to_a_device_arrive_once_though_the_server_is_killed_on_postgres() {
    for engine in Engine::at_hand().into_iter().filter(|engine| *engine != Engine::Sqlite) {
        whisper_under_fire(&engine).await;
    }
}
