//! The `Authorization` headers of requests between servers: `X-Matrix origin=…,destination=…,key=…,sig=…`.
//!
//! Reads the words; whether they are true is not known here. More forms are understood than we write: names in
//! any case, values with and without quotes, colons without quotes, blanks around commas.
//! <https://spec.matrix.org/v1.19/server-server-api/#request-authentication>

use http::{HeaderMap, header::AUTHORIZATION};
use ruma::{OwnedServerName, serde::Base64};

/// The scheme.
const SCHEME: &str = "X-Matrix";
/// How many headers are read. A server signs with each of its keys, of which it has one or two.
const MOST_HEADERS: usize = 4;

/// What one header says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Who is calling.
    pub(crate) origin: OwnedServerName,
    /// Whom they are calling; not said by old servers.
    pub(crate) destination: Option<String>,
    /// The id of the key that they signed with.
    pub(crate) key_id: String,
    /// The signature.
    pub(crate) signature: Base64,
}

/// What all headers of the scheme say; others are passed over.
///
/// # Errors
/// A sentence for people.
pub(crate) fn read(headers: &HeaderMap) -> Result<Vec<Credentials>, &'static str> {
    let mut found = Vec::new();
    for value in headers.get_all(AUTHORIZATION).iter().take(MOST_HEADERS) {
        let Ok(value) = value.to_str() else { return Err("The Authorization header is not ASCII.") };
        if let Some(parameters) = parameters_of(value) {
            found.push(parse(parameters)?);
        }
    }
    if found.is_empty() {
        Err("The request must be signed: X-Matrix in the Authorization header.")
    } else {
        Ok(found)
    }
}

/// What follows the name of the scheme, if it is this one.
fn parameters_of(header: &str) -> Option<&str> {
    let (scheme, parameters) = header.trim_start().split_once(' ')?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(parameters)
}

fn parse(mut rest: &str) -> Result<Credentials, &'static str> {
    let (mut origin, mut destination, mut key_id, mut signature) = (None, None, None, None);
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            break;
        }
        let (name, value, after) = parameter(rest).ok_or("The Authorization header cannot be read.")?;
        rest = after;
        let place = match name.to_ascii_lowercase().as_str() {
            "origin" => &mut origin,
            "destination" => &mut destination,
            "key" => &mut key_id,
            "sig" => &mut signature,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err("The Authorization header says something twice.");
        }
    }
    let missing = "The Authorization header must have origin, key and sig.";
    Ok(Credentials {
        origin: OwnedServerName::try_from(origin.ok_or(missing)?)
            .map_err(|_| "The origin is no server name.")?,
        destination,
        key_id: key_id.ok_or(missing)?,
        signature: Base64::parse(signature.ok_or(missing)?).map_err(|_| "The signature is not base64.")?,
    })
}

/// The first parameter, and what follows it.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = text.split_once('=')?;
    let (name, rest) = (name.trim_end_matches([' ', '\t']), rest.trim_start_matches([' ', '\t']));
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => {
            let end = rest.find(',').unwrap_or(rest.len());
            (rest[..end].trim_end_matches([' ', '\t']).to_owned(), &rest[end..])
        }
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    (rest.is_empty() || rest.starts_with(',')).then_some((name, value, rest))
}

/// The text up to the closing quote, and what follows that.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            _ => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn expected(origin: &str, destination: Option<&str>) -> Credentials {
        Credentials {
            origin: OwnedServerName::try_from(origin).unwrap(),
            destination: destination.map(ToOwned::to_owned),
            key_id: "ed25519:a_1".to_owned(),
            signature: Base64::parse("dGVzdA").unwrap(),
        }
    }

    #[test]
    fn every_form_of_the_header_says_the_same() {
        for header in [
            r#"X-Matrix origin="one.example",destination="two.example",key="ed25519:a_1",sig="dGVzdA""#,
            r#"X-Matrix origin=one.example,destination=two.example,key="ed25519:a_1",sig=dGVzdA"#,
            r"x-matrix origin=one.example,destination=two.example,key=ed25519:a_1,sig=dGVzdA",
            r#"X-MATRIX   ORIGIN="one.example" , Destination=two.example,	KEY="ed25519:a_1" ,sig="dGVzdA==","#,
            r#"X-Matrix sig="dGVzdA",key="ed25519:a_1",x=1,destination="two.example",origin="one\.example""#,
            r#"X-Matrix origin = "one.example",destination="two.example",key="ed25519:a_1",sig=dGVzdA=="#,
        ] {
            let read = read(&headers(&[header])).unwrap();
            assert_eq!(read, [expected("one.example", Some("two.example"))], "{header}");
        }
    }

    #[test]
    fn comma_in_quotes_ends_nothing() {
        let header = r#"X-Matrix extra="a,origin=evil.example,\"b",origin=one.example:8448,key=ed25519:a_1,sig=dGVzdA"#;
        assert_eq!(read(&headers(&[header])).unwrap(), [expected("one.example:8448", None)]);
    }

    #[test]
    fn each_header_of_the_scheme_is_read_and_others_are_not() {
        let one = r"X-Matrix origin=[::1]:80,key=ed25519:a_1,sig=dGVzdA";
        let read = read(&headers(&["Bearer token", one, one])).unwrap();
        assert_eq!(read, [expected("[::1]:80", None), expected("[::1]:80", None)]);
    }

    #[test]
    fn what_is_not_such_a_header_is_refused() {
        for header in [
            "",
            "X-Matrix",
            "X-Matrix ",
            "Bearer token",
            "X-Matrix origin",
            "X-Matrix origin=one.example,key=ed25519:a",
            "X-Matrix origin=one.example,sig=dGVzdA",
            "X-Matrix key=ed25519:a,sig=dGVzdA",
            "X-Matrix origin=one.example,origin=one.example,key=ed25519:a,sig=dGVzdA",
            r#"X-Matrix origin="one.example,key=ed25519:a,sig=dGVzdA"#,
            r#"X-Matrix origin="one.example"x,key=ed25519:a,sig=dGVzdA"#,
            "X-Matrix origin=no server name,key=ed25519:a,sig=dGVzdA",
            "X-Matrix origin=one.example,key=ed25519:a,sig=%%%",
        ] {
            assert!(read(&headers(&[header])).is_err(), "{header}");
        }
        assert!(read(&HeaderMap::new()).is_err());
    }
}
