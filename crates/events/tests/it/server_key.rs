//! Signing keys, with the specification's test vectors.
//! <https://spec.matrix.org/v1.19/appendices/#cryptographic-test-vectors>

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use parvis_events::{InvalidServerKey, PublicKeys, RawPdu, RoomVersion, ServerKey, canonical};
use ruma::server_name;

/// The key of the test vectors. The last character of the published seed carries spare bits.
fn key() -> ServerKey {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let seed = GeneralPurpose::new(&alphabet::STANDARD, lenient)
        .decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
        .unwrap();
    ServerKey::from_bytes(&seed, "1").unwrap()
}

fn signed(json: &str) -> String {
    let mut object = canonical::parse_object(json.as_bytes()).unwrap();
    key().sign_json(&mut object, server_name!("domain")).unwrap();
    canonical::to_text(&object)
}

#[test]
fn objects_are_signed_as_in_the_test_vectors() {
    assert_eq!(
        signed("{}"),
        r#"{"signatures":{"domain":{"ed25519:1":"K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"}}}"#
    );
    assert_eq!(
        signed(r#"{"one":1,"two":"Two"}"#),
        r#"{"one":1,"signatures":{"domain":{"ed25519:1":"KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"}},"two":"Two"}"#
    );
}

#[test]
fn signature_covers_neither_unsigned_nor_other_signatures() {
    let plain = signed(r#"{"one":1,"two":"Two"}"#);
    let more = signed(
        r#"{"one":1,"two":"Two","unsigned":{"age":3},"signatures":{"domain":{"ed25519:old":"b"},"z":{"ed25519:a":"c"}}}"#,
    );
    let signature = |json: &str| {
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        json["signatures"]["domain"]["ed25519:1"].clone()
    };
    assert_eq!(signature(&plain), signature(&more));
    assert!(more.contains(r#""ed25519:old":"b""#) && more.contains(r#""z":{"ed25519:a":"c"}"#));
}

/// The minimal event of the vectors is of the oldest format, which differs from that of version 10 in
/// nothing that its hash or signature covers.
#[test]
fn event_of_the_test_vectors_verifies() {
    let event = r#"{"auth_events":[],"content":{},"depth":3,
        "hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},"origin":"domain",
        "origin_server_ts":1000000,"prev_events":[],"room_id":"!x:domain","sender":"@a:domain",
        "signatures":{"domain":{"ed25519:1":"KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"}},
        "type":"X","unsigned":{"age_ts":1000000}}"#;
    let mut keys = PublicKeys::new();
    assert!(keys.insert(server_name!("domain"), "ed25519:1", &key().public_key_base64()));
    let raw = RawPdu::parse(event.as_bytes(), RoomVersion::V10).unwrap();
    let signed = raw.check_format().unwrap().verify(&keys).unwrap();
    assert!(signed.hash_matches());
}

#[test]
fn stored_key_comes_back() {
    let back = ServerKey::from_bytes(&key().to_bytes(), key().version()).unwrap();
    assert_eq!(back.key_id(), "ed25519:1");
    assert_eq!(back.public_key_base64(), key().public_key_base64());
    assert_eq!(back.sign_bytes(b"x"), key().sign_bytes(b"x"));
}

#[test]
fn unusable_keys_are_refused() {
    for version in ["", "a b", "a:b", "ä", "a-b"] {
        assert_eq!(ServerKey::generate([0; 32], version).unwrap_err(), InvalidServerKey::Version);
    }
    assert_eq!(ServerKey::from_bytes(&[0; 31], "a").unwrap_err(), InvalidServerKey::Length(31));
}

#[test]
fn object_whose_signatures_are_no_signatures_is_not_signed() {
    for json in [r#"{"signatures":1}"#, r#"{"signatures":{"domain":[]}}"#] {
        let mut object = canonical::parse_object(json.as_bytes()).unwrap();
        assert!(key().sign_json(&mut object, server_name!("domain")).is_err());
    }
}
