//! From texts to the words of the index.
//!
//! Of each word the index has its folded form, and for each language in which the text may be written its stem, if
//! that is another word, with the language's mark before it. Two forms of a word meet in a stem of the same language;
//! stems of different languages never meet, or German `messen` would find English `mess`. Where the small words of a
//! text tell its language, only that language's stems are put in; and a word of its own says which languages it may
//! be, for the stems that are words as they stand.

use std::collections::{BTreeSet, HashMap};

use frostem::Stemmer;
use parvis_storage::SearchWord;

use crate::{
    fold::{fold, umlauts_written_otherwise, words},
    language::{Language, WEIGHTY},
};

/// Counts up whenever texts come to other words than before, so that what is in the index is put in anew.
const FORM: i64 = 1;

/// Knows the languages of an organisation.
#[derive(Clone)]
pub struct Normaliser {
    languages: Vec<(Language, Stemmer)>,
    /// Of which of the languages, one bit each, a folded word is a function word.
    function_words: HashMap<&'static str, u32>,
}

impl std::fmt::Debug for Normaliser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.languages.iter().map(|language| language.0)).finish()
    }
}

/// The words of a text, in order, and the marks of the languages in which it may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadText {
    pub(crate) words: Vec<TextWord>,
    pub(crate) marks: Vec<String>,
}

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextWord {
    /// As it stands there, in small letters.
    pub(crate) written: String,
    /// Without accents.
    pub(crate) folded: String,
    /// Its marked stems.
    pub(crate) stems: Vec<String>,
}

impl Normaliser {
    /// One that knows these languages. Without any, words are found in the form in which they are asked for, accents
    /// apart.
    pub fn new(languages: &[Language]) -> Self {
        let languages: BTreeSet<Language> = languages.iter().copied().collect();
        let mut function_words: HashMap<&'static str, u32> = HashMap::new();
        for (bit, language) in languages.iter().enumerate() {
            for word in language.function_words() {
                *function_words.entry(word).or_default() |= 1 << bit;
            }
        }
        let languages = languages.into_iter().map(|language| (language, language.stemmer())).collect();
        Self { languages, function_words }
    }

    /// Tells the form of the words apart from that of other languages, and of other versions of this program.
    pub fn format(&self) -> i64 {
        let bits = self.languages.iter().map(|(language, _)| 1_i64 << (*language as u32));
        (FORM << 8) + bits.sum::<i64>()
    }

    /// Reads a text.
    pub(crate) fn read(&self, text: &str) -> ReadText {
        let written = words(text);
        let folded: Vec<String> = written.iter().map(|word| fold(word)).collect();
        let spoken = self.spoken(&folded);
        let words = written.into_iter().zip(folded).filter(|(_, folded)| !folded.is_empty());
        let word = |(written, folded): (String, String)| {
            let stems = match self.is_function_word(&folded) {
                true => Vec::new(),
                false => self.stems(&written, &folded, spoken),
            };
            TextWord { written, folded, stems }
        };
        let words = words.map(word).collect();
        let marks = self.languages.iter().enumerate().filter(|(bit, _)| spoken & (1 << bit) != 0);
        ReadText { words, marks: marks.map(|(_, (language, _))| language.mark().to_string()).collect() }
    }

    /// The words under which a text is put into the index; none, if it has none.
    pub fn index(&self, text: &str) -> BTreeSet<String> {
        let ReadText { words, marks } = self.read(text);
        let marks = marks.into_iter().filter(|_| !words.is_empty()).collect::<Vec<_>>();
        words.into_iter().flat_map(|word| word.stems.into_iter().chain([word.folded])).chain(marks).collect()
    }

    /// The words of the index by which a word that is asked for is found, if it may have been said in any of the
    /// languages.
    pub(crate) fn forms(&self, written: &str, folded: &str) -> BTreeSet<SearchWord> {
        let mut forms = BTreeSet::from([SearchWord::plain(folded)]);
        for (language, stemmer) in &self.languages {
            for stem in stems_in(*stemmer, written, folded) {
                forms.insert(SearchWord::plain(&marked(*language, &stem)));
                // A word that is its own stem is in the index without a mark.
                if stem != folded && fold(&stemmer.stem(&stem)) == stem {
                    let beside = Some(language.mark().to_string());
                    forms.insert(SearchWord { beside, ..SearchWord::plain(&stem) });
                }
            }
            if *language == Language::German {
                let others = umlauts_written_otherwise(written);
                forms.extend(others.iter().map(|other| SearchWord::plain(other)));
            }
        }
        forms
    }

    /// Whether a folded word says so little that others are enough.
    pub(crate) fn is_light(&self, folded: &str) -> bool {
        self.is_function_word(folded) && !WEIGHTY.contains(&folded)
    }

    fn is_function_word(&self, folded: &str) -> bool {
        self.function_words.contains_key(folded)
    }

    /// In which languages a text may be written, one bit each: those whose function words it has, the fewest of them
    /// half as many as the most; all, if it has none.
    fn spoken(&self, folded: &[String]) -> u32 {
        let mut counts = vec![0_usize; self.languages.len()];
        for bits in folded.iter().filter_map(|word| self.function_words.get(word.as_str())) {
            for (bit, count) in counts.iter_mut().enumerate() {
                *count += usize::from(bits & (1 << bit) != 0);
            }
        }
        let most = counts.iter().copied().max().unwrap_or(0);
        let spoken = counts.iter().enumerate().filter(|(_, count)| **count * 2 >= most);
        spoken.map(|(bit, _)| 1 << bit).sum()
    }

