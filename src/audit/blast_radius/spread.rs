//! The spread itself: who can act in turn, and by which edges.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::audit::reach::{Assurance, Prober, Undecided, Way};
use crate::cedar::CompiledSchema;
use crate::model::{EntityType, GoOn, Moment, PolicyId, Uid};
use crate::projection::World;

/// The most decisions for one spread.
pub(super) const DECISIONS_MAX: u64 = 2_000_000;

/// Something that somebody could do.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) from: Uid,
    pub(super) action: Uid,
    pub(super) to: Uid,
    pub(super) way: Way,
    /// As whom they may go on from there.
    pub(super) onward: Option<Uid>,
}

impl Edge {
    /// True if it is still there when one permit is not.
    pub(super) fn survives(&self, without: &PolicyId) -> bool {
        self.way.by.iter().any(|by| by.iter().any(|policy| policy != without))
    }
}

/// All that could be done, from one principal on.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    pub(super) start: Uid,
    pub(super) hops: u32,
    pub(super) edges: Vec<Edge>,
    /// Pairs of an action and an entity of which it is not known whether it can be done to
    /// it, by why not.
    pub(super) undecided: BTreeMap<Undecided, u64>,
    /// True if it was cut short: there was more to decide.
    pub(super) cut_short: bool,
    pub(super) decisions: u64,
}

/// What is reached over some of the edges.
#[derive(Clone, Debug, Default)]
pub(super) struct Reached {
    /// Each resource, with the hop at which it is reached first and the edge.
    pub(super) resources: BTreeMap<Uid, (u32, usize)>,
    /// Each who acts, with the edge by which they are taken over; none for the first.
    pub(super) actors: BTreeMap<Uid, (u32, Option<usize>)>,
}

impl Spread {
    /// Decides what each who is taken over may do to each entity there is. Costs a decision
    /// for each of them, action and resource (about 10 µs), five for a person at the start.
    /// Only the first has a session; whoever is taken over on the way acts without one.
    pub(super) fn of(
        world: &World,
        schema: &CompiledSchema,
        then: Moment,
        (start, most): (&Uid, Assurance),
        hops: u32,
        go_on: &GoOn,
    ) -> Self {
        Self::within(DECISIONS_MAX, world, schema, then, ((start, most), hops), go_on)
    }

