//! Clients that ask without pause until the server has gone.

use std::sync::mpsc::{Sender, channel};

use serde_json::{Value, json};

use crate::binary::{PASSWORD, text};
use crate::house::{House, Person, code, seed_of};
use crate::ledger::Told;
use crate::wire::{Arrived, Wire};

/// Loads a server until enough has been told, then stops it, and waits until every
/// client has noticed. All that clients have been told, in the order it arrived.
pub fn load(
    house: &House,
    url: &str,
    alice: &mut Alice,
    enough: impl Fn(&[Told]) -> bool,
    stop: impl FnOnce(),
) -> Vec<Told> {
    let (teller, heard) = channel();
    std::thread::scope(|scope| {
        for nth in 0..3 {
            let (wire, teller) = (Wire::to(url), teller.clone());
            scope.spawn(move || evaluate(nth, &wire, &house.pep, &teller));
        }
        let (wire, tell) = (Wire::to(url), teller.clone());
        scope.spawn(move || author(&wire, &house.author, &tell));
        let (wire, tell) = (Wire::to(url), teller.clone());
        scope.spawn(move || guess(&wire, &tell));
        let wire = Wire::to(url);
        scope.spawn(move || while alice.turn(&wire, &house.pep, &teller).is_some() {});
        let mut told = Vec::new();
        while !enough(&told) {
            told.push(heard.recv().expect("clients have given up before the server was stopped"));
        }
        stop();
        told.extend(heard);
        told
    })
}

/// Asks questions whose answers change with what the author does, one by one and in
/// batches.
fn evaluate(mut nth: usize, wire: &Wire, pep: &str, tell: &Sender<Told>) {
    let ask = |subject: [&str; 2], action: &str, resource: [&str; 2]| {
        json!({
            "subject": {"type": subject[0], "id": subject[1]},
            "action": {"name": action},
            "resource": {"type": resource[0], "id": resource[1]},
        })
    };
    let questions = [
        ask(["User", "alice"], "view", ["Document", "handbook"]),
        ask(["User", "mallory"], "view", ["Document", "handbook"]),
        ask(["Workload", "orders"], "connect", ["Service", "orders-db"]),
        ask(["Workload", "storefront"], "connect", ["Service", "orders-db"]),
        ask(["User", "alice"], "levitate", ["Carpet", "1"]),
    ];
    loop {
        let answer = if nth.is_multiple_of(3) {
            let body = json!({"evaluations": questions});
            wire.post("/access/v1/evaluations", pep, &body)
        } else {
            wire.post("/access/v1/evaluation", pep, &questions[nth % questions.len()])
        };
        let Some(answer) = answer else { break };
        tell.send(Told::decided(&answer)).unwrap();
        nth += 1;
    }
}

/// Publishes one policy set and another, and takes a role from alice and gives it back.
fn author(wire: &Wire, token: &str, tell: &Sender<Told>) {
    let narrow = "@id(\"only\") permit (principal == User::\"alice\", action, resource);";
    let wide = "@id(\"only\") permit (principal, action, resource);";
    let policies = [narrow, wide].map(|text| json!({"files": [{"name": "a.cedar", "text": text}]}));
    let parents = [json!([]), json!([{"type": "Role", "id": "employee"}])];
    let entities = parents.map(|parents| {
        json!({"put": [{"uid": {"type": "User", "id": "alice"}, "attrs": {}, "parents": parents}]})
    });
    for nth in 0.. {
        let (answer, kind) = if nth % 2 == 0 {
            let answer = wire.put("/policies/v1", token, &policies[nth / 2 % 2]);
            (answer, "countersign.policies.activated.v1")
        } else {
            let answer = wire.post("/entities/v1", token, &entities[nth / 2 % 2]);
            (answer, "countersign.directory.activated.v1")
        };
        let Some(answer) = answer else { break };
        match answer.status {
            200 => tell.send(Told::done(&answer, kind)).unwrap(),
            // It was in force already when the server was killed the last time.
            409 => assert_eq!(answer.body["code"], "unchanged", "{}", answer.text),
            _ => panic!("{}", answer.text),
        }
    }
}

/// Guesses bob's password, and those of names that nobody has.
fn guess(wire: &Wire, tell: &Sender<Told>) {
    for nth in 0.. {
        let name = if nth % 2 == 0 { "bob".to_owned() } else { format!("nobody-{nth}") };
        let body = json!({"username": name, "password": "not seven quiet harbours"});
        let Some(answer) = wire.post("/auth/v1/login", "", &body) else { break };
        match answer.status {
            401 => tell.send(Told::done(&answer, "countersign.password.refused.v1")).unwrap(),
            429 => {} // not looked at, so nothing is recorded
            _ => panic!("{}", answer.text),
        }
    }
}

/// A person who binds one authenticator after the other, with a wrong code in between,
/// and opens what wants two factors.
pub struct Alice {
    person: Person,
    /// The seed that awaits its first right code.
    offered: Option<countersign::authn::TotpSeed>,
    turns: usize,
}

impl Alice {
    pub fn new(person: Person) -> Self {
        Self { person, offered: None, turns: 0 }
    }

