//! The languages of which the search knows how words are inflected, and how a text's language is told.

use std::str::FromStr;

use frostem::{Algorithm, Stemmer};

/// A language of which the search knows how words are inflected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// French.
    French,
    /// German.
    German,
    /// Italian.
    Italian,
    /// English.
    English,
}

/// A language code that names none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLanguage(pub String);

impl std::fmt::Display for UnknownLanguage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "`{}` is none of the languages fr, de, it, en", self.0)
    }
}

impl std::error::Error for UnknownLanguage {}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(code: &str) -> Result<Self, UnknownLanguage> {
        let known = Self::ALL.into_iter().find(|language| language.code() == code);
        known.ok_or_else(|| UnknownLanguage(code.to_owned()))
    }
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::French, Self::German, Self::Italian, Self::English];

    /// Its code in ISO 639-1.
    pub fn code(self) -> &'static str {
        match self {
            Self::French => "fr",
            Self::German => "de",
            Self::Italian => "it",
            Self::English => "en",
        }
    }

    /// What stands in the index before its stems, so that they are not taken for another language's or for words. No
    /// word has such a sign.
    pub(crate) fn mark(self) -> char {
        match self {
            Self::French => '¢',
            Self::German => '£',
            Self::Italian => '¤',
            Self::English => '¥',
        }
    }

    pub(crate) fn stemmer(self) -> Stemmer {
        Stemmer::new(match self {
            Self::French => Algorithm::French,
            Self::German => Algorithm::German,
            Self::Italian => Algorithm::Italian,
            Self::English => Algorithm::English,
        })
    }

    /// The small words that stand in nearly every sentence of the language, folded.
    pub(crate) fn function_words(self) -> impl Iterator<Item = &'static str> {
        let words = match self {
            Self::French => FRENCH,
            Self::German => GERMAN,
            Self::Italian => ITALIAN,
            Self::English => ENGLISH,
        };
        words.split_ascii_whitespace()
    }
}

const FRENCH: &str = "
    le la les l un une des du de d au aux et ou mais donc ni car que qu qui quoi dont ce c cet cette ces ca cela
    je j tu il elle on nous vous ils elles me m te t se s lui leur leurs y en moi toi
    mon ma mes ton ta tes son sa ses notre nos votre vos
    suis es est sommes etes sont etait etaient sera seront ete ai as a avons avez ont avait aura
    ne n pas plus dans sur sous avec sans pour par chez entre vers depuis pendant
    si comme quand tout tous toute toutes tres bien aussi encore deja oui non merci bonjour";

const GERMAN: &str = "
    der die das den dem des ein eine einen einem einer eines kein keine keinen keinem keiner
    und oder aber sondern denn dass ob weil wenn als wie so dann doch auch nur noch schon sehr nicht
    ich du er sie es wir ihr mich mir dich dir uns euch ihm ihn ihnen sich man
    mein meine dein sein seine seinen unser unsere euer ihre ihren ihrem ihrer dieser diese dieses diesen diesem
    ist sind war waren bin bist wird werden wurde wurden hat haben habe hatte kann konnen konnte muss mussen soll sollen
    in im an am auf aus bei beim fur mit nach seit von vom vor zu zum zur uber unter um bis durch gegen ohne zwischen
    was wer wo hier da ja nein bitte danke";

const ITALIAN: &str = "
    il lo la i gli le l un uno una di del dello della dell dei degli delle a al allo alla all ai agli alle
    da dal dallo dalla dall dai dagli dalle in nel nello nella nell nei negli nelle su sul sullo sulla sull sui sugli sulle
    con per tra fra e ed o ma se che chi cui non piu come quando dove anche ancora gia molto
    io tu lui lei noi voi loro mi ti si ci vi ne me te
    mio mia miei mie tuo tua suo sua suoi sue nostro nostra nostri vostro vostra
    questo questa questi queste quello quella quelli
    sono sei siamo siete era erano sara ha hai ho abbiamo avete hanno aveva stato stata
    grazie ciao buongiorno";

const ENGLISH: &str = "
    the a an and or but nor so of to in on at by for with from into about over under after before between
    i you he she it we they me him her us them my your his its our their mine this that these those
    is are was were be been being am do does did done have has had will would can could shall should may might must
    not no don doesn didn isn t s ll re ve if then than as when where who what which how why there here
    yes please thanks very just also all any some";

/// Words that are small in one language and have a weight of their own in another: they are never left out of what is
/// asked for.
pub(crate) const WEIGHTY: &[&str] = &[
    "war", "man", "son", "ton", "come", "dove", "mine", "will", "may", "plus", "pas", "den", "sera", "hat",
    "non",
];
