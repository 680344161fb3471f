//! What each policy was used for, counted on the way through the log.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::cedar::Grant;
use crate::event::{AccessDecided, Envelope, Event, Verdict, VersionRef};
use crate::model::{Digest, EntityType, Moment, PolicyId, PolicySource, SetKind, Uid};
use crate::pdp::{Asked, names_of};
use crate::projection::{PolicySetState, World};

/// How many principals are told apart for each policy, action and type; the uses of
/// further ones are counted.
const PRINCIPALS_MAX: usize = 1_000;
/// The same of all policies together: some hundred MiB.
const PRINCIPALS_IN_ALL_MAX: usize = 1_000_000;

/// Counts uses: allows in which a policy is determining, as it stands in the record. What
/// is looked up in the World is what a denial would have been granted by.
///
/// Costs, an allow, a look-up for each determining policy; a denial, a look at the scopes
/// of the grants with its action. Memory is what is counted: for each policy, action and
/// type at most 1,000 principals, and a million in all.
#[derive(Debug)]
pub struct Usage {
    pub(super) from: Moment,
    pub(super) allowed: u64,
    pub(super) denied: u64,
    /// Decisions of which the record does not name every determining policy.
    pub(super) cut_short: u64,
    pub(super) counts: BTreeMap<Use, Count>,
    /// When what is in force now came in force, if that was in the window.
    pub(super) changed: BTreeMap<PolicyId, Moment>,
    pub(super) first: Option<Moment>,
    pub(super) last: Option<Moment>,
    told_apart: usize,
    in_force: Option<InForce>,
    granted: Option<Granted>,
}

/// The policies in force, by the digests of their texts.
#[derive(Debug)]
struct InForce {
    version: Option<VersionRef>,
    texts: BTreeMap<PolicyId, Digest>,
}

/// One thing that a policy is used for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) policy: PolicyId,
    pub(super) action: Uid,
    pub(super) resource: EntityType,
}

impl Use {
    fn of(policy: PolicyId, asked: &Asked) -> Self {
        Self { policy, action: asked.action.clone(), resource: asked.resource.kind().clone() }
    }
}

/// How often, when, and by whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub(super) uses: u64,
    pub(super) last: Option<Moment>,
    pub(super) by: BTreeMap<Uid, (u64, Moment)>,
    /// Uses by others than those told apart.
    pub(super) others: u64,
    /// Denials of what the scope grants.
    pub(super) denied: u64,
    pub(super) last_denied: Option<Moment>,
}

/// The grants of one policy set under one schema, by action.
#[derive(Debug)]
struct Granted {
    of: (Digest, Digest),
    by_action: HashMap<Uid, Vec<Arc<Grant>>>,
}

impl Usage {
    /// Nothing counted yet; entries before `from` will not be.
    #[must_use]
    pub fn since(from: Moment) -> Self {
        Self {
            from,
            allowed: 0,
            denied: 0,
            cut_short: 0,
            counts: BTreeMap::new(),
            changed: BTreeMap::new(),
            first: None,
            last: None,
            told_apart: 0,
            in_force: None,
            granted: None,
        }
    }

    /// Takes the next entry, with the World just before it. The first denial under a policy
    /// set typechecks its permits: run it on a large stack.
    pub fn step(&mut self, world: &World, entry: &Envelope) {
        if entry.time < self.from {
            return;
        }
        self.first.get_or_insert(entry.time);
        self.last = Some(entry.time);
        self.look(world);
        if let Event::AccessDecided(it) = &entry.event
            && it.set.is_application()
        {
            self.decided(world, it);
        }
    }

    /// Sees the World after the last entry.
    pub fn end(&mut self, world: &World) {
        self.look(world);
    }

