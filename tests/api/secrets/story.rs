//! The article's whole flow and whatever goes wrong in it, with every secret noted
//! down as it is typed or shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::authn::{TotpSeed, code_at};
use countersign::clock::{Clock as _, SystemClock};
use countersign::model::Digest;
use serde_json::{Value, json};

use super::spelling::{Kind, Secret};
use crate::app::{Answer, seed};
use crate::door;
use crate::passkeys::authenticator::Stick;

const ADMIN: &str = "canary-admin-seven-quiet-harbours";
const ALICE: &str = "canary-alice-nine-brass-lanterns";
const RESET: &str = "canary-reset-four-amber-windmills";
const PAT: &str = "canary-pat-three-copper-kettles";
const WRONG: &str = "canary-wrong-two-paper-elephants";
const WEAK: &str = "canary-weak-1";
const AS_NAME: &str = "canary-password-in-the-name-field";
const AS_NAME_TOO: &str = "Canary Password With Spaces In The Name Field";
const FOREIGN: &str = "canary-foreign-session-token-5b1d";
const BEARER: &str = "canary-bearer-that-nobody-issued";
const IN_URL: &str = "canary-token-in-a-url-path";
const MALFORMED: &str = "canary-password-in-broken-json";

/// Personal data: the first by an author, the second by an application, the third of the
/// example organisation.
const EMAIL: &str = "canary.dodgson@christchurch.example";
const PHONE: &str = "+44 1865 276150";
const SHIPPED: &str = "carol@example.org";

/// What was typed and shown, and what is recorded of it.
pub struct Story {
    pub secrets: Vec<Secret>,
    /// Texts that the log must hold: without them the search has read something else.
    pub recorded: Vec<String>,
    base: String,
    agent: ureq::Agent,
}

impl Story {
    pub fn play(base: &str, ticket: &str) -> Self {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let (secrets, recorded) = (Vec::new(), Vec::new());
        let mut story = Self { secrets, recorded, base: base.to_owned(), agent };
        for typed in [ADMIN, ALICE, RESET, PAT, WRONG, WEAK, AS_NAME, AS_NAME_TOO, MALFORMED] {
            story.note(Kind::Password, "a password", typed.as_bytes());
        }
        for typed in [FOREIGN, BEARER, IN_URL] {
            story.note(Kind::Token, "a token", typed.as_bytes());
        }
        for personal in [EMAIL, PHONE, SHIPPED] {
            story.note(Kind::Password, "personal data", personal.as_bytes());
        }
        story.note_token("the first ticket", ticket);
        let admin = story.enrol_the_administrator(ticket);
        let (pep, idp) = story.services(&admin);
        story.alice_logs_in(&admin, &pep);
        story.a_passkey_is_used(&admin);
        story.people_are_described(&admin, &pep);
        story.a_provider_reports(&pep, &idp);
        story.things_go_wrong(&admin, &pep);
        story
    }

    fn enrol_the_administrator(&mut self, ticket: &str) -> String {
        let enrol = |password: &str| json!({"ticket": ticket, "password": password});
        self.post("/auth/v1/enrol", "", &enrol(WEAK)).expect(422);
        self.post("/auth/v1/enrol", "", &enrol(ADMIN)).expect(201);
        self.post("/auth/v1/enrol", "", &enrol(ADMIN)).expect(401);
        self.two_factors("admin", ADMIN)
    }

    /// Logs in, sets TOTP up and passes it; returns the token.
    fn two_factors(&mut self, name: &str, password: &str) -> String {
        let login = json!({"username": name, "password": password});
        let token = self.session(&login);
        let offer = self.post("/auth/v1/setup-mfa", &token, &json!({})).expect(200);
        let base32 = offer["secret"].as_str().unwrap();
        let seed = seed(base32);
        self.note(Kind::Password, "a seed", &seed);
        self.note(Kind::Password, "a seed as it is shown", base32.as_bytes());
        self.refused(&token, "000000");
        self.verified(&token, &seed)
    }

