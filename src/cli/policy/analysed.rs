//! An analysis, told.

use serde::Serialize;
use serde_json::Value;

use super::super::console::Telling;
use super::super::page::{Ink, Page};
use super::super::table::{Column, Table};
use crate::cedar::Effect;
use crate::model::PolicyId;
use crate::symbolic::{Always, Answer, Environment, Example, Finding, Kind, Report, Verdict};

/// What came of an analysis.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Analysed(pub(super) Report);

impl Telling for Analysed {
    fn tell(&self, page: &mut Page) {
        let Self(report) = self;
        page.line(&format!(
            "{} policies in {} environments, by {} questions to {}",
            report.count,
            report.environments.len(),
            report.questions,
            report.solver
        ));
        if let Some(verdict) = report.verdict {
            page.verdict(is_good(verdict), sentence(verdict));
        }
        if report.findings.is_empty() && report.left_out == 0 && report.undecided.is_empty() {
            page.verdict(true, "every policy is needed, and none can end in an error");
        }
        report.findings.iter().for_each(|finding| tell_finding(finding, page));
        tell_open(report, page);
        page.blank();
        page.table(&table(report));
        report.environments.iter().for_each(|environment| tell_changes(environment, page));
        if !report.assumed.is_empty() {
            page.blank();
        }
        for assumed in &report.assumed {
            page.inked(&format!("Taken for granted of every request: {assumed}."), Ink::Faint);
        }
    }
}

const fn is_good(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Equivalent | Verdict::Stricter)
}

const fn sentence(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Equivalent => "equivalent: every request is decided as before",
        Verdict::Stricter => "stricter: nothing is newly allowed, something is newly denied",
        Verdict::MorePermissive => {
            "more permissive: something is newly allowed, nothing is newly denied"
        }
        Verdict::Incomparable => {
            "incomparable: something is newly allowed, and something newly denied"
        }
        Verdict::Undecided => "undecided: the solver did not answer everything",
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Equivalent => "equivalent",
        Verdict::Stricter => "stricter",
        Verdict::MorePermissive => "more permissive",
        Verdict::Incomparable => "incomparable",
        Verdict::Undecided => "undecided",
    }
}

/// The environments, one a line.
fn table(report: &Report) -> Table {
    let mut columns = ["PRINCIPAL", "ACTION", "RESOURCE"].map(Column::new).to_vec();
    columns.push(Column::new("POLICIES").right());
    columns.extend(report.verdict.map(|_| Column::new("VERDICT")));
    columns.push(Column::new("EVERY REQUEST"));
    let mut table = Table::new(columns);
    for one in &report.environments {
        let types = [&one.principal, &one.action, &one.resource].map(|it| (it.clone(), Ink::Plain));
        let mut row = types.to_vec();
        row.push((one.policies.to_string(), Ink::Plain));
        row.extend(one.verdict.map(|verdict| {
            let ink = if is_good(verdict) { Ink::Plain } else { Ink::Bad };
            (word(verdict).to_owned(), ink)
        }));
        row.push(match one.always {
            Some(Always::Allowed) => ("is allowed".to_owned(), Ink::Bad),
            Some(Always::Denied) => ("is denied".to_owned(), Ink::Faint),
            None => (String::new(), Ink::Plain),
        });
        table.row(row);
    }
    table
}

fn tell_changes(environment: &Environment, page: &mut Page) {
    let Environment { principal, action, resource, .. } = environment;
    let changes = [("allowed", &environment.newly_allowed), ("denied", &environment.newly_denied)];
    for (what, example) in changes {
        let Some(example) = example else { continue };
        page.blank();
        let title = format!("Newly {what} for {principal}, {action}, {resource}, for example:");
        page.inked(&title, Ink::Strong);
        tell_example(example, page);
    }
}

