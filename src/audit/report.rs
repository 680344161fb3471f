//! What a replay has found, for programs and for people.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::event::Verdict;
use crate::model::{Index, Moment, PolicyId, SetKind};
use crate::projection::StateDigest;
use crate::tlog::Tree;

/// A recorded decision that comes out otherwise when it is taken again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The decision's entry.
    pub index: Index,
    /// The decision's id.
    pub id: Uuid,
    /// Which part of it differs, by its name in the event.
    pub what: &'static str,
    /// As recorded.
    pub recorded: Value,
    /// As decided again.
    pub again: Value,
}

/// An entry that contradicts those before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The entry.
    pub index: Index,
    /// A stable code.
    pub code: &'static str,
    /// What is wrong, in words.
    pub what: String,
}

/// How often each answer was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdicts {
    /// Allowed.
    pub allow: u64,
    /// Denied.
    pub deny: u64,
}

impl Verdicts {
    pub(super) fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Allow => self.allow += 1,
            Verdict::Deny => self.deny += 1,
        }
    }
}

/// How many policies are told apart in each set; what others did is counted together.
const POLICIES_MAX: usize = 10_000;
/// How many of them a table for people shows, the most frequent first.
const POLICIES_SHOWN: usize = 40;

/// How often each policy determined an answer. One answer may have several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Determining {
    /// By name.
    pub policies: BTreeMap<PolicyId, u64>,
    /// Those beyond the first 10,000 names, together.
    #[serde(skip_serializing_if = "is_zero")]
    pub others: u64,
    /// Answers that no policy determined: nothing permitted, or Cedar was not asked.
    pub by_none: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
pub(super) const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Determining {
    pub(super) fn count(&mut self, policies: &[PolicyId]) {
        self.by_none += u64::from(policies.is_empty());
        for policy in policies {
            if let Some(times) = self.policies.get_mut(policy) {
                *times += 1;
            } else if self.policies.len() < POLICIES_MAX {
                self.policies.insert(policy.clone(), 1);
            } else {
                self.others += 1;
            }
        }
    }
}

/// Size and root of a Merkle tree, as a checkpoint has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TreeHead {
    /// The entries it is over.
    pub size: u64,
    /// Its root in base64.
    pub root: String,
}

impl TreeHead {
    pub(super) fn of(tree: &Tree) -> Self {
        Self { size: tree.size(), root: tree.root().to_string() }
    }
}

/// The first so many, and how many there were.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kept<T> {
    /// How many there were.
    pub total: u64,
    /// The first of them.
    pub first: Vec<T>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { total: 0, first: Vec::new() }
    }
}

impl<T> Kept<T> {
    pub(super) fn keep(&mut self, one: T, at_most: usize) {
        self.total += 1;
        if self.first.len() < at_most {
            self.first.push(one);
        }
    }

    /// True if there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

/// The outcome of a replay, to be handed to an auditor: JSON by its members, or by
/// `Display` a table on several lines without a final line break.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// True if there was a log, every decision in it came out as recorded, save those that
    /// rest on what is sealed or erased, and every entry follows the one before it.
    pub clean: bool,
    /// The build that replayed it.
    pub build: &'static str,
    /// The Cedar that decided again.
    pub cedar: String,
    /// The log's id.
    pub log: Option<Uuid>,
    /// The Merkle tree over the stored bytes of the entries read, if they were hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeHead>,
    /// Entries read.
    pub entries: u64,
    /// Decisions among them.
    pub decisions: u64,
    /// Decisions that came out as recorded.
    pub identical: u64,
    /// Decisions that came out otherwise.
    pub different: u64,
    /// Decisions that could not be taken again.
    pub not_replayable: u64,
    /// Why they could not, and how many each: `sealed` if what is personal, and may have
    /// decided, cannot be opened here; `erased` if nobody can open it any more.
    pub reasons: BTreeMap<String, u64>,
    /// The recorded answers by policy set.
    pub verdicts: BTreeMap<SetKind, Verdicts>,
    /// By policy set: how often each policy determined an answer.
    pub determining: BTreeMap<SetKind, Determining>,
    /// The first entry's time.
    pub from: Option<Moment>,
    /// The last entry's time.
    pub to: Option<Moment>,
    /// The state after the last entry, to compare with the live node's.
    pub state: StateDigest,
    /// Entries by type.
    pub events: BTreeMap<&'static str, u64>,
    /// What differs; one decision may differ in several parts.
    pub differences: Kept<Difference>,
    /// Entries out of order.
    pub findings: Kept<Finding>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heading(f)?;
        self.decided(f)?;
        self.determined(f)?;
        self.recorded(f)?;
        self.found(f)?;
        writeln!(f, "\nState")?;
        for (part, digest) in &self.state.parts {
            writeln!(f, "  {part:<16}{digest}")?;
        }
        write!(f, "  {:<16}{}", "whole", self.state.digest)
    }
}

