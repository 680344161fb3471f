//! A blast radius for programs: a table for spreadsheets, and a graph for Graphviz.

use std::fmt::Write as _;

use super::report::{BlastRadius, Step};
use crate::audit::segments::quoted;
use crate::audit::spreadsheet::csv;
use crate::model::PolicyId;

/// The heads of the table.
const HEADS: [&str; 11] = [
    "hop",
    "from",
    "others",
    "action",
    "to",
    "policies",
    "condition",
    "goes_on_as",
    "crown_jewel",
    "used",
    "last_used",
];

impl BlastRadius {
    /// A line for each thing that could be done, under heads (RFC 4180).
    #[must_use]
    pub fn csv(&self) -> String {
        csv(HEADS, self.steps.iter().map(record))
    }

    /// A graph of who reaches what, in Graphviz's language: crown jewels stand out, and a
    /// dashed edge says as whom one goes on.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut text = "digraph blast_radius {\n  rankdir=LR;\n  node [shape=box, style=rounded, \
                        fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", \
                        fontsize=10];\n"
            .to_owned();
        let start = quoted(&self.taken.principal.to_string());
        let _ = writeln!(text, "  {start} [penwidth=2];");
        for step in &self.steps {
            let (from, to) = (quoted(&step.from.to_string()), quoted(&step.to.to_string()));
            if step.crown_jewel {
                let _ = writeln!(text, "  {to} [color=\"#b91c1c\", penwidth=2];");
            }
            let label = quoted(&format!("{}. {}", step.hop, step.action.id()));
            let _ = writeln!(text, "  {from} -> {to} [label={label}];");
            if let Some(onward) = &step.onward {
                let onward = quoted(&onward.to_string());
                let _ = writeln!(text, "  {to} -> {onward} [style=dashed, arrowhead=none];");
            }
        }
        text.push_str("}\n");
        text
    }
}

fn record(step: &Step) -> [String; 11] {
    let by: Vec<_> = step.by.iter().map(PolicyId::as_str).collect();
    let or_none = |text: Option<String>| text.unwrap_or_default();
    [
        step.hop.to_string(),
        step.from.to_string(),
        step.others.to_string(),
        step.action.to_string(),
        step.to.to_string(),
        by.join(" "),
        or_none(step.need.as_ref().map(ToString::to_string)),
        or_none(step.onward.as_ref().map(ToString::to_string)),
        step.crown_jewel.to_string(),
        step.used.count.to_string(),
        or_none(step.used.last.map(|at| at.to_string())),
    ]
}