    fn stems(&self, written: &str, folded: &str, spoken: u32) -> Vec<String> {
        let mut stems = Vec::new();
        for (_, (language, stemmer)) in
            self.languages.iter().enumerate().filter(|(bit, _)| spoken & (1 << bit) != 0)
        {
            let found = stems_in(*stemmer, written, folded);
            stems.extend(found.iter().filter(|stem| *stem != folded).map(|stem| marked(*language, stem)));
        }
        stems
    }
}

/// The folded stems of a word, as it is written and as those write it who leave the accents out.
fn stems_in(stemmer: Stemmer, written: &str, folded: &str) -> BTreeSet<String> {
    // Numbers and other scripts have no forms.
    if !folded.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        return BTreeSet::from([folded.to_owned()]);
    }
    let stems = [fold(&stemmer.stem(written)), fold(&stemmer.stem(folded))];
    stems.into_iter().filter(|stem| !stem.is_empty()).collect()
}

fn marked(language: Language, stem: &str) -> String {
    format!("{}{stem}", language.mark())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meet(languages: &[Language], text: &str, asked: &str) -> bool {
        let normaliser = Normaliser::new(languages);
        let index = normaliser.index(text);
        let written = words(asked).remove(0);
        let folded = fold(&written);
        let found = |word: &String| index.contains(word);
        normaliser
            .forms(&written, &folded)
            .iter()
            .any(|form| found(&form.word) && form.beside.iter().all(found))
    }

    fn all_meet(text: &str, asked: &str) -> bool {
        meet(&Language::ALL, text, asked)
    }

    #[test]
    fn inflected_forms_meet_in_each_language() {
        let cases = [
            (
                "Les réunions de la semaine sont annulées",
                &["réunion", "reunion", "Réunions", "annulé", "annuler"][..],
            ),
            ("Nous avons présenté les comptes", &["présentés", "presentes", "présenter", "compte"]),
            ("Ce sont mes élèves", &["élève", "eleve", "ELEVES"]),
            ("Wir haben die Verträge unterschrieben", &["Vertrag", "Vertrags", "Vertraege", "vertrage"]),
            ("Das ist im Haus", &["Häuser", "Haeuser", "Hauses", "Häusern"]),
            ("Frau Müller ist krank", &["Mueller", "Muller", "MÜLLER", "müllers"]),
            ("Frau Mueller ist krank", &["Müller", "mueller"]),
            ("Die Grüße an alle", &["Gruesse", "gruss", "Gruß", "grüsse"]),
            ("La riunione è stata spostata", &["riunioni", "riunione"]),
            ("Ho spedito i contratti", &["contratto", "contratti", "spediti"]),
            ("Una bella città", &["citta", "città"]),
            ("The meetings were moved", &["meeting", "move", "moving"]),
            ("Please pay this invoice", &["invoices", "invoiced"]),
        ];
        for (text, asked) in cases {
            for asked in asked {
                assert!(all_meet(text, asked), "{text} / {asked}");
            }
        }
    }

    #[test]
    fn other_words_do_not_meet() {
        let cases = [
            ("The room is a mess", "messen"),
            ("Das Haus ist hoch", "Hausordnung"),
            ("La réunion est annulée", "riunione"),
            ("We met in the garden", "meeting"),
            ("Il conto è chiuso", "contenu"),
        ];
        for (text, asked) in cases {
            assert!(!all_meet(text, asked), "{text} / {asked}");
        }
    }

    #[test]
    fn small_words_tell_the_language() {
        let normaliser = Normaliser::new(&Language::ALL);
        let marks = |text: &str| -> BTreeSet<char> {
            normaliser
                .index(text)
                .iter()
                .filter_map(|word| word.chars().next())
                .filter(|mark| !mark.is_ascii())
                .collect()
        };
        assert_eq!(marks("Wir haben die Sitzungen verschoben"), BTreeSet::from(['£']));
        assert_eq!(marks("Nous avons déplacé les réunions"), BTreeSet::from(['¢']));
        assert_eq!(marks("Abbiamo spostato le riunioni della settimana"), BTreeSet::from(['¤']));
        assert_eq!(marks("We have moved the meetings"), BTreeSet::from(['¥']));
        assert_eq!(marks("Riunioni importanti").len(), 4, "who can tell");
    }

    #[test]
    fn without_languages_only_accents_are_folded() {
        assert!(meet(&[], "La réunion", "reunion"));
        assert!(!meet(&[], "La réunion", "réunions"));
        assert!(!meet(&[Language::French], "Frau Müller", "Mueller"));
    }

    #[test]
    fn form_depends_on_the_languages() {
        let format = |languages: &[Language]| Normaliser::new(languages).format();
        assert_ne!(format(&[Language::French]), format(&[Language::German]));
        assert_eq!(
            format(&[Language::French, Language::German]),
            format(&[Language::German, Language::French])
        );
        assert_ne!(format(&[]), 0);
    }
}
