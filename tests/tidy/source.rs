//! A Rust file as the rules see it: words and marks, without comments, and what of
//! it is test code.

#![expect(clippy::string_slice, reason = "the places come from the text that they cut")]

use std::fmt;
use std::fs;
use std::iter;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A rule broken in a place, and what would keep it.
pub(crate) struct Violation {
    path: String,
    pub(crate) line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// One file of the tree, or a snippet that stands for one.
pub(crate) struct File {
    /// Its path from the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    tokens: Vec<Range<usize>>,
    tests: Vec<Range<usize>>,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut file = Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens: tokens(text),
            tests: Vec::new(),
        };
        file.tests = file.find_tests();
        file
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// A token's text; empty beyond either end.
    pub(crate) fn token(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |range| &self.text[range.clone()])
    }

    /// The token before this one.
    pub(crate) fn before(&self, at: usize) -> &str {
        at.checked_sub(1).map_or("", |at| self.token(at))
    }

    /// True if nothing stands between this token and the one before.
    pub(crate) fn touches_before(&self, at: usize) -> bool {
        at > 0 && self.tokens[at - 1].end == self.tokens[at].start
    }

    /// True if these tokens stand here.
    pub(crate) fn has(&self, at: usize, expected: &[&str]) -> bool {
        expected.iter().enumerate().all(|(offset, text)| self.token(at + offset) == *text)
    }

    /// The 1-based line that a token begins on.
    pub(crate) fn line(&self, at: usize) -> usize {
        let start = self.tokens.get(at).map_or(self.text.len(), |range| range.start);
        self.text[..start].matches('\n').count() + 1
    }

    /// What stands on a token's line behind it.
    pub(crate) fn rest_of_line(&self, at: usize) -> &str {
        self.text[self.tokens[at].end..].lines().next().unwrap_or("")
    }

    /// The bracket that closes the one here, or the last token.
    pub(crate) fn close(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for at in open..self.len() {
            match self.token(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.len().saturating_sub(1)
    }

    /// The last token of the item or statement that begins here: its closing brace
    /// or semicolon. Attributes before it belong to it.
    pub(crate) fn item_end(&self, from: usize) -> usize {
        let mut at = from;
        while at < self.len() {
            match self.token(at) {
                "{" => return self.close(at),
                ";" | "}" => return at,
                "(" | "[" => at = self.close(at) + 1,
                _ => at += 1,
            }
        }
        self.len()
    }

    /// True if the token is in test code.
    pub(crate) fn is_test(&self, at: usize) -> bool {
        !self.path.starts_with("src/") || self.tests.iter().any(|range| range.contains(&at))
    }

    /// The tokens' indices, those of test code apart.
    pub(crate) fn outside_tests(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|at| !self.is_test(*at))
    }

    pub(crate) fn broken(&self, line: usize, what: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, what: what.into() }
    }

    pub(crate) fn broken_at(&self, at: usize, what: impl Into<String>) -> Violation {
        self.broken(self.line(at), what)
    }

    /// The room that the file belongs to; none for `lib.rs`, `main.rs` and all
    /// outside `src/`.
    pub(crate) fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let room = inside.split('/').next()?;
        let room = room.strip_suffix(".rs").unwrap_or(room);
        (room != "lib" && room != "main").then_some(room)
    }

    /// Where the files of its test modules are, without `.rs`.
    fn test_modules(&self) -> Vec<String> {
        let folder = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let declared =
            |at: &usize| self.token(*at) == "mod" && self.token(at + 2) == ";" && self.is_test(*at);
        (0..self.len())
            .filter(declared)
            .map(|at| format!("{folder}/{}", self.token(at + 1)))
            .collect()
    }

    fn find_tests(&self) -> Vec<Range<usize>> {
        let whole = self.has(0, &["#", "!", "[", "cfg", "(", "test", ")", "]"]);
        if whole {
            return iter::once(0..self.len()).collect();
        }
        let marked = |at: &usize| {
            self.has(*at, &["#", "[", "test", "]"])
                || self.has(*at, &["#", "[", "cfg", "(", "test", ")", "]"])
        };
        (0..self.len()).filter(marked).map(|at| at..self.item_end(at + 1) + 1).collect()
    }
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of `src/`, `tests/`, `benches/` and `examples/`.
pub(crate) fn tree() -> Vec<File> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "examples"] {
        gather(&root().join(folder), &mut files);
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    mark_test_modules(&mut files);
    files
}

/// What is declared `#[cfg(test)] mod laws;` is test code in a file of its own.
pub(crate) fn mark_test_modules(files: &mut [File]) {
    let modules: Vec<_> = files.iter().flat_map(File::test_modules).collect();
    for file in files {
        let (whole, below) = (file.path.trim_end_matches(".rs"), file.path.as_str());
        if modules.iter().any(|at| whole == at || below.starts_with(&format!("{at}/"))) {
            file.tests = iter::once(0..file.len()).collect();
        }
    }
}

fn gather(folder: &Path, files: &mut Vec<File>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let inside = path.strip_prefix(root()).unwrap().to_str().unwrap();
            files.push(File::new(inside, &fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Words, literals and marks, each as its place in the text; `::` is one mark.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = skipped(rest);
        if length > 0 {
            at += length;
            continue;
        }
        let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let length = literal(rest)
            .or((word > 0).then_some(word))
            .unwrap_or(if rest.starts_with("::") { 2 } else { first.len_utf8() });
        found.push(at..at + length);
        at += length;
    }
    found
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Bytes of white space or of a comment here.
fn skipped(rest: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if !rest.starts_with("/*") {
        return rest.len() - rest.trim_start().len();
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += 1;
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Bytes of the text or character literal here, its prefix included.
fn literal(rest: &str) -> Option<usize> {
    let prefix = rest.len() - rest.trim_start_matches(['b', 'c', 'r']).len();
    let (prefix, quoted) = rest.split_at(prefix.min(2));
    if prefix.ends_with('r') {
        let hashes = quoted.len() - quoted.trim_start_matches('#').len();
        let end = format!("\"{}", &quoted[..hashes]);
        let inside = quoted[hashes..].strip_prefix('"')?;
        let length = inside.find(&end).map_or(inside.len(), |found| found + end.len());
        return Some(prefix.len() + hashes + 1 + length);
    }
    let quote = quoted.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in quoted.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(prefix.len() + at + 1),
            // A lifetime: a character literal would have ended here.
            _ if quote == '\'' && at > 1 && !quoted.starts_with("'\\") => return None,
            _ => {}
        }
    }
    None
}
