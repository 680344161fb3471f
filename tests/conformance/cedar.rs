//! Cedar's own test vectors and example applications: decisions, reasons, errors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use countersign::cedar::{
    CompiledPolicies, CompiledSchema, Effect, EntitySource, Evaluation, Limits, Outcome,
    PolicyError, Question, TypedEntity, read_policies, read_policies_named_in_order,
};
use countersign::model::{EntityDocument, PolicyBody, PolicyId, PolicySource, SetKind, Uid};
use serde_json::{Map, Value};

use crate::vectors;

/// Goal: every answer of Cedar's integration tests is ours, with its reasons and errors.
#[test]
fn the_integration_tests_of_cedar_agree() {
    let Some(root) = vectors("cedar") else { return };
    let mut asked = 0;
    for folder in ["decimal", "example_use_cases", "ip", "multi"] {
        for file in files(&root.join("tests").join(folder), "json") {
            asked += integration_test(&root, &json(&file));
        }
    }
    assert_eq!(asked, 74);
}

/// Goal: the example applications allow what they say they allow and deny the rest.
#[test]
fn the_example_applications_agree() {
    let Some(root) = vectors("cedar") else { return };
    let root = root.join("use-cases");
    let mut asked = 0;
    for application in [
        "document_cloud",
        "github_example",
        "hotel_chains/static",
        "hotel_chains/templated",
        "sales_orgs/static",
        "sales_orgs/templated",
        "streaming_service",
        "tags_n_roles",
        "tax_preparer",
    ] {
        asked += example_application(&root.join(application));
    }
    assert_eq!(asked, 46);
}

/// Goal: the published example policies validate as they are.
#[test]
fn tinytodo_validates() {
    let Some(root) = vectors("cedar") else { return };
    let root = root.join("tinytodo");
    for (schema, policies) in [
        ("tinytodo.cedarschema", "policies.cedar"),
        ("tinytodo-templates.cedarschema", "policies-templates.cedar"),
    ] {
        let schema = schema_of(&text(&root.join(schema)));
        let sources = in_order(&text(&root.join(policies)));
        compile(&sources, &schema).unwrap();
    }
}

fn integration_test(root: &Path, test: &Value) -> usize {
    let path = |member: &str| root.join(test[member].as_str().unwrap());
    let schema = schema_of(&text(&path("schema")));
    let sources = in_order(&text(&path("policies")));
    let compiled = compile(&sources, &schema);
    assert_eq!(compiled.is_ok(), test["shouldValidate"], "{:?}: {compiled:?}", test["policies"]);
    let limits = Limits::default();
    let policies = compiled.unwrap_or_else(|_| {
        CompiledPolicies::compile_without_validation(&sources, &schema, &limits).unwrap()
    });
    let directory = Directory::read(&json(&path("entities")), &schema);
    let requests = test["requests"].as_array().unwrap();
    for request in requests {
        let uid = |member: &str| {
            let uid = &request[member];
            Uid::parse(uid["type"].as_str().unwrap(), uid["id"].as_str().unwrap()).unwrap()
        };
        let question =
            question(&schema, [uid("principal"), uid("action"), uid("resource")], request);
        let evaluation = evaluated(&policies, &question, &directory);
        let place = &request["description"];
        assert_eq!(evaluation.allowed, request["decision"] == "allow", "{place}");
        assert_eq!(evaluation.determining, ids(&request["reason"]), "{place}");
        let errors: Vec<_> = evaluation.errors.iter().map(|error| error.policy.clone()).collect();
        assert_eq!(errors, ids(&request["errors"]), "{place}");
    }
    requests.len()
}

