//! How a file goes out: its headers, conditional requests, and parts of it.
//!
//! The same for every file, whoever asks for it; that it may be seen is decided before.

use std::ops::Range;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use parvis_media::{ContentHash, Media};
use parvis_wire::MatrixError;

use crate::ApiError;

/// What browsers may do with a file that they show: look, not touch
/// (<https://spec.matrix.org/v1.19/client-server-api/#content-repository>).
const CONTENT_SECURITY_POLICY: &str = "sandbox; default-src 'none'; script-src 'none'; \
    plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';";
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// A file never changes, but who may see it may: it is kept for a day, and by nobody in between.
const CACHE_CONTROL: &str = "private, max-age=86400, immutable";

/// A file and what is said about it.
#[derive(Debug)]
pub(crate) struct ServedFile {
    pub(crate) hash: ContentHash,
    pub(crate) size_bytes: u64,
    pub(crate) content_type: String,
    pub(crate) disposition: String,
}

/// What of a file is sent.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Range(Range<u64>),
    /// The client has it.
    Nothing,
    /// There is no such part.
    Unsatisfiable,
}

impl ServedFile {
    /// The answer to a request with these headers.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) async fn respond(self, media: &Media, request: &HeaderMap) -> Result<Response, ApiError> {
        let etag = self.etag();
        let part = self.part(request, &etag);
        let mut headers = self.headers(&etag)?;
        let (status, range) = match part {
            Part::Whole => (StatusCode::OK, 0..self.size_bytes),
            Part::Range(range) => {
                let value = format!("bytes {}-{}/{}", range.start, range.end - 1, self.size_bytes);
                headers.insert(header::CONTENT_RANGE, header_value(&value)?);
                (StatusCode::PARTIAL_CONTENT, range)
            }
            Part::Nothing => return Ok((StatusCode::NOT_MODIFIED, headers).into_response()),
            Part::Unsatisfiable => {
                let value = header_value(&format!("bytes */{}", self.size_bytes))?;
                headers.insert(header::CONTENT_RANGE, value);
                return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
            }
        };
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
        let body = Body::from_stream(media.read(&self.hash, range).await?);
        Ok((status, headers, body).into_response())
    }

    /// The content's hash: equal content is equal, whatever it is called.
    fn etag(&self) -> String {
        let mut etag = String::with_capacity(34);
        etag.push('"');
        for byte in &self.hash[..16] {
            etag.push_str(&format!("{byte:02x}"));
        }
        etag.push('"');
        etag
    }

    fn headers(&self, etag: &str) -> Result<HeaderMap, MatrixError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header_value(&self.content_type)?);
        headers.insert(header::CONTENT_DISPOSITION, header_value(&self.disposition)?);
        headers.insert(header::ETAG, header_value(etag)?);
        for (name, value) in [
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CACHE_CONTROL, CACHE_CONTROL),
            (header::ACCEPT_RANGES, "bytes"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        Ok(headers)
    }

    fn part(&self, request: &HeaderMap, etag: &str) -> Part {
        if text(request, header::IF_NONE_MATCH).is_some_and(|known| names(known, etag)) {
            return Part::Nothing;
        }
        // A part of something else that the client holds would not fit to ours.
        if text(request, header::IF_RANGE).is_some_and(|known| known != etag) {
            return Part::Whole;
        }
        match text(request, header::RANGE) {
            Some(range) => parse_range(range, self.size_bytes),
            None => Part::Whole,
        }
    }
}

fn header_value(text: &str) -> Result<HeaderValue, MatrixError> {
    HeaderValue::from_str(text).map_err(MatrixError::internal)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn names(known: &str, etag: &str) -> bool {
    known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

/// One range of bytes. Several at once, or other units, are not understood, and then the whole is sent
/// (<https://www.rfc-editor.org/rfc/rfc9110#name-range>).
fn parse_range(range: &str, size: u64) -> Part {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    let bounds = match (first.trim(), last.trim()) {
        ("", last) => last.parse().map(|length: u64| (size.saturating_sub(length), size)),
        (first, "") => first.parse().map(|first| (first, size)),
        (first, last) => first.parse().and_then(|first: u64| {
            last.parse().map(|last: u64| (first, last.saturating_add(1).min(size).max(first)))
        }),
    };
    match bounds {
        Err(_) => Part::Whole,
        Ok((start, end)) if start < end => Part::Range(start..end),
        Ok(_) => Part::Unsatisfiable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (range, part) in [
            ("bytes=0-0", Part::Range(0..1)),
            ("bytes=0-9", Part::Range(0..10)),
            ("bytes=0-99", Part::Range(0..10)),
            ("bytes=3-", Part::Range(3..10)),
            ("bytes=-4", Part::Range(6..10)),
            ("bytes=-40", Part::Range(0..10)),
            ("bytes=9-9", Part::Range(9..10)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=10-20", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=0-18446744073709551615", Part::Range(0..10)),
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=x-1", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("bytes", Part::Whole),
        ] {
            assert_eq!(parse_range(range, 10), part, "{range}");
        }
    }

    #[test]
    fn empty_file_has_no_parts() {
        assert_eq!(parse_range("bytes=0-", 0), Part::Unsatisfiable);
    }

    #[test]
    fn tags_are_compared_one_by_one_and_weakly() {
        for known in ["\"a\"", "W/\"a\"", "\"x\", \"a\"", "*"] {
            assert!(names(known, "\"a\""), "{known}");
        }
        assert!(!names("\"b\", a", "\"a\""));
    }
}
