//! The protected resource of the example organisation: a door that opens to
//! employees who have shown two factors.

use serde_json::{Value, json};

use crate::app::TestApp;

/// The question whether a user may open it.
pub fn question(user: &str) -> Value {
    json!({
        "subject": {"type": "User", "id": user},
        "action": {"name": "open"},
        "resource": {"type": "ProtectedResource", "id": "protected-resource"},
    })
}

/// Whether it opens to a user who presents a session token.
pub fn opens(app: &TestApp, pep: &str, user: &str, session_token: &str) -> bool {
    app.evaluate_with(pep, session_token, &question(user)).expect(200)["decision"] == true
}
