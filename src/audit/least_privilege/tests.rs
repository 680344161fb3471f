use serde_json::{Value, json};

use super::super::sample::Log;
use super::*;
use crate::cedar::Limits;
use crate::event::{Event, Presented};
use crate::model::{
    AccessRequest, EntityDocument, Label, Moment, PolicyBody, PolicySource, SetKind, Uid,
};
use crate::pap::{self, Draft};
use crate::pdp::{Ask, decide};
use crate::pip;
use crate::projection::Change;

const SCHEMA: &str = "entity Role; entity User in [Role]; entity Doc = { open: Bool };
    action view, edit appliesTo { principal: [User], resource: [Doc] };";
const POLICIES: &str = "
    @id(\"readers\") @description(\"Readers do.\") @owner(\"docs\")
    permit (principal in Role::\"reader\", action in [Action::\"view\", Action::\"edit\"],
      resource);
    @id(\"guests\") permit (principal == User::\"guest\", action == Action::\"view\", resource);
    @id(\"fire\") @keep(\"in case of fire\")
    permit (principal == User::\"guest\", action == Action::\"edit\", resource);
    @id(\"closed\") forbid (principal, action, resource) when { !resource.open };";
const DAY_S: u64 = 86_400;

/// A log of eight readers, of whom the first two view, over forty days.
fn lived() -> Log {
    let mut log = Log::begun();
    publish(&mut log, POLICIES, Some(SCHEMA));
    let readers = (0..8).map(|at| entity("User", &format!("r{at}"), &["reader"], &json!({})));
    let open = |id: &str, open: bool| entity("Doc", id, &[], &json!({"open": open}));
    let others =
        [open("plan", true), open("secret", false), entity("User", "guest", &[], &json!({}))];
    put(&mut log, readers.chain(others).collect());
    for _ in 0..20 {
        log.wait(2 * DAY_S);
        ask(&mut log, "r0", "view", "plan");
        ask(&mut log, "r1", "view", "plan");
        ask(&mut log, "r0", "view", "secret");
    }
    log
}

fn entity(kind: &str, id: &str, parents: &[&str], attrs: &Value) -> EntityDocument {
    let mut entity = EntityDocument::bare(Uid::parse(kind, id).unwrap());
    entity.parents = parents.iter().map(|role| Uid::parse("Role", role).unwrap()).collect();
    entity.attrs = attrs.as_object().cloned().unwrap();
    entity
}

fn publish(log: &mut Log, text: &str, schema: Option<&str>) {
    let policies = pap::set_of(&[("p.cedar", text)], &Limits::default()).unwrap();
    publish_set(log, policies, schema);
}

fn publish_set(log: &mut Log, policies: Vec<PolicySource>, schema: Option<&str>) {
    let draft = Draft {
        set: SetKind::Application,
        schema: schema.map(str::to_owned),
        policies: Some(policies),
        message: Label::default(),
    };
    let admission = pap::admit(&log.world, draft, &Limits::default()).unwrap();
    let publication = log.fresh();
    log.write(pap::put_in_force(&log.world, &admission, publication, None).unwrap());
}

fn put(log: &mut Log, entities: Vec<EntityDocument>) {
    let changes = entities.into_iter().map(Change::Put).collect();
    let admission = pip::admit(&log.world, changes, 100).unwrap();
    let publication = log.fresh();
    let events =
        pip::put_in_force(&log.world, &admission, publication, Label::default(), None).unwrap();
    log.write(events);
}

fn ask(log: &mut Log, who: &str, action: &str, what: &str) {
    ask_saying(log, (who, action, what), &json!({}));
}

fn ask_saying(log: &mut Log, (who, action, what): (&str, &str, &str), context: &Value) {
    let request = AccessRequest::from_json(&json!({
        "subject": {"type": "User", "id": who}, "action": {"name": action},
        "resource": {"type": "Doc", "id": what}, "context": context,
    }));
    let ask = Ask::access(request.unwrap(), Presented::Nothing, "pep");
    let decided = decide(&log.world, &ask, log.now());
    log.write(vec![Event::AccessDecided(Box::new(decided))]);
}

fn report(log: &Log, from: Moment) -> LeastPrivilege {
    let start = World::default();
    LeastPrivilege::survey::<()>(start, from, |see| {
        log.entries.iter().for_each(see);
        Ok(())
    })
    .unwrap()
}

fn of<'r>(report: &'r LeastPrivilege, policy: &str) -> &'r GrantUse {
    report.grants.iter().find(|grant| grant.policy.as_str() == policy).unwrap()
}

#[test]
fn a_group_of_which_few_use_what_they_have_is_found_and_what_is_enough_is_proposed() {
    let log = lived();
    let report = report(&log, Moment::EPOCH);
    let readers = of(&report, "readers");
    assert_eq!((readers.finding, readers.used_by, readers.members), (Finding::UsedByFew, 2, 8));
    assert_eq!((readers.uses, readers.denied), (40, 20));
    assert_eq!(readers.owner.as_deref(), Some("docs"));
    let rows: Vec<_> = readers.rows.iter().map(|row| (row.action.id(), row.uses)).collect();
    assert_eq!(rows, [("edit", 0), ("view", 40)]);
    let proposal = readers.proposal.as_ref().unwrap();
    let text = proposal.text.as_deref().unwrap();
    assert!(text.contains("when { principal in [User::\"r0\", User::\"r1\"] }"), "{text}");
    assert!(text.contains("action == Action::\"view\""), "{text}");
    let tried = Retaken { decisions: 40, ..Retaken::default() };
    assert_eq!((proposal.impact, report.together), (tried, tried));
}

/// Goal: whoever pastes a proposal takes nothing away that was used.
#[test]
fn with_a_proposal_in_force_what_was_used_is_allowed_and_the_rest_is_not() {
    let mut log = lived();
    let text = of(&report(&log, Moment::EPOCH), "readers").proposal.clone().unwrap().text.unwrap();
    put_in_place(&mut log, "readers", &text);
    assert!(allowed(&log, "r0", "view") && allowed(&log, "r1", "view"));
    assert!(!allowed(&log, "r2", "view") && !allowed(&log, "r0", "edit"));
}

/// Puts a text in the place of a policy or a link, as an author does with a proposal.
fn put_in_place(log: &mut Log, policy: &str, text: &str) {
    let mut set: Vec<_> = log.world.set(SetKind::Application).sources().cloned().collect();
    set.retain(|source| source.id.as_str() != policy);
    set.extend(pap::set_of(&[("p.cedar", text)], &Limits::default()).unwrap());
    publish_set(log, set, None);
}

/// Whether someone may do so to the plan now.
fn allowed(log: &Log, who: &str, action: &str) -> bool {
    let mut log = log.clone();
    ask(&mut log, who, action, "plan");
    let Some(Event::AccessDecided(decided)) = log.entries.last().map(|it| &it.event) else {
        panic!("not recorded")
    };
    decided.decision == crate::event::Verdict::Allow
}

/// Goal: nothing is called enough for uses of which nobody can say how they would come out.
#[test]
fn nothing_is_proposed_where_past_uses_cannot_be_decided_again() {
    let mut log = lived();
    // What it says no schema knows yet, so that it was said is all that is recorded.
    ask_saying(&mut log, ("r0", "view", "plan"), &json!({"mfa": true}));
    let known = SCHEMA.replace("resource: [Doc] }", "resource: [Doc], context: { mfa?: Bool } }");
    publish(&mut log, POLICIES, Some(&known));
    let report = report(&log, Moment::EPOCH);
    let readers = of(&report, "readers");
    assert_eq!((readers.finding, &readers.proposal), (Finding::UsedByFew, &None));
    let why = readers.kept.as_deref().unwrap();
    assert!(why.starts_with("whether what was proposed would have denied 1 uses nobody"), "{why}");
    assert_eq!((report.together.not_replayable, report.together.would_deny), (1, 0));
}

#[test]
fn what_nobody_used_is_to_be_withdrawn_unless_its_author_keeps_it() {
    let report = report(&lived(), Moment::EPOCH);
    let guests = of(&report, "guests");
    assert_eq!((guests.finding, guests.uses, guests.members), (Finding::NeverUsed, 0, 1));
    let proposal = guests.proposal.as_ref().unwrap();
    assert_eq!((proposal.text.as_deref(), proposal.summary.as_str()), (None, "withdraw it"));
    let fire = of(&report, "fire");
    assert_eq!((fire.finding, &fire.proposal), (Finding::NeverUsed, &None));
    assert_eq!(fire.kept.as_deref(), Some("it is annotated @keep: in case of fire"));
    assert!(report.grants.iter().all(|grant| grant.policy.as_str() != "closed"), "no grant");
}

#[test]
fn what_is_new_is_left_alone() {
    let mut log = lived();
    publish(
        &mut log,
        &format!(
            "{POLICIES} @id(\"new\") permit (principal, action, resource)
        when {{ principal == User::\"r7\" }};"
        ),
        None,
    );
    log.wait(3 * DAY_S);
    ask(&mut log, "r0", "view", "plan");
    let report = report(&log, Moment::EPOCH);
    let new = of(&report, "new");
    assert_eq!((new.finding, &new.proposal), (Finding::NeverUsed, &None));
    assert_eq!(new.kept.as_deref(), Some("3 days of it were looked at: it takes 30"));
}

#[test]
fn what_was_used_before_the_window_does_not_count() {
    let log = lived();
    let late = log.now().minus_seconds(5 * DAY_S);
    let report = report(&log, late);
    assert_eq!(of(&report, "readers").uses, 6);
    assert!(report.window.from >= late && report.window.allowed == 6);
}

/// A template's text with a link for each of these.
fn linked(text: &str, to: &[(&str, &str)]) -> Vec<PolicySource> {
    let mut set = pap::set_of(&[("p.cedar", text)], &Limits::default()).unwrap();
    for (kind, id) in to {
        let (template, principal) = ("t".parse().unwrap(), Uid::parse(kind, id).ok());
        let body = PolicyBody::Link { template, principal, resource: None };
        set.push(PolicySource { id: format!("t-{id}").parse().unwrap(), body });
    }
    set
}

/// Goal: a link of a template is a grant of its own.
#[test]
fn each_link_of_a_template_is_counted_for_itself() {
    let mut log = Log::begun();
    let text = "@id(\"t\") permit (principal == ?principal, action, resource);";
    publish_set(&mut log, linked(text, &[("User", "r0"), ("User", "r1")]), Some(SCHEMA));
    put(&mut log, vec![entity("Doc", "plan", &[], &json!({"open": true}))]);
    log.wait(40 * DAY_S);
    ask(&mut log, "r0", "view", "plan");
    log.wait(40 * DAY_S);
    ask(&mut log, "r0", "view", "plan");

    let report = report(&log, Moment::EPOCH);
    assert_eq!(report.grants.len(), 2);
    assert_eq!(of(&report, "t-r0").finding, Finding::PartlyUsed);
    let proposal = of(&report, "t-r0").proposal.as_ref().unwrap();
    let expected = "@id(\"t-r0\")\npermit (\n  principal == User::\"r0\",\n  action == \
                    Action::\"view\",\n  resource\n);";
    assert_eq!(proposal.text.as_deref().map(str::trim), Some(expected));
    assert_eq!(proposal.summary, "allow view only");
    assert_eq!(of(&report, "t-r0").template, "t".parse().ok());
    assert!(report.caveats.iter().any(|caveat| caveat.contains("template's link")));
    assert_eq!(of(&report, "t-r1").proposal.as_ref().unwrap().summary, "withdraw it");
}

/// Goal: a group that a template is linked to, and of which few use it, gets a text that is
/// ready: whoever puts it in the link's place takes nothing away that was used.
#[test]
fn with_a_policy_proposed_for_a_link_in_force_what_was_used_is_allowed_and_the_rest_is_not() {
    let mut log = Log::begun();
    let text = "@id(\"t\") @owner(\"docs\") permit (principal in ?principal, action, resource)
        when { resource.open };";
    publish_set(&mut log, linked(text, &[("Role", "reader"), ("Role", "guest")]), Some(SCHEMA));
    let readers = (0..8).map(|at| entity("User", &format!("r{at}"), &["reader"], &json!({})));
    let guest = entity("User", "g0", &["guest"], &json!({}));
    let plan = entity("Doc", "plan", &[], &json!({"open": true}));
    put(&mut log, readers.chain([guest, plan]).collect());
    for _ in 0..20 {
        log.wait(2 * DAY_S);
        ask(&mut log, "r0", "view", "plan");
        ask(&mut log, "g0", "edit", "plan");
    }
    let report = report(&log, Moment::EPOCH);
    let linked = of(&report, "t-reader");
    assert_eq!((linked.finding, linked.used_by, linked.members), (Finding::UsedByFew, 1, 8));
    let proposal = linked.proposal.clone().unwrap();
    assert_eq!(proposal.impact, Retaken { decisions: 20, ..Retaken::default() });
    let text = proposal.text.unwrap();
    assert!(text.contains("@id(\"t-reader\")") && text.contains("@owner(\"docs\")"), "{text}");

    put_in_place(&mut log, "t-reader", &text);
    assert!(allowed(&log, "r0", "view") && allowed(&log, "g0", "edit"));
    assert!(!allowed(&log, "r1", "view") && !allowed(&log, "r0", "edit"));
}
