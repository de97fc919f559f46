//! `get_username_availability`

use http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World};

async fn available(world: &World, name: &str) -> Answer {
    let path = format!("v3/register/available?username={name}");
    world.send(Method::GET, &path, None, Value::Null).await
}

#[tokio::test]
async fn name_is_available_until_somebody_has_it() {
    let world = World::new().await;
    assert_eq!(available(&world, "alice").await.ok(), json!({ "available": true }));
    world.register("alice").await;
    assert_eq!(available(&world, "alice").await.error(), (400, "M_USER_IN_USE"));
    assert_eq!(available(&world, "Alice").await.error(), (400, "M_USER_IN_USE"));
    assert_eq!(available(&world, "b%C3%A9").await.error(), (400, "M_INVALID_USERNAME"));
}
