//! The messages, and which of them answer which question.

use std::collections::BTreeSet;

use parvis_ambient::{Chance as _, SeededChance};

use crate::vocabulary::{SPEECHES, Sought, Speech};

/// In how many of a hundred messages a word is that is sought.
const SOUGHT_PERCENT: u64 = 10;
/// In how many of a hundred messages there is a line of an old book.
const LINE_PERCENT: u64 = 5;

/// A question, and what is meant by it.
pub(crate) struct Question {
    pub(crate) language: &'static str,
    pub(crate) asked: &'static str,
    /// The messages that are meant.
    pub(crate) meant: BTreeSet<String>,
}

/// Messages that are the same for the same seed.
pub(crate) struct Corpus {
    chance: SeededChance,
    number: usize,
    pub(crate) questions: Vec<Question>,
    pub(crate) bytes: usize,
}

/// A message.
pub(crate) struct Message {
    pub(crate) text: String,
    /// The question that it answers.
    answers: Option<usize>,
}

impl Corpus {
    pub(crate) fn new(seed: u64) -> Self {
        let question = |speech: &'static Speech, sought: &'static Sought| Question {
            language: speech.language,
            asked: sought.asked,
            meant: BTreeSet::new(),
        };
        let questions = SPEECHES
            .iter()
            .flat_map(|speech| speech.sought.iter().map(move |sought| question(speech, sought)));
        Self { chance: SeededChance::new(seed), number: 0, questions: questions.collect(), bytes: 0 }
    }

    fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.chance.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound.max(1)
    }

    fn one_of<'a>(&self, choice: &[&'a str]) -> &'a str {
        let number = self.below(choice.len() as u64);
        choice[usize::try_from(number).unwrap_or(0)]
    }

    /// The next message.
    pub(crate) fn message(&mut self) -> Message {
        let speech = &SPEECHES[self.number % SPEECHES.len()];
        self.number += 1;
        let filling: Vec<&str> = speech.filling.split_ascii_whitespace().collect();
        let (mut text, mut answers) = (self.one_of(speech.sentences).to_owned(), None);
        let word = if self.below(100) < SOUGHT_PERCENT {
            let number = self.below(speech.sought.len() as u64);
            let sought = &speech.sought[usize::try_from(number).unwrap_or(0)];
            let is_it =
                |question: &Question| question.language == speech.language && question.asked == sought.asked;
            answers = self.questions.iter().position(is_it);
            let forms: Vec<&str> = sought.forms.split_ascii_whitespace().collect();
            self.one_of(&forms)
        } else {
            self.one_of(&filling)
        };
        text = text.replace('@', word);
        while text.contains('#') {
            text = text.replacen('#', self.one_of(&filling), 1);
        }
        for _ in 0..self.below(3) {
            let more = self.one_of(speech.sentences).replace(['@', '#'], self.one_of(&filling));
            text = format!("{text} {more}");
        }
        if self.below(100) < LINE_PERCENT {
            text = format!("{text} {}", self.one_of(speech.lines));
        }
        text = format!("{text} ({})", self.number);
        self.bytes += text.len();
        Message { text, answers }
    }

    /// Notes under which id a message was sent.
    pub(crate) fn sent(&mut self, message: &Message, event_id: &str) {
        if let Some(question) = message.answers {
            self.questions[question].meant.insert(event_id.to_owned());
        }
    }
}
