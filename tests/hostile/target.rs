//! Every door of the house, with the key that opens it.

use countersign::model::Digest;
use countersign::tlog::{
    AddCheckpoint, Checkpoint, Hash, SigningKey, empty_root, leaf_hash, sign_checkpoint,
};
use serde_json::{Value, json};

use crate::auditor;
use crate::binary::{PASSWORD, shipped};
use crate::house::{House, LEAVER, SOURCE, VICTIM, VISITOR, other_log};
use crate::page::pages;
use crate::report;

/// One method of one URL template: what an honest caller sends.
pub struct Target {
    pub template: &'static str,
    pub method: &'static str,
    /// How often it is attacked, beside the others.
    pub weight: usize,
    /// Tokens that are let in, the first of them for the honest call; none where nobody
    /// is asked for one.
    pub tokens: Vec<String>,
    /// Paths, with a query or without.
    pub paths: Vec<String>,
    /// Bodies; none where none is read.
    pub bodies: Vec<Value>,
    /// Headers that it is sent with besides.
    pub headers: Vec<(&'static str, String)>,
    /// Whether it is a page: bodies are sent as forms, and problems are told in HTML.
    pub is_page: bool,
    /// What the honest call is answered with: beyond the token and the reading of the
    /// body, whatever it then says.
    pub honest: u16,
}

impl Target {
    pub fn new(method: &'static str, template: &'static str, honest: u16) -> Self {
        let (tokens, bodies, paths) = (Vec::new(), Vec::new(), vec![template.to_owned()]);
        let (headers, is_page) = (Vec::new(), false);
        Self { template, method, weight: 1, tokens, paths, bodies, headers, is_page, honest }
    }

    /// The same as a page, whose forms come from the page itself.
    pub fn of_a_page(mut self) -> Self {
        self.is_page = true;
        self.headers.push(("sec-fetch-site", "same-origin".to_owned()));
        self
    }

    pub fn weighing(mut self, weight: usize) -> Self {
        self.weight = weight;
        self
    }

    pub fn with(mut self, tokens: &[String]) -> Self {
        self.tokens = tokens.to_vec();
        self
    }

    pub fn at(mut self, paths: &[&str]) -> Self {
        self.paths = paths.iter().map(|path| (*path).to_owned()).collect();
        self
    }

    pub fn reading(mut self, bodies: impl Into<Vec<Value>>) -> Self {
        self.bodies = bodies.into();
        self
    }

