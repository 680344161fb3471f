//! One recorded access, decided again and decided otherwise.

use std::sync::Arc;

use super::super::replay::{Unrepeatable, differences};
use super::super::row::named;
use super::report::{Flip, Novelty, Reasons, Turned};
use crate::event::{AccessDecided, Envelope, Event, Verdict};
use crate::model::{Moment, PolicyId};
use crate::pdp::{
    Again, Explanation, PolicyExplained, Role, decide_again, explain_again, rests_on_unrecorded,
};
use crate::projection::{Erasures, World};

/// The Worlds of one time, shared by all that was decided in them.
#[derive(Debug)]
pub(super) struct Grounds {
    /// As it was.
    pub(super) then: World,
    /// As it is supposed; or why it cannot be.
    pub(super) supposed: Result<World, String>,
    /// With what is in force now; none where it was in force then, or nothing is to be
    /// held against it.
    pub(super) present: Option<World>,
    /// All erasures up to now.
    pub(super) erasures: Erasures,
}

/// A recorded access and what it is decided by, to be judged on any thread, in any order.
#[derive(Debug)]
pub struct Case {
    pub(super) entry: Envelope,
    pub(super) grounds: Arc<Grounds>,
}

/// What came of a case.
#[derive(Debug)]
pub struct Judged {
    pub(super) time: Moment,
    pub(super) outcome: Outcome,
    /// What a change came of, to be explained if it is to be a sample.
    case: Option<Case>,
}

/// The recorded answer beside the supposed one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// The same answer.
    Unchanged {
        /// By other policies, or by another note or error.
        otherwise: bool,
        /// What is in force now answers otherwise: the change from that.
        taken_back: Option<Box<Flip>>,
    },
    /// The other answer.
    Flipped(Box<Flip>),
    /// Nobody can say, and why.
    NotReplayable(String),
}

/// The record is not what its World gives.
const DIFFERS: &str = "differs from the record";
/// A caller said something that was not recorded, and that would count now.
const UNRECORDED: &str = "rests on what the caller said and was not recorded";

impl Case {
    /// Takes the decision again as it was, as it is supposed, and, where something else is
    /// in force now, by that: two or three decisions, and for one that says which login
    /// would help up to twenty more.
    ///
    /// The first under a policy set of the past compiles that set: on a large stack.
    #[must_use]
    pub fn judged(self) -> Judged {
        let time = self.entry.time;
        let outcome = match &self.entry.event {
            Event::AccessDecided(decided) => {
                self.outcome(decided).unwrap_or_else(Outcome::NotReplayable)
            }
            _ => Outcome::NotReplayable(DIFFERS.to_owned()),
        };
        let case = outcome.change().is_some().then_some(self);
        Judged { time, outcome, case }
    }

    fn outcome(&self, decided: &AccessDecided) -> Result<Outcome, String> {
        let Grounds { then, supposed, erasures, .. } = &*self.grounds;
        match differences(then, &self.entry, decided) {
            Ok(none) if none.is_empty() => {}
            Ok(_) => return Err(DIFFERS.to_owned()),
            Err(why) => return Err(why.reason(erasures)),
        }
        let supposed = supposed.as_ref().map_err(Clone::clone)?;
        let again = otherwise(supposed, decided);
        if !again.rests_on.is_empty() {
            return Err(Unrepeatable::Unseen(again.rests_on).reason(erasures));
        }
        if rests_on_unrecorded(then, supposed, decided) {
            return Err(UNRECORDED.to_owned());
        }
        let again = again.decided;
        let present = self.at_present(decided);
        let changed = again.decision != decided.decision;
        let so_already = present.as_ref().map(|it| it.decision == again.decision);
        if changed {
            let novelty = if so_already == Some(true) { Novelty::Already } else { Novelty::New };
            return Ok(Outcome::Flipped(Box::new(self.flip(novelty, decided, &again))));
        }
        let otherwise = again.determining != decided.determining
            || again.note != decided.note
            || again.errors != decided.errors;
        let taken_back = present.filter(|_| so_already == Some(false));
        let taken_back = taken_back.map(|it| Box::new(self.flip(Novelty::TakenBack, &it, &again)));
        Ok(Outcome::Unchanged { otherwise, taken_back })
    }

