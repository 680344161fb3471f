//! What a page does with our routes.

use serde_json::{Value, json};

use super::authenticator::Stick;
use crate::app::{Answer, Person, TestApp};

/// Where the test's browser is: the server listens on loopback, so its name is `localhost`.
pub fn origin(app: &TestApp) -> String {
    app.base.replace("127.0.0.1", "localhost")
}

impl TestApp {
    fn ask(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.raw("POST", path, &headers, body.to_string().as_bytes())
    }

    pub fn passkey_options(&self, token: &str, kind: &str) -> Answer {
        let body = json!({"label": "my key", "kind": kind});
        self.post("/auth/v1/passkeys/options", token, &body)
    }

    pub fn passkey(&self, token: &str, ticket: &Value, credential: &Value) -> Answer {
        self.post("/auth/v1/passkeys", token, &json!({"ticket": ticket, "credential": credential}))
    }

    /// Registers what an authenticator makes of the options.
    pub fn register(&self, token: &str, kind: &str, stick: &mut Stick) -> Answer {
        let asked = self.passkey_options(token, kind).expect(200);
        self.passkey(token, &asked["ticket"], &stick.create(&asked["options"]))
    }

    pub fn login_options(&self, username: Option<&str>) -> Value {
        let body = username.map_or(json!({}), |username| json!({"username": username}));
        self.ask("/auth/v1/login/passkey/options", &body).expect(200)
    }

    pub fn login_passkey(&self, ticket: &Value, credential: &Value) -> Answer {
        let body = json!({"ticket": ticket, "credential": credential});
        self.ask("/auth/v1/login/passkey", &body)
    }

    /// A whole login.
    pub fn sign_in(&self, username: Option<&str>, stick: &mut Stick) -> Answer {
        let asked = self.login_options(username);
        self.login_passkey(&asked["ticket"], &stick.get(&asked["options"]))
    }

    pub fn verify_options(&self, token: &str) -> Answer {
        self.post("/auth/v1/verify-passkey/options", token, &json!({}))
    }

    pub fn verify_passkey(&self, token: &str, ticket: &Value, credential: &Value) -> Answer {
        let body = json!({"ticket": ticket, "credential": credential});
        self.post("/auth/v1/verify-passkey", token, &body)
    }

    /// A session raised by a passkey.
    pub fn raise(&self, token: &str, stick: &mut Stick) -> Answer {
        let asked = self.verify_options(token).expect(200);
        self.verify_passkey(token, &asked["ticket"], &stick.get(&asked["options"]))
    }

    /// A person with a password and a passkey.
    pub fn with_passkey(&self, admin: &Person, name: &str, number: u8) -> Stick {
        self.person(admin, name);
        let person = self.one_factor(name);
        let mut stick = Stick::new(number, &origin(self));
        self.register(&person.token, "passkey", &mut stick).expect(201);
        stick
    }
}

/// The ids that options name, with all else that is said of each.
pub fn named(asked: &Value) -> Vec<Value> {
    asked["options"]["publicKey"]["allowCredentials"].as_array().unwrap().clone()
}
