//! From what was counted to what is to be said of each grant.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Finding, GrantUse, Row, Rule, User, Window};
use super::usage::{Count, Usage, Use};
use crate::cedar::{CompiledPolicies, Grant, Named};
use crate::model::{EntityType, Moment, PolicyId, SetKind, Uid};
use crate::projection::World;

/// How many of those who used a grant are named.
const MOST: usize = 10;
/// Annotations of policies that are kept though nobody uses them.
const KEPT: [&str; 2] = ["break_glass", "keep"];
const DAY_S: u64 = 86_400;

/// A grant with what was found, and who used it.
pub(super) struct Found {
    pub(super) told: GrantUse,
    /// Everybody who used it; nothing if they are more than are told apart.
    pub(super) users: Option<Vec<Uid>>,
    /// The actions that were used, if not all were.
    pub(super) actions: Vec<Uid>,
}

impl Usage {
    /// What the window was.
    pub(super) fn window(&self) -> Window {
        let from = self.first.map_or(self.from, |first| first.max(self.from));
        let to = self.last.unwrap_or(from);
        let (allowed, denied, cut_short) = (self.allowed, self.denied, self.cut_short);
        Window { from, to, allowed, denied, cut_short }
    }

    /// Every grant in force in a World, which is that of the window's end. Costs a
    /// typecheck of each permit and a look at the directory; to be called on a large stack.
    pub(super) fn found(&self, world: &World, rule: Rule) -> Vec<Found> {
        let set = world.set(SetKind::Application);
        let Some(Ok(compiled)) = set.compiled() else { return Vec::new() };
        let grants = compiled.policies.grants();
        let members = members(world, &grants);
        let mut counts: BTreeMap<&PolicyId, Vec<(&Use, &Count)>> = BTreeMap::new();
        for (of, count) in &self.counts {
            counts.entry(&of.policy).or_default().push((of, count));
        }
        let window = self.window();
        let told = |(grant, members): (&Grant, u64)| {
            let counts: &[_] = counts.get(&grant.policy).map_or(&[], Vec::as_slice);
            let observed_from =
                self.changed.get(&grant.policy).map_or(window.from, |at| window.from.max(*at));
            let mut found = found(grant, members, counts, observed_from, rule);
            found.told.kept = kept(&found.told, &compiled.policies, window, rule);
            let source = set.source(&grant.policy);
            let template = source.and_then(|source| set.template_of(source));
            found.told.template = template.map(|template| template.id.clone());
            let annotation = |key| compiled.policies.annotation(&grant.policy, key);
            found.told.description = annotation("description").map(str::to_owned);
            found.told.owner = annotation("owner").map(str::to_owned);
            found
        };
        grants.iter().zip(members).map(told).collect()
    }
}

fn found(
    grant: &Grant,
    members: u64,
    counts: &[(&Use, &Count)],
    observed_from: Moment,
    rule: Rule,
) -> Found {
    let rows = rows(grant, counts);
    let mut by: BTreeMap<&Uid, (u64, Moment)> = BTreeMap::new();
    for (who, (uses, last)) in counts.iter().flat_map(|(_, count)| &count.by) {
        let known = by.entry(who).or_insert((0, *last));
        *known = (known.0 + uses, known.1.max(*last));
    }
    let whole = counts.iter().all(|(_, count)| count.others == 0);
    let users = whole.then(|| by.keys().map(|who| (*who).clone()).collect());
    let (uses, used_by) = (rows.iter().map(|row| row.uses).sum(), by.len() as u64);
    let actions: BTreeSet<_> = rows.iter().map(|row| &row.action).collect();
    let used: BTreeSet<_> = rows.iter().filter(|row| row.uses > 0).map(|row| &row.action).collect();
    // How many of them a policy is for that chooses among them itself, nobody can count.
    let counted = !grant.chooses && members >= rule.members_min;
    let few = counted && used_by * 100 <= members * rule.few_of_a_hundred;
    let finding = match uses {
        0 => Finding::NeverUsed,
        _ if few && whole => Finding::UsedByFew,
        _ if used.len() < actions.len() => Finding::PartlyUsed,
        _ => Finding::Used,
    };
    let partly = used.len() < actions.len();
    let actions = if partly { used.into_iter().cloned().collect() } else { Vec::new() };
    let told = GrantUse {
        policy: grant.policy.clone(),
        template: None,
        finding,
        description: None,
        owner: None,
        principal: grant.principal.to_string(),
        resource: match &grant.resource {
            Named::Any => "anything".to_owned(),
            named => named.to_string(),
        },
        members,
        chooses: grant.chooses,
        observed_from,
        uses,
        used_by,
        last_used: rows.iter().filter_map(|row| row.last_used).max(),
        most: most(&by),
        denied: rows.iter().map(|row| row.denied).sum(),
        rows,
        kept: None,
        proposal: None,
    };
    Found { told, users, actions }
}