fn tell_example(example: &Example, page: &mut Page) {
    let mut field = |name: &str, value: &str, ink| page.indented_field(2, name, value, ink);
    let mut others: Vec<&Value> = example.entities.iter().collect();
    for name in ["principal", "action", "resource"] {
        let uid = example.request.get(name).and_then(Value::as_str).unwrap_or_default();
        let own = others.iter().position(|entity| uid_of(entity) == uid);
        let described = own.map_or_else(|| uid.to_owned(), |at| described(others.remove(at)));
        field(name, &described, Ink::Plain);
    }
    if let Some(Value::Object(members)) = example.request.get("context") {
        for (at, (name, value)) in members.iter().enumerate() {
            let head = if at == 0 { "context" } else { "" };
            field(head, &format!("{name}: {}", spaced(value)), Ink::Plain);
        }
    }
    for entity in others {
        field("where", &described(entity), Ink::Plain);
    }
    let before = if example.old.is_some() { "now" } else { "decision" };
    field(before, &answer(&example.new), Ink::Plain);
    if let Some(old) = &example.old {
        field("before", &answer(old), Ink::Plain);
    }
    if !example.confirmed {
        let what = "NOT confirmed: decided again, it is not as the solver says";
        field("", what, Ink::Bad);
    }
}

/// `User::"u"` of an entity or of a reference to one.
fn uid_of(entity: &Value) -> String {
    let uid = entity.get("uid").unwrap_or(entity);
    let part = |name: &str| uid.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}::\"{}\"", part("type"), part("id").escape_debug())
}

/// An entity in one sentence: what it is in, and its attributes and tags.
fn described(entity: &Value) -> String {
    let mut told = uid_of(entity);
    let parents = entity.get("parents").and_then(Value::as_array).into_iter().flatten();
    let parents: Vec<_> = parents.map(uid_of).collect();
    if !parents.is_empty() {
        told = format!("{told} in {}", parents.join(", "));
    }
    for (name, before) in [("attrs", ""), ("tags", "tag ")] {
        let members = entity.get(name).and_then(Value::as_object).into_iter().flatten();
        for (name, value) in members {
            told = format!("{told}; {before}{name}: {}", spaced(value));
        }
    }
    told
}

/// A value on one line that can be broken between its members; references as Cedar writes
/// them.
fn spaced(value: &Value) -> String {
    match value {
        Value::Object(members)
            if members.len() == 2 && members.contains_key("type") && members.contains_key("id") =>
        {
            uid_of(value)
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name}: {}", spaced(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn quoted(ids: &[PolicyId]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

fn answer(answer: &Answer) -> String {
    let Answer { allowed, determining, errors } = answer;
    let decided = match (allowed, determining.is_empty()) {
        (true, _) => format!("allowed by {}", quoted(determining)),
        (false, true) if errors.is_empty() => "denied: nothing permits it".to_owned(),
        (false, true) => "denied".to_owned(),
        (false, false) => format!("denied by {}", quoted(determining)),
    };
    match errors.as_slice() {
        [] => decided,
        errors => format!("{decided}; error in {}", quoted(errors)),
    }
}

fn tell_finding(finding: &Finding, page: &mut Page) {
    let by = quoted(&finding.by);
    let others = if by.is_empty() { "several others together" } else { &by };
    let what = match finding.kind {
        Kind::NeverApplies => "never applies, whatever is asked".to_owned(),
        Kind::Overridden => format!("permits nothing: all of it is forbidden by {others}"),
        Kind::Redundant => format!("permits nothing that is not permitted by {others}"),
        Kind::Shadowed => format!("forbids nothing that is not forbidden by {others}"),
        Kind::MayErr if finding.effect == Effect::Forbid => {
            "may end in an error, for example:".to_owned()
        }
        Kind::MayErr => "may end in an error, and does not apply then, for example:".to_owned(),
    };
    page.verdict(false, &format!("`{}` {what}", finding.policy));
    if let Some(example) = &finding.example {
        tell_example(example, page);
    }
}

fn tell_open(report: &Report, page: &mut Page) {
    for open in &report.undecided {
        let (environment, question, why) = (&open.environment, &open.question, &open.why);
        page.verdict(false, &format!("{environment}: {question} not known: {why}"));
    }
    if report.left_out > 0 {
        let left_out = report.left_out;
        page.verdict(false, &format!("{left_out} environments were not looked at: too many"));
    }
}
