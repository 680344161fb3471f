//! Why a question is decided as it is: for each policy that mattered, or nearly did, which
//! of its clauses held, with what was found where they looked.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::decide::{Posed, Way, deny_for_want_of_a_key, named, posed, taken_beside, undecided};
use super::entities::Entities;
use super::sentence::Words;
use super::{Again, Ask, Gaps};
use crate::cedar::{
    ClauseWeighed, CompiledPolicies, Effect, EntitySource as _, Found, Misfit, Near, Outcome, Part,
    Piece, PolicyWeighed, Question, Seen,
};
use crate::event::{AccessDecided, Note, Verdict, VersionRef};
use crate::model::{KeyId, Moment, PolicyId, Uid};
use crate::projection::{Erasures, World};

/// How many policies are told in full, and how many of them because they are the nearest.
const POLICIES_MAX: usize = 20;
const NEAREST_MAX: usize = 4;

/// How many policies are looked at to find the nearest.
const LOOKED_AT_MAX: usize = 1_000;

/// Why a question is decided as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The answer.
    pub decision: Verdict,
    /// Why, in one sentence for people.
    pub sentence: String,
    /// What else there is to know, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// What was asked, in Cedar's names; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// Why it is denied, where that is not Cedar's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// The policy set it is decided by; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_set: Option<VersionRef>,
    /// The policies that mattered, then those that would have with little else.
    pub policies: Vec<PolicyExplained>,
    /// How many more mattered, or nearly did, than are told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: usize,
    /// True if the answer may rest on something personal that cannot be seen any more: then
    /// nobody can say whether this is why.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A question in Cedar's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who.
    pub principal: Uid,
    /// What.
    pub action: Uid,
    /// To what.
    pub resource: Uid,
}

/// A policy, and why it is told of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyExplained {
    /// What it did in the decision.
    pub role: Role,
    /// What its author says it is for: its `@description`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its author wants told whom it denies: its `@deny_message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny_message: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub weighed: PolicyWeighed,
}

/// What a policy did in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It determined the answer.
    Determined,
    /// It could not be evaluated, and did not count.
    Erred,
    /// It would have allowed, if others had not forbidden.
    Overruled,
    /// It would have allowed, with little else.
    Nearest,
}

/// Explains a question as [`decide`](super::decide) decides it: the same World, question and
/// time give the same answer there and here, and the same explanation. `erasures` are all
/// that are known, of later entries too.
///
/// Costs what the decision costs, a look at the scope of each policy, and two or three
/// evaluations of those that come near; call it on a large stack. Personal values are not in
/// it.
#[must_use]
pub fn explain(world: &World, ask: &Ask, now: Moment, erasures: &Erasures) -> Explanation {
    let take = |ask: &Ask| {
        let mut again = taken_beside(world, ask, now, &Gaps::default(), Way::of(world, ask.set));
        // What was erased since is missing only from the past: no vault can have it back.
        if again.rests_on.iter().any(|key| !erasures.contains(key)) {
            again.fail_closed();
        }
        again
    };
    explained(world, ask, now, &Gaps::default(), erasures, take)
}

/// Explains a recorded decision, as [`decide_again`](super::decide_again) takes it again, in
/// a World folded to just before it.
#[must_use]
pub fn explain_again(world: &World, recorded: &AccessDecided, erasures: &Erasures) -> Explanation {
    let (ask, gaps) = (Ask::recorded(recorded), Gaps::of(recorded));
    let take = |ask: &Ask| {
        let mut again = taken_beside(world, ask, recorded.now, &gaps, Way::of(world, ask.set));
        if recorded.note == Some(Note::KeyMissing) {
            deny_for_want_of_a_key(&mut again.decided);
        }
        again
    };
    explained(world, &ask, recorded.now, &gaps, erasures, take)
}

fn explained(
    world: &World,
    ask: &Ask,
    now: Moment,
    gaps: &Gaps,
    erasures: &Erasures,
    take: impl FnOnce(&Ask) -> Again,
) -> Explanation {
    // Which login would help is told, whether it was asked or not.
    let Again { decided, rests_on, .. } = take(&Ask { step_up: true, ..ask.clone() });
    let named = named(world, ask);
    let mut scratch =
        AccessDecided { session: decided.session.clone(), ..undecided(world, ask, now) };
    let put = named.as_ref().map_err(|note| *note);
    let put = put.and_then(|names| posed(world, ask, names, gaps, &mut scratch));
    let (mut told, mut obstacle, mut strangers) = (Told::default(), None, Vec::new());
    match &put {
        Ok(Posed { compiled, question: Ok(question), entities }) => {
            told = Told::of(&compiled.policies, question, entities, &decided);
            told.hide(&gaps.unseen(&entities.met.borrow()), erasures);
            let known = |uid: &&Uid| {
                entities.entity(uid).is_some() || !compiled.schema.has_anything(uid.kind())
            };
            strangers.extend(
                [&question.principal, &question.resource].into_iter().filter(|uid| !known(uid)),
            );
        }
        Ok(Posed { question: Err(missing), .. }) => obstacle = Some(missing.join("`, `")),
        Err(_) => obstacle = misfit(world, ask),
    }
    let words = Words {
        decided: &decided,
        policies: &told.policies,
        obstacle: obstacle.as_deref(),
        strangers: &strangers,
        unseen: !rests_on.is_empty(),
    };
    Explanation {
        decision: decided.decision,
        sentence: words.sentence(),
        remarks: words.remarks(),
        asked: named.ok().map(|names| Asked {
            principal: names.subject,
            action: names.action,
            resource: names.resource,
        }),
        note: decided.note,
        policy_set: decided.policies,
        unseen: !rests_on.is_empty(),
        omitted: told.omitted,
        policies: told.policies,
    }
}

