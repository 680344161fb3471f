//! A policy made narrower by its text: for fewer principals, with fewer actions. What it
//! says is kept, so it allows nothing that it did not allow before.

use std::collections::HashMap;

use cedar_policy::{EntityUid, Policy, PolicySet, SlotId, Template};
use serde_json::{Value, json};

use super::{Fault, Limits, codes, formatted};
use crate::model::{PolicyBody, PolicyId, PolicySource, Uid};

/// The policy with a further clause that only these principals satisfy, if any are given,
/// and with only these actions in its scope, if any are given. Of a link, what it makes of
/// its template is narrowed, and is a policy of its own under the link's name. Comments are
/// lost. To be called on a large stack.
///
/// # Errors
/// [`codes::INTERNAL`] for a template, for a link without its template, and for what Cedar
/// does not read, or does not read again.
///
/// # Source
/// Cedar's JSON policy format.
pub fn narrowed(
    source: &PolicySource,
    template: Option<&PolicySource>,
    principals: &[Uid],
    actions: &[Uid],
) -> Result<String, Fault> {
    let policy = match (&source.body, template.map(|template| &template.body)) {
        (PolicyBody::Static { text }, _) => {
            Policy::parse(None, text).map_err(|error| failed(&error))?
        }
        (PolicyBody::Link { principal, resource, .. }, Some(PolicyBody::Template { text })) => {
            let fillings = [
                (SlotId::principal(), principal.as_ref()),
                (SlotId::resource(), resource.as_ref()),
            ];
            linked(text, fillings)?
        }
        _ => return Err(failed(&"its text is not its own")),
    };
    let mut json = policy.to_json().map_err(|error| failed(&error))?;
    if !actions.is_empty() {
        put(&mut json, "action", scope_of(actions));
    }
    if !principals.is_empty()
        && let Some(Value::Array(conditions)) = json.get_mut("conditions")
    {
        conditions.push(json!({"kind": "when", "body": clause_of(principals)}));
    }
    put(&mut json, "annotations", json!({}));
    let body = Policy::from_json(None, json).map_err(|error| failed(&error))?;
    let body = body.to_cedar().ok_or_else(|| failed(&"it has slots"))?;
    let whole = format!("{}{body}", annotations(&policy, &source.id));
    let laid_out = formatted("a narrower policy", &whole, &Limits::default());
    laid_out.map_err(|faults| faults.into_iter().next().unwrap_or_else(|| failed(&"no reason")))
}

/// What a link makes of a template, by Cedar itself.
fn linked(template: &str, fillings: [(SlotId, Option<&Uid>); 2]) -> Result<Policy, Fault> {
    let template = Template::parse(None, template).map_err(|error| failed(&error))?;
    let mut values = HashMap::new();
    for (slot, filling) in fillings {
        if let Some(filling) = filling {
            let filling = EntityUid::from_json(uid(filling)).map_err(|error| failed(&error))?;
            values.insert(slot, filling);
        }
    }
    let (from, name) = (template.id().clone(), cedar_policy::PolicyId::new("link"));
    let mut set = PolicySet::new();
    set.add_template(template).map_err(|error| failed(&error))?;
    set.link(from, name.clone(), values).map_err(|error| failed(&error))?;
    set.policy(&name).cloned().ok_or_else(|| failed(&"it was not linked"))
}

/// Its annotations, the usual ones first and as usual: under its own name, not its template's.
fn annotations(policy: &Policy, name: &PolicyId) -> String {
    const FIRST: [&str; 3] = ["id", "description", "owner"];
    let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    let mut all: Vec<_> = policy.annotations().filter(|(key, _)| *key != "id").collect();
    all.push(("id", name.as_str()));
    all.sort_by_key(|(key, _)| place(key));
    let line = |(key, text): (&str, &str)| format!("@{key}(\"{}\")\n", text.escape_debug());
    all.into_iter().map(line).collect()
}

fn put(json: &mut Value, member: &str, value: Value) {
    if let Value::Object(members) = json {
        members.insert(member.to_owned(), value);
    }
}