    /// True if a body that is right as JSON costs a password's hash.
    pub fn hashes(&self) -> bool {
        let pages = ["/sign-in", "/sign-in/recover", "/account/password", "/enrol"];
        let api = ["/auth/v1/login", "/auth/v1/recover"];
        pages.contains(&self.template) || api.contains(&self.template)
    }
}

/// All of them.
pub fn targets(house: &House) -> Vec<Target> {
    [
        accesses(house),
        persons(house),
        passkeys(house),
        authors(house),
        versions(house),
        administrators(house),
        auditor::targets(house),
        report::targets(house),
        own(house),
        pages(house),
    ]
    .into_iter()
    .flatten()
    .chain([witness()])
    .collect()
}

/// Another log, which shows how it has grown.
fn witness() -> Target {
    let key: SigningKey = other_log();
    let request = |size: u64, root: Hash| {
        let checkpoint = Checkpoint::new("other.example/log", size, root).unwrap();
        let note = sign_checkpoint(&checkpoint, &[&key]).unwrap().parse().unwrap();
        Value::String(AddCheckpoint::new(0, Vec::new(), note).unwrap().to_string())
    };
    Target::new("POST", "/log/v1/add-checkpoint", 200)
        .reading([request(0, empty_root()), request(1, leaf_hash(b"first"))])
        .weighing(6)
}

fn accesses(house: &House) -> Vec<Target> {
    let pep = [house.pep.clone()];
    let ask = |who: [&str; 2], action: &str, what: [&str; 2]| {
        json!({
            "subject": {"type": who[0], "id": who[1], "properties": {"device_posture": "healthy"}},
            "action": {"name": action, "properties": {"reason": "audit"}},
            "resource":
                {"type": what[0], "id": what[1], "properties": {"classification": "public"}},
            "context": {"session_token": house.session[1], "ip": "10.0.0.1", "risk": 0.5},
        })
    };
    let questions = [
        ask(["User", "alice"], "view", ["Document", "handbook"]),
        ask(["Workload", "orders"], "connect", ["Service", "orders-db"]),
        ask(["User", "stella"], "open", ["ProtectedResource", "protected-resource"]),
    ];
    let batch = json!({
        "subject": {"type": "User", "id": "alice"},
        "action": {"name": "view"},
        "context": {"session_token": house.session[1]},
        "options": {"evaluations_semantic": "deny_on_first_deny"},
        "evaluations": [
            {"resource": {"type": "Document", "id": "handbook"}},
            {"resource": {"type": "Document", "id": "salaries"}, "action": {"name": "edit"}},
            {"subject": {"type": "User", "id": "bob"}, "resource": {"type": "Document", "id": "x"}},
        ],
    });
    vec![
        Target::new("POST", "/access/v1/evaluation", 200)
            .with(&pep)
            .reading(questions)
            .weighing(12),
        Target::new("POST", "/access/v1/evaluations", 200).with(&pep).reading([batch]).weighing(10),
        Target::new("GET", "/.well-known/authzen-configuration", 200),
        Target::new("GET", "/healthz", 200),
        Target::new("GET", "/readyz", 200),
        Target::new("GET", "/metrics", 200).with(std::slice::from_ref(&house.office)),
    ]
}

fn persons(house: &House) -> Vec<Target> {
    let session = [house.session[0].clone()];
    let enrol = |ticket: &String| json!({"ticket": ticket, "password": PASSWORD});
    let login = json!({"username": VISITOR, "password": PASSWORD, "cookie": true});
    vec![
        Target::new("POST", "/auth/v1/enrol", 201)
            .reading(house.tickets.iter().map(enrol).collect::<Vec<_>>())
            .weighing(6),
        Target::new("POST", "/auth/v1/login", 200).reading([login]).weighing(6),
        Target::new("POST", "/auth/v1/password", 401)
            .with(&session)
            .reading([json!({
                "current_password": "not seven quiet harbours",
                "new_password": "nine brass lanterns by the canal",
                "cookie": false,
            })])
            .weighing(4),
        Target::new("POST", "/auth/v1/setup-mfa", 200)
            .with(&session)
            .reading([json!({})])
            .weighing(4),
        Target::new("POST", "/auth/v1/verify-mfa", 401)
            .with(&session)
            .reading([json!({"mfa_code": "000000", "cookie": false})])
            .weighing(6),
        Target::new("POST", "/auth/v1/logout", 204).with(&house.sessions),
        Target::new("GET", "/auth/v1/session", 200).with(&session),
        Target::new("POST", "/events/v1", 200)
            .with(std::slice::from_ref(&house.idp))
            .reading(reports())
            .weighing(10),
    ]
}

/// What persons do about their own sessions and authenticators.
fn own(house: &House) -> Vec<Target> {
    let session = [house.session[0].clone()];
    let nobodys = "01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57";
    let (ended, removed) =
        (format!("/auth/v1/sessions/{nobodys}"), format!("/auth/v1/authenticators/{nobodys}"));
    let code = "mzxw-6ytb-mzxw-6ytb-mzxw-6ytb";
    let recover = json!({"username": VISITOR, "password": PASSWORD, "code": code});
    vec![
        Target::new("GET", "/auth/v1/sessions", 200).with(&session),
        Target::new("DELETE", "/auth/v1/sessions", 204).with(&session),
        Target::new("DELETE", "/auth/v1/sessions/{id}", 404).with(&session).at(&[&ended]),
        Target::new("GET", "/auth/v1/sign-ins", 200).with(&session),
        Target::new("GET", "/auth/v1/authenticators", 200).with(&session),
        Target::new("PATCH", "/auth/v1/authenticators/{id}", 404)
            .with(&session)
            .at(&[&removed])
            .reading([json!({"label": "the telephone"})])
            .weighing(2),
        Target::new("DELETE", "/auth/v1/authenticators/{id}", 404).with(&session).at(&[&removed]),
        Target::new("POST", "/auth/v1/recovery-codes", 409).with(&session).reading([json!({})]),
        Target::new("POST", "/auth/v1/recover", 401).reading([recover]).weighing(4),
    ]
}

/// Answers to challenges that nobody asked for, in the shape of those that somebody did.
fn passkeys(house: &House) -> Vec<Target> {
    let session = [house.session[0].clone()];
    let ticket = "cs_passkey_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let credential = |response: Value| {
        json!({
            "ticket": ticket,
            "credential": {
                "id": "AQID", "rawId": "AQID", "type": "public-key", "response": response,
                "clientExtensionResults": {},
            },
        })
    };
    let made = credential(json!({"attestationObject": "oA", "clientDataJSON": "e30"}));
    let signed = credential(json!({
        "authenticatorData": "AAAA", "clientDataJSON": "e30", "signature": "MAA",
        "userHandle": "AAAA",
    }));
    let own = |method, template, honest| Target::new(method, template, honest).with(&session);
    vec![
        Target::new("POST", "/auth/v1/login/passkey/options", 200)
            .reading([json!({"username": VISITOR}), json!({})])
            .weighing(6),
        Target::new("POST", "/auth/v1/login/passkey", 401).reading([signed.clone()]).weighing(6),
        own("POST", "/auth/v1/verify-passkey/options", 409).reading([json!({})]),
        own("POST", "/auth/v1/verify-passkey", 401).reading([signed]).weighing(4),
        own("POST", "/auth/v1/passkeys/options", 200)
            .reading([json!({"label": "blue", "kind": "security_key"})])
            .weighing(4),
        own("POST", "/auth/v1/passkeys", 401).reading([made]).weighing(4),
        own("GET", "/auth/v1/passkeys", 200),
    ]
}

