//! What an identity provider signs of whoever has signed in there
//! (<https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation>).

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::Jwk};
use serde_json::{Map, Value};

use crate::secret;

/// How far the provider's clock may be off, in seconds.
pub(super) const LEEWAY: i64 = 60;
/// How old a token may be, in seconds: it was made for a sign-in that is under way.
pub(super) const OLDEST: i64 = 15 * 60;
/// The longest token, in bytes.
const LONGEST: usize = 64 << 10;

/// Signatures with keys that only the provider has. No `none`, and none with a secret that we share.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Why what a provider says is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider is not believed: {0}")]
pub struct BadIdToken(pub &'static str);

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now_seconds: i64,
}

/// The keys that could have signed a token: the one that it names, or all.
fn keys_of<'a>(token: &str, keys: &'a [Jwk]) -> Result<(Algorithm, Vec<&'a Jwk>), BadIdToken> {
    if token.len() > LONGEST {
        return Err(BadIdToken("it is too long"));
    }
    let header = decode_header(token).map_err(|_| BadIdToken("it is no token"))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(BadIdToken("it is signed in a way that is not known"));
    }
    let named = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid;
    Ok((header.alg, keys.iter().filter(named).collect()))
}

/// Whether one of these keys could have signed a token.
pub(super) fn has_key_of(token: &str, keys: &[Jwk]) -> bool {
    keys_of(token, keys).is_ok_and(|(_, keys)| !keys.is_empty())
}

/// What a token says, if one of these keys has signed it and it says what it must.
pub(super) fn read(
    token: &str,
    keys: &[Jwk],
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, BadIdToken> {
    let required = ["exp", "iss", "aud", "sub"];
    let claims = signed(token, keys, (expected.issuer, expected.client_id), &required)?;
    check(&claims, expected)?;
    Ok(claims)
}

/// What a token says, if one of these keys has signed it, of this issuer for this client.
pub(super) fn signed(
    token: &str,
    keys: &[Jwk],
    (issuer, client_id): (&str, &str),
    required: &[&str],
) -> Result<Map<String, Value>, BadIdToken> {
    let (algorithm, keys) = keys_of(token, keys)?;
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[client_id]);
    validation.set_issuer(&[issuer]);
    validation.set_required_spec_claims(required);
    // The time comes from outside, and is looked at below.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let readable = |key: &Jwk| {
        let key = DecodingKey::from_jwk(key).ok()?;
        decode::<Map<String, Value>>(token, &key, &validation).ok()
    };
    let read = keys.into_iter().take(16).find_map(readable);
    Ok(read.ok_or(BadIdToken("its signature, issuer or audience is wrong"))?.claims)
}

/// A time that a token names, in seconds.
fn seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let value = claims.get(name)?;
    // A fraction of a second does not matter.
    #[expect(clippy::cast_possible_truncation, reason = "a conversion from float saturates, as it should")]
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

/// When a token was made, if that was a moment ago and it has not expired.
pub(super) fn made_now(claims: &Map<String, Value>, now: i64) -> Result<i64, BadIdToken> {
    if seconds(claims, "exp").is_some_and(|expires| expires.saturating_add(LEEWAY) <= now) {
        return Err(BadIdToken("it has expired"));
    }
    let issued = seconds(claims, "iat").ok_or(BadIdToken("it does not say when it was made"))?;
    if issued.saturating_add(OLDEST) < now || issued > now.saturating_add(LEEWAY) {
        return Err(BadIdToken("it was not made now"));
    }
    if seconds(claims, "nbf").is_some_and(|from| from > now.saturating_add(LEEWAY)) {
        return Err(BadIdToken("it is not good yet"));
    }
    Ok(issued)
}

fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), BadIdToken> {
    seconds(claims, "exp").ok_or(BadIdToken("it does not say until when it is good"))?;
    made_now(claims, expected.now_seconds)?;
    let nonce = claims.get("nonce").and_then(Value::as_str).unwrap_or_default();
    if !secret::same(nonce, expected.nonce) {
        return Err(BadIdToken("it was made for another sign-in"));
    }
    let party = claims.get("azp").map(|party| party.as_str() == Some(expected.client_id));
    let many = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
    if party == Some(false) || (many && party.is_none()) {
        return Err(BadIdToken("it was made for somebody else"));
    }
    Ok(())
}
