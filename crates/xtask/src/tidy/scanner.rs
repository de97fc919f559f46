//! Finds the paths from the crate's root in one Rust source file.
//!
//! A scanner, no parser: it knows comments, literals, attributes, `mod` blocks and the shape of paths and of
//! `use` trees. What is compiled only for tests it passes over.

/// What one file says of other modules.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Every path that begins with `crate`, `super` or `self`, as a path from the crate's root.
    pub(super) references: Vec<Reference>,
    /// The names that `use` brings into this file, as written or resolved from the root.
    pub(super) imports: Vec<Import>,
    /// Modules declared in this file that are compiled only for tests.
    pub(super) test_modules: Vec<Vec<String>>,
}

/// A path from the crate's root, and the line on which it stands.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// A name and the path that it stands for.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) name: String,
    pub(super) path: Vec<String>,
}

/// Scans the text of the file that holds `module`.
pub(super) fn scan(text: &str, module: &[String]) -> Source {
    let tokens = tokens(text);
    if tokens.first().is_some_and(|token| token.is('#'))
        && tokens.get(1).is_some_and(|token| token.is('!'))
        && attribute_is_test(&tokens, 2)
    {
        return Source { test_modules: vec![module.to_vec()], ..Source::default() };
    }
    let mut scan =
        Scan { tokens, at: 0, module: module.to_vec(), blocks: Vec::new(), found: Source::default() };
    scan.run();
    scan.found
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Word(String),
    /// `::`
    Path,
    Sign(char),
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    line: usize,
}

impl Token {
    fn is(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(own) if own == word)
    }
}

/// Splits the text into words and signs; comments and the insides of literals are gone.
fn tokens(text: &str) -> Vec<Token> {
    let text: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < text.len() {
        let end = match text[at] {
            '/' if text.get(at + 1) == Some(&'/') => line_comment_end(&text, at),
            '/' if text.get(at + 1) == Some(&'*') => block_comment_end(&text, at),
            '"' => string_end(&text, at),
            '\'' => quote_end(&text, at),
            'r' | 'b' | 'c' if raw_string_hashes(&text, at).is_some() => raw_string_end(&text, at),
            first if first.is_alphanumeric() || first == '_' => word_end(&text, at),
            ':' if text.get(at + 1) == Some(&':') => at + 2,
            _ => at + 1,
        };
        let end = end.min(text.len());
        if let Some(kind) = kind(&text[at..end]) {
            tokens.push(Token { kind, line });
        }
        line += text[at..end].iter().filter(|character| **character == '\n').count();
        at = end;
    }
    tokens
}

fn kind(text: &[char]) -> Option<Kind> {
    match text {
        ['/', '/' | '*', ..] | ['"', ..] | ['\'', ..] => None,
        [':', ':'] => Some(Kind::Path),
        [first, ..] if text.contains(&'"') && first.is_alphabetic() => None,
        [first, ..] if first.is_alphanumeric() || *first == '_' => Some(Kind::Word(text.iter().collect())),
        [sign] if !sign.is_whitespace() => Some(Kind::Sign(*sign)),
        _ => None,
    }
}

fn line_comment_end(text: &[char], at: usize) -> usize {
    at + text[at..].iter().take_while(|character| **character != '\n').count()
}

