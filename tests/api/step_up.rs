//! A denial says which login would help: the cheapest that does, only to who asks, and
//! nothing where no login would (RFC 9470; `AuthZEN` Obligations Profile, draft 1).

use countersign::event::{SessionUsed, Verdict};
use countersign::model::Acr;
use countersign::settings::Settings;
use serde_json::{Value, json};

use crate::app::{Answer, Setup};
use crate::office::{self, Office, unlock};

const ANY_LOGIN: &str = "urn:countersign:aal1 urn:countersign:aal2 phr phrh";

/// Vaults for what the office has no vault for.
const POLICIES: &str = r#"
@id("open-unphishable")
permit (principal, action == Action::"open", resource == Vault::"unphishable")
when { context has session && context.session.phishing_resistant };

@id("open-hardware")
permit (principal, action == Action::"open", resource == Vault::"hardware")
when { context has session && context.session.aal >= 3 };

@id("open-two-fresh")
permit (principal, action == Action::"open", resource == Vault::"two-fresh")
when {
  context has session && context.session.aal >= 2 && context.session.age_seconds <= 900
};

@id("closed")
forbid (principal, action == Action::"open", resource == Vault::"closed");
"#;

/// An office whose owner has a list of attested hardware.
fn office() -> Office {
    without_a_list(|settings| settings.decisions.login_max = Acr::HardwareProtected)
}

fn without_a_list(change: impl FnOnce(&mut Settings)) -> Office {
    let policies = format!("{}{POLICIES}", office::POLICIES);
    let setup = Setup::of(office::SCHEMA, &policies, &office::entities());
    let mut office = Office::with(&setup);
    office.app.restart_with(change);
    office.app.person(&office.admin, "alice");
    office
}

impl Office {
    /// Asks for a vault as a PEP does that can have people log in again.
    fn asks(&self, session: Option<&str>, user: &str, vault: &str) -> Answer {
        let supported = json!({"supported_obligations": ["notification", "step-up"]});
        let asked = office::given(unlock(user, vault), supported);
        match session {
            Some(session) => self.app.evaluate_with(&self.pep, session, &asked),
            None => self.app.evaluate(&self.pep, &asked),
        }
    }

    /// What the answer asks for; null if for nothing.
    fn challenge(&self, session: Option<&str>, user: &str, vault: &str) -> Value {
        let body = self.asks(session, user, vault).expect(200);
        assert_eq!(body["decision"], false);
        body.pointer("/context/obligations/0/properties").cloned().unwrap_or(Value::Null)
    }
}

#[test]
fn the_cheapest_login_that_suffices_is_asked_for() {
    let office = office();
    let alice = office.app.one_factor("alice");
    let session = Some(alice.session_token.as_str());
    let codes = json!({"acr_value": "urn:countersign:aal2", "acr_values": "urn:countersign:aal2"});
    let keys = json!({"acr_value": "phr", "acr_values": "phr phrh"});
    let hardware = json!({"acr_value": "phrh", "acr_values": "phrh"});
    let fresh = json!({
        "acr_value": "urn:countersign:aal2", "acr_values": "urn:countersign:aal2 phr phrh",
        "max_age": 900,
    });
    for (vault, wanted) in [
        ("second-factor", codes),
        ("unphishable", keys),
        ("hardware", hardware),
        ("two-fresh", fresh),
    ] {
        assert_eq!(office.challenge(session, "alice", vault), wanted, "{vault}");
    }
    let anyone = office.challenge(None, "alice", "session");
    assert_eq!(anyone, json!({"acr_value": "urn:countersign:aal1", "acr_values": ANY_LOGIN}));
    office.app.assert_replays();
}

