//! What somebody asks for, and how well a text answers it.
//!
//! All words of a question must be in a text, in any of their forms; small words, as articles, need not. Words in
//! quotation marks must stand one after the other; a word that ends in `*` may go on.

use std::collections::{BTreeSet, HashSet};

use parvis_storage::{RoomSn, SearchTerms, SearchWord, UserSn};

use crate::{
    fold::{fold, words},
    normaliser::{Normaliser, ReadText, TextWord},
};

/// How many words of a question count.
const MOST_WORDS: usize = 16;
/// How many letters the beginning of a word needs to stand for the word.
const SHORTEST_PREFIX: usize = 2;
/// How much a word counts that is found in another form than the one asked for.
const OTHER_FORM: f64 = 0.6;
/// How much a word counts that need not be there.
const LIGHT_WORD: f64 = 0.2;
/// How much it counts that a word stands right behind the one before it in the question.
const BESIDE: f64 = 0.5;

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Question {
    words: Vec<AskedWord>,
}

#[derive(Clone, Debug)]
struct AskedWord {
    folded: String,
    forms: BTreeSet<SearchWord>,
    /// Whether the other words are enough.
    is_light: bool,
    /// Whether it must stand right behind the word before it.
    is_bound: bool,
}

/// How well a text answers a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Greater is better.
    pub rank: f64,
    /// The words of the text that were asked for, as they stand there, in small letters.
    pub highlights: BTreeSet<String>,
}

impl Question {
    /// Reads a question.
    pub fn new(normaliser: &Normaliser, text: &str) -> Self {
        let mut asked = Vec::new();
        let quoted = |number: usize| number % 2 == 1;
        for (number, piece) in text.split(['"', '“', '”', '„', '«', '»']).enumerate() {
            match quoted(number) {
                true => {
                    for (place, word) in words(piece).into_iter().enumerate() {
                        asked.push(AskedWord { is_bound: place > 0, ..AskedWord::new(normaliser, &word) });
                    }
                }
                false => {
                    for chunk in piece.split_whitespace() {
                        let mut found: Vec<_> =
                            words(chunk).iter().map(|word| AskedWord::new(normaliser, word)).collect();
                        if let Some(last) = found.last_mut().filter(|_| chunk.ends_with('*')) {
                            last.open();
                        }
                        asked.append(&mut found);
                    }
                }
            }
        }
        asked.retain(|word| !word.folded.is_empty());
        asked.truncate(MOST_WORDS);
        let bound: Vec<bool> = asked.iter().skip(1).map(|word| word.is_bound).chain([false]).collect();
        for (word, next_is_bound) in asked.iter_mut().zip(bound) {
            word.is_light &= !word.is_bound && !next_is_bound;
        }
        if asked.iter().all(|word| word.is_light) {
            asked.iter_mut().for_each(|word| word.is_light = false);
        }
        Self { words: asked }
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether the index alone cannot tell what answers it.
    pub fn has_phrases(&self) -> bool {
        self.words.iter().any(|word| word.is_bound)
    }

    /// What the index is asked for. Few rooms and senders are part of that, many are not.
    pub(crate) fn terms(&self, rooms: &[RoomSn], senders: &[UserSn]) -> SearchTerms {
        let wanted = self.words.iter().filter(|word| !word.is_light);
        let mut groups: Vec<Vec<SearchWord>> =
            wanted.map(|word| word.forms.iter().cloned().collect()).collect();
        if groups.is_empty() {
            return SearchTerms::default();
        }
        if (1..=MOST_NAMED).contains(&rooms.len()) {
            groups.push(rooms.iter().map(|room| SearchWord::plain(&room_word(*room))).collect());
        }
        if (1..=MOST_NAMED).contains(&senders.len()) {
            groups.push(senders.iter().map(|sender| SearchWord::plain(&sender_word(*sender))).collect());
        }
        SearchTerms { groups }
    }

    /// How well a text answers; nothing, if it does not.
    pub fn weigh(&self, normaliser: &Normaliser, text: &str) -> Option<Weight> {
        if self.is_empty() {
            return None;
        }
        let ReadText { words: text, marks } = normaliser.read(text);
        let mut rank = 0.0;
        let mut highlights = BTreeSet::new();
        // Where the words of the phrase so far end, and where the word before was found.
        let (mut ends, mut before): (HashSet<usize>, HashSet<usize>) = (HashSet::new(), HashSet::new());
        for asked in &self.words {
            let found: Vec<(usize, f64)> = text
                .iter()
                .enumerate()
                .filter_map(|(place, word)| Some((place, asked.likeness(word, &marks)?)))
                .collect();
            if found.is_empty() && !asked.is_light {
                return None;
            }
            let places: HashSet<usize> = found.iter().map(|found| found.0).collect();
            let follows = |place: &usize, of: &HashSet<usize>| {
                place.checked_sub(1).is_some_and(|before| of.contains(&before))
            };
            ends = match asked.is_bound {
                true => places.iter().copied().filter(|place| follows(place, &ends)).collect(),
                false => places.clone(),
            };
            if asked.is_bound && ends.is_empty() {
                return None;
            }
            let best = found.iter().map(|found| found.1).fold(0.0, f64::max);
            let often = 1.0 + (found.len().max(1) as f64).ln() * 0.2;
            rank += best * often * if asked.is_light { LIGHT_WORD } else { 1.0 };
            if places.iter().any(|place| follows(place, &before)) {
                rank += BESIDE;
            }
            highlights.extend(found.iter().map(|(place, _)| text[*place].written.clone()));
            before = places;
        }
        let rank = rank / (1.0 + (text.len() as f64).ln_1p() * 0.1);
        Some(Weight { rank, highlights })
    }
}

/// Up to how many rooms or senders are asked of the index of words.
const MOST_NAMED: usize = 16;

/// The word by which all documents of a room are found.
pub(crate) fn room_word(room: RoomSn) -> String {
    format!("§{}", room.0)
}

/// The word by which all documents of a sender are found.
pub(crate) fn sender_word(sender: UserSn) -> String {
    format!("¶{}", sender.0)
}

impl AskedWord {
    fn new(normaliser: &Normaliser, written: &str) -> Self {
        let folded = fold(written);
        let forms = normaliser.forms(written, &folded);
        let is_light = normaliser.is_light(&folded);
        Self { folded, forms, is_light, is_bound: false }
    }

