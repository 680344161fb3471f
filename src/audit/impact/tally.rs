//! The counts of an impact, kept in the order of the log.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Supposed;
use super::case::{Judged, Outcome};
use super::report::{Counts, Flip, ImpactReport, Novelty, Ranked, Ranking, Sample};
use crate::model::{Index, Moment};

/// How many names of each sort are told apart.
const NAMES_MAX: usize = 5_000;
/// How many of them a report lists.
const NAMES_LISTED: usize = 20;
/// How many kinds of change are told apart.
const SAMPLES_MAX: usize = 100;
/// How many reasons for not being replayable are told apart.
const REASONS_MAX: usize = 50;

/// What has been counted of a log up to an entry, and under which supposition: all that is
/// needed to go on from there. Bounded, whatever the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    pub(super) supposed: Supposed,
    pub(super) from: Index,
    pub(super) through: Option<Index>,
    decisions: u64,
    unchanged: u64,
    otherwise: u64,
    changed: Counts,
    already: Counts,
    taken_back: Counts,
    not_replayable: BTreeMap<String, u64>,
    oldest: Option<Moment>,
    newest: Option<Moment>,
    principals: Names,
    actions: Names,
    resources: Names,
    policies: Names,
    samples: Vec<Sample>,
    other_samples: u64,
}

impl Tally {
    pub(super) fn new(supposed: Supposed, from: Index) -> Self {
        Self {
            supposed,
            from,
            through: None,
            decisions: 0,
            unchanged: 0,
            otherwise: 0,
            changed: Counts::default(),
            already: Counts::default(),
            taken_back: Counts::default(),
            not_replayable: BTreeMap::new(),
            oldest: None,
            newest: None,
            principals: Names::default(),
            actions: Names::default(),
            resources: Names::default(),
            policies: Names::default(),
            samples: Vec::new(),
            other_samples: 0,
        }
    }

    /// The first entry that counts.
    #[must_use]
    pub const fn from(&self) -> Index {
        self.from
    }

    /// The last entry that has been counted; none before the first.
    #[must_use]
    pub const fn through(&self) -> Option<Index> {
        self.through
    }

    pub(super) fn count(&mut self, judged: &Judged) {
        self.decisions += 1;
        self.oldest.get_or_insert(judged.time);
        self.newest = Some(judged.time);
        match &judged.outcome {
            Outcome::Unchanged { otherwise, taken_back } => {
                self.unchanged += 1;
                self.otherwise += u64::from(*otherwise);
                if let Some(flip) = taken_back {
                    self.taken_back.count(flip.would_allow);
                    self.ranked(flip);
                    self.sampled(judged, flip);
                }
            }
            Outcome::Flipped(flip) => {
                self.changed.count(flip.would_allow);
                if flip.novelty == Novelty::Already {
                    self.already.count(flip.would_allow);
                } else {
                    self.ranked(flip);
                }
                self.sampled(judged, flip);
            }
            Outcome::NotReplayable(why) => {
                let told = self.not_replayable.contains_key(why)
                    || self.not_replayable.len() < REASONS_MAX;
                let why = if told { why } else { "of other reasons" };
                *self.not_replayable.entry(why.to_owned()).or_default() += 1;
            }
        }
    }

    /// What this change does, by name.
    fn ranked(&mut self, flip: &Flip) {
        let to = flip.would_allow;
        self.principals.count(&flip.principal, to);
        self.actions.count(&flip.action, to);
        self.resources.count(&flip.resource, to);
        let after = flip.after.determining.iter();
        let new = after.filter(|policy| !flip.before.determining.contains(policy));
        for policy in flip.before.determining.iter().chain(new) {
            self.policies.count(policy.as_str(), to);
        }
    }

    fn sampled(&mut self, judged: &Judged, flip: &Flip) {
        let alike = |sample: &&mut Sample| {
            let known = &sample.flip;
            known.would_allow == flip.would_allow
                && known.novelty == flip.novelty
                && known.action == flip.action
                && known.before.determining == flip.before.determining
                && known.after.determining == flip.after.determining
                && known.after.note == flip.after.note
        };
        if let Some(known) = self.samples.iter_mut().find(alike) {
            known.count += 1;
        } else if self.samples.len() < SAMPLES_MAX {
            self.samples.push(Sample { count: 1, flip: judged.explained(flip) });
        } else {
            self.other_samples += 1;
        }
    }

    pub(super) fn report(&self) -> ImpactReport {
        let mut samples = self.samples.clone();
        samples.sort_by_key(|sample| {
            let already = sample.flip.novelty == Novelty::Already;
            (already, Reverse(sample.count), sample.flip.index)
        });
        let mut this_change = self.changed.without(self.already);
        this_change.add(self.taken_back);
        ImpactReport {
            would_deny: self.changed.would_deny,
            would_allow: self.changed.would_allow,
            of_these_already: self.already,
            unchanged: self.unchanged,
            unchanged_for_other_reasons: self.otherwise,
            taken_back: self.taken_back,
            this_change,
            not_replayable: self.not_replayable.values().sum(),
            not_replayable_reasons: self.not_replayable.clone(),
            decisions: self.decisions,
            oldest: self.oldest,
            newest: self.newest,
            from: self.from,
            through: self.through,
            supposed: self.supposed.clone(),
            principals: self.principals.ranking(),
            actions: self.actions.ranking(),
            resources: self.resources.ranking(),
            policies: self.policies.ranking(),
            samples,
            other_samples: self.other_samples,
        }
    }
}

/// Names that changes are counted by: the first 5,000, in order of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    known: BTreeMap<String, Counts>,
    others: Counts,
}

impl Names {
    fn count(&mut self, name: &str, would_allow: bool) {
        if let Some(counts) = self.known.get_mut(name) {
            counts.count(would_allow);
        } else if self.known.len() < NAMES_MAX {
            let mut counts = Counts::default();
            counts.count(would_allow);
            self.known.insert(name.to_owned(), counts);
        } else {
            self.others.count(would_allow);
        }
    }

    fn ranking(&self) -> Ranking {
        let mut all: Vec<_> = self.known.iter().collect();
        all.sort_by_key(|(_, counts)| Reverse(counts.total()));
        let rest = all.split_off(all.len().min(NAMES_LISTED));
        let ranked =
            |(name, counts): (&String, &Counts)| Ranked { name: name.clone(), counts: *counts };
        let mut others = self.others;
        rest.iter().for_each(|(_, counts)| others.add(**counts));
        Ranking { first: all.into_iter().map(ranked).collect(), more: rest.len() as u64, others }
    }
}
