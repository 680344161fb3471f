//! Takes every recorded decision again, in the World of its time.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::report::{Determining, Kept, TreeHead, Verdicts};
use super::{Continuity, Difference, Finding, Proven, Report, Unproven};
use crate::event::{AccessDecided, Envelope, Event, Note, Verdict};
use crate::model::{KeyId, Moment, SetKind};
use crate::pdp::{Gaps, decide_again};
use crate::projection::{Erasures, World};
use crate::tlog::{Tree, leaf_hash};

/// How many differences, and how many findings, are kept; the rest are counted.
const KEPT_MAX: usize = 1_000;
/// How many reasons for not being replayable are told apart.
const REASONS_MAX: usize = 50;

/// A replay on its way through a log. Costs, an entry, what folding it costs, and for a
/// decision what deciding it costs; memory is the World's and what is bounded here.
///
/// The first decision under a policy set may compile that set: run it on a large stack.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    world: World,
    continuity: Continuity,
    proven: Proven,
    entries: u64,
    decisions: u64,
    identical: u64,
    different: u64,
    not_replayable: u64,
    reasons: BTreeMap<String, u64>,
    /// Decisions that rest on what cannot be seen, by the keys it is sealed under.
    unseen: BTreeMap<BTreeSet<KeyId>, u64>,
    /// Denials for want of a key.
    key_missing: u64,
    verdicts: BTreeMap<SetKind, Verdicts>,
    determining: BTreeMap<SetKind, Determining>,
    tree: Tree,
    from: Option<Moment>,
    to: Option<Moment>,
    events: BTreeMap<&'static str, u64>,
    differences: Kept<Difference>,
    findings: Kept<Finding>,
}

impl Replay {
    /// Before the first entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next entry as it is stored, beside [`Replay::step`]: the Merkle tree over
    /// all of them is part of the report, if each was given.
    pub fn hash(&mut self, stored: &[u8]) {
        // The tiles that it fills are of use to who stores them.
        self.tree.append(leaf_hash(stored), &mut Vec::new());
    }

    /// Takes the next entry: checks its place and, of a session, what it rests on; takes it
    /// again if it is a decision, and folds it. Whatever is wrong is noted, and the replay goes on.
    pub fn step(&mut self, entry: &Envelope) {
        self.entries += 1;
        self.from.get_or_insert(entry.time);
        self.to = Some(entry.time);
        *self.events.entry(entry.event.type_name()).or_default() += 1;
        if let Err(wrong) = self.continuity.check(entry) {
            let (index, code) = (wrong.index(), wrong.code());
            self.findings.keep(Finding { index, code, what: wrong.to_string() }, KEPT_MAX);
        }
        if let Err(wrong) = self.proven.check(&self.world, entry) {
            let (index, code) = (wrong.index, Unproven::CODE);
            self.findings.keep(Finding { index, code, what: wrong.to_string() }, KEPT_MAX);
        }
        if let Event::AccessDecided(decided) = &entry.event {
            self.decision(entry, decided);
        }
        self.world.advance(entry);
    }

    fn decision(&mut self, entry: &Envelope, decided: &AccessDecided) {
        self.decisions += 1;
        self.verdicts.entry(decided.set).or_default().count(decided.decision);
        self.determining.entry(decided.set).or_default().count(&decided.determining);
        match differences(&self.world, entry, decided) {
            Ok(none) if none.is_empty() => self.identical += 1,
            Ok(some) => {
                self.different += 1;
                for one in some {
                    self.differences.keep(one, KEPT_MAX);
                }
            }
            Err(Unrepeatable::Unseen(keys)) => *self.unseen.entry(keys).or_default() += 1,
            Err(Unrepeatable::KeyMissing) => self.key_missing += 1,
            Err(Unrepeatable::Unfit(reason)) => {
                self.not_replayable += 1;
                let known = self.reasons.contains_key(&reason);
                let told = known || self.reasons.len() < REASONS_MAX;
                let reason = if told { reason } else { "of other reasons".to_owned() };
                *self.reasons.entry(reason).or_default() += 1;
            }
        }
    }

    /// How many entries have been taken.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// How many decisions have come out otherwise.
    #[must_use]
    pub const fn different(&self) -> u64 {
        self.different
    }

