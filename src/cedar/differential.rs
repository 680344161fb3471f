//! Laws: whatever is left out, of policies and of entities, the answer is the one that
//! Cedar's own authorizer gives to all of them, with reasons, errors and their words.

use cedar_policy_core::authorizer::{Authorizer, Decision};
use cedar_policy_core::entities::{Entities, TCComputation};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::CoreSchema;
use proptest::prelude::*;
use serde_json::json;

use super::example::{Directory, document, object, schema, uid};
use super::slice::slice;
use super::{CompiledPolicies, CompiledSchema, Evaluation, Limits, Question, read_policies, scope};
use crate::model::{EntityDocument, PolicyBody, PolicySource, SetKind};

/// Conditions that go one, two, three and four steps.
pub(super) const CONDITIONS: [&str; 14] = [
    "context.mfa",
    "action in Action::\"readers\"",
    "principal in Group::\"g1\"",
    "principal in [Group::\"g0\", Group::\"g3\"] || resource in Folder::\"f0\"",
    "principal.level + 9223372036854775806 > 0",
    "resource.owner == principal",
    "resource.owner in Group::\"g2\"",
    "resource.owner.level > principal.level",
    "principal has manager && principal.manager.level > 2",
    "principal has manager && principal.manager in Group::\"g1\"",
    "principal has manager.manager.manager && principal.manager.manager.manager.level > 1",
    "principal has groups && principal.groups.contains(Group::\"g1\")",
    "context has on_behalf_of && context.on_behalf_of in Group::\"g2\"",
    "context has on_behalf_of && context.on_behalf_of has manager && \
     context.on_behalf_of.manager has manager && \
     context.on_behalf_of.manager.manager == principal",
];

/// A policy for all that readers may do.
fn readers(id: &str, effect: &str, condition: &str) -> String {
    let scope = "(principal, action in Action::\"readers\", resource)";
    format!("@id(\"{id}\") {effect} {scope} when {{ {condition} }};")
}

/// Bodies that Cedar errs on, or is not asked because an earlier conjunct fails.
pub(super) const FAULTY: [&str; 6] = [
    "principal.level",
    "principal.nickname == \"x\"",
    "context.mfa && principal.level + \"1\" > 0",
    "context.on_behalf_of.level > 1",
    "User::\"u2\".level > 1 || resource.nothing",
    "ip(\"10.0.0.0/33\").isIpv4()",
];

pub(super) const PRINCIPALS: [&str; 7] = [
    "principal",
    "principal == User::\"u?\"",
    "principal in Group::\"g?\"",
    "principal is User",
    "principal is Group",
    "principal is User in Group::\"g?\"",
    "principal in User::\"u?\"",
];

pub(super) const RESOURCES: [&str; 7] = [
    "resource",
    "resource == Document::\"d?\"",
    "resource in Folder::\"f?\"",
    "resource is Document",
    "resource is Folder",
    "resource is Document in Folder::\"f?\"",
    "resource == Folder::\"f?\"",
];

pub(super) const ACTIONS: [&str; 6] = [
    "action",
    "action == Action::\"view\"",
    "action in Action::\"readers\"",
    "action in [Action::\"edit\", Action::\"audit\"]",
    "action in [Action::\"readers\", Action::\"view\"]",
    "action == Action::\"audit\"",
];

/// One policy, or a template with two links, of any shape of scope.
fn policy() -> impl Strategy<Value = Drawn> {
    let scope = (0..PRINCIPALS.len(), 0..ACTIONS.len(), 0..RESOURCES.len());
    let body = 0..CONDITIONS.len() + FAULTY.len() + 1;
    (scope, body, any::<bool>(), prop::option::weighted(0.3, 1..4_usize), any::<[u8; 4]>())
        .prop_map(|((principal, action, resource), body, permit, slots, names)| {
            let named = |form: &str, n: usize| form.replace('?', &(names[n] % 4).to_string());
            let slot = |form: &str, var: &str, wanted: bool| match form.split_once("::\"") {
                Some((before, _)) if wanted => {
                    let (operator, _kind) = before.rsplit_once(' ').unwrap();
                    (format!("{operator} ?{var}"), true)
                }
                _ => (form.to_owned(), false),
            };
            let slots = slots.unwrap_or_default();
            let principal = slot(&named(PRINCIPALS[principal], 0), "principal", slots & 1 > 0);
            let resource = slot(&named(RESOURCES[resource], 1), "resource", slots & 2 > 0);
            let effect = if permit { "permit" } else { "forbid" };
            let conditions = CONDITIONS.iter().chain(&FAULTY).nth(body);
            let condition = conditions.map(|text| format!(" when {{ {text} }}"));
            let scope = format!("({}, {}, {})", principal.0, ACTIONS[action], resource.0);
            Drawn {
                text: format!("{effect} {scope}{};", condition.unwrap_or_default()),
                slots: [principal.1, resource.1],
                names,
            }
        })
}

