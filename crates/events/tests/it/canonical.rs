//! Canonical JSON: the specification's examples, the edges of its grammar, and round trips of anything.

use parvis_events::{FormatError, canonical};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn canonical_text(json: &str) -> Result<String, FormatError> {
    canonical::parse_object(json.as_bytes()).map(|object| canonical::to_text(&object))
}

/// <https://spec.matrix.org/v1.19/appendices/#canonical-json>, all examples but the one with numbers that
/// events may not hold.
#[test]
fn examples_of_the_specification_come_out_as_given() {
    for (json, canonical) in [
        ("{}", "{}"),
        (r#"{ "one": 1, "two": "Two" }"#, r#"{"one":1,"two":"Two"}"#),
        (r#"{ "b": "2", "a": "1" }"#, r#"{"a":"1","b":"2"}"#),
        (r#"{"b":"2","a":"1"}"#, r#"{"a":"1","b":"2"}"#),
        (
            r#"{ "auth": { "success": true, "mxid": "@john.doe:example.com", "profile": {
                "display_name": "John Doe", "three_pids": [
                    { "medium": "email", "address": "john.doe@example.org" },
                    { "medium": "msisdn", "address": "123456789" } ] } } }"#,
            r#"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}"#,
        ),
        (r#"{ "a": "日本語" }"#, r#"{"a":"日本語"}"#),
        (r#"{ "本": 2, "日": 1 }"#, r#"{"日":1,"本":2}"#),
        (r#"{ "a": "\u65E5" }"#, r#"{"a":"日"}"#),
        (r#"{ "a": null }"#, r#"{"a":null}"#),
    ] {
        assert_eq!(canonical_text(json).unwrap(), canonical);
    }
}

#[test]
fn numbers_that_events_may_not_hold_are_refused() {
    for number in
        ["-0", "0.0", "1.0", "1e10", "1E3", "-1.5", "9007199254740992", "-9007199254740992", "1e400"]
    {
        let refused = canonical_text(&format!(r#"{{"a":[{{"b":{number}}}]}}"#));
        assert!(matches!(refused, Err(FormatError::NotCanonical(_))), "{number}");
    }
    let edges = r#"{"a":[0,-1,9007199254740991,-9007199254740991]}"#;
    assert_eq!(canonical_text(edges).unwrap(), edges);
}

#[test]
fn what_is_not_a_json_object_is_refused() {
    for text in
        ["", "[]", "1", "null", "{", r#"{"a":1}x"#, r#"{a:1}"#, "{\"a\":\"\u{1}\"}", r#"{"a":"\udc00"}"#]
    {
        assert!(canonical_text(text).is_err(), "{text:?}");
    }
    assert!(canonical::parse_object(b"{\"a\":\"\xff\"}").is_err(), "invalid UTF-8");
}

#[test]
fn keys_are_sorted_by_code_point_not_by_utf_16() {
    // In UTF-16, U+10000 is a surrogate pair from D800 on and would come before U+FFFF.
    let sorted = "{\"A\":0,\"a\":0,\"é\":0,\"\u{e000}\":0,\"\u{ffff}\":0,\"\u{10000}\":0}";
    let shuffled = "{\"\u{10000}\":0,\"é\":0,\"\u{ffff}\":0,\"a\":0,\"\u{e000}\":0,\"A\":0}";
    assert_eq!(canonical_text(shuffled).unwrap(), sorted);
}

#[test]
fn only_the_escapes_of_the_grammar_are_written() {
    let all = r#"{"a":"\u0000\u0007\b\t\n\u000b\f\r\u001b\u001f\"\\"}"#;
    assert_eq!(canonical_text(all).unwrap(), all);
    let needless = r#"{"a":"\u0041\/\u007f\u2028\u000A\ud83d\ude00"}"#;
    assert_eq!(canonical_text(needless).unwrap(), "{\"a\":\"A/\u{7f}\u{2028}\\n\u{1f600}\"}");
}

#[test]
fn last_value_of_a_repeated_key_wins_and_the_key_stands_once() {
    assert_eq!(canonical_text(r#"{"a":1,"b":{"c":1,"c":2},"a":3}"#).unwrap(), r#"{"a":3,"b":{"c":2}}"#);
}

#[test]
fn nesting_beyond_128_levels_is_refused_and_does_not_exhaust_the_stack() {
    let nested = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(canonical_text(&nested(120)).is_ok());
    assert!(canonical_text(&nested(128)).is_err());
    assert!(canonical_text(&nested(1_000_000)).is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_object_keeps_its_value_and_has_one_canonical_text(value in value()) {
        let object = serde_json::json!({ "value": value });
        let text = canonical_text(&serde_json::to_string_pretty(&object).unwrap()).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &object);
        prop_assert_eq!(canonical_text(&text).unwrap(), text);
    }

    #[test]
    fn no_bytes_make_parsing_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = canonical::parse_object(&bytes);
    }
}
