//! A client API to send requests to.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use parvis_client_api::{ClientApi, Discovery, router};
use serde_json::Value;
use tower::ServiceExt;

const BODY_LIMIT_BYTES: usize = 1 << 20;

pub(crate) fn api() -> ClientApi {
    let discovery = Discovery {
        public_base_url: "https://matrix.example.org".to_owned(),
        federation_address: None,
        support_contacts: Vec::new(),
        support_page: None,
    };
    ClientApi { discovery: Arc::new(discovery), encryption: Default::default() }
}

/// The status and the JSON body of the answer to a `GET` without a token.
pub(crate) async fn get(api: ClientApi, path: &str) -> (u16, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    read(router(api, BODY_LIMIT_BYTES).oneshot(request).await.unwrap()).await
}

async fn read(response: Response<Body>) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}