#[derive(Clone, Debug)]
struct Drawn {
    text: String,
    slots: [bool; 2],
    names: [u8; 4],
}

impl Drawn {
    /// What is to be compiled of it under the name of its number.
    fn sources(&self, n: usize) -> Vec<PolicySource> {
        let source = |id: String, body| PolicySource { id: id.parse().unwrap(), body };
        let text = self.text.as_str().into();
        if self.slots == [false; 2] {
            return vec![source(format!("p{n}"), PolicyBody::Static { text })];
        }
        let template = source(format!("t{n}"), PolicyBody::Template { text });
        let links = [[0, 1], [2, 3]].into_iter().enumerate().map(|(one, names)| {
            let [who, what] = names.map(|name| self.names[name]);
            let drawn = |wanted: bool, kinds: [&str; 2], n: u8| {
                wanted.then(|| {
                    let kind = kinds[usize::from(n / 4 % 2)];
                    uid(kind, &id(kind, usize::from(n % 4)))
                })
            };
            let body = PolicyBody::Link {
                template: template.id.clone(),
                principal: drawn(self.slots[0], ["User", "Group"], who),
                resource: drawn(self.slots[1], ["Document", "Folder"], what),
            };
            source(format!("l{n}-{one}"), body)
        });
        links.chain([template.clone()]).collect()
    }
}

/// Who, what to do (three actions), with what (a document or a folder), by what context.
pub(super) type Asked = (usize, usize, usize, bool, usize);

