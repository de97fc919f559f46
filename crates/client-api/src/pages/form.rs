//! Forms, and queries, as browsers send them.

use axum::body::Body;
use http::{HeaderMap, header};
use parvis_wire::{MatrixError, read_body};

/// The largest form.
const LIMIT_BYTES: usize = 32 << 10;
/// The most fields of one.
const MOST_FIELDS: usize = 64;

/// The fields of a form or a query, in order.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().take(MOST_FIELDS).collect())
    }

    /// Reads a form.
    pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, MatrixError> {
        let kind =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case(FORM)) {
            return Err(MatrixError::invalid_param("A form is needed."));
        }
        Ok(Self::parse(&read_body(body, LIMIT_BYTES).await?))
    }

    /// A field; the first, where there are several.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// A field that is there and not empty.
    pub(crate) fn said(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// All fields of a name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All of them but those of a name, as they stand in a query.
    pub(crate) fn without(&self, name: &str) -> String {
        let kept = self.0.iter().filter(|(known, _)| known != name);
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A text as it stands in a query.
pub(crate) fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
