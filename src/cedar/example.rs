//! An organisation to test with.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::{
    CompiledPolicies, CompiledSchema, EntitySource, Fault, Limits, Question, TypedEntity,
    read_policies,
};
use crate::model::{EntityDocument, SetKind, Uid};

pub(super) const SCHEMA: &str = r#"
type Device = { serial: String, risk?: Long };

entity Group in [Group] = { owner?: User };
entity User in [Group] = {
    level: Long,
    @caller("fill")
    nickname?: String,
    @caller("override")
    office?: String,
    @caller("fill")
    device?: Device,
    manager?: User,
    groups?: Set<Group>,
} tags Set<String>;
entity Colour enum ["red", "green"];
entity Folder in [Folder] = { owner: User };
entity Document in [Folder] = { owner: User, colour?: Colour };

action readers;
action view, edit in [readers] appliesTo {
    principal: [User],
    resource: [Document, Folder],
    context: {
        mfa: Bool,
        from?: ipaddr,
        at?: datetime,
        score?: decimal,
        ttl?: duration,
        device?: Device,
        devices?: Set<Device>,
        on_behalf_of?: User,
        tags?: Set<String>,
        colour?: Colour,
    },
};
action audit appliesTo { principal: [User], resource: [Document], context: { mfa: Bool } };
"#;

pub(super) fn schema() -> CompiledSchema {
    static COMPILED: LazyLock<CompiledSchema> =
        LazyLock::new(|| compiled(SCHEMA).unwrap_or_else(|faults| panic!("{}", shown(&faults))));
    COMPILED.clone()
}

pub(super) fn compiled(schema: &str) -> Result<CompiledSchema, Vec<Fault>> {
    CompiledSchema::compile(schema, SetKind::Application, &Limits::default())
}

pub(super) fn policies(text: &str) -> Result<CompiledPolicies, Vec<Fault>> {
    let limits = Limits::default();
    let sources = read_policies("p.cedar", text, &limits)?;
    CompiledPolicies::compile(&sources, &schema(), SetKind::Application, &limits)
}

/// A policy for every principal, action and resource.
pub(super) fn always(id: &str, effect: &str, condition: &str) -> String {
    format!("@id(\"{id}\") {effect} (principal, action, resource) when {{ {condition} }};\n")
}

pub(super) fn shown(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

pub(super) fn uid(kind: &str, id: &str) -> Uid {
    Uid::parse(kind, id).unwrap()
}

pub(super) fn object(json: Value) -> Map<String, Value> {
    match json {
        Value::Object(members) => members,
        other => panic!("not an object: {other}"),
    }
}

/// A directory with its closure.
#[derive(Debug, Default)]
pub(super) struct Directory(pub(super) BTreeMap<Uid, TypedEntity>);

impl EntitySource for Directory {
    fn entity(&self, uid: &Uid) -> Option<TypedEntity> {
        self.0.get(uid).cloned()
    }
}

impl Directory {
    pub(super) fn of(schema: &CompiledSchema, documents: &[EntityDocument]) -> Self {
        let by_uid: BTreeMap<_, _> = documents.iter().map(|one| (&one.uid, one)).collect();
        let typed = documents.iter().map(|document| {
            let mut ancestors = BTreeSet::new();
            let mut open = vec![&document.uid];
            while let Some(uid) = open.pop() {
                let parents = by_uid.get(uid).map(|one| &one.parents);
                for parent in parents.into_iter().flatten() {
                    if ancestors.insert(parent.clone()) {
                        open.push(parent);
                    }
                }
            }
            (document.uid.clone(), schema.type_entity(document, &ancestors).unwrap())
        });
        Self(typed.collect())
    }
}

pub(super) fn document(uid: &Uid, parents: &[Uid], attrs: Value) -> EntityDocument {
    EntityDocument {
        uid: uid.clone(),
        attrs: object(attrs),
        parents: parents.iter().cloned().collect(),
        tags: Map::new(),
        personal: Vec::new(),
    }
}

/// Alice (level 3, in staff, in all) manages Bob (level 1); the plan is Alice's.
pub(super) fn directory(schema: &CompiledSchema) -> Directory {
    let (alice, bob) = (uid("User", "alice"), uid("User", "bob"));
    let (staff, all) = (uid("Group", "staff"), uid("Group", "all"));
    let (plans, plan) = (uid("Folder", "plans"), uid("Document", "plan"));
    let reference = |uid: &Uid| json!({"type": uid.kind().as_str(), "id": uid.id()});
    Directory::of(
        schema,
        &[
            document(&alice, slice::from_ref(&staff), json!({"level": 3, "office": "Bern"})),
            document(
                &bob,
                slice::from_ref(&all),
                json!({"level": 1, "manager": reference(&alice)}),
            ),
            document(&staff, slice::from_ref(&all), json!({"owner": reference(&bob)})),
            document(&all, &[], json!({})),
            document(&plans, &[], json!({"owner": reference(&alice)})),
            document(&plan, &[plans], json!({"owner": reference(&alice)})),
        ],
    )
}

/// "May they view the plan?", with a second factor.
pub(super) fn view(schema: &CompiledSchema, principal: &str) -> Question {
    let action = uid("Action", "view");
    let context = schema.shape_context(&action, &object(json!({"mfa": true}))).value;
    let (principal, resource) = (uid("User", principal), uid("Document", "plan"));
    Question { principal, action, resource, context }
}
