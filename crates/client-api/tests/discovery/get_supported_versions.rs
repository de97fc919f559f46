//! `get_supported_versions`

use parvis_policy::encryption::{EncryptionPolicy, Level};
use serde_json::json;

use crate::world::World;

const PATH: &str = "/_matrix/client/versions";

#[tokio::test]
async fn versions_include_one_that_every_client_accepts() {
    let (status, body) = World::new().await.get(PATH).await;
    assert_eq!(status, 200);
    let versions = body["versions"].as_array().unwrap();
    for version in ["r0.6.1", "v1.1", "v1.11", "v1.16"] {
        assert!(versions.contains(&json!(version)), "{version}");
    }
}

#[tokio::test]
async fn encryption_is_said_to_be_forced_only_where_it_is() {
    let (_, plain) = World::new().await.get(PATH).await;
    assert!(plain["unstable_features"].get("io.element.e2ee_forced.private").is_none());

    let world = World::new().await;
    world.set_encryption(EncryptionPolicy { private: Level::Required, ..EncryptionPolicy::default() });
    let (_, body) = world.get(PATH).await;
    assert_eq!(body["unstable_features"]["io.element.e2ee_forced.private"], true);
    assert!(body["unstable_features"].get("io.element.e2ee_forced.public").is_none());
}
