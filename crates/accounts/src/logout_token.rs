//! What an identity provider signs when somebody's sign-in there has ended
//! (<https://openid.net/specs/openid-connect-backchannel-1_0.html#LogoutToken>).

use jsonwebtoken::{decode_header, jwk::Jwk};
use serde_json::{Map, Value};

use crate::id_token::{BadIdToken, LEEWAY, OLDEST, made_now, signed};

/// That a token speaks of an end.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The longest name, in bytes.
const LONGEST: usize = 255;

/// Whose sign-in has ended. One of the first two is there at least.
#[derive(Debug)]
pub(super) struct Ended {
    /// Somebody, as the provider knows them.
    pub(super) subject: Option<String>,
    /// One of their sign-ins, as the provider calls it; without, all of them.
    pub(super) sid: Option<String>,
    /// What no other token of the provider's is called.
    pub(super) jti: String,
    /// From when on, in seconds since the Unix epoch, the token is too old to be believed.
    pub(super) stale: i64,
}

/// Whose sign-in has ended, if one of these keys has signed it for this client a moment ago.
pub(super) fn read(
    token: &str,
    keys: &[Jwk],
    (issuer, client_id): (&str, &str),
    now_seconds: i64,
) -> Result<Ended, BadIdToken> {
    let claims = signed(token, keys, (issuer, client_id), &["iss", "aud"])?;
    let kind = decode_header(token).ok().and_then(|header| header.typ).unwrap_or_default();
    // Older providers do not say what kind of token it is; none may say that it is another.
    if !["", "jwt", "logout+jwt", "application/logout+jwt"].contains(&kind.to_ascii_lowercase().as_str()) {
        return Err(BadIdToken("it is of another kind"));
    }
    ended(&claims, now_seconds)
}

fn ended(claims: &Map<String, Value>, now: i64) -> Result<Ended, BadIdToken> {
    let made = made_now(claims, now)?;
    let events = claims.get("events").and_then(Value::as_object);
    if !events.and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err(BadIdToken("it does not speak of the end of a sign-in"));
    }
    // With it, it could be a token that somebody was given at a sign-in.
    if claims.contains_key("nonce") {
        return Err(BadIdToken("it has a nonce"));
    }
    let text = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && text.len() <= LONGEST => Ok(Some(text.clone())),
        Some(_) => Err(BadIdToken("a name in it is none")),
    };
    let (subject, sid) = (text("sub")?, text("sid")?);
    if subject.is_none() && sid.is_none() {
        return Err(BadIdToken("it does not say whose sign-in"));
    }
    let jti = text("jti")?.ok_or(BadIdToken("it has no name of its own"))?;
    Ok(Ended { subject, sid, jti, stale: made.saturating_add(OLDEST).saturating_add(LEEWAY) })
}