fn reports() -> Vec<Value> {
    let report = |id: &str, kind: &str| {
        json!({
            "specversion": "1.0",
            "id": id,
            "source": SOURCE,
            "type": kind,
            "subject": "alice",
            "time": "2026-11-22T12:00:00Z",
            "datacontenttype": "application/json",
            "data": {"session_token_sha256": Digest::of("t"), "methods": ["pwd", "otp"]},
        })
    };
    let all = [("1", "mfa.verified"), ("2", "password.verified"), ("3", "session.ended")];
    let mut reports: Vec<_> = all.into_iter().map(|(id, kind)| report(id, kind)).collect();
    reports.push(Value::Array(reports.clone()));
    reports
}

fn authors(house: &House) -> Vec<Target> {
    let office = std::slice::from_ref(&house.office);
    let read = |path: &str| std::fs::read_to_string(shipped(path)).unwrap();
    let files = ["assurance", "least-privilege", "segments"].map(|name| {
        let name = format!("policies/cloud/{name}.cedar");
        json!({"name": name, "text": read(&name)})
    });
    let mut policies = json!({"files": files, "message": "as shipped"});
    let singles = json!([
        {"id": "one", "kind": "static",
         "text": "@id(\"one\") permit (principal, action, resource);"},
        {"id": "each", "kind": "template",
         "text": "@id(\"each\") permit (principal == ?principal, action, resource);"},
        {"id": "eve", "kind": "link", "template": "each",
         "principal": {"type": "User", "id": "eve"}},
    ]);
    let mut schema = json!({"schema": read("schemas/cloud.cedarschema"), "message": "as shipped"});
    let put = json!([
        {"uid": {"type": "User", "id": "zoe"}, "attrs": {"device_posture": "healthy"},
         "parents": [{"type": "Role", "id": "employee"}], "tags": {}},
        {"uid": {"type": "Document", "id": "memo"}, "parents": [],
         "attrs": {"owner": {"__entity": {"type": "User", "id": "bob"}}, "classification": "x"}},
    ]);
    let entities = [
        json!({"put": put.clone(), "message": "two more"}),
        json!({"put": put.clone(), "delete": [{"type": "User", "id": "mallory"}]}),
    ];
    let whole = [policies.clone(), schema.clone()];
    policies["policies"] = singles.clone();
    schema["policies"] = singles;
    let [whole_policies, whole_schema] = whole;
    let mut draft = policies.clone();
    draft["schema"] = whole_schema["schema"].clone();
    draft["suites"] = json!([{"name": "t.json", "files": {"e.json": put.clone()}, "tests": [{
        "name": "a", "entities": "e.json", "session": {"aal": 2, "age_seconds": 9},
        "request": {"principal": "User::\"zoe\"", "action": "Action::\"view\"",
                    "resource": {"type": "Document", "id": "memo"}, "context": {}},
        "decision": "deny", "reason": [], "reason_exact": [], "num_errors": 0, "step_up": "none",
        "also_entities": put.clone(), "now": "2026-11-22T12:00:00Z", "pep": "web",
    }]}]);
    draft["which"] = json!({"style": true, "tests": true, "strict": true});
    let listing = [
        "/entities/v1?type=User&limit=2",
        "/entities/v1?cursor=%7B%22type%22%3A%22User%22%2C%22id%22%3A%22a%22%7D",
    ];
    vec![
        Target::new("GET", "/policies/v1", 200).with(office),
        Target::new("PUT", "/policies/v1", 409)
            .with(office)
            .reading([whole_policies, policies])
            .weighing(6),
        Target::new("POST", "/policies/v1/check", 200).with(office).reading([draft]).weighing(4),
        Target::new("GET", "/policies/v1/{policy}", 200)
            .with(office)
            .at(&["/policies/v1/wall-data"]),
        Target::new("GET", "/schema/v1", 200).with(office),
        Target::new("PUT", "/schema/v1", 409)
            .with(office)
            .reading([whole_schema, schema])
            .weighing(6),
        Target::new("GET", "/entities/v1", 200).with(office).at(&listing),
        Target::new("POST", "/entities/v1", 200).with(office).reading(entities).weighing(8),
        Target::new("GET", "/entities/v1/{type}/{id:.*}", 200)
            .with(office)
            .at(&["/entities/v1/User/alice", "/entities/v1/User/a%2Fb/c"]),
    ]
}

