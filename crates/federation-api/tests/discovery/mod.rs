//! Who the server is.

use parvis_events::canonical::{parse_object, to_text};
use ruma::{SigningKeyAlgorithm, serde::Base64, signatures::verify_canonical_json_bytes};
use serde_json::json;

use crate::world::{HERE, START, World, key_of};

#[tokio::test]
async fn version_names_the_server() {
    let body = World::new().await.get_unsigned("/_matrix/federation/v1/version").await.ok();
    assert_eq!(body["server"]["name"], "Parvis");
    assert!(body["server"]["version"].is_string());
}

/// Whether a document bears a good signature of this server.
fn is_signed_here(document: &serde_json::Value) -> bool {
    let key = key_of(HERE);
    let signature = document["signatures"][HERE][key.key_id()].as_str().unwrap();
    let mut object = parse_object(document.to_string().as_bytes()).unwrap();
    object.remove("signatures");
    let (public, signature): (Base64, Base64) =
        (Base64::parse(key.public_key_base64()).unwrap(), Base64::parse(signature).unwrap());
    let text = to_text(&object);
    verify_canonical_json_bytes(
        &SigningKeyAlgorithm::Ed25519,
        public.as_bytes(),
        signature.as_bytes(),
        text.as_bytes(),
    )
    .is_ok()
}

#[tokio::test]
async fn own_keys_are_published_signed() {
    let world = World::new().await;
    for path in ["/_matrix/key/v2/server", "/_matrix/key/v2/server/ed25519:k"] {
        let body = world.get_unsigned(path).await.ok();
        assert_eq!(body["server_name"], HERE);
        assert_eq!(body["verify_keys"]["ed25519:k"]["key"], key_of(HERE).public_key_base64());
        assert_eq!(body["valid_until_ts"], START + 86_400_000);
        assert!(body["old_verify_keys"].is_object());
        assert!(is_signed_here(&body));
    }
}

#[tokio::test]
async fn notary_answers_with_what_it_has_and_never_fails() {
    let world = World::new().await;
    let one = world.get_unsigned("/_matrix/key/v2/query/parvis.test").await.ok();
    assert!(is_signed_here(&one["server_keys"][0]));
    let none = world.get_unsigned("/_matrix/key/v2/query/elsewhere.test?minimum_valid_until_ts=5").await.ok();
    assert_eq!(none, json!({ "server_keys": [] }));
    let body = json!({ "server_keys": { "parvis.test": { "ed25519:k": {} }, "elsewhere.test": {} } });
    let request = http::Request::post("/_matrix/key/v2/query").body(body.to_string().into()).unwrap();
    let both = world.send(request).await.ok();
    assert_eq!(both["server_keys"].as_array().unwrap().len(), 1);
}
