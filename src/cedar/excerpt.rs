//! From a byte offset to a line, a column and the line's text with the place marked.

use std::fmt::Write as _;

/// Bytes of a text, from `start` up to but without `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

/// The longest line shown whole, and the width of what is shown of a longer one, in
/// characters.
const SHOWN_CHARS: usize = 120;

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: short(start), end: short(end.max(start)) }
    }

    pub(super) fn after(self, offset: usize) -> Self {
        let offset = short(offset);
        Self { start: self.start.saturating_add(offset), end: self.end.saturating_add(offset) }
    }

    pub(super) fn start(self) -> usize {
        usize::try_from(self.start).unwrap_or(usize::MAX)
    }

    pub(super) fn end(self) -> usize {
        usize::try_from(self.end).unwrap_or(usize::MAX)
    }
}

/// A place as people speak of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) excerpt: String,
}

/// Finds a place in a text. Linear in the text. A span that is not of this text is
/// moved to its end.
pub(super) fn locate(text: &str, span: Span) -> Place {
    let before = text.get(..span.start()).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let lead = before.get(line_start..).unwrap_or_default().chars().count();
    let whole = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
    let marked = text.get(before.len()..span.end()).unwrap_or_default();
    let marked = marked.lines().next().unwrap_or_default().chars().count();
    let line = short(before.matches('\n').count() + 1);
    Place { line, column: short(lead + 1), excerpt: excerpt(whole, line, lead, marked) }
}

/// No text that is read is longer than 4 GiB.
fn short(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn excerpt(whole: &str, line: u32, lead: usize, marked: usize) -> String {
    let chars = whole.chars().count();
    let skipped = if chars > SHOWN_CHARS { lead.saturating_sub(SHOWN_CHARS / 2) } else { 0 };
    // Terminals act on control characters, and a tab would move the marks.
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let shown: String = whole.chars().skip(skipped).take(SHOWN_CHARS).map(visible).collect();
    let lead = lead - skipped;
    let marks = marked.clamp(1, SHOWN_CHARS.saturating_sub(lead).max(1));
    let mut excerpt = String::new();
    let _ = write!(excerpt, "{line:>5} | {shown}\n      | {:lead$}{:^<marks$}", "", "");
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_characters() {
        let place = locate("a\n\té = x\nb", Span::new(5, 9));
        assert_eq!((place.line, place.column), (2, 3));
        assert_eq!(place.excerpt, "    2 |  é = x\n      |   ^^^^");
    }

    #[test]
    fn a_mark_ends_with_its_line() {
        let place = locate("when {\n  x\n}", Span::new(0, 12));
        assert_eq!(place.excerpt, "    1 | when {\n      | ^^^^^^");
    }

    #[test]
    fn a_span_outside_the_text_is_at_its_end() {
        assert_eq!(locate("ab", Span::new(9, 12)).column, 3);
        assert_eq!(locate("", Span::new(0, 0)).line, 1);
        assert_eq!(locate("é", Span::new(1, 1)).line, 1);
    }

    #[test]
    fn of_a_long_line_the_marked_part_is_shown() {
        let text = format!("{}HERE{}", "a".repeat(1_000), "b".repeat(1_000));
        let place = locate(&text, Span::new(1_000, 1_004));
        assert_eq!(place.column, 1_001);
        let lines: Vec<_> = place.excerpt.lines().collect();
        assert_eq!(lines[0].find("HERE"), lines[1].find("^^^^"));
        assert!(lines[0].len() < 140);
    }
}
