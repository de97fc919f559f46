//! `discover_server`

use std::sync::Arc;

use serde_json::json;

use crate::world::World;

const PATH: &str = "/.well-known/matrix/server";

#[tokio::test]
async fn servers_are_sent_where_the_organisation_says() {
    let mut world = World::new().await;
    Arc::make_mut(&mut world.api.discovery).federation_address = Some("matrix.example.org:443".to_owned());
    assert_eq!(world.get(PATH).await, (200, json!({ "m.server": "matrix.example.org:443" })));
}

#[tokio::test]
async fn there_is_no_such_document_unless_configured() {
    let (status, body) = World::new().await.get(PATH).await;
    assert_eq!((status, &body["errcode"]), (404, &json!("M_NOT_FOUND")));
}