fn block_comment_end(text: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_end(text: &[char], at: usize) -> usize {
    let mut at = at + 1;
    while at < text.len() {
        match text[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// The end of a character literal; a lifetime ends at its quote, so that its name becomes a word.
fn quote_end(text: &[char], at: usize) -> usize {
    match (text.get(at + 1), text.get(at + 2)) {
        (Some('\\'), _) => {
            let rest = text[(at + 3).min(text.len())..].iter().take_while(|character| **character != '\'');
            at + 4 + rest.count()
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}

/// How many hashes a raw string that begins here has, if one does.
fn raw_string_hashes(text: &[char], at: usize) -> Option<usize> {
    let prefix = match (text[at], text.get(at + 1)) {
        ('r', _) => 1,
        ('b' | 'c', Some('r')) => 2,
        _ => return None,
    };
    let rest = text.get(at + prefix..)?;
    let hashes = rest.iter().take_while(|character| **character == '#').count();
    (rest.get(hashes) == Some(&'"')).then_some(hashes)
}

fn raw_string_end(text: &[char], at: usize) -> usize {
    let hashes = raw_string_hashes(text, at).unwrap_or(0);
    let open = at + text[at..].iter().take_while(|character| **character != '"').count() + 1;
    (open..text.len())
        .find(|&quote| {
            text[quote] == '"'
                && text[quote + 1..].iter().take_while(|c| **c == '#').take(hashes).count() == hashes
        })
        .map_or(text.len(), |quote| quote + 1 + hashes)
}

fn word_end(text: &[char], at: usize) -> usize {
    at + text[at..].iter().take_while(|character| character.is_alphanumeric() || **character == '_').count()
}

/// Whether the attribute whose `[` stands at `at` keeps its item for tests.
fn attribute_is_test(tokens: &[Token], at: usize) -> bool {
    let word = |index: usize, word: &str| tokens.get(at + index).is_some_and(|token| token.is_word(word));
    word(1, "cfg") && (word(3, "test") || (word(3, "all") && word(5, "test")))
}

/// A walk over the tokens of one file.
struct Scan {
    tokens: Vec<Token>,
    at: usize,
    /// The module that the walk is in.
    module: Vec<String>,
    /// For each open brace whether it opened a module.
    blocks: Vec<bool>,
    found: Source,
}

impl Scan {
    fn run(&mut self) {
        while self.at < self.tokens.len() {
            match self.tokens[self.at].kind.clone() {
                Kind::Sign('#') if self.sign_at(1, '[') => self.attribute(),
                Kind::Word(word) if word == "mod" => self.module(),
                Kind::Word(word) if word == "use" => self.import(),
                Kind::Word(word) if word == "crate" || word == "super" || word == "self" => self.path(),
                Kind::Sign('{') => self.open(false),
                Kind::Sign('}') => self.close(),
                _ => self.at += 1,
            }
        }
    }

    fn sign_at(&self, offset: usize, sign: char) -> bool {
        self.tokens.get(self.at + offset).is_some_and(|token| token.is(sign))
    }

    fn word_at(&self, offset: usize) -> Option<&str> {
        match self.tokens.get(self.at + offset).map(|token| &token.kind) {
            Some(Kind::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn open(&mut self, is_module: bool) {
        self.blocks.push(is_module);
        self.at += 1;
    }

    fn close(&mut self) {
        if self.blocks.pop() == Some(true) {
            self.module.pop();
        }
        self.at += 1;
    }

    fn module(&mut self) {
        let name = self.word_at(1).map(str::to_owned);
        self.at += 1;
        if let Some(name) = name.filter(|_| self.sign_at(1, '{')) {
            self.module.push(name);
            self.at += 1;
            self.open(true);
        }
    }

    /// Passes over an attribute, and over its item if that is only for tests.
    fn attribute(&mut self) {
        let is_test = attribute_is_test(&self.tokens, self.at + 1);
        self.at += 1;
        self.skip_group();
        if !is_test {
            return;
        }
        while self.sign_at(0, '#') && self.sign_at(1, '[') {
            self.at += 1;
            self.skip_group();
        }
        self.skip_item();
    }

    /// From an opening bracket of any kind to behind its partner.
    fn skip_group(&mut self) {
        let mut depth = 0usize;
        while let Some(token) = self.tokens.get(self.at) {
            match token.kind {
                Kind::Sign('(' | '[' | '{') => depth += 1,
                Kind::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// An item ends with a semicolon or its block; a field, variant or arm with a comma.
    fn skip_item(&mut self) {
        self.skip_visibility();
        let keyword = self.word_at(0).unwrap_or_default().to_owned();
        if keyword == "mod" && self.sign_at(2, ';') {
            let mut module = self.module.clone();
            module.extend(self.word_at(1).map(str::to_owned));
            self.found.test_modules.push(module);
        }
        let is_item = matches!(
            keyword.as_str(),
            "async"
                | "const"
                | "enum"
                | "extern"
                | "fn"
                | "impl"
                | "let"
                | "macro_rules"
                | "mod"
                | "static"
                | "struct"
                | "trait"
                | "type"
                | "union"
                | "unsafe"
                | "use"
        );
        let to_semicolon = matches!(keyword.as_str(), "use" | "let" | "const" | "static" | "type")
            && self.word_at(1) != Some("fn");
        while let Some(token) = self.tokens.get(self.at) {
            match token.kind {
                Kind::Sign(';') => return self.at += 1,
                Kind::Sign(',') if !is_item => return self.at += 1,
                Kind::Sign('}') => return,
                Kind::Sign('{') if !to_semicolon => return self.skip_group(),
                Kind::Sign('(' | '[' | '{') => self.skip_group(),
                _ => self.at += 1,
            }
        }
    }

    fn skip_visibility(&mut self) {
        if self.word_at(0) == Some("pub") {
            self.at += 1;
            if self.sign_at(0, '(') {
                self.skip_group();
            }
        }
    }

    /// A path in an expression, a type or a pattern.
    fn path(&mut self) {
        let goes_on = self.tokens.get(self.at + 1).is_some_and(|token| token.kind == Kind::Path);
        let inside_path = self.at > 0 && self.tokens[self.at - 1].kind == Kind::Path;
        let visibility =
            self.at > 1 && self.tokens[self.at - 1].is_word("in") && self.tokens[self.at - 2].is('(');
        if !goes_on || inside_path || visibility {
            self.at += 1;
            return;
        }
        let mut leaves = Vec::new();
        self.tree(Vec::new(), false, &mut leaves);
        self.found.references.extend(leaves.into_iter().map(Leaf::into_reference));
    }

    fn import(&mut self) {
        self.at += 1;
        let mut leaves = Vec::new();
        self.tree(Vec::new(), false, &mut leaves);
        for leaf in leaves {
            let name = leaf.name.clone();
            self.found.imports.push(Import { name, path: leaf.path.clone() });
            if leaf.from_root {
                self.found.references.push(leaf.into_reference());
            }
        }
    }

    /// One `use` tree, or one path, which is a tree without branches. Ends behind it.
    fn tree(&mut self, mut path: Vec<String>, mut from_root: bool, leaves: &mut Vec<Leaf>) {
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        loop {
            match self.tokens.get(self.at).map(|token| token.kind.clone()) {
                Some(Kind::Path) => {
                    self.at += 1;
                    continue;
                }
                Some(Kind::Sign('{')) => return self.branches(&path, from_root, leaves),
                Some(Kind::Sign('*')) => self.at += 1,
                Some(Kind::Word(word)) => {
                    self.at += 1;
                    from_root |= self.step(&word, &mut path);
                    if self.path_goes_on() {
                        continue;
                    }
                }
                _ => return,
            }
            break;
        }
        let name = self.alias().or_else(|| path.last().cloned()).unwrap_or_default();
        leaves.push(Leaf { path, name, line, from_root });
    }

    /// Adds one word to a path; says whether it tied the path to the crate's root.
    fn step(&self, word: &str, path: &mut Vec<String>) -> bool {
        match word {
            "crate" => path.clear(),
            "super" if path.is_empty() => {
                path.extend_from_slice(&self.module);
                path.pop();
            }
            "super" => {
                path.pop();
            }
            "self" if path.is_empty() => path.extend_from_slice(&self.module),
            "self" => {}
            _ => {
                path.push(word.to_owned());
                return false;
            }
        }
        true
    }

    fn path_goes_on(&self) -> bool {
        let after = self.tokens.get(self.at + 1).map(|token| &token.kind);
        self.tokens.get(self.at).is_some_and(|token| token.kind == Kind::Path)
            && matches!(after, Some(Kind::Word(_) | Kind::Sign('{' | '*')))
    }

    fn branches(&mut self, path: &[String], from_root: bool, leaves: &mut Vec<Leaf>) {
        self.at += 1;
        while self.at < self.tokens.len() {
            if self.sign_at(0, '}') {
                self.at += 1;
                return;
            }
            let before = self.at;
            self.tree(path.to_vec(), from_root, leaves);
            if self.sign_at(0, ',') || self.at == before {
                self.at += 1;
            }
        }
    }

    fn alias(&mut self) -> Option<String> {
        if self.word_at(0) != Some("as") {
            return None;
        }
        let name = self.word_at(1).map(str::to_owned);
        self.at += 2;
        name
    }
}

/// The end of one branch of a `use` tree.
struct Leaf {
    path: Vec<String>,
    name: String,
    line: usize,
    from_root: bool,
}

impl Leaf {
    fn into_reference(self) -> Reference {
        Reference { path: self.path, line: self.line }
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, scan};

    fn scan_in(module: &[&str], text: &str) -> Source {
        scan(text, &module.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>())
    }

    /// `path:line` of every reference.
    fn references(module: &[&str], text: &str) -> Vec<String> {
        let show = |reference: &super::Reference| format!("{}:{}", reference.path.join("::"), reference.line);
        scan_in(module, text).references.iter().map(show).collect()
    }

    #[test]
    fn paths_from_the_root_are_found_in_imports_and_expressions() {
        assert_eq!(
            references(
                &["a"],
                "use crate::b::C;\nfn f(x: crate::d::E<crate::f::G>) -> u8 { crate::h::i::<u8>(x) }"
            ),
            ["b::C:1", "d::E:2", "f::G:2", "h::i:2"]
        );
    }

    #[test]
    fn trees_unfold_with_their_lines() {
        assert_eq!(
            references(&["a"], "use crate::{\n    b::{self, C as D},\n    e::*,\n    f,\n};\nuse std::fmt;"),
            ["b:2", "b::C:2", "e:3", "f:4"]
        );
    }

    #[test]
    fn super_and_self_are_relative_to_the_module() {
        assert_eq!(
            references(
                &["a", "b"],
                "use super::c; use super::super::d::E; use super::{super::f, g}; use self::h;"
            ),
            ["a::c:1", "d::E:1", "f:1", "a::g:1", "a::b::h:1"]
        );
    }

    #[test]
    fn modules_inside_a_file_deepen_the_path() {
        assert_eq!(
            references(
                &["a"],
                "mod inner { fn f() { super::g(); super::super::b::h(); } }\nfn i() { super::c::d() }"
            ),
            ["a::g:1", "b::h:1", "c::d:2"]
        );
    }

    #[test]
    fn a_receiver_and_a_visibility_are_no_paths() {
        assert_eq!(
            references(
                &["a"],
                "pub(crate) fn f(self) { self.b() } pub(super) struct S; pub(in crate::c) fn g() {}"
            ),
            [""; 0]
        );
    }

    #[test]
    fn comments_and_literals_hide_paths() {
        let text = r###"
            // crate::a::b
            /* outer /* crate::a::b */ crate::a::b */
            const A: &str = "crate::a::b \" crate::a::b";
            const B: &str = r#"crate::a::b " crate::a::b"#;
            const C: &[u8] = br"crate::a::b";
            const D: char = '"'; const E: char = '\''; const F: u8 = b'\\';
            fn f<'a>(x: &'a str) { crate::real::path(x) }
        "###;
        assert_eq!(references(&["m"], text), ["real::path:8"]);
    }

    #[test]
    fn items_for_tests_are_passed_over() {
        let text = "
            #[cfg(test)]
            #[expect(dead_code, reason = \"crate::x\")]
            pub(crate) mod tests { use crate::a::B; fn f() { if x { crate::a::b() } } }
            #[cfg(test)] use crate::{c::D, e::F};
            #[cfg(all(test, unix))] fn g() -> [u8; 2] { crate::h::i() }
            struct S { #[cfg(test)] field: crate::j::K, real: crate::l::M }
            #[cfg(not(test))] use crate::n::O;
            #[cfg(test)] mod world;
        ";
        let source = scan_in(&["m"], text);
        let found: Vec<String> =
            source.references.iter().map(|reference| reference.path.join("::")).collect();
        assert_eq!(found, ["l::M", "n::O"]);
        assert_eq!(source.test_modules, [["m".to_owned(), "world".to_owned()]]);
    }

    #[test]
    fn a_file_for_tests_alone_says_nothing() {
        let source = scan_in(&["m"], "#![cfg(test)]\nuse crate::a::B;");
        assert!(source.references.is_empty());
        assert_eq!(source.test_modules, [["m".to_owned()]]);
    }

    #[test]
    fn the_root_says_what_its_names_stand_for() {
        let source = scan_in(&[], "mod a;\npub use a::{B, C as D};\nuse std::fmt;");
        let imports: Vec<String> = source
            .imports
            .iter()
            .map(|import| format!("{}={}", import.name, import.path.join("::")))
            .collect();
        assert_eq!(imports, ["B=a::B", "D=a::C", "fmt=std::fmt"]);
    }
}