    /// What is in force now would have answered; nothing where the record says it, or where
    /// nobody can say.
    fn at_present(&self, decided: &AccessDecided) -> Option<AccessDecided> {
        let present = self.grounds.present.as_ref()?;
        let again = otherwise(present, decided);
        let known =
            again.rests_on.is_empty() && !rests_on_unrecorded(&self.grounds.then, present, decided);
        known.then_some(*again.decided)
    }

    /// The change from one answer to another.
    fn flip(&self, novelty: Novelty, decided: &AccessDecided, again: &AccessDecided) -> Flip {
        let request = &decided.request;
        Flip {
            novelty,
            id: self.entry.id,
            index: self.entry.index,
            time: self.entry.time,
            principal: named(&request.subject),
            action: request.action.name.clone(),
            resource: named(&request.resource),
            would_allow: again.decision == Verdict::Allow,
            before: Reasons::of(decided),
            after: Reasons::of(again),
        }
    }
}

impl Outcome {
    /// The change that it comes with.
    fn change(&self) -> Option<&Flip> {
        match self {
            Self::Flipped(flip) | Self::Unchanged { taken_back: Some(flip), .. } => Some(flip),
            Self::Unchanged { taken_back: None, .. } | Self::NotReplayable(_) => None,
        }
    }
}

/// A recorded decision as other policies would have it. Which login would help is another
/// question, and costs twenty decisions.
fn otherwise(world: &World, decided: &AccessDecided) -> Again {
    match &decided.step_up {
        Some(_) => decide_again(world, &AccessDecided { step_up: None, ..decided.clone() }),
        None => decide_again(world, decided),
    }
}

impl Judged {
    /// A changed decision with the reasons for both answers in words and by the clause.
    /// Costs two decisions, and a look at the scope of each policy; on a large stack.
    pub(super) fn explained(&self, flip: &Flip) -> Flip {
        let mut flip = flip.clone();
        let Some(Case { entry, grounds }) = &self.case else { return flip };
        let Grounds { then, supposed, present, erasures } = &**grounds;
        let (Event::AccessDecided(decided), Ok(supposed)) = (&entry.event, supposed) else {
            return flip;
        };
        let from = match flip.novelty {
            Novelty::TakenBack => present.as_ref().unwrap_or(then),
            Novelty::New | Novelty::Already => then,
        };
        let [before, after] = [from, supposed].map(|world| explain_again(world, decided, erasures));
        let clauses =
            [turned(&before, &flip.after.determining), turned(&after, &flip.before.determining)];
        let [was, would] = clauses;
        (flip.before.sentence, flip.before.clause) = (before.sentence, was);
        (flip.after.sentence, flip.after.clause) = (after.sentence, would);
        flip
    }
}

/// The clause that an answer turned on. Of the permits that came near, one of `others` is
/// told first: what determines the other answer.
fn turned(why: &Explanation, others: &[PolicyId]) -> Option<Turned> {
    let of = |role: Role| why.policies.iter().filter(move |one| one.role == role);
    let known = |one: &&PolicyExplained| others.contains(&one.weighed.policy);
    let determined = of(Role::Determined).next();
    let nearest = of(Role::Nearest).find(known).or_else(|| of(Role::Nearest).next());
    let (one, clause) = match (determined, nearest) {
        (Some(one), _) => (one, one.weighed.clauses.last()?),
        (None, Some(one)) => (one, one.weighed.clauses.iter().find(|it| it.fails())?),
        (None, None) => return None,
    };
    Some(Turned {
        policy: one.weighed.policy.clone(),
        clause: clause.clause.clone(),
        held: determined.is_some(),
        found: clause.values.iter().map(ToString::to_string).collect(),
    })
}