/// Versions of the policies. Whatever becomes of them, the one that is asked for here is
/// none: what is in force stays.
fn versions(house: &House) -> Vec<Target> {
    let office = std::slice::from_ref(&house.office);
    let chief = std::slice::from_ref(&house.chief);
    let text = "@id(\"one\") permit (principal, action, resource);";
    let sent = |text: &str, why: &str| {
        let files = json!([{"name": "one.cedar", "text": text}]);
        json!({"files": files, "message": why, "suites": []})
    };
    let nobodys = "0123456789ab";
    let step = |template: &'static str, tokens: &[String]| {
        let path = template.replace("{version}", nobodys);
        Target::new("POST", template, 404)
            .with(tokens)
            .at(&[&path])
            .reading([json!({"reason": "to see"})])
    };
    vec![
        Target::new("GET", "/versions/v1", 200).with(office),
        Target::new("POST", "/versions/v1", 200)
            .with(office)
            .reading([sent(text, "one"), sent(text, "two")])
            .weighing(6),
        Target::new("PUT", "/versions/v1", 422)
            .with(office)
            .reading([sent("@id(\"one\") permit (principal is Robot, action, resource);", "x")])
            .weighing(6),
        Target::new("GET", "/versions/v1/{version}", 404)
            .with(office)
            .at(&[&format!("/versions/v1/{nobodys}")]),
        Target::new("POST", "/versions/v1/rollback", 404)
            .with(office)
            .reading([json!({"reason": "to see", "to": nobodys})]),
        step("/versions/v1/{version}/check", office),
        step("/versions/v1/{version}/stage", office),
        step("/versions/v1/{version}/unstage", office),
        step("/versions/v1/{version}/approve", chief),
        step("/versions/v1/{version}/activate", office),
    ]
}

