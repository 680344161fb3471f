//! The matrix as a picture: one block for each action, text as text, no scripts.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::place::Place;
use super::report::{Cell, CellVerdict, Segments};
use crate::model::Uid;

/// A cell's width and height, and the height of a head.
const CELL: (usize, usize) = (112, 46);
const HEAD: usize = 66;
/// The widest label of a row, in characters, and the width of one.
const LABEL_CHARS: usize = 30;
const CHAR: usize = 8;
/// How many characters fit above a column.
const COLUMN_CHARS: usize = 15;
const MARGIN: usize = 16;
const LEGEND: usize = 40;
/// From one entry of the legend to the next.
const LEGEND_STEP: usize = 150;
/// How many conditions are told beneath, and how long a line of them is.
const CONDITIONS_MAX: usize = 12;
const LINE_CHARS: usize = 105;
/// The height of such a line.
const LINE: usize = 20;

impl Segments {
    /// The matrix as SVG 1.1, as wide as it must be and shown no wider than its page.
    #[must_use]
    pub fn svg(&self) -> String {
        let blocks = self.blocks();
        let labels = blocks.iter().flat_map(|block| block.rows.iter());
        let longest = labels.map(|place| place.to_string().chars().count()).max().unwrap_or(0);
        let left = MARGIN + longest.min(LABEL_CHARS) * CHAR + MARGIN;
        let columns = blocks.iter().map(|block| block.columns.len()).max().unwrap_or(0);
        let width = (left + columns * CELL.0 + MARGIN).max(MARGIN + 6 * LEGEND_STEP);
        let mut top = LEGEND + MARGIN;
        let mut drawn = Vec::new();
        for block in &blocks {
            drawn.push(block.drawn(left, top));
            top += HEAD + block.rows.len() * CELL.1 + MARGIN;
        }
        let conditions = self.said();
        let height = top + conditions.len() * LINE + MARGIN;
        let view = format!("0 0 {width} {height}");
        let time: String = self.as_of.time.to_string().chars().take(19).collect();
        let time = time.replace('T', " ");
        let title = format!("Segments as of entry {}, {time} UTC", self.as_of.index);
        let picture = html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox=(view) width=(width) height=(height)
                style="max-width:100%;height:auto" role="img" font-size="13"
                font-family="system-ui, 'DejaVu Sans', sans-serif" fill="#1f2937" {
                title { (title) }
                rect width=(width) height=(height) fill="#ffffff" {}
                (legend(&title))
                @for block in drawn { (block) }
                @for (at, line) in conditions.iter().enumerate() {
                    text x=(MARGIN) y=(top + at * LINE + LINE) font-size="12" { (line) }
                }
            }
        };
        format!("{}\n", picture.into_string())
    }

    /// What the conditions are, each once, in lines that fit.
    fn said(&self) -> Vec<String> {
        let conditions = self.cells.iter().flat_map(|cell| {
            let action = cell.action.id();
            cell.conditions.iter().map(move |it| format!("{action} if: with {}", it.says))
        });
        let each: BTreeSet<_> = conditions.collect();
        each.iter().take(CONDITIONS_MAX).flat_map(|line| broken(line)).collect()
    }

    fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks: Vec<Block<'_>> = Vec::new();
        for cell in &self.cells {
            match blocks.last_mut().filter(|block| *block.action == cell.action) {
                Some(block) => block.cells.push(cell),
                None => blocks.push(Block::of(cell)),
            }
        }
        for block in &mut blocks {
            let mut rows: Vec<_> = block.cells.iter().map(|cell| &cell.from).collect();
            let mut columns: Vec<_> = block.cells.iter().map(|cell| &cell.to).collect();
            for places in [&mut rows, &mut columns] {
                places.sort();
                places.dedup();
            }
            (block.rows, block.columns) = (rows, columns);
        }
        blocks
    }
}

/// The matrix of one action.
struct Block<'a> {
    action: &'a Uid,
    cells: Vec<&'a Cell>,
    rows: Vec<&'a Place>,
    columns: Vec<&'a Place>,
}

impl<'a> Block<'a> {
    fn of(cell: &'a Cell) -> Self {
        Self { action: &cell.action, cells: vec![cell], rows: Vec::new(), columns: Vec::new() }
    }

    fn drawn(&self, left: usize, top: usize) -> Markup {
        let below = top + HEAD;
        html! {
            text x=(MARGIN) y=(top + 20) font-size="16" font-weight="600" { (self.action.id()) }
            text x=(left - 10) y=(below - 8) text-anchor="end" font-size="11" fill="#4b5563" {
                "from ↓  to →"
            }
            @for (at, place) in self.columns.iter().enumerate() {
                text x=(left + at * CELL.0 + CELL.0 / 2) y=(below - 8) text-anchor="middle" {
                    (short(place, COLUMN_CHARS)) title { "to " (place) }
                }
            }
            @for (at, place) in self.rows.iter().enumerate() {
                text x=(left - 10) y=(below + at * CELL.1 + CELL.1 / 2 + 4) text-anchor="end" {
                    (short(place, LABEL_CHARS)) title { "from " (place) }
                }
            }
            @for cell in &self.cells {
                @if let Some((x, y)) = self.place(cell, left, below) { (drawn(cell, x, y)) }
            }
        }
    }

