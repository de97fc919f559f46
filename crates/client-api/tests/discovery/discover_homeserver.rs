//! `discover_homeserver`

use parvis_policy::encryption::{EncryptionPolicy, Level};
use serde_json::json;

use crate::world::World;

const PATH: &str = "/.well-known/matrix/client";

#[tokio::test]
async fn clients_learn_the_base_url_and_that_encryption_is_off() {
    let expected = json!({
        "m.homeserver": { "base_url": "https://matrix.example.org" },
        "io.element.e2ee": { "default": false },
        "im.vector.riot.e2ee": { "default": false },
    });
    assert_eq!(World::new().await.get(PATH).await, (200, expected));
}

#[tokio::test]
async fn encryption_forbidden_everywhere_is_published_as_disabled() {
    let world = World::new().await;
    world.set_encryption(EncryptionPolicy::everywhere(Level::Forbidden));
    let (_, body) = world.get(PATH).await;
    assert_eq!(body["io.element.e2ee"], json!({ "default": false, "force_disable": true }));
    assert_eq!(body["im.vector.riot.e2ee"], body["io.element.e2ee"]);
}

#[tokio::test]
async fn nothing_is_published_where_clients_decide() {
    let world = World::new().await;
    world.set_encryption(EncryptionPolicy::everywhere(Level::Client));
    let (_, body) = world.get(PATH).await;
    assert_eq!(body, json!({ "m.homeserver": { "base_url": "https://matrix.example.org" } }));
}

#[tokio::test]
async fn clients_are_told_to_lay_by_devices_where_the_organisation_wants_that() {
    let mut world = World::new().await;
    assert_eq!(world.get(PATH).await.1["org.matrix.msc3814"], json!(null));
    let mut discovery = (*world.api.discovery).clone();
    discovery.dehydrated_devices = true;
    world.api.discovery = std::sync::Arc::new(discovery);
    assert_eq!(world.get(PATH).await.1["org.matrix.msc3814"], true);
}
