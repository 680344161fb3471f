//! What a decision knows of the person: their session, as the log has it, and never what
//! the request says of it (invariant 5).

use countersign::event::{AccessDecided, Event, SessionFacts, SessionUsed, Verdict};
use countersign::model::Moment;
use serde_json::{Value, json};

use crate::app::{Person, Setup, TestApp};
use crate::office::{self, Office, given, setup, unlock};

impl Office {
    /// Alice and Bob have enrolled; nobody has logged in yet.
    fn with_people(setup: &Setup) -> Self {
        let office = Self::with(setup);
        office.app.person(&office.admin, "alice");
        office.app.person(&office.admin, "bob");
        office
    }

    /// The record of a question that comes with a person's session token.
    fn ask_with(&self, session: &str, request: &Value) -> AccessDecided {
        self.app.recorded(&self.app.evaluate_with(&self.pep, session, request))
    }

    /// Whether Alice may open a vault in a session.
    fn opens(&self, session: &str, vault: &str) -> bool {
        self.ask_with(session, &unlock("alice", vault)).decision == Verdict::Allow
    }
}

fn facts(decided: &AccessDecided) -> &SessionFacts {
    match &decided.session {
        Some(SessionUsed::InForce(facts)) => facts,
        other => panic!("no session in force: {other:?}"),
    }
}

/// Goal: nobody is authenticated by saying so.
#[test]
fn what_the_body_says_of_a_session_is_left_out() {
    let office = Office::open();
    let claims = json!({
        "aal": 3, "amr": ["otp", "mfa"], "authenticated_at": "2026-11-22T12:00:00Z",
        "age_seconds": 0, "phishing_resistant": true, "source": "countersign",
    });
    for vault in ["session", "second-factor", "fresh"] {
        let request = given(unlock("alice", vault), json!({"session": claims}));
        let decided = office.app.recorded(&office.app.evaluate(&office.pep, &request));
        assert_eq!((decided.decision, &decided.session), (Verdict::Deny, &None));
        assert_eq!(decided.pruned, ["context.session"]);
        assert!(decided.request.context.is_empty());
    }
    office.app.assert_replays();
}

/// Goal: the person's own token, in the header or in the context, brings the facts that
/// the log has; claims beside it change nothing; and the token is consumed.
#[test]
fn the_subjects_own_session_token_brings_the_facts_of_the_log() {
    let office = Office::with_people(&setup());
    let alice = office.app.one_factor("alice");
    let token = &alice.session_token;
    let in_context = given(unlock("alice", "session"), json!({"session_token": token}));
    let claiming = given(unlock("alice", "session"), json!({"session": {"aal": 3}}));
    let both = given(unlock("alice", "session"), json!({"session_token": token, "note": "x"}));

    let by_context = office.app.recorded(&office.app.evaluate(&office.pep, &in_context));
    let by_header = office.ask_with(token, &unlock("alice", "session"));
    let beside_claims = office.ask_with(token, &claiming);
    let by_both = office.ask_with(token, &both);

    for decided in [&by_context, &by_header, &beside_claims, &by_both] {
        assert_eq!(decided.decision, Verdict::Allow);
        let facts = facts(decided);
        assert_eq!((facts.aal, facts.source.as_str()), (1, "countersign"));
        assert_eq!(facts.authenticated_at, "2026-11-22T12:00:00Z".parse::<Moment>().unwrap());
        assert_eq!(serde_json::to_value(&facts.methods).unwrap().as_array().unwrap().len(), 1);
        assert!(!decided.request.context.contains_key("session_token"));
    }
    assert_eq!(beside_claims.pruned, ["context.session"]);
    assert_eq!(Value::Object(by_both.request.context), json!({"note": "x"}));
    office.app.assert_replays();
}

/// Goal: two tokens that differ are an attack or a mistake; neither is chosen.
#[test]
fn a_header_and_a_context_that_differ_are_refused() {
    let office = Office::with_people(&setup());
    let (alice, bob) = (office.app.one_factor("alice"), office.app.one_factor("bob"));
    let body = given(unlock("alice", "session"), json!({"session_token": bob.session_token}));
    let answer = office.app.evaluate_with(&office.pep, &alice.session_token, &body);
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"));
    assert_eq!(answer.json()["place"], "context.session_token");
    assert!(!answer.text.contains(&bob.session_token));
    for mistyped in [json!(5), json!(["x"]), json!({}), json!(true)] {
        let body = given(unlock("alice", "session"), json!({"session_token": mistyped}));
        assert_eq!(office.app.evaluate(&office.pep, &body).status, 400);
    }
    let null = given(unlock("alice", "session"), json!({"session_token": null}));
    assert!(!office.allows(&null));
    assert_eq!(office.app.decisions().len(), 1);
}

