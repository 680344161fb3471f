//! The matrix: each pair of a principal and a resource, decided.

use std::collections::{BTreeMap, BTreeSet};

use super::place::{Place, Places};
use crate::audit::reach::{Need, Prober, Reach};
use crate::cedar::CompiledSchema;
use crate::model::{GoOn, Moment, PolicyId, SetKind, Uid};
use crate::projection::{Compiled, World};

/// The most segments that are laid out.
const SEGMENTS_MAX: usize = 300;

/// How much is decided for one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most pairs of a principal and a resource, over all actions. Of more, some are
    /// taken evenly from each place, and the report says so.
    pub pairs: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { pairs: 100_000 }
    }
}

/// Why there is no matrix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoMatrix {
    /// Nothing decides.
    #[error("no policies and no schema that compile were in force then")]
    NoPolicies,
    /// Nobody has said what a segment is.
    #[error(
        "the schema declares no segments: annotate the entity type whose entities they are with \
         `@segment`"
    )]
    NoSegments,
    /// Too many.
    #[error("the directory holds {0} segments; at most {SEGMENTS_MAX} are laid out")]
    TooManySegments(usize),
    /// Nobody waits for it any more.
    #[error("the report was stopped before its end")]
    Stopped,
}

/// An action, from where, to where.
pub(super) type Key = (Uid, Place, Place);

/// What a pair came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Deny,
    Conditional,
    Allow,
}

/// What came of the pairs of one cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// How many pairs there are, tried or not.
    pub(super) pairs: u64,
    pub(super) unknown: u64,
    pub(super) each: BTreeMap<(Uid, Uid), Class>,
    /// The permits, and for how many pairs each.
    pub(super) by: BTreeMap<PolicyId, u64>,
    /// The forbids that close it to pairs whatever is shown.
    pub(super) barred_by: BTreeMap<PolicyId, u64>,
    /// What must be so, for how many pairs, and the forbids that ask for it.
    pub(super) needs: BTreeMap<Need, (u64, BTreeSet<PolicyId>)>,
}

/// Every cell of the segments as of one World.
#[derive(Clone, Debug)]
pub struct Matrix {
    pub(super) cells: BTreeMap<Key, Tally>,
    pub(super) pairs: u64,
    pub(super) tried: u64,
    pub(super) decisions: u64,
}

/// The schema in force, if its policies can decide and it knows segments.
pub(super) fn ground(world: &World) -> Result<&Compiled, NoMatrix> {
    let Some(Ok(compiled)) = world.set(SetKind::Application).compiled() else {
        return Err(NoMatrix::NoPolicies);
    };
    if compiled.schema.segment_types().is_empty() {
        return Err(NoMatrix::NoSegments);
    }
    Ok(compiled)
}

/// The actions that are done to what can be in a segment.
pub(super) fn actions(schema: &CompiledSchema) -> Vec<Uid> {
    let placed = schema.types_in_segments();
    let concerns =
        |action: &Uid| schema.resources_of(action).is_some_and(|kinds| !kinds.is_disjoint(placed));
    schema.actions().into_iter().filter(concerns).collect()
}

impl Matrix {
    /// Decides each pair in a World at a time, so that nothing is guessed: a decision a pair
    /// (about 10 µs), and for a person five or more. Memory is a few words a pair. Run it
    /// on a large stack.
    ///
    /// # Errors
    /// [`NoMatrix`]: nothing to decide by, no segments, or too many; or it is not to go on.
    pub fn of(world: &World, then: Moment, bounds: Bounds, go_on: &GoOn) -> Result<Self, NoMatrix> {
        let schema = &ground(world)?.schema;
        let places = Places::of(world, schema);
        let segments = places.segments().len();
        if segments > SEGMENTS_MAX {
            return Err(NoMatrix::TooManySegments(segments));
        }
        let prober = Prober::new(world, then);
        let asked: Vec<_> = actions(schema).into_iter().map(|it| Asked::of(it, &places)).collect();
        let pairs = asked.iter().map(Asked::pairs).fold(0, u64::saturating_add);
        let share = share(pairs, bounds.pairs);
        let mut matrix = Self { cells: BTreeMap::new(), pairs, tried: 0, decisions: 0 };
        for action in &asked {
            for (from, principals) in &action.principals {
                for (to, resources) in &action.resources {
                    let key = (action.action.clone(), from.clone(), to.clone());
                    let sides = [principals.as_slice(), resources.as_slice()];
                    let tally = tally(&prober, &action.action, sides, share, go_on)?;
                    matrix.tried += tally.each.len() as u64 + tally.unknown;
                    matrix.cells.insert(key, tally);
                }
            }
        }
        matrix.decisions = prober.decisions();
        Ok(matrix)
    }
}

