//! What it takes for a principal to do something to a resource, found by deciding it
//! really under every assurance that a person can show.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::cedar::{Effect, Said, Sayable};
use crate::event::{AccessDecided, Presented, SessionFacts, Verdict};
use crate::model::{Aal, Acr, EntityType, Moment, PolicyId, SetKind, Uid};
use crate::pdp::{Again, Ask, OURS, asked_of, decide_as_of, decide_if, weighed};
use crate::projection::World;

/// Who is said to ask.
const ASKER: &str = "report";
/// How many different things an application is supposed to say about one pair.
const STANCES_MAX: usize = 16;

/// How strongly a person has shown who they are, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// Not at all: without a session.
    None,
    /// By a password.
    Password,
    /// By two factors.
    Mfa,
    /// By two factors that cannot be phished.
    Passkey,
    /// By a key held in hardware.
    Hardware,
}

impl Assurance {
    /// All of them, weakest first.
    pub const ALL: [Self; 5] =
        [Self::None, Self::Password, Self::Mfa, Self::Passkey, Self::Hardware];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Password => "password",
            Self::Mfa => "mfa",
            Self::Passkey => "passkey",
            Self::Hardware => "hardware",
        }
    }

    /// What somebody has to have who is to show as much.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Password => "a password",
            Self::Mfa => "two factors",
            Self::Passkey => "two factors that cannot be phished",
            Self::Hardware => "a hardware key",
        }
    }

    const fn acr(self) -> Option<Acr> {
        match self {
            Self::None => None,
            Self::Password => Some(Acr::Aal1),
            Self::Mfa => Some(Acr::Aal2),
            Self::Passkey => Some(Acr::PhishingResistant),
            Self::Hardware => Some(Acr::HardwareProtected),
        }
    }
}

/// A text that names no assurance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an assurance is one of none, password, mfa, passkey, hardware")]
pub struct NoAssurance;

impl FromStr for Assurance {
    type Err = NoAssurance;
    fn from_str(text: &str) -> Result<Self, NoAssurance> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or(NoAssurance)
    }
}

/// What must be so for something to be allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Need {
    /// The assurances that suffice, weakest first.
    pub assurances: Vec<Assurance>,
    /// Stronger ones than the weakest of those that do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Assurance>,
    /// How old the authentication may be in seconds, for the weakest; absent if as old as a
    /// session may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u64>,
    /// What the application must say, such as `subject.device_posture is "healthy"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.assurances.first().copied().unwrap_or(Assurance::None);
        let said = self.said.join(" and ");
        if least == Assurance::None && self.except.is_empty() && !said.is_empty() {
            return write!(f, "the application's word that {said}");
        }
        f.write_str(least.words())?;
        if let Some(age_s) = self.max_age_s {
            write!(f, ", shown within the last {}", age(age_s.saturating_add(1)))?;
        }
        if !self.except.is_empty() {
            let except: Vec<_> = self.except.iter().map(|one| one.words()).collect();
            write!(f, ", but not with {}", except.join(" or "))?;
        }
        if said.is_empty() {
            return Ok(());
        }
        write!(f, ", and the application's word that {said}")
    }
}

fn age(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        _ => (seconds / 3_600, "hour"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// What came of one principal, action and resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Allowed whatever its principal shows.
    Allow {
        /// The permits.
        by: Vec<PolicyId>,
    },
    /// Allowed if something is so.
    Conditional {
        /// What.
        need: Need,
        /// The permits, if it is.
        by: Vec<PolicyId>,
        /// The forbids, if it is not.
        barred_by: Vec<PolicyId>,
    },
    /// Not allowed whatever its principal shows.
    Deny {
        /// The forbids; none if nothing permits it.
        by: Vec<PolicyId>,
    },
    /// Not known: see [`Undecided`].
    Unknown,
}

/// Why it is not known whether something can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Undecided {
    /// It rests on something erased, or sealed under a key that is not at hand.
    Unseen,
    /// An application could say more than is tried.
    Unsaid,
}

impl Undecided {
    /// The same for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unseen => "they rest on what was erased or cannot be opened here",
            Self::Unsaid => "an application could say more that policies listen to than is tried",
        }
    }
}

/// How something can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What must be so; nothing if it can be done at every assurance considered.
    pub need: Option<Need>,
    /// The permits, one list for each assurance that suffices, weakest first.
    pub by: Vec<Vec<PolicyId>>,
}

/// An assurance, and what was decided at it.
type Tried = (Assurance, AccessDecided);

/// What an application says beyond who, what and to what.
type Stance = Vec<(Said, String, Value)>;

/// All that is supposed of an application, and whether that is all there is.
type Stances = (Vec<Stance>, bool);

/// The types of a principal and a resource, and the action between them.
type Kinds = (EntityType, Uid, EntityType);

