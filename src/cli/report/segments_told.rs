//! The report on segments, laid out for people.

use super::super::console::Telling;
use super::super::page::{Ink, Page, second};
use super::super::table::{Column, Table};
use super::conditions::Conditions;
use crate::audit::{Cell, CellVerdict, Condition, Counted, Place, Segments};
use crate::model::{PolicyId, Uid};

/// More columns than this are not laid out beside each other.
const COLUMNS_MAX: usize = 8;
/// How many lines a list has before it only counts.
const LINES_MAX: usize = 40;

impl Telling for Segments {
    fn tell(&self, page: &mut Page) {
        head(self, page);
        let actions: Vec<&Uid> = {
            let mut all: Vec<_> = self.cells.iter().map(|cell| &cell.action).collect();
            all.dedup();
            all
        };
        for action in actions {
            let cells: Vec<_> = self.cells.iter().filter(|cell| cell.action == *action).collect();
            page.blank();
            page.inked(action.id(), Ink::Strong);
            grid(&cells, page);
            page.blank();
            roads(&cells, page);
        }
        findings(self, page);
        difference(self, page);
        page.blank();
        page.paragraph(MODEL);
    }
}

/// What the figures rest on.
const MODEL: &str = "Every pair is decided really: a person without a session and with a session \
    of each assurance, begun at that moment; anybody else without one. The application says \
    nothing beyond who, what and to what; only where that is denied, it is supposed to say what \
    the schema lets it say and policies listen to (Booleans, texts and numbers that stand in \
    them). Recorded decisions are counted where those concerned stand now, not where they stood \
    then.";

fn head(report: &Segments, page: &mut Page) {
    let then = report.as_of;
    let version = match report.policies {
        _ if report.draft => Some(", by a draft, not what is in force".to_owned()),
        policies => policies.map(|it| format!(", policies number {}", it.version)),
    };
    let version = version.unwrap_or_default();
    page.inked(
        &format!("Segments as of entry {}, {} UTC{version}", then.index, second(then.time)),
        Ink::Strong,
    );
    let sampled = if report.tried < report.pairs {
        format!("; {} of {} pairs decided, evenly from each place", report.tried, report.pairs)
    } else {
        format!("; {} pairs decided, all there are", report.tried)
    };
    page.line(&format!(
        "{} segments{sampled}; {} decisions counted since {} UTC",
        report.segments.len(),
        report.window.decisions,
        second(report.window.since)
    ));
}

/// Rows are where from, columns where to.
fn grid(cells: &[&Cell], page: &mut Page) {
    let mut columns: Vec<&Place> = cells.iter().map(|cell| &cell.to).collect();
    let mut rows: Vec<&Place> = cells.iter().map(|cell| &cell.from).collect();
    for places in [&mut columns, &mut rows] {
        places.sort();
        places.dedup();
    }
    if columns.len() > COLUMNS_MAX {
        return;
    }
    let head = std::iter::once("FROM \\ TO".to_owned());
    let head = head.chain(columns.iter().map(ToString::to_string));
    let mut table = vec![head.collect::<Vec<_>>()];
    for row in rows {
        let cell = |column: &&Place| {
            let found = cells.iter().find(|cell| cell.from == *row && cell.to == **column);
            found.map_or_else(String::new, |cell| in_short(cell))
        };
        let mut line = vec![row.to_string()];
        line.extend(columns.iter().map(cell));
        table.push(line);
    }
    aligned(&table, page);
    page.line("* never used in the window   ! denied, but attempted in the window");
    if cells.iter().any(|cell| cell.verdict == CellVerdict::Unknown) {
        page.line("? not each pair was decided: of all there are, so many are denied");
    }
}

/// Rows whose columns line up.
fn aligned(rows: &[Vec<String>], page: &mut Page) {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..count).map(width).collect();
    for (at, row) in rows.iter().enumerate() {
        let padded = row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        page.inked(line.trim_end(), if at == 0 { Ink::Strong } else { Ink::Plain });
    }
}

fn in_short(cell: &Cell) -> String {
    let tried = cell.allowed + cell.conditional + cell.denied + cell.unknown;
    let share = |word: &str, count: u64| {
        if count == tried { word.to_owned() } else { format!("{word} {count}/{tried}") }
    };
    let word = match cell.verdict {
        CellVerdict::Deny => "–".to_owned(),
        CellVerdict::Unknown => format!("? – {}/{}", cell.denied, cell.pairs),
        CellVerdict::Conditional => share("if", cell.conditional),
        CellVerdict::Allow => share("allow", cell.allowed),
    };
    match (cell.is_unused(), cell.is_attempted()) {
        (true, _) => format!("{word} *"),
        (_, true) => format!("{word} !"),
        _ => word,
    }
}

