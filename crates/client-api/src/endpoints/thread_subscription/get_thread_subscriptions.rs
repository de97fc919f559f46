//! `GET /_matrix/client/unstable/io.element.msc4308/thread_subscriptions`

use axum::response::Response;
use parvis_sync::{Position, Token};
use parvis_wire::{Call, MatrixError, json_response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ApiError, ClientApi, Session, query::parse_query, reply::thread_changes};

/// How many are told where the client does not say.
const USUAL: usize = 100;
/// How many are told at most.
const MOST: usize = 500;

#[derive(Deserialize)]
struct Asked {
    dir: String,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
}

/// What has changed in which threads the caller follows, from the newest to the oldest.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let asked: Asked = parse_query(&call.parts.uri)?;
    if asked.dir != "b" {
        return Err(MatrixError::invalid_param("`dir` is `b`").into());
    }
    let limit = asked.limit.unwrap_or(USUAL).min(MOST);
    if limit == 0 {
        return Err(MatrixError::invalid_param("`limit` is greater than 0").into());
    }
    let after = position(asked.to.as_deref(), "to")?.unwrap_or(Position::START);
    let until = position(asked.from.as_deref(), "from")?;
    let threads = api.sync.followed_threads_between(call.principal.user, after, until, limit).await?;
    let mut told = thread_changes(&threads);
    if threads.len() == limit
        && let Some(oldest) = threads.last()
    {
        told.insert("end".to_owned(), json!(Token::from(Position(oldest.position.0 - 1)).to_string()));
    }
    Ok(json_response(&Value::Object(told)))
}

fn position(token: Option<&str>, name: &str) -> Result<Option<Position>, MatrixError> {
    let parsed = token.map(str::parse::<Token>).transpose();
    let parsed = parsed.map_err(|error| MatrixError::invalid_param(format!("`{name}` is {error}")))?;
    Ok(parsed.map(|token| token.position))
}
