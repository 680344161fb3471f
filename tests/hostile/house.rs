//! A deployment to be attacked: the example organisation, its tokens, and people.

use countersign::authn::code_at;
use countersign::clock::{Clock as _, SystemClock};
use countersign::tlog::SigningKey;
use serde_json::{Value, json};

use crate::binary::{Ground, PASSWORD, Server, seed, text};
use crate::wire::{Answer, Heard, Wire};

/// The identity provider that reports here.
pub const SOURCE: &str = "https://idp.example";
/// Who may be renamed, disabled and given roles.
pub const VICTIM: &str = "victor";
/// Who is erased.
pub const LEAVER: &str = "lena";
/// Who logs in.
pub const VISITOR: &str = "vera";

/// The key of another log, which this deployment cosigns.
pub fn other_log() -> SigningKey {
    SigningKey::new("other.example/log".parse().unwrap(), &[9; 32])
}

/// A served deployment and the keys to each of its doors.
pub struct House {
    pub ground: Ground,
    pub server: Server,
    /// A token with the scope `evaluate`.
    pub pep: String,
    /// A token with the scopes `publish`, `audit` and `admin`.
    pub office: String,
    /// An administrator's session of two factors: what only a person may do.
    pub chief: String,
    /// The identity provider's token.
    pub idp: String,
    /// Tickets that nobody has used.
    pub tickets: Vec<String>,
    /// A person's session that nothing ends, and its token for PEPs.
    pub session: [String; 2],
    /// Sessions to be ended.
    pub sessions: Vec<String>,
    /// Services to be revoked, by id.
    pub services: Vec<String>,
}

impl House {
    pub fn open() -> Self {
        let ground = Ground::new();
        let first_ticket = ground.found();
        let [pep, office] = ["evaluate", "publish,audit,admin"].map(|scopes| ground.token(scopes));
        // A publication may be larger than other bodies; not so large that it takes long.
        let watched = format!("witness.logs={}", other_log().verifier());
        let settings = ["--set", "limits.publish_body_bytes=262144", "--set", &watched];
        let server = ground.serve(&[&settings[..], &["--log-level", "warn"]].concat());
        let mut house = Self {
            ground,
            server,
            pep,
            office,
            chief: String::new(),
            idp: String::new(),
            tickets: Vec::new(),
            session: Default::default(),
            sessions: Vec::new(),
            services: Vec::new(),
        };
        house.furnish();
        house.chief = house.administer(&first_ticket);
        house
    }

    fn furnish(&mut self) {
        let binding = json!({"source": SOURCE, "user_type": "User", "max_aal": 2});
        self.idp = text(&self.service(&json!({"scopes": ["ingest"], "binding": binding})), "token");
        for _ in 0..4 {
            let service = self.service(&json!({"scopes": ["evaluate"]}));
            self.services.push(text(&service, "id"));
        }
        for nth in 0..3 {
            let ticket = self.register(&format!("newcomer-{nth}"));
            self.tickets.push(ticket);
        }
        self.register(VICTIM);
        self.register(LEAVER);
        for name in [VISITOR, "stella", "leo"] {
            let body = json!({"ticket": self.register(name), "password": PASSWORD});
            self.made("/auth/v1/enrol", "", &body, 201);
        }
        let stella = self.log_in("stella");
        self.session = ["token", "session_token"].map(|name| text(&stella, name));
        self.sessions = (0..4).map(|_| text(&self.log_in("leo"), "token")).collect();
    }

    /// The first administrator, with an authenticator.
    fn administer(&self, ticket: &str) -> String {
        self.made("/auth/v1/enrol", "", &json!({"ticket": ticket, "password": PASSWORD}), 201);
        let token = text(&self.log_in("admin"), "token");
        let offer = self.made("/auth/v1/setup-mfa", &token, &json!({}), 200);
        let code = code_at(&seed(&text(&offer, "secret")), SystemClock.now());
        let code = json!({"mfa_code": code.as_str()});
        text(&self.made("/auth/v1/verify-mfa", &token, &code, 200), "token")
    }

    fn service(&self, wanted: &Value) -> Value {
        self.made("/tokens/v1", &self.office, wanted, 201)
    }

    fn register(&self, name: &str) -> String {
        text(&self.made("/users/v1", &self.office, &json!({"name": name}), 201), "ticket")
    }

    fn log_in(&self, name: &str) -> Value {
        let body = json!({"username": name, "password": PASSWORD});
        self.made("/auth/v1/login", "", &body, 200)
    }

    fn made(&self, path: &str, token: &str, body: &Value, status: u16) -> Value {
        let answer = self.ask("POST", path, token, Some(body));
        assert_eq!(answer.status, status, "{path}: {}", answer.json());
        answer.json()
    }

    /// Asks as an honest client does.
    pub fn ask(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> Answer {
        let authorization = if token.is_empty() {
            String::new()
        } else {
            format!("authorization: Bearer {token}\r\n")
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let mut wire = Wire::to(&self.server.url);
        wire.send(request.as_bytes());
        match wire.hear(method == "HEAD") {
            Heard::Answer(answer) => answer,
            other => panic!("{method} {path}: {}", other.shown()),
        }
    }

    /// How many secrets lie sealed in the vault.
    pub fn sealed(&self) -> usize {
        let folders = std::fs::read_dir(self.ground.at("data").join("vault")).unwrap();
        let of = |folder: std::fs::DirEntry| std::fs::read_dir(folder.path()).into_iter().flatten();
        let names =
            folders.flat_map(|folder| of(folder.unwrap())).map(|file| file.unwrap().file_name());
        names.filter(|name| name.to_str().is_some_and(|name| name.len() == 36)).count()
    }
}