    /// Does the next thing; nothing if the server has gone.
    fn turn(&mut self, wire: &Wire, pep: &str, tell: &Sender<Told>) -> Option<()> {
        self.turns += 1;
        let answer = match (self.turns % 4, &self.offered) {
            (0, _) | (_, None) => self.offer(wire)?,
            (1, Some(_)) => self.verify(wire, &self.wrong())?,
            (2, _) => self.open(wire, pep)?,
            // The step before, so that the present one is left for logging in again.
            (_, Some(offered)) => self.verify(wire, &code(offered, 30))?,
        };
        match (answer.status, answer.body["code"].as_str()) {
            (200, _) => tell.send(self.hold(&answer)).unwrap(),
            (401, Some("mfa_failed")) => {
                tell.send(Told::done(&answer, "countersign.mfa.refused.v1")).unwrap();
            }
            (429, _) => {} // not looked at, so nothing is recorded
            (409, Some("too_many_authenticators")) => {
                self.make_room(wire, tell)?;
                // The same again, or no wrong code would have its turn while they are many.
                self.turns -= 1;
            }
            // An answer with new tokens was lost with the server before, or the code that
            // was to follow the password had to wait.
            (401, Some("unauthenticated")) | (403, Some("assurance_too_low")) => {
                self.log_in_again(wire, tell)?;
            }
            _ => panic!("{}", answer.text),
        }
        Some(())
    }

    fn offer(&self, wire: &Wire) -> Option<Arrived> {
        wire.post("/auth/v1/setup-mfa", &self.person.token, &json!({}))
    }

    fn verify(&self, wire: &Wire, code: &str) -> Option<Arrived> {
        wire.post("/auth/v1/verify-mfa", &self.person.token, &json!({"mfa_code": code}))
    }

    fn open(&self, wire: &Wire, pep: &str) -> Option<Arrived> {
        let body = json!({
            "subject": {"type": "User", "id": "alice"},
            "action": {"name": "open"},
            "resource": {"type": "ProtectedResource", "id": "protected-resource"},
            "context": {"session_token": self.person.session},
        });
        wire.post("/access/v1/evaluation", pep, &body)
    }

    /// A code that is none of the authenticators' now.
    fn wrong(&self) -> String {
        let seeds = self.offered.iter().chain([&self.person.seed]);
        let right: Vec<_> = seeds.flat_map(|seed| [code(seed, 0), code(seed, 30)]).collect();
        let all = (0..1_000).map(|number| format!("{number:06}"));
        all.into_iter().find(|code| !right.contains(code)).unwrap()
    }

    /// Takes in hand what an answer brings.
    fn hold(&mut self, answer: &Arrived) -> Told {
        if answer.body.get("decision").is_some() {
            return Told::decided(answer);
        }
        if answer.body.get("secret").is_some() {
            self.offered = Some(seed_of(&answer.body));
            return Told::done(answer, "countersign.mfa.offered.v1");
        }
        if let Some(seed) = self.offered.take() {
            self.person.seed = seed;
        }
        if answer.body.get("bound").is_some() {
            return Told::done(answer, "countersign.mfa.enrolled.v1");
        }
        self.carry(&answer.body);
        Told::done(answer, "countersign.session.raised.v1")
    }

    /// Takes the oldest authenticator away.
    fn make_room(&self, wire: &Wire, tell: &Sender<Told>) -> Option<()> {
        let shown = wire.get("/auth/v1/authenticators", &self.person.token)?;
        let all = shown.body["authenticators"].as_array().unwrap();
        let oldest = all.iter().find(|it| it["kind"] == "totp").unwrap();
        let path = format!("/auth/v1/authenticators/{}", text(oldest, "id"));
        let answer = wire.delete(&path, &self.person.token)?;
        assert_eq!(answer.status, 204, "{}", answer.text);
        tell.send(Told::done(&answer, "countersign.credential.removed.v1")).unwrap();
        Some(())
    }

    fn carry(&mut self, answer: &Value) {
        self.person.token = text(answer, "token");
        self.person.session = text(answer, "session_token");
    }

    /// With a password and, if the step is not used up, with a code; else later.
    fn log_in_again(&mut self, wire: &Wire, tell: &Sender<Told>) -> Option<()> {
        let body = json!({"username": "alice", "password": PASSWORD});
        let answer = wire.post("/auth/v1/login", "", &body)?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        tell.send(Told::done(&answer, "countersign.session.started.v1")).unwrap();
        let session = text(&answer.body, "token");
        // The tokens were lost with the answer that confirmed what had been offered.
        let seed = self.offered.as_ref().unwrap_or(&self.person.seed);
        let body = json!({"mfa_code": code(seed, 0)});
        let answer = wire.post("/auth/v1/verify-mfa", &session, &body)?;
        match answer.status {
            200 => tell.send(self.hold(&answer)).unwrap(),
            401 => {
                // What was offered was not confirmed before the server went, and another
                // session cannot confirm it.
                self.offered = None;
                tell.send(Told::done(&answer, "countersign.mfa.refused.v1")).unwrap();
            }
            429 => {}
            _ => panic!("{}", answer.text),
        }
        Some(())
    }
}
