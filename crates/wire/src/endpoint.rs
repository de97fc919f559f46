//! Endpoints: a ruma request type and the function that answers it.

use std::{any::type_name, collections::BTreeMap, fmt, future::Future, pin::Pin, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, RawPathParams, Request, State},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, TryFutureExt};
use http::{HeaderMap, Method, header, request::Parts};
use ruma::api::{
    IncomingRequest, IncomingRequestExt, Metadata, OutgoingResponse, OutgoingResponseExt,
    auth_scheme::AccessToken, path_builder::PathBuilder,
};

use serde::Serialize;

use crate::{
    Authenticator, ClientAddress, MatrixError, Scheme,
    body::{check_is_json_object, from_request_error, read_body},
};

/// A typed request that was read and whose caller is known.
#[derive(Debug)]
pub struct Call<T, P> {
    /// The request as ruma describes it.
    pub request: T,
    /// Who is calling: what the API's [`crate::Authenticator`] made of the token, as far as `T` asks for one.
    pub principal: P,
    /// The body as it came, a JSON object; `{}` where it was empty.
    pub body: Bytes,
    /// The rest of the HTTP request.
    pub parts: Parts,
}

impl<T, P> Call<T, P> {
    /// The `User-Agent`, if it was sent and can be read.
    pub fn user_agent(&self) -> Option<&str> {
        user_agent(&self.parts.headers)
    }

    /// From where the request came.
    pub fn client_address(&self) -> Option<ClientAddress> {
        self.parts.extensions.get().copied()
    }
}

/// A request whose caller is known and whose body has not been read.
#[derive(Debug)]
pub struct Stream<P> {
    /// The variables of the path, in order, percent-decoded.
    pub path: Vec<String>,
    /// Who is calling.
    pub principal: P,
    /// The body, unread and unbounded.
    pub body: Body,
    /// The rest of the HTTP request.
    pub parts: Parts,
}

impl<P> Stream<P> {
    /// The `User-Agent`, if it was sent and can be read.
    pub fn user_agent(&self) -> Option<&str> {
        user_agent(&self.parts.headers)
    }

    /// From where the request came.
    pub fn client_address(&self) -> Option<ClientAddress> {
        self.parts.extensions.get().copied()
    }
}

fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT)?.to_str().ok()
}

type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;
type Run<S> = Arc<dyn Fn(S, Request, usize) -> Answer + Send + Sync>;

/// One operation of the API: its method, its paths, and how it is answered. `S` is the state of the handlers.
pub struct Endpoint<S> {
    method: Method,
    paths: Vec<String>,
    body_limit_bytes: Option<usize>,
    handler: &'static str,
    run: Run<S>,
}

/// What an endpoint is, for lists of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its method.
    pub method: Method,
    /// Its paths.
    pub paths: Vec<String>,
    /// The function that answers it, with its modules.
    pub handler: &'static str,
}

impl<S> fmt::Debug for Endpoint<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Endpoint({} {:?})", self.method, self.paths)
    }
}

