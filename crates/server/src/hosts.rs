//! The choice of the organisation by the name of the host that was asked.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use axum::{Router, extract::Request, response::IntoResponse, response::Response};
use http::{StatusCode, header};
use parvis_wire::MatrixError;
use ruma::api::error::ErrorCode;
use tower::{ServiceExt, service_fn};

use crate::config::ANY_HOST;

/// The organisations' routers, by host name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    by_name: HashMap<String, Router>,
    any: Option<Router>,
}

impl Hosts {
    /// Adds an organisation under its host names, which are in small letters and without ports.
    pub(crate) fn add(&mut self, names: &[String], router: &Router) {
        for name in names {
            if name == ANY_HOST {
                self.any = Some(router.clone());
            } else {
                self.by_name.insert(name.clone(), router.clone());
            }
        }
    }

    /// One router which hands each request to the organisation that it is for.
    pub(crate) fn into_router(self) -> Router {
        let hosts = Arc::new(self);
        Router::new().fallback_service(service_fn(move |request: Request| {
            let hosts = Arc::clone(&hosts);
            async move { Ok::<_, Infallible>(hosts.answer(request).await) }
        }))
    }

    async fn answer(&self, request: Request) -> Response {
        let name = host_name(&request);
        let known = name.and_then(|name| self.by_name.get(&name)).or(self.any.as_ref());
        match known {
            Some(router) => router.clone().oneshot(request).await.into_response(),
            None => unknown_host(),
        }
    }
}

/// The host name that was asked, in small letters, without port and final dot.
fn host_name(request: &Request) -> Option<String> {
    let header = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let authority = header.or_else(|| request.uri().authority().map(http::uri::Authority::as_str))?;
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    Some(name.trim_end_matches('.').to_ascii_lowercase())
}

/// Readable from any origin, so that a client can show the reason.
fn unknown_host() -> Response {
    let message = "No organisation here has this host name. A reverse proxy must hand on the Host header; further \
                   names are set in server.host_names.";
    let mut response =
        MatrixError::new(StatusCode::NOT_FOUND, ErrorCode::Unrecognized, message).into_response();
    let any = http::HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;

    use super::*;

    fn organisation(name: &'static str) -> Router {
        Router::new().fallback(move || async move { name })
    }

    async fn answer(hosts: &Hosts, host: &str) -> (u16, String) {
        let request = Request::get("/").header(header::HOST, host).body(Body::empty()).unwrap();
        let response = hosts.clone().into_router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    fn two() -> Hosts {
        let mut hosts = Hosts::default();
        hosts.add(&["one.example".to_owned(), "chat.one.example".to_owned()], &organisation("one"));
        hosts.add(&["two.example".to_owned()], &organisation("two"));
        hosts
    }

    #[tokio::test]
    async fn host_name_chooses_the_organisation() {
        for (host, name) in [
            ("one.example", "one"),
            ("Chat.One.Example:8448", "one"),
            ("two.example.", "two"),
            ("two.example:443", "two"),
        ] {
            assert_eq!(answer(&two(), host).await, (200, name.to_owned()), "{host}");
        }
    }

    #[tokio::test]
    async fn unknown_host_is_told_so() {
        for host in ["three.example", "", "example", "[::1]:8008"] {
            let (status, body) = answer(&two(), host).await;
            assert_eq!(status, 404, "{host}");
            assert!(body.contains("M_UNRECOGNIZED") && body.contains("server.host_names"), "{body}");
        }
    }

    #[tokio::test]
    async fn organisation_for_any_host_answers_where_no_other_does() {
        let mut hosts = two();
        hosts.add(&["*".to_owned()], &organisation("any"));
        assert_eq!(answer(&hosts, "127.0.0.1:8008").await, (200, "any".to_owned()));
        assert_eq!(answer(&hosts, "two.example").await, (200, "two".to_owned()));
    }

    #[tokio::test]
    async fn host_of_http_2_is_in_the_uri() {
        let request = Request::get("https://two.example:8448/path").body(Body::empty()).unwrap();
        assert_eq!(host_name(&request).as_deref(), Some("two.example"));
    }
}