    /// Passes with the code of the step before, so that the present one is left; a step
    /// may end between here and there, so twice.
    fn verified(&mut self, token: &str, seed: &[u8; 20]) -> String {
        for _ in 0..2 {
            let then = SystemClock.now().minus_seconds(30);
            let code = code_at(&TotpSeed::from(*seed), then).to_string();
            self.note_code(&code);
            let answer = self.post("/auth/v1/verify-mfa", token, &json!({"mfa_code": code}));
            if answer.status == 200 {
                let token = self.take(&answer);
                self.refused(&token, &code);
                return token;
            }
        }
        panic!("two right codes were refused")
    }

    fn refused(&mut self, token: &str, code: &str) {
        self.note_code(code);
        self.post("/auth/v1/verify-mfa", token, &json!({"mfa_code": code})).expect(401);
    }

    fn services(&mut self, admin: &str) -> (String, String) {
        let pep = self.post("/tokens/v1", admin, &json!({"scopes": ["evaluate"]})).expect(201);
        let binding = json!({"source": "https://idp.example", "user_type": "User", "max_aal": 2});
        let asked = json!({"scopes": ["ingest"], "binding": binding});
        let idp = self.post("/tokens/v1", admin, &asked).expect(201);
        let mut text = |made: &Value| {
            let token = made["token"].as_str().unwrap().to_owned();
            self.note_token("a service token", &token);
            token
        };
        (text(&pep), text(&idp))
    }

    fn alice_logs_in(&mut self, admin: &str, pep: &str) {
        let made = self.post("/users/v1", admin, &json!({"name": "alice"})).expect(201);
        let first = made["ticket"].as_str().unwrap().to_owned();
        let made = self.post("/users/v1/alice/ticket", admin, &json!({})).expect(201);
        let second = made["ticket"].as_str().unwrap().to_owned();
        for ticket in [&first, &second] {
            self.note_token("a ticket", ticket);
        }
        let enrol = |ticket: &str| json!({"ticket": ticket, "password": ALICE});
        self.post("/auth/v1/enrol", "", &enrol(&first)).expect(401);
        self.post("/auth/v1/enrol", "", &enrol(&second)).expect(201);
        self.login_fails("alice", WRONG);
        let token = self.two_factors("alice", ALICE);
        let cookie = self.session(&json!({"username": "alice", "password": ALICE, "cookie": true}));
        assert_eq!(cookie, "", "a cookie stands in for the token");
        let session = self.secrets.iter().rev().find(|it| it.name == "a session token").unwrap();
        let session = String::from_utf8(session.bytes.clone()).unwrap();
        self.ask(pep, &session, &Value::Null);
        self.ask(pep, "", &json!({"session_token": session}));
        self.recorded.push(Digest::of(session).to_string());
        self.alice_recovers(&token);
        self.post("/auth/v1/logout", &token, &json!({})).expect(204);
        let made = self.post("/users/v1/alice/ticket", admin, &json!({})).expect(201);
        let third = made["ticket"].as_str().unwrap();
        self.note_token("a ticket", third);
        let reset = json!({"ticket": third, "password": RESET});
        self.post("/auth/v1/enrol", "", &reset).expect(201);
        self.session(&json!({"username": "alice", "password": RESET}));
        self.recorded.push("countersign.password.refused.v1".to_owned());
    }

    fn alice_recovers(&mut self, token: &str) {
        let issued = self.post("/auth/v1/recovery-codes", token, &json!({})).expect(201);
        for code in issued["codes"].as_array().unwrap() {
            self.note_recovery_code(code.as_str().unwrap());
        }
        let give = |code: &str| json!({"username": "alice", "password": ALICE, "code": code});
        let wrong = "cana-ryca-nary-cana-ryca-nary";
        self.note(Kind::Password, "a recovery code that is none", wrong.as_bytes());
        self.post("/auth/v1/recover", "", &give(wrong)).expect(401);
        let answer = self.post("/auth/v1/recover", "", &give(issued["codes"][0].as_str().unwrap()));
        let fresh = answer.expect(200)["recovery_code"].as_str().unwrap().to_owned();
        self.note_recovery_code(&fresh);
        self.take(&answer);
    }

    /// A recovery code as it is shown, and without its hyphens.
    fn note_recovery_code(&mut self, code: &str) {
        self.note(Kind::Password, "a recovery code", code.as_bytes());
        let letters = code.replace('-', "");
        self.note(Kind::Password, "the letters of a recovery code", letters.as_bytes());
    }

