//! Who may do what with Countersign itself: decided by the system policies and recorded
//! like any other decision (invariant 9).

use countersign::event::{AccessDecided, Event, Verdict};
use countersign::model::SetKind;
use serde_json::{Value, json};

use crate::app::{Answer, Person, decided};
use crate::office::{Office, ask, setup};

/// What an endpoint wants of its caller.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wants {
    Evaluate,
    Ingest,
    Audit,
    Read,
    Publish,
    Directory,
    Schema,
    Draft,
    Approve,
    Users,
    Tokens,
}

use Wants::{
    Approve, Audit, Directory, Draft, Evaluate, Ingest, Publish, Read, Schema, Tokens, Users,
};

/// Every endpoint that wants a token with a permission, and its method. Their bodies here
/// are empty, so that even who may does nothing.
const ENDPOINTS: [(&str, &str, Wants); 34] = [
    ("POST", "/access/v1/evaluation", Evaluate),
    ("POST", "/access/v1/evaluations", Evaluate),
    ("POST", "/events/v1", Ingest),
    ("GET", "/policies/v1", Read),
    ("PUT", "/policies/v1", Publish),
    ("GET", "/policies/v1/none", Read),
    ("GET", "/schema/v1", Read),
    ("PUT", "/schema/v1", Schema),
    ("GET", "/versions/v1", Read),
    ("POST", "/versions/v1", Draft),
    ("PUT", "/versions/v1", Publish),
    ("GET", "/versions/v1/000000", Read),
    ("POST", "/versions/v1/000000/check", Draft),
    ("POST", "/versions/v1/000000/stage", Draft),
    ("POST", "/versions/v1/000000/unstage", Draft),
    ("POST", "/versions/v1/000000/approve", Approve),
    ("POST", "/versions/v1/000000/activate", Publish),
    ("POST", "/versions/v1/rollback", Publish),
    ("POST", "/policies/v1/check", Draft),
    ("GET", "/entities/v1", Read),
    ("POST", "/entities/v1", Directory),
    ("GET", "/entities/v1/User/nobody", Read),
    ("GET", "/users/v1", Users),
    ("POST", "/users/v1", Users),
    ("POST", "/users/v1/nobody/ticket", Users),
    ("POST", "/users/v1/nobody/disable", Users),
    ("PUT", "/users/v1/nobody/roles/auditor", Users),
    ("DELETE", "/users/v1/nobody/roles/auditor", Users),
    ("GET", "/tokens/v1", Tokens),
    ("POST", "/tokens/v1", Tokens),
    ("DELETE", "/tokens/v1/00000000-0000-7000-8000-000000000000", Tokens),
    ("GET", "/audit/v1/events?limit=1", Audit),
    ("GET", "/audit/v1/state", Audit),
    ("GET", "/metrics", Audit),
];

impl Wants {
    /// The id of the system action it is a question about.
    fn action(self) -> &'static str {
        match self {
            Evaluate => "evaluate",
            Ingest => "ingest",
            Audit => "readAudit",
            Read => "readPolicies",
            Publish => "publishPolicies",
            Schema => "publishSchema",
            Draft => "draftPolicies",
            Approve => "approvePolicies",
            Directory => "changeDirectory",
            Users => "manageUsers",
            Tokens => "manageTokens",
        }
    }

    fn changes(self) -> bool {
        matches!(self, Publish | Schema | Directory | Users | Tokens | Approve)
    }
}

impl Office {
    fn call(&self, method: &str, path: &str, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.app.raw(method, path, &headers, b"")
    }

    /// Logs a new person with a role in, with two factors.
    fn with_role(&self, name: &str, roles: &[&str]) -> Person {
        let body = json!({"name": name, "roles": roles});
        let made = self.app.post("/users/v1", &self.admin.token, &body).expect(201);
        let ticket = made["ticket"].as_str().unwrap();
        self.app.enrol(ticket, crate::app::PASSWORD).expect(201);
        self.app.two_factors(&self.app.one_factor(name))
    }

    /// Calls every endpoint; a caller who may is not told 401 or 403, one who may not is
    /// told 403, and the log says so.
    fn assert_may(&self, who: &str, token: &str, may: &dyn Fn(Wants) -> bool) {
        for (method, path, wants) in ENDPOINTS {
            let before = self.app.log().len();
            let answer = self.call(method, path, token);
            let place = format!("{who}: {method} {path}: {} {}", answer.status, answer.text);
            assert!(answer.status < 500, "{place}");
            let recorded = self.app.log().split_off(before);
            if may(wants) {
                assert!(![401, 403].contains(&answer.status), "{place}");
                let allowed = recorded.iter().filter_map(decided);
                assert!(allowed.into_iter().all(|it| it.decision == Verdict::Allow), "{place}");
                continue;
            }
            assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{place}");
            let [refusal] = &recorded[..] else { panic!("{place}: {recorded:?}") };
            let refusal = decided(refusal).unwrap();
            assert_eq!((refusal.set, refusal.decision), (SetKind::System, Verdict::Deny));
            let action = format!("Countersign::Action::{}", wants.action());
            assert_eq!(refusal.request.action.name, action, "{place}");
            assert_eq!(answer.json()["determining"], json!(refusal.determining));
        }
    }
}