/// Goal: a session speaks for its own user; with another it counts for nothing, and the
/// record names the mismatch.
#[test]
fn anothers_session_counts_for_nothing_and_is_recorded() {
    let office = Office::with_people(&setup());
    let alice = office.app.one_factor("alice");
    for request in [unlock("bob", "session"), unlock("carol", "session")] {
        let decided = office.ask_with(&alice.session_token, &request);
        assert_eq!(decided.decision, Verdict::Deny);
        let Some(SessionUsed::OtherSubject { user, .. }) = &decided.session else {
            panic!("{:?}", decided.session)
        };
        assert_eq!(user.to_string(), "User::\"alice\"");
    }
    // The administrator's session is that of `User::"admin"`, and of nobody else.
    assert!(!office.opens(&office.admin.session_token, "session"));
    let own = office.ask_with(&office.admin.session_token, &unlock("admin", "second-factor"));
    assert_eq!(own.decision, Verdict::Allow);
    office.app.assert_replays();
}

/// Goal: tokens never stand in for each other, and what is no token is an unknown one.
#[test]
fn only_a_session_token_is_a_session_token() {
    let office = Office::with_people(&setup());
    let Office { app, admin, pep } = &office;
    let alice = app.one_factor("alice");
    let never = "cs_session_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for token in [alice.token.as_str(), pep, &admin.token, never, "x", ""] {
        let decided = office.ask_with(token, &unlock("alice", "session"));
        assert_eq!(
            (decided.decision, &decided.session),
            (Verdict::Deny, &Some(SessionUsed::Unknown))
        );
    }
    for token in [&alice.session_token, &admin.session_token] {
        let answer = app.evaluate(token, &unlock("alice", "session"));
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"));
        assert_eq!(app.get("/auth/v1/session", token).status, 401);
    }
    // Alice herself is no PEP: her own token is known, and may not ask.
    let answer = app.evaluate(&alice.token, &unlock("alice", "session"));
    assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
    app.assert_replays();
}

/// Goal: the article's demand: what wants two factors is closed after the first and
/// open after the second; and the token of before the second is dead.
#[test]
fn a_second_factor_opens_what_the_first_does_not() {
    let office = Office::with_people(&setup());
    let before = office.app.one_factor("alice");
    assert!(office.opens(&before.session_token, "session"));
    assert!(!office.opens(&before.session_token, "second-factor"));

    let after = office.app.two_factors(&before);

    let decided = office.ask_with(&after.session_token, &unlock("alice", "second-factor"));
    assert_eq!((decided.decision, facts(&decided).aal), (Verdict::Allow, 2));
    let dead = office.ask_with(&before.session_token, &unlock("alice", "session"));
    assert_eq!(dead.session, Some(SessionUsed::Unknown));
    assert_eq!(dead.decision, Verdict::Deny);
    office.app.assert_replays();
}

/// Goal: the shipped example: the protected resource wants two factors of its own user.
#[test]
fn the_protected_resource_wants_two_factors() {
    let app = TestApp::spawn(&Setup::cloud());
    let admin = app.admin();
    let pep = app.token(&admin, &["evaluate"]);
    app.person(&admin, "alice");
    let request = json!({
        "subject": {"type": "User", "id": "alice"},
        "action": {"name": "open"},
        "resource": {"type": "ProtectedResource", "id": "protected-resource"},
    });
    let ask = |session: &str| app.recorded(&app.evaluate_with(&pep, session, &request));
    let once = app.one_factor("alice");
    let denied = ask(&once.session_token);
    assert_eq!(denied.decision, Verdict::Deny);
    assert_eq!(denied.determining, ["mfa-protected-resource".parse().unwrap()]);
    let twice = app.two_factors(&once);
    let allowed = ask(&twice.session_token);
    assert_eq!(allowed.decision, Verdict::Allow);
    assert_eq!(allowed.determining, ["employees-open-protected-resource".parse().unwrap()]);
    app.assert_replays();
}

/// Goal: how long ago someone authenticated is told by our clock, to the second.
#[test]
fn a_session_grows_old_by_our_clock() {
    let office = Office::with_people(&setup());
    let alice = office.app.one_factor("alice");
    assert!(office.opens(&alice.session_token, "fresh"));
    office.app.clock.advance(300);
    assert!(office.opens(&alice.session_token, "fresh"));
    office.app.clock.advance(1);
    assert!(!office.opens(&alice.session_token, "fresh"));
    assert!(office.opens(&alice.session_token, "session"), "old, but in force");
    // Logging in again is fresh again, in a session of its own.
    let again = office.app.one_factor("alice");
    assert!(office.opens(&again.session_token, "fresh"));
    assert!(!office.opens(&alice.session_token, "fresh"));
    office.app.assert_replays();
}

