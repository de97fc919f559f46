//! `discover_support`

use std::sync::Arc;

use ruma::api::client::discovery::discover_support::{Contact, ContactRole};
use serde_json::json;

use crate::world::World;

const PATH: &str = "/.well-known/matrix/support";

#[tokio::test]
async fn people_learn_whom_to_ask() {
    let mut world = World::new().await;
    let discovery = Arc::make_mut(&mut world.api.discovery);
    let contact = Contact::with_email_address(ContactRole::Admin, "help@example.org".to_owned());
    discovery.support_contacts.push(contact);
    discovery.support_page = Some("https://help.example.org".to_owned());
    let expected = json!({
        "contacts": [{ "role": "m.role.admin", "email_address": "help@example.org" }],
        "support_page": "https://help.example.org",
    });
    assert_eq!(world.get(PATH).await, (200, expected));
}

#[tokio::test]
async fn there_is_no_such_document_unless_configured() {
    let (status, body) = World::new().await.get(PATH).await;
    assert_eq!((status, &body["errcode"]), (404, &json!("M_NOT_FOUND")));
}
