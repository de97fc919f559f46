//! The text that a server signs when it makes a request: canonical JSON of method, URI, origin, destination and
//! content. <https://spec.matrix.org/v1.19/server-server-api/#request-authentication>
//!
//! Numbers stand in it as they stand in the body. Canonical JSON has none but integers, yet servers sign what
//! their users gave them, fractions in a message to a device for instance; and a transaction that could not be
//! verified for such a number would be sent again and again.

use std::collections::BTreeMap;

use http::{Method, Uri};
use ruma::ServerName;

/// How deep the content may nest: as deep as the parser of the requests goes.
const MOST_DEPTH: usize = 127;

/// The signed text of a request. `body` is JSON, or empty.
///
/// # Errors
/// A sentence for people, where the body is no JSON that could be signed.
pub(crate) fn signed_text(
    (method, uri): (&Method, &Uri),
    origin: &ServerName,
    destination: &ServerName,
    body: &[u8],
) -> Result<Vec<u8>, &'static str> {
    let uri = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let mut text = Vec::with_capacity(body.len() + 256);
    text.push(b'{');
    if !body.is_empty() {
        let body = std::str::from_utf8(body).map_err(|_| "The body is not valid UTF-8.")?;
        text.extend_from_slice(b"\"content\":");
        Reader { text: body, at: 0 }.value(0)?.write(&mut text);
        text.push(b',');
    }
    let fields = [
        ("destination", destination.as_str()),
        ("method", method.as_str()),
        ("origin", origin.as_str()),
        ("uri", uri),
    ];
    for (index, (name, value)) in fields.into_iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        write_string(&mut text, name);
        text.push(b':');
        write_string(&mut text, value);
    }
    text.push(b'}');
    Ok(text)
}

/// JSON, with numbers and words as they are written.
enum Json<'a> {
    Word(&'a str),
    Text(String),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

impl Json<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Word(word) => out.extend_from_slice(word.as_bytes()),
            Self::Text(text) => write_string(out, text),
            Self::List(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(fields) => {
                out.push(b'{');
                // UTF-8 sorts as its code points do.
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_string(out, name);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing a string into memory has no failing case.
    let written = serde_json::to_writer(out, text);
    debug_assert!(written.is_ok(), "a string is always written");
}

/// Reads JSON. What is no JSON was refused before, and is here only kept from doing harm.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Json<'a>, &'static str> {
        if depth > MOST_DEPTH {
            return Err("The body nests too deeply.");
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(_) => {
                let rest = &self.text[self.at..];
                let ends = |letter: char| matches!(letter, ',' | ']' | '}' | ' ' | '\t' | '\r' | '\n');
                let end = rest.find(ends).unwrap_or(rest.len());
                self.at += end;
                Ok(Json::Word(&rest[..end]))
            }
            None => Err(NOT_JSON),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, &'static str> {
        self.at += 1;
        let mut fields = BTreeMap::new();
        while !self.ends_with(b'}')? {
            let name = self.string()?;
            self.expect(b':')?;
            fields.insert(name, self.value(depth + 1)?);
        }
        Ok(Json::Object(fields))
    }

    fn list(&mut self, depth: usize) -> Result<Json<'a>, &'static str> {
        self.at += 1;
        let mut items = Vec::new();
        while !self.ends_with(b']')? {
            items.push(self.value(depth + 1)?);
        }
        Ok(Json::List(items))
    }

    fn string(&mut self) -> Result<String, &'static str> {
        self.expect(b'"')?;
        let start = self.at - 1;
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(NOT_JSON),
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at).ok_or(NOT_JSON)?;
        serde_json::from_str(quoted).map_err(|_| "The body holds a string that is not Unicode.")
    }

    /// Whether the list or object ends here; passes over its end, or over the comma before what follows.
    fn ends_with(&mut self, end: u8) -> Result<bool, &'static str> {
        let next = self.peek().ok_or(NOT_JSON)?;
        if next == end || next == b',' {
            self.at += 1;
        }
        if next == b',' {
            self.peek();
        }
        Ok(next == end)
    }

    fn expect(&mut self, wanted: u8) -> Result<(), &'static str> {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        if found { Ok(()) } else { Err(NOT_JSON) }
    }

    /// The next byte that is not white.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }
}

const NOT_JSON: &str = "The body is not JSON.";

#[cfg(test)]
mod tests {
    use ruma::server_name;

    use super::*;

    fn content(body: &str) -> Result<String, &'static str> {
        let uri = Uri::from_static("/_matrix/federation/v1/x%2Fy?a=%23b&c");
        let names = (server_name!("one.example"), server_name!("two.example:80"));
        let text = signed_text((&Method::PUT, &uri), names.0, names.1, body.as_bytes())?;
        let text = String::from_utf8(text).unwrap();
        let rest = r#""destination":"two.example:80","method":"PUT","origin":"one.example","uri":"/_matrix/federation/v1/x%2Fy?a=%23b&c"}"#;
        let content = text.strip_suffix(rest).unwrap().strip_prefix('{').unwrap();
        Ok(content.strip_prefix("\"content\":").unwrap_or(content).trim_end_matches(',').to_owned())
    }

    #[test]
    fn content_is_written_canonically() {
        for (body, canonical) in [
            ("{}", "{}"),
            (" { \"b\" : [ 1 , 2 ] ,\n\"a\":null} ", r#"{"a":null,"b":[1,2]}"#),
            (
                r#"{"\u00e9":"\u0041\/\n\u001f\"\\","e":true,"😀":[],"ﬀ":{}}"#,
                "{\"e\":true,\"é\":\"A/\\n\\u001f\\\"\\\\\",\"ﬀ\":{},\"😀\":[]}",
            ),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"[{"b":[[],{}]},"x"]"#, r#"[{"b":[[],{}]},"x"]"#),
            ("", ""),
        ] {
            assert_eq!(content(body).unwrap(), canonical, "{body}");
        }
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        assert_eq!(
            content(r#"{"a":1.50,"b":-0,"c":1E5,"d":12345678901234567890}"#).unwrap(),
            r#"{"a":1.50,"b":-0,"c":1E5,"d":12345678901234567890}"#
        );
    }

    #[test]
    fn what_nests_too_deeply_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(content(&nested(100)).is_ok());
        assert!(content(&nested(200)).is_err());
        assert!(content(&nested(200_000)).is_err());
    }

    #[test]
    fn what_is_no_json_does_no_harm() {
        for text in [
            "{",
            "[",
            "\"",
            "{\"a",
            "{\"a\"",
            "{\"a\":",
            "[1",
            "[,",
            "{,",
            "\"\\",
            "{1}",
            "\"\\ud800\"",
            "\u{0}",
        ] {
            let _ = content(text);
        }
        assert!(content(r#"{"a":"\ud800"}"#).is_err());
    }
}
