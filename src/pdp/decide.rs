//! The decision.

use std::collections::BTreeSet;

use serde_json::Value;

use super::entities::Entities;
use super::personal::{Gaps, separate};
use super::step_up::step_up;
use super::{Ask, bounded, naming, rests_on_unrecorded, session, shadow};
use crate::cedar::{Context, ERRED_ON_PERSONAL, Effect, Evaluation, Misfit, Question, TypedFacts};
use crate::event::{
    AccessDecided, Note, PolicyFailure, SessionFacts, SessionUsed, StepUp, Verdict,
};
use crate::model::{AccessRequest, Index, KeyId, Moment, SetKind, Uid};
use crate::projection::{Compiled, Footprint, LookedFor, World};

/// What the caller may not say in `context`: these are the World's to say.
pub const OURS: [&str; 5] = ["session", "session_token", "pep", "now", ACTION_PROPERTIES];

/// Where policies see the action's properties.
pub(super) const ACTION_PROPERTIES: &str = "action_properties";

/// Decides a question in a World at a time. Pure: the same three always give the
/// same decision, which is what a replay relies on. Costs an evaluation of
/// each policy whose scope the question is in and what the request's entities take,
/// however many policies and entities there are; never fails: whatever is
/// wrong with the question is a deny with a [`Note`].
///
/// Where the question wants it, a denial says which login would help; that costs up to
/// twenty decisions more. While policies are staged, what they would say stands beside it;
/// that costs one decision more and changes nothing of it.
///
/// What the schema declares personal of the request stands apart in it, yet to be sealed.
/// Where the key of a personal value is missing, and nobody can say whether the answer would
/// be the same with it, that is a denial.
#[must_use]
pub fn decide(world: &World, ask: &Ask, now: Moment) -> AccessDecided {
    *recordable(world, ask, now, Way::of(world, ask.set)).decided
}

/// As [`decide`], and what the decision rests on.
#[must_use]
pub fn decide_on(world: &World, ask: &Ask, now: Moment) -> (Box<AccessDecided>, Footprint) {
    let again = recordable(world, ask, now, Way::of(world, ask.set));
    (again.decided, Footprint::of(world).with(again.looked_for))
}

/// A decision as it goes on the record.
pub(super) fn recordable(world: &World, ask: &Ask, now: Moment, way: Way) -> Again {
    let mut again = taken_beside(world, ask, now, &Gaps::default(), way);
    again.fail_closed();
    again
}

/// A decision taken again.
#[derive(Clone, Debug)]
pub struct Again {
    /// What came of it.
    pub decided: Box<AccessDecided>,
    /// The keys of what was personal, cannot be seen any more, and may have decided. If
    /// there is none, the decision must be the recorded one.
    pub rests_on: BTreeSet<KeyId>,
    /// Whether what the staged policies say beside it must be what is recorded of them.
    pub shadow_repeats: bool,
    /// Which entities of the directory it has looked for, and what was found.
    pub(super) looked_for: LookedFor,
}

impl Again {
    /// Denies what may rest on a value whose key is missing: without it a `forbid` may be
    /// silent that would have denied.
    pub(super) fn fail_closed(&mut self) {
        let decided = &mut *self.decided;
        if !self.rests_on.is_empty() {
            deny_for_want_of_a_key(decided);
        }
        if let Some(shadow) = decided.shadow.as_mut().filter(|_| !self.shadow_repeats) {
            (shadow.decision, shadow.note) = (Verdict::Deny, Some(Note::KeyMissing));
            shadow.determining.clear();
            shadow.errors.clear();
        }
    }
}

pub(super) fn deny_for_want_of_a_key(decided: &mut AccessDecided) {
    (decided.decision, decided.note) = (Verdict::Deny, Some(Note::KeyMissing));
    decided.determining.clear();
    decided.errors.clear();
    let none = StepUp { acr_values: Vec::new(), max_age_s: None };
    decided.step_up = decided.step_up.take().map(|_| none);
}