    /// The same with so many decisions, and the few more of the pair that is looked at then.
    pub(super) fn within(
        decisions_max: u64,
        world: &World,
        schema: &CompiledSchema,
        then: Moment,
        ((start, most), hops): ((&Uid, Assurance), u32),
        go_on: &GoOn,
    ) -> Self {
        let prober = Prober::new(world, then);
        let estate = Estate::of(world, schema);
        let mut spread = Self {
            start: start.clone(),
            hops,
            edges: Vec::new(),
            undecided: BTreeMap::new(),
            cut_short: false,
            decisions: 0,
        };
        let mut seen = BTreeSet::from([start.clone()]);
        let mut waiting = VecDeque::from([(start.clone(), most, 1)]);
        'spread: while let Some((actor, most, hop)) = waiting.pop_front() {
            for (action, resources) in estate.doable(schema, actor.kind()) {
                for to in resources {
                    if prober.decisions() >= decisions_max || !go_on.holds() {
                        spread.cut_short = true;
                        break 'spread;
                    }
                    let way = match prober.way(&actor, action, to, most) {
                        Ok(Some(way)) => way,
                        Ok(None) => continue,
                        Err(why) => {
                            *spread.undecided.entry(why).or_default() += 1;
                            continue;
                        }
                    };
                    let onward = onward(world, schema, action, to);
                    let next = onward.clone().filter(|_| hop < hops);
                    if let Some(next) = next.filter(|next| seen.insert(next.clone())) {
                        waiting.push_back((next, Assurance::None, hop + 1));
                    }
                    let (from, action, to) = (actor.clone(), action.clone(), to.clone());
                    spread.edges.push(Edge { from, action, to, way, onward });
                }
            }
        }
        spread.decisions = prober.decisions();
        spread
    }

    /// Why more may be reached than is known, a sentence each; none if all was decided.
    pub(super) fn left_out(&self) -> Vec<String> {
        let cut = self.cut_short.then(|| {
            let made = self.decisions;
            format!("after {made} decisions there was more to decide: ask for fewer hops")
        });
        let undecided = self.undecided.iter().map(|(why, pairs)| {
            format!("whether {pairs} things can be done is not known: {}", why.as_str())
        });
        cut.into_iter().chain(undecided).collect()
    }

    /// True if all was decided.
    pub(super) fn is_whole(&self) -> bool {
        !self.cut_short && self.undecided.is_empty()
    }

    /// What is reached over the edges that `keep` keeps.
    pub(super) fn reached(&self, keep: impl Fn(&Edge) -> bool) -> Reached {
        let mut by_actor: BTreeMap<&Uid, Vec<usize>> = BTreeMap::new();
        for (at, edge) in self.edges.iter().enumerate().filter(|(_, edge)| keep(edge)) {
            by_actor.entry(&edge.from).or_default().push(at);
        }
        let mut reached = Reached::default();
        reached.actors.insert(self.start.clone(), (0, None));
        let mut waiting = VecDeque::from([(&self.start, 1)]);
        while let Some((actor, hop)) = waiting.pop_front() {
            for at in by_actor.get(actor).into_iter().flatten() {
                let Some(edge) = self.edges.get(*at) else { continue };
                reached.resources.entry(edge.to.clone()).or_insert((hop, *at));
                let Some(onward) = edge.onward.as_ref().filter(|_| hop < self.hops) else {
                    continue;
                };
                if !reached.actors.contains_key(onward) {
                    reached.actors.insert(onward.clone(), (hop, Some(*at)));
                    waiting.push_back((onward, hop + 1));
                }
            }
        }
        reached
    }

    /// The edges by which a resource is reached first, from the start on.
    pub(super) fn path(&self, reached: &Reached, to: &Uid) -> Vec<&Edge> {
        let mut path = Vec::new();
        let mut next = reached.resources.get(to).map(|(_, at)| *at);
        while let Some(edge) = next.and_then(|at| self.edges.get(at)) {
            path.push(edge);
            next = reached.actors.get(&edge.from).and_then(|(_, at)| *at);
        }
        path.reverse();
        path
    }
}

/// All there is to be reached.
pub(super) struct Estate {
    by_kind: BTreeMap<EntityType, Vec<Uid>>,
    actions: Vec<Uid>,
}

impl Estate {
    /// The entities to which any action may be done.
    pub(super) fn of(world: &World, schema: &CompiledSchema) -> Self {
        let actions = schema.actions();
        let kinds: BTreeSet<_> =
            actions.iter().filter_map(|action| schema.resources_of(action)).flatten().collect();
        let mut by_kind: BTreeMap<EntityType, Vec<Uid>> = BTreeMap::new();
        for node in world.directory.iter() {
            let uid = &node.document.uid;
            if kinds.contains(uid.kind()) {
                by_kind.entry(uid.kind().clone()).or_default().push(uid.clone());
            }
        }
        by_kind.values_mut().for_each(|all| all.sort());
        Self { by_kind, actions }
    }

    /// How much there is.
    pub(super) fn size(&self) -> u64 {
        self.by_kind.values().map(|all| all.len() as u64).sum()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Uid> {
        self.by_kind.values().flatten()
    }

    /// The actions open to a type, each with all to which it may be done.
    fn doable<'a>(
        &'a self,
        schema: &'a CompiledSchema,
        kind: &'a EntityType,
    ) -> impl Iterator<Item = (&'a Uid, impl Iterator<Item = &'a Uid>)> {
        let may = move |action: &&Uid| {
            schema.principals_of(action).is_some_and(|kinds| kinds.contains(kind))
        };
        self.actions.iter().filter(may).map(move |action| {
            let kinds = schema.resources_of(action).into_iter().flatten();
            (action, kinds.filter_map(|kind| self.by_kind.get(kind)).flatten())
        })
    }
}

/// As whom somebody may go on who has done this.
fn onward(world: &World, schema: &CompiledSchema, action: &Uid, to: &Uid) -> Option<Uid> {
    let attribute = schema.pivots().get(action)?;
    world.directory.get(to)?.document.entity(attribute)
}
