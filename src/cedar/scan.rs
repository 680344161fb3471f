//! A look at Cedar text before Cedar parses it: where one policy ends and the next
//! begins, and how deeply brackets and `if`s are nested.
//!
//! Cedar parses by recursion and has no limit of its own, so under a kilobyte of nested
//! brackets overflows the stack and aborts the process. The tokens here are those of
//! Cedar's two grammars as far as brackets, strings and comments go.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use super::excerpt::Span;

/// Which of Cedar's two languages a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    Policy,
    Schema,
}

/// Why a text is not handed to Cedar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A string without an end; what follows cannot be told apart.
    OpenString(Span),
    /// Nested more deeply than the limit, from here on.
    TooDeep(Span),
}

/// Checks that brackets, and `if`s in a policy, are nested at most `limit` deep. Linear.
///
/// # Errors
/// The first [`Flaw`].
pub(super) fn check(text: &str, grammar: Grammar, limit: usize) -> Result<(), Flaw> {
    let mut nest = Nest::default();
    let mut after_dot = false;
    for (place, token) in Lexer::new(text) {
        match token {
            Token::OpenString => return Err(Flaw::OpenString(span(&place))),
            Token::Mark('(' | '[' | '{') => nest.open(),
            Token::Mark('<') if grammar == Grammar::Schema => nest.open(),
            Token::Mark(')' | ']' | '}') => nest.close(),
            Token::Mark('>') if grammar == Grammar::Schema => nest.close(),
            Token::Mark(',') => nest.next_part(),
            Token::Mark(';') => nest = Nest::default(),
            Token::Word("if") if grammar == Grammar::Policy && !after_dot => nest.branch(),
            Token::Word(_) | Token::String | Token::Mark(_) => {}
        }
        if nest.depth > limit {
            return Err(Flaw::TooDeep(span(&place)));
        }
        after_dot = token == Token::Mark('.');
    }
    Ok(())
}

/// Cuts a file into its policies: each with the comment lines directly above it, up to
/// and with its `;`, or to the end of the file. Linear.
///
/// # Errors
/// [`Flaw::OpenString`] only.
pub(super) fn policies(text: &str) -> Result<Vec<Range<usize>>, Flaw> {
    let mut found = Vec::new();
    let mut done = 0;
    let mut start = None;
    for (place, token) in Lexer::new(text) {
        if token == Token::OpenString {
            return Err(Flaw::OpenString(span(&place)));
        }
        let begun = start.get_or_insert_with(|| begins(text, done, place.start));
        if token == Token::Mark(';') {
            found.push(*begun..place.end);
            done = place.end;
            start = None;
        }
    }
    found.extend(start.map(|begun| begun..text.trim_end().len()));
    Ok(found)
}

/// The text of a policy's `@id`, as written between the quotes, without parsing it.
pub(super) fn written_id(policy: &str) -> Option<&str> {
    let mut tokens = Lexer::new(policy).peekable();
    while let Some((_, token)) = tokens.next() {
        let named = token == Token::Mark('@') && tokens.next()?.1 == Token::Word("id");
        if named && tokens.next()?.1 == Token::Mark('(') {
            let (place, token) = tokens.next()?;
            let inner = place.start + 1..place.end.checked_sub(1)?;
            return policy.get(inner).filter(|_| token == Token::String);
        }
    }
    None
}

/// Where the first word outside strings and comments that is `word` stands.
pub(super) fn find_word(text: &str, word: &str) -> Option<Span> {
    let found = Lexer::new(text).find(|(_, token)| *token == Token::Word(word));
    found.map(|(place, _)| span(&place))
}

/// The text without its comments; line breaks and spaces stay. Linear.
pub(super) fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut done = 0;
    for (place, _) in Lexer::new(text) {
        let between = text.get(done..place.start).unwrap_or_default();
        kept.extend(between.split_inclusive('\n').map(|line| match line.split_once("//") {
            Some((before, comment)) if comment.ends_with('\n') => format!("{before}\n"),
            Some((before, _)) => before.to_owned(),
            None => line.to_owned(),
        }));
        kept.push_str(text.get(place.clone()).unwrap_or_default());
        done = place.end;
    }
    kept
}

/// The first token of a text.
pub(super) fn first_token(text: &str) -> Option<Span> {
    Lexer::new(text).next().map(|(place, _)| span(&place))
}

/// The tokens of a text, strings and comments aside, as they are written and where.
pub(super) fn tokens(text: &str) -> Vec<(&str, Span)> {
    let written = |place: Range<usize>| (text.get(place.clone()).unwrap_or_default(), span(&place));
    Lexer::new(text).map(|(place, _)| written(place)).collect()
}

fn span(place: &Range<usize>) -> Span {
    Span::new(place.start, place.end)
}

/// Where the comment above a policy begins: after the last blank line, and after the
/// line on which the policy before it ended.
fn begins(text: &str, done: usize, token: usize) -> usize {
    let between = text.get(done..token).unwrap_or_default();
    let mut begin = token;
    let mut line_start = token - between.len();
    for (number, line) in between.split_inclusive('\n').enumerate() {
        let belongs_before = number == 0 && done > 0;
        let blank = line.ends_with('\n') && line.trim().is_empty();
        if blank || belongs_before {
            begin = token;
        } else if begin == token {
            begin = line_start;
        }
        line_start += line.len();
    }
    begin
}