/// As [`decide`], of a World of the past that is folded with the keys of now: says too
/// whether the answer may rest on what cannot be seen any more.
#[must_use]
pub fn decide_as_of(world: &World, ask: &Ask, then: Moment) -> Again {
    taken(world, ask, then, &Gaps::default(), Way::of(world, ask.set))
}

/// As [`decide_as_of`], if the subject had a session of these facts: for asking what
/// somebody could do who can show as much. Which login would help is not looked for.
#[must_use]
pub fn decide_if(world: &World, ask: &Ask, then: Moment, session: &SessionFacts) -> Again {
    let way = Way::of(world, ask.set);
    let mut again = supposing(world, ask, then, &Gaps::default(), way, session);
    bound(&mut again.decided);
    again
}

/// Takes a recorded decision again in a World folded to just before it. Costs what
/// [`decide`] costs and, if something cannot be seen, a look through the policies.
#[must_use]
pub fn decide_again(world: &World, recorded: &AccessDecided) -> Again {
    let ask = Ask::recorded(recorded);
    let (gaps, way) = (Gaps::of(recorded), Way::of(world, ask.set));
    let mut again = taken_beside(world, &ask, recorded.now, &gaps, way);
    let noted = recorded.shadow.as_ref().and_then(|shadow| shadow.note);
    again.shadow_repeats &= noted != Some(Note::KeyMissing);
    if again.decided.shadow.is_some() && again.shadow_repeats {
        // A staged schema may have heard more of the caller than the record holds.
        let beside = shadow::staged(world);
        let unrecorded = |beside| rests_on_unrecorded(world, &beside, recorded);
        again.shadow_repeats = shadow::compiles(world, recorded) && !beside.is_some_and(unrecorded);
    }
    again
}

/// Which policies are asked. The answer is the same; if ever it is not, that is on the
/// record, and from then on all are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Those that the index finds.
    Indexed,
    /// Each, by Cedar's own authorizer.
    Each,
}

impl Way {
    /// The few policies of Countersign's own administration are all asked: nothing is won
    /// by an index there, and nobody checks it.
    pub(super) fn of(world: &World, set: SetKind) -> Self {
        let doubted = world.index_doubts.current().is_some();
        if doubted || set == SetKind::System { Self::Each } else { Self::Indexed }
    }
}

pub(super) fn taken(world: &World, ask: &Ask, now: Moment, gaps: &Gaps, way: Way) -> Again {
    let mut again = concluded(world, ask, now, gaps, way, None);
    if ask.step_up && again.decided.decision == Verdict::Deny {
        let found = step_up(world, ask, &mut again, gaps, way);
        again.decided.step_up = Some(found);
    }
    bound(&mut again.decided);
    again
}

/// The same, with what the staged policies say beside it: whatever is recorded.
pub(super) fn taken_beside(world: &World, ask: &Ask, now: Moment, gaps: &Gaps, way: Way) -> Again {
    let mut again = taken(world, ask, now, gaps, way);
    shadow::beside(world, ask, now, gaps, way, &mut again);
    again
}

/// What would be decided if the subject had a session of these facts; nothing of it is
/// recorded.
pub(super) fn supposing(
    world: &World,
    ask: &Ask,
    now: Moment,
    gaps: &Gaps,
    way: Way,
    supposed: &SessionFacts,
) -> Again {
    concluded(world, ask, now, gaps, way, Some(supposed))
}

pub(super) fn concluded(
    world: &World,
    ask: &Ask,
    now: Moment,
    gaps: &Gaps,
    way: Way,
    supposed: Option<&SessionFacts>,
) -> Again {
    let (decided, rests_on) = (Box::new(undecided(world, ask, now)), BTreeSet::new());
    let mut again =
        Again { decided, rests_on, shadow_repeats: true, looked_for: LookedFor::default() };
    let asked = named(world, ask).and_then(|names| {
        let presented = || session::look_up(world, ask.set, ask.presented, &names.subject, now);
        again.decided.session =
            supposed.map_or_else(presented, |facts| Some(SessionUsed::InForce(facts.clone())));
        by_policies(world, ask, &names, gaps, way, &mut again)
    });
    if let Err(note) = asked {
        again.decided.note = Some(note);
        strip(&mut again.decided);
    }
    again
}