    /// Notes what has come in force in a World, whichever way, since the last look.
    fn look(&mut self, world: &World) {
        let set = world.set(SetKind::Application);
        let version = set.in_force();
        if self.in_force.as_ref().is_some_and(|known| known.version == version) {
            return;
        }
        let texts: BTreeMap<_, _> =
            set.sources().map(|source| (source.id.clone(), text_of(set, source))).collect();
        let at = world.last.map_or(self.from, |(at, _)| at);
        if let Some(known) = &self.in_force {
            let new = texts.iter().filter(|(id, text)| known.texts.get(*id) != Some(*text));
            self.changed.extend(new.map(|(id, _)| (id.clone(), at)));
        }
        self.in_force = Some(InForce { version, texts });
    }

    fn decided(&mut self, world: &World, decided: &AccessDecided) {
        let names = names_of(world, &decided.request);
        let asked =
            names.map(|[principal, action, resource]| Asked { principal, action, resource });
        match (decided.decision, asked) {
            (Verdict::Allow, asked) => {
                self.allowed += 1;
                self.cut_short += u64::from(decided.omitted > 0);
                let Some(asked) = asked else { return };
                for policy in &decided.determining {
                    self.used(policy.clone(), &asked, decided.now);
                }
            }
            (Verdict::Deny, asked) => {
                self.denied += 1;
                if let Some(asked) = asked {
                    self.attempted(world, &asked, decided.now);
                }
            }
        }
    }

    fn used(&mut self, policy: PolicyId, asked: &Asked, at: Moment) {
        let count = self.counts.entry(Use::of(policy, asked)).or_default();
        count.uses += 1;
        count.last = count.last.max(Some(at));
        if let Some((uses, last)) = count.by.get_mut(&asked.principal) {
            *uses += 1;
            *last = at.max(*last);
        } else if count.by.len() < PRINCIPALS_MAX && self.told_apart < PRINCIPALS_IN_ALL_MAX {
            self.told_apart += 1;
            count.by.insert(asked.principal.clone(), (1, at));
        } else {
            count.others += 1;
        }
    }

    fn attempted(&mut self, world: &World, asked: &Asked, at: Moment) {
        let none = BTreeSet::new();
        let within = |uid: &Uid| world.directory.get(uid).map(|node| Arc::clone(&node.ancestors));
        let (principal, resource) = (within(&asked.principal), within(&asked.resource));
        let covers = |grant: &&Arc<Grant>| {
            grant.principal.covers(&asked.principal, principal.as_deref().unwrap_or(&none))
                && grant.resource.covers(&asked.resource, resource.as_deref().unwrap_or(&none))
        };
        let grants = self.grants(world, &asked.action);
        let met: Vec<_> = grants.iter().filter(covers).map(|it| it.policy.clone()).collect();
        for policy in met {
            let count = self.counts.entry(Use::of(policy, asked)).or_default();
            count.denied += 1;
            count.last_denied = count.last_denied.max(Some(at));
        }
    }

    /// The permits in force that are for an action.
    fn grants(&mut self, world: &World, action: &Uid) -> &[Arc<Grant>] {
        let Some(Ok(compiled)) = world.set(SetKind::Application).compiled() else { return &[] };
        let of = (compiled.schema.digest(), compiled.policies.digest());
        let known = self.granted.take().filter(|known| known.of == of);
        let granted = known.unwrap_or_else(|| {
            let mut by_action: HashMap<Uid, Vec<Arc<Grant>>> = HashMap::new();
            for grant in compiled.policies.grants().into_iter().map(Arc::new) {
                let actions: BTreeSet<_> = grant.applicable.iter().map(|it| &it.action).collect();
                for action in actions {
                    by_action.entry(action.clone()).or_default().push(Arc::clone(&grant));
                }
            }
            Granted { of, by_action }
        });
        let granted = self.granted.insert(granted);
        granted.by_action.get(action).map_or(&[], Vec::as_slice)
    }
}

/// What tells a policy from an earlier one of its name: of a link, its template's text too.
fn text_of(set: &PolicySetState, source: &PolicySource) -> Digest {
    let template = set.template_of(source).map(PolicySource::digest);
    let own = source.digest();
    template
        .map_or(own, |its| Digest::of_parts([own.as_bytes().as_slice(), its.as_bytes().as_slice()]))
}
