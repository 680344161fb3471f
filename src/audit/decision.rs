//! Everything that led to one decision.

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::replay::differences;
use super::{Difference, describe};
use crate::event::{AccessDecided, DecisionSettings, Envelope, Event, Presented, VersionRef};
use crate::model::{
    EntityAsked, EntityDocument, EntityType, Index, Label, Moment, Personal, Pointer, PolicyId,
    PolicySource, ReservedType, Scopes, SetKind, StreamName, Uid,
};
use crate::projection::{Erasures, World};

/// What an auditor is shown of one decision: the record itself, and what it rested on
/// in the World of its time.
#[derive(Clone, Debug, Serialize)]
pub struct Dossier {
    /// The stored bytes, as they are in the log.
    pub entry: Box<RawValue>,
    /// The decision in one line.
    pub summary: String,
    /// The policies that determined it or erred in it, with their texts of that time.
    pub policies: Vec<PolicyShown>,
    /// The policy set it was decided by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_set: Option<VersionRef>,
    /// The schema it was decided under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<VersionRef>,
    /// The authentication events that made the session presented what it was, oldest
    /// first; none if none was presented.
    pub authentication: Vec<Step>,
    /// The subject, as far as it was known.
    pub subject: Party,
    /// The resource, as far as it was known.
    pub resource: Party,
    /// What is personal of the request, the subject and the resource, and whether it can
    /// still be known; never what it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub personal: Vec<PersonalShown>,
    /// The settings that it was decided under.
    pub settings: DecisionSettings,
    /// Whether it comes out the same when taken again.
    pub replay: Repetition,
}

/// Where something is personal, and whose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PersonalShown {
    /// Whose it is.
    pub of: Uid,
    /// Where it is: in the request, or in the entity of that name.
    pub paths: Vec<Pointer>,
    /// Whether it can be known.
    pub state: PersonalState,
}

/// Whether something personal can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PersonalState {
    /// Its key is at hand.
    Known,
    /// Its key is not at hand.
    Sealed,
    /// Its key was destroyed.
    Erased,
}

/// A policy's part in a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyShown {
    /// Its name.
    pub id: PolicyId,
    /// Its part.
    pub part: PolicyPart,
    /// What it consisted of; absent only if the record names a policy that was not in
    /// the set, which no true record does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<PolicySource>,
    /// For a link: the template it fills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<PolicySource>,
}

/// What a policy did in a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum PolicyPart {
    /// It determined the answer.
    Determined,
    /// It could not be evaluated.
    Erred {
        /// Cedar's message.
        message: String,
    },
}

/// One event on the way to a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its place in the log.
    pub index: Index,
    /// Its id.
    pub id: Uuid,
    /// When it was written.
    pub time: Moment,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The event in one line.
    pub what: String,
}

/// A subject or resource as the World knew it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Party {
    /// Its entity in the directory, without what the caller said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityDocument>,
    /// All that the entity was in, directly or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<Uid>,
    /// For Countersign's own administration: what the log says of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// What the log says of a person or service of Countersign itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Standing {
    /// A person who logs in here.
    Person {
        /// Their administrative roles.
        roles: Vec<String>,
        /// True if they may no longer log in.
        disabled: bool,
    },
    /// The holder of a service token.
    Service {
        /// What people call it.
        label: Label,
        /// What its token may be used for.
        scopes: Scopes,
    },
}

/// What came of taking the decision again.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Repetition {
    /// The same.
    Identical,
    /// Another.
    Different {
        /// In what.
        differences: Vec<Difference>,
    },
    /// It cannot be taken again.
    NotReplayable {
        /// Why.
        reason: String,
    },
}

impl Dossier {
    /// Gathers it from `world`, folded to just before the decision's entry; `trail`,
    /// which has seen the same entries; the entry's stored bytes; and all that has been
    /// erased until now. `None` if the entry is not a decision.
    ///
    /// Costs one decision: taking it again may compile that time's policies, so call it
    /// on a large stack.
    #[must_use]
    pub fn new(
        world: &World,
        trail: Trail,
        entry: &Envelope,
        stored: Box<RawValue>,
        erasures: &Erasures,
    ) -> Option<Self> {
        let Event::AccessDecided(decided) = &entry.event else { return None };
        let set = world.set(decided.set);
        Some(Self {
            entry: stored,
            summary: describe(entry),
            policies: policies(world, decided),
            policy_set: set.in_force(),
            schema: set.schema().map(|(_, version)| version),
            authentication: trail.steps,
            subject: party(world, decided.set, &decided.request.subject),
            resource: party(world, decided.set, &decided.request.resource),
            personal: personal(world, decided, erasures),
            settings: world.settings.as_ref().clone(),
            replay: match differences(world, entry, decided) {
                Ok(none) if none.is_empty() => Repetition::Identical,
                Ok(differences) => Repetition::Different { differences },
                Err(why) => Repetition::NotReplayable { reason: why.reason(erasures) },
            },
        })
    }
}

/// Follows a log up to a decision and keeps what made its session what it was: where it
/// began, where it rose or ended, and what its person did in the same batch.
#[derive(Clone, Debug)]
pub struct Trail {
    session: Option<(Uuid, StreamName)>,
    steps: Vec<Step>,
    // What persons did in the batch being read, until it names the session this is for.
    batch: Vec<Step>,
    causation: Option<Uuid>,
    ours: bool,
}

