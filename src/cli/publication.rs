//! What publishing policies and publishing a schema have in common.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::authored::NamedText;
use super::console::Telling;
use super::failure::{Failure, FaultTold};
use super::page::{Ink, Page};
use super::policy::short;
use crate::cedar::{Limits, read_policies};
use crate::model::{Digest, Index, Label, PolicyBody, PolicyId, PolicySource, Version};
use crate::pap::{self, Changes};
use crate::sequencer::Committed;

/// What an author says about a publication.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Author {
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(super) message: Label,
    /// Refuse if another version than this is in force by then
    #[arg(long, value_name = "N")]
    expect_version: Option<u64>,
}

impl Author {
    /// The version that must be in force.
    pub(super) fn expected_version(&self) -> Option<Version> {
        self.expect_version.map(Version)
    }

    /// The members of a request that say so.
    pub(super) fn body(&self) -> Map<String, Value> {
        let mut body = Map::from_iter([("message".to_owned(), json!(self.message))]);
        if let Some(version) = self.expect_version {
            body.insert("expected_version".to_owned(), json!(version));
        }
        body
    }
}

/// Reads files of policies into one set.
///
/// # Errors
/// Refused, with each fault.
pub(super) fn read_files(files: &[NamedText]) -> Result<Vec<PolicySource>, Failure> {
    let texts: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    pap::set_of(&texts, &Limits::default()).map_err(|faults| {
        let refusal = pap::Refusal::PolicyInvalid(faults);
        let faults: Vec<_> = refusal.faults().iter().map(FaultTold::from).collect();
        Failure::refused(refusal.code(), refusal).with_faults(faults)
    })
}

/// Tells a fault by its place in the author's own files. What was refused was held
/// against the schema policy by policy, by a server perhaps, which knows no files.
pub(super) fn placed(fault: FaultTold, files: &[NamedText], schema: Option<&Path>) -> FaultTold {
    if fault.is_unplaced_in_schema()
        && let Some(path) = schema
    {
        return fault.in_file(&path.display().to_string(), "");
    }
    let Some(policy) = fault.unplaced_policy() else { return fault };
    let before = files.iter().find_map(|(name, text)| {
        let sources = read_policies(name, text, &Limits::default()).ok()?;
        let source = sources.iter().find(|source| source.id.as_str() == policy)?;
        let (PolicyBody::Static { text: own } | PolicyBody::Template { text: own }) = &source.body
        else {
            return None;
        };
        let (before, _) = text.split_once(own.as_ref())?;
        Some((name.clone(), before.to_owned()))
    });
    match before {
        Some((name, before)) => fault.in_file(&name, &before),
        None => fault,
    }
}

/// What came in force.
#[derive(Serialize, Deserialize)]
pub(super) struct PutInForce {
    version: Version,
    digest: Option<Digest>,
    #[serde(default)]
    version_digest: Option<Digest>,
    schema_version: Version,
    count: usize,
    added: Vec<PolicyId>,
    changed: Vec<PolicyId>,
    withdrawn: Vec<PolicyId>,
    index: Option<Index>,
}

impl PutInForce {
    /// What came in force by a commit.
    pub(super) fn of((recorded, changes): &(Committed, Changes)) -> Self {
        let set = recorded.world.set(changes.set);
        let (policies, schema) = (set.in_force(), set.schema().map(|(_, version)| version));
        Self {
            version: policies.map_or(Version(0), |it| it.version),
            digest: policies.map(|it| it.digest),
            version_digest: recorded.world.versions.in_force().map(|it| it.digest),
            schema_version: schema.map_or(Version(0), |it| it.version),
            count: set.len(),
            added: changes.added.clone(),
            changed: changes.changed.clone(),
            withdrawn: changes.withdrawn.clone(),
            index: recorded.entries.last().map(|entry| entry.index),
        }
    }
}

impl Telling for PutInForce {
    fn tell(&self, page: &mut Page) {
        let Self { version: number, schema_version, count, .. } = self;
        let index = self.index.map(|index| format!(", by entry {index}")).unwrap_or_default();
        let version = self.version_digest.as_ref().map(|it| format!("version {} is ", short(it)));
        let version = version.unwrap_or_default();
        let schema = format!("schema number {schema_version}");
        let told =
            format!("{version}in force as number {number}{index}: {count} policies, {schema}");
        page.inked(&told, Ink::Good);
        let lists =
            [("added", &self.added), ("changed", &self.changed), ("withdrawn", &self.withdrawn)];
        for (name, ids) in lists {
            let ids: Vec<_> = ids.iter().map(PolicyId::as_str).collect();
            if !ids.is_empty() {
                page.field(name, &ids.join(", "));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fault(json: Value) -> FaultTold {
        FaultTold::from(json)
    }

    #[test]
    fn a_fault_is_told_by_its_place_in_the_file_of_its_policy() {
        let policy = |id: &str| format!("@id(\"{id}\")\npermit (principal, action, resource);\n");
        let files = [
            ("a.cedar".to_owned(), policy("a")),
            ("b.cedar".to_owned(), format!("{}\n{}", policy("b"), policy("c"))),
        ];
        let of = |policy: &str| {
            let json =
                json!({"code": "x", "policy": policy, "line": 2, "column": 1, "message": "m"});
            placed(fault(json), &files, None).to_string()
        };
        assert_eq!(of("a"), "a.cedar:2:1: policy `a`: m");
        assert_eq!(of("c"), "b.cedar:5:1: policy `c`: m");
        assert_eq!(of("elsewhere"), "2:1: policy `elsewhere`: m");
    }

    #[test]
    fn a_fault_of_a_schema_is_told_by_its_file() {
        let json = json!({"code": "schema_invalid", "line": 3, "column": 1, "message": "m"});
        let told = placed(fault(json), &[], Some(Path::new("s.cedarschema")));
        assert_eq!(told.to_string(), "s.cedarschema:3:1: m");
    }
}