fn scope_of(actions: &[Uid]) -> Value {
    match actions {
        [one] => json!({"op": "==", "entity": uid(one)}),
        some => json!({"op": "in", "entities": some.iter().map(uid).collect::<Vec<_>>()}),
    }
}

/// `principal == …` or `principal in […]`.
fn clause_of(principals: &[Uid]) -> Value {
    let value = |one: &Uid| json!({"Value": {"__entity": uid(one)}});
    let left = json!({"Var": "principal"});
    match principals {
        [one] => json!({"==": {"left": left, "right": value(one)}}),
        some => {
            let all: Vec<_> = some.iter().map(value).collect();
            json!({"in": {"left": left, "right": {"Set": all}}})
        }
    }
}

fn uid(one: &Uid) -> Value {
    json!({"type": one.kind().as_str(), "id": one.id()})
}

fn failed(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(codes::INTERNAL, format!("the policy could not be narrowed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uids(kind: &str, ids: &[&str]) -> Vec<Uid> {
        ids.iter().map(|id| Uid::parse(kind, id).unwrap()).collect()
    }

    fn source(id: &str, body: PolicyBody) -> PolicySource {
        PolicySource { id: id.parse().unwrap(), body }
    }

    fn narrowed(text: &str, principals: &[Uid], actions: &[Uid]) -> Result<String, Fault> {
        let policy = source("contracts", PolicyBody::Static { text: text.into() });
        super::narrowed(&policy, None, principals, actions)
    }

    const WIDE: &str = "@id(\"contracts\")\n@owner(\"support\")\npermit (principal in \
        Role::\"support\", action in [Action::\"view\", Action::\"edit\"], resource is Doc)\n\
        when { resource.open };";

    #[test]
    fn it_keeps_what_it_says_and_gets_one_condition_more() {
        let text =
            narrowed(WIDE, &uids("User", &["omar", "pat"]), &uids("Action", &["view"])).unwrap();
        let expected = "@id(\"contracts\")\n@owner(\"support\")\npermit (\n  principal in \
            Role::\"support\",\n  action == Action::\"view\",\n  resource is Doc\n)\nwhen { \
            resource.open && (principal in [User::\"omar\", User::\"pat\"]) };";
        assert_eq!(text.trim(), expected);
    }

    #[test]
    fn one_principal_is_named_alone_and_several_actions_stand_in_a_list() {
        let text =
            narrowed(WIDE, &uids("User", &["o\"mar"]), &uids("Action", &["view", "edit"])).unwrap();
        assert!(text.contains("&& (principal == User::\"o\\\"mar\")"), "{text}");
        assert!(text.contains("action in [Action::\"view\", Action::\"edit\"]"), "{text}");
    }

    #[test]
    fn a_link_is_narrowed_as_what_it_makes_of_its_template() {
        let text = "@owner(\"support\") @id(\"shared\") @description(\"Shares.\")\n\
            permit (principal in ?principal, action, resource == ?resource)\n\
            when { resource.open };";
        let template = source("shared", PolicyBody::Template { text: text.into() });
        let link = source(
            "shared-plan",
            PolicyBody::Link {
                template: template.id.clone(),
                principal: Uid::parse("Role", "sup\"port").ok(),
                resource: Uid::parse("Doc", "plan").ok(),
            },
        );
        let omar = uids("User", &["omar"]);
        let text =
            super::narrowed(&link, Some(&template), &omar, &uids("Action", &["view"])).unwrap();
        let expected = "@id(\"shared-plan\")\n@description(\"Shares.\")\n@owner(\"support\")\n\
            permit (\n  principal in Role::\"sup\\\"port\",\n  action == Action::\"view\",\n  \
            resource == Doc::\"plan\"\n)\nwhen { resource.open && (principal == \
            User::\"omar\") };";
        assert_eq!(text.trim(), expected);
        assert!(super::narrowed(&link, None, &omar, &[]).is_err(), "without its template");
        assert!(super::narrowed(&template, None, &omar, &[]).is_err(), "a template by itself");
    }

    #[test]
    fn what_has_slots_is_not_narrowed() {
        let text = "@id(\"t\") permit (principal == ?principal, action, resource);";
        assert!(narrowed(text, &uids("User", &["a"]), &[]).is_err());
    }
}