impl Trail {
    /// For a decision, with its entry not yet reached.
    #[must_use]
    pub fn of(decided: &AccessDecided) -> Self {
        let session = match decided.presented() {
            Presented::Session(id) => Some((id, StreamName::of("session", id))),
            Presented::Unknown | Presented::Nothing => None,
        };
        Self { session, steps: Vec::new(), batch: Vec::new(), causation: None, ours: false }
    }

    /// From when on entries have to be seen, for a decision in this World; none if none
    /// has to be. A person's session that is in the World began once, and nothing of it
    /// is older. One that has ended, or that an identity provider may have begun again,
    /// may have left its trace anywhere.
    #[must_use]
    pub fn since(&self, world: &World) -> Option<Moment> {
        let (session, _) = self.session.as_ref()?;
        let own = world.sessions.get(session).filter(|session| session.person.is_some());
        Some(own.map_or(Moment::EPOCH, |session| session.started_at))
    }

    /// Takes the next entry before the decision. Cheap for all that no person did.
    pub fn see(&mut self, entry: &Envelope) {
        let Some((session, stream)) = &self.session else { return };
        if self.causation != Some(entry.causation) {
            self.causation = Some(entry.causation);
            self.ours = false;
            self.batch.clear();
        }
        let reported = match &entry.event {
            Event::AuthenticationReported(it) => it.session == *session,
            _ => false,
        };
        if reported || entry.stream == *stream {
            self.ours = true;
            self.steps.append(&mut self.batch);
            self.steps.push(Step::of(entry));
        } else if entry.stream.as_str().starts_with("person/") {
            let steps = if self.ours { &mut self.steps } else { &mut self.batch };
            steps.push(Step::of(entry));
        }
    }
}

impl Step {
    fn of(entry: &Envelope) -> Self {
        Self {
            index: entry.index,
            id: entry.id,
            time: entry.time,
            kind: entry.event.type_name(),
            what: describe(entry),
        }
    }
}

fn policies(world: &World, decided: &AccessDecided) -> Vec<PolicyShown> {
    let set = world.set(decided.set);
    let determined = decided.determining.iter().map(|id| (id, PolicyPart::Determined));
    let erred = decided
        .errors
        .iter()
        .map(|failure| (&failure.policy, PolicyPart::Erred { message: failure.message.clone() }));
    let shown = |(id, part): (&PolicyId, PolicyPart)| {
        let source = set.source(id).cloned();
        let template = source.as_ref().and_then(|source| set.template_of(source)).cloned();
        PolicyShown { id: id.clone(), part, source, template }
    };
    determined.chain(erred).map(shown).collect()
}

fn personal(world: &World, decided: &AccessDecided, erasures: &Erasures) -> Vec<PersonalShown> {
    let of_party = |asked: &EntityAsked| {
        let uid = name(asked, world.settings.namespace.as_ref())?;
        let of_application = decided.set == SetKind::Application;
        of_application.then(|| world.directory.get(&uid)).flatten()
    };
    let parties = [&decided.request.subject, &decided.request.resource].map(of_party);
    let stored = parties.into_iter().flatten().flat_map(|node| &node.document.personal);
    let shown = |one: &Personal| PersonalShown {
        of: one.of.clone(),
        paths: one.paths.clone(),
        state: match one.closed() {
            None => PersonalState::Known,
            Some(key) if erasures.contains(&key) => PersonalState::Erased,
            Some(_) => PersonalState::Sealed,
        },
    };
    decided.personal.iter().chain(stored).map(shown).collect()
}

fn party(world: &World, set: SetKind, asked: &EntityAsked) -> Party {
    let nobody = Party { entity: None, ancestors: Vec::new(), standing: None };
    match set {
        SetKind::Application => {
            let namespace = world.settings.namespace.as_ref();
            let node = name(asked, namespace).and_then(|uid| world.directory.get(&uid));
            node.map_or(nobody, |node| Party {
                entity: Some(EntityDocument::clone(&node.document)),
                ancestors: node.ancestors.iter().cloned().collect(),
                standing: None,
            })
        }
        SetKind::System => Party { standing: standing(world, asked), ..nobody },
    }
}

/// The name that the PDP gives a party: in the namespace where its type has none.
fn name(asked: &EntityAsked, namespace: Option<&EntityType>) -> Option<Uid> {
    match namespace {
        Some(space) if !asked.kind.contains("::") => {
            Uid::parse(&format!("{space}::{}", asked.kind), &asked.id).ok()
        }
        _ => Uid::parse(&asked.kind, &asked.id).ok(),
    }
}

fn standing(world: &World, asked: &EntityAsked) -> Option<Standing> {
    if asked.kind == ReservedType::Person.as_str() {
        let person = world.identities.get(&asked.id.parse().ok()?)?;
        let roles = person.roles.iter().cloned().collect();
        return Some(Standing::Person { roles, disabled: person.disabled });
    }
    if asked.kind == ReservedType::Service.as_str() {
        let service = world.services.get(&asked.id.parse().ok()?)?;
        let (label, scopes) = (service.label.clone(), service.scopes.clone());
        return Some(Standing::Service { label, scopes });
    }
    None
}