/// A line for each cell that leads anywhere.
fn roads(cells: &[&Cell], page: &mut Page) {
    let open: Vec<_> = cells.iter().filter(|cell| cell.is_open()).collect();
    if open.is_empty() {
        let whole = cells.iter().all(|cell| cell.verdict == CellVerdict::Deny);
        let of_those = if whole { "" } else { ", of the pairs that were decided" };
        return page.line(&format!("nobody may, from anywhere{of_those}"));
    }
    let columns = ["FROM", "TO", "MAY", "USED", "LAST USED", "BY"].map(Column::new);
    let (mut table, mut conditions) = (Table::new(columns), Conditions::default());
    for cell in open.iter().take(LINES_MAX) {
        let by: Vec<_> = cell.by.iter().map(|source| source.policy.as_str()).collect();
        let marks = cell.conditions.iter().map(|it| conditions.mark(condition(it)));
        let marks = marks.collect::<Vec<_>>().join(" or ");
        let marks = if marks.is_empty() { marks } else { format!(" if {marks}") };
        let (used, last) = counted(&cell.used);
        table.row(
            [
                cell.from.to_string(),
                cell.to.to_string(),
                in_short(cell).trim_end_matches(" *").to_owned(),
                used,
                last,
                format!("{}{marks}", by.join(", ")),
            ]
            .map(|text| (text, Ink::Plain)),
        );
    }
    page.table(&table);
    more(open.len(), page);
    conditions.tell(page);
}

/// A condition, and who asks for it.
fn condition(condition: &Condition) -> String {
    let asked = ids(&condition.asked_by);
    let asked = if asked.is_empty() { asked } else { format!(" (asked by {asked})") };
    format!("with {}{asked}", condition.says)
}

fn counted(counted: &Counted) -> (String, String) {
    match counted.last {
        None => ("never".to_owned(), String::new()),
        Some(last) => (counted.count.to_string(), second(last)),
    }
}

fn ids(all: &[PolicyId]) -> String {
    all.iter().map(PolicyId::as_str).collect::<Vec<_>>().join(", ")
}

fn more(all: usize, page: &mut Page) {
    if all > LINES_MAX {
        page.line(&format!("and {} more: see --format json or --csv", all - LINES_MAX));
    }
}

/// What deserves a look.
fn findings(report: &Segments, page: &mut Page) {
    page.blank();
    page.inked("Worth a look", Ink::Strong);
    let mut none = true;
    let mut say = |text: String, page: &mut Page| {
        none = false;
        page.verdict(false, &text);
    };
    for cell in report.cells.iter().filter(|cell| cell.is_unused()).take(LINES_MAX) {
        let by: Vec<_> = cell.by.iter().map(|source| source.policy.as_str()).collect();
        let (what, from, to) = (cell.action.id(), &cell.from, &cell.to);
        say(format!("{from} → {to}: {what} is allowed by {}, never used", by.join(", ")), page);
    }
    for cell in report.cells.iter().filter(|cell| cell.is_attempted()).take(LINES_MAX) {
        let (what, from, to) = (cell.action.id(), &cell.from, &cell.to);
        let such = cell.attempts.first().map(|it| {
            format!(", {} times by {} to {}", it.refused.count, it.from.id(), it.to.id())
        });
        let (count, such) = (cell.refused.count, such.unwrap_or_default());
        let others = match cell.attempts_of_others {
            0 => String::new(),
            some => format!(" ({some} of them by pairs too many to be told apart)"),
        };
        say(format!("{from} → {to}: {what} was denied {count} times{such}{others}"), page);
    }
    let undecided = report.undecided();
    if undecided > 0 {
        let all = report.pairs;
        say(format!("{undecided} of {all} pairs were not decided: where a ? is, ask again"), page);
    }
    let coverage = &report.coverage;
    for uid in coverage.outside.iter().take(LINES_MAX) {
        say(format!("{uid} is in no segment"), page);
    }
    for bridge in coverage.bridges.iter().take(LINES_MAX) {
        let (resource, onward) = (&bridge.resource, &bridge.onward);
        let (from, to) = (&bridge.from, &bridge.to);
        say(
            format!("{resource} in {from} leads on as {onward} in {to}: a way past the roads"),
            page,
        );
    }
    for segment in &coverage.unwalled {
        say(format!("{segment} has no wall: no forbid names it, so any permit opens it"), page);
    }
    if none {
        page.verdict(true, "every road is used, nobody was turned away, all stands behind a wall");
    }
}

fn difference(report: &Segments, page: &mut Page) {
    let Some(found) = &report.difference else { return };
    page.blank();
    page.inked(&format!("Otherwise than as of {}", found.from), Ink::Strong);
    if found.undecided > 0 {
        let why = "here or there they were not decided";
        page.verdict(false, &format!("{} pairs are not compared: {why}", found.undecided));
    }
    if found.cells.is_empty() {
        return page.verdict(true, "nothing");
    }
    page.line(&format!(
        "{} pairs gained, {} lost, {} eased, {} tightened",
        found.gained, found.lost, found.eased, found.tightened
    ));
    let columns = ["ACTION", "FROM", "TO", "WAS", "IS", "GAINED", "LOST", "SUCH AS"];
    let mut table = Table::new(columns.map(Column::new));
    let word = |verdict: Option<CellVerdict>| verdict.map_or("", CellVerdict::as_str).to_owned();
    for cell in found.cells.iter().take(LINES_MAX) {
        let such: Vec<_> =
            cell.such_as.iter().map(|(a, b)| format!("{} → {}", a.id(), b.id())).collect();
        table.row(
            [
                cell.action.id().to_owned(),
                cell.from.to_string(),
                cell.to.to_string(),
                word(cell.before),
                word(cell.after),
                (cell.gained + cell.eased).to_string(),
                (cell.lost + cell.tightened).to_string(),
                such.join(", "),
            ]
            .map(|text| (text, Ink::Plain)),
        );
    }
    page.table(&table);
    more(found.cells.len(), page);
}