    /// A key is made, used, and used wrongly. Its public half is no secret, but whose it is
    /// can be told by its id, so that the log has only its hash.
    fn a_passkey_is_used(&mut self, admin: &str) {
        let made = self.post("/users/v1", admin, &json!({"name": "pat"})).expect(201);
        let ticket = made["ticket"].as_str().unwrap().to_owned();
        self.note_token("a ticket", &ticket);
        let enrol = json!({"ticket": ticket, "password": PAT});
        self.post("/auth/v1/enrol", "", &enrol).expect(201);
        let token = self.session(&json!({"username": "pat", "password": PAT}));
        let mut stick = Stick::new(9, &self.base.replace("127.0.0.1", "localhost"));
        let asked = self.asked("/auth/v1/passkeys/options", &token, &json!({}));
        let key = json!({"ticket": asked["ticket"], "credential": stick.create(&asked["options"])});
        self.post("/auth/v1/passkeys", &token, &key).expect(201);
        self.note(Kind::Token, "the id of a key", &stick.id);
        self.note(Kind::Token, "a user handle", &stick.handle.clone().unwrap());
        for (verified, status) in [(true, 200), (false, 401)] {
            stick.verified = verified;
            let asked = self.asked("/auth/v1/login/passkey/options", "", &json!({}));
            let signed = stick.get(&asked["options"]);
            let body = json!({"ticket": asked["ticket"], "credential": signed});
            let answer = self.post("/auth/v1/login/passkey", "", &body);
            answer.expect(status);
            if status == 200 {
                self.take(&answer);
            }
        }
        self.recorded.push("countersign.passkey.refused.v1".to_owned());
        self.recorded.push(Digest::of(&stick.id).to_string());
    }

    /// Options for a key; their ticket and challenge are noted.
    fn asked(&mut self, path: &str, token: &str, body: &Value) -> Value {
        let asked = self.post(path, token, body).expect(200);
        self.note_token("a ticket for a passkey", asked["ticket"].as_str().unwrap());
        let challenge = asked["options"]["publicKey"]["challenge"].as_str().unwrap();
        let challenge = URL_SAFE_NO_PAD.decode(challenge).unwrap();
        self.note(Kind::Password, "a challenge", &challenge);
        asked
    }

    /// What is personal is seen by whoever may read the directory, and lies nowhere.
    fn people_are_described(&mut self, admin: &str, pep: &str) {
        let uid = json!({"type": "User", "id": "dodgson"});
        let put = |email: &str| json!({"put": [{"uid": uid, "attrs": {"email": email}}]});
        self.post("/entities/v1", admin, &put(EMAIL)).expect(200);
        let shown = Answer::of(self.get("/entities/v1/User/dodgson", admin)).expect(200);
        assert_eq!(shown["attrs"]["email"], EMAIL);
        let mut asked = door::question("stranger");
        asked["subject"]["properties"] = json!({"email": PHONE, "phone": PHONE});
        self.post("/access/v1/evaluation", pep, &asked).expect(200);
        let batch = json!({"evaluations": [asked, asked]});
        self.post("/access/v1/evaluations", pep, &batch).expect(200);
        let stranger = json!({"subject": {"type": "User", "id": "stranger"}});
        self.post("/erasures/v1", admin, &stranger).expect(200);
        self.recorded.push("/subject/properties/email".to_owned());
        self.recorded.push("countersign.subject.erased.v1".to_owned());
    }

    fn a_provider_reports(&mut self, pep: &str, idp: &str) {
        let mut report = json!({
            "specversion": "1.0", "id": "1", "source": "https://idp.example",
            "type": "mfa.verified", "subject": "alice",
            "data": {"session_token": FOREIGN},
        });
        self.post("/events/v1", idp, &report).expect(400);
        report["data"] = json!({"session_token_sha256": FOREIGN});
        self.post("/events/v1", idp, &report).expect(400);
        report["data"] = json!({"session_token_sha256": Digest::of(FOREIGN)});
        self.post("/events/v1", idp, &report).expect(200);
        self.ask(pep, FOREIGN, &Value::Null);
        self.ask(pep, "", &json!({"session_token": FOREIGN}));
        self.recorded.push(Digest::of(FOREIGN).to_string());
    }

