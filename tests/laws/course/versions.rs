//! Versions of the policies, as they come and go.

use countersign::cedar::Limits;
use countersign::event::{Actor, Event, Presented};
use countersign::model::Digest;
use countersign::pap::{self, By, NewVersion, Step};
use countersign::projection::Stage;
use proptest::prelude::*;
use proptest::sample::Index as Pick;

use super::{Course, NAMES, POLICIES, SCHEMA, label, pick};

/// What becomes of a version.
#[derive(Clone, Debug)]
pub enum Life {
    /// A new one, with these of the policies.
    Draft { schema: bool, policies: u8 },
    /// A new one in force at once.
    Apply { policies: u8 },
    /// Some step of one, by somebody.
    Step(u8, Pick, usize),
}

pub fn life(who: impl Strategy<Value = usize>) -> impl Strategy<Value = Life> {
    prop_oneof![
        2 => (any::<bool>(), 0_u8..64)
            .prop_map(|(schema, policies)| Life::Draft { schema, policies }),
        1 => (0_u8..64).prop_map(|policies| Life::Apply { policies }),
        9 => (0_u8..6, any::<Pick>(), who)
            .prop_map(|(step, which, who)| Life::Step(step, which, who)),
    ]
}

impl Course {
    pub(super) fn live_version(&mut self, life: &Life) -> Option<Vec<Event>> {
        match life {
            Life::Draft { schema, policies } => {
                let new = Self::new_version(*schema, *policies);
                let written = pap::write(&self.live, new, &Limits::default()).ok()?;
                let publication = self.id();
                pap::draft(&self.live, &written, publication, &by(0)).ok()
            }
            Life::Apply { policies } => {
                let new = Self::new_version(false, *policies);
                let written = pap::write(&self.live, new, &Limits::default()).ok()?;
                let fitness = written.check(&self.live, &Limits::default()).ok()?;
                let publication = self.id();
                pap::apply(&self.live, &written, &fitness, publication, None, &by(1)).ok()
            }
            Life::Step(step, which, who) => self.step_of(*step, *which, *who),
        }
    }

    fn new_version(schema: bool, policies: u8) -> NewVersion {
        let chosen = (0..6_usize).filter(|at| policies >> at & 1 == 1);
        let mut files: Vec<_> = chosen.map(|at| ("test.cedar", POLICIES[at])).collect();
        files.dedup_by_key(|(_, text)| text.split('"').nth(1));
        NewVersion {
            schema: schema.then(|| format!("{SCHEMA} entity Gate;")),
            policies: Some(pap::set_of(&files, &Limits::default()).unwrap()),
            tests: policies.is_multiple_of(3).then(|| "[]".to_owned()),
            message: label("by course"),
        }
    }

    fn step_of(&self, step: u8, which: Pick, who: usize) -> Option<Vec<Event>> {
        let step = [
            Step::Check,
            Step::Stage,
            Step::Unstage,
            Step::Approve,
            Step::Activate,
            Step::RollBack,
        ][usize::from(step)];
        // Mostly one that it may be.
        let fits = |stage: Stage| match step {
            Step::Check => stage == Stage::Draft,
            Step::Stage | Step::Activate => stage < Stage::Staged,
            Step::Unstage => stage == Stage::Staged,
            Step::Approve => matches!(stage, Stage::Checked | Stage::Staged),
            Step::RollBack => stage == Stage::Retired,
        };
        let all = self.live.versions.latest_first();
        let all = all.iter().filter(|version| fits(version.stage) || which.index(7) == 0);
        let all: Vec<Digest> = all.map(|version| version.digest).collect();
        let digest = *pick(&all, which)?;
        let ready = if step.compiles() {
            Some(pap::ready(&self.live, &digest, &Limits::default()).ok()?)
        } else {
            None
        };
        let reason = label("by course");
        pap::take_step(&self.live, step, &digest, ready.as_ref(), &by(who), reason).ok()
    }
}

fn by(who: usize) -> By {
    By { actor: Actor::Person(NAMES[who].parse().unwrap()), presented: Presented::Nothing }
}
