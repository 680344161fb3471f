//! What ships in `policies/` and `schemas/` means what it says. Cedar itself is the
//! oracle here: nothing of Countersign's own code stands between.

#![cfg(test)] // so that the lints take all of this for a test

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request,
    Schema, ValidationMode, Validator,
};
use serde_json::{Value, json};

/// Policies may follow at most this many attributes away from a request (RFC 76).
const LEVEL: u32 = 2;

/// One set as it ships, with a directory to try it on.
struct Shipped {
    schema: Schema,
    policies: PolicySet,
    entities: Entities,
}

impl Shipped {
    fn cloud() -> Self {
        let entities = read(&root().join("schemas/cloud.entities.json"));
        let entities = serde_json::from_str(&entities).unwrap();
        Self::load("schemas/cloud.cedarschema", "policies/cloud", entities)
    }

    fn system() -> Self {
        let uid = |kind: &str, id: &str| json!({"type": format!("Countersign::{kind}"), "id": id});
        let person = |id: &str, parents: &[Value]| -> Value {
            json!({"uid": uid("Person", id), "attrs": {}, "parents": parents})
        };
        let service = |scope: &str| -> Value {
            json!({"uid": uid("Service", scope), "attrs": {"scopes": [scope]}, "parents": []})
        };
        let mut entities: Vec<_> =
            ["evaluate", "search", "ingest", "audit", "publish", "admin"].map(service).into();
        for (id, role) in [("ada", "administrator"), ("ari", "author"), ("aud", "auditor")] {
            entities.push(person(id, &[uid("Role", role)]));
        }
        entities.push(person("nobody", &[]));
        Self::load("schemas/system.cedarschema", "policies/system", entities.into())
    }

    fn load(schema: &str, policies: &str, entities: Value) -> Self {
        let (schema, warnings) = Schema::from_cedarschema_str(&read(&root().join(schema))).unwrap();
        assert_eq!(warnings.map(|warning| warning.to_string()).collect::<Vec<_>>(), [""; 0]);
        let mut set = PolicySet::new();
        for policy in policies_of(&root().join(policies)) {
            let id = policy.annotation("id").expect("a policy without @id").to_owned();
            set.add(policy.new_id(PolicyId::new(id))).expect("ids are unique");
        }
        let entities = Entities::from_json_value(entities, Some(&schema)).unwrap();
        Self { schema, policies: set, entities }
    }

