//! The report on least privilege, laid out for people.

use super::super::console::Telling;
use super::super::page::{Ink, Page, second};
use super::super::table::{Column, Table};
use crate::audit::{GrantFinding as Finding, GrantUse, LeastPrivilege};
use crate::model::Moment;

/// How many users of a grant are named.
const NAMED: usize = 5;
/// How many grants stand in the table, and how many are told of in words.
const ROWS_MAX: usize = 60;
const DETAILS_MAX: usize = 30;

impl Telling for LeastPrivilege {
    fn tell(&self, page: &mut Page) {
        let window = &self.window;
        page.inked("What is granted, and what of it is used", Ink::Strong);
        page.field("window", &format!("{} to {} (UTC)", second(window.from), second(window.to)));
        page.field("accesses", &format!("{} allowed, {} denied", window.allowed, window.denied));
        if let Some(policies) = self.policies {
            page.field("policies", &format!("version {}, at its end", policies.version));
        }
        page.field("found", &totals(&self.grants));
        page.blank();
        overview(self, page);
        let found: Vec<_> =
            self.grants.iter().filter(|grant| grant.finding != Finding::Used).collect();
        for grant in found.iter().take(DETAILS_MAX) {
            page.blank();
            detail(grant, page);
        }
        more(found.len().saturating_sub(DETAILS_MAX), "findings", page);
        page.blank();
        page.inked("What these figures do not tell", Ink::Strong);
        for caveat in &self.caveats {
            page.indented_field(2, "", caveat, Ink::Plain);
        }
    }
}

fn totals(grants: &[GrantUse]) -> String {
    let of = |finding| grants.iter().filter(|grant| grant.finding == finding).count();
    let proposed = grants.iter().filter(|grant| grant.proposal.is_some()).count();
    format!(
        "of {} grants {} never used, {} used by few, {} used in part; {proposed} proposals",
        grants.len(),
        of(Finding::NeverUsed),
        of(Finding::UsedByFew),
        of(Finding::PartlyUsed),
    )
}

fn overview(report: &LeastPrivilege, page: &mut Page) {
    let mut table = Table::new([
        Column::new("POLICY"),
        Column::new("USES").right(),
        Column::new("USED BY").right(),
        Column::new("LAST USED (UTC)"),
        Column::new("DENIED").right(),
        Column::new("FOUND"),
    ]);
    for grant in report.grants.iter().take(ROWS_MAX) {
        let (found, ink) = in_words(grant);
        table.row([
            (grant.policy.to_string(), Ink::Plain),
            (grant.uses.to_string(), Ink::Plain),
            (format!("{} of {}", grant.used_by, grant.members), Ink::Plain),
            (grant.last_used.map_or_else(|| "never".to_owned(), second), Ink::Plain),
            (grant.denied.to_string(), Ink::Plain),
            (found.to_owned(), ink),
        ]);
    }
    page.table(&table);
    more(report.grants.len().saturating_sub(ROWS_MAX), "grants", page);
}

fn more(count: usize, what: &str, page: &mut Page) {
    if count > 0 {
        page.line(&format!("and {count} {what} more: `--csv FILE` and `--format json` have all"));
    }
}

const fn in_words(grant: &GrantUse) -> (&'static str, Ink) {
    match (grant.finding, grant.kept.is_some()) {
        (Finding::NeverUsed, false) => ("never used", Ink::Bad),
        (Finding::NeverUsed, true) => ("never used, kept", Ink::Faint),
        (Finding::UsedByFew, false) => ("used by few", Ink::Bad),
        (Finding::UsedByFew, true) => ("used by few, kept", Ink::Faint),
        (Finding::PartlyUsed, false) => ("partly used", Ink::Bad),
        (Finding::PartlyUsed, true) => ("partly used, kept", Ink::Faint),
        (Finding::Used, _) => ("used", Ink::Good),
    }
}

fn detail(grant: &GrantUse, page: &mut Page) {
    page.inked(grant.policy.as_str(), Ink::Strong);
    if let Some(description) = &grant.description {
        page.field("says", description);
    }
    if let Some(owner) = &grant.owner {
        page.field("owner", owner);
    }
    let linked = grant.template.as_ref().map(|template| format!(", by a link of `{template}`"));
    let linked = linked.unwrap_or_default();
    page.field("granted", &format!("to {}, on {}{linked}", grant.principal, grant.resource));
    page.field("found", &sentence(grant));
    for row in grant.rows.iter().filter(|row| row.denied > 0) {
        let when = row.last_denied.map_or_else(String::new, |at| format!(", last {}", second(at)));
        let what =
            format!("{} on {}: {} times{when}", row.action.id(), row.resource_type, row.denied);
        page.field("denied", &what);
    }
    if let Some(kept) = &grant.kept {
        page.field("left as is", kept);
    }
    let Some(proposal) = &grant.proposal else { return };
    page.field_in("proposal", &proposal.summary, Ink::Good);
    let impact = &proposal.impact;
    if impact.decisions == 0 {
        return page.field("tried out", "nothing that was done needed it");
    }
    let mut tried = format!(
        "{} past uses decided again with it: {} would be denied by it",
        impact.decisions, impact.would_deny
    );
    if impact.denied_since > 0 {
        tried += ", ";
        tried += &impact.denied_since.to_string();
        tried += " are denied by now whatever it says";
    }
    page.field("tried out", &tried);
    if let Some(text) = &proposal.text {
        if grant.template.is_some() {
            page.field(
                "to take it up",
                "take the link out of `links.json` and put this text in a file of policies",
            );
        }
        page.blank();
        page.verbatim(text);
    }
}

/// What was found, in a sentence.
fn sentence(grant: &GrantUse) -> String {
    let since = day(grant.observed_from);
    let unused: Vec<_> = grant
        .rows
        .iter()
        .filter(|row| row.uses == 0)
        .map(|row| format!("{} on {}", row.action.id(), row.resource_type))
        .collect();
    let never =
        if unused.is_empty() { String::new() } else { format!("; never {}", unused.join(", ")) };
    match grant.finding {
        Finding::NeverUsed => {
            format!("none of the {} who have it used it since {since}", grant.members)
        }
        Finding::UsedByFew | Finding::PartlyUsed | Finding::Used => {
            let named: Vec<_> = grant
                .most
                .iter()
                .take(NAMED)
                .map(|user| format!("{} ({})", user.principal.id(), user.uses))
                .collect();
            let more = usize::try_from(grant.used_by).unwrap_or(usize::MAX);
            let more = more.saturating_sub(named.len());
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!(
                "{} of the {} who have it used it since {since}: {}{more}{never}",
                grant.used_by,
                grant.members,
                named.join(", "),
            )
        }
    }
}

fn day(at: Moment) -> String {
    at.to_string().chars().take(10).collect()
}
