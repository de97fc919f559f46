//! What a homeserver answered.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

/// An answer, and the request that it belongs to.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    pub(crate) request: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The `errcode`, or nothing.
    pub fn errcode(&self) -> String {
        self.json()["errcode"].as_str().unwrap_or_default().to_owned()
    }

    /// The body of an answer that must be a success.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!(self.status == 200, "{self}");
        self.json()
    }

    /// Demands this refusal.
    ///
    /// # Panics
    /// If it is another answer.
    #[track_caller]
    pub fn refused(&self, status: u16, errcode: &str) {
        assert!(self.status == status && self.errcode() == errcode, "not {status} {errcode}: {self}");
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(formatter, "{} is answered {}: {body}", self.request, self.status)
    }
}