/// Goal: nobody is sent for a key where none can be used.
#[test]
fn no_class_is_asked_for_that_nobody_can_reach_here() {
    let office = without_a_list(|_| {});
    let keys = json!({"acr_value": "phr", "acr_values": "phr"});
    assert_eq!(office.challenge(None, "alice", "unphishable"), keys);
    assert_eq!(office.challenge(None, "alice", "hardware"), Value::Null);
    let office = without_a_list(|settings| settings.decisions.login_max = Acr::Aal2);
    assert_eq!(office.challenge(None, "alice", "unphishable"), Value::Null);
    let codes = "urn:countersign:aal2";
    let asked = office.challenge(None, "alice", "second-factor");
    assert_eq!(asked, json!({"acr_value": codes, "acr_values": codes}));
    office.app.assert_replays();
}

/// Goal: what is promised holds. Denied; the person does what is asked; allowed; and once
/// the authentication is older than `max_age`, denied and asked for again.
#[test]
fn who_does_what_is_asked_gets_in_until_it_is_too_old() {
    let office = office();
    let alice = office.app.one_factor("alice");
    let denied = office.challenge(Some(&alice.session_token), "alice", "two-fresh");
    assert_eq!(denied["acr_value"], "urn:countersign:aal2");

    let alice = office.app.two_factors(&alice);
    let session = Some(alice.session_token.as_str());
    let allowed = json!({"decision": true});
    assert_eq!(office.asks(session, "alice", "two-fresh").expect(200), allowed);

    office.app.clock.advance(denied["max_age"].as_u64().unwrap());
    assert_eq!(office.asks(session, "alice", "two-fresh").expect(200), allowed);
    office.app.clock.advance(1);
    assert_eq!(office.challenge(session, "alice", "two-fresh"), denied);
    office.app.assert_replays();
}

/// Goal: an age that no table holds is found to the second.
#[test]
fn the_greatest_age_is_exact() {
    let office = office();
    let found = office.challenge(None, "alice", "fresh");
    let wanted = json!({
        "acr_value": "urn:countersign:aal1", "acr_values": ANY_LOGIN, "max_age": 300,
    });
    assert_eq!(found, wanted);
}

/// Goal: nobody is sent round in vain, and nobody learns what no login would change.
#[test]
fn nothing_is_asked_for_where_no_login_would_help() {
    let office = office();
    let alice = office.app.two_factors(&office.app.one_factor("alice"));
    let session = Some(alice.session_token.as_str());
    for vault in ["closed", "department", "nothing-opens-this"] {
        for session in [None, session] {
            assert_eq!(office.challenge(session, "alice", vault), Value::Null, "{vault}");
        }
    }
    // Nobody of this name can log in; and this session is another's.
    assert_eq!(office.challenge(None, "stranger", "session"), Value::Null);
    assert_eq!(office.challenge(session, "admin", "session"), Value::Null);
    office.app.assert_replays();
}

/// Goal: a class below what the person has shown already is no step up.
#[test]
fn no_less_is_asked_for_than_there_is() {
    let office = office();
    let alice = office.app.two_factors(&office.app.one_factor("alice"));
    office.app.clock.advance(301);
    let found = office.challenge(Some(&alice.session_token), "alice", "fresh");
    assert_eq!(found["acr_value"], "urn:countersign:aal2");
}

/// Goal: bodies are what the specification shows unless the caller said otherwise, and
/// what it said is neither recorded nor seen by policies.
#[test]
fn who_does_not_say_it_can_is_not_asked() {
    let office = office();
    for supported in [json!([]), json!(["notification"]), json!("step-up"), Value::Null] {
        let asked = json!({"supported_obligations": supported});
        let answer =
            office.app.evaluate(&office.pep, &office::given(unlock("alice", "session"), asked));
        assert_eq!(answer.expect(200), json!({"decision": false}));
        let decided = office.app.recorded(&answer);
        assert_eq!((decided.step_up, decided.pruned), (None, Vec::<String>::new()));
        assert!(decided.request.context.is_empty());
    }
}