pub(super) fn undecided(world: &World, ask: &Ask, now: Moment) -> AccessDecided {
    AccessDecided {
        decision: Verdict::Deny,
        set: ask.set,
        request: AccessRequest::clone(&ask.request),
        personal: Vec::new(),
        pep: ask.pep.clone(),
        now,
        through: world.through.unwrap_or(Index(0)),
        policies: world.set(ask.set).in_force(),
        session: None,
        determining: Vec::new(),
        errors: Vec::new(),
        pruned: Vec::new(),
        believed: Vec::new(),
        omitted: 0,
        note: None,
        step_up: None,
        shadow: None,
    }
}

/// What no schema has understood is not recorded, only that it was there: a log that
/// cannot forget is no place for what a caller sends by mistake.
fn strip(decided: &mut AccessDecided) {
    let AccessRequest { subject, action, resource, context } = &mut decided.request;
    for (place, said) in [
        ("subject.properties", &mut subject.properties),
        ("action.properties", &mut action.properties),
        ("resource.properties", &mut resource.properties),
        ("context", context),
    ] {
        let names = std::mem::take(said).into_iter().map(|(name, _)| format!("{place}.{name}"));
        decided.pruned.extend(names);
    }
}

/// The question in Cedar's names.
pub(super) struct Names {
    pub(super) subject: Uid,
    pub(super) action: Uid,
    pub(super) resource: Uid,
}

pub(super) fn named(world: &World, ask: &Ask) -> Result<Names, Note> {
    let namespace = match ask.set {
        SetKind::Application => world.settings.namespace.as_ref(),
        SetKind::System => None,
    };
    let AccessRequest { subject, action, resource, .. } = &*ask.request;
    let compiled = world.set(ask.set).compiled().and_then(Result::ok);
    let schema = compiled.map(|compiled| &compiled.schema);
    let names = Names {
        subject: naming::entity(subject, namespace, schema)?,
        action: naming::action(&action.name, namespace, schema)?,
        resource: naming::entity(resource, namespace, schema)?,
    };
    let all = [&names.subject, &names.action, &names.resource];
    if ask.set == SetKind::Application && all.iter().any(|uid| uid.kind().is_reserved()) {
        return Err(Note::Reserved);
    }
    Ok(names)
}

fn by_policies(
    world: &World,
    ask: &Ask,
    names: &Names,
    gaps: &Gaps,
    way: Way,
    again: &mut Again,
) -> Result<(), Note> {
    let decided = &mut again.decided;
    let Posed { compiled, question, mut entities } = posed(world, ask, names, gaps, decided)?;
    match question {
        Ok(question) => {
            let evaluation = match way {
                Way::Indexed => compiled.policies.evaluate(&question, &entities),
                Way::Each => compiled.policies.evaluate_each(&question, &entities),
            };
            conclude(compiled, evaluation, world.settings.forbid_errors_deny, decided);
            let met = entities.met.borrow();
            if !gaps.is_empty() || !met.is_empty() {
                again.rests_on = gaps.rested_on(&met, &compiled.policies, &question);
            }
        }
        Err(_) => decided.note = Some(Note::ContextIncomplete),
    }
    again.looked_for = entities.looked_for.into_inner();
    decided.pruned.append(&mut entities.ignored);
    decided.believed = entities.believed;
    let named = [&names.subject, &names.action, &names.resource];
    decided.personal = separate(&compiled.schema, named, &mut decided.request);
    Ok(())
}

/// A question as it is put to policies, and the entities that they may look at.
pub(super) struct Posed<'a> {
    pub(super) compiled: &'a Compiled,
    /// Or what its context lacks, by path.
    pub(super) question: Result<Question, Vec<String>>,
    pub(super) entities: Entities<'a>,
}