    fn place(&self, cell: &Cell, left: usize, top: usize) -> Option<(usize, usize)> {
        let column = self.columns.iter().position(|place| **place == cell.to)?;
        let row = self.rows.iter().position(|place| **place == cell.from)?;
        Some((left + column * CELL.0, top + row * CELL.1))
    }
}

/// A text in lines that fit beneath the narrowest picture.
fn broken(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let fits = lines.last().is_some_and(|line| {
            line.is_empty() || line.chars().count() + word.chars().count() < LINE_CHARS
        });
        match lines.last_mut().filter(|_| fits) {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(format!("    {word}")),
        }
    }
    lines
}

fn drawn(cell: &Cell, x: usize, y: usize) -> Markup {
    let fill = match cell.verdict {
        CellVerdict::Allow => "#d1fae5",
        CellVerdict::Conditional => "#fef3c7",
        CellVerdict::Deny => "#f3f4f6",
        CellVerdict::Unknown => "#e0e7ff",
    };
    let (edge, width, dashes) = match (cell.is_unused(), cell.is_attempted()) {
        (true, _) => ("#1d4ed8", "2", Some("5 3")),
        (_, true) => ("#b91c1c", "2", None),
        _ => ("#d1d5db", "1", None),
    };
    let middle = x + CELL.0 / 2;
    let (weight, ink) = match cell.verdict {
        CellVerdict::Deny | CellVerdict::Unknown => ("400", "#4b5563"),
        CellVerdict::Allow | CellVerdict::Conditional => ("600", "#111827"),
    };
    // A cell with nothing beneath its word has the word in its middle.
    let rise = if traffic(cell).is_empty() { 27 } else { 20 };
    html! {
        g {
            title { (told(cell)) }
            rect x=(x + 2) y=(y + 2) width=(CELL.0 - 4) height=(CELL.1 - 4) rx="5" fill=(fill)
                stroke=(edge) stroke-width=(width) stroke-dasharray=[dashes] {}
            text x=(middle) y=(y + rise) text-anchor="middle" font-weight=(weight) fill=(ink) {
                (verdict(cell))
            }
            text x=(middle) y=(y + 36) text-anchor="middle" font-size="11" fill="#4b5563" {
                (traffic(cell))
            }
        }
    }
}

fn verdict(cell: &Cell) -> String {
    let tried = cell.allowed + cell.conditional + cell.denied + cell.unknown;
    let (word, count) = match cell.verdict {
        CellVerdict::Deny => return "deny".to_owned(),
        CellVerdict::Unknown => return format!("? deny {}/{}", cell.denied, cell.pairs),
        CellVerdict::Allow => ("allow", cell.allowed),
        CellVerdict::Conditional => ("if …", cell.conditional),
    };
    if count == tried { word.to_owned() } else { format!("{word} {count}/{tried}") }
}

fn traffic(cell: &Cell) -> String {
    match (cell.is_unused(), cell.is_attempted()) {
        (true, _) => "never used".to_owned(),
        (_, true) => format!("tried {}×", cell.refused.count),
        _ if cell.used.count > 0 => format!("used {}×", cell.used.count),
        _ => String::new(),
    }
}

fn told(cell: &Cell) -> String {
    let by: Vec<_> = cell.by.iter().map(|source| source.policy.as_str()).collect();
    let says = cell.conditions.iter().map(|it| format!("; with {}", it.says));
    let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
    format!(
        "{} from {} to {}: {}{by}{}; used {} times, denied {} times",
        cell.action.id(),
        cell.from,
        cell.to,
        cell.verdict.as_str(),
        says.collect::<String>(),
        cell.used.count,
        cell.refused.count
    )
}

fn short(place: &Place, most: usize) -> String {
    let text = match place {
        Place::Segment(uid) => uid.id().to_owned(),
        Place::Outside(kind) => format!("({kind})"),
    };
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn legend(title: &str) -> Markup {
    let marks = [
        ("#d1fae5", "#d1d5db", None, "allow"),
        ("#fef3c7", "#d1d5db", None, "allow if …"),
        ("#f3f4f6", "#d1d5db", None, "deny"),
        ("#e0e7ff", "#d1d5db", None, "not all known"),
        ("#ffffff", "#1d4ed8", Some("5 3"), "allowed, never used"),
        ("#ffffff", "#b91c1c", None, "denied, but tried"),
    ];
    html! {
        text x=(MARGIN) y="22" { (title) }
        @for (at, (fill, edge, dashes, says)) in marks.into_iter().enumerate() {
            rect x=(MARGIN + at * LEGEND_STEP) y="32" width="14" height="14" rx="3" fill=(fill)
                stroke=(edge) stroke-width="2" stroke-dasharray=[dashes] {}
            text x=(MARGIN + at * LEGEND_STEP + 20) y="44" font-size="12" { (says) }
        }
    }
}