fn administrators(house: &House) -> Vec<Target> {
    let office = std::slice::from_ref(&house.office);
    let user = |what: &str| format!("/users/v1/{VICTIM}/{what}");
    let role = user("roles/auditor");
    let binding = json!({"source": "https://other.example", "user_type": "User", "max_aal": 1});
    let services = [
        json!({"scopes": ["ingest"], "label": "other", "binding": binding}),
        json!({"scopes": ["evaluate", "audit"], "label": "one"}),
    ];
    let revoke: Vec<_> = house.services.iter().map(|id| format!("/tokens/v1/{id}")).collect();
    let revoke: Vec<_> = revoke.iter().map(String::as_str).collect();
    vec![
        Target::new("GET", "/users/v1", 200).with(office),
        Target::new("POST", "/users/v1", 201)
            .with(office)
            .reading([json!({"name": "walter", "roles": ["author"]})])
            .weighing(4),
        Target::new("POST", "/users/v1/{name}/ticket", 201).with(office).at(&[&user("ticket")]),
        Target::new("POST", "/users/v1/import", 200)
            .with(office)
            .reading([json!({"users": [{"name": "wilma", "hash": "$2b$04$no hash"}]})])
            .weighing(4),
        Target::new("POST", "/users/v1/{name}/password-compromised", 409)
            .with(office)
            .at(&[&user("password-compromised")])
            .reading([json!({"reason": "leaked"})])
            .weighing(4),
        Target::new("PUT", "/users/v1/{name}/roles/{role}", 204).with(office).at(&[&role]),
        Target::new("DELETE", "/users/v1/{name}/roles/{role}", 204).with(office).at(&[&role]),
        Target::new("GET", "/users/v1/{name}/sessions", 200).with(office).at(&[&user("sessions")]),
        Target::new("DELETE", "/users/v1/{name}/sessions", 204)
            .with(office)
            .at(&[&user("sessions")]),
        Target::new("DELETE", "/users/v1/{name}/sessions/{id}", 404)
            .with(office)
            .at(&[&user("sessions/01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57")]),
        Target::new("POST", "/users/v1/{name}/re-enrol", 201)
            .with(office)
            .at(&[&user("re-enrol")])
            .reading([json!({})]),
        Target::new("POST", "/users/v1/{name}/disable", 204)
            .with(office)
            .at(&[&user("disable")])
            .reading([json!({"reason": "left"})])
            .weighing(4),
        Target::new("GET", "/tokens/v1", 200).with(office),
        Target::new("POST", "/tokens/v1", 201).with(office).reading(services).weighing(6),
        Target::new("DELETE", "/tokens/v1/{id}", 204).with(office).at(&revoke),
        Target::new("POST", "/log/v1/keys", 201).with(office),
        Target::new("POST", "/users/v1/{name}/erase", 200)
            .with(std::slice::from_ref(&house.chief))
            .at(&[&format!("/users/v1/{LEAVER}/erase")])
            .reading([json!({"reason": "left"})]),
        Target::new("POST", "/erasures/v1", 404)
            .with(std::slice::from_ref(&house.chief))
            .reading([json!({"subject": {"type": "User", "id": "mallory"}, "reason": "left"})]),
        Target::new("DELETE", "/log/v1/keys/{id}", 404)
            .with(office)
            .at(&["/log/v1/keys/01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57"]),
    ]
}
