//! Globs: patterns with `*` and `?` in small letters.

use serde_json::Value;

/// The texts of a list, in small letters; none where it is no list.
pub(crate) fn globs(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_ascii_lowercase).collect()
}

/// Whether a glob matches all of a text: `*` stands for any letters or none, `?` for one. Takes at most as many
/// steps as the product of the lengths.
pub(crate) fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut at, mut in_text) = (0, 0);
    // Where the last star is, and up to where it reaches.
    let mut star = None;
    while in_text < text.len() {
        match glob.get(at) {
            Some(b'*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(letter) if *letter == b'?' || *letter == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((place, reach)) = star else { return false };
                star = Some((place, reach + 1));
                at = place + 1;
                in_text = reach + 1;
            }
        }
    }
    glob[at..].iter().all(|letter| *letter == b'*')
}