pub(super) fn question(
    policies: &CompiledPolicies,
    (who, what, with, mfa, other): Asked,
) -> Question {
    let action = uid("Action", ["view", "edit", "audit"][what]);
    let mut given = object(json!({"mfa": mfa}));
    if other < 5 && what < 2 {
        given.insert("on_behalf_of".to_owned(), json!(format!("u{other}")));
    }
    let folder = what < 2 && with % 2 == 1;
    let kind = if folder { "Folder" } else { "Document" };
    Question {
        principal: uid("User", &format!("u{who}")),
        context: policies.schema().shape_context(&action, &given).value,
        action,
        resource: uid(kind, &id(kind, with / 2)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Law: of many policies with scopes of every form, templates and links among them,
    /// those that the index finds give the answer of all of them.
    #[test]
    fn the_policies_in_scope_give_the_answer_of_all(
        documents in documents(),
        drawn in prop::collection::vec(policy(), 1..80),
        asked in prop::collection::vec(
            (0..5_usize, 0..3_usize, 0..10_usize, any::<bool>(), 0..6_usize), 16),
    ) {
        let schema = schema();
        let sources: Vec<_> =
            drawn.iter().enumerate().flat_map(|(n, one)| one.sources(n)).collect();
        let limits = Limits::default();
        let policies =
            CompiledPolicies::compile_without_validation(&sources, &schema, &limits);
        let policies = policies.unwrap_or_else(|faults| panic!("{faults:?}"));
        let directory = Directory::of(&schema, &documents);
        for asked in asked {
            let question = question(&policies, asked);
            let expected = by_cedar(&policies, &question, &documents);
            prop_assert_eq!(&ours(&policies.evaluate(&question, &directory)), &expected);
            prop_assert_eq!(ours(&policies.evaluate_each(&question, &directory)), expected);
            let (found, holding) = found_and_holding(&policies, &question, &directory);
            prop_assert_eq!(found, holding);
        }
    }
}

/// The policies that the index finds, and those whose scopes hold by their own words.
fn found_and_holding(
    policies: &CompiledPolicies,
    question: &Question,
    directory: &Directory,
) -> (Vec<String>, Vec<String>) {
    let request = policies.request(question).unwrap();
    let entities = slice(question, policies.reach(), policies.schema(), directory).unwrap();
    let asked = scope::Asked::of(&request, &entities).unwrap();
    let of_all = policies.set().policies().filter(|policy| asked.parts(policy) == [true; 3]);
    let mut holding: Vec<_> = of_all.map(|policy| policy.id().to_string()).collect();
    holding.sort_unstable();
    (policies.index().found(&asked), holding)
}

/// Such as `g3` for a group.
fn id(kind: &str, n: usize) -> String {
    let initial: String = kind.chars().take(1).flat_map(char::to_lowercase).collect();
    format!("{initial}{n}")
}

/// Entities of each type, wired at random; groups and folders without circles.
pub(super) fn documents() -> impl Strategy<Value = Vec<EntityDocument>> {
    let wires = prop::collection::vec(0..5_usize, 24);
    (wires, any::<u32>()).prop_map(|(wires, bits)| {
        let on = |bit: usize| bits >> (bit % 32) & 1 == 1;
        let name = |kind: &str, n: usize| uid(kind, &id(kind, n));
        let reference = |kind: &str, n: usize| json!({"type": kind, "id": id(kind, n)});
        let mut all = Vec::new();
        for n in 0..4 {
            let groups: Vec<_> =
                (n + 1..4).filter(|up| on(n * 4 + up)).map(|up| name("Group", up)).collect();
            all.push(document(&name("Group", n), &groups, json!({})));
            let folders: Vec<_> =
                (n + 1..4).filter(|up| on(9 + n + up)).map(|up| name("Folder", up)).collect();
            let owner = json!({"owner": reference("User", wires[n])});
            all.push(document(&name("Folder", n), &folders, owner.clone()));
            all.push(document(&name("Document", n), &[name("Folder", wires[4 + n])], owner));
            let mut attrs = json!({"level": wires[8 + n]});
            if on(n) {
                attrs["manager"] = reference("User", wires[12 + n]);
            }
            if on(n + 5) {
                attrs["groups"] = json!([reference("Group", wires[16 + n])]);
            }
            all.push(document(&name("User", n), &[name("Group", wires[20 + n])], attrs));
        }
        all
    })
}

/// Every entity, the closure computed by Cedar itself.
pub(super) fn entities(schema: &CompiledSchema, documents: &[EntityDocument]) -> Entities {
    let none = std::collections::BTreeSet::new();
    let all = documents
        .iter()
        .map(|document| schema.type_entity(document, &none).unwrap().core().as_ref().clone());
    let entities = Entities::from_entities(
        all,
        Some(&CoreSchema::new(schema.validator().schema())),
        TCComputation::ComputeNow,
        Extensions::all_available(),
    );
    entities.unwrap()
}

/// What Cedar says with every entity at hand.
fn by_cedar(
    policies: &CompiledPolicies,
    question: &Question,
    documents: &[EntityDocument],
) -> (bool, Vec<String>, Vec<String>) {
    let entities = entities(policies.schema(), documents);
    let request = policies.request(question).unwrap();
    let response = Authorizer::new().is_authorized(request, policies.set(), &entities);
    let mut reasons: Vec<_> = response.diagnostics.reason.iter().map(ToString::to_string).collect();
    reasons.sort();
    let errors = response.diagnostics.errors.iter().map(ToString::to_string);
    let mut errors: Vec<_> = errors.collect();
    errors.sort();
    (response.decision == Decision::Allow, reasons, errors)
}

fn ours(evaluation: &Evaluation) -> (bool, Vec<String>, Vec<String>) {
    let mut reasons: Vec<_> = evaluation.determining.iter().map(ToString::to_string).collect();
    reasons.sort();
    let errors = evaluation.errors.iter();
    let errors = errors.map(|e| format!("while evaluating policy `{}`: {}", e.policy, e.message));
    let mut errors: Vec<_> = errors.collect();
    errors.sort();
    (evaluation.allowed, reasons, errors)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Law: the slice gives the answer of the whole directory, with reasons and errors;
    /// for a set that validates at a level, and for one that was not validated.
    #[test]
    fn a_slice_gives_the_answer_of_the_whole(
        documents in documents(),
        chosen in prop::collection::vec((0..CONDITIONS.len(), any::<bool>()), 1..6),
        asked in prop::collection::vec((0..5_usize, 0..4_usize, any::<bool>(), 0..6_usize), 8),
    ) {
        let schema = schema();
        let mut text = String::new();
        for (n, (condition, permit)) in chosen.into_iter().enumerate() {
            let effect = if permit { "permit" } else { "forbid" };
            text += &readers(&format!("p{n}"), effect, CONDITIONS[condition]);
        }
        let limits = Limits::default();
        let sources = read_policies("p", &text, &limits).unwrap();
        let valid =
            CompiledPolicies::compile(&sources, &schema, SetKind::Application, &limits);
        let valid = valid.unwrap_or_else(|faults| panic!("{faults:?}"));
        let unchecked =
            CompiledPolicies::compile_without_validation(&sources, &schema, &limits).unwrap();
        let directory = Directory::of(&schema, &documents);
        for (who, what, mfa, other) in asked {
            let action = uid("Action", if what % 2 == 0 { "view" } else { "edit" });
            let mut given = object(json!({"mfa": mfa}));
            if other < 5 {
                given.insert("on_behalf_of".to_owned(), json!(format!("u{other}")));
            }
            let question = Question {
                principal: uid("User", &format!("u{who}")),
                context: schema.shape_context(&action, &given).value,
                action,
                resource: uid("Document", &format!("d{what}")),
            };
            let expected = by_cedar(&valid, &question, &documents);
            prop_assert_eq!(&ours(&valid.evaluate(&question, &directory)), &expected);
            prop_assert_eq!(ours(&unchecked.evaluate(&question, &directory)), expected);
        }
    }
}
