//! The report: what is reached at which hop, which crown jewels, and what would cut it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::choke::{WEIGHED_MAX, choke};
use super::spread::{Edge, Estate, Reached, Spread};
use crate::audit::reach::{Assurance, Need, Prober};
use crate::audit::segments::{Counted, Window};
use crate::audit::{Ground, Then};
use crate::cedar::CompiledSchema;
use crate::event::{Envelope, Event, Verdict, VersionRef};
use crate::model::{EntityType, Moment, PolicyId, SetKind, Uid};
use crate::pdp::names_of;
use crate::projection::World;

/// The most hops that are followed.
pub const HOPS_MAX: u32 = 10;

/// What somebody who has taken over a principal could reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlastRadius {
    /// As of when.
    pub as_of: Then,
    /// The policies that were asked.
    pub policies: Option<VersionRef>,
    /// True if they are a draft that is not in force.
    pub draft: bool,
    /// Which decisions were counted.
    pub window: Window,
    /// Who was taken over, and how much of them.
    pub taken: Taken,
    /// The actions by which one goes on, each with the attribute that says as whom.
    pub pivots: BTreeMap<String, String>,
    /// Each thing that could be done first at its hop, in the order of hops.
    pub steps: Vec<Step>,
    /// How much is reached within one hop, within two, and so on.
    pub within: Vec<u64>,
    /// How much there is to be reached.
    pub estate: u64,
    /// The crown jewels reached, the nearest first, each with the shortest way.
    pub jewels: Vec<Jewel>,
    /// How many crown jewels there are.
    pub jewels_there_are: u64,
    /// The permit without which least is reached; nothing if none of those weighed makes a
    /// difference alone, or if not all was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choke: Option<Choke>,
    /// Permits that allow something on the way and were not weighed, for they allow no more
    /// than each of the many that were: one of them may cut more.
    #[serde(default, skip_serializing_if = "crate::audit::report::is_zero")]
    pub unweighed: u64,
    /// False if more may be reached than is told.
    pub complete: bool,
    /// Why, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// How many decisions it took.
    pub decisions: u64,
    /// What is otherwise than as of another time, or than under the policies in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Widened>,
}

/// Who was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The principal.
    pub principal: Uid,
    /// True if they can have a session: a person.
    pub is_person: bool,
    /// The most that whoever took them over can show in their name.
    pub assurance: Assurance,
    /// How many hops were followed.
    pub hops: u32,
}

/// Something that could be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// At which hop, from 1.
    pub hop: u32,
    /// By whom.
    pub from: Uid,
    /// How many others could do it at the same hop.
    pub others: u64,
    /// What.
    pub action: Uid,
    /// To what.
    pub to: Uid,
    /// The permits.
    pub by: Vec<PolicyId>,
    /// What must be shown, if not all suffices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<Need>,
    /// As whom one goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onward: Option<Uid>,
    /// True if it is done to a crown jewel.
    pub crown_jewel: bool,
    /// How often it was done in the window, and when last.
    pub used: Counted,
}

/// A crown jewel that is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jewel {
    /// What.
    pub uid: Uid,
    /// At which hop.
    pub hop: u32,
    /// The shortest way there.
    pub path: Vec<Step>,
}

/// The permit without which least is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choke {
    /// The policy.
    pub policy: PolicyId,
    /// How much is reached without it, decided anew without it.
    pub left: u64,
    /// How much less that is.
    pub cuts: u64,
    /// How many crown jewels fewer.
    pub jewels_cut: u64,
}

/// What is otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Widened {
    /// Than what.
    pub from: String,
    /// How much was reached.
    pub reached: u64,
    /// What is reached now and was not.
    pub gained: Vec<Uid>,
    /// What was reached and is not now.
    pub lost: Vec<Uid>,
    /// How many crown jewels were reached.
    pub jewels: u64,
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRadius {
    /// Nothing decides.
    #[error("no policies and no schema that compile were in force then")]
    NoPolicies,
    /// No such principal.
    #[error("the directory held no `{0}` then")]
    Unknown(Uid),
    /// Nothing of that type ever acts: that it reaches nothing would be no comfort.
    #[error("no action has a `{0}` as its principal: name who acts, such as what runs there")]
    NeverActs(EntityType),
    /// Too many hops.
    #[error("at most {HOPS_MAX} hops are followed, and at least 1")]
    Hops,
    /// Nobody waits for it any more.
    #[error("the report was stopped before its end")]
    Stopped,
}

