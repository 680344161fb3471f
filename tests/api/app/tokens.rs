//! Service tokens, and asking with them.

use serde_json::{Value, json};

use super::login::Person;
use super::{Answer, TestApp};

impl TestApp {
    /// A service token with these scopes.
    pub fn token(&self, admin: &Person, scopes: &[&str]) -> String {
        let made = self.post("/tokens/v1", &admin.token, &json!({"scopes": scopes})).expect(201);
        made["token"].as_str().unwrap().to_owned()
    }

    pub fn evaluate(&self, token: &str, request: &Value) -> Answer {
        self.post("/access/v1/evaluation", token, request)
    }
}
