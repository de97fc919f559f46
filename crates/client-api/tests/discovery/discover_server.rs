//! `discover_server`

use std::sync::Arc;

use serde_json::json;

use crate::world::{api, get};

const PATH: &str = "/.well-known/matrix/server";

#[tokio::test]
async fn servers_are_sent_where_the_organisation_says() {
    let mut api = api();
    Arc::make_mut(&mut api.discovery).federation_address = Some("matrix.example.org:443".to_owned());
    assert_eq!(get(api, PATH).await, (200, json!({ "m.server": "matrix.example.org:443" })));
}

#[tokio::test]
async fn there_is_no_such_document_unless_configured() {
    let (status, body) = get(api(), PATH).await;
    assert_eq!((status, &body["errcode"]), (404, &json!("M_NOT_FOUND")));
}
