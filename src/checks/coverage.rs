//! Which policies and which of their clauses tests have seen both ways.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cedar::{Clause, ClauseWeighed, CompiledPolicies, Outcome, Piece, PolicyWeighed, Truth};
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
    /// What it is made of, once a test has reached it: the operands of `&&`, `||` and `if`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<PieceCoverage>,
}

/// What tests have seen of a piece of a condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PieceCoverage {
    /// As it is written.
    pub text: String,
    /// In how many tests it was true.
    #[serde(rename = "true")]
    pub held: usize,
    /// In how many it was false.
    #[serde(rename = "false")]
    pub failed: usize,
}

impl Coverage {
    /// True if tests have seen at least so many per cent of what there is to see.
    #[must_use]
    pub fn reaches(&self, per_cent: u8) -> bool {
        self.seen.saturating_mul(100) >= self.ways.saturating_mul(usize::from(per_cent))
    }
}

impl PolicyCoverage {
    /// How many ways there are for it and its conditions to end, and how many were seen.
    fn ways(&self) -> (usize, usize) {
        let own = [self.applied, self.did_not_apply];
        let own = own.into_iter().take(if self.always_applies { 1 } else { 2 });
        let conditions = self.clauses.iter().flat_map(|it| [it.held, it.failed]);
        let pieces = self.clauses.iter().flat_map(|it| &it.pieces);
        let pieces = pieces.flat_map(|it| [it.held, it.failed]);
        own.chain(conditions)
            .chain(pieces)
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
        for ClauseCoverage { clause, held, failed, erred, pieces } in &self.clauses {
            let told = |what: String| Unseen { line: clause.line, what };
            match never(*held, *failed) {
                Some(_) if held + failed + erred == 0 => {
                    unseen.push(told(format!("never reached: {clause}")));
                }
                Some(never) => unseen.push(told(format!("{never}: {clause}"))),
                None => {}
            }
            let gaps = pieces.iter().filter_map(|it| Some((never(it.held, it.failed)?, &it.text)));
            unseen
                .extend(gaps.map(|(never, text)| told(format!("{never}: `{text}`, in {clause}"))));
        }
        unseen
    }
}