/// An action, and who there is on both of its sides.
struct Asked {
    action: Uid,
    principals: BTreeMap<Place, Vec<Uid>>,
    resources: BTreeMap<Place, Vec<Uid>>,
}

impl Asked {
    fn of(action: Uid, places: &Places<'_>) -> Self {
        let (principals, resources) = places.sides(&action);
        Self { action, principals, resources }
    }

    fn pairs(&self) -> u64 {
        let count = |side: &BTreeMap<Place, Vec<Uid>>| side.values().map(Vec::len).sum::<usize>();
        (count(&self.principals) as u64).saturating_mul(count(&self.resources) as u64)
    }
}

/// Of how many entities of a place one is taken, so that pairs keep to their bound.
fn share(pairs: u64, most: u64) -> usize {
    let mut share = 1_u64;
    while pairs / share.saturating_mul(share) > most.max(1) {
        share += 1;
    }
    usize::try_from(share).unwrap_or(usize::MAX)
}

fn tally(
    prober: &Prober<'_>,
    action: &Uid,
    [principals, resources]: [&[Uid]; 2],
    share: usize,
    go_on: &GoOn,
) -> Result<Tally, NoMatrix> {
    let pairs = (principals.len() as u64).saturating_mul(resources.len() as u64);
    let mut tally = Tally { pairs, ..Tally::default() };
    for principal in principals.iter().step_by(share) {
        for resource in resources.iter().step_by(share) {
            if !go_on.holds() {
                return Err(NoMatrix::Stopped);
            }
            let reach = prober.reach(principal, action, resource);
            tally.count((principal.clone(), resource.clone()), reach);
        }
    }
    Ok(tally)
}

impl Tally {
    fn count(&mut self, pair: (Uid, Uid), reach: Reach) {
        let class = match reach {
            Reach::Allow { by } => {
                self.permitted(by);
                Class::Allow
            }
            Reach::Conditional { need, by, barred_by } => {
                self.permitted(by);
                let (pairs, barring) = self.needs.entry(need).or_default();
                *pairs += 1;
                barring.extend(barred_by);
                Class::Conditional
            }
            Reach::Deny { by } => {
                for policy in by {
                    *self.barred_by.entry(policy).or_default() += 1;
                }
                Class::Deny
            }
            Reach::Unknown => {
                self.unknown += 1;
                return;
            }
        };
        self.each.insert(pair, class);
    }

    fn permitted(&mut self, by: Vec<PolicyId>) {
        for policy in by {
            *self.by.entry(policy).or_default() += 1;
        }
    }

    /// How many pairs came to this.
    pub(super) fn counted(&self, class: Class) -> u64 {
        self.each.values().filter(|found| **found == class).count() as u64
    }

    /// The best that any pair came to; nothing if that rests on pairs that were not decided.
    pub(super) fn best(&self) -> Option<Class> {
        let best = self.each.values().copied().max();
        let open = best.filter(|class| *class != Class::Deny);
        open.or_else(|| self.is_whole().then_some(Class::Deny))
    }

    /// What became of a pair; what is no pair is closed. Nothing if nobody knows.
    pub(super) fn class(&self, pair: &(Uid, Uid)) -> Option<Class> {
        let found = self.each.get(pair).copied();
        found.or_else(|| self.is_whole().then_some(Class::Deny))
    }

    /// True if every pair there is was decided.
    fn is_whole(&self) -> bool {
        self.each.len() as u64 >= self.pairs
    }
}