impl<S: Clone + Send + Sync + 'static> Endpoint<S> {
    /// An endpoint answered with the response type that belongs to the request type.
    pub fn typed<T, F, A, E>(handler: F) -> Self
    where
        T: IncomingRequest + Send + 'static,
        T::Authentication: Scheme<S>,
        F: Fn(S, Call<T, <T::Authentication as Scheme<S>>::Principal>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<T::OutgoingResponse, E>> + Send + 'static,
        E: Into<MatrixError> + 'static,
    {
        let endpoint = Self::with_own_reply(move |state, call| {
            handler(state, call).map(|answer| typed_response(answer.map_err(Into::into)?))
        });
        Self { handler: type_name::<F>(), ..endpoint }
    }

    /// An endpoint with a typed request whose handler makes its own HTTP response.
    pub fn with_own_reply<T, F, A, E>(handler: F) -> Self
    where
        T: IncomingRequest + Send + 'static,
        T::Authentication: Scheme<S>,
        F: Fn(S, Call<T, <T::Authentication as Scheme<S>>::Principal>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Response, E>> + Send + 'static,
        E: Into<MatrixError> + 'static,
    {
        Self::of_type::<T, F>(Arc::new(move |state: S, request, body_limit_bytes| {
            let handler = handler.clone();
            reply_of(async move {
                let received =
                    receive::<S, T::Authentication>(&state, request, &T::METHOD, body_limit_bytes).await?;
                handler(state, received.into_call()?).await.map_err(Into::into)
            })
        }))
    }

    /// An endpoint that reads its body itself, as media does. Of `T` only method, paths and authentication
    /// are used.
    pub fn streaming<T, F, A, E>(handler: F) -> Self
    where
        T: Metadata,
        T::Authentication: Scheme<S>,
        F: Fn(S, Stream<<T::Authentication as Scheme<S>>::Principal>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Response, E>> + Send + 'static,
        E: Into<MatrixError> + 'static,
    {
        Self::of_type::<T, F>(Arc::new(move |state: S, request, _| {
            let handler = handler.clone();
            reply_of(async move {
                let (mut parts, body) = request.into_parts();
                let claim = T::Authentication::admit(&state, &parts).await?;
                let principal = T::Authentication::confirm(&state, claim, &parts, b"").await?;
                let path = path_arguments(&mut parts).await?;
                handler(state, Stream { path, principal, body, parts }).await.map_err(Into::into)
            })
        }))
    }

    /// An endpoint of this server's own, which ruma does not describe, for callers with an access token. The call's
    /// request is the path's variables, in order, percent-decoded.
    pub fn own<F, A, E>(method: Method, path: &str, handler: F) -> Self
    where
        S: Authenticator,
        F: Fn(S, Call<Vec<String>, S::Principal>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Response, E>> + Send + 'static,
        E: Into<MatrixError> + 'static,
    {
        let run: Run<S> = Arc::new(move |state: S, request, body_limit_bytes| {
            let handler = handler.clone();
            reply_of(async move {
                let (mut parts, body) = request.into_parts();
                let principal = AccessToken::admit(&state, &parts).await?;
                let path = path_arguments(&mut parts).await?;
                let body = read_json_body(&parts.method, body, body_limit_bytes).await?;
                let call = Call { request: path, principal, body, parts };
                handler(state, call).await.map_err(Into::into)
            })
        });
        Self { method, paths: vec![path.to_owned()], body_limit_bytes: None, handler: type_name::<F>(), run }
    }

    /// An endpoint of this server's own for anybody, with a token or without. It reads its body itself.
    pub fn open<F, A, E>(method: Method, path: &str, handler: F) -> Self
    where
        F: Fn(S, Stream<()>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Response, E>> + Send + 'static,
        E: Into<MatrixError> + 'static,
    {
        let run: Run<S> = Arc::new(move |state: S, request, _| {
            let handler = handler.clone();
            reply_of(async move {
                let (mut parts, body) = request.into_parts();
                let path = path_arguments(&mut parts).await?;
                handler(state, Stream { path, principal: (), body, parts }).await.map_err(Into::into)
            })
        });
        Self { method, paths: vec![path.to_owned()], body_limit_bytes: None, handler: type_name::<F>(), run }
    }

    /// This endpoint on one more path, for the forms that the request type does not list. The variables must
    /// come in the same order.
    #[must_use]
    pub fn also_at(mut self, path: &str) -> Self {
        self.paths.push(path.to_owned());
        self
    }

    /// This endpoint on this path in place of those that the request type lists, for an older form of the same
    /// request. The variables must come in the same order.
    #[must_use]
    pub fn only_at(mut self, path: &str) -> Self {
        self.paths = vec![path.to_owned()];
        self
    }

    /// This endpoint with its own limit for the body, in place of the general one.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit_bytes = Some(bytes);
        self
    }

    fn of_type<T: Metadata, F>(run: Run<S>) -> Self {
        let mut paths = Vec::new();
        for path in T::PATH_BUILDER.all_paths() {
            paths.push(path.to_owned());
            // `/pushrules/` is written with a slash, and asked for without.
            if let Some(without_slash) = path.strip_suffix('/') {
                paths.push(without_slash.to_owned());
            }
        }
        Self { method: T::METHOD, paths, body_limit_bytes: None, handler: type_name::<F>(), run }
    }
}

/// The HTTP response of a ruma response, for handlers that make their own.
///
/// # Errors
/// 500 for one that cannot be written, such as a header with a line break.
pub fn typed_response(response: impl OutgoingResponse) -> Result<Response, MatrixError> {
    let response = response.try_into_http_response::<BytesMut>().map_err(MatrixError::internal)?;
    Ok(response.map(|body| Body::from(body.freeze())))
}

/// The HTTP response of any JSON, for handlers that make their own.
pub fn json_response(body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => MatrixError::internal(error).into_response(),
    }
}

/// A request whose caller is known and whose body was read; of what type it is does not matter yet.
struct Received<P> {
    path: Vec<String>,
    principal: P,
    body: Bytes,
    parts: Parts,
}

/// Authenticates and reads. In this order: a stranger's body is not read. The program has this once for each way of
/// authentication, and not for each endpoint.
async fn receive<S, A: Scheme<S>>(
    state: &S,
    request: Request,
    method: &Method,
    body_limit_bytes: usize,
) -> Result<Received<A::Principal>, MatrixError> {
    let (mut parts, body) = request.into_parts();
    let claim = A::admit(state, &parts).await?;
    let path = path_arguments(&mut parts).await?;
    let mut body = read_json_body(method, body, body_limit_bytes).await?;
    let principal = A::confirm(state, claim, &parts, &body).await?;
    if body.is_empty() && method != Method::GET {
        body = Bytes::from_static(b"{}");
    }
    Ok(Received { path, principal, body, parts })
}

impl<P> Received<P> {
    /// Parses it.
    fn into_call<T: IncomingRequest>(self) -> Result<Call<T, P>, MatrixError> {
        let Self { path, principal, body, parts } = self;
        let mut http_request = http::Request::new(&*body);
        *http_request.method_mut() = parts.method.clone();
        *http_request.uri_mut() = parts.uri.clone();
        *http_request.headers_mut() = parts.headers.clone();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let request =
            T::try_from_http_request(http_request, &path).map_err(|error| from_request_error(&error))?;
        Ok(Call { request, principal, body, parts })
    }
}

/// A JSON object as it came; empty where there is none, or the method has none.
async fn read_json_body(method: &Method, body: Body, limit_bytes: usize) -> Result<Bytes, MatrixError> {
    if method == Method::GET {
        return Ok(Bytes::new());
    }
    let body = read_body(body, limit_bytes).await?;
    if !body.is_empty() {
        check_is_json_object(&body)?;
    }
    Ok(body)
}

async fn path_arguments(parts: &mut Parts) -> Result<Vec<String>, MatrixError> {
    let path = RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|_| MatrixError::invalid_param("The path is not valid UTF-8."))?;
    Ok(path.iter().map(|(_, value)| value.to_owned()).collect())
}

/// The endpoints of an API. `S` is the state of the handlers.
#[derive(Debug)]
pub struct Endpoints<S>(Vec<Endpoint<S>>);

impl<S> Default for Endpoints<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Clone + Send + Sync + 'static> Endpoints<S> {
    /// No endpoints yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// These and one more.
    #[must_use]
    pub fn with(mut self, endpoint: Endpoint<S>) -> Self {
        self.0.push(endpoint);
        self
    }

    /// These and those.
    #[must_use]
    pub fn merge(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Every method and path that is answered, in order of path.
    pub fn list(&self) -> Vec<(Method, String)> {
        let of_one = |endpoint: &Endpoint<S>| {
            let method = endpoint.method.clone();
            endpoint.paths.clone().into_iter().map(move |path| (method.clone(), path)).collect::<Vec<_>>()
        };
        let mut list: Vec<_> = self.0.iter().flat_map(of_one).collect();
        list.sort_by(|left, right| (&left.1, left.0.as_str()).cmp(&(&right.1, right.0.as_str())));
        list
    }

    /// What each of them is, in no order.
    pub fn describe(&self) -> Vec<Description> {
        let describe = |endpoint: &Endpoint<S>| Description {
            method: endpoint.method.clone(),
            paths: endpoint.paths.clone(),
            handler: endpoint.handler,
        };
        self.0.iter().map(describe).collect()
    }

    /// The router that answers them all, with a limit for bodies.
    ///
    /// # Panics
    /// Where two endpoints claim the same method and path, or a method that HTTP does not have: a mistake in
    /// the program, found when it starts.
    pub fn into_router(self, state: S, body_limit_bytes: usize) -> Router {
        let mut routes: BTreeMap<String, (String, MethodRouter<S>)> = BTreeMap::new();
        for endpoint in self.0 {
            let limit = endpoint.body_limit_bytes.unwrap_or(body_limit_bytes);
            for path in endpoint.paths {
                // axum wants the same names of variables in all methods of a path; to ruma only order matters.
                let (_, route) =
                    routes.entry(without_names(&path)).or_insert_with(|| (path.clone(), MethodRouter::new()));
                let handler = answer_with(Arc::clone(&endpoint.run), limit);
                *route = std::mem::take(route).merge(handler(filter(&endpoint.method)));
            }
        }
        let add = |router: Router<S>, (path, route): (String, MethodRouter<S>)| router.route(&path, route);
        routes.into_values().fold(Router::new(), add).with_state(state)
    }
}

fn answer_with<S: Clone + Send + Sync + 'static>(
    run: Run<S>,
    body_limit_bytes: usize,
) -> impl FnOnce(MethodFilter) -> MethodRouter<S> {
    move |filter| {
        on(filter, move |State(state): State<S>, request: Request| run(state, request, body_limit_bytes))
    }
}

#[expect(clippy::expect_used, reason = "the methods of ruma's types are those of HTTP")]
fn filter(method: &Method) -> MethodFilter {
    MethodFilter::try_from(method.clone()).expect("endpoints use the methods of HTTP")
}

/// The answer of a handler; an error becomes the answer that tells of it. There is one such future for each request, so
/// nothing in it stands there twice.
fn reply_of(answer: impl Future<Output = Result<Response, MatrixError>> + Send + 'static) -> Answer {
    Box::pin(answer.unwrap_or_else(IntoResponse::into_response))
}

/// The path with the names of its variables left out: `/rooms/{}/state`.
fn without_names(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}
