//! The tokens around a place of a text, for who wonders what its author meant.

use super::excerpt::Span;
use super::scan::tokens;

/// The tokens around the place.
pub(super) struct Around<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: Vec<(&'a str, Span)>,
    here: usize,
}

impl<'a> Around<'a> {
    pub(super) fn of(text: &'a str, span: Span) -> Self {
        let tokens = tokens(text);
        let here = tokens.iter().position(|(_, own)| own.end() > span.start());
        let here = here.unwrap_or(tokens.len());
        Self { text, tokens, here }
    }

    /// The token so many after the place, or before it.
    pub(super) fn token(&self, offset: isize) -> &'a str {
        self.place(offset).map_or("", |(token, _)| token)
    }

    pub(super) fn place(&self, offset: isize) -> Option<(&'a str, Span)> {
        self.tokens.get(self.here.checked_add_signed(offset)?).copied()
    }

    pub(super) fn span(&self, offset: isize) -> Option<Span> {
        self.place(offset).map(|(_, span)| span)
    }

    /// What stands here up to the next blank, bracket or operator, such as `context.mfa`.
    pub(super) fn word(&self) -> &'a str {
        let rest = self.span(0).and_then(|span| self.text.get(span.start()..)).unwrap_or_default();
        let end = rest.find(|c: char| c.is_whitespace() || ")]}&|;,".contains(c));
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    }

    /// What is compared with what stands here, and whether it is to be unequal.
    pub(super) fn compared(&self) -> Option<(&'a str, bool)> {
        let (first, second) = (self.place(-2)?, self.token(-1));
        let unequal = match (first.0, second) {
            ("=", "=") => false,
            ("!", "=") => true,
            _ => return None,
        };
        let before = self.text.get(..first.1.start())?.trim_end();
        let from = before.rfind(|c: char| c.is_whitespace() || "([{&|!".contains(c));
        Some((before.get(from.map_or(0, |at| at + 1)..)?, unequal))
    }

    /// The number with a point that stands around the point before the place.
    pub(super) fn number(&self) -> Option<String> {
        let (before, after) = self.text.split_at_checked(self.span(-1)?.start())?;
        let digit = |c: &char| c.is_ascii_digit();
        let whole: Vec<char> = before.chars().rev().take_while(digit).collect();
        let parts: String = after.chars().skip(1).take_while(digit).collect();
        let whole: String = whole.into_iter().rev().collect();
        (!whole.is_empty()).then(|| format!("{whole}.{parts}"))
    }

    pub(super) fn before(&self) -> impl DoubleEndedIterator<Item = (&'a str, Span)> + '_ {
        self.tokens.iter().take(self.here).copied()
    }

    pub(super) fn after(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.tokens.iter().skip(self.here).map(|(token, _)| *token)
    }

    /// True between `permit (` or `forbid (` and the `)` that ends the scope.
    pub(super) fn in_scope(&self) -> bool {
        let mut depth = 0_i32;
        let mut begun = false;
        for (token, _) in self.before() {
            match token {
                "permit" | "forbid" => begun = true,
                "(" if begun => depth += 1,
                ")" if begun => {
                    depth -= 1;
                    if depth == 0 {
                        return false;
                    }
                }
                _ => {}
            }
        }
        begun && depth > 0
    }

    /// The variable whose part of the scope this is.
    pub(super) fn variable(&self) -> Option<&'a str> {
        let variables = ["principal", "action", "resource"];
        self.before().rev().map(|(token, _)| token).find(|token| variables.contains(token))
    }
}
