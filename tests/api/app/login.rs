//! Persons: enrolled, logged in, with a second factor.

use countersign::authn::{TotpSeed, code_at};
use serde_json::{Value, json};

use super::{Answer, TestApp};

/// A password that passes the rules.
pub const PASSWORD: &str = "seven quiet harbours at dusk";

/// A person's tokens, and their authenticator once it is set up.
#[derive(Clone)]
pub struct Person {
    pub token: String,
    pub session_token: String,
    pub seed: Option<[u8; 20]>,
}

impl TestApp {
    pub fn enrol(&self, ticket: &str, password: &str) -> Answer {
        self.post("/auth/v1/enrol", "", &json!({"ticket": ticket, "password": password}))
    }

    pub fn login(&self, username: &str, password: &str) -> Answer {
        let body = json!({"username": username, "password": password});
        self.raw(
            "POST",
            "/auth/v1/login",
            &[("content-type", "application/json")],
            body.to_string().as_bytes(),
        )
    }

    /// The first administrator, logged in with two factors.
    pub fn admin(&self) -> Person {
        self.enrol(self.ticket.expose(), PASSWORD).expect(201);
        self.two_factors(&self.one_factor("admin"))
    }

    /// A new person, enrolled.
    pub fn person(&self, admin: &Person, name: &str) {
        let made = self.post("/users/v1", &admin.token, &json!({"name": name})).expect(201);
        self.enrol(made["ticket"].as_str().unwrap(), PASSWORD).expect(201);
    }

    /// A session with a password alone.
    pub fn one_factor(&self, name: &str) -> Person {
        Person::of(&self.login(name, PASSWORD).expect(200), None)
    }

    /// The same session after TOTP has been set up and passed; one that was as strong before
    /// goes on under its tokens.
    pub fn two_factors(&self, person: &Person) -> Person {
        let offer = self.post("/auth/v1/setup-mfa", &person.token, &json!({})).expect(200);
        let seed = seed(offer["secret"].as_str().unwrap());
        let code = self.code(&seed);
        let answer = self.verify(&person.token, &code).expect(200);
        if answer["bound"] == true {
            return Person { seed: Some(seed), ..person.clone() };
        }
        Person::of(&answer, Some(seed))
    }

    pub fn verify(&self, token: &str, code: &str) -> Answer {
        self.post("/auth/v1/verify-mfa", token, &json!({"mfa_code": code}))
    }

    /// What the person's authenticator shows now.
    pub fn code(&self, seed: &[u8; 20]) -> String {
        use countersign::clock::Clock as _;
        code_at(&TotpSeed::from(*seed), self.clock.now()).to_string()
    }
}

impl Person {
    pub fn of(answer: &Value, seed: Option<[u8; 20]>) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Self { token: text("token"), session_token: text("session_token"), seed }
    }
}

/// Reads a seed as authenticator apps do: base32 without padding (RFC 4648 §6).
pub fn seed(base32: &str) -> [u8; 20] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in base32.bytes() {
        let value = alphabet.iter().position(|known| *known == letter).unwrap();
        held = (held << 5) | u32::try_from(value).unwrap();
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).unwrap());
        }
    }
    bytes.try_into().unwrap()
}