fn example_application(folder: &Path) -> usize {
    let schema = schema_of(&text(&folder.join("policies.cedarschema")));
    let policies = text(&folder.join("policies.cedar"));
    // Most name their policies; those that do not are named in order.
    let limits = Limits::default();
    let mut sources = read_policies("policies.cedar", &policies, &limits)
        .unwrap_or_else(|_| partly_named(&policies));
    sources.extend(links(&folder.join("linked")));
    let policies = compile(&sources, &schema).unwrap_or_else(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        panic!("{}: {}", folder.display(), faults.join("\n"))
    });
    let directory = Directory::read(&corrected(json(&folder.join("entities.json"))), &schema);
    let mut asked = 0;
    for (answer, allowed) in [("ALLOW", true), ("DENY", false)] {
        for file in files(&folder.join(answer), "json") {
            let request = json(&file);
            let uid = |member: &str| written(request[member].as_str().unwrap());
            let question =
                question(&schema, [uid("principal"), uid("action"), uid("resource")], &request);
            let evaluation = evaluated(&policies, &question, &directory);
            assert_eq!(evaluation.allowed, allowed, "{}: {evaluation:?}", file.display());
            assert_eq!(evaluation.errors, [], "{}", file.display());
            asked += 1;
        }
    }
    asked
}

/// The answer, which is the same whether the index chooses the policies or Cedar's own
/// authorizer looks at each.
fn evaluated(
    policies: &CompiledPolicies,
    question: &Question,
    directory: &Directory,
) -> Evaluation {
    let evaluation = policies.evaluate(question, directory);
    assert_eq!(evaluation, policies.evaluate_each(question, directory), "{question:?}");
    assert_eq!(clause_by_clause(policies, question, directory), evaluation, "{question:?}");
    evaluation
}

/// The answer that the clauses of all policies add up to.
fn clause_by_clause(
    policies: &CompiledPolicies,
    question: &Question,
    directory: &Directory,
) -> Evaluation {
    let (mut permits, mut forbids, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for weighed in policies.weigh(question, directory, policies.asked()) {
        let (policy, effect) = (weighed.policy, weighed.effect);
        let all = weighed.clauses.iter().all(|clause| clause.holds() == Some(true));
        assert_eq!(weighed.outcome == Outcome::Applies, all, "{policy}");
        match (weighed.outcome, effect) {
            (Outcome::Applies, Effect::Permit) => permits.push(policy),
            (Outcome::Applies, Effect::Forbid) => forbids.push(policy),
            (Outcome::Erred { message }, _) => errors.push(PolicyError { policy, effect, message }),
            (Outcome::DoesNotApply, _) => {}
        }
    }
    let allowed = forbids.is_empty() && !permits.is_empty();
    let determining = if forbids.is_empty() { permits } else { forbids };
    Evaluation { allowed, determining, errors }
}

/// Two applications name types in their entities that their schemas do not: the strict
/// reading of a directory refuses them as they are.
fn corrected(mut entities: Value) -> Value {
    if let Some(kind) = entities.get_mut("type").filter(|kind| *kind == "Organization") {
        *kind = Value::from("Team");
    }
    for list in ["manageACL", "modifyACL"] {
        let reference = entities.pointer_mut(&format!("/{list}/__entity/type"));
        if let Some(kind) = reference.filter(|kind| *kind == "Document") {
            *kind = Value::from("DocumentShare");
        }
    }
    match entities {
        Value::Array(items) => items.into_iter().map(corrected).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, json)| (name, corrected(json))).collect()
        }
        other => other,
    }
}

/// The whole of an `entities.json`, with its closure.
struct Directory(BTreeMap<Uid, TypedEntity>);

impl EntitySource for Directory {
    fn entity(&self, uid: &Uid) -> Option<TypedEntity> {
        self.0.get(uid).cloned()
    }
}

impl Directory {
    fn read(json: &Value, schema: &CompiledSchema) -> Self {
        let documents: BTreeMap<_, _> = json
            .as_array()
            .unwrap()
            .iter()
            .map(|entity| EntityDocument::from_json(entity).unwrap())
            .filter(|document| !schema.declares_action(&document.uid))
            .map(|document| (document.uid.clone(), document))
            .collect();
        let typed = documents.iter().map(|(uid, document)| {
            let ancestors = ancestors(uid, &documents);
            (uid.clone(), schema.type_entity(document, &ancestors).unwrap())
        });
        Self(typed.collect())
    }
}

fn ancestors(uid: &Uid, documents: &BTreeMap<Uid, EntityDocument>) -> BTreeSet<Uid> {
    let mut found = BTreeSet::new();
    let mut open = vec![uid];
    while let Some(document) = open.pop().and_then(|uid| documents.get(uid)) {
        for parent in &document.parents {
            if found.insert(parent.clone()) {
                open.push(parent);
            }
        }
    }
    found
}