    /// The Merkle tree over the entries hashed.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The World after the entries taken.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// What has been found so far. Linear in the World, whose state is digested.
    #[must_use]
    pub fn report(&self) -> Report {
        // What nobody can see any more is no fault of the log: it is counted and told.
        let decisions_repeat = self.different == 0 && self.not_replayable == 0;
        let (mut reasons, unseen) = (self.reasons.clone(), self.unseen.values().sum::<u64>());
        for (keys, count) in &self.unseen {
            let why = Unrepeatable::Unseen(keys.clone()).reason(&self.world.erasures);
            *reasons.entry(why).or_default() += count;
        }
        if self.key_missing > 0 {
            let why = Unrepeatable::KeyMissing.reason(&self.world.erasures);
            *reasons.entry(why).or_default() += self.key_missing;
        }
        let unseen = unseen + self.key_missing;
        let clean = self.entries > 0 && decisions_repeat && self.findings.is_empty();
        Report {
            clean,
            build: env!("CARGO_PKG_VERSION"),
            cedar: crate::cedar::sdk_version(),
            log: self.world.log,
            tree: (self.tree.size() == self.entries).then(|| TreeHead::of(&self.tree)),
            entries: self.entries,
            decisions: self.decisions,
            identical: self.identical,
            different: self.different,
            not_replayable: self.not_replayable + unseen,
            reasons,
            verdicts: self.verdicts.clone(),
            determining: self.determining.clone(),
            from: self.from,
            to: self.to,
            state: self.world.digest(),
            events: self.events.clone(),
            differences: self.differences.clone(),
            findings: self.findings.clone(),
        }
    }
}

/// Why a decision cannot be taken again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unrepeatable {
    /// What is personal, and may have decided, is sealed or erased: by the keys.
    Unseen(BTreeSet<KeyId>),
    /// It was denied because a key was missing then, whoever has it now.
    KeyMissing,
    /// Its policies do not compile with this build.
    Unfit(String),
}

impl Unrepeatable {
    /// The reason in words; `erasures` are all that are known, of later entries too.
    pub(super) fn reason(self, erasures: &Erasures) -> String {
        match self {
            Self::Unfit(reason) => reason,
            Self::KeyMissing => "a key was missing".to_owned(),
            Self::Unseen(keys) if keys.iter().any(|key| !erasures.contains(key)) => {
                "sealed".to_owned()
            }
            Self::Unseen(_) => "erased".to_owned(),
        }
    }
}

/// Takes a recorded decision again in `world`, folded to just before it, and says in
/// what it comes out otherwise; `Err` says why it cannot be taken again.
///
/// Of what is sealed or erased nothing is compared; and where it may have decided, the
/// decision is not taken for repeated, whatever comes out.
///
/// Of the shadow nothing is compared where it may rest on what the record does not hold.
/// Left out are `through`, which a World just before the entry may have passed without
/// anything that decides having changed; `pruned`, since what was pruned is not in the
/// request any more; and `omitted`, which counts it.
pub(super) fn differences(
    world: &World,
    entry: &Envelope,
    decided: &AccessDecided,
) -> Result<Vec<Difference>, Unrepeatable> {
    if (decided.decision, decided.note) == (Verdict::Deny, Some(Note::KeyMissing)) {
        return Err(Unrepeatable::KeyMissing);
    }
    let gaps = Gaps::of(decided);
    let again = decide_again(world, decided);
    if !again.rests_on.is_empty() {
        return Err(Unrepeatable::Unseen(again.rests_on));
    }
    let shadow_repeats = again.shadow_repeats;
    let again = again.decided;
    let shadow = unlike(&decided.shadow, &again.shadow).filter(|_| shadow_repeats);
    if again.note == Some(Note::NoPolicies) && decided.note != again.note {
        unfit(world, decided.set).map_err(Unrepeatable::Unfit)?;
    }
    let difference = |(what, pair): (&'static str, Option<(Value, Value)>)| {
        let (recorded, again) = pair?;
        Some(Difference { index: entry.index, id: entry.id, what, recorded, again })
    };
    let (asked, believed) = gaps.comparable(decided);
    let (asked_again, believed_again) = gaps.comparable(&again);
    let compared = [
        ("decision", unlike(&decided.decision, &again.decision)),
        ("note", unlike(&decided.note, &again.note)),
        ("policies", unlike(&decided.policies, &again.policies)),
        ("determining", unlike(&decided.determining, &again.determining)),
        ("errors", unlike(&decided.errors, &again.errors)),
        ("session", unlike(&decided.session, &again.session)),
        ("request", unlike(&asked, &asked_again)),
        ("believed", unlike(&believed, &believed_again)),
        ("step_up", unlike(&decided.step_up, &again.step_up)),
        ("shadow", shadow),
    ];
    Ok(compared.into_iter().filter_map(difference).collect())
}

/// Why a policy set that once decided cannot any more, if that is so.
fn unfit(world: &World, kind: SetKind) -> Result<(), String> {
    let set = world.set(kind);
    let Some(Err(faults)) = set.compiled() else { return Ok(()) };
    let version = set.in_force().map(|it| it.version).unwrap_or_default();
    let first = faults.first().map(ToString::to_string).unwrap_or_default();
    let first = first.lines().next().unwrap_or_default();
    Err(format!(
        "version {version} of the {} policies does not compile with this build: {first}",
        kind.as_str()
    ))
}

fn unlike<T: PartialEq + Serialize>(recorded: &T, again: &T) -> Option<(Value, Value)> {
    let json = |it: &T| serde_json::to_value(it).unwrap_or_default();
    (recorded != again).then(|| (json(recorded), json(again)))
}