/// Goal: who shows no token, or one that is none for this, is told 401 by every endpoint,
/// and nothing is decided about nobody.
#[test]
fn every_endpoint_wants_a_token() {
    let office = Office::open();
    let size = office.app.log().len();
    let unknown = "cs_service_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (method, path, _) in ENDPOINTS {
        for token in ["", "x", unknown, &office.admin.session_token] {
            let answer = office.call(method, path, token);
            let place = format!("{method} {path} with `{token}`");
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "unauthenticated"),
                "{place}"
            );
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"countersign\"");
        }
        let bare = office.app.raw(method, path, &[("content-type", "application/json")], b"");
        assert_eq!(bare.status, 401, "{method} {path}");
    }
    for path in ["/auth/v1/session", "/audit/v1/entries", "/audit/v1/events?follow=true"] {
        assert_eq!(office.call("GET", path, "").status, 401, "{path}");
    }
    for path in ["/auth/v1/logout", "/auth/v1/setup-mfa", "/auth/v1/verify-mfa"] {
        assert_eq!(office.call("POST", path, "").status, 401, "{path}");
    }
    for path in ["/healthz", "/readyz", "/.well-known/authzen-configuration"] {
        assert_eq!(office.call("GET", path, "").status, 200, "{path}");
    }
    assert_eq!(office.app.log().len(), size);
}

/// Goal: a service token opens what its scopes say and nothing else, endpoint by endpoint.
#[test]
fn a_service_may_what_its_scopes_say() {
    let office = Office::open();
    let token = |scopes: &[&str]| office.app.token(&office.admin, scopes);
    let reads = |wants: Wants| wants == Read;
    let publishes = |wants: Wants| matches!(wants, Read | Draft | Publish | Schema | Directory);
    let administers = |wants: Wants| matches!(wants, Users | Tokens);
    office.assert_may("evaluate", &office.pep, &|wants| wants == Evaluate);
    office.assert_may("search", &token(&["search"]), &|_| false);
    office.assert_may("audit", &token(&["audit"]), &|wants| wants == Audit || reads(wants));
    office.assert_may("publish", &token(&["publish"]), &publishes);
    office.assert_may("admin", &token(&["admin"]), &administers);
    let both = token(&["evaluate", "admin"]);
    office.assert_may("both", &both, &|wants| wants == Evaluate || administers(wants));
    office.app.assert_replays();
}

/// Goal: an identity provider's token reports, and does nothing else.
#[test]
fn a_reporting_service_may_only_report() {
    let office = Office::open();
    let binding = json!({"source": "https://idp.example", "user_type": "User", "max_aal": 2});
    let body = json!({"scopes": ["ingest"], "binding": binding});
    let made = office.app.post("/tokens/v1", &office.admin.token, &body).expect(201);
    let token = made["token"].as_str().unwrap();
    office.assert_may("ingest", token, &|wants| wants == Ingest);
    office.app.assert_replays();
}

/// Goal: what a person may comes from their roles, once they have shown two factors.
#[test]
fn a_person_may_what_their_roles_say() {
    let office = Office::open();
    let none = office.with_role("nora", &[]);
    let auditor = office.with_role("otto", &["auditor"]);
    let author = office.with_role("anna", &["author"]);
    office.assert_may("nobody in particular", &none.token, &|_| false);
    office.assert_may("auditor", &auditor.token, &|wants| matches!(wants, Audit | Read));
    let authors = |wants| matches!(wants, Read | Draft | Approve | Publish | Schema | Directory);
    office.assert_may("author", &author.token, &authors);
    office.assert_may("administrator", &office.admin.token, &|_| true);
    office.app.assert_replays();
}

/// Goal: a password alone administers nothing, and old factors change nothing: the answer
/// names the policy that says so.
#[test]
fn administration_wants_two_factors_and_fresh_ones() {
    let office = Office::open();
    let body = json!({"name": "zoe", "roles": ["administrator"]});
    let made = office.app.post("/users/v1", &office.admin.token, &body).expect(201);
    office.app.enrol(made["ticket"].as_str().unwrap(), crate::app::PASSWORD).expect(201);
    let zoe = office.app.one_factor("zoe");
    office.assert_may("one factor", &zoe.token, &|_| false);
    let refused = office.call("GET", "/policies/v1", &zoe.token);
    assert_eq!(refused.json()["determining"], json!(["system-person-mfa"]));

    let zoe = office.app.two_factors(&zoe);
    office.app.clock.advance(900);
    office.assert_may("fresh", &zoe.token, &|_| true);
    office.app.clock.advance(1);
    office.assert_may("stale", &zoe.token, &|wants| !wants.changes());
    let refused = office.call("PUT", "/policies/v1", &zoe.token);
    assert_eq!(refused.json()["determining"], json!(["system-person-fresh-mfa"]));
    assert!(refused.text.contains("forbidden by `system-person-fresh-mfa` (log in again: "));
    office.app.assert_replays();
}

