//! `Content-Disposition`: whether a browser may show a file by itself, and what the file is called.

use std::fmt::Write as _;

/// What browsers show without running it
/// (<https://spec.matrix.org/v1.19/client-server-api/#serving-inline-content>).
const SHOWN_INLINE: [&str; 26] = [
    "text/css",
    "text/plain",
    "text/csv",
    "application/json",
    "application/ld+json",
    "image/jpeg",
    "image/gif",
    "image/png",
    "image/apng",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "audio/mp4",
    "audio/webm",
    "audio/aac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wave",
    "audio/wav",
    "audio/x-wav",
    "audio/x-pn-wav",
    "audio/flac",
    "audio/x-flac",
];

/// The header's value for a file of this type and name. It holds only printable ASCII.
pub fn content_disposition(content_type: &str, filename: Option<&str>) -> String {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    let inline = SHOWN_INLINE.iter().any(|shown| essence.eq_ignore_ascii_case(shown));
    let mut value = if inline { "inline" } else { "attachment" }.to_owned();
    if let Some(filename) = filename.filter(|filename| !filename.is_empty()) {
        add_filename(&mut value, filename);
    }
    value
}

/// The name twice where it needs more than ASCII: for those who do not know the newer form, and in it
/// (<https://www.rfc-editor.org/rfc/rfc6266#section-5>, <https://www.rfc-editor.org/rfc/rfc8187>).
fn add_filename(value: &mut String, filename: &str) {
    value.push_str("; filename=\"");
    for letter in filename.chars() {
        match letter {
            '"' | '\\' => value.extend(['\\', letter]),
            ' '..='~' => value.push(letter),
            _ => value.push('_'),
        }
    }
    value.push('"');
    if filename.chars().any(|letter| !matches!(letter, ' '..='~')) {
        value.push_str("; filename*=utf-8''");
        for byte in filename.bytes() {
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                value.push(char::from(byte));
            } else {
                // Writing into a string cannot fail.
                let _ = write!(value, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_types_are_shown_and_all_others_are_saved() {
        for shown in SHOWN_INLINE {
            assert_eq!(content_disposition(shown, None), "inline");
        }
        for (content_type, disposition) in [
            ("TEXT/Plain", "inline"),
            ("text/plain; charset=utf-8", "inline"),
            ("image/png ;x", "inline"),
            ("text/html", "attachment"),
            ("text/html;x", "attachment"),
            ("text/html; image/png", "attachment"),
            ("image/svg+xml", "attachment"),
            ("application/xhtml+xml", "attachment"),
            ("application/pdf", "attachment"),
            ("application/javascript", "attachment"),
            ("application/octet-stream", "attachment"),
            ("image/png, text/html", "attachment"),
            ("", "attachment"),
        ] {
            assert_eq!(content_disposition(content_type, None), disposition, "{content_type}");
        }
    }

    #[test]
    fn names_arrive_as_they_were_given() {
        for (name, value) in [
            ("ascii.txt", "attachment; filename=\"ascii.txt\""),
            ("two words.txt", "attachment; filename=\"two words.txt\""),
            ("semi;colon=.txt", "attachment; filename=\"semi;colon=.txt\""),
            ("say \"hi\" \\.txt", "attachment; filename=\"say \\\"hi\\\" \\\\.txt\""),
            ("../etc/passwd", "attachment; filename=\"../etc/passwd\""),
            ("grün.txt", "attachment; filename=\"gr_n.txt\"; filename*=utf-8''gr%C3%BCn.txt"),
            (
                "\u{1F415} 1%.png",
                "attachment; filename=\"_ 1%.png\"; filename*=utf-8''%F0%9F%90%95%201%25.png",
            ),
            (
                "x\r\nSet-Cookie: y",
                "attachment; filename=\"x__Set-Cookie: y\"; filename*=utf-8''x%0D%0ASet-Cookie%3A%20y",
            ),
            ("", "attachment"),
        ] {
            let made = content_disposition("application/octet-stream", Some(name));
            assert_eq!(made, value);
            assert!(made.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
