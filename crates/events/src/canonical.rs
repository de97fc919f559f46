//! Canonical JSON: the one byte sequence that stands for a JSON value when it is hashed or signed.
//!
//! Keys sorted by code point, no insignificant white space, integers within ±(2⁵³−1) and nothing else in
//! the way of numbers. <https://spec.matrix.org/v1.19/appendices/#canonical-json>
//!
//! Where an object repeats a key, the last value wins, as with the other implementations; the bytes kept
//! and passed on are the canonical ones, in which the key stands once.

use serde_json::value::RawValue;

pub use ruma::{CanonicalJsonObject, CanonicalJsonValue};

use crate::FormatError;

/// Reads a JSON object, refusing what canonical JSON cannot express.
///
/// # Errors
///
/// [`FormatError::NotCanonical`] where the text is not JSON, not an object, nested too deeply (128 levels),
/// or holds a number that is not an integer within ±(2⁵³−1) written without fraction or exponent.
pub fn parse_object(json: &[u8]) -> Result<CanonicalJsonObject, FormatError> {
    serde_json::from_slice(json).map_err(|error| FormatError::NotCanonical(error.to_string()))
}

/// Like [`parse_object`], from text that is known to be JSON.
///
/// # Errors
///
/// As [`parse_object`].
pub fn parse_raw_object(json: &RawValue) -> Result<CanonicalJsonObject, FormatError> {
    serde_json::from_str(json.get()).map_err(|error| FormatError::NotCanonical(error.to_string()))
}

/// The canonical text of an object.
pub fn to_text(object: &CanonicalJsonObject) -> String {
    let mut text = Vec::with_capacity(512);
    write_value(&mut text, object);
    into_string(text)
}

/// Appends the canonical text of a value whose types cannot fail to serialise.
pub(crate) fn write_value(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    // Writing strings, integers, booleans, arrays and string-keyed maps into memory has no failing case.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "canonical JSON always serialises");
}

/// Appends a JSON string.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    write_value(out, &text);
}

/// Text from bytes that were only ever appended as JSON.
pub(crate) fn into_string(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}