/// Goal: a role granted or taken counts for the person's very next request, in the
/// session they already have; and so does a revoked token.
#[test]
fn a_right_that_is_taken_away_is_gone_at_once() {
    let office = Office::open();
    let nora = office.with_role("nora", &[]);
    let admin = &office.admin.token;
    let role = "/users/v1/nora/roles/auditor";
    let reads = || office.call("GET", "/audit/v1/state", &nora.token).status;
    assert_eq!(reads(), 403);
    assert_eq!(office.call("PUT", role, admin).status, 204);
    assert_eq!(reads(), 200);
    assert_eq!(office.call("DELETE", role, admin).status, 204);
    assert_eq!(reads(), 403);

    let made = office.app.post("/tokens/v1", admin, &json!({"scopes": ["evaluate"]})).expect(201);
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert_eq!(office.app.evaluate(token, &ask("alice", "read", "plan")).status, 200);
    assert_eq!(office.call("DELETE", &format!("/tokens/v1/{id}"), admin).status, 204);
    assert_eq!(office.app.evaluate(token, &ask("alice", "read", "plan")).status, 401);
    assert_eq!(office.call("DELETE", &format!("/tokens/v1/{id}"), admin).status, 404);

    office.app.post("/users/v1/nora/disable", admin, &json!({})).expect(204);
    assert_eq!(reads(), 401);
    office.app.assert_replays();
}

/// Goal: whatever is administered stands in the log with the decision that allowed it,
/// whose it was, and under which request; a PEP's own permission is not recorded at the
/// rate of its questions.
#[test]
fn what_is_administered_is_recorded_with_its_permission() {
    let office = Office::open();
    let before = office.app.log().len();
    let bearer = format!("Bearer {}", office.admin.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("x-request-id", "ticket-4711"),
    ];
    let body = json!({"scopes": ["audit"], "label": "nightly"}).to_string();
    office.app.raw("POST", "/tokens/v1", &headers, body.as_bytes()).expect(201);

    let log = office.app.log().split_off(before);
    let [permission, registered] = &log[..] else { panic!("{log:?}") };
    assert!(matches!(registered.event, Event::ServiceRegistered(_)));
    for entry in [permission, registered] {
        assert_eq!(entry.actor.to_string(), "person/admin");
        assert_eq!(entry.correlation.as_deref(), Some("ticket-4711"));
    }
    let AccessDecided { set, request, determining, pep, .. } = decided(permission).unwrap();
    assert_eq!((*set, pep.as_str()), (SetKind::System, "countersign"));
    let asked = serde_json::to_value(request).unwrap();
    assert_eq!(asked["subject"], json!({"type": "Countersign::Person", "id": "admin"}));
    assert_eq!(*determining, ["system-role-administrator".parse().unwrap()]);

    let before = office.app.log().len();
    for _ in 0..3 {
        office.app.evaluate(&office.pep, &ask("alice", "read", "plan")).expect(200);
    }
    assert_eq!(office.app.log().len(), before + 3);
    // A person who asks as a PEP does is recorded each time: that is not traffic.
    office.app.evaluate(&office.admin.token, &ask("alice", "read", "plan")).expect(200);
    assert_eq!(office.app.log().len(), before + 5);
    office.app.assert_replays();
}

/// Goal: the owner's policies and entities say nothing about Countersign itself, even
/// when they try.
#[test]
fn the_owners_policies_do_not_reach_administration() {
    let everything = "@id(\"all\") permit (principal, action, resource);";
    let office = Office::with(&setup());
    let body = json!({"files": [{"name": "a.cedar", "text": everything}]});
    office.app.put("/policies/v1", &office.admin.token, &body).expect(200);
    assert!(office.allows(&ask("nobody", "write", "plan")));
    office.assert_may("evaluate", &office.pep, &|wants| wants == Evaluate);
    let nora = office.with_role("nora", &[]);
    office.assert_may("nora", &nora.token, &|_| false);
    office.app.assert_replays();
}

/// Goal: lists show who and what there is, and no secret.
#[test]
fn lists_show_no_secret() {
    let office = Office::open();
    let admin = &office.admin.token;
    let tokens = office.app.get("/tokens/v1", admin);
    let shown = tokens.expect(200)["tokens"].clone();
    let names = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(names(&shown[0]), "id label scopes binding registered_at");
    assert_eq!(shown[0]["scopes"], json!(["evaluate"]));
    let users = office.app.get("/users/v1", admin);
    let shown = users.expect(200)["users"].clone();
    assert_eq!(names(&shown[0]), "name roles disabled password totp passkeys registered_at");
    assert!(!tokens.text.contains(office.pep.strip_prefix("cs_service_").unwrap()));
}
