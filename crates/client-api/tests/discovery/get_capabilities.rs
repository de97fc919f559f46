//! `get_capabilities`, and other endpoints that say what there is here

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn user_learns_what_they_may_do() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let answer = world.get_as(&alice, "v3/capabilities").await.ok();
    let capabilities = &answer["capabilities"];
    let versions = json!({ "default": "12", "available": { "11": "stable", "12": "stable" } });
    assert_eq!(capabilities["m.room_versions"], versions);
    assert_eq!(capabilities["m.3pid_changes"], json!({ "enabled": false }));
    assert_eq!(capabilities["m.get_login_token"], json!({ "enabled": true }));
    assert_eq!(capabilities["m.profile_fields"], json!({ "enabled": true }));
    for allowed in ["m.change_password", "m.set_displayname", "m.set_avatar_url"] {
        assert_eq!(capabilities[allowed], json!({ "enabled": true }), "{allowed}");
    }
}

#[tokio::test]
async fn there_are_no_call_servers_and_no_bridges() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    assert_eq!(world.get_as(&alice, "v3/voip/turnServer").await.ok(), json!({}));
    assert_eq!(world.get_as(&alice, "v3/thirdparty/protocols").await.ok(), json!({}));
}