const fn never(held: usize, failed: usize) -> Option<&'static str> {
    match (held, failed) {
        (0, 0) => Some("never reached"),
        (0, _) => Some("never true"),
        (_, 0) => Some("never false"),
        _ => None,
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
pub(super) struct Tally {
    counted: BTreeMap<PolicyId, PolicyCoverage>,
    /// How many tests policies were asked in.
    asked: usize,
}

impl Tally {
    /// Nothing seen yet. Linear in the policies.
    pub(super) fn of(policies: &CompiledPolicies, starts: &BTreeMap<PolicyId, Start>) -> Self {
        let fresh = |id: &PolicyId| (id.clone(), uncovered(policies, id, starts.get(id)));
        Self { counted: policies.asked().map(fresh).collect(), asked: 0 }
    }

    /// Counts what one test has seen: the policies in whose scope it is. No other applied.
    pub(super) fn saw(&mut self, in_scope: &[PolicyWeighed]) {
        self.asked += 1;
        for weighed in in_scope {
            if let Some(counted) = self.counted.get_mut(&weighed.policy) {
                counted.saw(weighed);
            }
        }
    }

    /// What was seen.
    pub(super) fn coverage(self) -> Coverage {
        let asked = self.asked;
        let whole = |mut it: PolicyCoverage| {
            it.did_not_apply = asked.saturating_sub(it.applied + it.erred);
            it
        };
        let policies: Vec<_> = self.counted.into_values().map(whole).collect();
        let all = policies.iter().map(PolicyCoverage::ways);
        let (ways, seen) = all.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        Coverage { ways, seen, policies }
    }
}

impl PolicyCoverage {
    fn saw(&mut self, weighed: &PolicyWeighed) {
        match weighed.outcome {
            Outcome::Applies => self.applied += 1,
            Outcome::DoesNotApply => {}
            Outcome::Erred { .. } => self.erred += 1,
        }
        let conditions = weighed.clauses.iter().filter(|it| !it.clause.part.is_scope());
        for (counted, weighed) in self.clauses.iter_mut().zip(conditions) {
            counted.saw(weighed);
        }
    }
}

impl ClauseCoverage {
    fn saw(&mut self, weighed: &ClauseWeighed) {
        let mut pieces = Vec::new();
        leaves(&weighed.pieces, &mut pieces);
        if self.pieces.is_empty() {
            let fresh = |(text, _): &(&str, _)| PieceCoverage {
                text: (*text).to_owned(),
                held: 0,
                failed: 0,
            };
            self.pieces = pieces.iter().map(fresh).collect();
        }
        count(&weighed.truth, &mut self.held, &mut self.failed);
        self.erred += usize::from(matches!(weighed.truth, Truth::Error { .. }));
        for (counted, (_, truth)) in self.pieces.iter_mut().zip(pieces) {
            count(truth, &mut counted.held, &mut counted.failed);
        }
    }
}

fn count(truth: &Truth, held: &mut usize, failed: &mut usize) {
    match truth.known() {
        Some(true) => *held += 1,
        Some(false) => *failed += 1,
        None => {}
    }
}

/// The smallest pieces. One that stands alone, as behind `!`, tells nothing that the whole
/// does not.
fn leaves<'a>(pieces: &'a [Piece], found: &mut Vec<(&'a str, &'a Truth)>) {
    if let [_, _, ..] = pieces {
        for piece in pieces {
            match piece.pieces.as_slice() {
                inner @ [_, _, ..] => leaves(inner, found),
                _ => found.push((&piece.text, &piece.truth)),
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
        pieces: Vec::new(),
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

#[cfg(test)]
mod tests {
    use super::super::{Given, Report, Suite, Which, examine};
    use super::*;
    use crate::cedar::Limits;
    use crate::model::GoOn;
    use crate::projection::World;
    use serde_json::{Value, json};

    const SCHEMA: &str = "entity User = { level: Long }; entity Doc; action view appliesTo { \
        principal: [User], resource: [Doc], context: { mfa: Bool } };";

    const POLICIES: &str = "@id(\"a\")\npermit (principal, action == Action::\"view\", resource)\n\
        when { context.mfa || principal.level > 3 };\n\n\
        @id(\"b\")\nforbid (principal is User, action, resource)\nunless { context.mfa };\n\
        @id(\"c\")\npermit (principal, action, resource is Doc)\nwhen { !context.mfa };\n";

    fn report(asked: &[(u8, bool)]) -> Report {
        let test = |(level, mfa): &(u8, bool)| -> Value {
            json!({
                "request": {
                    "principal": "User::\"a\"", "action": "Action::\"view\"",
                    "resource": "Doc::\"d\"", "context": {"mfa": mfa},
                },
                "entities": [{"uid": {"type": "User", "id": "a"}, "attrs": {"level": level}}],
                "decision": if *mfa { "allow" } else { "deny" },
            })
        };
        let tests = asked.iter().map(test).collect();
        let suite = Suite { name: "t.json".to_owned(), tests, files: BTreeMap::new() };
        let given = Given {
            files: vec![("p.cedar".to_owned(), POLICIES.to_owned())],
            schema: Some(SCHEMA.to_owned()),
            suites: vec![suite],
            ..Given::default()
        };
        let (which, limits) = (Which::default(), Limits::default());
        examine(&World::default(), given, which, &limits, &GoOn::ALWAYS)
    }

    fn unseen(asked: &[(u8, bool)]) -> (usize, Vec<String>) {
        let report = report(asked);
        assert!(report.passed, "{report:?}");
        let coverage = report.coverage.unwrap();
        let told = |policy: &PolicyCoverage| {
            let id = policy.policy.clone();
            let told = move |it: Unseen| format!("{}: {id} {}", it.line.unwrap(), it.what);
            policy.unseen().into_iter().map(told).collect::<Vec<_>>()
        };
        (coverage.ways - coverage.seen, coverage.policies.iter().flat_map(told).collect())
    }

    #[test]
    fn what_no_test_has_seen_is_told_with_its_line() {
        let (missing, told) = unseen(&[(1, true)]);
        let when = "when { context.mfa || principal.level > 3 }";
        let expected = [
            "1: a it always applied".to_owned(),
            format!("3: a never false: {when}"),
            format!("3: a never false: `context.mfa`, in {when}"),
            format!("3: a never reached: `principal.level > 3`, in {when}"),
            "5: b it never applied".to_owned(),
            "7: b never false: unless { context.mfa }".to_owned(),
            "8: c it never applied".to_owned(),
            "10: c never true: when { !context.mfa }".to_owned(),
        ];
        assert_eq!(told, expected);
        // Of what was never reached, both ways are missing.
        assert_eq!(missing, expected.len() + 1);
    }

    #[test]
    fn once_all_is_seen_nothing_is_told() {
        assert_eq!(unseen(&[(1, true), (1, false), (4, false)]), (0, Vec::new()));
    }
}
