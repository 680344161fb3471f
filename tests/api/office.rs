//! An office: people, documents, and vaults that open for one reason each. Small enough
//! to see at a glance why a question is answered as it is.

use serde_json::{Value, json};

use crate::app::{Person, Setup, TestApp};

pub const SCHEMA: &str = r#"
type Session = {
  aal: Long, amr: Set<String>, authenticated_at: datetime, age_seconds: Long,
  phishing_resistant: Bool, source: String,
};
type Circumstances = {
  session?: Session,
  pep?: String,
  now?: datetime,
  action_properties?: { reason?: String },
  ip?: ipaddr,
  risk?: decimal,
  count?: Long,
  note?: String,
  group?: Group,
};

entity Group in [Group];
entity User in [Group] = {
  department?: String,
  @caller("fill") posture?: String,
  @caller("override") location?: String,
};
entity Doc = {
  owner?: User,
  label?: String,
  level?: Long,
  score?: decimal,
  tags?: Set<String>,
  origin?: { city?: String, zip?: Long },
};
entity Vault;

action read, write appliesTo { principal: [User], resource: [Doc], context: Circumstances };
action open appliesTo { principal: [User], resource: [Vault], context: Circumstances };
"#;

pub const POLICIES: &str = r#"
@id("staff-read")
permit (principal in Group::"staff", action == Action::"read", resource is Doc);

@id("owners-write")
permit (principal, action == Action::"write", resource is Doc)
when { resource has owner && resource.owner == principal };

@id("open-department")
permit (principal, action == Action::"open", resource == Vault::"department")
when { principal has department && principal.department == "finance" };

@id("open-posture")
permit (principal, action == Action::"open", resource == Vault::"posture")
when { principal has posture && principal.posture == "healthy" };

@id("open-location")
permit (principal, action == Action::"open", resource == Vault::"location")
when { principal has location && principal.location == "office" };

@id("open-reason")
permit (principal, action == Action::"open", resource == Vault::"reason")
when {
  context has action_properties && context.action_properties has reason &&
  context.action_properties.reason == "audit"
};

@id("open-group")
permit (principal, action == Action::"open", resource == Vault::"group")
when { context has group && context.group == Group::"staff" };

@id("open-office-network")
permit (principal, action == Action::"open", resource == Vault::"network")
when { context has ip && context.ip.isInRange(ip("10.0.0.0/8")) };

@id("open-low-risk")
permit (principal, action == Action::"open", resource == Vault::"risk")
when { context has risk && context.risk.lessThan(decimal("0.5")) };

@id("open-session")
permit (principal, action == Action::"open", resource == Vault::"session")
when { context has session };

@id("open-second-factor")
permit (principal, action == Action::"open", resource == Vault::"second-factor")
when { context has session && context.session.aal >= 2 && context.session.amr.contains("otp") };

@id("open-fresh")
permit (principal, action == Action::"open", resource == Vault::"fresh")
when { context has session && context.session.age_seconds <= 300 };

@id("open-sum")
permit (principal, action == Action::"open", resource == Vault::"sum");

// 4611686018427387904 is 2^62: one of it is a number, two of it are too large for one.
@id("wall-sum")
forbid (principal, action == Action::"open", resource == Vault::"sum")
when { context has count && context.count * 4611686018427387904 < 0 };
"#;

pub fn entities() -> Value {
    json!([
        {"uid": {"type": "Group", "id": "staff"}, "attrs": {}, "parents": []},
        {"uid": {"type": "User", "id": "alice"}, "attrs": {},
         "parents": [{"type": "Group", "id": "staff"}]},
        {"uid": {"type": "User", "id": "bob"},
         "attrs": {"department": "sales", "posture": "compromised", "location": "train"},
         "parents": []},
        {"uid": {"type": "Doc", "id": "plan"},
         "attrs": {"owner": {"type": "User", "id": "alice"}}, "parents": []},
    ])
}

pub fn setup() -> Setup {
    Setup::of(SCHEMA, POLICIES, &entities())
}

/// The office's node, its administrator and its one PEP's token.
pub struct Office {
    pub app: TestApp,
    pub admin: Person,
    pub pep: String,
}

impl Office {
    pub fn open() -> Self {
        Self::with(&setup())
    }

    pub fn with(setup: &Setup) -> Self {
        let app = TestApp::spawn(setup);
        let admin = app.admin();
        let pep = app.token(&admin, &["evaluate"]);
        Self { app, admin, pep }
    }

    /// True if the answer was allow; and the answer is in the log.
    pub fn allows(&self, request: &Value) -> bool {
        let answer = self.app.evaluate(&self.pep, request);
        self.app.recorded(&answer);
        answer.json()["decision"].as_bool().unwrap()
    }
}

/// May a user do this to a document?
pub fn ask(user: &str, action: &str, doc: &str) -> Value {
    json!({
        "subject": {"type": "User", "id": user},
        "action": {"name": action},
        "resource": {"type": "Doc", "id": doc},
    })
}

/// May a user open a vault?
pub fn unlock(user: &str, vault: &str) -> Value {
    json!({
        "subject": {"type": "User", "id": user},
        "action": {"name": "open"},
        "resource": {"type": "Vault", "id": vault},
    })
}

/// The same question under circumstances.
pub fn given(mut request: Value, context: Value) -> Value {
    request["context"] = context;
    request
}