/// A row for each action and type that the grant may apply to, used or not.
fn rows(grant: &Grant, counts: &[(&Use, &Count)]) -> Vec<Row> {
    let none = Count::default();
    let kinds: BTreeSet<_> = grant.applicable.iter().map(|it| (&it.action, &it.resource)).collect();
    let row = |(action, resource): (&Uid, &EntityType)| {
        let count = counts
            .iter()
            .find(|(of, _)| of.action == *action && of.resource == *resource)
            .map_or(&none, |(_, count)| count);
        Row {
            action: action.clone(),
            resource_type: resource.clone(),
            uses: count.uses,
            used_by: count.by.len() as u64,
            last_used: count.last,
            denied: count.denied,
            last_denied: count.last_denied,
        }
    };
    kinds.into_iter().map(row).collect()
}

fn most(by: &BTreeMap<&Uid, (u64, Moment)>) -> Vec<User> {
    let user = |(who, (uses, last)): (&&Uid, &(u64, Moment))| User {
        principal: (*who).clone(),
        uses: *uses,
        last_used: *last,
    };
    let mut all: Vec<_> = by.iter().map(user).collect();
    all.sort_by(|one, other| other.uses.cmp(&one.uses).then(one.principal.cmp(&other.principal)));
    all.truncate(MOST);
    all
}

/// Why a grant is left as it is.
fn kept(
    told: &GrantUse,
    policies: &CompiledPolicies,
    window: Window,
    rule: Rule,
) -> Option<String> {
    if told.finding == Finding::Used {
        return None;
    }
    let annotated = KEPT.iter().find_map(|key| {
        let said = policies.annotation(&told.policy, key)?;
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        Some(format!("it is annotated @{key}{said}"))
    });
    let observed = window.to.seconds_since(told.observed_from) / DAY_S;
    let young = (observed < rule.days_min)
        .then(|| format!("{observed} days of it were looked at: it takes {}", rule.days_min));
    let cut = (window.cut_short > 0)
        .then(|| format!("{} records do not name every policy", window.cut_short));
    annotated.or(young).or(cut)
}

/// How many entities of the directory each grant is for. Linear in the directory, and for
/// each entity in what it is in and in the grants that name none of that.
fn members(world: &World, grants: &[Grant]) -> Vec<u64> {
    let mut counts = vec![0_u64; grants.len()];
    let mut kinds: BTreeMap<&EntityType, Vec<usize>> = BTreeMap::new();
    for (at, grant) in grants.iter().enumerate() {
        let of: BTreeSet<_> = grant.applicable.iter().map(|it| &it.principal).collect();
        for kind in of {
            kinds.entry(kind).or_default().push(at);
        }
    }
    for node in world.directory.iter() {
        let uid = &node.document.uid;
        for at in kinds.get(uid.kind()).into_iter().flatten() {
            if let (Some(grant), Some(count)) = (grants.get(*at), counts.get_mut(*at)) {
                *count += u64::from(grant.principal.covers(uid, &node.ancestors));
            }
        }
    }
    counts
}
