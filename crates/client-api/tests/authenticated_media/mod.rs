//! Downloads for those who are logged in.

use axum::body::Body;
use http::Request;
use serde_json::Value;

use crate::world::{World, read};

#[tokio::test]
async fn nobody_else_gets_anything() {
    let world = World::new().await;
    for path in ["config", "download/example.org/x", "download/example.org/x/y", "thumbnail/example.org/x"] {
        let path = format!("/_matrix/client/v1/media/{path}");
        for (token, errcode) in [(None, "M_MISSING_TOKEN"), (Some("Bearer unknown"), "M_UNKNOWN_TOKEN")] {
            let request = Request::get(&path);
            let request =
                token.into_iter().fold(request, |request, token| request.header("Authorization", token));
            let response = world.answer(request.body(Body::empty()).unwrap()).await;
            assert_eq!(response.status(), 401, "{path}");
            let body: Value = serde_json::from_slice(&read(response).await).unwrap();
            assert_eq!(body["errcode"], errcode, "{path}");
        }
    }
}
