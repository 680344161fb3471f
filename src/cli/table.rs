//! A table: columns as wide as what stands in them, the last one wrapped.

use super::console::Layout;
use super::page::{Ink, printable, wrap};

/// What stands between two columns.
const GAP: &str = "  ";
/// The last column is never narrower than this, whatever the output's width.
const LAST_COLUMNS_MIN: usize = 24;

/// A column's head and the least width it takes, so that pages of one table line up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    head: &'static str,
    width_min: usize,
    right: bool,
}

impl Column {
    /// A column that is as wide as it must be.
    pub(super) const fn new(head: &'static str) -> Self {
        Self { head, width_min: 0, right: false }
    }

    /// The same, never narrower than this.
    pub(super) const fn at_least(self, width_min: usize) -> Self {
        Self { width_min, ..self }
    }

    /// The same for numbers, aligned at their ends.
    pub(super) const fn right(self) -> Self {
        Self { right: true, ..self }
    }
}

/// Rows under heads.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<(String, Ink)>>,
    headed: bool,
}

impl Table {
    /// A table without rows.
    pub(super) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new(), headed: true }
    }

    /// The same without its heads: the continuation of one that has been shown.
    pub(super) fn continued(self) -> Self {
        Self { headed: false, ..self }
    }

    /// Adds a row; a cell of its own for every column.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = (String, Ink)>) {
        self.rows.push(cells.into_iter().map(|(text, ink)| (printable(&text), ink)).collect());
    }

    /// The table's lines, heads first.
    pub(super) fn lines(&self, layout: Layout) -> Vec<String> {
        let widths = self.widths(layout);
        let heads: Vec<_> =
            self.columns.iter().map(|column| (column.head.to_owned(), Ink::Strong)).collect();
        let heads = self.headed.then_some(&heads);
        let rows = heads.into_iter().chain(&self.rows);
        rows.flat_map(|row| self.laid_out(row, &widths, layout)).collect()
    }

    /// The width of every column but the last, and what is left for that one.
    fn widths(&self, layout: Layout) -> Vec<usize> {
        let heads = self.columns.iter().map(|it| it.width_min.max(it.head.chars().count()));
        let mut widths: Vec<_> = heads.collect();
        for row in &self.rows {
            for (width, (text, _)) in widths.iter_mut().zip(row) {
                *width = (*width).max(text.chars().count());
            }
        }
        if let Some((last, others)) = widths.split_last_mut() {
            let taken: usize = others.iter().map(|width| width + GAP.len()).sum();
            let left = layout.columns.saturating_sub(taken).max(LAST_COLUMNS_MIN);
            *last = if layout.narrow { left } else { usize::MAX };
        }
        widths
    }

    fn laid_out(&self, row: &[(String, Ink)], widths: &[usize], layout: Layout) -> Vec<String> {
        let Some(((last, ink), others)) = row.split_last() else { return vec![String::new()] };
        let cells = others.iter().zip(widths).zip(&self.columns);
        let front: String = cells
            .map(|(((text, ink), width), column)| {
                let blank = " ".repeat(width.saturating_sub(text.chars().count()));
                let text = ink.on(text, layout);
                if column.right {
                    format!("{blank}{text}{GAP}")
                } else {
                    format!("{text}{blank}{GAP}")
                }
            })
            .collect();
        let taken: usize = widths.iter().take(others.len()).map(|width| width + GAP.len()).sum();
        let width = widths.last().copied().unwrap_or(usize::MAX);
        let parts = wrap(last, width);
        let line = |(at, part): (usize, &String)| {
            let part = ink.on(part, layout);
            let line =
                if at == 0 { format!("{front}{part}") } else { format!("{:taken$}{part}", "") };
            line.trim_end().to_owned()
        };
        parts.iter().enumerate().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> (String, Ink) {
        (text.to_owned(), Ink::Plain)
    }

    fn table() -> Table {
        let columns = [Column::new("INDEX").right(), Column::new("TYPE"), Column::new("WHAT")];
        let mut table = Table::new(columns);
        table.row([plain("7"), plain("access.decided"), plain("deny alice open the resource")]);
        table.row([plain("12"), plain("x"), plain("")]);
        table
    }

    const WIDE: Layout = Layout { columns: 20, narrow: false, colour: false };

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let lines = table().lines(WIDE);
        let expected = [
            "INDEX  TYPE            WHAT",
            "    7  access.decided  deny alice open the resource",
            "   12  x",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_last_column_wraps_under_itself() {
        let lines = table().lines(Layout { narrow: true, ..WIDE });
        assert_eq!(lines[1], "    7  access.decided  deny alice open the");
        assert_eq!(lines[2], "                       resource");
    }

    #[test]
    fn a_continuation_has_no_heads_and_lines_up() {
        let columns = [Column::new("INDEX").at_least(8).right(), Column::new("WHAT")];
        let mut next = Table::new(columns).continued();
        next.row([plain("100"), plain("b")]);
        assert_eq!(next.lines(WIDE), ["     100  b"]);
    }

    #[test]
    fn colour_does_not_count_as_width() {
        let mut table = Table::new([Column::new("A"), Column::new("B")]);
        table.row([("ok".to_owned(), Ink::Good), plain("x")]);
        let lines = table.lines(Layout { colour: true, ..WIDE });
        assert_eq!(lines[1], "\u{1b}[32mok\u{1b}[0m  x");
    }
}
