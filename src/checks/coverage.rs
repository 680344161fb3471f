//! Which policies and which of their clauses tests have seen both ways.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cedar::{Clause, CompiledPolicies, Truth};
use crate::model::PolicyId;

/// The most questions put to policies for coverage: tests times policies. Above it, none is
/// counted; what is asked costs 1 to 2 µs each.
pub const COVERAGE_ASKED_MAX: usize = 2_000_000;

/// What tests have seen of policies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// How many ways there are for policies to end (each applies, or does not) and for their
    /// conditions (each is true, or false).
    pub ways: usize,
    /// How many of them some test has seen.
    pub seen: usize,
    /// Policy by policy, in order of their names.
    pub policies: Vec<PolicyCoverage>,
}

/// What tests have seen of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyCoverage {
    /// Its name.
    pub policy: PolicyId,
    /// The file it stands in, and the line on which it begins there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// True if there is nothing in it that could keep it from applying.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always_applies: bool,
    /// In how many tests it applied.
    pub applied: usize,
    /// In how many it did not.
    pub did_not_apply: usize,
    /// In how many it could not be evaluated.
    pub erred: usize,
    /// Each of its conditions.
    pub clauses: Vec<ClauseCoverage>,
}

/// What tests have seen of a condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClauseCoverage {
    /// The condition; its line counts in the file, if there is one.
    #[serde(flatten)]
    pub clause: Clause,
    /// In how many tests it was true.
    #[serde(rename = "true")]
    pub held: usize,
    /// In how many it was false.
    #[serde(rename = "false")]
    pub failed: usize,
    /// In how many it could not be evaluated.
    pub erred: usize,
}

impl PolicyCoverage {
    /// How many ways there are for it and its conditions to end, and how many were seen.
    fn ways(&self) -> (usize, usize) {
        let own = [self.applied, self.did_not_apply];
        let own = own.into_iter().take(if self.always_applies { 1 } else { 2 });
        let conditions = self.clauses.iter().flat_map(|it| [it.held, it.failed]);
        own.chain(conditions)
            .fold((0, 0), |(ways, seen), count| (ways + 1, seen + usize::from(count > 0)))
    }

    /// What no test has seen of it, in words; what follows from another is left out.
    #[must_use]
    pub fn unseen(&self) -> Vec<Unseen> {
        let whole = |what: &str| Unseen { line: self.line, what: what.to_owned() };
        let mut unseen = Vec::new();
        if self.applied == 0 {
            unseen.push(whole("it never applied"));
        }
        if self.did_not_apply == 0 && !self.always_applies {
            unseen.push(whole("it always applied"));
        }
        for ClauseCoverage { clause, held, failed, erred } in &self.clauses {
            let never = match (held, failed, erred) {
                (0, 0, 0) => "never reached",
                (0, ..) => "never true",
                (_, 0, _) => "never false",
                _ => continue,
            };
            unseen.push(Unseen { line: clause.line, what: format!("{never}: {clause}") });
        }
        unseen
    }
}

/// Something that no test has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The line it is about.
    pub line: Option<u32>,
    /// What was not seen, in words.
    pub what: String,
}

/// Where a policy's text begins: its file, and how many lines stand above it there.
pub(super) type Start = (String, u32);

/// Counts in the making.
pub(super) struct Tally<'a> {
    policies: &'a CompiledPolicies,
    counted: BTreeMap<PolicyId, PolicyCoverage>,
}

impl<'a> Tally<'a> {
    /// Nothing seen yet. Linear in the policies.
    pub(super) fn of(policies: &'a CompiledPolicies, starts: &BTreeMap<PolicyId, Start>) -> Self {
        let fresh = |id: &PolicyId| (id.clone(), uncovered(policies, id, starts.get(id)));
        Self { policies, counted: policies.asked().map(fresh).collect() }
    }

    /// Counts what one test has seen.
    pub(super) fn saw(&mut self, truths: Vec<(PolicyId, Vec<Truth>)>) {
        for (policy, truths) in truths {
            let Some(counted) = self.counted.get_mut(&policy) else { continue };
            let parts = self.policies.clauses(&policy);
            counted.saw(&parts, &truths);
        }
    }

    /// What was seen.
    pub(super) fn coverage(self) -> Coverage {
        let policies: Vec<_> = self.counted.into_values().collect();
        let all = policies.iter().map(PolicyCoverage::ways);
        let (ways, seen) = all.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        Coverage { ways, seen, policies }
    }
}

impl PolicyCoverage {
    fn saw(&mut self, parts: &[Clause], truths: &[Truth]) {
        let holds =
            |(clause, truth): (&Clause, &Truth)| truth.known() == Some(clause.part.wanted());
        let erred = truths.iter().any(|truth| matches!(truth, Truth::Error { .. }));
        if erred {
            self.erred += 1;
        } else if parts.iter().zip(truths).all(holds) {
            self.applied += 1;
        } else {
            self.did_not_apply += 1;
        }
        let conditions = parts.iter().zip(truths).filter(|(clause, _)| !clause.part.is_scope());
        for (counted, (_, truth)) in self.clauses.iter_mut().zip(conditions) {
            match truth {
                Truth::True => counted.held += 1,
                Truth::False => counted.failed += 1,
                Truth::Error { .. } => counted.erred += 1,
                Truth::NotReached { .. } => {}
            }
        }
    }
}

fn uncovered(policies: &CompiledPolicies, id: &PolicyId, start: Option<&Start>) -> PolicyCoverage {
    let clauses = policies.clauses(id);
    let open = |clause: &Clause| clause.part.is_scope() && clause.text == clause.part.as_str();
    let always_applies = clauses.iter().all(open);
    let above = start.map_or(0, |(_, above)| *above);
    let conditions = clauses.into_iter().filter(|clause| !clause.part.is_scope());
    let fresh = |clause: Clause| ClauseCoverage {
        clause: Clause { line: clause.line.map(|line| line + above), ..clause },
        held: 0,
        failed: 0,
        erred: 0,
    };
    PolicyCoverage {
        policy: id.clone(),
        file: start.map(|(file, _)| file.clone()),
        line: start.map(|(_, above)| above + 1),
        always_applies,
        applied: 0,
        did_not_apply: 0,
        erred: 0,
        clauses: conditions.map(fresh).collect(),
    }
}