impl BlastRadius {
    /// The report on a principal, of whom `assurance` can be shown, with the entries of the
    /// window that begins at `since`, each of which `look` shows once. Costs a decision for
    /// each who is taken over, action and entity, and thrice that for the permits that cut
    /// most. Run it on a large stack.
    ///
    /// # Errors
    /// [`NoRadius`]; what `look` says.
    pub fn survey<E: From<NoRadius>>(
        ground: &Ground,
        (principal, assurance): (&Uid, Assurance),
        hops: u32,
        since: Moment,
        look: impl FnOnce(&mut dyn FnMut(&Envelope)) -> Result<(), E>,
    ) -> Result<Self, E> {
        if !(1..=HOPS_MAX).contains(&hops) {
            return Err(NoRadius::Hops.into());
        }
        let (world, then, go_on) = (&ground.world, ground.as_of.time, &ground.go_on);
        let schema = schema(world)?;
        if world.directory.get(principal).is_none() {
            return Err(NoRadius::Unknown(principal.clone()).into());
        }
        let acts = |action: &Uid| {
            schema.principals_of(action).is_some_and(|kinds| kinds.contains(principal.kind()))
        };
        if !schema.actions().iter().any(acts) {
            return Err(NoRadius::NeverActs(principal.kind().clone()).into());
        }
        let spread = Spread::of(world, schema, then, (principal, assurance), hops, go_on);
        let mut uses = Uses::of(world, &spread);
        look(&mut |entry| uses.see(entry))?;
        let mut report = reported(ground, schema, (&spread, assurance), &uses);
        report.window.since = since;
        let weighed = choke(world, then, &spread, assurance, WEIGHED_MAX, go_on);
        (report.choke, report.unweighed) = weighed;
        if let Some(before) = &ground.before
            && let Ok(schema) = self::schema(&before.world)
        {
            let from = (principal, assurance);
            let earlier = Spread::of(&before.world, schema, before.time, from, hops, go_on);
            let was = earlier.reached(|_| true);
            let jewels = jewels(&before.world, schema, was.resources.keys());
            let of_before = |why| format!("of {}: {why}", before.what);
            report.left_out.extend(earlier.left_out().into_iter().map(of_before));
            report.complete &= earlier.is_whole();
            report.difference =
                Some(widened(&was, &spread.reached(|_| true), jewels, &before.what));
        }
        if go_on.holds() { Ok(report) } else { Err(NoRadius::Stopped.into()) }
    }

    /// How much is reached in all.
    #[must_use]
    pub fn reached(&self) -> u64 {
        self.within.last().copied().unwrap_or_default()
    }
}

fn widened(was: &Reached, is: &Reached, jewels: u64, what: &str) -> Widened {
    let only = |one: &Reached, other: &Reached| -> Vec<Uid> {
        let mine = one.resources.keys();
        mine.filter(|uid| !other.resources.contains_key(uid)).cloned().collect()
    };
    Widened {
        from: what.to_owned(),
        reached: was.resources.len() as u64,
        gained: only(is, was),
        lost: only(was, is),
        jewels,
    }
}

/// How many of some entities are crown jewels.
pub(super) fn jewels<'a>(
    world: &World,
    schema: &CompiledSchema,
    uids: impl Iterator<Item = &'a Uid>,
) -> u64 {
    uids.filter(|uid| is_jewel(world, schema, uid)).count() as u64
}

fn is_jewel(world: &World, schema: &CompiledSchema, uid: &Uid) -> bool {
    world.directory.get(uid).is_some_and(|node| schema.is_crown_jewel(&node.document))
}

fn schema(world: &World) -> Result<&CompiledSchema, NoRadius> {
    match world.set(SetKind::Application).compiled() {
        Some(Ok(compiled)) => Ok(&compiled.schema),
        Some(Err(_)) | None => Err(NoRadius::NoPolicies),
    }
}

