//! What is asked of the index of the search.

/// What is asked for: documents with at least one word of each group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchTerms {
    /// The groups. Without any, nothing is found.
    pub groups: Vec<Vec<SearchWord>>,
}

/// A word that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SearchWord {
    /// The normalised word.
    pub word: String,
    /// Whether longer words that begin with it will do.
    pub is_prefix: bool,
    /// It counts only in documents that have this word too.
    pub beside: Option<String>,
}

impl SearchWord {
    /// A word as it is, wherever it is.
    pub fn plain(word: &str) -> Self {
        Self { word: word.to_owned(), is_prefix: false, beside: None }
    }
}