/// Asks a World what it takes.
pub struct Prober<'a> {
    world: &'a World,
    then: Moment,
    persons: BTreeSet<EntityType>,
    /// The greatest age found last: mostly the next is the same.
    age_s: Cell<Option<u64>>,
    decisions: Cell<u64>,
    /// What is worth saying, by the types of those concerned.
    stances: RefCell<HashMap<Kinds, Rc<Stances>>>,
}

impl<'a> Prober<'a> {
    /// Of a World, at a time. Run it on a large stack: the first decision may compile.
    #[must_use]
    pub fn new(world: &'a World, then: Moment) -> Self {
        let bindings = world.services.iter().filter_map(|service| service.binding.as_ref());
        let theirs = bindings.map(|binding| binding.user_type.clone());
        let persons = theirs.chain([world.settings.user_type.clone()]).collect();
        let (age_s, decisions, stances) = (Cell::new(None), Cell::new(0), RefCell::default());
        Self { world, then, persons, age_s, decisions, stances }
    }

    /// How many decisions it has taken so far.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        self.decisions.get()
    }

    /// True of the entities that can have a session: persons.
    #[must_use]
    pub fn is_person(&self, uid: &Uid) -> bool {
        self.persons.contains(uid.kind())
    }

    /// What it takes. Costs a decision; for a person five, and some more if the age of the
    /// authentication counts. A principal that is no person has no session. What is denied
    /// is asked again with what the application could say, as far as policies listen to it.
    #[must_use]
    pub fn reach(&self, principal: &Uid, action: &Uid, resource: &Uid) -> Reach {
        let most = self.most(principal, Assurance::Hardware);
        let mut denied = None;
        let stances = self.stances(principal, action, resource);
        let (stances, all) = &*stances;
        for stance in stances {
            let ask = asking([principal, action, resource], stance);
            let Some(tried) = self.climb(&ask, most) else { return Reach::Unknown };
            let by = |wanted: Verdict| {
                let first = tried.iter().find(|(_, decided)| decided.decision == wanted);
                first.map(|(_, decided)| decided.determining.clone())
            };
            let barred_by = denied.get_or_insert(by(Verdict::Deny).unwrap_or_default());
            if let Some(by) = by(Verdict::Allow) {
                return match self.need(&ask, &tried, stance) {
                    Some(need) => Reach::Conditional { need, by, barred_by: barred_by.clone() },
                    None => Reach::Allow { by },
                };
            }
        }
        if *all || !self.could_turn(principal, action, resource) {
            Reach::Deny { by: denied.unwrap_or_default() }
        } else {
            Reach::Unknown
        }
    }

    /// How somebody can do it who can show at most so much, and has the application say what
    /// helps; nothing if they cannot. Costs what [`Prober::reach`] costs, for all that can be
    /// said.
    ///
    /// # Errors
    /// [`Undecided`], if no way was found and it is not known that there is none.
    pub fn way(
        &self,
        principal: &Uid,
        action: &Uid,
        resource: &Uid,
        most: Assurance,
    ) -> Result<Option<Way>, Undecided> {
        let most = self.most(principal, most);
        let mut way: Option<Way> = None;
        let stances = self.stances(principal, action, resource);
        let (stances, all) = &*stances;
        let mut undecided = (!all).then_some(Undecided::Unsaid);
        for stance in stances {
            let ask = asking([principal, action, resource], stance);
            let Some(tried) = self.climb(&ask, most) else {
                undecided = Some(Undecided::Unseen);
                continue;
            };
            let allowed = tried.iter().filter(|(_, decided)| decided.decision == Verdict::Allow);
            let by: Vec<_> = allowed.map(|(_, decided)| decided.determining.clone()).collect();
            match &mut way {
                _ if by.is_empty() => {}
                None => way = Some(Way { need: self.need(&ask, &tried, stance), by }),
                Some(way) => way.by.extend(by),
            }
        }
        match (way, undecided) {
            (None, Some(Undecided::Unsaid)) if !self.could_turn(principal, action, resource) => {
                Ok(None)
            }
            (None, Some(why)) => Err(why),
            (way, _) => Ok(way),
        }
    }

    /// True if the scope of any permit holds, so that what is said may turn a denial; in doubt
    /// true. A look at the scope of each policy.
    fn could_turn(&self, principal: &Uid, action: &Uid, resource: &Uid) -> bool {
        let ask = asking([principal, action, resource], &Stance::new());
        let in_scope = weighed(self.world, &ask, self.then, None);
        in_scope.is_none_or(|all| all.iter().any(|one| one.effect == Effect::Permit))
    }

    /// What an application could say, nothing first, then as little as possible.
    fn stances(&self, principal: &Uid, action: &Uid, resource: &Uid) -> Rc<Stances> {
        let kinds = (principal.kind().clone(), action.clone(), resource.kind().clone());
        if let Some(known) = self.stances.borrow().get(&kinds) {
            return Rc::clone(known);
        }
        let sayable = match self.world.set(SetKind::Application).compiled() {
            Some(Ok(compiled)) => compiled.policies.sayable((&kinds.0, &kinds.1, &kinds.2), &OURS),
            Some(Err(_)) | None => Vec::new(),
        };
        let stances = Rc::new(combined(&sayable));
        self.stances.borrow_mut().insert(kinds, Rc::clone(&stances));
        stances
    }

    /// The decisions for each assurance up to one, weakest first; nothing if one of them may
    /// rest on what cannot be seen.
    fn climb(&self, ask: &Ask, most: Assurance) -> Option<Vec<Tried>> {
        let rungs = Assurance::ALL.into_iter().filter(|rung| *rung <= most);
        rungs.map(|rung| Some((rung, self.decided(ask, rung, 0)?))).collect()
    }

    fn most(&self, principal: &Uid, most: Assurance) -> Assurance {
        if self.is_person(principal) { most } else { Assurance::None }
    }

    /// What must be shown and said, if not all suffices.
    fn need(&self, ask: &Ask, tried: &[Tried], stance: &Stance) -> Option<Need> {
        let (allowed, denied): (Vec<_>, Vec<_>) =
            tried.iter().partition(|(_, decided)| decided.decision == Verdict::Allow);
        let assurances: Vec<_> = allowed.into_iter().map(|(rung, _)| *rung).collect();
        let least = *assurances.first()?;
        let max_age_s = self.oldest(ask, least);
        if denied.is_empty() && max_age_s.is_none() && stance.is_empty() {
            return None;
        }
        let denied = denied.into_iter().map(|(rung, _)| *rung);
        let except = denied.filter(|rung| *rung > least).collect();
        let said = stance
            .iter()
            .map(|(place, name, value)| format!("{}.{name} is {value}", place.as_str()));
        Some(Need { assurances, except, max_age_s, said: said.collect() })
    }

    /// The greatest age at which an assurance suffices, found by halving; nothing if as old
    /// as a session may be. Ages suffice up to some age and not above it, as far as policies
    /// are sensible.
    fn oldest(&self, ask: &Ask, rung: Assurance) -> Option<u64> {
        let aal = rung.acr().map_or(Aal::ONE, Acr::aal);
        let longest = rung.acr().map(|_| self.world.settings.session.absolute_s(aal))?;
        let suffices = |age_s| {
            let decided = self.decided(ask, rung, age_s);
            decided.is_some_and(|decided| decided.decision == Verdict::Allow)
        };
        if suffices(longest) {
            return None;
        }
        if let Some(known) = self.age_s.get()
            && known < longest
            && suffices(known)
            && !suffices(known + 1)
        {
            return Some(known);
        }
        let (mut good, mut bad) = (0, longest);
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            if suffices(middle) { good = middle } else { bad = middle }
        }
        self.age_s.set(Some(good));
        Some(good)
    }

    /// The decision for somebody who showed as much so long ago; nothing if it may rest on
    /// what cannot be seen.
    fn decided(&self, ask: &Ask, rung: Assurance, age_s: u64) -> Option<AccessDecided> {
        self.decisions.set(self.decisions.get().saturating_add(1));
        let facts = rung.acr().map(|acr| SessionFacts {
            id: Uuid::nil(),
            aal: acr.aal().get(),
            methods: acr.methods().0,
            authenticated_at: self.then.minus_seconds(age_s),
            source: "countersign".to_owned(),
        });
        let Again { decided, rests_on, .. } = match facts {
            Some(facts) => decide_if(self.world, ask, self.then, &facts),
            None => decide_as_of(self.world, ask, self.then),
        };
        rests_on.is_empty().then_some(*decided)
    }
}

