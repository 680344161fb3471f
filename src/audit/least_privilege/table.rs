//! The report as a table for spreadsheets.

use super::report::{GrantUse, LeastPrivilege, Row};
use crate::audit::spreadsheet::csv;
use crate::model::Moment;

const HEADS: [&str; 17] = [
    "policy",
    "finding",
    "owner",
    "principal",
    "resource",
    "members",
    "observed_from",
    "action",
    "resource_type",
    "uses",
    "used_by",
    "last_used",
    "denied",
    "last_denied",
    "kept",
    "proposal",
    "would_deny",
];

impl LeastPrivilege {
    /// A line for each grant, action and type of resource, under heads (RFC 4180).
    #[must_use]
    pub fn csv(&self) -> String {
        let rows = self.grants.iter().flat_map(|it| it.rows.iter().map(move |row| record(it, row)));
        csv(HEADS, rows)
    }
}

fn record(grant: &GrantUse, row: &Row) -> [String; HEADS.len()] {
    let time = |at: Option<Moment>| at.map_or_else(String::new, |at| at.to_string());
    let proposal = grant.proposal.as_ref();
    [
        grant.policy.to_string(),
        grant.finding.as_str().to_owned(),
        grant.owner.clone().unwrap_or_default(),
        grant.principal.clone(),
        grant.resource.clone(),
        grant.members.to_string(),
        grant.observed_from.to_string(),
        row.action.to_string(),
        row.resource_type.to_string(),
        row.uses.to_string(),
        row.used_by.to_string(),
        time(row.last_used),
        row.denied.to_string(),
        time(row.last_denied),
        grant.kept.clone().unwrap_or_default(),
        proposal.map(|it| it.summary.clone()).unwrap_or_default(),
        proposal.map(|it| it.impact.would_deny.to_string()).unwrap_or_default(),
    ]
}
