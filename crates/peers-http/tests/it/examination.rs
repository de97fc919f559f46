//! What somebody is told who wants to know why a server is not reached.

use parvis_peers_http::Verdict;
use serde_json::{Value, json};

use crate::{
    discovery::World,
    keys::{document, key, signed},
    tls::answer,
    world::{START_MS, server},
};

/// Whether all was well, and everything that was told: bad findings begin with `!`.
async fn examine(world: &World, name: &str, own_key: Option<&str>) -> (bool, Vec<String>) {
    let mut told = Vec::new();
    let mut tell = |finding: parvis_peers_http::Finding| {
        let mark = if finding.verdict == Verdict::Bad { "! " } else { "" };
        told.push(format!("{mark}{}", finding.text));
    };
    let all_good = world.transport.examine(&server(name), own_key, &mut tell).await;
    (all_good, told)
}

/// Lets the server at the usual port answer with this server's keys, and with its version in the same document.
fn publish(world: &World, name: &str, valid_until_ts: i64) {
    let mut published: Value = document(name, &[&key("a")], &[], valid_until_ts);
    published["server"] = json!({ "name": "Parvis", "version": "1" });
    let published = signed(&published, name, &key("a"));
    world.usual.answer_with(answer(200, &[], &published.to_string()));
}

fn has(told: &[String], text: &str) -> bool {
    told.iter().any(|line| line.contains(text))
}

#[tokio::test]
async fn server_that_is_well_is_told_step_by_step() {
    let world = World::new("b.test").await;
    world.delegate("b.test");
    publish(&world, "a.test", START_MS + 1_000_000);
    let (all_good, told) = examine(&world, "a.test", None).await;
    assert!(all_good, "{told:#?}");
    for text in [
        "https://a.test/.well-known/matrix/server delegates to b.test, for 1440 minutes",
        "b.test has no SRV records",
        "b.test is at 127.0.0.1",
        "has a good certificate for b.test, until 4096-01-01",
        "a.test runs Parvis 1",
        "a.test signs with ed25519:a",
    ] {
        assert!(has(&told, text), "{text}: {told:#?}");
    }
}

#[tokio::test]
async fn own_server_is_told_from_another_one_of_that_name() {
    let world = World::new("a.test").await;
    publish(&world, "a.test", START_MS + 1_000_000);
    let (all_good, told) = examine(&world, "a.test", Some(&key("a").public_key_base64())).await;
    assert!(all_good && has(&told, "the key is this server's own"), "{told:#?}");
    let (all_good, told) = examine(&world, "a.test", Some(&key("b").public_key_base64())).await;
    assert!(!all_good && has(&told, "! the key is not this server's own"), "{told:#?}");
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let world = World::new("machine.test").await;
    world.dns.service("_matrix-fed._tcp.a.test", "machine.test", world.other.port());
    let (_, told) = examine(&world, "a.test", None).await;
    assert!(has(&told, "the SRV record _matrix-fed._tcp.a.test leads to machine.test"), "{told:#?}");
    assert!(has(&told, "! 127.0.0.1") && has(&told, "not valid for name"), "{told:#?}");
    assert!(has(&told, "! a.test cannot be reached at any address"), "{told:#?}");

    for (name, problem) in [
        ("nowhere.test", "! nowhere.test has no address"),
        ("10.0.0.1", "! 10.0.0.1 is not on the public Internet"),
        ("127.0.0.1:1", "! 127.0.0.1:1 as 127.0.0.1: no connection"),
    ] {
        let (all_good, told) = examine(&world, name, None).await;
        assert!(!all_good && has(&told, problem), "{told:#?}");
    }

    let world = World::new("a.test").await;
    publish(&world, "a.test", START_MS - 1);
    assert!(has(&examine(&world, "a.test", None).await.1, "whose time was over"));
    publish(&world, "b.test", START_MS + 1_000_000);
    assert!(has(&examine(&world, "a.test", None).await.1, "! the keys there are those of b.test"));
    world.usual.answer_with(answer(404, &[], "{}"));
    assert!(has(&examine(&world, "a.test", None).await.1, "! /_matrix/key/v2/server"));
}