fn question(schema: &CompiledSchema, uids: [Uid; 3], request: &Value) -> Question {
    let [principal, action, resource] = uids;
    schema.fits(&principal, &action, &resource).unwrap();
    let context = match unescaped(&request["context"]) {
        Value::Object(members) => members,
        Value::Null => Map::new(),
        other => panic!("not a context: {other}"),
    };
    let shaped = schema.shape_context(&action, &context);
    assert_eq!((shaped.pruned, shaped.missing), (Vec::new(), Vec::new()), "{context:?}");
    Question { principal, action, resource, context: shaped.value }
}

/// The vectors use Cedar's escapes, which a request may not contain: the schema says what
/// is a reference or an extension value.
fn unescaped(json: &Value) -> Value {
    match json {
        Value::Object(members) => match (members.get("__entity"), members.get("__extn")) {
            (Some(entity), _) => entity.clone(),
            (_, Some(call)) => call["arg"].clone(),
            (None, None) if members.contains_key("fn") => members["arg"].clone(),
            (None, None) => {
                members.iter().map(|(name, json)| (name.clone(), unescaped(json))).collect()
            }
        },
        Value::Array(items) => items.iter().map(unescaped).collect(),
        other => other.clone(),
    }
}

fn links(file: &Path) -> Vec<PolicySource> {
    let Ok(text) = fs::read_to_string(file) else { return Vec::new() };
    let listed: Value = serde_json::from_str(&text).unwrap();
    let link = |link: &Value| {
        let id = |member: &str| link[member].as_str().unwrap().parse::<PolicyId>().unwrap();
        let slot = |name: &str| link["args"][name].as_str().map(written);
        let (principal, resource) = (slot("?principal"), slot("?resource"));
        let body = PolicyBody::Link { template: id("template_id"), principal, resource };
        PolicySource { id: id("link_id"), body }
    };
    listed.as_array().unwrap().iter().map(link).collect()
}

/// Some files name only the policies that need a name: those are named by their `@id`, the
/// rest in order.
fn partly_named(policies: &str) -> Vec<PolicySource> {
    let limits = Limits::default();
    let sources = read_policies_named_in_order("policies.cedar", policies, &limits).unwrap();
    let named = |source: PolicySource| {
        let (PolicyBody::Static { text } | PolicyBody::Template { text }) = &source.body else {
            return source;
        };
        match read_policies("", text, &limits) {
            Ok(mut named) => named.remove(0),
            Err(_) => source,
        }
    };
    sources.into_iter().map(named).collect()
}

/// `Type::"id"`, as the vectors write it.
fn written(uid: &str) -> Uid {
    let (kind, id) = uid.split_once("::\"").unwrap();
    Uid::parse(kind, id.strip_suffix('"').unwrap()).unwrap()
}

fn ids(listed: &Value) -> Vec<PolicyId> {
    let mut ids: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().parse::<PolicyId>().unwrap())
        .collect();
    ids.sort();
    ids
}

fn schema_of(text: &str) -> CompiledSchema {
    CompiledSchema::compile(text, SetKind::Application, &Limits::default()).unwrap()
}

fn in_order(text: &str) -> Vec<PolicySource> {
    let mut sources =
        read_policies_named_in_order("policies.cedar", text, &Limits::default()).unwrap();
    // Here their names are those of Cedar's test runner, not their own.
    for source in &mut sources {
        if let PolicyBody::Static { text } | PolicyBody::Template { text } = &mut source.body {
            *text = Arc::from(text.replace("@id(", "@name("));
        }
    }
    sources
}

fn compile(
    sources: &[PolicySource],
    schema: &CompiledSchema,
) -> Result<CompiledPolicies, Vec<countersign::cedar::Fault>> {
    CompiledPolicies::compile(sources, schema, SetKind::Application, &Limits::default())
}

fn files(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|own| own == extension)).collect();
    files.sort();
    files
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn json(file: &Path) -> Value {
    serde_json::from_str(&text(file)).unwrap()
}