fn asking([principal, action, resource]: [&Uid; 3], stance: &Stance) -> Ask {
    let mut request = asked_of(principal, action, resource);
    for (place, name, value) in stance {
        let members = match place {
            Said::Subject => &mut request.subject.properties,
            Said::Resource => &mut request.resource.properties,
            Said::Context => &mut request.context,
        };
        members.insert(name.clone(), value.clone());
    }
    Ask::access(request, Presented::Nothing, ASKER)
}

/// Every choice of one value, or none, for each that can be said: those that say least
/// first, and at most [`STANCES_MAX`]; false if there are more.
fn combined(sayable: &[Sayable]) -> Stances {
    let (mut stances, mut all) = (vec![Stance::new()], true);
    for one in sayable {
        let said = one.values.iter().flat_map(|value| {
            let with = |stance: &Stance| {
                let more = (one.place, one.name.clone(), value.clone());
                stance.iter().cloned().chain([more]).collect::<Stance>()
            };
            stances.iter().map(with).collect::<Vec<_>>()
        });
        let said: Vec<_> = said.collect();
        stances.extend(said);
        stances.sort_by_key(Vec::len);
        all &= one.all && stances.len() <= STANCES_MAX;
        stances.truncate(STANCES_MAX);
    }
    (stances, all)
}