    fn things_go_wrong(&mut self, admin: &str, pep: &str) {
        self.login_fails(AS_NAME, "x");
        self.login_fails(AS_NAME_TOO, "x");
        self.login_fails("nobody", ADMIN);
        let long = json!({"username": "alice", "password": WRONG.repeat(40)});
        self.post("/auth/v1/login", "", &long).expect(400);
        for path in ["/auth/v1/session", "/users/v1", "/audit/v1/state"] {
            Answer::of(self.get(path, BEARER)).expect(401);
        }
        Answer::of(self.get(&format!("/policies/v1/{IN_URL}?token={IN_URL}"), admin)).expect(404);
        Answer::of(self.get(&format!("/nothing/{IN_URL}"), BEARER)).expect(404);
        self.ask(pep, BEARER, &Value::Null);
        self.ask(pep, "", &json!({"session_token": BEARER}));
        self.post("/users/v1", BEARER, &json!({"name": "mallory"})).expect(401);
        for body in [
            format!("{{\"username\": \"alice\", \"password\": \"{MALFORMED}\""),
            format!("{{\"username\": {{\"{MALFORMED}\": 1}}, \"password\": \"{MALFORMED}\"}}"),
            format!("[\"{MALFORMED}\"]"),
        ] {
            let url = format!("{}/auth/v1/login", self.base);
            let request = self.agent.post(url).header("content-type", "application/json");
            Answer::of(request.send(body)).expect(400);
        }
    }

    fn login_fails(&self, name: &str, password: &str) {
        let body = json!({"username": name, "password": password});
        let answer = self.post("/auth/v1/login", "", &body);
        // Wrong, or too long to be a password at all.
        assert!([400, 401].contains(&answer.status), "{}", answer.text);
        let problem = answer.text;
        assert!(!problem.contains("canary"), "{problem}");
    }

    /// A session's token; none if it came as a cookie.
    fn session(&mut self, login: &Value) -> String {
        let answer = self.post("/auth/v1/login", "", login);
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.take(&answer)
    }

    fn take(&mut self, answer: &Answer) -> String {
        let body = answer.json();
        let token = body["token"].as_str().unwrap_or_default().to_owned();
        let cookie = answer.header("set-cookie").split(';').next().unwrap();
        for given in [token.as_str(), cookie.split('=').next_back().unwrap()] {
            if !given.is_empty() {
                self.note_token("a token", given);
            }
        }
        self.note_token("a session token", body["session_token"].as_str().unwrap());
        token
    }

    fn ask(&self, pep: &str, session_token: &str, context: &Value) {
        let mut asked = door::question("alice");
        if !context.is_null() {
            asked["context"] = context.clone();
        }
        let url = format!("{}/access/v1/evaluation", self.base);
        let mut request = self.agent.post(url).header("authorization", format!("Bearer {pep}"));
        if !session_token.is_empty() {
            request = request.header("countersign-session", session_token);
        }
        Answer::of(request.send_json(asked)).expect(200);
    }

    fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.base));
        Answer::of(request.header("authorization", format!("Bearer {token}")).send_json(body))
    }

    fn get(
        &self,
        path: &str,
        token: &str,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let request = self.agent.get(format!("{}{path}", self.base));
        request.header("authorization", format!("Bearer {token}")).call()
    }

    fn note(&mut self, kind: Kind, name: &str, bytes: &[u8]) {
        let (name, bytes) = (name.to_owned(), bytes.to_vec());
        self.secrets.push(Secret { name, bytes, kind });
    }

    fn note_code(&mut self, code: &str) {
        self.note(Kind::Code, "a code", code.as_bytes());
    }

    /// A token of ours, and the random bytes in it.
    fn note_token(&mut self, name: &str, token: &str) {
        let random = token.splitn(3, '_').nth(2).unwrap();
        let random = URL_SAFE_NO_PAD.decode(random).unwrap();
        assert_eq!(random.len(), 32, "{name} is 256 bits");
        self.note(Kind::Token, &format!("the bits of {name}"), &random);
        self.note(Kind::Token, name, token.as_bytes());
    }
}
