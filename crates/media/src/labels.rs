//! What clients say about a file, made fit to be kept: its content type and its name.

/// What a file is where its uploader did not say, or said nothing that is a content type.
const UNKNOWN_TYPE: &str = "application/octet-stream";
/// The longest content type that is kept, in bytes.
const MAX_TYPE_BYTES: usize = 255;
/// The longest file name that is kept, in characters.
const MAX_NAME_CHARACTERS: usize = 255;

/// The content type to keep: as the client wrote it if it has the form `type/subtype; parameters`, so that it
/// can be sent back as it is.
pub(crate) fn content_type(said: Option<&str>) -> String {
    let said = said.map(str::trim).filter(|said| is_content_type(said));
    said.unwrap_or(UNKNOWN_TYPE).to_owned()
}

fn is_content_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or("").trim();
    let named = essence.split_once('/').is_some_and(|(kind, subkind)| is_token(kind) && is_token(subkind));
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    named && printable && text.len() <= MAX_TYPE_BYTES
}

/// <https://www.rfc-editor.org/rfc/rfc9110#name-tokens>
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The file name to keep: without control characters, and not endless. A name is only ever shown; it is never
/// a path here.
pub(crate) fn filename(said: Option<&str>) -> Option<String> {
    let kept = said?.chars().filter(|letter| !letter.is_control()).take(MAX_NAME_CHARACTERS);
    let name: String = kept.collect();
    (!name.trim().is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_type_is_kept_as_written_if_it_is_one() {
        for good in
            ["image/png", "img/png", "text/plain; charset=utf-8", "text/html;x", "application/vnd.x+json"]
        {
            assert_eq!(content_type(Some(good)), good);
        }
    }

    #[test]
    fn what_is_no_content_type_becomes_the_unknown_one() {
        let long = format!("image/{}", "x".repeat(250));
        for bad in ["", "image", "/", "image/", "/png", "im age/png", "image/png\r\nX: y", "image/pñg", &long]
        {
            assert_eq!(content_type(Some(bad)), UNKNOWN_TYPE, "{bad}");
        }
        assert_eq!(content_type(None), UNKNOWN_TYPE);
    }

    #[test]
    fn filename_loses_control_characters_and_nothing_else() {
        assert_eq!(filename(Some("Ünï \"x\" \\ ; ../.png")).unwrap(), "Ünï \"x\" \\ ; ../.png");
        assert_eq!(filename(Some("a\r\nb\0c\u{7f}")).unwrap(), "abc");
        assert_eq!(filename(Some("\u{1F600}".repeat(300).as_str())).unwrap().chars().count(), 255);
        assert_eq!(filename(Some(" \n")), None);
        assert_eq!(filename(None), None);
    }
}
