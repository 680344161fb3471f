//! What would be enough, tried out on what was allowed.

use std::collections::BTreeMap;

use super::findings::Found;
use super::report::{Finding, LeastPrivilege, Proposal, Retaken, Rule, Window};
use super::usage::Usage;
use crate::cedar::{CompiledPolicies, CompiledSchema, Limits, narrowed};
use crate::event::{AccessDecided, Envelope, Event, Verdict, VersionRef};
use crate::model::{Label, Moment, PolicyBody, PolicyId, PolicySource, SetKind, Uid};
use crate::pap::{self, Draft};
use crate::pdp::{decide_again, rests_on_unrecorded};
use crate::projection::{PolicySetState, World};

/// What was found, with a narrower policy for what is granted and hardly used, on its way
/// through the window once more: every past use of such a policy is decided again.
///
/// Costs, an entry, nothing; a use of a policy that would change, two decisions at most.
pub struct Trial {
    from: Moment,
    window: Window,
    rule: Rule,
    policies: Option<VersionRef>,
    found: Vec<Found>,
    proposed: BTreeMap<PolicyId, Proposed>,
    /// What is in force, and the same with all proposals.
    sets: Option<(PolicySetState, PolicySetState)>,
    together: Retaken,
}

struct Proposed {
    text: Option<String>,
    summary: String,
    impact: Retaken,
}

impl Trial {
    /// Draws up proposals from what was counted, in the World of the window's end. Compiles
    /// the whole set with them; call it on a large stack.
    #[must_use]
    pub fn of(usage: &Usage, world: &World) -> Self {
        let (rule, window) = (Rule::default(), usage.window());
        let set = world.set(SetKind::Application);
        let mut found = usage.found(world, rule);
        let mut proposed = BTreeMap::new();
        if let Some(Ok(compiled)) = set.compiled() {
            for one in &mut found {
                if one.told.kept.is_some() || one.told.finding == Finding::Used {
                    continue;
                }
                match proposal(one, set, &compiled.schema, rule) {
                    Ok(it) => drop(proposed.insert(one.told.policy.clone(), it)),
                    Err(why) => one.told.kept = Some(why),
                }
            }
        }
        let sets = supposed(world, &proposed);
        if sets.is_none() {
            proposed.clear();
        }
        let (from, policies, together) = (usage.from, set.in_force(), Retaken::default());
        Self { from, window, rule, policies, found, proposed, sets, together }
    }

    /// True if there is nothing to try: the window need not be gone through again.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.proposed.is_empty()
    }

    /// Takes the next entry again, with the World just before it.
    pub fn step(&mut self, world: &World, entry: &Envelope) {
        if let Event::AccessDecided(decided) = &entry.event
            && entry.time >= self.from
            && decided.set.is_application()
            && decided.decision == Verdict::Allow
            && decided.determining.iter().any(|policy| self.proposed.contains_key(policy))
        {
            self.again(world, decided);
        }
    }

    fn again(&mut self, world: &World, decided: &AccessDecided) {
        let Some((present, narrow)) = &self.sets else { return };
        let mut came = Retaken { decisions: 1, ..Retaken::default() };
        match taken(world, narrow, decided) {
            None => came.not_replayable = 1,
            Some(Verdict::Allow) => {}
            Some(Verdict::Deny) => match taken(world, present, decided) {
                None => came.not_replayable = 1,
                Some(Verdict::Allow) => came.would_deny = 1,
                Some(Verdict::Deny) => came.denied_since = 1,
            },
        }
        self.together.add(came);
        for policy in &decided.determining {
            if let Some(it) = self.proposed.get_mut(policy) {
                it.impact.add(came);
            }
        }
    }

    /// What is to be told.
    #[must_use]
    pub fn report(self) -> LeastPrivilege {
        let mut proposed = self.proposed;
        let told = |found: Found| {
            let mut told = found.told;
            if let Some(Proposed { text, summary, impact }) = proposed.remove(&told.policy) {
                let Retaken { would_deny, not_replayable, .. } = impact;
                told.kept = match (would_deny, not_replayable) {
                    (0, 0) => None,
                    (0, some) => Some(format!(
                        "whether what was proposed would have denied {some} uses nobody can say: \
                         they cannot be decided again"
                    )),
                    (some, _) => Some(format!("what was proposed would have denied {some} uses")),
                };
                if told.kept.is_none() {
                    told.proposal = Some(Proposal { text, summary, impact });
                }
            }
            told
        };
        let mut grants: Vec<_> = self.found.into_iter().map(told).collect();
        grants.sort_by_key(|grant| (grant.finding, grant.kept.is_some()));
        let (window, rule, policies) = (self.window, self.rule, self.policies);
        let mut caveats: Vec<_> = CAVEATS.iter().map(|text| (*text).to_owned()).collect();
        if grants.iter().any(|grant| grant.template.is_some() && grant.proposal.is_some()) {
            caveats.push(OF_LINKS.to_owned());
        }
        LeastPrivilege { window, policies, rule, grants, together: self.together, caveats }
    }
}

