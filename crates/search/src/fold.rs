//! Words as they are compared: what of a text is a word, and what a word is without case and accents.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use unicode_segmentation::UnicodeSegmentation as _;

/// Of longer words only the beginning counts: nobody types more, and keys and hashes need no more room.
const LONGEST_WORD: usize = 40;

/// Whether a letter is an accent of those that Latin, Greek and Cyrillic letters have. Marks of other scripts are more
/// than that.
fn is_mark(letter: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&letter)
}

/// The words of a text in small letters, as they stand there.
///
/// Apostrophes and hyphens separate: what is left of `l'accord` is `l` and `accord`. Where a script has no spaces, each
/// sign that means something by itself is a word.
pub(crate) fn words(text: &str) -> Vec<String> {
    let text: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let separates = |letter: char| !letter.is_alphanumeric() && !is_combining_mark(letter);
    let parts = text.unicode_words().flat_map(|piece| piece.split(separates));
    let clipped = parts.map(|part| part.chars().take(LONGEST_WORD).collect::<String>());
    clipped.filter(|word| word.chars().any(char::is_alphanumeric)).collect()
}

/// A word without accents: `résumé` becomes `resume`, `straße` becomes `strasse`.
pub(crate) fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for letter in word.nfkd().filter(|letter| !is_mark(*letter)) {
        match letter {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'đ' | 'ð' => folded.push('d'),
            'ł' => folded.push('l'),
            'ı' => folded.push('i'),
            letter if letter.is_alphanumeric() || !letter.is_ascii() => folded.push(letter),
            _ => {}
        }
    }
    folded
}

/// The other ways in which people write a German word that has an umlaut, or may have one: `müller` is `mueller` for
/// some, and `mueller` may be meant as `müller`, which is `muller` without accents. Folded.
pub(crate) fn umlauts_written_otherwise(word: &str) -> Vec<String> {
    let mut others = Vec::new();
    if word.contains(['ä', 'ö', 'ü']) {
        others.push(fold(&word.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue")));
    } else {
        let mut short = String::with_capacity(word.len());
        let mut before = ' ';
        for letter in word.chars() {
            // The e of `quelle` and of `neue` belongs to no umlaut.
            let long = letter == 'e' && matches!(before, 'a' | 'o' | 'u');
            let is_quiet = matches!(short.chars().rev().nth(1), Some('q' | 'e' | 'a'));
            if !long || is_quiet {
                short.push(letter);
            }
            before = letter;
        }
        if short != word {
            others.push(fold(&short));
        }
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_people_see_them() {
        let cases: [(&str, &[&str]); 9] = [
            ("Bonjour, le monde !", &["bonjour", "le", "monde"]),
            ("L'accord et l’État", &["l", "accord", "et", "l", "état"]),
            ("un'e-mail dell'ufficio", &["un", "e", "mail", "dell", "ufficio"]),
            ("Straße 12, Zürich", &["straße", "12", "zürich"]),
            ("CHF 1'200.50", &["chf", "1", "200", "50"]),
            ("https://example.org/a_b?c=d", &["https", "example", "org", "a", "b", "c", "d"]),
            ("会議 привет", &["会", "議", "привет"]),
            ("🎉 -- !?", &[]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn composed_and_decomposed_letters_are_the_same() {
        assert_eq!(words("re\u{301}union"), ["réunion"]);
        assert_eq!(fold("réunion"), "reunion");
        assert_eq!(fold("e\u{301}t\u{e9}"), "ete");
    }

    #[test]
    fn accents_and_ligatures_are_folded() {
        let cases = [
            ("œuvre", "oeuvre"),
            ("grüße", "grusse"),
            ("città", "citta"),
            ("façade", "facade"),
            ("ærø", "aero"),
            ("łódź", "lodz"),
            ("привет", "привет"),
        ];
        for (word, expected) in cases {
            assert_eq!(fold(word), expected, "{word}");
        }
    }

    #[test]
    fn umlauts_are_written_in_two_ways() {
        assert_eq!(umlauts_written_otherwise("müller"), ["mueller"]);
        assert_eq!(umlauts_written_otherwise("mueller"), ["muller"]);
        assert_eq!(umlauts_written_otherwise("quelle"), [""; 0]);
        assert_eq!(umlauts_written_otherwise("neue"), [""; 0]);
        assert_eq!(umlauts_written_otherwise("bauen"), [""; 0]);
        assert_eq!(umlauts_written_otherwise("haus"), [""; 0]);
    }

    #[test]
    fn endless_words_are_cut() {
        assert_eq!(words(&"a".repeat(10_000))[0].len(), LONGEST_WORD);
    }
}