/// Puts a question in Cedar's terms, and notes in `decided` what of it does not count.
pub(super) fn posed<'a>(
    world: &'a World,
    ask: &Ask,
    names: &Names,
    gaps: &Gaps,
    decided: &mut AccessDecided,
) -> Result<Posed<'a>, Note> {
    let Some(Ok(compiled)) = world.set(ask.set).compiled() else {
        return Err(Note::NoPolicies);
    };
    applies(compiled, names)?;
    let mut entities = Entities::new(ask.set, world, &compiled.schema);
    entities.say("subject", &names.subject, &mut decided.request.subject);
    entities.say("resource", &names.resource, &mut decided.request.resource);
    let facts = ask.facts.of(&compiled.schema, &names.action, decided);
    let question =
        context(compiled, &names.action, &facts, gaps, decided).map(|context| Question {
            principal: names.subject.clone(),
            action: names.action.clone(),
            resource: names.resource.clone(),
            context,
        });
    Ok(Posed { compiled, question, entities })
}

fn applies(compiled: &Compiled, names: &Names) -> Result<(), Note> {
    let fits = compiled.schema.fits(&names.subject, &names.action, &names.resource);
    fits.map_err(|misfit| match misfit {
        Misfit::UnknownAction(_) => Note::UnknownAction,
        Misfit::UnknownType(_) => Note::UnknownType,
        _ => Note::DoesNotApply,
    })
}

/// The context that policies see: what the caller says, then what the World says,
/// each as far as the schema declares it for the action. Or what is missing in it.
fn context(
    compiled: &Compiled,
    action: &Uid,
    facts: &TypedFacts,
    gaps: &Gaps,
    decided: &mut AccessDecided,
) -> Result<Context, Vec<String>> {
    let said = &mut decided.request.context;
    for name in OURS {
        if said.remove(name).is_some() {
            decided.pruned.push(format!("context.{name}"));
        }
    }
    let declared = |name: &str| compiled.schema.context_declares(action, name);
    let properties = std::mem::take(&mut decided.request.action.properties);
    let some = !properties.is_empty();
    if some && declared(ACTION_PROPERTIES) {
        said.insert(ACTION_PROPERTIES.to_owned(), Value::Object(properties));
    }
    let shaped = compiled.schema.shape_context_with(action, said, facts);
    shaped.keep(said);
    match said.remove(ACTION_PROPERTIES) {
        Some(Value::Object(understood)) => decided.request.action.properties = understood,
        _ if some => decided.pruned.push("action.properties".to_owned()),
        _ => {}
    }
    decided.pruned.extend(shaped.pruned.iter().map(|path| format!("context.{path}")));
    let complete = shaped.missing.iter().all(|path| gaps.explains(path));
    if complete { Ok(shaped.value) } else { Err(shaped.missing) }
}

fn conclude(
    compiled: &Compiled,
    evaluation: Evaluation,
    forbid_errors_deny: bool,
    decided: &mut AccessDecided,
) {
    let forbid_erred = evaluation.errors.iter().any(|error| error.effect == Effect::Forbid);
    if evaluation.allowed && forbid_erred && forbid_errors_deny {
        decided.note = Some(Note::ForbidErred);
    } else {
        decided.decision = if evaluation.allowed { Verdict::Allow } else { Verdict::Deny };
        decided.determining = evaluation.determining;
    }
    let failure = |error: crate::cedar::PolicyError| PolicyFailure {
        // Cedar's words may repeat what it read, and here it may have read about somebody.
        message: if compiled.policies.reads_personal(&error.policy) {
            ERRED_ON_PERSONAL.to_owned()
        } else {
            bounded::message(error.message)
        },
        policy: error.policy,
    };
    decided.errors = evaluation.errors.into_iter().map(failure).collect();
}

/// An event is bounded, and so is each of its lists.
fn bound(decided: &mut AccessDecided) {
    let mut omitted = 0;
    (decided.determining, omitted) = counted(std::mem::take(&mut decided.determining), omitted);
    (decided.errors, omitted) = counted(std::mem::take(&mut decided.errors), omitted);
    (decided.pruned, omitted) = counted(std::mem::take(&mut decided.pruned), omitted);
    (decided.believed, omitted) = counted(std::mem::take(&mut decided.believed), omitted);
    decided.omitted = omitted;
}

fn counted<T: serde::Serialize>(list: Vec<T>, before: u64) -> (Vec<T>, u64) {
    let (kept, omitted) = bounded::fitting(list);
    (kept, before + omitted)
}