impl Report {
    fn heading(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match (self.clean, self.entries) {
            (_, 0) => "there is nothing to replay: not even the entry that creates a log",
            (true, _) if self.not_replayable > 0 => {
                "every decision that can be taken again came out as recorded, and every entry \
                 follows the one before it"
            }
            (true, _) => {
                "every decision came out as recorded, and every entry follows the one before it"
            }
            (false, _) => "NOT CLEAN: see below",
        };
        writeln!(f, "Replay: {outcome}")?;
        writeln!(f)?;
        line(f, "by", format!("countersign {}, Cedar {}", self.build, self.cedar))?;
        if let Some(log) = self.log {
            line(f, "log", log)?;
        }
        match self.state.through {
            Some(through) => line(f, "entries", format!("{} (0 to {through})", self.entries))?,
            None => line(f, "entries", self.entries)?,
        }
        if let Some((from, to)) = self.from.zip(self.to) {
            line(f, "written from", from)?;
            line(f, "to", to)?;
        }
        if let Some(tree) = &self.tree {
            line(f, "tree size", tree.size)?;
            line(f, "root", &tree.root)?;
        }
        Ok(())
    }

    fn decided(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nDecisions")?;
        count(f, "recorded", self.decisions)?;
        count(f, "identical", self.identical)?;
        count(f, "different", self.different)?;
        count(f, "not replayable", self.not_replayable)?;
        for (reason, times) in &self.reasons {
            writeln!(f, "    {reason:<26}{times:>10}")?;
        }
        writeln!(f, "\n  {:<28}{:>10}{:>10}", "by policy set", "allow", "deny")?;
        for (set, verdicts) in &self.verdicts {
            let Verdicts { allow, deny } = verdicts;
            writeln!(f, "  {:<28}{allow:>10}{deny:>10}", set.as_str())?;
        }
        Ok(())
    }

    fn determined(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (set, determining) in &self.determining {
            let title = format!("Determining policies, {}", set.as_str());
            writeln!(f, "\n{title:<44}{:>12}", "decisions")?;
            let mut policies: Vec<_> = determining.policies.iter().collect();
            policies.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
            for (policy, times) in policies.iter().take(POLICIES_SHOWN) {
                writeln!(f, "  {:<44}{times:>10}", policy.as_str())?;
            }
            if let Some(more) = policies.len().checked_sub(POLICIES_SHOWN).filter(|it| *it > 0) {
                let times: u64 = policies.iter().skip(POLICIES_SHOWN).map(|(_, it)| **it).sum();
                writeln!(f, "  {:<44}{:>10}", format!("{more} more"), times)?;
            }
            if determining.others > 0 {
                writeln!(f, "  {:<44}{:>10}", "others, not told apart", determining.others)?;
            }
            writeln!(f, "  {:<44}{:>10}", "none", determining.by_none)?;
        }
        Ok(())
    }

    fn recorded(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nEntries by type")?;
        self.events.iter().try_for_each(|(name, times)| writeln!(f, "  {name:<44}{times:>10}"))
    }

    fn found(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.findings.is_empty() {
            writeln!(f, "\nEntries out of order")?;
            for finding in &self.findings.first {
                writeln!(f, "  {:<24}{}", finding.code, finding.what)?;
            }
            rest(f, &self.findings)?;
        }
        if !self.differences.is_empty() {
            writeln!(f, "\nDifferences")?;
            for difference in &self.differences.first {
                let Difference { index, id, what, recorded, again } = difference;
                writeln!(f, "  entry {index} (decision {id}), {what}:")?;
                writeln!(f, "    recorded  {recorded}")?;
                writeln!(f, "    again     {again}")?;
            }
            rest(f, &self.differences)?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "  {name:<16}{value}")
}

fn count(f: &mut fmt::Formatter<'_>, name: &str, value: u64) -> fmt::Result {
    writeln!(f, "  {name:<28}{value:>10}")
}

fn rest<T>(f: &mut fmt::Formatter<'_>, kept: &Kept<T>) -> fmt::Result {
    match kept.total.saturating_sub(kept.first.len() as u64) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more"),
    }
}