fn reported(
    ground: &Ground,
    schema: &CompiledSchema,
    (spread, assurance): (&Spread, Assurance),
    uses: &Uses<'_>,
) -> BlastRadius {
    let (world, then) = (&ground.world, ground.as_of);
    let (reached, estate) = (spread.reached(|_| true), Estate::of(world, schema));
    let is_person = Prober::new(world, then.time).is_person(&spread.start);
    let step = |hop: u32, edge: &Edge, others: u64| Step {
        hop,
        from: edge.from.clone(),
        others,
        action: edge.action.clone(),
        to: edge.to.clone(),
        by: edge.way.by.first().cloned().unwrap_or_default(),
        need: edge.way.need.clone(),
        onward: edge.onward.clone(),
        crown_jewel: is_jewel(world, schema, &edge.to),
        used: uses.of_edge(edge),
    };
    let hop_of = |edge: &Edge| reached.actors.get(&edge.from).map_or(0, |(hop, _)| hop + 1);
    let mut jewels: Vec<Jewel> = Vec::new();
    for (uid, (hop, _)) in &reached.resources {
        if is_jewel(world, schema, uid) {
            let path = spread.path(&reached, uid);
            let path = path.into_iter().map(|edge| step(hop_of(edge), edge, 0)).collect();
            jewels.push(Jewel { uid: uid.clone(), hop: *hop, path });
        }
    }
    jewels.sort_by_key(|jewel| jewel.hop);
    let within = |hop: u32| reached.resources.values().filter(|(at, _)| *at <= hop).count() as u64;
    let pivots = schema.pivots().iter();
    BlastRadius {
        as_of: then,
        policies: ground.policies(),
        draft: ground.draft,
        window: Window { since: then.time, until: then.time, decisions: uses.decisions },
        taken: Taken { principal: spread.start.clone(), is_person, assurance, hops: spread.hops },
        pivots: pivots.map(|(action, name)| (action.id().to_owned(), name.clone())).collect(),
        steps: steps(spread, hop_of, step),
        within: (1..=spread.hops).map(within).collect(),
        estate: estate.size(),
        jewels,
        jewels_there_are: self::jewels(world, schema, estate.all()),
        choke: None,
        unweighed: 0,
        complete: spread.is_whole(),
        left_out: spread.left_out(),
        decisions: spread.decisions,
        difference: None,
    }
}

/// Each action and resource once, at its first hop.
fn steps(
    spread: &Spread,
    hop_of: impl Fn(&Edge) -> u32,
    step: impl Fn(u32, &Edge, u64) -> Step,
) -> Vec<Step> {
    let mut firsts: BTreeMap<(&Uid, &Uid), (u32, &Edge, u64)> = BTreeMap::new();
    for edge in &spread.edges {
        let hop = hop_of(edge);
        match firsts.get_mut(&(&edge.to, &edge.action)) {
            None => drop(firsts.insert((&edge.to, &edge.action), (hop, edge, 0))),
            Some((first, _, others)) if *first == hop => *others += 1,
            Some(_) => {}
        }
    }
    let mut steps: Vec<_> =
        firsts.into_values().map(|(hop, edge, others)| step(hop, edge, others)).collect();
    steps.sort_by_key(|step| (step.hop, !step.crown_jewel));
    steps
}

/// What of a spread was done in the window.
struct Uses<'a> {
    world: &'a World,
    wanted: BTreeSet<(&'a Uid, &'a Uid, &'a Uid)>,
    found: HashMap<[Uid; 3], Counted>,
    decisions: u64,
}

impl<'a> Uses<'a> {
    fn of(world: &'a World, spread: &'a Spread) -> Self {
        let edges = spread.edges.iter();
        let wanted = edges.map(|edge| (&edge.from, &edge.action, &edge.to)).collect();
        Self { world, wanted, found: HashMap::new(), decisions: 0 }
    }

    fn see(&mut self, entry: &Envelope) {
        let Event::AccessDecided(decided) = &entry.event else { return };
        if decided.set != SetKind::Application {
            return;
        }
        self.decisions += 1;
        if decided.decision == Verdict::Deny {
            return;
        }
        let Some(names) = names_of(self.world, &decided.request) else { return };
        let [from, action, to] = &names;
        if self.wanted.contains(&(from, action, to)) {
            self.found.entry(names).or_default().count(entry.time);
        }
    }

    fn of_edge(&self, edge: &Edge) -> Counted {
        let names = [edge.from.clone(), edge.action.clone(), edge.to.clone()];
        self.found.get(&names).cloned().unwrap_or_default()
    }
}
