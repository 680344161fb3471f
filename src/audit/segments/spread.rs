//! The matrix for programs: a table for spreadsheets, and a graph for Graphviz.

use std::fmt::Write as _;

use super::report::{Cell, CellVerdict, Counted, Segments};
use crate::audit::spreadsheet::csv;
use crate::model::PolicyId;

/// The heads of the table.
const HEADS: [&str; 17] = [
    "action",
    "from",
    "to",
    "verdict",
    "pairs",
    "allowed",
    "conditional",
    "denied",
    "unknown",
    "policies",
    "barred_by",
    "conditions",
    "used",
    "last_used",
    "refused",
    "last_refused",
    "marks",
];

impl Segments {
    /// A line for each cell, under heads (RFC 4180).
    #[must_use]
    pub fn csv(&self) -> String {
        csv(HEADS, self.cells.iter().map(record))
    }

    /// A graph of the places, in Graphviz's language: an edge for each cell in which
    /// anything is allowed or nobody knows, and for each in which something was attempted and
    /// denied.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut text = "digraph segments {\n  rankdir=LR;\n  node [shape=box, style=rounded, \
                        fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", \
                        fontsize=10];\n"
            .to_owned();
        for segment in &self.segments {
            let _ = writeln!(text, "  {};", quoted(segment.id()));
        }
        for cell in &self.cells {
            if let Some(style) = style(cell) {
                let (from, to) = (quoted(&cell.from.to_string()), quoted(&cell.to.to_string()));
                let label = quoted(&label(cell));
                let _ = writeln!(text, "  {from} -> {to} [label={label}, {style}];");
            }
        }
        text.push_str("}\n");
        text
    }
}

fn record(cell: &Cell) -> [String; 17] {
    let last = |counted: &Counted| counted.last.map(|at| at.to_string()).unwrap_or_default();
    let says: Vec<_> = cell.conditions.iter().map(|it| it.says.as_str()).collect();
    let by: Vec<_> = cell.by.iter().map(|it| it.policy.as_str()).collect();
    let barred: Vec<_> = cell.barred_by.iter().map(PolicyId::as_str).collect();
    let mark = match (cell.is_unused(), cell.is_attempted()) {
        (true, _) => "never used",
        (_, true) => "attempted and denied",
        _ => "",
    };
    [
        cell.action.to_string(),
        cell.from.to_string(),
        cell.to.to_string(),
        cell.verdict.as_str().to_owned(),
        cell.pairs.to_string(),
        cell.allowed.to_string(),
        cell.conditional.to_string(),
        cell.denied.to_string(),
        cell.unknown.to_string(),
        by.join(" "),
        barred.join(" "),
        says.join("; "),
        cell.used.count.to_string(),
        last(&cell.used),
        cell.refused.count.to_string(),
        last(&cell.refused),
        mark.to_owned(),
    ]
}

/// How an edge is drawn; nothing for a cell that is closed and was left alone.
fn style(cell: &Cell) -> Option<&'static str> {
    Some(match (cell.verdict, cell.is_unused()) {
        (CellVerdict::Deny | CellVerdict::Unknown, _) if cell.is_attempted() => {
            "style=dotted, color=\"#b91c1c\""
        }
        (CellVerdict::Deny, _) => return None,
        (CellVerdict::Unknown, _) => "style=dotted, color=\"#6b7280\"",
        (CellVerdict::Allow, false) => "style=solid, color=\"#15803d\"",
        (CellVerdict::Allow, true) => "style=solid, color=\"#9ca3af\"",
        (CellVerdict::Conditional, false) => "style=dashed, color=\"#b45309\"",
        (CellVerdict::Conditional, true) => "style=dashed, color=\"#9ca3af\"",
    })
}

fn label(cell: &Cell) -> String {
    let what = cell.action.id();
    if cell.is_attempted() {
        return format!("{what}: denied {} times", cell.refused.count);
    }
    if cell.verdict == CellVerdict::Unknown {
        return format!("{what}: not known");
    }
    let says = cell.conditions.first().map(|it| format!(" with {}", it.says)).unwrap_or_default();
    let used = match cell.used.count {
        0 => "never used".to_owned(),
        count => format!("used {count} times"),
    };
    format!("{what}{says}: {used}")
}

/// A text as Graphviz reads it back: in quotation marks, those in it escaped.
pub(in crate::audit) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    let shown: String = escaped.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("\"{shown}\"")
}
