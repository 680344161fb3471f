//! Text laid out for people: lines, fields, tables; wrapped to the width of the output.

use super::console::Layout;
use super::table::Table;
use crate::model::Moment;

/// How a piece of text is set off from the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ink {
    /// Like the rest.
    #[default]
    Plain,
    /// What to look at first.
    Strong,
    /// What to look at last.
    Faint,
    /// As it should be.
    Good,
    /// As it should not be.
    Bad,
}

impl Ink {
    /// Its ANSI code (ECMA-48 §8.3.117, SGR).
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Faint => Some("2"),
            Self::Good => Some("32"),
            Self::Bad => Some("31"),
        }
    }

    /// The text in this ink, if the output shows colours.
    pub(super) fn on(self, text: &str, layout: Layout) -> String {
        match self.code() {
            Some(code) if layout.colour && !text.is_empty() => {
                format!("\u{1b}[{code}m{text}\u{1b}[0m")
            }
            _ => text.to_owned(),
        }
    }
}

/// The width of a field's name and the gap behind it.
const NAME_COLUMNS: usize = 12;

/// Lines in the making. Whatever text is put on it is made [`printable`] first.
pub(super) struct Page {
    layout: Layout,
    lines: Vec<String>,
}

impl Page {
    /// An empty page.
    pub(super) const fn new(layout: Layout) -> Self {
        Self { layout, lines: Vec::new() }
    }

    /// The lines, to be written.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines
    }

    /// An empty line.
    pub(super) fn blank(&mut self) {
        self.lines.push(String::new());
    }

    /// A line that is not broken, such as a command to copy.
    pub(super) fn line(&mut self, text: &str) {
        self.lines.push(printable(text));
    }

    /// A line in an ink, not broken.
    pub(super) fn inked(&mut self, text: &str, ink: Ink) {
        self.lines.push(ink.on(&printable(text), self.layout));
    }

    /// A word in an ink and a text behind it, not broken.
    pub(super) fn marked(&mut self, mark: &str, ink: Ink, text: &str) {
        let (mark, text) = (printable(mark), printable(text));
        self.lines.push(format!("{} {text}", ink.on(&mark, self.layout)));
    }

    /// Text with line breaks of its own, which are kept.
    pub(super) fn verbatim(&mut self, text: &str) {
        self.lines.extend(text.lines().map(printable));
    }

    /// A paragraph, wrapped.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.lines.extend(wrap(&printable(text), self.layout.columns));
    }

    /// The same in an ink.
    pub(super) fn inked_paragraph(&mut self, text: &str, ink: Ink) {
        let lines = wrap(&printable(text), self.layout.columns);
        self.lines.extend(lines.iter().map(|line| ink.on(line, self.layout)));
    }

    /// A mark of one column in an ink, some columns in, and a text wrapped behind it.
    pub(super) fn hanging(&mut self, indent: usize, mark: &str, ink: Ink, text: &str) {
        let width = self.layout.columns.saturating_sub(indent + 2).max(20);
        for (at, part) in wrap(&printable(text), width).iter().enumerate() {
            let mark = if at == 0 { ink.on(mark, self.layout) } else { " ".to_owned() };
            self.lines.push(format!("{:indent$}{mark} {part}", "").trim_end().to_owned());
        }
    }

    /// A named value: `name` in its column, the value wrapped in the next.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.field_in(name, value, Ink::Plain);
    }

    /// The same with the value in an ink.
    pub(super) fn field_in(&mut self, name: &str, value: &str, ink: Ink) {
        self.indented_field(0, name, value, ink);
    }

    /// The same, some columns further in.
    pub(super) fn indented_field(&mut self, indent: usize, name: &str, value: &str, ink: Ink) {
        let taken = indent + NAME_COLUMNS;
        let width = self.layout.columns.saturating_sub(taken).max(20);
        for (at, part) in wrap(&printable(value), width).iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            let name = Ink::Faint.on(&format!("{name:<NAME_COLUMNS$}"), self.layout);
            let line = format!("{:indent$}{name}{}", "", ink.on(part, self.layout));
            self.lines.push(line.trim_end().to_owned());
        }
    }

    /// Whether something is as it should be, with a mark that is read without colour.
    pub(super) fn verdict(&mut self, good: bool, text: &str) {
        self.indented_verdict(0, good, text);
    }

    /// The same, some columns further in.
    pub(super) fn indented_verdict(&mut self, indent: usize, good: bool, text: &str) {
        let (mark, ink) = if good { ('✓', Ink::Good) } else { ('✗', Ink::Bad) };
        let line = ink.on(&format!("{mark} {}", printable(text)), self.layout);
        self.lines.push(format!("{:indent$}{line}", ""));
    }

    /// A table.
    pub(super) fn table(&mut self, table: &Table) {
        self.lines.extend(table.lines(self.layout));
    }
}

/// The text with everything that could steer a terminal made visible: what stands in
/// a log was chosen by strangers.
pub(super) fn printable(text: &str) -> String {
    let steers = |c: char| c.is_control() || is_format_control(c);
    if !text.chars().any(steers) {
        return text.to_owned();
    }
    let shown = |c: char| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// Marks that turn the direction of text around (UAX #9 §2), and line separators.
const fn is_format_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A moment to the second, for tables whose head says that it is UTC.
pub(super) fn second(moment: Moment) -> String {
    let text = moment.to_string();
    text.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// Breaks a text between its words into lines of at most `width` characters; a word
/// longer than a line is broken too. At least one line, which may be empty.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let used = lines.last().map_or(0, |line| line.chars().count());
            let gap = usize::from(used > 0);
            if used > 0 && used + gap + rest.len() > width {
                lines.push(String::new());
                continue;
            }
            let after = rest.split_off(rest.len().min(width));
            if let Some(line) = lines.last_mut() {
                line.extend(std::iter::repeat_n(' ', gap).chain(rest));
            }
            rest = after;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: Layout = Layout { columns: 40, narrow: true, colour: false };

    #[test]
    fn a_field_stands_in_its_column_and_wraps_there() {
        let mut page = Page::new(PLAIN);
        page.field("because", "the protected resource wants two factors");
        let expected = ["because     the protected resource wants", "            two factors"];
        assert_eq!(page.into_lines(), expected);
    }

    #[test]
    fn colours_are_only_where_they_are_shown() {
        let colour = Layout { colour: true, ..PLAIN };
        assert_eq!(Ink::Good.on("allow", colour), "\u{1b}[32mallow\u{1b}[0m");
        assert_eq!(Ink::Good.on("allow", PLAIN), "allow");
        assert_eq!(Ink::Plain.on("allow", colour), "allow");
    }

    #[test]
    fn nothing_on_a_page_steers_the_terminal() {
        let mut page = Page::new(PLAIN);
        page.line("a\u{1b}[2Jb\u{202e}c");
        assert_eq!(page.into_lines(), ["a\\u{1b}[2Jb\\u{202e}c"]);
    }

    proptest! {
        /// Law: wrapping loses no character but spaces, and keeps to the width.
        #[test]
        fn wrapping_keeps_every_word(text in "[a-zäß ]{0,120}", width in 1_usize..40) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= width));
            let kept = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(kept(&lines.concat()), kept(&text));
        }
    }
}
