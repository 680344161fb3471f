//! Which login would turn a denial into an allow: the cheapest that suffices.

use std::cell::RefCell;

use uuid::Uuid;

use super::decide::{Way, named, supposing};
use super::{Again, Ask, Gaps, SharedFacts};
use crate::event::{AccessDecided, Note, SessionFacts, SessionUsed, StepUp, Verdict};
use crate::model::{Aal, Acr, Moment, SetKind, Uid};
use crate::projection::World;

/// Looks for a login that would have this denial allowed: the same question is decided
/// again, once for each class of assurance that the subject can reach (at most four),
/// with an authentication of this moment; then, by halving, for the greatest age at which
/// the cheapest of them still suffices (at most seventeen times). A class below that of
/// the session presented is not offered.
///
/// Empty if no login would help: it was not denied by policies, the subject is nobody who
/// can log in, or the policies want something else; and while the index of policies is in
/// doubt. What was looked for, and the keys of what could not be seen and may have mattered,
/// are added to those of the denial.
///
/// # Source
/// RFC 9470 §3 (`acr_values` in order of preference, `max_age`).
pub(super) fn step_up(
    world: &World,
    ask: &Ask,
    denied: &mut Again,
    gaps: &Gaps,
    way: Way,
) -> StepUp {
    let tried = RefCell::default();
    let found = search(world, ask, &denied.decided, gaps, way, &tried);
    for again in tried.into_inner() {
        denied.rests_on.extend(again.rests_on);
        denied.looked_for.extend(&again.looked_for);
    }
    found
}

fn search(
    world: &World,
    ask: &Ask,
    denied: &AccessDecided,
    gaps: &Gaps,
    way: Way,
    tried: &RefCell<Vec<Again>>,
) -> StepUp {
    let none = StepUp { acr_values: Vec::new(), max_age_s: None };
    // While each policy is asked each time, a search would cost too much.
    if world.index_doubts.current().is_some() {
        return none;
    }
    // Without a session the context may lack what is required, and a policy may err.
    let session_counts =
        matches!(denied.note, None | Some(Note::ContextIncomplete | Note::ForbidErred));
    let names = named(world, ask).ok().filter(|_| session_counts);
    let Some(reach) = names.and_then(|it| Reach::of(world, denied, &it.subject)) else {
        return none;
    };
    let now = denied.now;
    // Of sessions that are only supposed nothing is kept for others.
    let ask = &Ask { facts: SharedFacts::default(), ..ask.clone() };
    let allowed = |acr: Acr, age_s: u64| {
        let supposed = reach.facts(acr, before(now, age_s));
        let again = supposing(world, ask, now, gaps, way, &supposed);
        let allowed = again.decided.decision == Verdict::Allow;
        tried.borrow_mut().push(again);
        allowed
    };
    let acr_values: Vec<_> = Acr::ALL
        .into_iter()
        .filter(|acr| (reach.aal_min..=reach.aal_max).contains(&acr.aal()))
        .filter(|acr| reach.source != HERE || *acr <= world.settings.login_max)
        .filter(|acr| allowed(*acr, 0))
        .collect();
    let Some(cheapest) = acr_values.first().copied() else { return none };
    let longest = world.settings.session.absolute_s(cheapest.aal());
    let max_age_s = oldest(longest, |age_s| allowed(cheapest, age_s));
    StepUp { acr_values, max_age_s }
}

/// The greatest age up to `longest` that suffices, if `longest` itself does not. Ages
/// suffice up to some age and not above it, as far as policies are sensible; where they
/// are not, what is found has been tried all the same.
fn oldest(longest: u64, suffices: impl Fn(u64) -> bool) -> Option<u64> {
    if suffices(longest) {
        return None;
    }
    let (mut good, mut bad) = (0, longest);
    while bad - good > 1 {
        let middle = good.midpoint(bad);
        if suffices(middle) { good = middle } else { bad = middle }
    }
    Some(good)
}

fn before(now: Moment, age_s: u64) -> Moment {
    let micros = i64::try_from(age_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    Moment::from_micros(now.micros().saturating_sub(micros))
}

/// What a subject can reach by logging in.
struct Reach {
    aal_min: Aal,
    aal_max: Aal,
    source: String,
}

impl Reach {
    fn of(world: &World, denied: &AccessDecided, subject: &Uid) -> Option<Self> {
        if denied.set != SetKind::Application {
            return None;
        }
        match &denied.session {
            Some(SessionUsed::InForce(facts)) => Some(Self {
                aal_min: Aal::try_from(facts.aal).unwrap_or(Aal::ONE),
                aal_max: at_source(world, &facts.source, subject)?,
                source: facts.source.clone(),
            }),
            // Another's session: whoever logs in would be that other.
            Some(SessionUsed::OtherSubject { .. }) => None,
            None
            | Some(
                SessionUsed::Unknown | SessionUsed::Over { .. } | SessionUsed::Restricted { .. },
            ) => {
                let providers = world.services.iter().filter_map(|it| it.binding.as_ref());
                let sources = providers.map(|binding| binding.source.as_str());
                let all = std::iter::once(HERE).chain(sources);
                let best = all.filter_map(|source| {
                    at_source(world, source, subject).map(|aal_max| (aal_max, source))
                });
                // Of several, the one that reaches highest; then by name, so that a replay
                // finds the same.
                let (aal_max, source) = best.max()?;
                Some(Self { aal_min: Aal::ONE, aal_max, source: source.to_owned() })
            }
        }
    }

    fn facts(&self, acr: Acr, authenticated_at: Moment) -> SessionFacts {
        SessionFacts {
            id: Uuid::nil(),
            aal: acr.aal().get(),
            methods: acr.methods().0,
            authenticated_at,
            source: self.source.clone(),
        }
    }
}

/// The source of those who log in here.
const HERE: &str = "countersign";

/// The highest level that a subject can have at a source; none if it can have no session
/// there.
fn at_source(world: &World, source: &str, subject: &Uid) -> Option<Aal> {
    if source == HERE {
        if subject.kind() != &world.settings.user_type {
            return None;
        }
        let name = subject.id().parse().ok()?;
        let person = world.identities.get(&name).filter(|person| !person.disabled)?;
        return (!person.erased).then_some(Aal::THREE);
    }
    let bindings = world.services.iter().filter_map(|it| it.binding.as_ref());
    let theirs = bindings.filter(|it| it.source == source && it.user_type == *subject.kind());
    theirs.map(|binding| binding.max_aal).max()
}