fn limits(setup: Setup) -> Setup {
    setup
        .with_setting("decisions.session.aal1_idle_s=600")
        .with_setting("decisions.session.aal1_absolute_s=2000")
        .with_setting("decisions.session.aal2_idle_s=3600")
        .with_setting("decisions.session.aal2_absolute_s=43200")
}

/// Goal: unused for longer than its idle limit a session is over, and stays over; used
/// within it, it goes on.
#[test]
fn an_idle_session_is_over() {
    let office = Office::with_people(&limits(setup()));
    let alice = office.app.one_factor("alice");
    for _ in 0..2 {
        office.app.clock.advance(600);
        assert!(office.opens(&alice.session_token, "session"));
    }
    office.app.clock.advance(601);
    for _ in 0..2 {
        let decided = office.ask_with(&alice.session_token, &unlock("alice", "session"));
        assert_eq!(decided.decision, Verdict::Deny);
        assert!(matches!(decided.session, Some(SessionUsed::Over { .. })), "{decided:?}");
    }
    assert_eq!(office.app.get("/auth/v1/session", &alice.token).status, 401);
    office.app.assert_replays();
}

/// Goal: however busy, a session ends at its absolute limit.
#[test]
fn a_session_ends_at_its_absolute_limit() {
    let office = Office::with_people(&limits(setup()));
    let alice = office.app.one_factor("alice");
    for _ in 0..4 {
        office.app.clock.advance(500);
        assert!(office.opens(&alice.session_token, "session"));
    }
    office.app.clock.advance(1);
    let decided = office.ask_with(&alice.session_token, &unlock("alice", "session"));
    assert!(matches!(decided.session, Some(SessionUsed::Over { .. })), "{:?}", decided.session);
    assert_eq!(decided.decision, Verdict::Deny);
    office.app.assert_replays();
}

/// Goal: activity is known at a grain of 60 s: a decision within it changes no session,
/// and so no epoch; one after it does both, once. Another's question is no activity.
#[test]
fn activity_has_a_grain_of_a_minute() {
    let office = Office::with_people(&limits(setup()));
    let alice = office.app.one_factor("alice");
    let state = || {
        let world = office.app.node.sequencer.world();
        let session = world.sessions.iter().find(|session| session.user.id() == "alice");
        (world.epoch, session.unwrap().last_active)
    };
    let begun = state();
    office.app.clock.advance(59);
    assert!(office.opens(&alice.session_token, "session"));
    assert_eq!(state(), begun);

    office.app.clock.advance(1);
    office.ask_with(&alice.session_token, &unlock("bob", "session"));
    assert_eq!(state(), begun, "a mismatch is no use of the session");
    assert!(office.opens(&alice.session_token, "session"));
    assert_eq!(state(), (begun.0 + 1, begun.1.plus_seconds(60)));
    assert!(office.opens(&alice.session_token, "session"));
    assert_eq!(state().0, begun.0 + 1);

    // The activity of the 60th second carries to the 660th, not that of the 59th.
    office.app.clock.advance(600);
    assert!(office.opens(&alice.session_token, "session"));
    office.app.assert_replays();
}

/// Goal: logging out, or being shut out, ends a session for every PEP at once.
#[test]
fn an_ended_session_is_unknown() {
    let office = Office::with_people(&setup());
    let (one, two) = (office.app.one_factor("alice"), office.app.one_factor("alice"));
    assert_eq!(office.app.post("/auth/v1/logout", &one.token, &json!({})).status, 204);
    let decided = office.ask_with(&one.session_token, &unlock("alice", "session"));
    assert_eq!(decided.session, Some(SessionUsed::Unknown));
    assert!(office.opens(&two.session_token, "session"));

    let reason = json!({"reason": "left"});
    office.app.post("/users/v1/alice/disable", &office.admin.token, &reason).expect(204);
    let decided = office.ask_with(&two.session_token, &unlock("alice", "session"));
    assert_eq!((decided.decision, decided.session), (Verdict::Deny, Some(SessionUsed::Unknown)));
    office.app.assert_replays();
}

/// Goal: sessions are in the log, not in memory: they outlive the process, and end when
/// they would have.
#[test]
fn a_session_outlives_a_restart() {
    let mut office = Office::with_people(&limits(setup()));
    let alice = office.app.one_factor("alice");
    office.app.clock.advance(599);
    office.app.restart();
    assert!(office.opens(&alice.session_token, "session"));
    office.app.clock.advance(601);
    office.app.restart();
    assert!(!office.opens(&alice.session_token, "session"));
    office.app.assert_replays();
}