/// What the figures do not tell.
const CAVEATS: [&str; 4] = [
    "what happens once a year, or in an emergency, need not be in the window: annotate such a \
     policy `@keep(\"why\")` or `@break_glass(\"why\")`, and it is left alone",
    "a proposed policy names those who used the old one; who joins the group later is not in it",
    "a use is an allow in which the policy was determining; two policies that allow the same are \
     both used by it",
    "past uses are decided again with what was known of them then; what applications will say \
     of others nobody knows",
];

/// The same of what is proposed in place of links.
const OF_LINKS: &str = "a policy proposed in place of a template's link is one of its own: what \
                        is changed in the template later does not reach it";

impl Retaken {
    fn add(&mut self, other: Self) {
        self.decisions += other.decisions;
        self.would_deny += other.would_deny;
        self.denied_since += other.denied_since;
        self.not_replayable += other.not_replayable;
    }
}

/// A decision taken again with another set of policies; nothing if it may rest on what cannot
/// be seen any more, or on what its caller said and its record does not hold.
fn taken(world: &World, set: &PolicySetState, decided: &AccessDecided) -> Option<Verdict> {
    let supposed = world.supposing(set.clone());
    let again = decide_again(&supposed, decided);
    let known = again.rests_on.is_empty() && !rests_on_unrecorded(world, &supposed, decided);
    known.then_some(again.decided.decision)
}

/// What would be enough for a grant, or why nothing is proposed.
fn proposal(
    found: &Found,
    set: &PolicySetState,
    schema: &CompiledSchema,
    rule: Rule,
) -> Result<Proposed, String> {
    let told = &found.told;
    let impact = Retaken::default();
    if told.finding == Finding::NeverUsed {
        return Ok(Proposed { text: None, summary: "withdraw it".to_owned(), impact });
    }
    let principals = match (&found.users, told.finding) {
        (Some(users), Finding::UsedByFew) if users.len() <= rule.listed_max => users.as_slice(),
        (_, Finding::UsedByFew) => return Err("too many use it to list them".to_owned()),
        _ => &[],
    };
    let source = set.source(&told.policy).ok_or("its text is not at hand")?;
    let unfit = |fault: &dyn std::fmt::Display| format!("no narrower policy was found: {fault}");
    let text = narrowed(source, set.template_of(source), principals, &found.actions);
    let text = text.map_err(|fault| unfit(&fault))?;
    let narrow = with_text(&told.policy, &text);
    let valid = CompiledPolicies::compile(
        std::slice::from_ref(&narrow),
        schema,
        SetKind::Application,
        &Limits::default(),
    );
    valid.map_err(|faults| faults.first().map_or_else(String::new, |first| unfit(first)))?;
    Ok(Proposed { summary: summary(principals, &found.actions), text: Some(text), impact })
}

fn with_text(policy: &PolicyId, text: &str) -> PolicySource {
    PolicySource { id: policy.clone(), body: PolicyBody::Static { text: text.into() } }
}

fn summary(principals: &[Uid], actions: &[Uid]) -> String {
    let names: Vec<_> = actions.iter().map(Uid::id).collect();
    let which = if names.is_empty() { "it".to_owned() } else { names.join(", ") };
    match principals {
        [] => format!("allow {which} only"),
        [one] => format!("allow {which} to {one} only"),
        some => format!("allow {which} only to the {} who used it", some.len()),
    }
}

/// What is in force, and the same with the proposals; nothing if there is none, or they do
/// not compile together.
fn supposed(
    world: &World,
    proposed: &BTreeMap<PolicyId, Proposed>,
) -> Option<(PolicySetState, PolicySetState)> {
    if proposed.is_empty() {
        return None;
    }
    let set = world.set(SetKind::Application);
    let changed = |source: &PolicySource| match proposed.get(&source.id) {
        None => Some(source.clone()),
        Some(it) => it.text.as_deref().map(|text| with_text(&source.id, text)),
    };
    let draft = Draft {
        set: SetKind::Application,
        schema: None,
        policies: Some(set.sources().filter_map(changed).collect()),
        message: Label::default(),
    };
    let narrow = pap::supposed(world, &draft, &Limits::default()).ok()?;
    Some((set.clone(), narrow))
}
