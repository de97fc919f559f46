//! `multipart/mixed` as it arrives: part after part, each in pieces, none whole in memory.
//! <https://www.rfc-editor.org/rfc/rfc2046#section-5.1>
//!
//! Knows nothing of what the parts hold, nor where they come from.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::HeaderMap;

/// The longest boundary.
const MAX_BOUNDARY_BYTES: usize = 200;
/// The most that may stand before the first part, and in the head of a part.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Why the parts cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MultipartError<E> {
    /// They do not have the form that they should.
    #[error("{0}")]
    Malformed(&'static str),
    /// They did not come to their end.
    #[error(transparent)]
    Interrupted(E),
}

/// The boundary that a content type names.
pub(crate) fn boundary_of(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let named = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let (_, boundary) = named.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let boundary = boundary.trim().trim_matches('"');
    let fit = (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len()) && boundary.is_ascii();
    fit.then(|| boundary.to_owned())
}

/// Reads one part after the other.
pub(crate) struct Multipart<S> {
    pieces: S,
    buffer: BytesMut,
    /// What stands before each part and after the last.
    delimiter: Vec<u8>,
    /// Whether all pieces are in the buffer.
    is_complete: bool,
    /// Whether a first part was begun.
    in_part: bool,
    /// Whether the delimiter after the part was read.
    at_delimiter: bool,
}