/// What of the question the schema does not know, in words.
fn misfit(world: &World, ask: &Ask) -> Option<String> {
    let names = named(world, ask).ok()?;
    let Some(Ok(compiled)) = world.set(ask.set).compiled() else { return None };
    let fits = compiled.schema.fits(&names.subject, &names.action, &names.resource);
    fits.err().map(|misfit: Misfit| misfit.to_string())
}

/// The policies to tell of.
#[derive(Default)]
struct Told {
    policies: Vec<PolicyExplained>,
    omitted: usize,
}

impl Told {
    fn of(
        policies: &CompiledPolicies,
        question: &Question,
        entities: &Entities<'_>,
        decided: &AccessDecided,
    ) -> Self {
        let near = policies.near(question, entities);
        let erred = decided.errors.iter().map(|failure| &failure.policy);
        let mattered: Vec<_> = decided.determining.iter().chain(erred).collect();
        let in_scope = near.iter().filter(|near| near.but_for.is_none()).map(|near| &near.policy);
        let others = in_scope.filter(|id| !mattered.contains(id)).take(LOOKED_AT_MAX);
        let weighed = policies.weigh(question, entities, mattered.iter().copied().chain(others));
        let applies = |effect| {
            let of = |one: &PolicyWeighed| one.outcome == Outcome::Applies && one.effect == effect;
            weighed.iter().any(of)
        };
        let erred_shut = decided.note == Some(Note::ForbidErred);
        let forbidden = applies(Effect::Forbid) || erred_shut;
        let permitted = applies(Effect::Permit);
        let (mut told, mut nearest) = (Vec::new(), Vec::new());
        for one in weighed {
            match (&one.outcome, one.effect) {
                (Outcome::Erred { .. }, _) => told.push((Role::Erred, one)),
                (Outcome::Applies, Effect::Permit) if forbidden => {
                    told.push((Role::Overruled, one));
                }
                (Outcome::Applies, _) => told.push((Role::Determined, one)),
                (Outcome::DoesNotApply, Effect::Permit) if !permitted => nearest.push(one),
                (Outcome::DoesNotApply, _) => {}
            }
        }
        told.sort_by(|one, other| (one.0, &one.1.policy).cmp(&(other.0, &other.1.policy)));
        let room = POLICIES_MAX - NEAREST_MAX;
        let mut omitted = told.len().saturating_sub(room);
        told.truncate(room);
        if !permitted {
            nearest.extend(policies.weigh(question, entities, beside(&near)));
            nearest.sort_by(|one, other| distance(one).cmp(&distance(other)));
            omitted += nearest.len().saturating_sub(NEAREST_MAX);
            told.extend(nearest.into_iter().take(NEAREST_MAX).map(|one| (Role::Nearest, one)));
        }
        let explained = |(role, weighed): (Role, PolicyWeighed)| {
            let annotation = |key| {
                let found = policies.annotation(&weighed.policy, key).map(str::trim);
                found.filter(|text| !text.is_empty()).map(str::to_owned)
            };
            let (description, deny_message) =
                (annotation("description"), annotation("deny_message"));
            PolicyExplained { role, description, deny_message, weighed }
        };
        Self { policies: told.into_iter().map(explained).collect(), omitted }
    }

    /// Says of what could not be seen whether it ever can.
    fn hide(&mut self, unseen: &BTreeMap<String, BTreeSet<KeyId>>, erasures: &Erasures) {
        if unseen.is_empty() {
            return;
        }
        let hide = |seen: &mut Seen| {
            let keys = seen.names.iter().find_map(|name| unseen.get(name));
            if let (Found::Absent, Some(keys)) = (&seen.found, keys) {
                let erased = keys.iter().all(|key| erasures.contains(key));
                seen.found = if erased { Found::Erased } else { Found::Sealed };
            }
        };
        for clause in self.policies.iter_mut().flat_map(|one| &mut one.weighed.clauses) {
            clause.values.iter_mut().for_each(hide);
            let mut open: Vec<&mut Piece> = clause.pieces.iter_mut().collect();
            while let Some(piece) = open.pop() {
                piece.values.iter_mut().for_each(hide);
                open.extend(&mut piece.pieces);
            }
        }
    }
}

/// The permits of which one part of the scope does not hold. One that is for another
/// action only is told if there is no other.
fn beside(near: &[Near]) -> impl Iterator<Item = &PolicyId> {
    let permits = |action: bool| {
        near.iter().filter(move |near| {
            let part = near.but_for.filter(|_| near.effect == Effect::Permit);
            part.is_some_and(|part| (part == Part::Action) == action)
        })
    };
    let others = permits(false).next().is_some();
    permits(!others).map(|near| &near.policy).take(LOOKED_AT_MAX)
}

/// How far a permit is from applying: first those whose scope holds, then by how many of
/// their clauses do not.
fn distance(weighed: &PolicyWeighed) -> (bool, usize, &PolicyId) {
    let mut scope = weighed.clauses.iter().filter(|clause| clause.clause.part.is_scope());
    let beside = scope.any(ClauseWeighed::fails);
    (beside, weighed.failing(), &weighed.policy)
}