#[derive(Default)]
struct Nest {
    /// The `if`s open within each open bracket.
    brackets: Vec<usize>,
    /// The `if`s open outside all brackets.
    outside: usize,
    depth: usize,
}

impl Nest {
    fn open(&mut self) {
        self.brackets.push(0);
        self.depth += 1;
    }

    fn close(&mut self) {
        if let Some(branches) = self.brackets.pop() {
            self.depth -= branches + 1;
        }
    }

    /// An `if` reaches to the end of what it stands in: its last part may be another.
    fn branch(&mut self) {
        *self.brackets.last_mut().unwrap_or(&mut self.outside) += 1;
        self.depth += 1;
    }

    fn next_part(&mut self) {
        let branches = self.brackets.last_mut().unwrap_or(&mut self.outside);
        self.depth -= *branches;
        *branches = 0;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    String,
    OpenString,
    Mark(char),
}

struct Lexer<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, chars: text.char_indices().peekable() }
    }

    fn here(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.chars.next_if(|(_, c)| wanted(*c)).is_some() {}
    }

    /// The rest of a string: Cedar's `"(\\.|[^"\\])*"`.
    fn string(&mut self) -> Token<'a> {
        while let Some((_, c)) = self.chars.next() {
            match c {
                '"' => return Token::String,
                '\\' => drop(self.chars.next()),
                _ => {}
            }
        }
        Token::OpenString
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = (Range<usize>, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.skip_while(char::is_whitespace);
            let (start, first) = self.chars.next()?;
            let token = match first {
                '/' if self.chars.next_if(|(_, c)| *c == '/').is_some() => {
                    self.skip_while(|c| c != '\n' && c != '\r');
                    continue;
                }
                '"' => self.string(),
                // Not digits: Cedar reads `1if` as a number and a word.
                c if c == '_' || c.is_ascii_alphabetic() => {
                    self.skip_while(|c| c == '_' || c.is_ascii_alphanumeric());
                    Token::Word("")
                }
                mark => Token::Mark(mark),
            };
            let place = start..self.here();
            let word = self.text.get(place.clone()).unwrap_or_default();
            let token = if token == Token::Word("") { Token::Word(word) } else { token };
            return Some((place, token));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deep(text: &str, grammar: Grammar) -> bool {
        matches!(check(text, grammar, 64), Err(Flaw::TooDeep(_)))
    }

    #[test]
    fn brackets_of_every_kind_are_counted() {
        for open in ["(", "[", "{", "!(", "-(", "[{"] {
            let depth = 64 / open.matches(['(', '[', '{']).count();
            assert!(!deep(&open.repeat(depth), Grammar::Policy), "{open}");
            assert!(deep(&open.repeat(depth + 1), Grammar::Policy), "{open}");
        }
        assert!(deep(&"Set<".repeat(65), Grammar::Schema));
        assert!(!deep(&"a < ".repeat(65), Grammar::Policy));
    }

    #[test]
    fn an_if_reaches_to_the_end_of_its_bracket() {
        let chain = |n: usize| "if a then b else ".repeat(n);
        assert!(deep(&chain(65), Grammar::Policy));
        assert!(deep(&"1if ".repeat(65), Grammar::Policy));
        assert!(!deep(&format!("[{}c]", "if a then b else c, ".repeat(99)), Grammar::Policy));
        assert!(!deep(&"(if a then b else c) && ".repeat(99), Grammar::Policy));
        assert!(!deep(&"x.if && ".repeat(99), Grammar::Policy));
        assert!(!deep(&format!("{};{}", chain(40), chain(40)), Grammar::Policy));
    }

    #[test]
    fn strings_and_comments_do_not_count() {
        let brackets = "(".repeat(99);
        let quoted = format!(r#""{brackets}" "\" "a"{brackets}""#);
        assert!(!deep(&quoted, Grammar::Policy));
        assert!(!deep(&format!("// {brackets}\n"), Grammar::Policy));
        assert!(deep(&format!("// \n{brackets}"), Grammar::Policy));
        assert!(deep(&format!("// \r{brackets}"), Grammar::Policy));
        assert!(deep(&format!(r#""//" {brackets}"#), Grammar::Policy));
        let open = check("x == \"abc", Grammar::Policy, 64);
        assert_eq!(open, Err(Flaw::OpenString(Span::new(5, 9))));
    }

    #[test]
    fn a_file_is_cut_at_its_semicolons_with_the_comments_above() {
        let text =
            "// licence\n\n// about a\n  // more\n  a \";\"; // of a\n// of b\nb;c; ;\n\nd // end";
        let pieces = policies(text).unwrap();
        let pieces: Vec<_> = pieces.into_iter().map(|place| text.get(place).unwrap()).collect();
        let expected = ["// about a\n  // more\n  a \";\";", "// of b\nb;", "c;", ";", "d // end"];
        assert_eq!(pieces, expected);
        assert_eq!(policies(" // nothing\n"), Ok(Vec::new()));
    }

    #[test]
    fn an_id_is_found_without_parsing() {
        assert_eq!(
            written_id(
                r#"@a("@id") // @id("no")
            @id ( "x y" ) permit"#
            ),
            Some("x y")
        );
        assert_eq!(written_id("@id permit"), None);
        assert_eq!(written_id("permit (principal"), None);
        assert_eq!(written_id("@"), None);
    }
}