#[test]
fn each_item_of_a_batch_has_its_own_challenge_and_its_own_record() {
    let office = office();
    let body = json!({
        "context": {"supported_obligations": ["step-up"]},
        "evaluations": [unlock("alice", "session"), unlock("alice", "closed")],
    });
    let answer = office.app.evaluate_all(&office.pep, &body).expect(200);
    assert_eq!(answer["evaluations"][1], json!({"decision": false}));
    let asked = &answer["evaluations"][0]["context"]["obligations"][0];
    assert_eq!((&asked["id"], &asked["type"]), (&json!("step-up"), &json!("step-up")));
    let recorded = office.app.decisions();
    let classes: Vec<_> =
        recorded.iter().map(|it| it.step_up.as_ref().unwrap().acr_values.len()).collect();
    assert_eq!(classes, [4, 0]);
    assert!(recorded.iter().all(|it| it.decision == Verdict::Deny));
    office.app.assert_replays();
}

/// Goal: nobody makes the writer search without end.
#[test]
fn of_a_batch_the_first_denials_alone_are_looked_at_further() {
    let office = office();
    let asked: Vec<_> = (0..12).map(|_| unlock("alice", "session")).collect();
    let body = json!({
        "context": {"supported_obligations": ["step-up"]}, "evaluations": asked,
    });
    let answer = office.app.evaluate_all(&office.pep, &body).expect(200);
    let all = answer["evaluations"].as_array().unwrap();
    let challenged: Vec<_> = all.iter().map(|it| it.get("context").is_some()).collect();
    assert_eq!(challenged, [[true; 8].as_slice(), &[false; 4]].concat());
    let recorded = office.app.decisions();
    assert_eq!(recorded.iter().filter(|it| it.step_up.is_some()).count(), 8);
    office.app.assert_replays();
}

/// Goal: an auditor who cannot see what a search rested on does not take it for another.
#[test]
fn what_a_search_rested_on_and_is_sealed_makes_no_difference_in_a_replay() {
    let schema = "type Session = { aal: Long, amr: Set<String>, authenticated_at: datetime,
        age_seconds: Long, phishing_resistant: Bool, source: String };
      entity User = { @personal mail?: String }; entity Vault;
      action open appliesTo { principal: [User], resource: [Vault],
        context: { session: Session } };";
    let policies = r#"@id("staff") permit (principal, action, resource)
      when { principal has mail && principal.mail like "*@example.org" };"#;
    let entities = json!([{
        "uid": {"type": "User", "id": "alice"}, "attrs": {"mail": "a@example.org"}, "parents": [],
    }]);
    let office = Office::with(&Setup::of(schema, policies, &entities));
    office.app.person(&office.admin, "alice");
    let found = office.challenge(None, "alice", "vault");
    assert_eq!(found["acr_value"], "urn:countersign:aal1");
    office.app.assert_replays();
}

/// Goal: a session that has ended is no better than none, and a new login is asked for.
#[test]
fn who_has_logged_out_is_asked_to_log_in() {
    let office = office();
    let alice = office.app.one_factor("alice");
    office.app.post("/auth/v1/logout", &alice.token, &json!({})).expect(204);
    let answer = office.asks(Some(&alice.session_token), "alice", "session");
    let decided = office.app.log().iter().rev().find_map(|entry| match &entry.event {
        countersign::event::Event::AccessDecided(decided) => Some(decided.clone()),
        _ => None,
    });
    assert_eq!(decided.unwrap().session, Some(SessionUsed::Unknown));
    let properties = &answer.json()["context"]["obligations"][0]["properties"];
    assert_eq!(properties["acr_value"], "urn:countersign:aal1");
}

#[test]
fn the_metadata_says_what_can_be_asked_for() {
    let office = office();
    let metadata = office.app.get("/.well-known/authzen-configuration", "").expect(200);
    assert_eq!(metadata["supported_obligations"], json!(["step-up"]));
}