/// Goal: a session is shown only where the schema declares it for the action; elsewhere
/// it is no error, and still in the record.
#[test]
fn a_session_is_there_only_where_it_is_declared() {
    let schema = format!(
        "{}\naction peek appliesTo {{ principal: [User], resource: [Vault] }};",
        office::SCHEMA
    );
    let peek = r#"@id("all-peek") permit (principal, action == Action::"peek", resource);"#;
    let policies = format!("{}\n{peek}", office::POLICIES);
    let office = Office::with_people(&Setup::of(&schema, &policies, &office::entities()));
    let alice = office.app.one_factor("alice");
    let mut request = unlock("alice", "session");
    request["action"]["name"] = json!("peek");
    let decided = office.ask_with(&alice.session_token, &request);
    assert_eq!(decided.decision, Verdict::Allow);
    assert!(decided.pruned.is_empty() && decided.errors.is_empty());
    assert_eq!(facts(&decided).aal, 1);
    office.app.assert_replays();
}

/// Goal: in a batch the header's token is everybody's; an item may name the same, or
/// its own where there is none; one that differs is that item's fault alone.
#[test]
fn a_batch_has_one_session_or_one_each() {
    let office = Office::with_people(&setup());
    let (alice, bob) = (office.app.one_factor("alice"), office.app.one_factor("bob"));
    let token = |person: &Person| json!({"session_token": person.session_token});
    let body = json!({"evaluations": [
        given(unlock("alice", "session"), token(&alice)),
        given(unlock("bob", "session"), token(&bob)),
        given(unlock("bob", "session"), token(&alice)),
        unlock("alice", "session"),
    ]});
    let decisions = |answer: &crate::app::Answer| -> Vec<_> {
        let body = answer.expect(200);
        let items = body["evaluations"].as_array().unwrap();
        items.iter().map(|item| item["decision"].as_bool().unwrap()).collect()
    };
    let each = office.app.evaluate_all(&office.pep, &body);
    assert_eq!(decisions(&each), [true, true, false, false]);

    let bearer = format!("Bearer {}", office.pep);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("countersign-session", alice.session_token.as_str()),
    ];
    let path = "/access/v1/evaluations";
    let shared = office.app.raw("POST", path, &headers, body.to_string().as_bytes());
    assert_eq!(decisions(&shared), [true, false, false, true]);
    let fault = &shared.json()["evaluations"][1]["context"]["error"];
    assert_eq!(fault["status"], 400);
    assert!(fault["message"].as_str().unwrap().contains("Countersign-Session"));
    office.app.assert_replays();
}

/// Goal: invariant 7: no token that a request carries is anywhere in the log or in an
/// answer, wherever the caller puts it by the rules.
#[test]
fn no_token_is_recorded() {
    let office = Office::with_people(&setup());
    let alice = office.app.two_factors(&office.app.one_factor("alice"));
    let token = &alice.session_token;
    let asked = given(unlock("alice", "second-factor"), json!({"session_token": token}));
    let mut heard = Vec::new();
    heard.push(office.app.evaluate_with(&office.pep, token, &asked));
    heard.push(office.app.evaluate_with(&office.pep, token, &unlock("bob", "session")));
    heard.push(office.app.evaluate_all(&office.pep, &json!({"evaluations": [asked, {}]})));
    let wrong = given(unlock("alice", "session"), json!({"session_token": [token]}));
    heard.push(office.app.evaluate(&office.pep, &wrong));
    let differing = given(unlock("alice", "session"), json!({"session_token": token}));
    heard.push(office.app.evaluate_with(&office.pep, "another", &differing));
    office.app.post("/auth/v1/logout", &alice.token, &json!({})).expect(204);
    heard.push(office.app.evaluate_with(&office.pep, token, &unlock("alice", "session")));

    let stored = office.app.stored();
    for secret in [token, &alice.token, &office.pep, &office.admin.token] {
        let random = secret.get(secret.len() - 43..).unwrap();
        assert!(!stored.contains(random), "a token stands in the log");
        for answer in &heard {
            assert!(!answer.text.contains(random));
            let headers = answer.headers.values();
            assert!(headers.into_iter().all(|it| !it.to_str().unwrap_or("").contains(random)));
        }
    }
    let ended = office.app.log().iter().any(|it| matches!(it.event, Event::SessionEnded(_)));
    assert!(ended);
    office.app.assert_replays();
}