impl<S, E> Multipart<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    pub(crate) fn new(pieces: S, boundary: &str) -> Self {
        // The first delimiter may stand at the very beginning, without the line break that belongs to it.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Self { pieces, buffer, delimiter, is_complete: false, in_part: false, at_delimiter: false }
    }

    /// The head of the next part, whose content [`chunk`](Self::chunk) then gives. What is left of the part before
    /// is passed over; nothing where there is no further part.
    pub(crate) async fn next_part(&mut self) -> Result<Option<HeaderMap>, MultipartError<E>> {
        let mut passed = 0;
        while let Some(chunk) = self.chunk().await? {
            passed += chunk.len();
            if !self.in_part && passed > MAX_HEAD_BYTES {
                return Err(MultipartError::Malformed("there is no first part"));
            }
        }
        self.in_part = true;
        self.at_delimiter = false;
        // After the last part stands `--`; there are servers which leave that out.
        let line = self.line().await?;
        if line.starts_with(b"--") || (line.is_empty() && self.is_complete && self.buffer.is_empty()) {
            return Ok(None);
        }
        self.head().await.map(Some)
    }

    /// The next piece of the part's content; nothing at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, MultipartError<E>> {
        if self.at_delimiter {
            return Ok(None);
        }
        let chunk = self.until_delimiter().await?;
        self.at_delimiter = chunk.is_none();
        Ok(chunk)
    }

    /// All of the part's content, if it is no longer than this.
    pub(crate) async fn whole(&mut self, max_bytes: usize) -> Result<Bytes, MultipartError<E>> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
            if all.len() > max_bytes {
                return Err(MultipartError::Malformed("a part is too long"));
            }
        }
        Ok(all.freeze())
    }

    /// What comes before the next delimiter, piece by piece. Passes over the delimiter when nothing is left.
    async fn until_delimiter(&mut self) -> Result<Option<Bytes>, MultipartError<E>> {
        loop {
            let found = self.buffer.windows(self.delimiter.len()).position(|window| window == self.delimiter);
            match found {
                Some(0) => {
                    let _ = self.buffer.split_to(self.delimiter.len());
                    return Ok(None);
                }
                Some(at) => return Ok(Some(self.buffer.split_to(at).freeze())),
                None => {}
            }
            // The end of the buffer may be the beginning of a delimiter.
            let safe = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
            if safe > 0 {
                return Ok(Some(self.buffer.split_to(safe).freeze()));
            }
            if !self.more().await? {
                return Err(MultipartError::Malformed("a part has no end"));
            }
        }
    }

    async fn head(&mut self) -> Result<HeaderMap, MultipartError<E>> {
        let mut headers = HeaderMap::new();
        let mut read = 0;
        loop {
            let line = self.line().await?;
            read += line.len();
            if line.is_empty() {
                return Ok(headers);
            }
            if read > MAX_HEAD_BYTES {
                return Err(MultipartError::Malformed("the head of a part is too long"));
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                return Err(MultipartError::Malformed("the head of a part cannot be read"));
            };
            let name = http::HeaderName::from_bytes(line[..colon].trim_ascii());
            let value = http::HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.insert(name, value);
            }
        }
    }

    /// A line without its end; what is left if there is no end.
    async fn line(&mut self) -> Result<Bytes, MultipartError<E>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let mut line = self.buffer.split_to(end + 1);
                line.truncate(line.trim_ascii_end().len());
                return Ok(line.freeze());
            }
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err(MultipartError::Malformed("the head of a part is too long"));
            }
            if !self.more().await? {
                return Ok(self.buffer.split().freeze());
            }
        }
    }

    /// Takes in one more piece, if there is one.
    async fn more(&mut self) -> Result<bool, MultipartError<E>> {
        if self.is_complete {
            return Ok(false);
        }
        match self.pieces.next().await.transpose().map_err(MultipartError::Interrupted)? {
            Some(piece) => self.buffer.extend_from_slice(&piece),
            None => self.is_complete = true,
        }
        Ok(!self.is_complete)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    type Part = (HeaderMap, Vec<u8>);

    /// The parts of a body that comes in pieces of this many bytes.
    async fn parts(body: &str, size: usize) -> Result<Vec<Part>, MultipartError<()>> {
        let pieces: Vec<_> =
            body.as_bytes().chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let mut multipart = Multipart::new(stream::iter(pieces), "b");
        let mut parts = Vec::new();
        while let Some(head) = multipart.next_part().await? {
            parts.push((head, multipart.whole(1_000).await?.to_vec()));
        }
        Ok(parts)
    }

    #[tokio::test]
    async fn parts_are_read_however_they_arrive() {
        for body in [
            "--b\r\nA: 1\r\n\r\n{}\r\n--b\r\nContent-Type: text/plain\r\n\r\na\r\n--c\r\n\r\n--b--\r\n",
            "\r\n--b\r\na:1\r\n\r\n{}\r\n--b\r\ncontent-type:text/plain\r\n\r\na\r\n--c\r\n\r\n--b--",
            "before\r\n--b  \r\nA:   1  \r\n\r\n{}\r\n--b\r\nCONTENT-type: text/plain\r\n\r\na\r\n--c\r\n\r\n--b",
            "--b\nA: 1\n\n{}\r\n--b\nContent-Type: text/plain\n\na\r\n--c\r\n\r\n--b--\r\nafter\r\n",
        ] {
            for size in [1, 2, 3, 7, 1_000] {
                let parts = parts(body, size).await.unwrap();
                assert_eq!(parts.len(), 2, "{body:?}");
                assert_eq!((parts[0].0["a"].as_bytes(), &*parts[0].1), (&b"1"[..], &b"{}"[..]));
                assert_eq!(parts[1].0["content-type"], "text/plain");
                assert_eq!(parts[1].1, b"a\r\n--c\r\n", "{body:?} {size}");
            }
        }
    }

    #[tokio::test]
    async fn parts_may_be_empty_and_without_head() {
        let parts = parts("--b\r\n\r\n\r\n--b\r\n\r\n\r\n--b--", 4).await.unwrap();
        assert_eq!(parts.len(), 2);
        assert!(parts.iter().all(|part| part.0.is_empty() && part.1.is_empty()));
    }

    #[tokio::test]
    async fn what_is_cut_off_or_endless_is_refused() {
        let endless = format!("--b\r\nA: {}", "x".repeat(20_000));
        let preamble = format!("{}\r\n--b\r\n\r\n\r\n--b--", "x".repeat(20_000));
        let many = format!("--b\r\n{}", "A: 1\r\n".repeat(5_000));
        let large = format!("--b\r\n\r\n{}\r\n--b--", "x".repeat(2_000));
        for body in [
            "",
            "--b",
            "--b\r\nA: 1\r\n\r\n{}",
            "nothing",
            "--b\r\nno colon\r\n\r\n\r\n--b--",
            &endless,
            &preamble,
            &many,
            &large,
        ] {
            for size in [3, 100_000] {
                let read = parts(body, size).await;
                assert!(
                    read.as_ref().map_or(true, Vec::is_empty),
                    "{} {read:?}",
                    &body[..body.len().min(40)]
                );
            }
        }
    }

    #[tokio::test]
    async fn interruption_is_told_of() {
        let pieces = [Ok(Bytes::from("--b\r\n\r\nabc")), Err("gone")];
        let mut multipart = Multipart::new(stream::iter(pieces), "b");
        multipart.next_part().await.unwrap();
        assert!(matches!(multipart.whole(100).await, Err(MultipartError::Interrupted("gone"))));
    }

    #[test]
    fn boundary_is_found_in_the_content_type() {
        for (content_type, boundary) in [
            ("multipart/mixed; boundary=abc", Some("abc")),
            ("Multipart/Mixed;charset=x; BOUNDARY=\"a b\"", Some("a b")),
            ("multipart/mixed", None),
            ("multipart/mixed; boundary=", None),
            ("multipart/form-data; boundary=abc", None),
            ("text/plain; boundary=abc", None),
        ] {
            assert_eq!(boundary_of(content_type).as_deref(), boundary, "{content_type}");
        }
    }
}