    /// Asks Cedar; the answer and the policies it rests on.
    fn ask(&self, principal: &str, action: &str, resource: &str, context: Value) -> (bool, String) {
        let [principal, action, resource]: [EntityUid; 3] =
            [principal, action, resource].map(|name| name.parse().unwrap());
        let context = Context::from_json_value(context, Some((&self.schema, &action))).unwrap();
        let request = Request::new(principal, action, resource, context, Some(&self.schema));
        let answer =
            Authorizer::new().is_authorized(&request.unwrap(), &self.policies, &self.entities);
        assert_eq!(answer.diagnostics().errors().count(), 0, "a shipped policy errs");
        let reasons: BTreeSet<_> =
            answer.diagnostics().reason().map(|id| AsRef::<str>::as_ref(id).to_owned()).collect();
        let reasons: Vec<_> = reasons.into_iter().collect();
        (answer.decision() == Decision::Allow, reasons.join(" "))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn policies_of(folder: &Path) -> Vec<Policy> {
    let files = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension() == Some("cedar".as_ref())).collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no policies", folder.display());
    files
        .iter()
        .flat_map(|file| {
            let set: PolicySet = read(file).parse().unwrap();
            assert_eq!(set.templates().count(), 0, "{}: a template", file.display());
            set.policies().cloned().collect::<Vec<_>>()
        })
        .collect()
}

/// The record `context.session`, for a session at a level and an age in seconds.
fn session(aal: i64, age_seconds: i64) -> Value {
    let amr = if aal >= 2 { json!(["mfa", "otp", "pwd"]) } else { json!(["pwd"]) };
    json!({"session": {
        "aal": aal, "amr": amr, "age_seconds": age_seconds, "phishing_resistant": false,
        "source": "countersign",
        "authenticated_at": {"fn": "datetime", "arg": "2026-11-22T09:00:00Z"},
    }})
}

/// No session at all: nobody is logged in, or the session is somebody else's.
fn stranger() -> Value {
    json!({})
}

#[test]
fn both_sets_validate_strictly_without_a_warning() {
    for shipped in [Shipped::cloud(), Shipped::system()] {
        let result = Validator::new(shipped.schema).validate_with_level(
            &shipped.policies,
            ValidationMode::Strict,
            LEVEL,
        );
        let findings: Vec<_> = result
            .validation_errors()
            .map(ToString::to_string)
            .chain(result.validation_warnings().map(ToString::to_string))
            .collect();
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

#[test]
fn every_policy_has_an_id_a_description_of_one_line_and_the_examples_an_owner() {
    for (folder, prefix) in [("policies/cloud", ""), ("policies/system", "system-")] {
        for policy in policies_of(&root().join(folder)) {
            let id = policy.annotation("id").unwrap_or_else(|| panic!("no @id on:\n{policy}"));
            assert!(id.starts_with(prefix), "`{id}` in {folder} does not start with `{prefix}`");
            let description = policy.annotation("description").unwrap_or_default();
            assert!(
                description.ends_with('.') && !description.contains('\n'),
                "`{id}` has no @description of one sentence: {description:?}"
            );
            let owned = policy.annotation("owner").is_some_and(|owner| !owner.is_empty());
            assert!(owned || !prefix.is_empty(), "`{id}` in {folder} has no @owner");
        }
    }
}

#[test]
fn ids_are_unique_across_what_ships() {
    let mut seen = BTreeSet::new();
    for folder in ["policies/cloud", "policies/system"] {
        for policy in policies_of(&root().join(folder)) {
            let id = policy.annotation("id").unwrap().to_owned();
            assert!(seen.insert(id.clone()), "`{id}` is used twice");
        }
    }
    assert!(seen.len() >= 20, "only {} policies were found", seen.len());
}

#[test]
fn the_application_set_never_names_countersign() {
    for file in ["schemas/cloud.cedarschema", "schemas/cloud.entities.json"] {
        assert!(!read(&root().join(file)).contains("Countersign::"), "{file}");
    }
    for policy in policies_of(&root().join("policies/cloud")) {
        assert!(!policy.to_string().contains("Countersign::"), "{policy}");
    }
}

/// A request, the decision, and the policies that it rests on.
type Row = (&'static str, &'static str, &'static str, Value, bool, &'static str);

fn check(shipped: &Shipped, kinds: [&str; 3], rows: Vec<Row>) {
    for (principal, action, resource, context, allowed, reasons) in rows {
        let [who, how, what] = kinds;
        let name = |kind: &str, id: &str| match id.split_once(' ') {
            Some((kind, id)) => format!("{kind}::\"{id}\""),
            None => format!("{kind}::\"{id}\""),
        };
        let found = shipped.ask(
            &name(who, principal),
            &name(how, action),
            &name(what, resource),
            context.clone(),
        );
        assert_eq!(
            found,
            (allowed, reasons.to_owned()),
            "{principal} {action} {resource} {context}"
        );
    }
}

/// Goal: nobody has more than their role gives.
#[test]
fn people_may_do_what_their_role_gives_and_no_more() {
    let rows = vec![
        ("alice", "view", "handbook", stranger(), true, "employees-view-documents"),
        ("alice", "edit", "handbook", stranger(), false, ""),
        (
            "bob",
            "edit",
            "handbook",
            stranger(),
            true,
            "editors-edit-documents owners-view-and-edit",
        ),
        ("bob", "delete", "handbook", session(2, 60), false, ""),
        ("carol", "delete", "handbook", session(2, 60), true, "archivists-delete-documents"),
        ("carol", "delete", "handbook", session(1, 60), false, "mfa-delete-documents"),
        ("mallory", "view", "press-release", stranger(), false, ""),
        ("nobody-knows", "view", "press-release", stranger(), false, ""),
        ("alice", "view", "salaries", session(2, 9), true, "owners-view-and-edit"),
        ("alice", "view", "salaries", session(1, 9), false, "mfa-confidential-documents"),
        ("bob", "view", "salaries", session(2, 9), false, ""),
    ];
    check(&Shipped::cloud(), ["User", "Action", "Document"], rows);
}

/// Goal: a break-in into one segment does not open the next but one.
#[test]
fn segments_are_kept_apart() {
    let no = stranger;
    let rows = vec![
        ("storefront", "connect", "orders-api", no(), true, "road-web-api"),
        ("orders", "connect", "orders-db", no(), true, "road-api-data"),
        ("storefront", "connect", "orders-db", no(), false, "wall-data"),
        ("storefront", "connect", "shop", no(), false, "wall-web"),
        ("orders", "connect", "orders-api", no(), false, "wall-api"),
        ("reports", "connect", "orders-api", no(), false, "wall-api"),
        ("reports", "connect", "backup", no(), false, "wall-admin"),
        ("bastion", "connect", "shop", no(), true, "road-admin"),
        ("bastion", "connect", "orders-db", no(), true, "road-admin"),
        ("bastion", "connect", "backup", no(), true, "road-admin"),
        ("orders-canary", "connect", "orders-db", no(), false, "wall-quarantine"),
        ("User alice", "connect", "shop", session(1, 9), true, "road-people-web"),
        ("User alice", "connect", "orders-db", session(2, 9), false, "wall-data"),
        ("User dave", "connect", "backup", session(2, 9), false, "wall-admin"),
        ("User mallory", "connect", "shop", session(2, 9), false, ""),
        ("settlement", "connect", "general-ledger", no(), true, "road-settlement-finance"),
        ("orders", "connect", "general-ledger", no(), false, "wall-finance"),
        ("User grace", "connect", "payroll", session(2, 9), false, "wall-finance"),
    ];
    check(&Shipped::cloud(), ["Workload", "Action", "Service"], rows);
}

/// Goal: what is planted in the example organisation for the reports to find is there.
#[test]
fn the_planted_faults_are_as_they_are_told() {
    let no = stranger;
    let rows = vec![
        // A forgotten pivot: the wiki of everybody runs where everything can be reached from.
        ("User lena", "connect", "team-wiki", session(1, 9), true, "road-people-web"),
        ("toolbox", "connect", "general-ledger", no(), true, "road-admin"),
        // A road that ends at a wall.
        ("recommendations", "connect", "stock-db", no(), false, "wall-data"),
    ];
    check(&Shipped::cloud(), ["Workload", "Action", "Service"], rows);
    let entities = read(&root().join("schemas/cloud.entities.json"));
    let entities: Value = serde_json::from_str(&entities).unwrap();
    let found = |uid: Value| {
        let all = entities.as_array().unwrap();
        all.iter().find(|entity| entity["uid"] == uid).cloned().unwrap()
    };
    let wiki = found(json!({"type": "Service", "id": "team-wiki"}));
    assert_eq!(wiki["attrs"]["runs_on"], json!({"type": "Workload", "id": "toolbox"}));
    // An over-broad group: all of support may, as yara may who never does.
    let rows = vec![
        ("omar", "view", "contract-acme", session(2, 9), true, "support-handles-contracts"),
        ("yara", "edit", "contract-acme", session(2, 9), true, "support-handles-contracts"),
        ("lena", "view", "contract-acme", session(2, 9), false, ""),
    ];
    check(&Shipped::cloud(), ["User", "Action", "Document"], rows);
}

/// Goal: one factor never opens what wants two.
#[test]
fn the_protected_resource_wants_two_factors() {
    let it = "protected-resource";
    let rows = vec![
        ("alice", "open", it, stranger(), false, "mfa-protected-resource"),
        ("alice", "open", it, session(1, 5), false, "mfa-protected-resource"),
        ("alice", "open", it, session(2, 5), true, "employees-open-protected-resource"),
        ("alice", "open", it, session(3, 5), true, "employees-open-protected-resource"),
        ("mallory", "open", it, session(2, 5), false, ""),
        ("alice", "open", "another", session(2, 5), false, ""),
    ];
    check(&Shipped::cloud(), ["User", "Action", "ProtectedResource"], rows);
}

/// Goal: a session left open at lunch administers nothing.
#[test]
fn administration_wants_fresh_factors_and_a_healthy_device() {
    let cloud = Shipped::cloud();
    let both = "fresh-mfa-administration healthy-device-administration";
    let rows = vec![
        ("dave", "administer", "orders-db", stranger(), false, both),
        ("dave", "administer", "orders-db", session(2, 10), false, "healthy-device-administration"),
        ("erin", "administer", "orders-db", session(2, 10), false, "healthy-device-administration"),
    ];
    check(&cloud, ["User", "Action", "Service"], rows);

    let fresh = "fresh-mfa-administration";
    let rows = vec![
        ("dave", "administer", "orders-db", session(2, 899), true, "operators-administer-services"),
        ("dave", "administer", "orders-db", session(2, 900), false, fresh),
        ("dave", "administer", "orders-db", session(1, 10), false, fresh),
        ("alice", "administer", "orders-db", session(2, 10), false, ""),
    ];
    check(&cloud.with_healthy(&["dave", "alice"]), ["User", "Action", "Service"], rows);
}

impl Shipped {
    /// The same, with the device of each of these known to be healthy.
    fn with_healthy(mut self, people: &[&str]) -> Self {
        let healthy: Vec<_> = people
            .iter()
            .map(|id| {
                let role = if *id == "dave" { "operator" } else { "employee" };
                json!({"uid": {"type": "User", "id": id}, "attrs": {"device_posture": "healthy"},
                       "parents": [{"type": "Role", "id": role}]})
            })
            .collect();
        let names = people.iter().map(|id| format!("User::\"{id}\"").parse().unwrap());
        self.entities = self.entities.remove_entities(names).unwrap();
        self.entities = self
            .entities
            .add_entities_from_json_value(Value::Array(healthy), Some(&self.schema))
            .unwrap();
        self
    }
}

const ACTIONS: [&str; 12] = [
    "evaluate",
    "search",
    "ingest",
    "readAudit",
    "readPolicies",
    "draftPolicies",
    "approvePolicies",
    "publishPolicies",
    "publishSchema",
    "changeDirectory",
    "manageUsers",
    "manageTokens",
];

/// What a principal may do with Countersign itself, in the order of [`ACTIONS`].
fn may(system: &Shipped, principal: &str, context: &Value) -> String {
    let node = "Countersign::Node::\"self\"";
    let allowed = ACTIONS.iter().filter(|action| {
        let action = format!("Countersign::Action::\"{action}\"");
        system.ask(principal, &action, node, context.clone()).0
    });
    allowed.copied().collect::<Vec<_>>().join(" ")
}

/// Goal: a token does what it was made for and nothing else.
#[test]
fn a_token_may_do_what_its_scope_says() {
    let system = Shipped::system();
    let table = [
        ("evaluate", "evaluate"),
        ("search", "search"),
        ("ingest", "ingest"),
        ("audit", "readAudit readPolicies"),
        ("publish", "readPolicies draftPolicies publishPolicies publishSchema changeDirectory"),
        ("admin", "manageUsers manageTokens"),
    ];
    for (scope, actions) in table {
        let principal = format!("Countersign::Service::\"{scope}\"");
        assert_eq!(may(&system, &principal, &stranger()), actions, "scope {scope}");
    }
}

/// Goal: a person administers by role, with two factors, and changes with fresh ones.
#[test]
fn a_person_may_do_what_their_role_says_once_both_factors_are_shown() {
    let system = Shipped::system();
    let all = ACTIONS.join(" ");
    let reading = "evaluate search ingest readAudit readPolicies draftPolicies";
    let writing = "readPolicies draftPolicies approvePolicies publishPolicies publishSchema \
                   changeDirectory";
    let table = [
        ("ada", session(2, 900), all.as_str()),
        ("ada", session(2, 901), reading),
        ("ada", session(1, 10), ""),
        ("ada", stranger(), ""),
        ("ari", session(2, 10), writing),
        ("ari", session(2, 901), "readPolicies draftPolicies"),
        ("aud", session(2, 10), "readAudit readPolicies"),
        ("aud", session(1, 10), ""),
        ("nobody", session(3, 10), ""),
    ];
    for (person, context, actions) in table {
        let principal = format!("Countersign::Person::\"{person}\"");
        assert_eq!(may(&system, &principal, &context), actions, "{person} {context}");
    }
}

#[test]
fn the_local_operator_may_do_everything_but_approve() {
    let system = Shipped::system();
    let operator = "Countersign::LocalOperator::\"local-operator\"";
    let all: Vec<_> = ACTIONS.into_iter().filter(|it| *it != "approvePolicies").collect();
    assert_eq!(may(&system, operator, &stranger()), all.join(" "));
}
