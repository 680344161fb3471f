//! `countersign policy plan`: what would change if what is in files came in force.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::super::console::{Console, Telling};
use super::super::failure::{Exit, Failure};
use super::super::page::{Ink, Page};
use super::super::target::{Target, TargetFlags};
use super::told::short;
use super::work::Files;
use super::written::Written;
use crate::checks::{Line, differing_lines};
use crate::model::{Digest, Label, PolicyBody, PolicyId, PolicySource};
use crate::pap::{NewVersion, VersionWhole, VersionsShown};

/// Show how what is in files differs from what is in force
///
/// Each policy that would come, go or change, with the lines that differ; the schema and
/// the tests. Nothing is written and nothing is checked: `policy check` does that. Exit
/// code 0 if nothing would change, 1 if something would.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign policy plan policies/cloud --schema schemas/cloud.cedarschema --data ./data")]
pub(super) struct Plan {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    target: TargetFlags,
}

impl Plan {
    /// Compares them.
    ///
    /// # Errors
    /// [`Failure`]: files that are no policies, or what is in force could not be read.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let new = Written::read(&self.files)?.version(&Label::default())?;
        let planned = Planned::between(in_force(&self.target)?.as_ref(), &new);
        console.tell(&planned)?;
        Ok(if planned.changes { Exit::Refused } else { Exit::Fine })
    }
}

fn in_force(target: &TargetFlags) -> Result<Option<VersionWhole>, Failure> {
    match target.target()? {
        Target::Server(client) => {
            let all: VersionsShown = client.get("/versions/v1", &[])?;
            let digest = all.in_force;
            digest.map(|it| client.get(&format!("/versions/v1/{it}"), &[])).transpose()
        }
        Target::Data(folder) => {
            let world = folder.world()?;
            Ok(world.versions.in_force().map(|version| VersionWhole::of(version)))
        }
    }
}

/// What would change.
#[derive(Serialize)]
struct Planned {
    /// Whether anything would.
    changes: bool,
    /// The version in force.
    in_force: Option<Digest>,
    added: Vec<Changed>,
    changed: Vec<Changed>,
    withdrawn: Vec<Changed>,
    /// The lines by which the schema differs; none if it stays.
    schema: Vec<Line>,
    /// The lines by which the tests differ; none if they stay.
    tests: Vec<Line>,
}

/// How many lines of a schema or of tests people are shown.
const LINES_MAX: usize = 60;

/// A policy that differs, and how.
#[derive(Serialize)]
struct Changed {
    id: PolicyId,
    lines: Vec<Line>,
}

impl Planned {
    fn between(present: Option<&VersionWhole>, new: &NewVersion) -> Self {
        let sources = |all: &[PolicySource]| -> BTreeMap<PolicyId, String> {
            all.iter().map(|source| (source.id.clone(), text(source))).collect()
        };
        let before = present.map(|it| sources(&it.policies)).unwrap_or_default();
        let after = sources(new.policies.as_deref().unwrap_or_default());
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for (id, text) in &after {
            match before.get(id) {
                None => added.push(Changed::of(id, "", text)),
                Some(old) if old != text => changed.push(Changed::of(id, old, text)),
                Some(_) => {}
            }
        }
        let gone = before.iter().filter(|(id, _)| !after.contains_key(*id));
        let withdrawn: Vec<_> = gone.map(|(id, text)| Changed::of(id, text, "")).collect();
        let (old, new_schema) = (present.map_or("", |it| it.schema.as_str()), &new.schema);
        let schema = new_schema.as_deref().map_or_else(Vec::new, |text| differing(old, text));
        let old_tests = present.and_then(|it| it.tests.as_deref()).unwrap_or_default();
        let tests = differing(old_tests, new.tests.as_deref().unwrap_or_default());
        let parts = [added.is_empty(), changed.is_empty(), withdrawn.is_empty()];
        let changes = parts.contains(&false) || !schema.is_empty() || !tests.is_empty();
        let in_force = present.map(|it| it.version.digest);
        Self { changes, in_force, added, changed, withdrawn, schema, tests }
    }
}

/// The lines by which two texts differ; those that differ in their ends of lines alone are
/// told whole, for they are other texts.
fn differing(before: &str, after: &str) -> Vec<Line> {
    let found = differing_lines(before, after);
    if found.is_empty() && before != after {
        let removed = before.lines().map(|line| Line::Removed(line.to_owned()));
        let added = after.lines().map(|line| Line::Added(line.to_owned()));
        return removed.chain(added).collect();
    }
    found
}

impl Changed {
    fn of(id: &PolicyId, before: &str, after: &str) -> Self {
        Self { id: id.clone(), lines: differing(before, after) }
    }
}

fn text(source: &PolicySource) -> String {
    match &source.body {
        PolicyBody::Static { text } | PolicyBody::Template { text } => text.to_string(),
        PolicyBody::Link { .. } => json!(source).to_string(),
    }
}

impl Telling for Planned {
    fn tell(&self, page: &mut Page) {
        let present = self.in_force.as_ref().map_or_else(
            || "nothing is in force yet".to_owned(),
            |digest| format!("against version {}, which is in force", short(digest)),
        );
        if !self.changes {
            return page.inked(&format!("nothing would change, {present}"), Ink::Good);
        }
        let counts = [
            (self.added.len(), "added"),
            (self.changed.len(), "changed"),
            (self.withdrawn.len(), "withdrawn"),
        ];
        let mut told: Vec<_> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(n, what)| format!("{n} {what}"))
            .collect();
        let parts = [(&self.schema, "schema changed"), (&self.tests, "tests changed")];
        let parts = parts.iter().filter(|(lines, _)| !lines.is_empty());
        told.extend(parts.map(|(_, what)| (*what).to_owned()));
        page.inked(&format!("{}, {present}", told.join(", ")), Ink::Strong);
        let lists =
            [("added", &self.added), ("changed", &self.changed), ("withdrawn", &self.withdrawn)];
        for (what, list) in lists {
            for policy in list {
                page.blank();
                page.inked(&format!("{what}: {}", policy.id), Ink::Strong);
                lines(&policy.lines, page);
            }
        }
        for (name, lines) in [("schema", &self.schema), ("tests", &self.tests)] {
            if !lines.is_empty() {
                page.blank();
                page.inked(&format!("changed: the {name}"), Ink::Strong);
                let shown = lines.get(..LINES_MAX).unwrap_or(lines);
                self::lines(shown, page);
                if let left @ 1.. = lines.len() - shown.len() {
                    page.inked(&format!("    … {left} lines more: see --format json"), Ink::Faint);
                }
            }
        }
    }
}

/// Lays out the lines by which two texts differ.
pub(super) fn lines(differing: &[Line], page: &mut Page) {
    for line in differing {
        match line {
            Line::Removed(line) => page.inked(&format!("  - {line}"), Ink::Bad),
            Line::Added(line) => page.inked(&format!("  + {line}"), Ink::Good),
            Line::Kept(line) => page.inked(&format!("    {line}"), Ink::Plain),
            Line::Skipped(1) => page.inked("    … 1 line", Ink::Faint),
            Line::Skipped(count) => page.inked(&format!("    … {count} lines"), Ink::Faint),
        }
    }
}
