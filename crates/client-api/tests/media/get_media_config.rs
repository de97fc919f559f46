//! `get_media_config`

use crate::world::World;

#[tokio::test]
async fn strangers_are_not_told_the_limits() {
    let world = World::new().await;
    for version in ["r0", "v3"] {
        let (status, body) = world.get(&format!("/_matrix/media/{version}/config")).await;
        assert_eq!((status, &body["errcode"]), (401, &"M_MISSING_TOKEN".into()));
    }
}