    /// Lets longer words do that begin with this one.
    fn open(&mut self) {
        if self.folded.chars().count() >= SHORTEST_PREFIX {
            self.forms = BTreeSet::from([SearchWord { is_prefix: true, ..SearchWord::plain(&self.folded) }]);
            self.is_light = false;
        }
    }

    /// How much a word of a text is like the one that is asked for; nothing, if it is another.
    fn likeness(&self, word: &TextWord, marks: &[String]) -> Option<f64> {
        if word.folded == self.folded {
            return Some(1.0);
        }
        let is_form = |form: &SearchWord| match form.is_prefix {
            true => word.folded.starts_with(&form.word),
            false => {
                let is_beside = form.beside.as_ref().is_none_or(|mark| marks.contains(mark));
                is_beside && (word.folded == form.word || word.stems.contains(&form.word))
            }
        };
        self.forms.iter().any(is_form).then_some(OTHER_FORM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    fn rank(question: &str, text: &str) -> Option<f64> {
        let normaliser = Normaliser::new(&Language::ALL);
        Question::new(&normaliser, question).weigh(&normaliser, text).map(|weight| weight.rank)
    }

    fn answers(question: &str, text: &str) -> bool {
        rank(question, text).is_some()
    }

    #[test]
    fn all_words_must_be_there_but_the_small_ones() {
        assert!(answers("la réunion de budget", "Réunion du budget demain"));
        assert!(answers("die Sitzung", "Unsere Sitzungen"));
        assert!(!answers("réunion budget", "Réunion demain"));
        assert!(answers("and the", "the cat and the dog"));
        assert!(!answers("and the", "a cat"), "where nothing else is asked for, they count");
        assert!(!answers("cold war", "cold water"), "a word of weight in one language is none too small");
    }

    #[test]
    fn words_in_quotation_marks_stand_together() {
        assert!(answers("\"ordre du jour\"", "Voici l'ordre du jour."));
        assert!(!answers("\"ordre du jour\"", "Un jour, de l'ordre"));
        assert!(answers("„rote Karte“ Spiel", "Die rote Karte im Spiel"));
        assert!(!answers("\"rote karte\"", "rote grosse karte"));
    }

    #[test]
    fn star_lets_a_word_go_on() {
        assert!(answers("sitz*", "Das Sitzungsprotokoll"));
        assert!(!answers("sitz", "Das Sitzungsprotokoll"));
        assert!(!answers("*", "something") && !answers("s*", "something"));
    }

    #[test]
    fn nearer_answers_weigh_more() {
        assert!(rank("contract", "the contract") > rank("contract", "the contracts"));
        assert!(rank("new contract", "a new contract") > rank("new contract", "contract for a new house"));
        assert!(
            rank("contract", "contract") > rank("contract", "a contract that nobody has ever seen before")
        );
    }

    #[test]
    fn highlights_are_words_of_the_text() {
        let normaliser = Normaliser::new(&Language::ALL);
        let question = Question::new(&normaliser, "reunion Vertraege");
        let weight = question.weigh(&normaliser, "RÉUNIONS: der Vertrag").unwrap();
        let highlights: Vec<&str> = weight.highlights.iter().map(String::as_str).collect();
        assert_eq!(highlights, ["réunions", "vertrag"]);
    }

    #[test]
    fn question_without_words_is_empty() {
        let normaliser = Normaliser::new(&Language::ALL);
        for text in ["", "  ", "\"\"", "*", "?!", "🎉"] {
            let question = Question::new(&normaliser, text);
            assert!(question.is_empty(), "{text}");
            assert!(question.terms(&[RoomSn(1)], &[]).groups.is_empty());
        }
        let endless = Question::new(&normaliser, &"word ".repeat(1_000));
        assert_eq!(endless.terms(&[], &[]).groups.len(), MOST_WORDS);
    }
}
