//! What a page of HTML says of itself. Nothing is fetched, and nothing of the page is passed on but plain text.

use std::cell::RefCell;

use encoding_rs::Encoding;
use html5ever::{
    Attribute,
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};
use serde_json::{Map, Value};
use url::Url;

/// The longest property, in characters.
const LONGEST: usize = 1_000;
/// How many properties are taken.
const MOST: usize = 50;
/// From how many characters on a paragraph describes a page that does not describe itself.
const PARAGRAPH: usize = 60;

/// What a page says of itself.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Its properties, `og:` and others of OpenGraph.
    pub(super) properties: Map<String, Value>,
    /// Where its picture is, as the page has it.
    pub(super) picture: Option<String>,
}

/// The text of a page in the character set that the answer names, or the page, or in the usual one.
pub(super) fn decode(body: &[u8], named: Option<&str>) -> String {
    let beginning = String::from_utf8_lossy(body.get(..1_024).unwrap_or(body)).to_ascii_lowercase();
    let in_page = beginning.split("charset=").nth(1).map(|rest| {
        rest.trim_start_matches(['"', '\'']).split(['"', '\'', '>', ';', ' ', '/']).next().unwrap_or_default()
    });
    let encoding = named.or(in_page).and_then(|label| Encoding::for_label(label.as_bytes()));
    encoding.unwrap_or(encoding_rs::UTF_8).decode(body).0.into_owned()
}

/// Where something is that a page names.
pub(super) fn resolve(page: &str, named: &str) -> Option<String> {
    Url::parse(page).ok()?.join(named).ok().map(String::from)
}

/// Reads a page.
pub(super) fn read(html: &str) -> Facts {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let tokenizer = Tokenizer::new(Reader::default(), TokenizerOpts::default());
    // There are no scripts to stop for.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner().finish()
}

/// Gathers what counts while the page goes by.
#[derive(Default)]
struct Reader(RefCell<Gathered>);

