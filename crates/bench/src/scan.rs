//! Finding one string value in a JSON body without parsing the body. The generator shares its cores with the
//! server, so what it spends on parsing would be missing there.
//!
//! It does not know where in the document the key stands: the first occurrence wins. The bodies that the
//! generator sends itself hold none of the keys it looks for.

/// The text value of the first `"key": "…"` in `body`. `None` when there is none, when the value is not a
/// string, or when the string has an escape in it (tokens and identifiers have none).
pub(crate) fn text_of<'a>(body: &'a [u8], key: &str) -> Option<&'a str> {
    let mut rest = body;
    loop {
        let at = find(rest, key.as_bytes())?;
        let quoted = at > 0 && rest.get(at - 1) == Some(&b'"') && rest.get(at + key.len()) == Some(&b'"');
        let after = rest.get(at + key.len()..)?;
        if quoted && let Some(value) = text_after_quote(after) {
            return Some(value);
        }
        rest = after;
    }
}

/// Where `needle` begins in `haystack`.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(step) = haystack.get(from..)?.iter().position(|byte| *byte == first) {
        let at = from + step;
        if haystack.get(at..)?.starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// `rest` begins with the quote that closes the key: skip `" : "` and take the value.
fn text_after_quote(rest: &[u8]) -> Option<&str> {
    let rest = rest.get(1..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"")?;
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    if rest.get(end) != Some(&b'"') {
        return None;
    }
    std::str::from_utf8(rest.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::text_of;

    #[test]
    fn value_is_found_with_and_without_spaces() {
        assert_eq!(text_of(br#"{"a":1,"next_batch":"s1_2"}"#, "next_batch"), Some("s1_2"));
        assert_eq!(text_of(br#"{ "next_batch" : "s1" }"#, "next_batch"), Some("s1"));
    }

    #[test]
    fn key_that_only_ends_alike_is_passed_over() {
        assert_eq!(text_of(br#"{"legend":"no","end":"yes"}"#, "end"), Some("yes"));
        assert_eq!(text_of(br#"{"x":"end","end":"yes"}"#, "end"), Some("yes"));
    }

    #[test]
    fn absent_numeric_and_escaped_values_are_none() {
        assert_eq!(text_of(br#"{"end":7}"#, "end"), None);
        assert_eq!(text_of(br"{}", "end"), None);
        assert_eq!(text_of(br#"{"end":"a\"b"}"#, "end"), None);
    }
}