#[derive(Default)]
struct Gathered {
    properties: Map<String, Value>,
    twitter: Map<String, Value>,
    description: Option<String>,
    title: String,
    heading: String,
    paragraph: String,
    link: Option<String>,
    /// In which element the text is that goes by.
    inside: Option<Inside>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Title,
    Heading,
    Paragraph,
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut gathered = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) => return gathered.tag(&tag),
            Token::CharacterTokens(text) => gathered.text(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Gathered {
    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let is_start = tag.kind == TagKind::StartTag;
        match (&*tag.name, is_start) {
            ("meta", true) => self.meta(&tag.attrs),
            ("link", true) if attribute(&tag.attrs, "rel") == Some("image_src") => {
                self.link = attribute(&tag.attrs, "href").map(str::to_owned);
            }
            ("title", true) => {
                self.inside = Some(Inside::Title);
                return TokenSinkResult::RawData(RawKind::Rcdata);
            }
            ("h1", true) if self.heading.is_empty() => self.inside = Some(Inside::Heading),
            ("p", true) if self.paragraph.trim().chars().count() < PARAGRAPH => {
                self.paragraph.clear();
                self.inside = Some(Inside::Paragraph);
            }
            ("title" | "h1" | "p", false) => self.inside = None,
            ("script" | "style" | "noscript" | "textarea", true) => {
                return TokenSinkResult::RawData(RawKind::Rawtext);
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }

    fn text(&mut self, text: &str) {
        let into = match self.inside {
            Some(Inside::Title) => &mut self.title,
            Some(Inside::Heading) => &mut self.heading,
            Some(Inside::Paragraph) => &mut self.paragraph,
            None => return,
        };
        if into.len() < LONGEST * 4 {
            into.push_str(text);
        }
    }

    fn meta(&mut self, attributes: &[Attribute]) {
        let name = attribute(attributes, "property").or_else(|| attribute(attributes, "name"));
        let (Some(name), Some(content)) = (name, attribute(attributes, "content")) else { return };
        let (name, content) = (name.trim().to_ascii_lowercase(), tidy(content));
        if content.is_empty() {
            return;
        }
        let into = match name.split_once(':') {
            Some(("og" | "article" | "profile" | "book", _)) => &mut self.properties,
            Some(("twitter", _)) => &mut self.twitter,
            _ if name == "description" => {
                self.description.get_or_insert(content);
                return;
            }
            _ => return,
        };
        // What is said first counts: later ones are further pictures and the like.
        if into.len() < MOST && !into.contains_key(&name) {
            into.insert(name, content.into());
        }
    }

    fn finish(mut self) -> Facts {
        let twitter = |name: &str| self.twitter.get(name).and_then(Value::as_str).map(str::to_owned);
        let or_text = |text: &str| Some(tidy(text)).filter(|text| !text.is_empty());
        let title =
            twitter("twitter:title").or_else(|| or_text(&self.title)).or_else(|| or_text(&self.heading));
        let description = twitter("twitter:description")
            .or_else(|| self.description.clone())
            .or_else(|| or_text(&self.paragraph));
        let picture = twitter("twitter:image").or_else(|| self.link.clone());
        for (name, value) in [("og:title", title), ("og:description", description)] {
            if let Some(value) = value.filter(|_| !self.properties.contains_key(name)) {
                self.properties.insert(name.to_owned(), value.into());
            }
        }
        let named = ["og:image", "og:image:url", "og:image:secure_url"];
        let named = named.iter().find_map(|name| self.properties.get(*name)?.as_str().map(str::to_owned));
        // What the page says of its picture is not believed: it is looked at.
        self.properties.retain(|name, _| !name.starts_with("og:image"));
        Facts { properties: self.properties, picture: named.or(picture) }
    }
}

fn attribute<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    attributes.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
}

/// One line of at most so many characters.
fn tidy(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    line.join(" ").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a>(facts: &'a Facts, name: &str) -> Option<&'a str> {
        facts.properties.get(name).and_then(Value::as_str)
    }

    #[test]
    fn properties_are_read_and_the_picture_apart() {
        let facts = read(
            "<html><head><title>Not this</title><meta property='og:title' content='The  square &amp; the house'>\
             <META NAME=\"og:type\" CONTENT=website><meta property=og:image content='/a.png'>\
             <meta property=og:image content='/b.png'><meta property=og:image:width content=5></head></html>",
        );
        assert_eq!(text(&facts, "og:title"), Some("The square & the house"));
        assert_eq!(text(&facts, "og:type"), Some("website"));
        assert_eq!(facts.picture.as_deref(), Some("/a.png"));
        assert_eq!(text(&facts, "og:image:width"), None);
    }

    #[test]
    fn page_that_says_nothing_of_itself_is_known_by_its_text() {
        let facts = read(
            "<title>Parvis\n  – place</title><script>var p = '<p>no</p>'</script><p>Short.</p>\
             <p>This paragraph is long enough to say what the page is about, more or less.</p><p>Not this.</p>",
        );
        assert_eq!(text(&facts, "og:title"), Some("Parvis – place"));
        assert!(text(&facts, "og:description").unwrap().starts_with("This paragraph"), "{facts:?}");
        assert_eq!(facts.picture, None);
        let twitter = read("<meta name=twitter:title content=A><meta name=twitter:image content=b.png>");
        assert_eq!((text(&twitter, "og:title"), twitter.picture.as_deref()), (Some("A"), Some("b.png")));
    }

    #[test]
    fn nonsense_is_no_page_and_no_panic() {
        for nonsense in
            ["", "<", "<meta", "<meta property=og:title>", "<title>", &"<p>".repeat(10_000), "\u{0}<![CDATA["]
        {
            let facts = read(nonsense);
            assert!(facts.properties.is_empty() && facts.picture.is_none(), "{nonsense:.20}: {facts:?}");
        }
        let long = read(&format!("<title>{}</title>", "a".repeat(100_000)));
        assert_eq!(text(&long, "og:title").map(str::len), Some(LONGEST));
    }

    #[test]
    fn character_set_is_the_one_named() {
        let latin = b"<meta charset=iso-8859-1><title>caf\xe9</title>";
        assert!(decode(latin, None).contains("café"));
        assert!(decode(b"caf\xe9", Some("windows-1252")).contains("café"));
        assert!(decode("café".as_bytes(), Some("nonsense")).contains("café"));
    }

    #[test]
    fn pictures_are_found_from_where_the_page_is() {
        let at = |named| resolve("https://example.org/a/b.html", named);
        assert_eq!(at("c.png").as_deref(), Some("https://example.org/a/c.png"));
        assert_eq!(at("//cdn.example.org/c.png").as_deref(), Some("https://cdn.example.org/c.png"));
        assert_eq!(at("https://[").as_deref(), None);
    }
}
